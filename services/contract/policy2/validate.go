package policy2

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode"

	"gestor.local/contract"
)

// Validate returns everything that is wrong with the policy, wherever it came from. Paths are those of the document:
// rules[0].when.cpu; a list of one entry that may also stand without its brackets has the path of the key.
func (p Policy) Validate() contract.Problems { return p.ValidateRead(nil) }

// ValidateRead is Validate for a document of which some values could not be read: nothing is said about the values at these
// paths and below, and nothing that rests on what they are.
func (p Policy) ValidateRead(unread []string) contract.Problems {
	c := checker{unread: unread}
	c.head(p)
	c.ownAndProtect(p)
	c.rules(p.Rules)
	c.budget(p.Budget)
	c.ranking(p)
	c.images(p.Images)
	c.gates(p.Gates)
	c.act(p.Act)
	return c.problems
}

// checker collects what is wrong.
type checker struct {
	problems contract.Problems
	unread   []string
}

// add notes a problem, unless the value that it is about could not be read.
func (c *checker) add(where, what, hint string) {
	if !slices.ContainsFunc(c.unread, func(u string) bool { return inside(where, u) }) {
		c.problems = append(c.problems, contract.Problem{Where: where, What: what, Hint: hint})
	}
}

// read says whether all that stands at these paths and below them could be read.
func (c *checker) read(paths ...string) bool {
	for _, path := range paths {
		if slices.ContainsFunc(c.unread, func(u string) bool { return inside(u, path) || inside(path, u) }) {
			return false
		}
	}
	return true
}

// inside says whether a path is the outer one or lies below it.
func inside(path, outer string) bool {
	below, ok := strings.CutPrefix(path, outer)
	return ok && (outer == "" || below == "" || below[0] == '.' || below[0] == '[')
}

// at is the path of an entry of a list that may stand without brackets when it has one.
func at(path string, i, n int) string {
	if n == 1 {
		return path
	}
	return fmt.Sprintf("%s[%d]", path, i)
}

func oneOf[T ~string](c *checker, where string, got T, allowed ...T) {
	if slices.Contains(allowed, got) {
		return
	}
	words := make([]string, len(allowed))
	for i, a := range allowed {
		words[i] = string(a)
	}
	c.add(where, fmt.Sprintf("%q is not known", string(got)), "one of: "+strings.Join(words, ", "))
}

func within[T ~int | ~int64](c *checker, where string, got T, b bounds[T]) {
	if !b.hold(got) {
		c.add(where, fmt.Sprintf("%v is out of range", got), b.String())
	}
}

func atLeast[T int | uint64](c *checker, where string, got, least T, unit string) {
	if got < least {
		c.add(where, fmt.Sprintf("must be at least %d", least), unit)
	}
}

func atMost(c *checker, where string, got, most int, things, holder string) {
	if got > most {
		c.add(where, fmt.Sprintf("%d %s: %s has at most %d", got, things, holder, most), "")
	}
}

func (c *checker) head(p Policy) {
	if p.Version != Version {
		c.add("version", fmt.Sprintf("%d is not supported", p.Version), fmt.Sprintf("write version: %d", Version))
	}

	if p.Mode == contract.ModeShadow {
		c.add("mode", "shadow is specified for later, not built", "")
	} else {
		oneOf(c, "mode", p.Mode, contract.ModeObserve, contract.ModeEnforce)
	}

	within(c, "tick", p.Tick, durationBounds("tick"))
	within(c, "warmup", p.Warmup, countBounds("warmup"))
	if b := countBounds("surprise"); !b.hold(p.Surprise) {
		c.add("surprise", fmt.Sprintf("%d%% is out of range", p.Surprise), fmt.Sprintf("from %d%% to %d%%", b.least, b.greatest))
	}

	within(c, "idle.cpu", p.Idle.CPU, percentBounds("idle.cpu"))
	within(c, "idle.net", p.Idle.Net, bounds[Size]{0, 1 << 30})
	if p.Young.Max < 1 {
		c.add("young.max", "must be at least 1", "it is a number of containers; a large one never takes effect")
	}
}

// budget looks at the rates of a whole policy. Those that equal the default of their span may as well be left out, so that
// nothing is said about them together with others.
func (c *checker) budget(rates []Rate) {
	written := slices.Clone(rates)
	written = slices.DeleteFunc(written, func(r Rate) bool { return slices.Contains(defaultBudget(), r) })
	for _, problem := range ValidateBudget(written) {
		c.add(problem.Where, problem.What, problem.Hint)
	}
}

// ValidateBudget returns what is wrong with the rates that a document writes, in the order in which they stand there: of the
// paths, budget is that of a single one.
func ValidateBudget(written []Rate) contract.Problems {
	var c checker
	atMost(&c, "budget", len(written), maxRates, "rates", "a budget")
	for i, r := range written {
		where := at("budget", i, len(written))
		n, span := countBounds("rate"), durationBounds("span")
		switch {
		case !n.hold(r.N):
			c.add(where, r.String()+" is out of range", "N "+n.String())

		case r.Span != 0 && !span.hold(r.Span):
			c.add(where, r.String()+" is out of range", "per tick, or a time "+span.String())

		case slices.ContainsFunc(written[:i], func(o Rate) bool { return o.Span == r.Span }):
			c.add(where, "stands twice: "+r.span(), "")

		default:
			c.belowShorter(where, r, written)
		}
	}
	return c.problems
}

// belowShorter refuses a rate that allows less than one of a shorter span, which would then never be reached.
func (c *checker) belowShorter(where string, r Rate, others []Rate) {
	i := slices.IndexFunc(others, func(o Rate) bool { return o.Span < r.Span && o.N > r.N })
	if i >= 0 {
		c.add(where, fmt.Sprintf("%v is below %v", r, others[i]), "")
	}
}

func (c *checker) ranking(p Policy) {
	want := []contract.Key{contract.KeyCPU, contract.KeyRAM, contract.KeyVSZ, contract.KeyRSS}
	got := slices.Clone(p.Rank)
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) && c.read("rank") {
		c.add("rank", fmt.Sprintf("%v does not name each measure once", p.Rank), "cpu, ram, vsz and rss in the order that counts")
	}

	atLeast(c, "buckets.cpu_millicores", p.Buckets.CPUMillicores, 1, "1 compares every milli-core, 10 is the default")
	atLeast(c, "buckets.ram_kb", p.Buckets.RAMKB, 1, "1 compares every KiB, 1024 is the default")
}

func (c *checker) images(classes map[string]contract.Class) {
	for _, image := range slices.Sorted(maps.Keys(classes)) {
		where := "images." + image
		if image == "" || strings.ContainsFunc(image, func(r rune) bool { return unicode.IsSpace(r) || !unicode.IsPrint(r) }) {
			c.add(where, "is not an image name", "repository or repository:tag")
		}
		c.class(where, classes[image])
	}
}

func (c *checker) class(where string, class contract.Class) {
	if !IsClass(string(class)) {
		c.add(where, fmt.Sprintf("%q is not a class", string(class)), fmt.Sprintf("a word of a-z, 0-9 and -, at most %d of them", maxClass))
	}
}

func (c *checker) gates(g contract.Gates) {
	within(c, "gates.max_bad_rows_percent", g.MaxBadRowsPercent, countBounds("max_bad_rows_percent"))
	within(c, "gates.min_interval_percent", g.MinIntervalPercent, countBounds("min_interval_percent"))
	within(c, "gates.max_interval_percent", g.MaxIntervalPercent, countBounds("max_interval_percent"))

	// A document's durations are whole seconds, this one is a time.Duration.
	settle := time.Duration(g.Settle)
	if b := durationBounds("settle"); settle%time.Second != 0 {
		c.add("gates.settle", fmt.Sprintf("%v is out of range", settle), "whole seconds, "+b.String())
	} else {
		within(c, "gates.settle", Duration(settle/time.Second), b)
	}

	atLeast(c, "gates.degraded_after", g.DegradedAfter, 1, "ticks in a row")
	if g.AlarmAfter < g.DegradedAfter && c.read("gates.alarm_after", "gates.degraded_after") {
		c.add("gates.alarm_after", fmt.Sprintf("%d comes before gates.degraded_after %d", g.AlarmAfter, g.DegradedAfter), "an alarm is the later step")
	}
}

func (c *checker) act(a Act) {
	if c.read("act.calls") {
		c.calls(a.Calls)
	}
	within(c, "act.grace", a.Grace, durationBounds("grace"))
	within(c, "act.deadline", a.Deadline, durationBounds("deadline"))
	within(c, "act.parallel", a.Parallel, countBounds("parallel"))

	atLeast(c, "act.throttle_millicores", a.ThrottleMillicores, minThrottleMillicores, "the kernel's smallest quota")
	atLeast(c, "act.stuck_after", a.StuckAfter, 1, "failures in a row")
	atLeast(c, "act.breaker_after", a.BreakerAfter, 1, "engine errors in a row")
	atLeast(c, "act.futile_after", a.FutileAfter, 1, "returns of the same name")
}

func (c *checker) calls(calls []contract.Rung) {
	order := []contract.Rung{contract.RungStop, contract.RungKill, contract.RungRemove}
	last := -1 // place in the order of the call before
	for i, call := range calls {
		where := fmt.Sprintf("act.calls[%d]", i)
		place := slices.Index(order, call)

		switch {
		case call == contract.RungThrottle:
			c.add("act.calls", "throttle is a step of a rule", "do: throttle")

		case place < 0:
			oneOf(c, where, call, order...)

		case place == last:
			c.add(where, fmt.Sprintf("%q stands twice", call), "")

		case place < last:
			c.add(where, fmt.Sprintf("%q stands after %q", call, order[last]), "the order is stop, kill, remove, each at most once")

		default:
			last = place
		}
	}

	if n := len(calls); n == 0 || calls[n-1] != contract.RungRemove {
		c.add("act.calls", "does not end with remove", "a stopped container still holds its name and its disk")
	}
	if !slices.Contains(calls, contract.RungStop) && !slices.Contains(calls, contract.RungKill) {
		c.add("act.calls", "has neither stop nor kill", "a running container cannot be removed; [stop, remove] is the default")
	}
}
