package rules

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gestor.local/contract"
	"gestor.local/contract/policy2"
)

// Short names for what rules are made of.
const (
	second = policy2.Second
	minute = policy2.Minute
	hour   = policy2.Hour
	day    = policy2.Day
)

var (
	warnStep     = step(policy2.StepWarn)
	throttleStep = step(policy2.StepThrottle)
	stopStep     = step(policy2.StepStop)
	removeStep   = step(policy2.StepRemove)
)

// expect compares what was carried out so far.
func (h *host) expect(want ...string) {
	h.t.Helper()
	if d := cmp.Diff(want, h.log); d != "" {
		h.t.Fatalf("carried out (-want +got):\n%s", d)
	}
}

// is compares one verdict: STEP REASON.
func (h *host) is(name, want string) {
	h.t.Helper()
	v := h.verdict(name)
	if got := string(v.Step) + " " + v.Reason; got != want {
		text, _ := json.Marshal(v)
		h.t.Fatalf("tick %d, %s: %s, want %s\n%s", h.f.Tick, name, got, want, text)
	}
}

// rulings are what the two tables of the specification say of Decide and Remember, each under the name of its row.
var rulings = map[string]func(t *testing.T){
	"a for does not count from before the rule was loaded": func(t *testing.T) {
		hot := policy2.Rule{Name: "hot", When: policy2.Conditions{CPU: 5000, For: minute}, Do: ladder(stopStep)}
		h := newHost(t, policyOf())
		h.add("a", hour).cpu = 900
		h.ticks(5 * minute)
		h.use(policyOf(hot))
		h.ticks(minute)
		h.expect()
		h.tick()
		h.expect("a stop")
	},

	"idle belongs to the container and goes on under another policy": func(t *testing.T) {
		h := newHost(t, policyOf())
		h.add("a", hour)
		h.ticks(5*minute + 10*second)
		h.use(policyOf(policy2.Rule{Name: "idle", When: policy2.Conditions{Idle: 5 * minute}, Do: ladder(removeStep)}))
		h.tick() // the first plan under another policy is only shown
		h.expect()
		h.tick()
		h.expect("a remove")
	},

	"a unit that a rule above decides leaves the ladder below": func(t *testing.T) {
		h := newHost(t, policyOf(
			policy2.Rule{Name: "kept", Match: []policy2.Selector{{Name: []string{"*-kept"}}}, Do: ladder(step(policy2.StepKeep))},
			policy2.Rule{Name: "all", Do: ladder(warnStep, after(hour, policy2.StepStop))},
		))
		b := h.add("a", hour)
		h.ticks(30 * minute)
		h.rename(b, "a-kept")
		h.tick()
		h.rename(b, "a")
		h.ticks(59 * minute)
		h.expect("a warn") // not sent again within a day, but its wait began anew
		h.ticks(2 * minute)
		h.expect("a warn", "a stop")
	},

	"a unit that a rule above decides holds no place": func(t *testing.T) {
		h := newHost(t, policyOf(
			policy2.Rule{Name: "kept", Match: []policy2.Selector{{Name: []string{"c"}}}, Do: ladder(step(policy2.StepKeep))},
			keepNewest("one", 1, removeStep),
		))
		h.add("a", 3*hour)
		h.add("b", 2*hour)
		h.add("c", hour)
		h.ticks(20 * second)
		h.expect("a remove")
		h.is("b", "keep within_quota")
		h.is("c", "keep keep_rule")
	},

	"of two rules with the same words the first decides": func(t *testing.T) {
		h := newHost(t, policyOf(
			policy2.Rule{Name: "one", Do: ladder(warnStep, after(hour, policy2.StepStop))},
			policy2.Rule{Name: "two", Do: ladder(warnStep, after(hour, policy2.StepStop))},
		))
		h.add("a", hour)
		h.ticks(20 * second)
		if h.p.RuleHash(0) == h.p.RuleHash(1) || h.verdict("a").Rule != 0 {
			t.Errorf("hashes %s, %s, rule %d", h.p.RuleHash(0), h.p.RuleHash(1), h.verdict("a").Rule)
		}
	},

	"three created in one call: microseconds, then id": func(t *testing.T) {
		h := newHost(t, policyOf(keepNewest("two", 2, removeStep)))
		for _, name := range []string{"a", "b", "c"} {
			h.add(name, hour)
		}
		h.boxes[0].CreatedWallUS.Value--
		h.ticks(20 * second)
		h.expect("a remove")

		h = newHost(t, policyOf(keepNewest("two", 2, removeStep)))
		for _, name := range []string{"c", "b", "a"} {
			h.add(name, hour)
		}
		h.ticks(20 * second)
		h.expect("c remove")
		if v := h.verdict("c"); v.Rank != 3 || v.Cut != 2 || v.DecidingKey != "id" || v.Neighbour == nil || v.Neighbour.Name != "b" {
			t.Errorf("%+v", v)
		}
	},

	"a wait that passed while the manager was down": func(t *testing.T) {
		h := newHost(t, policyOf(policy2.Rule{Name: "all", Do: ladder(warnStep, after(hour, policy2.StepStop))}))
		h.add("a", hour)
		h.ticks(20 * second)
		h.expect("a warn")
		h.pass(3 * hour)
		h.tick()
		h.expect("a warn", "a stop")
	},

	"a capped stop does not run the wait of the next step": func(t *testing.T) {
		p := policyOf(policy2.Rule{Name: "all", Do: ladder(stopStep, after(hour, policy2.StepRemove))})
		p.Budget = policy2.Budget([]policy2.Rate{{N: 1}, {N: 1, Span: 30 * minute}, {N: 10, Span: hour}, {N: 10, Span: minute}})
		h := newHost(t, p)
		h.add("a", 3*hour)
		h.add("b", 2*hour)
		h.ticks(20 * second)
		h.expect("a stop") // the oldest first
		h.is("b", "keep capped")
		h.ticks(30 * minute)
		h.expect("a stop", "b stop")
		h.ticks(30 * minute)
		h.expect("a stop", "b stop", "a remove") // the removal of what was stopped counts no more
		h.ticks(29 * minute)
		h.expect("a stop", "b stop", "a remove")
		h.ticks(2 * minute)
		h.expect("a stop", "b stop", "a remove", "b remove")
	},

	"a failed URL for ever": func(t *testing.T) {
		h := newHost(t, policyOf(policy2.Rule{Name: "all", Do: ladder(warnStep, after(hour, policy2.StepStop))}))
		h.add("a", hour)
		h.dropped = true
		h.ticks(3 * hour)
		h.expect()
		h.is("a", "keep warn_waits")
		since := h.plan.Notices[0].SinceGUS
		if len(h.plan.Notices) != 1 || since != startGUS+us(20*second) {
			t.Errorf("notices %+v", h.plan.Notices)
		}
		h.dropped = false
		h.ticks(hour)
		h.expect("a warn")
		h.tick()
		h.expect("a warn", "a stop")
	},

	"one that lost its place to a newcomer goes when the newcomer is ready": func(t *testing.T) {
		h := newHost(t, policyOf(keepNewest("one", 1, removeStep)))
		h.add("a", hour)
		h.ticks(minute)
		h.add("b", 0)
		h.tick()
		h.is("b", "keep young")
		h.expect()
		h.tick()
		h.expect("a remove")
	},

	"a throttle to more than its own limit": func(t *testing.T) {
		h := newHost(t, policyOf(policy2.Rule{Name: "slow", Do: policy2.Ladder{{Step: policy2.StepThrottle, To: 20_000}}}))
		h.add("a", hour).NanoCPUs = policy2.Known(int64(nanoPerCPU))
		h.ticks(minute)
		h.expect("a throttle") // done, nothing changed
		h.ticks(7 * hour)
		h.expect("a throttle") // and nothing owed
		if got := h.box(id("a")).NanoCPUs.Value; got != nanoPerCPU {
			t.Errorf("limit %d", got)
		}
	},

	"a throttle between warn and stop": func(t *testing.T) {
		h := newHost(t, policyOf(policy2.Rule{
			Name: "all", Do: ladder(warnStep, after(minute, policy2.StepThrottle), after(hour, policy2.StepStop)),
		}))
		h.add("a", hour)
		h.ticks(20*second + minute)
		h.expect("a warn", "a throttle")
		h.ticks(hour)
		h.expect("a warn", "a throttle", "a stop")
		h.tick()
		h.expect("a warn", "a throttle", "a stop", "a back")
	},

	"a throttle within a ladder whose stop is held up goes after 6 h, and the ladder stays": func(t *testing.T) {
		h := newHost(t, policyOf(policy2.Rule{Name: "all", Do: ladder(throttleStep, after(hour, policy2.StepStop))}))
		h.add("a", hour).AutoRemove = policy2.Known(true) // rm_stop
		h.ticks(20 * second)
		h.expect("a throttle")
		h.ticks(6*hour - 10*second)
		h.expect("a throttle", "a warn")
		h.tick()
		h.expect("a throttle", "a warn", "a back")
		h.ticks(minute)
		h.expect("a throttle", "a warn", "a back")
	},

	"anonymous class: protect by class reads the image's name": func(t *testing.T) {
		p := policyOf(policy2.Rule{Name: "all", Do: ladder(removeStep)})
		p.Images = map[string]contract.Class{"redis": "db"}
		p.Protect = []policy2.Selector{{Class: []contract.Class{"db"}}}
		h := newHost(t, p)
		h.add("a", hour).Image = "redis:7"
		h.add("b", hour).Image = "sha256:" + strings.Repeat("a", 64)
		h.add("c", hour)
		h.ticks(20 * second)
		h.expect("c remove")
		h.is("b", "keep protected")
	},

	"surprise divides by the living own ones, and removing what has ended counts above": func(t *testing.T) {
		p := policyOf(policy2.Rule{Name: "ended", When: policy2.Conditions{Ended: hour}, Do: ladder(removeStep)})
		p.Surprise = 50
		h := newHost(t, p)
		h.f.InForce.NeedsApproval, h.f.InForce.Approved, h.f.InForce.OwnCount = true, true, 5
		h.add("a", day).end(h, 2*hour)
		h.add("b", day).end(h, 2*hour)
		for _, name := range []string{"c", "d", "e"} {
			h.add(name, day)
		}
		h.ticks(20 * second)
		if h.plan.Held != contract.HeldSurprise || h.plan.Wanted != 2 || h.plan.Living != 3 {
			t.Errorf("held %q, wanted %d, living %d", h.plan.Held, h.plan.Wanted, h.plan.Living)
		}
	},

	"own_grew: own since it was first seen so": func(t *testing.T) {
		h := newHost(t, policyOf(policy2.Rule{Name: "all", When: policy2.Conditions{Age: minute}, Do: ladder(removeStep)}))
		in := &h.f.InForce
		in.NeedsApproval, in.Approved, in.OwnCount, in.ApprovedGUS = true, true, 1, startGUS+us(minute)
		h.idle = true
		h.add("a", hour)
		h.ticks(5 * minute)
		for i := range 11 {
			h.add("b"+string(rune('a'+i)), 0)
		}
		h.ticks(2 * minute)
		h.is("a", "remove holds")
		h.is("ba", "keep own_grew")
		if v := h.verdict("ba"); v.Guard != ReasonOwnGrew || v.Next == nil || v.Next.Step != policy2.StepWarn {
			t.Errorf("%+v", v)
		}
	},

	"own_grew: with a lost journal its creation": func(t *testing.T) {
		h := newHost(t, policyOf(policy2.Rule{Name: "all", Do: ladder(removeStep)}))
		in := &h.f.InForce
		in.NeedsApproval, in.Approved, in.OwnCount, in.ApprovedGUS = true, true, 1, startGUS-us(2*hour)
		h.idle = true
		h.add("old", day)
		for i := range 11 {
			h.add("new"+string(rune('a'+i)), hour)
		}
		h.ticks(20 * second)
		h.is("old", "remove holds")
		h.is("newa", "warn own_grew")
	},

	"restarts: a smaller count is a new baseline": func(t *testing.T) {
		h := newHost(t, policyOf(policy2.Rule{
			Name: "loop", When: policy2.Conditions{Restarts: policy2.Restarts{Count: 3, Within: 10 * minute}}, Do: ladder(stopStep),
		}))
		b := h.add("a", hour)
		b.Restarts.Value = 7
		h.ticks(minute)
		b.Restarts.Value = 2 // the engine began anew
		b.start(h)
		h.ticks(minute)
		b.Restarts.Value = 4
		b.start(h)
		h.tick()
		h.expect() // grew by two
		b.Restarts.Value = 5
		b.start(h)
		h.tick()
		h.expect("a stop")
	},

	"a container that goes by itself leaves no memory": func(t *testing.T) {
		h := newHost(t, policyOf(policy2.Rule{Name: "all", Do: ladder(warnStep, after(hour, policy2.StepStop))}))
		h.add("a", hour)
		h.ticks(minute)
		h.boxes[0].gone = true
		h.tick()
		if len(h.m.Containers) != 0 {
			t.Errorf("remembers %+v", h.m.Containers)
		}
	},

	"a passing step and a stop on the same tick": func(t *testing.T) {
		h := newHost(t, policyOf(
			policy2.Rule{Name: "told", Do: ladder(warnStep)},
			policy2.Rule{Name: "slow", Do: ladder(throttleStep)},
			policy2.Rule{Name: "gone", Do: ladder(stopStep)},
		))
		h.add("a", hour)
		h.ticks(20 * second)
		h.expect("a stop")
	},

	"do: warn alone is silent until the condition was false and a day has passed": func(t *testing.T) {
		h := newHost(t, policyOf(policy2.Rule{Name: "hot", When: policy2.Conditions{CPU: 5000}, Do: ladder(warnStep)}))
		b := h.add("a", hour)
		b.cpu = 900
		h.ticks(2 * day)
		h.expect("a warn")
		b.cpu = 0
		h.tick()
		b.cpu = 900
		h.tick()
		h.expect("a warn", "a warn")
		b.cpu = 0
		h.tick()
		b.cpu = 900
		h.ticks(hour)
		h.expect("a warn", "a warn")
	},

	"a plan in observe, held and unapproved is the same but for mode and held": func(t *testing.T) {
		plans := map[string]string{}
		for name, set := range map[string]func(h *host, p *policy2.Policy){
			"enforce":    func(*host, *policy2.Policy) {},
			"observe":    func(_ *host, p *policy2.Policy) { p.Mode = contract.ModeObserve },
			"dry run":    func(h *host, _ *policy2.Policy) { h.f.InForce.DryRun = true },
			"gate":       func(h *host, _ *policy2.Policy) { h.f.InForce.Gates = []string{"stale"} },
			"unapproved": func(h *host, _ *policy2.Policy) { h.f.InForce.NeedsApproval = true },
		} {
			p := policyOf(keepNewest("one", 1, warnStep, after(hour, policy2.StepStop)), policy2.Rule{Name: "slow", Do: ladder(throttleStep)})
			h := newHost(t, p)
			set(h, &p)
			h.p = New(p)
			h.add("a", 2*hour)
			h.add("b", hour)
			h.ticks(20 * second)
			plan := h.plan
			if (name == "enforce") != (plan.Held == "") || name != "enforce" && len(h.log) > 0 {
				t.Errorf("%s: held %q, carried out %v", name, plan.Held, h.log)
			}
			plan.Mode, plan.Held = "", ""
			text, err := json.Marshal(plan)
			if err != nil {
				t.Fatal(err)
			}
			plans[string(text)] = name
		}
		if len(plans) != 1 {
			t.Errorf("plans differ: %v", plans)
		}
	},

	"powered off on Friday": func(t *testing.T) {
		h := newHost(t, policyOf(policy2.Rule{Name: "ended", When: policy2.Conditions{Ended: day}, Do: ladder(removeStep)}))
		h.add("early", 9*day).end(h, 15*minute)
		h.add("late", 9*day).end(h, 8*minute)
		h.ticks(minute) // 18:00
		h.pass(62 * hour)
		h.boot()
		h.tick() // Monday, 08:00
		h.expect("early remove")
		h.ticks(day - 20*second)
		h.expect("early remove")
		h.ticks(20 * second)
		h.expect("early remove", "late remove")
	},

	"with a lost journal an end before this boot counts from this boot": func(t *testing.T) {
		h := newHost(t, policyOf(policy2.Rule{Name: "ended", When: policy2.Conditions{Ended: day}, Do: ladder(removeStep)}))
		h.boot()
		h.pass(hour)
		h.add("a", 9*day).end(h, 8*day)
		h.add("b", 9*day).end(h, 30*minute)
		h.ticks(23*hour - 20*second)
		h.expect()
		h.ticks(minute)
		h.expect("a remove")
	},

	"renamed: own reads the name of now, protect every name": func(t *testing.T) {
		p := policyOf(policy2.Rule{Name: "all", When: policy2.Conditions{Age: 2 * hour}, Do: ladder(removeStep)})
		p.Own = []policy2.Selector{{Name: []string{"job-*"}}}
		p.Protect = []policy2.Selector{{Name: []string{"pet-*"}}}
		h := newHost(t, p)
		a, b := h.add("pet-1", hour), h.add("job-2", hour)
		h.ticks(minute)
		h.rename(a, "job-1")
		h.rename(b, "gone-2")
		h.ticks(2 * hour)
		h.expect()
		h.is("job-1", "keep protected")
		h.is("gone-2", "keep not_owned")
	},

	"recreated: young, first step, age anew": func(t *testing.T) {
		h := newHost(t, policyOf(policy2.Rule{
			Name: "old", When: policy2.Conditions{Age: hour}, Do: ladder(warnStep, after(hour, policy2.StepStop)),
		}))
		h.add("a", 2*hour)
		h.ticks(30 * minute)
		h.boxes[0].gone = true
		h.add("a2", 0)
		h.tick()
		h.is("a2", "keep young")
		h.ticks(hour)
		h.expect("a warn", "a2 warn")
	},

	"restarted: age goes on, idle begins anew, just_started": func(t *testing.T) {
		h := newHost(t, policyOf(
			policy2.Rule{Name: "idle", When: policy2.Conditions{Idle: hour}, Do: ladder(removeStep)},
			policy2.Rule{Name: "old", When: policy2.Conditions{Age: 2 * hour}, Do: ladder(stopStep)},
		))
		b := h.add("a", hour)
		h.ticks(59 * minute)
		b.start(h)
		h.ticks(2 * minute)
		h.is("a", "keep just_started")
		h.expect()
		h.ticks(9 * minute)
		h.expect("a stop")
	},

	"a start that the engine's count explains is not just started": func(t *testing.T) {
		h := newHost(t, policyOf(policy2.Rule{Name: "old", When: policy2.Conditions{Age: 2 * hour}, Do: ladder(stopStep)}))
		b := h.add("a", hour)
		h.ticks(59 * minute)
		b.Restarts.Value++
		b.start(h)
		h.ticks(2 * minute)
		h.expect("a stop")
	},

	"created in the future: age 0 at first sight": func(t *testing.T) {
		h := newHost(t, policyOf(policy2.Rule{Name: "old", When: policy2.Conditions{Age: hour}, Do: ladder(removeStep)}))
		b := h.add("a", 0)
		b.State, b.HasRow = contract.StateCreated, false
		b.CreatedWallUS.Value += us(day)
		h.ticks(hour - 10*second)
		h.expect()
		h.ticks(20 * second)
		h.expect("a remove")
	},

	"created and never started: ended since creation, never idle, never competes": func(t *testing.T) {
		h := newHost(t, policyOf(
			policy2.Rule{Name: "idle", When: policy2.Conditions{Idle: minute}, Do: ladder(removeStep)},
			keepNewest("one", 1, removeStep),
			policy2.Rule{Name: "ended", When: policy2.Conditions{Ended: hour}, Do: ladder(removeStep)},
		))
		b := h.add("a", 50*minute)
		b.State, b.HasRow = contract.StateCreated, false
		b.StartedAt, b.StartedWallUS = policy2.Known("0001-01-01T00:00:00Z"), policy2.Known(int64(-1))
		h.ticks(9 * minute)
		h.is("a", "keep no_rule")
		h.ticks(2 * minute)
		h.expect("a remove")
	},

	"restarting holds no place, and is judged by restarts and age": func(t *testing.T) {
		h := newHost(t, policyOf(
			keepNewest("one", 1, stopStep),
			policy2.Rule{Name: "loop", When: policy2.Conditions{Restarts: policy2.Restarts{Count: 2, Within: hour}}, Do: ladder(stopStep)},
		))
		h.add("a", 2*hour)
		h.add("b", hour)
		h.ticks(5 * minute)
		h.expect("a stop")

		h = newHost(t, h.p.policy)
		h.add("a", 2*hour)
		b := h.add("b", hour)
		b.State, b.HasRow = contract.StateRestarting, false
		h.ticks(5 * minute)
		h.is("a", "keep within_quota")
		b.Restarts.Value += 2
		h.tick()
		h.expect("b stop")
	},

	"dead is ended, removing is leaving": func(t *testing.T) {
		h := newHost(t, policyOf(policy2.Rule{Name: "ended", When: policy2.Conditions{Ended: hour}, Do: ladder(removeStep)}))
		h.add("dead", day).end(h, 2*hour).State = contract.StateDead
		h.add("removing", day).end(h, 2*hour).State = contract.StateRemoving
		h.ticks(20 * second)
		h.expect("dead remove")
		h.is("removing", "keep leaving")
	},

	"oldest process replaced: figures are young again, ladders go on": func(t *testing.T) {
		h := newHost(t, policyOf(
			policy2.Rule{Name: "hot", When: policy2.Conditions{CPU: 5000}, Do: ladder(warnStep, after(10*minute, policy2.StepStop))},
		))
		b := h.add("a", hour)
		b.cpu = 900
		h.ticks(5 * minute)
		b.StartBootUS.Value = h.f.BootUS + uint64(us(5*second))
		h.tick()
		h.is("a", "keep no_rule")
		if got := h.verdict("a").Doubt; !slices.Equal(got, []int{0}) {
			t.Errorf("doubt %v", got)
		}
		h.ticks(6 * minute)
		h.expect("a warn", "a stop")
	},

	"the label of per differs within a project, or is empty": func(t *testing.T) {
		r := keepNewest("one", 1, removeStep)
		r.Each, r.Keep.Per = policy2.EachProject, policy2.Per{By: policy2.ByLabel, Label: "branch"}
		h := newHost(t, policyOf(r))
		h.add("a1", 9*hour, "branch", "x").inProject("a", "one")
		h.add("a2", 9*hour, "branch", "y").inProject("a", "two")
		h.add("b1", 8*hour, "branch", "").inProject("b", "one")
		h.add("c1", 7*hour, "branch", "x").inProject("c", "one")
		h.add("c2", 7*hour).inProject("c", "two")
		h.add("d1", 6*hour, "branch", "x").inProject("d", "one")
		h.ticks(20 * second)
		h.expect("c1 remove", "c2 remove")
		h.is("a1", "keep no_rule")
		h.is("b1", "keep no_rule")
		h.is("d1", "keep within_quota")
	},

	"two rules throttle: given back and set anew in one act": func(t *testing.T) {
		h := newHost(t, policyOf(
			policy2.Rule{Name: "hot", When: policy2.Conditions{CPU: 20_000}, Do: ladder(throttleStep), Calm: minute},
			policy2.Rule{Name: "any", Do: policy2.Ladder{{Step: policy2.StepThrottle, To: 2000}}, Calm: minute},
		))
		b := h.add("a", hour)
		b.NanoCPUs = policy2.Known(int64(3 * nanoPerCPU))
		b.cpu = 2500
		h.ticks(20 * second)
		h.expect("a throttle")
		b.cpu = 0
		h.ticks(minute)
		h.expect("a throttle")
		h.tick()
		h.expect("a throttle", "a throttle")
		if got := h.box(id("a")).NanoCPUs.Value; got != nanoPerCPU/5 {
			t.Errorf("limit %d", got)
		}
		h.box(id("a")).State = contract.StateExited
		h.ticks(20 * second)
		h.expect("a throttle", "a throttle", "a back")
		if got := h.box(id("a")).NanoCPUs.Value; got != 3*nanoPerCPU {
			t.Errorf("limit %d after giving back", got)
		}
	},

	"throttled by a passing rule, then chosen by a deciding one": func(t *testing.T) {
		h := newHost(t, policyOf(
			policy2.Rule{Name: "slow", Do: ladder(throttleStep)},
			policy2.Rule{Name: "old", When: policy2.Conditions{Age: 2 * hour}, Do: ladder(removeStep)},
		))
		h.add("a", 2*hour-minute)
		h.ticks(2 * minute)
		h.expect("a throttle", "a remove")
	},

	"a limit that could not be set anew is owed all the same": func(t *testing.T) {
		h := newHost(t, policyOf(
			policy2.Rule{Name: "hot", When: policy2.Conditions{CPU: 20_000}, Do: ladder(throttleStep), Calm: minute},
			policy2.Rule{Name: "any", Do: policy2.Ladder{{Step: policy2.StepThrottle, To: 2000}}, Calm: minute},
		))
		b := h.add("a", hour)
		b.cpu = 2500
		h.ticks(20 * second)
		h.expect("a throttle")

		// The other rule's limit is to replace it, and the engine fails.
		b.cpu = 0
		h.idle = true
		h.ticks(minute + 10*second)
		orders := h.plan.Throttles()
		if len(orders) != 1 || orders[0].OldNanoCPUs == nil || *orders[0].OldNanoCPUs != 0 {
			t.Fatalf("throttles %+v", orders)
		}
		in := h.event(EventIntent, b.ID, h.p.RuleHash(1), policy2.StepThrottle, 1)
		in.NanoCPUs = orders[0].NanoCPUs
		out := in
		out.Kind, out.Outcome = EventOutcome, contract.OutcomeFailed
		h.m = Remember(h.p, h.m, nil, Plan{}, []Event{in, out})

		b.State = contract.StateExited
		h.tick()
		want := []GiveBack{{ID: b.ID, Rule: h.p.RuleHash(0), Why: BackStopped}}
		if d := cmp.Diff(want, h.plan.GiveBack); d != "" {
			t.Error(d)
		}
	},

	"own lost while throttled": func(t *testing.T) {
		p := policyOf(policy2.Rule{Name: "slow", Do: ladder(throttleStep)})
		p.Own = []policy2.Selector{{Name: []string{"job-*"}}}
		h := newHost(t, p)
		b := h.add("job-1", hour)
		h.ticks(20 * second)
		h.rename(b, "mine")
		h.tick()
		h.expect("job-1 throttle", "mine back")
	},

	"a limit was given back at the stop of the manager, and the rule holds on": func(t *testing.T) {
		h := newHost(t, policyOf(policy2.Rule{
			Name: "hot", When: policy2.Conditions{CPU: 15_000, For: 5 * minute}, Do: ladder(throttleStep),
		}))
		b := h.add("a", hour)
		b.cpu = 1800
		h.ticks(5*minute + 20*second)
		h.expect("a throttle")

		b.NanoCPUs = policy2.Known[int64](0)
		back := h.event(EventGivenBack, b.ID, h.p.RuleHash(0), policy2.StepThrottle, 0)
		back.Outcome = contract.OutcomeDone
		h.m = Remember(h.p, h.m, nil, Plan{}, []Event{back})
		h.ticks(5 * minute)
		h.expect("a throttle")
		h.tick()
		h.expect("a throttle", "a throttle")
	},

	"a limit was given back at the stop of the manager, on the way to a stop": func(t *testing.T) {
		h := newHost(t, policyOf(policy2.Rule{
			Name: "hot", When: policy2.Conditions{CPU: 15_000, For: 5 * minute},
			Do: policy2.Ladder{{Step: policy2.StepThrottle}, {Step: policy2.StepStop, After: hour}},
		}))
		b := h.add("a", hour)
		b.cpu = 1800
		h.ticks(5*minute + 20*second)
		h.expect("a throttle")

		b.NanoCPUs = policy2.Known[int64](0)
		back := h.event(EventGivenBack, b.ID, h.p.RuleHash(0), policy2.StepThrottle, 0)
		back.Outcome = contract.OutcomeDone
		h.m = Remember(h.p, h.m, nil, Plan{}, []Event{back})
		h.ticks(hour)
		h.expect("a throttle", "a stop")
	},

	"the last member of a project has ended, and what became of its stop is not known yet": func(t *testing.T) {
		h := newHost(t, policyOf(policy2.Rule{
			Name: "stale", Each: policy2.EachProject, Keep: policy2.Keep{Order: policy2.Newest, Places: 1},
			Rest: ladder(step(policy2.StepStop), after(hour, policy2.StepRemove)),
		}))
		web, db := h.add("p-web", 3*hour).inProject("p", "web"), h.add("p-db", 3*hour).inProject("p", "db")
		h.add("q-web", hour).inProject("q", "web")
		h.ticks(10 * second)
		h.idle = true
		h.tick()
		h.is("p-web", "stop over_quota")
		h.is("p-db", "stop over_quota")
		outcome := func(b *box) { // that of its stop is known
			in := h.event(EventIntent, b.ID, h.p.RuleHash(0), policy2.StepStop, 1)
			out := in
			out.Kind = EventOutcome
			h.m = Remember(h.p, h.m, nil, Plan{}, []Event{in, out})
		}

		// Both have ended between two ticks; one of the two calls is still under way.
		web.end(h, 0)
		db.end(h, 0)
		outcome(web)
		h.f.Leaving = []string{db.ID}
		h.tick()
		outcome(db)
		h.f.Leaving, h.idle = nil, false
		h.ticks(hour + 20*second)
		h.expect("p-db remove", "p-web remove")
	},

	"somebody changed the limit after our throttle": func(t *testing.T) {
		h := newHost(t, policyOf(policy2.Rule{Name: "slow", Do: ladder(throttleStep)}))
		b := h.add("a", hour)
		h.ticks(minute)
		h.box(b.ID).NanoCPUs.Value = 2 * nanoPerCPU
		h.tick()
		if !slices.Equal(h.plan.Changed, []string{b.ID}) {
			t.Errorf("changed %v", h.plan.Changed)
		}
		h.ticks(7 * hour)
		h.expect("a throttle")
	},

	"throttled, and needs more in peace than the throttle leaves": func(t *testing.T) {
		h := newHost(t, policyOf(policy2.Rule{
			Name: "hot", When: policy2.Conditions{CPU: 15_000, For: 5 * minute},
			Do: policy2.Ladder{{Step: policy2.StepThrottle, To: 5000}},
		}))
		b := h.add("a", hour)
		b.cpu = 1800
		h.ticks(5*minute + 10*second)
		h.expect("a throttle")
		b.cpu = 500
		h.ticks(6*hour - 10*second)
		h.expect("a throttle")
		h.tick()
		h.expect("a throttle", "a back")
		b.cpu = 600
		h.ticks(hour)
		h.expect("a throttle", "a back")
		b.cpu = 1800
		h.ticks(5*minute + 10*second)
		h.expect("a throttle", "a back", "a throttle")
	},

	"one of nine containers of a project has --rm and an anonymous volume": func(t *testing.T) {
		h := newHost(t, policyOf(policy2.Rule{Name: "all", Each: policy2.EachProject, Do: ladder(removeStep)}))
		for i := range 9 {
			h.add("a"+string(rune('0'+i)), hour).inProject("p", "s"+string(rune('0'+i)))
		}
		h.boxes[4].AutoRemove, h.boxes[4].AnonymousVolumes = policy2.Known(true), policy2.Known(1)
		h.ticks(hour)
		if len(h.log) != 9 || len(h.plan.Verdicts) != 9 {
			t.Errorf("carried out %v", h.log)
		}
		h.is("a0", "keep rm_volumes")
	},
}

func TestRulings(t *testing.T) {
	for name, run := range rulings {
		t.Run(name, run)
	}
}

// keepNewest is a rule that gives places to the newest containers.
func keepNewest(name string, places int, rest ...policy2.Rung) policy2.Rule {
	return policy2.Rule{
		Name: name, Each: policy2.EachContainer, Keep: policy2.Keep{Order: policy2.Newest, Places: places}, Rest: rest,
	}
}

// use goes on under another policy.
func (h *host) use(p policy2.Policy) { h.p = New(p) }

// rename renames a container.
func (h *host) rename(b *box, name string) {
	renamed := *b.Identity
	renamed.Name = name
	b.Identity = &renamed
}

// boot starts the host anew: nothing runs on but by a restart policy, which none has.
func (h *host) boot() {
	h.f.BootID += "+"
	h.f.BootUS, h.f.BootGUS = 0, h.f.GUS
}
