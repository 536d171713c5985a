package rulestest_test

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"gestor.local/contract"
	"gestor.local/contract/policy2"
	"gestor.local/manager/internal/policyfile"
	"gestor.local/manager/internal/population"
	"gestor.local/manager/internal/rules"
	"gestor.local/manager/internal/rules/rulestest"
)

// bothDefaults are the default policy of version 1 and that of version 2, which is shipped.
func bothDefaults(t *testing.T) (contract.Policy, policy2.Policy) {
	t.Helper()
	one, err := policyfile.Load("../../policyfile/testdata/default-version-1.yaml")
	if err != nil {
		t.Fatal(err)
	}
	two, err := policyfile.Load("../../../../../policy/policy.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if one.V1 == nil || two.V2 == nil {
		t.Fatalf("not of versions 1 and 2: %+v, %+v", one, two)
	}
	return *one.V1, *two.V2
}

// Whatever the version 1 file says beside its rules, the version 2 file says as well: the one has no span of an hour, and the other's
// cannot be reached.
func TestDefaultPoliciesSayTheSame(t *testing.T) {
	v1, v2 := bothDefaults(t)
	if v2.NeedsApproval() {
		t.Error("the default policy needs an approval")
	}
	if warnings := v2.Warnings(); len(warnings) > 0 {
		t.Errorf("the default policy is warned of: %q", warnings)
	}

	i := slices.IndexFunc(v2.Budget, func(r policy2.Rate) bool { return r.Span == policy2.Hour })
	if i < 0 || v2.Budget[i].N < 60*v1.Caps.PerMinute {
		t.Fatalf("budget %v: what is allowed in an hour is below %d minutes of %d", v2.Budget, 60, v1.Caps.PerMinute)
	}
	v2.Budget = slices.Delete(slices.Clone(v2.Budget), i, i+1)
	if diff := gocmp.Diff(*rules.Compile(v1).Policy(), v2); diff != "" {
		t.Errorf("(- version 1, + version 2):\n%s", diff)
	}
}

// habits are what the containers of a history do, and how the host is read, beside what they do in each.
type habits struct {
	classless  bool // some have a word for a class that no rule speaks of, or none
	restarting bool // some end and are started again, by their restart policy
	rowless    bool // some have no row on single ticks
	roles      bool // some have the label of the suite's own parts beside that of what it manages
	elsewhere  bool // some belong to an orchestrator
	needed     bool // some are needed by a container of their compose project
	volumes    bool // some have anonymous volumes and --rm
	failing    bool // the engine fails on a tick
	gated      bool // ticks are gated
}

// TestTheDefaultPolicyDecidesAsVersion1 lets containers as the suite's generator starts them live under the default policy of version
// 2, and compares each plan with that of version 1: the same ones go, in the same order, as many wait for the budget, and a surprise
// holds the plan on the same ticks.
func TestTheDefaultPolicyDecidesAsVersion1(t *testing.T) {
	const plain, soak = 1000, 100_000
	histories := uint64(plain)
	switch {
	case os.Getenv("GESTOR_SOAK") == "1":
		histories = soak
	case isRace:
		histories /= 10
	}

	v1, v2 := bothDefaults(t)
	var sum versions
	for number := range histories {
		one := live(v1, v2, habits{gated: number%2 == 1}, number)
		if len(one.differences) > 0 {
			t.Fatalf("history %d: %s", number, one.differences[0])
		}
		sum.add(one)
	}

	t.Logf("%d histories: %d plans, %d removals, %d plans that the budget cut, of which %d that of a minute, %d removals of young ones, %d surprises",
		histories, sum.plans, sum.removals, sum.capped, sum.minutes, sum.young, sum.surprises)
	if sum.removals == 0 || sum.capped == sum.minutes || sum.minutes == 0 || sum.young == 0 || sum.surprises == 0 {
		t.Error("something was not compared")
	}
}

// TestWhereTheDefaultPolicyDepartsFromVersion1 names what version 2 decides otherwise by its specification, and shows that each makes a
// difference: none of it is in the histories above, and version 2 may remove somebody whom version 1 keeps.
func TestWhereTheDefaultPolicyDepartsFromVersion1(t *testing.T) {
	v1, v2 := bothDefaults(t)
	for name, of := range map[string]habits{
		// Version 1 asks who has a class before it asks who is young: only those with one are many.
		"the young without a class count as too many": {classless: true},
		// In version 1 each start makes a container young, in version 2 it is so from its creation on.
		"a start makes nobody young": {restarting: true},
		// In version 1 a container without a row is unmeasured, not young, and young again on the next tick.
		"a lost row makes nobody young, and leaves the young ones so": {rowless: true},
		// Version 1 knows its own suite's parts alone.
		"whoever has a role is nobody's": {roles: true},
		// In version 1 they are not judged. In version 2 they compete, and only whoever would go of them is warned.
		"those of an orchestrator hold places":  {elsewhere: true},
		"whoever is needed waits":               {needed: true},
		"--rm with anonymous volumes is warned": {volumes: true},
		// A container counts with the first removal that is begun, in version 1 with each.
		"another try of a removal is not in the budget": {failing: true},
	} {
		var sum versions
		for number := range uint64(100) {
			sum.add(live(v1, v2, of, number))
		}
		if len(sum.differences) == 0 || sum.otherRemovals == 0 {
			t.Errorf("%s: %d histories differ, in %d of them version 2 removes others", name, len(sum.differences), sum.otherRemovals)
		}
	}
}

// versions holds the plans of one history under version 2 against those of version 1.
type versions struct {
	v1    *rules.Program
	state population.State
	began []time.Duration // removals of the last minute
	seen  bool            // the last plan that was not gated was a surprise

	// What was compared.
	plans, removals, capped, minutes, young, surprises int
	differences                                        []string // the first of each history
	otherRemovals                                      int      // of them, those in which version 2 removes whom version 1 keeps
}

func (v *versions) add(one *versions) {
	v.plans, v.removals, v.capped = v.plans+one.plans, v.removals+one.removals, v.capped+one.capped
	v.minutes, v.young, v.surprises = v.minutes+one.minutes, v.young+one.young, v.surprises+one.surprises
	v.differences, v.otherRemovals = append(v.differences, one.differences...), v.otherRemovals+one.otherRemovals
}

// live draws one history and goes through it.
func live(v1 contract.Policy, v2 policy2.Policy, h habits, number uint64) *versions {
	d := draw{rand.New(rand.NewPCG(20261130, number))} //nolint:gosec // drawn, and to be drawn again
	compared := &versions{v1: rules.Compile(v1)}
	until := time.Duration(d.between(3, 16)) * time.Duration(v2.Tick) * time.Second

	w := rulestest.New(v2, 0)
	w.Suite = policy2.Suite{Name: pick(d, "", "mine")}
	at := pick(d, manyTimes, manyTimes, manyTimes, -time.Hour, burst)
	for i := range pick(d, 8, 20, 40, 90) {
		w.Add(d.managed(i, at, h, until))
	}
	w.BlurFacts = d.disturbance(h)
	if h.failing {
		down := d.between(1, 10)
		w.EngineDown = func(at time.Duration) bool { return int(at/time.Second)/10 == down }
	}
	w.OnTick = compared.compare
	w.Run(until)
	return compared
}

// burst is when many containers are made at once, while the manager looks on. With manyTimes there are several such moments.
const (
	burst     = 35 * time.Second
	manyTimes = time.Duration(0)
)

// managed draws a container as the generator starts it, at a moment or at one of many. Whatever is made at one moment is of one class,
// and all of it is the suite's: then a plan can want nearly all.
func (d draw) managed(i int, at time.Duration, h habits, until time.Duration) rulestest.Container {
	labels := map[string]string{contract.LabelManaged: "true", contract.LabelSuite: "mine", contract.LabelClass: "high"}
	c := rulestest.Container{
		Name: fmt.Sprintf("c%02d", i), Labels: labels, Created: at,
		Image: pick(d, "gestor/low-idle", "gestor/high-cpu:latest", "alto_1@sha256:"+zeros, "bajo_1"),
	}
	if at == manyTimes {
		c.Created = pick(d, -time.Hour, -4*time.Second, burst, burst, d.within(until))
		d.several(labels)
	}
	if d.oneIn(4) {
		c.Run = lasting(d.within(until))
	}

	cpu, ram := pick[int64](d, 0, 0, 4, 14, 250, 1000), pick[uint64](d, 700, 1023, 1024, 50_000)
	later, turn := pick[int64](d, 0, 250), d.within(until)
	c.CPU = func(at time.Duration) int64 { return either(at < turn, cpu, later) }
	c.RAMKB = rulestest.Always(ram)
	d.habit(&c, h, until)
	return c
}

// several draws the class, from the label or from the image, and lets some be strangers or parts of the suite.
func (d draw) several(labels map[string]string) {
	labels[contract.LabelClass] = pick(d, "low", "high", "high")
	if d.oneIn(2) {
		delete(labels, contract.LabelClass)
	}
	if d.oneIn(20) {
		delete(labels, pick(d, contract.LabelManaged, contract.LabelSuite))
	}
	if d.oneIn(30) {
		delete(labels, contract.LabelManaged)
		labels[contract.LabelRole] = "logs"
	}
}

// lasting is how long each of its runs lasts.
func lasting(each time.Duration) func(int) time.Duration {
	return func(int) time.Duration { return each }
}

// within draws a time of up to so long.
func (d draw) within(until time.Duration) time.Duration {
	return time.Duration(d.between(1, int(until/time.Second))) * time.Second
}

// habit lets one container in four have the habits.
func (d draw) habit(c *rulestest.Container, h habits, until time.Duration) {
	if !d.oneIn(4) {
		return
	}

	if h.classless {
		c.Labels[contract.LabelClass] = pick(d, "", "medium", "Low")
	}
	if h.restarting {
		c.Restart, c.Run = "always", lasting(d.within(until))
	}
	if h.rowless {
		tick := int(d.within(until)/time.Second) / 10
		c.BadRow = func(at time.Duration) bool { return int(at/time.Second)/10 == tick }
	}
	if h.roles {
		c.Labels[contract.LabelRole] = "logs"
	}
	if h.elsewhere {
		c.Labels[contract.LabelSwarmTask] = "1"
	}
	if h.needed {
		c.Project, c.Service, c.DependsOn = "p", c.Name, []string{"c00", "c01", "c02"}
	}
	if h.volumes {
		c.Rm, c.Anonymous = true, 1
	}
}

// disturbance draws what else is so on single ticks: who is in flight, stuck, futile or paused, and with the habit, which are gated.
func (d draw) disturbance(h habits) func(time.Duration, *rules.Facts) {
	from, every := d.between(0, 40), d.between(2, 9)
	gated := d.between(2, 5)
	return func(_ time.Duration, f *rules.Facts) {
		tick := int(f.Tick) //nolint:gosec // a few
		for i := range f.Containers {
			c := &f.Containers[i]
			switch n := from + tick + i; {
			case n%(11*every) == 0:
				f.Leaving = append(f.Leaving, c.ID)
			case n%(13*every) == 0:
				f.Stuck = append(f.Stuck, c.ID)
			case n%(17*every) == 0:
				f.Futile = append(f.Futile, c.Name)
			case n%(19*every) == 0 && c.State == contract.StateRunning:
				c.State = contract.StatePaused
			}
		}
		slices.Sort(f.Futile)
		if h.gated && tick%gated == 0 {
			f.InForce.Gates = append(f.InForce.Gates, "interval")
		}
	}
}

// compare makes the plan of version 1 of what the tick read, and holds that of version 2 against it. After the first difference nothing
// more is compared: whom one policy removed the other has still to deal with.
func (v *versions) compare(tick *rulestest.Tick) {
	if len(v.differences) > 0 {
		return
	}
	gated := len(tick.Facts.InForce.Gates) > 0
	plan := v.plan(tick)
	if difference := differenceOf(&plan, &tick.Plan, gated); difference != "" {
		if removesOthers(&plan, &tick.Plan) {
			v.otherRemovals++
		}
		v.differences = append(v.differences, fmt.Sprintf("%s (- version 1, + version 2)\n%s", rulestest.Moment(tick.At), difference))
		return
	}
	v.count(&plan)

	// As the manager: a plan that is gated is no surprise that the next one confirms.
	if !gated {
		v.seen = plan.Surprise
	}
	for _, e := range tick.Events {
		if e.Kind == rules.EventIntent {
			v.began = append(v.began, tick.At)
		}
	}
}

// plan is that of version 1.
func (v *versions) plan(tick *rulestest.Tick) contract.Plan {
	f := &tick.Facts
	state, pop, _, err := v.state.Advance(snapshotOf(f), nil)
	if err != nil {
		panic(err) // each is newer than the last
	}
	v.state = state

	var inv contract.Inventory
	for _, c := range f.Containers {
		inv.Entries = append(inv.Entries, contract.Entry{
			ID: c.ID, Name: c.Name, Image: c.Image, Labels: c.Labels, State: c.State, StartedAt: c.StartedAt.Value,
		})
	}

	v.began = slices.DeleteFunc(v.began, func(at time.Duration) bool { return at+time.Minute <= tick.At })
	return rules.DecideV1(v.v1, pop, inv, contract.Context{
		Tick: f.Tick, Suite: f.Suite.Name, SuiteIDs: f.Suite.IDs, Leaving: f.Leaving, Stuck: f.Stuck, FutileNames: f.Futile,
		RemovedLastMinute: len(v.began), SurpriseSeen: v.seen,
	})
}

// snapshotOf is what the facts were read from.
func snapshotOf(f *rules.Facts) *contract.Snapshot {
	s := &contract.Snapshot{
		Version: contract.SnapshotVersion, Source: contract.SourceModule, Instance: "1", BootID: f.BootID, Sequence: f.Sequence,
		MonotonicUS: f.BootUS, CPUs: f.CPUs, PageSize: 4096, End: true,
		Capabilities: contract.Capabilities{Cgroup: 2, CPUSource: contract.CPUSourceCgroup},
		Memory:       contract.Memory{TotalKB: f.MemoryTotalKB.Value, AvailableKB: f.MemoryAvailableKB.Value},
	}
	for i := range f.Containers {
		c := &f.Containers[i]
		if !c.HasRow {
			continue
		}
		s.Containers = append(s.Containers, contract.Container{
			ID: c.ID, StartUS: c.StartBootUS.Value, CPUUS: c.CPUTotalUS.Value, Frozen: &c.Frozen,
			RSSKB: c.RSSKB.Value, VSZKB: c.VSZKB.Value, WorkingSetKB: &c.WorkingSetKB.Value,
		})
	}
	s.ContainerTotal = len(s.Containers)
	return s
}

// removal is one that a plan wants, and why it goes or waits.
type removal struct {
	name, reason string
	distance     int // from a place
}

// differenceOf says how what the plan of version 2 does differs from what that of version 1 does, "" where it does not: who goes,
// and who waits for the budget, those farthest from a place first; in which order the orders are given; and what holds the plan.
func differenceOf(one *contract.Plan, two *rules.Plan, gated bool) string {
	var v1, v2 []removal
	for _, v := range one.Verdicts {
		if v.Verdict == contract.VerdictRemove || v.Reason == contract.ReasonCapped {
			v1 = append(v1, removal{v.Name, v.Reason, max(0, v.Rank-v.Cut)})
		}
	}
	for i := range two.Verdicts {
		v := &two.Verdicts[i]
		reason := v.Reason
		if reason == rules.ReasonHolds {
			reason = contract.ReasonOverQuota
		}
		if v.Step == policy2.StepRemove || reason == contract.ReasonCapped {
			v2 = append(v2, removal{v.Name, reason, max(0, v.Rank-v.Cut)})
		}
	}

	// Of young ones version 1 gives the orders by class, version 2 by id alone: the same are to go.
	farthestFirst := func(a, b removal) int {
		if a.distance == 0 && b.distance == 0 {
			return strings.Compare(a.name, b.name)
		}
		return cmp.Compare(b.distance, a.distance)
	}
	slices.SortStableFunc(v1, farthestFirst)
	slices.SortStableFunc(v2, farthestFirst)
	if !slices.Equal(v1, v2) {
		return gocmp.Diff(v1, v2, gocmp.AllowUnexported(removal{}))
	}

	// Gates hold both, and version 1 says it outside of its plan.
	held := contract.HeldSurprise
	if !one.Surprise {
		held = ""
	}
	if !gated && held != two.Held {
		return fmt.Sprintf("held by %q, and by %q", held, two.Held)
	}
	return ""
}

// removesOthers says that version 2 removes somebody whom version 1 keeps.
func removesOthers(one *contract.Plan, two *rules.Plan) bool {
	kept := map[string]bool{}
	for _, v := range one.Verdicts {
		kept[v.ID] = v.Verdict == contract.VerdictKeep
	}
	return slices.ContainsFunc(two.Verdicts, func(v rules.Verdict) bool { return v.Step == policy2.StepRemove && kept[v.ID] })
}

// count notes what a plan of version 1 had that was compared.
func (v *versions) count(plan *contract.Plan) {
	v.plans++
	if plan.Surprise {
		v.surprises++
	}

	begun, capped := 0, false
	for _, of := range plan.Verdicts {
		capped = capped || of.Reason == contract.ReasonCapped
		if of.Verdict != contract.VerdictRemove {
			continue
		}
		begun++
		if of.Reason == contract.ReasonYoungFlood {
			v.young++
		}
	}
	v.removals += begun
	if capped {
		v.capped++
		if begun < v.v1.Policy().Budget[0].N {
			v.minutes++
		}
	}
}
