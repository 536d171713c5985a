package rules

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"

	"gestor.local/contract"
	"gestor.local/contract/policy2"
)

// version1 is what a file of version 1 means where no file of version 2 can say it: who is own and protected, who competes, and by
// which figures. All else is the policy of version 2 beside it, which the rules read as any.
type version1 struct {
	contract.Policy
	protected map[string]bool           // names
	images    map[string]contract.Class // by the name in an inventory
	rank      bool                      // one list with places at both ends, instead of a list a class
	// speaks are the rules that speak of a container of a class, matches what all of them say to it.
	speaks  map[contract.Class][]int
	matches map[contract.Class][]policy2.Truth
}

// Names of the rules that a file of version 1 is compiled to: one a class, or one for all.
const (
	ruleLow  = string(contract.ClassLow)
	ruleHigh = string(contract.ClassHigh)
	ruleRank = string(contract.ClassifyRank)
)

// Compile compiles a valid policy of version 1. Its facts and its memory are FactsOfV1 and MemoryOfV1, and AsV1 makes a plan of
// version 1 of what Decide says. The program's hash is the file's.
func Compile(policy contract.Policy) *Program {
	v1 := &version1{
		Policy: policy, protected: setOf(policy.Protect.Names), images: imageClasses(policy.Images),
		rank: policy.Classify == contract.ClassifyRank,
	}
	v1.matchClasses()

	p := New(v1.asVersion2())
	p.v1, p.hash = v1, policy.Hash()
	if v1.rank {
		p.rules[0].tail = policy.Quota.High
	}
	return p
}

// guards says whether anything softens a step: version 1 knows no guards.
func (p *Program) guards() bool { return p.v1 == nil }

func setOf(words []string) map[string]bool {
	out := make(map[string]bool, len(words))
	for _, w := range words {
		out[w] = true
	}
	return out
}

// asVersion2 is the policy as far as version 2 can say it. Its mode is always enforce: what comes of a plan of version 1 its own
// mode says, whatever the plan.
func (v *version1) asVersion2() policy2.Policy {
	p := policy2.Default()
	p.Tick = seconds(v.Tick)
	p.Protect = v.protect()
	p.Rules = v.rules()

	p.Budget = []policy2.Rate{{N: v.Caps.PerTick}, {N: v.Caps.PerMinute, Span: policy2.Minute}}
	p.Surprise = v.Caps.MaxPlanPercent
	p.Rank, p.Buckets, p.Warmup, p.Images = v.Rank, v.Buckets, v.Warmup, v.Images
	p.Gates, p.Young = v.Gates, v.Young

	p.Act = policy2.Act{
		Calls: slices.DeleteFunc(slices.Clone(v.Act.Ladder), func(r contract.Rung) bool { return r == contract.RungThrottle }),
		Grace: seconds(v.Act.Grace), ThrottleMillicores: v.Act.ThrottleMillicores,
		Parallel: v.Act.Parallel, Deadline: seconds(v.Act.Deadline),
		StuckAfter: v.Act.StuckAfter, BreakerAfter: v.Act.BreakerAfter, FutileAfter: v.Act.FutileAfter,
	}
	return p
}

// seconds rounds up: version 2 knows whole ones, and no tick of 0.
func seconds(d contract.Duration) policy2.Duration {
	return policy2.Duration((time.Duration(d) + time.Second - 1) / time.Second)
}

func (v *version1) protect() []policy2.Selector {
	out := []policy2.Selector{}
	for _, name := range v.Protect.Names {
		out = append(out, policy2.Selector{Name: []string{name}})
	}
	for _, label := range v.Protect.Labels {
		key, value, valued := strings.Cut(label, "=")
		out = append(out, policy2.Selector{Label: &policy2.Label{Key: key, Value: value, Any: !valued}})
	}
	return out
}

// rules give the places: to each class its own, or to all together.
func (v *version1) rules() []policy2.Rule {
	rule := func(name string, order policy2.Order, places int, match ...policy2.Selector) policy2.Rule {
		return policy2.Rule{
			Name: name, Match: match, Each: policy2.EachContainer, Keep: policy2.Keep{Order: order, Places: places},
			Rest: policy2.Ladder{{Step: policy2.StepRemove}},
		}
	}

	if v.rank {
		return []policy2.Rule{rule(ruleRank, policy2.Lightest, v.Quota.Low)}
	}
	return []policy2.Rule{
		rule(ruleLow, policy2.Lightest, v.Quota.Low, policy2.Selector{Class: []contract.Class{contract.ClassLow}}),
		rule(ruleHigh, policy2.Heaviest, v.Quota.High, policy2.Selector{Class: []contract.Class{contract.ClassHigh}}),
	}
}

// matchClasses says which rule speaks of which class: of one that is unknown none does, but in rank mode where there is none other.
func (v *version1) matchClasses() {
	if v.rank {
		v.speaks = map[contract.Class][]int{contract.ClassUnknown: {0}}
		v.matches = map[contract.Class][]policy2.Truth{contract.ClassUnknown: {policy2.True}}
		return
	}

	const low, high = 0, 1 // as rules lists them
	v.speaks = map[contract.Class][]int{contract.ClassLow: {low}, contract.ClassHigh: {high}}
	v.matches = map[contract.Class][]policy2.Truth{
		contract.ClassLow: {policy2.True, policy2.False}, contract.ClassHigh: {policy2.False, policy2.True},
		contract.ClassUnknown: {policy2.False, policy2.False},
	}
}

// observeV1 finds out who each container is. Nothing is remembered of any, and its facts have identities that are made anew on each
// tick: there is nothing to keep of them either.
func (t *tick) observeV1() {
	all := take(&t.room.identities, len(t.all))
	t.room.identities = all
	for i := range t.all {
		s := &t.all[i]
		t.p.v1.study(s.c.Identity, t.f.Suite, &all[i])
		s.who, s.mem.ID = &all[i], s.c.ID
		s.standing = t.stand(s)
		s.ready = s.standing == StandingReady
	}
}

// study finds out what follows from the identity alone.
func (v *version1) study(id *policy2.Identity, suite policy2.Suite, who *identity) {
	who.Identity = id
	who.suite = has(suite.IDs, id.ID) || contract.OfSuite(id.Labels, suite.Name)
	who.own = !who.suite && contract.Owned(id.Labels, suite.Name)
	who.protected = v.protects(id)
	_, who.elsewhere = contract.WorkloadOf(id.Labels)
	who.class, who.classed = v.classOf(id), policy2.True

	who.matches, who.speaks = v.matches[who.class], v.speaks[who.class]
}

// protects reads names and labels letter by letter, where version 2 reads globs.
func (v *version1) protects(id *policy2.Identity) bool {
	return v.protected[id.Name] || slices.ContainsFunc(v.Protect.Labels, func(label string) bool {
		key, want, valued := strings.Cut(label, "=")
		got, ok := id.Labels[key]
		return ok && (!valued || got == want)
	})
}

// classOf is the declared class: the label, else the image map. A label that is neither low nor high is not replaced by a guess from
// the image. In rank mode there is no class before the ranking.
func (v *version1) classOf(id *policy2.Identity) contract.Class {
	if v.rank {
		return contract.ClassUnknown
	}
	if label, ok := id.Labels[contract.LabelClass]; ok {
		return lowOrHigh(contract.Class(label))
	}

	if withoutTag(id.Image) == "" { // without a tag it is the latest
		if class, ok := v.images[id.Image+latestTag]; ok {
			return lowOrHigh(class)
		}
	}

	for image := id.Image; image != ""; image = withoutTag(image) {
		if class, ok := v.images[image]; ok {
			return lowOrHigh(class)
		}
	}
	return contract.ClassUnknown
}

// latestTag is the tag of an image that is named without one.
const latestTag = ":latest"

// imageClasses is the policy's map under the names that images have in an inventory (contract.ImageName). A name that the policy
// writes itself comes before another way to write it.
func imageClasses(written map[string]contract.Class) map[string]contract.Class {
	out := make(map[string]contract.Class, len(written))
	maps.Copy(out, written)

	for _, key := range slices.Sorted(maps.Keys(written)) {
		name := contract.ImageName(key)
		if strings.HasSuffix(key, latestTag) { // that tag only
			name += latestTag
		}
		if _, ok := out[name]; !ok {
			out[name] = written[key]
		}
	}
	return out
}

func lowOrHigh(c contract.Class) contract.Class {
	if c == contract.ClassLow || c == contract.ClassHigh {
		return c
	}
	return contract.ClassUnknown
}

// withoutTag cuts the digest, then the tag off an image reference, and returns "" when neither is left. A colon before the last slash
// belongs to a registry's port.
func withoutTag(image string) string {
	if name, _, ok := strings.Cut(image, "@"); ok {
		return name
	}
	if colon := strings.LastIndexByte(image, ':'); colon > strings.LastIndexByte(image, '/') {
		return image[:colon]
	}
	return ""
}

// stand finds the first thing that keeps the container from being judged. Who it is comes before what it does: a reason that cannot
// change by itself hides one that can.
func (v *version1) stand(f *Facts, s *subject) string {
	c := s.c
	switch {
	case s.who.suite:
		return contract.ReasonSuite
	case !c.InEngine && c.Member != nil:
		return contract.ReasonNotInEngine
	case !s.who.own:
		return contract.ReasonNotOwned
	case s.who.protected:
		return contract.ReasonProtected
	case s.who.elsewhere:
		return contract.ReasonElsewhere

	// What has been done about it.
	case has(f.Leaving, c.ID):
		return contract.ReasonLeaving
	case has(f.Stuck, c.ID):
		return contract.ReasonStuck
	case has(f.Futile, c.Name):
		return contract.ReasonFutile

	// What it does just now.
	case c.State == contract.StatePaused || c.Frozen:
		return contract.ReasonPaused
	case c.State != contract.StateRunning:
		return contract.ReasonNotRunning

	case s.who.class == contract.ClassUnknown && !v.rank:
		return contract.ReasonUnknown
	default:
		return cmp.Or(v.unready(c.Member), StandingReady)
	}
}

// unready says why a container that runs has not been seen and measured well enough to be compared, "" when it has.
func (v *version1) unready(m *contract.Member) string {
	untrusted := []string{contract.UnmeasuredBadRow, contract.UnmeasuredUnlocated, contract.UnmeasuredImpossible}
	warmupUS := uint64(v.Warmup) * uint64(max(0, v.Tick)) / uint64(time.Microsecond)

	switch {
	case m == nil || !m.Measured && slices.Contains(untrusted, m.Why):
		return contract.ReasonUnmeasured
	case m.SeenTicks <= v.Warmup || m.AgeUS < warmupUS:
		return contract.ReasonYoung

	// Without a warm-up a new one is ranked by the average over its life.
	case !m.Measured && (v.Warmup > 0 || m.Why != contract.UnmeasuredBaseline):
		return contract.ReasonUnmeasured
	default:
		return ""
	}
}

// figures are the four measures in the order of the policy, as the population has them.
func (v *version1) figures(m *contract.Member) (out [figures]uint64) {
	for i, key := range v.Rank {
		if i == figures {
			break
		}

		switch key {
		case contract.KeyCPU:
			out[i] = m.CPUMillicores
		case contract.KeyRAM:
			out[i] = m.RAMKB
		case contract.KeyVSZ:
			out[i] = m.VSZKB
		case contract.KeyRSS:
			out[i] = m.RSSKB
		}
	}
	return out
}
