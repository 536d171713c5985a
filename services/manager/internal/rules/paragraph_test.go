package rules

import (
	"fmt"
	"slices"
	"testing"

	"gestor.local/contract"
	"gestor.local/contract/policy2"
)

// unknownIdle makes idle unknown, which it is for a container on the host's network.
func (b *box) unknownIdle() *box {
	b.NetBytes = policy2.Fact[uint64]{}
	return b
}

// paragraphs are tables of the specification's paragraphs: what one tick makes of one host.
var paragraphs = map[string]struct {
	rules []policy2.Rule
	set   func(h *host, p *policy2.Policy)
	want  map[string]string
}{
	"standing: the first that applies": {
		rules: []policy2.Rule{{Name: "all", Do: ladder(removeStep)}},
		set: func(h *host, p *policy2.Policy) {
			p.Protect = []policy2.Selector{label("keep", "")}
			for _, name := range []string{"leaving", "stuck", "futile", "paused", "frozen", "ready"} {
				h.add(name, hour)
			}
			h.add("suite", hour, contract.LabelRole, "logs")
			h.add("protected", hour, "keep", "")
			delete(h.add("stranger", hour).Labels, "own")
			*h.add("alien", hour) = box{Container: Container{Identity: &policy2.Identity{ID: id("alien"), Name: "alien"}, HasRow: true}}
			h.f.Leaving, h.f.Stuck, h.f.Futile = []string{id("leaving")}, []string{id("stuck")}, []string{"futile", "web/db"}
			h.add("service", hour).inProject("web", "db")
			h.named("paused").State = contract.StatePaused
			h.named("frozen").Frozen = true
		},
		want: map[string]string{
			"leaving": "keep leaving", "stuck": "keep stuck", "futile": "keep futile", "service": "keep futile", "paused": "keep paused",
			"frozen": "keep paused", "suite": "keep suite", "protected": "keep protected", "stranger": "keep not_owned",
			"alien": "keep not_in_engine", "ready": "remove holds",
		},
	},

	"reading: false goes on, unknown that decides may be in the way, the gentlest counts": {
		rules: []policy2.Rule{
			{Name: "idle", When: policy2.Conditions{Idle: hour}, Do: ladder(warnStep, after(hour, policy2.StepStop))},
			{Name: "hot", When: policy2.Conditions{Processes: 100}, Do: ladder(stopStep)},
			{Name: "old", When: policy2.Conditions{Age: hour}, Do: ladder(removeStep)},
		},
		set: func(h *host, _ *policy2.Policy) {
			h.add("known", 2*hour)
			h.add("doubted", 2*hour).unknownIdle()
			h.add("new", minute).unknownIdle()
		},
		want: map[string]string{"known": "remove holds", "doubted": "keep doubt", "new": "keep no_rule"},
	},

	"reading: an unknown passing rule leaves no doubt, a possible keep stops a passing one": {
		rules: []policy2.Rule{
			{Name: "told", When: policy2.Conditions{Idle: hour}, Do: ladder(warnStep)},
			{Name: "kept", Match: []policy2.Selector{label("a", "")}, When: policy2.Conditions{Idle: hour}, Do: ladder(step(policy2.StepKeep))},
			{Name: "slow", Do: ladder(throttleStep)},
			{Name: "old", When: policy2.Conditions{Age: hour}, Do: ladder(removeStep)},
		},
		set: func(h *host, _ *policy2.Policy) {
			h.add("free", 2*hour).unknownIdle()
			h.add("doubted", 2*hour, "a", "").unknownIdle()
		},
		want: map[string]string{"free": "remove holds", "doubted": "keep doubt"},
	},

	"keep: places by group, whoever does not run or has no group goes on": {
		rules: []policy2.Rule{
			{
				Name: "one", Each: policy2.EachContainer, Rest: ladder(stopStep), RestWhen: policy2.Conditions{Age: hour},
				Keep: policy2.Keep{Order: policy2.Newest, Places: 1, Per: policy2.Per{By: policy2.ByLabel, Label: "g"}},
			},
			{Name: "others", Do: ladder(removeStep)},
		},
		set: func(h *host, _ *policy2.Policy) {
			h.add("x1", 3*hour, "g", "x")
			h.add("x2", 2*hour, "g", "x")
			h.add("x3", minute, "g", "x")
			h.add("x4", 2*minute, "g", "x")
			h.add("y1", 3*hour, "g", "y")
			h.add("empty", minute, "g", "")
			h.add("ended", minute, "g", "y").end(h, minute)
		},
		want: map[string]string{
			"x1": "stop over_quota", "x2": "stop over_quota", "x3": "keep within_quota", "x4": "remove holds", "y1": "keep within_quota",
			"empty": "remove holds", "ended": "remove holds",
		},
	},

	"keep: who cannot be ranked does not compete, and may hold a place": {
		rules: []policy2.Rule{
			{Name: "light", Each: policy2.EachContainer, Keep: policy2.Keep{Order: policy2.Lightest, Places: 1}, Rest: ladder(stopStep)},
			{Name: "all", Do: ladder(removeStep)},
		},
		set: func(h *host, _ *policy2.Policy) {
			h.add("a", hour).cpu = 500
			h.add("b", hour).cpu = 100
			h.add("c", hour).RAMKB = policy2.Fact[uint64]{}
		},
		want: map[string]string{"a": "stop over_quota", "b": "keep within_quota", "c": "keep doubt"},
	},

	"projects: one that may not be touched spares the others": {
		rules: []policy2.Rule{{Name: "all", Each: policy2.EachProject, When: policy2.Conditions{Age: hour}, Do: ladder(removeStep)}},
		set: func(h *host, p *policy2.Policy) {
			p.Protect = []policy2.Selector{label("keep", "")}
			h.add("a1", 2*hour).inProject("a", "one")
			h.add("a2", 2*hour).inProject("a", "two")
			h.add("b1", 2*hour).inProject("b", "one")
			h.add("b2", 2*hour, "keep", "").inProject("b", "two")
			h.add("c1", 2*hour).inProject("c", "one")
			delete(h.add("c2", 2*hour).inProject("c", "two").Labels, "own")
			h.add("d1", 2*hour).inProject("d", "one")
			h.add("d2", minute).inProject("d", "two")
			h.add("alone", 2*hour)
		},
		want: map[string]string{
			"a1": "remove holds", "a2": "remove holds", "b1": "keep unit_spared", "b2": "keep protected", "c1": "keep unit_spared",
			"c2": "keep not_owned", "d1": "keep no_rule", "d2": "keep no_rule", "alone": "remove holds",
		},
	},

	"projects: sums, idle of those that run, who a rule above removes is left out": {
		rules: []policy2.Rule{
			{Name: "ended", Match: []policy2.Selector{{Project: []string{"b"}}}, When: policy2.Conditions{Ended: minute}, Do: ladder(removeStep)},
			{Name: "hot", Each: policy2.EachProject, When: policy2.Conditions{CPU: 10_000}, Do: ladder(stopStep)},
			{Name: "big", Each: policy2.EachProject, When: policy2.Conditions{Processes: 6}, Do: ladder(stopStep)},
		},
		set: func(h *host, _ *policy2.Policy) {
			h.add("a1", hour).inProject("a", "one").cpu = 600
			h.add("a2", hour).inProject("a", "two").cpu = 400
			h.add("b1", hour).inProject("b", "one").cpu = 900
			h.add("b2", hour).inProject("b", "two").end(h, hour)
			h.add("c1", hour).inProject("c", "one")
			h.add("c2", hour).inProject("c", "two")
		},
		want: map[string]string{
			"a1": "stop holds", "a2": "stop holds", "b1": "keep no_rule", "b2": "remove holds", "c1": "stop holds", "c2": "stop holds",
		},
	},

	"guards: the first that applies": {
		rules: []policy2.Rule{
			{Name: "stops", Match: []policy2.Selector{label("stop", "")}, Do: ladder(stopStep)},
			{Name: "either", Match: []policy2.Selector{label("either", "")}, Do: ladder(stopStep, after(hour, policy2.StepRemove))},
			{Name: "meant", Match: []policy2.Selector{label("meant", "")}, Do: ladder(stopStep), Rm: policy2.RmRemove},
			{Name: "all of it", Match: []policy2.Selector{label("volumes", "")}, Do: ladder(removeStep), Volumes: policy2.VolumesAnonymous},
			{Name: "old", When: policy2.Conditions{Age: minute}, Do: ladder(removeStep)},
		},
		set: func(h *host, _ *policy2.Policy) {
			rm := func(volumes int, name string, labels ...string) {
				b := h.add(name, hour, labels...)
				b.AutoRemove, b.AnonymousVolumes = policy2.Known(true), policy2.Known(volumes)
			}
			rm(1, "swarm", contract.LabelSwarmTask, "x", "stop", "")
			rm(1, "volumes", "stop", "")
			rm(0, "stop", "stop", "")
			rm(0, "either", "either", "")
			rm(0, "meant", "meant", "")
			rm(1, "all of it", "volumes", "")
			rm(1, "remove")
			h.add("unknown", hour, "stop", "").AutoRemove = policy2.Fact[bool]{}
			started := h.add("started", hour)
			started.StartedWallUS.Value, started.StartBootUS.Value = h.f.WallUS-us(minute), h.f.BootUS-uint64(us(minute))
			h.add("db", hour).inProject("p", "db")
			h.add("web", hour, "keep", "").inProject("p", "web", "db")
			h.add("base", hour)
			h.add("guest", hour, "keep", "").NetworkMode = policy2.Known("container:" + id("base"))
			delete(h.named("web").Labels, "own")
			delete(h.named("guest").Labels, "own")
		},
		want: map[string]string{
			"swarm": "warn managed_elsewhere", "volumes": "warn rm_volumes", "stop": "warn rm_stop", "either": "stop holds",
			"meant": "stop holds", "all of it": "remove holds", "remove": "warn rm_volumes", "unknown": "warn rm_stop",
			"started": "keep just_started", "db": "keep needed", "base": "keep needed",
		},
	},

	"budget: rules without places first, the oldest first; then the farthest from a place": {
		rules: []policy2.Rule{
			{
				Name: "one", Match: []policy2.Selector{label("k", "")}, Each: policy2.EachContainer,
				Keep: policy2.Keep{Order: policy2.Newest, Places: 1}, Rest: ladder(removeStep),
			},
			{Name: "all", Do: ladder(removeStep)},
		},
		set: func(h *host, p *policy2.Policy) {
			p.Budget = []policy2.Rate{{N: 3}}
			h.add("k1", 4*hour, "k", "")
			h.add("k2", 3*hour, "k", "")
			h.add("k3", 2*hour, "k", "")
			h.add("a", hour)
			h.add("b", 2*hour)
		},
		want: map[string]string{
			"a": "remove holds", "b": "remove holds", "k1": "remove over_quota", "k2": "keep capped", "k3": "keep within_quota",
		},
	},

	"budget: a project goes whole or waits, one larger than the rate alone; who waits does not hold up others": {
		rules: []policy2.Rule{{Name: "all", Each: policy2.EachProject, Do: ladder(removeStep)}},
		set: func(h *host, p *policy2.Policy) {
			p.Budget = []policy2.Rate{{N: 3}}
			for i := range 2 {
				h.add(fmt.Sprint("a", i), 4*hour).inProject("a", fmt.Sprint("s", i))
				h.add(fmt.Sprint("b", i), 3*hour).inProject("b", fmt.Sprint("s", i))
			}
			for i := range 4 {
				h.add(fmt.Sprint("c", i), 2*hour).inProject("c", fmt.Sprint("s", i))
			}
			h.add("d", hour)
		},
		want: map[string]string{"a0": "remove holds", "b0": "keep capped", "c0": "keep capped", "d": "remove holds"},
	},

	"young: the newest of too many go, but not below the places": {
		rules: []policy2.Rule{{
			Name: "two", Each: policy2.EachContainer, Keep: policy2.Keep{Order: policy2.Newest, Places: 2}, Rest: ladder(removeStep),
		}},
		set: func(h *host, p *policy2.Policy) {
			p.Young.Max, p.Warmup = 1, 5
			for i := range 4 {
				h.add(fmt.Sprint("y", i), policy2.Duration(10-i)*second)
			}
		},
		want: map[string]string{"y0": "keep young", "y1": "keep young", "y2": "remove young_flood", "y3": "remove young_flood"},
	},
}

func TestParagraphs(t *testing.T) {
	for name, c := range paragraphs {
		t.Run(name, func(t *testing.T) {
			p := policyOf(c.rules...)
			h := newHost(t, p)
			h.idle = true
			c.set(h, &p)
			h.p = New(p)
			h.ticks(20 * second)
			for name, want := range c.want {
				h.is(name, want)
			}
		})
	}
}

// named is the container with the name.
func (h *host) named(name string) *box {
	i := slices.IndexFunc(h.boxes, func(b *box) bool { return b.Name == name })
	return h.boxes[i]
}

func TestSurpriseIsHeldTenMinutes(t *testing.T) {
	p := policyOf(policy2.Rule{Name: "all", When: policy2.Conditions{Age: hour}, Do: ladder(removeStep)})
	p.Surprise = 30
	h := newHost(t, p)
	h.f.InForce = InForce{NeedsApproval: true, Approved: true, OwnCount: 10}
	for i := range 10 {
		h.add(fmt.Sprint("c", i), 10*minute+policy2.Duration(i%4/3)*50*minute)
	}
	h.ticks(20 * second)
	if h.plan.Held != "" || h.plan.Wanted != 2 {
		t.Fatalf("held %q, wanted %d", h.plan.Held, h.plan.Wanted)
	}

	h.idle = true
	h.ticks(50 * minute)
	if h.plan.Held != contract.HeldSurprise || h.plan.Wanted != 8 || len(h.plan.Notices) != 1 {
		t.Fatalf("held %q, wanted %d, notices %v", h.plan.Held, h.plan.Wanted, h.plan.Notices)
	}
	n := h.plan.Notices[0]
	if n.Kind != NoticeSurprise || len(n.Containers) != 8 || n.Next == nil || n.Next.GUS != n.SinceGUS+us(10*minute) {
		t.Errorf("notice %+v", n)
	}
	for h.plan.Held != "" {
		h.tick()
	}
	if held := h.f.GUS - n.SinceGUS; held != us(10*minute) {
		t.Errorf("held for %d µs", held)
	}
	h.ticks(hour)
	if h.plan.Held != "" {
		t.Error("a hold that has run out comes again without a tick between that was no surprise")
	}
}

func TestSurpriseWithoutApprovalIsShownOnce(t *testing.T) {
	p := policyOf(policy2.Rule{Name: "all", Do: ladder(removeStep)})
	p.Surprise, p.Budget = 30, []policy2.Rate{{N: 2}}
	h := newHost(t, p)
	for i := range 3 {
		h.add(fmt.Sprint("c", i), hour)
	}
	h.ticks(20 * second)
	if h.plan.Held != contract.HeldSurprise {
		t.Fatalf("held %q", h.plan.Held)
	}
	h.tick()
	h.expect("c0 remove", "c1 remove")
}

func TestUnapprovedGivesLimitsBackAndTakesNoStep(t *testing.T) {
	h := newHost(t, policyOf(policy2.Rule{Name: "slow", Do: ladder(throttleStep)}, policy2.Rule{Name: "told", Do: ladder(warnStep)}))
	h.f.InForce = InForce{NeedsApproval: true, Approved: true, ApprovedWallUS: 1}
	h.add("a", hour)
	h.ticks(minute)
	h.expect("a warn", "a throttle")
	h.f.InForce.Approved, h.f.InForce.ApprovedWallUS = false, 0
	h.ticks(hour)
	h.expect("a warn", "a throttle", "a back")
	if h.plan.Held != HeldUnapproved {
		t.Errorf("held %q", h.plan.Held)
	}
}

func TestWithinAProjectWhoDependsGoesFirst(t *testing.T) {
	h := newHost(t, policyOf(policy2.Rule{Name: "all", Each: policy2.EachProject, Do: ladder(stopStep)}))
	h.idle = true
	h.add("db", hour).inProject("p", "db")
	h.add("web", hour).inProject("p", "web", "db")
	h.ticks(20 * second)
	if v := h.verdict("db"); v.Step != policy2.StepStop || !slices.Equal(v.After, []string{id("web")}) {
		t.Errorf("%+v", v)
	}
	if v := h.verdict("web"); v.Step != policy2.StepStop || len(v.After) != 0 {
		t.Errorf("%+v", v)
	}
}
