package policy2

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
)

// Texts that stand at more than one place.
const (
	noGlobInKey = "the key of a label takes no glob"
	writeItOut  = "write it out"
)

// keyGlobs are the values of one key of a selector that takes globs.
type keyGlobs struct {
	key   string
	globs []string
}

// keyGlobs are the keys of the selector that take globs, written or not.
func (s Selector) keyGlobs() []keyGlobs {
	return []keyGlobs{{"network", s.Network}, {"image", s.Image}, {"name", s.Name}, {"project", s.Project}}
}

// keyCount is how many keys are written, also those with an empty list.
func (s Selector) keyCount() int {
	n := 0
	for _, written := range []bool{s.Label != nil, s.Labels != nil, s.Class != nil, s.Socket} {
		if written {
			n++
		}
	}
	for _, k := range s.keyGlobs() {
		if k.globs != nil {
			n++
		}
	}
	return n
}

func (c *checker) ownAndProtect(p Policy) {
	atMost(c, "own", len(p.Own), maxSelectors, "selectors", "own")
	for i, s := range p.Own {
		where := fmt.Sprintf("own[%d]", i)
		c.selector(where, s)
		c.ownsAll(where, s)
	}

	atMost(c, "protect", len(p.Protect), maxSelectors, "selectors", "protect")
	for i, s := range p.Protect {
		where := fmt.Sprintf("protect[%d]", i)
		c.selector(where, s)
		c.noSocket(where, s)
		c.oneKey(where, s)
	}

	c.protectsAll(p.Own, p.Protect)
}

// match looks at the selectors of a rule; none at all means every own container.
func (c *checker) match(where string, selectors []Selector) {
	if selectors != nil && len(selectors) == 0 {
		c.add(where, "matches nothing", "leave it out to mean every own one")
	}
	atMost(c, where, len(selectors), maxSelectors, "selectors", "match")

	for i, s := range selectors {
		at := at(where, i, len(selectors))
		c.selector(at, s)
		c.noSocket(at, s)
	}
}

// selector looks at what holds wherever a selector stands.
func (c *checker) selector(where string, s Selector) {
	if s.keyCount() == 0 && c.read(where) {
		c.add(where, "matches everything: say what", "")
	}

	if s.Label != nil {
		c.label(where+".label", *s.Label)
	}
	c.labels(where+".labels", s.Labels)
	for _, k := range s.keyGlobs() {
		c.globs(where+"."+k.key, k)
	}

	if s.Class != nil && len(s.Class) == 0 {
		c.matchesNothing(where + ".class")
	}
	for i, class := range s.Class {
		c.class(at(where+".class", i, len(s.Class)), class)
	}
}

func (c *checker) matchesNothing(where string) {
	c.add(where, "matches nothing", "leave it out, or say which")
}

func (c *checker) label(where string, l Label) {
	if isGlob(l.Key) {
		c.add(where, noGlobInKey, writeItOut)
	} else if !isLabelKey(l.Key) || strings.Contains(l.Key, "=") || !isPrintable(l.Value) {
		c.add(where, fmt.Sprintf("%q is not a label", l.String()), "KEY or KEY=GLOB")
	}
}

// labelKey looks at the key of a label that stands by itself: of per and of expired.
func (c *checker) labelKey(where, key string) {
	if isGlob(key) {
		c.add(where, noGlobInKey, writeItOut)
	} else if !isLabelKey(key) || strings.Contains(key, "=") {
		c.add(where, fmt.Sprintf("%q is not the key of a label", key), "such as ci.ttl")
	}
}

func (c *checker) labels(where string, labels []Label) {
	if labels == nil {
		return
	}
	if n := len(labels); n < minLabels && c.read(where) {
		c.add(where, fmt.Sprintf("labels takes %d to %d, not %d", minLabels, maxLabels, n), "label: for one")
	} else if n > maxLabels {
		c.add(where, fmt.Sprintf("labels takes %d to %d, not %d", minLabels, maxLabels, n), "")
	}

	for i, l := range labels {
		c.label(fmt.Sprintf("%s[%d]", where, i), l)

		// What two values of one key have in common is one value, and can be written as that.
		if slices.ContainsFunc(labels[:i], func(o Label) bool { return o.Key == l.Key }) && c.read(where) {
			c.add(where, "can never match: one key with two values", "two selectors")
			return
		}
	}
}

func (c *checker) globs(where string, k keyGlobs) {
	if k.globs != nil && len(k.globs) == 0 {
		c.matchesNothing(where)
	}
	for i, glob := range k.globs {
		where := at(where, i, len(k.globs))
		switch {
		case glob == "":
			c.matchesNothing(where)

		case !isPrintable(glob):
			c.add(where, fmt.Sprintf("%q is not a glob", glob), "characters that can be printed")

		case k.key == "name" && strings.Contains(glob, "/"):
			c.add(where, fmt.Sprintf("%q can never match: a name has no slash", glob), strings.TrimPrefix(glob, "/"))
		}
	}
}

func isGlob(text string) bool { return strings.ContainsAny(text, "*?") }

func isPrintable(text string) bool {
	return !strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) && !strings.ContainsRune(text, unicode.ReplacementChar)
}

// fitsAll says whether a glob is made of nothing but * and ?.
func fitsAll(glob string) bool { return glob != "" && strings.Trim(glob, "*?") == "" }

// ownsAll refuses a selector of own that says of nobody who he is: of which every key is a glob of * and ?, or socket.
func (c *checker) ownsAll(where string, s Selector) {
	if s.Label != nil || s.Labels != nil || s.Class != nil || !c.read(where) {
		return
	}

	found, glob := "", ""
	for _, k := range s.keyGlobs() {
		i := slices.IndexFunc(k.globs, fitsAll)
		if i < 0 && k.globs != nil {
			return
		}
		if i >= 0 && found == "" {
			found, glob = at(where+"."+k.key, i, len(k.globs)), k.globs[i]
		}
	}

	// The engine's socket is mounted by what manages the host: whoever owns all of these ends that.
	switch {
	case s.Socket:
		c.add(where+".socket", "owns every container that mounts the engine's socket", "say whom: image: testcontainers/ryuk beside it")
	case found != "":
		c.add(found, fmt.Sprintf("%q owns every container of this host", glob),
			"say whom: a label, an image; label: com.docker.compose.project is all of compose")
	}
}

func (c *checker) noSocket(where string, s Selector) {
	if s.Socket {
		c.add(where+".socket", "stands in own only", "")
	}
}

// oneKey holds for protect: a second key would protect less, and whoever writes it means more.
func (c *checker) oneKey(where string, s Selector) {
	if s.Labels != nil {
		c.add(where+".labels", "protects only what has all of them", "write a selector for each")
	}

	s.Socket = false // has its own problem
	switch n := s.keyCount(); {
	case n == 2:
		c.add(where, "two keys protect only what has both", "write two selectors")
	case n > 2:
		c.add(where, fmt.Sprintf("%d keys protect only what has all of them", n), "write a selector for each")
	}
}

// protectsAll refuses a policy that owns somebody and protects each of them, as far as the selectors show it.
func (c *checker) protectsAll(own, protect []Selector) {
	if len(own) == 0 || !c.read("own", "protect") {
		return
	}

	by := map[int]bool{}
	for _, o := range own {
		i := slices.IndexFunc(protect, func(s Selector) bool { return s.protectsAllOf(o) })
		if i < 0 {
			return
		}
		by[i] = true
	}

	where := "protect"
	for i := range by {
		if len(by) == 1 {
			where = fmt.Sprintf("protect[%d]", i)
		}
	}
	c.add(where, "protects everything that is owned", "use mode: observe")
}

// protectsAllOf says whether a selector of protect surely protects whoever one of own owns.
func (s Selector) protectsAllOf(own Selector) bool {
	if s.keyCount() != 1 {
		return false
	}
	all := slices.Contains(s.Name, "*") || slices.Contains(s.Image, "*") // those without a known image too
	return all || s.covers(own)
}
