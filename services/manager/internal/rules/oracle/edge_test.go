package oracle

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"gestor.local/contract"
	"gestor.local/manager/internal/reason"
	"gestor.local/manager/internal/rules/oracle/oracletest"
)

// lows makes n low containers with rising CPU.
func lows(n int) []box { return boxesOf(oracletest.Lows(n)) }

func highs(n int) []box { return boxesOf(oracletest.Highs(n)) }

func boxesOf(all []oracletest.Box) []box {
	out := make([]box, len(all))
	for i, b := range all {
		out[i] = box{name: b.Name, class: b.Class, cpu: b.CPU, ram: b.RAM, age: b.Age}
	}
	return out
}

func decideDefault(pop contract.Population, inv contract.Inventory) contract.Plan {
	return Decide(contract.DefaultPolicy(), pop, inv, contract.Context{Tick: 1})
}

// wantKept asserts that the container stays for the reason, and that its place goes to the next one.
func wantKept(t *testing.T, plan contract.Plan, name, reason string) {
	t.Helper()
	v := verdictOf(t, plan, name)
	if v.Verdict != contract.VerdictKeep || v.Reason != reason {
		t.Errorf("%s: %s (%s), want kept (%s)", name, v.Verdict, v.Reason, reason)
	}
}

func wantRemoved(t *testing.T, plan contract.Plan, names ...string) {
	t.Helper()
	if got := removed(plan); !slices.Equal(got, names) {
		t.Errorf("removed %v, want %v", got, names)
	}
}

// The rows of the specification's table of edge cases, in its order. Those that are decided before or after the
// decision (label changed between plan and act, truncated document, log service down, clock jump) are tested with the
// code that decides them.

func TestEdgeTiesOnAllMeasuresTheOlderSurvivesThenTheSmallerID(t *testing.T) {
	for _, class := range []contract.Class{contract.ClassLow, contract.ClassHigh} {
		pop, inv := buildInput(
			box{name: "d", class: class, cpu: 10, ram: 10, age: 60}, box{name: "c", class: class, cpu: 10, ram: 10, age: 60},
			box{name: "b", class: class, cpu: 10, ram: 10, age: 60}, box{name: "a", class: class, cpu: 10, ram: 10, age: 50},
			box{name: "e", class: class, cpu: 10, ram: 10, age: 70},
		)

		p := contract.DefaultPolicy()
		p.Quota = contract.Quota{Low: 2, High: 2}
		plan := Decide(p, pop, inv, contract.Context{})
		wantRemoved(t, plan, "c", "d", "a")
		if v := verdictOf(t, plan, "a"); v.DecidingKey != contract.KeyAge {
			t.Errorf("a lost by %s", v.DecidingKey)
		}

		if v := verdictOf(t, plan, "c"); v.DecidingKey != contract.KeyID {
			t.Errorf("c lost by %s", v.DecidingKey)
		}
	}
}

func TestEdgeFewerThanTheQuotaNothingIsRemovedAndTheDeficitIsCounted(t *testing.T) {
	pop, inv := buildInput(append(lows(2), highs(1)...)...)
	plan := decideDefault(pop, inv)
	wantRemoved(t, plan)
	if plan.Counts[0].Deficit != 1 || plan.Counts[1].Deficit != 1 {
		t.Errorf("deficits: %+v", plan.Counts)
	}
}

func TestEdgeNoBorrowingBetweenClasses(t *testing.T) {
	pop, inv := buildInput(append(lows(6), highs(1)...)...)
	plan := decideDefault(pop, inv)
	wantRemoved(t, plan, "l3", "l4", "l5")
	if plan.Counts[1].Deficit != 1 {
		t.Errorf("high: %+v", plan.Counts[1])
	}
}

func TestEdgeLabelLostIsNoLongerOwned(t *testing.T) {
	pop, inv := buildInput(lows(4)...)
	delete(inv.Entries[3].Labels, contract.LabelManaged)
	plan := decideDefault(pop, inv)
	wantRemoved(t, plan)
	wantKept(t, plan, "l3", contract.ReasonNotOwned)
}

// flood makes n young low ones, the higher the number the newer.
func flood(n int) (contract.Population, contract.Inventory) {
	pop, inv := buildInput(lows(n)...)
	for i := range pop.Members {
		m := &pop.Members[i]
		m.Measured, m.Why, m.SeenTicks, m.AgeUS = false, contract.UnmeasuredBaseline, 1, 5*second-uint64(i)
		m.StartUS = now - m.AgeUS
	}
	return pop, inv
}

func TestEdgeYoungFloodTakesTheNewest(t *testing.T) {
	pop, inv := flood(33)
	plan := decideDefault(pop, inv)
	wantRemoved(t, plan, "l30", "l31", "l32")
	if v := verdictOf(t, plan, "l32"); v.Reason != contract.ReasonYoungFlood || !v.Young {
		t.Errorf("%+v", v)
	}
	pop, inv = flood(30)
	wantRemoved(t, decideDefault(pop, inv))
}

func TestEdgeYoungFloodKeepsTheNumberOfTheClass(t *testing.T) {
	pop, inv := flood(6)
	p := contract.DefaultPolicy()
	p.Young.Max = 1
	wantRemoved(t, Decide(p, pop, inv, contract.Context{}), "l3", "l4", "l5")
}

func TestEdgeMemoryFloorTakesTheNewestAndOnlyAsManyAsItNeeds(t *testing.T) {
	pop, inv := flood(8) // 5000 KB each
	pop.Memory.AvailableKB = 100_000
	p := contract.DefaultPolicy()
	p.Young.MemoryFloorKB = 108_000
	plan := Decide(p, pop, inv, contract.Context{})
	wantRemoved(t, plan, "l6", "l7")

	if v := verdictOf(t, plan, "l7"); v.Reason != contract.ReasonMemoryFloor {
		t.Errorf("%+v", v)
	}
	pop.Memory.AvailableKB = 108_000
	wantRemoved(t, Decide(p, pop, inv, contract.Context{}))
}

func TestEdgeMemoryFloorCountsTheRemovalsOfTheQuotaFirst(t *testing.T) {
	pop, inv := flood(8)
	for i := range 5 { // grown up: two of them go, 10,000 KB
		m := &pop.Members[i]
		m.Measured, m.Why, m.SeenTicks, m.AgeUS = true, "", 9, 90*second
	}
	pop.Memory.AvailableKB = 100_000
	p := contract.DefaultPolicy()
	p.Young.MemoryFloorKB = 110_000
	wantRemoved(t, Decide(p, pop, inv, contract.Context{}), "l3", "l4")
}

func TestEdgeNoRowInTheSnapshotIsUnmeasuredAndHoldsNoPlace(t *testing.T) {
	pop, inv := buildInput(lows(5)...)
	pop.Members = pop.Members[1:]
	plan := decideDefault(pop, inv)
	wantKept(t, plan, "l0", contract.ReasonUnmeasured)
	wantRemoved(t, plan, "l4")
}

func TestEdgeRowWithoutAnEntryIsRecordedAndIgnored(t *testing.T) {
	pop, inv := buildInput(lows(5)...)
	inv.Entries = inv.Entries[1:]
	plan := decideDefault(pop, inv)
	wantKept(t, plan, "l0", contract.ReasonNotInEngine)
	wantRemoved(t, plan, "l4")
}

func TestEdgeBadRowIsUnmeasured(t *testing.T) {
	pop, inv := buildInput(lows(5)...)
	pop.Members[0] = contract.Member{ID: id("l0"), Why: contract.UnmeasuredBadRow}
	plan := decideDefault(pop, inv)
	wantKept(t, plan, "l0", contract.ReasonUnmeasured)
	wantRemoved(t, plan, "l4")
	if v := verdictOf(t, plan, "l0"); v.Measures != nil {
		t.Errorf("figures of a bad row: %+v", *v.Measures)
	}
}

func TestEdgeCounterResetIsYoungAgain(t *testing.T) {
	pop, inv := buildInput(lows(5)...)
	pop.Members[4].Measured, pop.Members[4].Why, pop.Members[4].SeenTicks = false, contract.UnmeasuredReset, 1
	plan := decideDefault(pop, inv)
	wantKept(t, plan, "l4", contract.ReasonYoung)
	wantRemoved(t, plan, "l3")
}

func TestEdgeCounterResetWithoutWarmupIsUnmeasured(t *testing.T) {
	pop, inv := buildInput(lows(5)...)
	pop.Members[4].Measured, pop.Members[4].Why, pop.Members[4].SeenTicks = false, contract.UnmeasuredReset, 1
	p := contract.DefaultPolicy()
	p.Warmup = 0
	plan := Decide(p, pop, inv, contract.Context{})
	wantKept(t, plan, "l4", contract.ReasonUnmeasured)
	wantRemoved(t, plan, "l3")
}

func TestEdgeImpossibleDeltaIsUnmeasured(t *testing.T) {
	pop, inv := buildInput(lows(5)...)
	pop.Members[4].Measured, pop.Members[4].Why = false, contract.UnmeasuredImpossible
	plan := decideDefault(pop, inv)
	wantKept(t, plan, "l4", contract.ReasonUnmeasured)
	wantRemoved(t, plan, "l3")
}

func TestEdgePausedIsAStateOfItsOwn(t *testing.T) {
	pop, inv := buildInput(lows(6)...)
	inv.Entries[0].State = contract.StatePaused
	pop.Members[5].Frozen = true
	plan := decideDefault(pop, inv)
	wantKept(t, plan, "l0", contract.ReasonPaused)
	wantKept(t, plan, "l5", contract.ReasonPaused)
	wantRemoved(t, plan, "l4")
}

func TestEdgeLeavingHoldsNoPlace(t *testing.T) {
	pop, inv := buildInput(lows(5)...)
	ctx := contract.Context{Leaving: []string{id("l0")}, Stuck: []string{id("l1")}}
	plan := Decide(contract.DefaultPolicy(), pop, inv, ctx)
	wantKept(t, plan, "l0", contract.ReasonLeaving)
	wantKept(t, plan, "l1", contract.ReasonStuck)
	wantRemoved(t, plan)
}

func TestEdgeFutileIsLeftAlone(t *testing.T) {
	pop, inv := buildInput(lows(5)...)
	plan := Decide(contract.DefaultPolicy(), pop, inv, contract.Context{FutileNames: []string{"l4"}})
	wantKept(t, plan, "l4", contract.ReasonFutile)
	wantRemoved(t, plan, "l3")
}

func TestEdgeBadClassLabelIsNotReplacedByTheImage(t *testing.T) {
	pop, inv := buildInput(lows(5)...)
	inv.Entries[4].Labels[contract.LabelClass] = "LOW"
	inv.Entries[4].Image = "gestor/low-idle"
	plan := decideDefault(pop, inv)
	wantKept(t, plan, "l4", contract.ReasonUnknown)
	wantRemoved(t, plan, "l3")
}

func TestEdgeSuiteIsKnownByIDAndByRole(t *testing.T) {
	pop, inv := buildInput(lows(6)...)
	inv.Entries[5].Labels[contract.LabelRole], inv.Entries[5].Labels[contract.LabelConfigHash] = "logs", "1"
	plan := Decide(contract.DefaultPolicy(), pop, inv, contract.Context{SuiteIDs: []string{id("l4")}})
	wantKept(t, plan, "l4", contract.ReasonSuite)
	wantKept(t, plan, "l5", contract.ReasonSuite)
	wantRemoved(t, plan, "l3")
}

func TestEdgeAnIDThatOccursTwiceIsNotBelieved(t *testing.T) {
	pop, inv := buildInput(lows(6)...)
	pop.Members = append(pop.Members, pop.Members[5])
	inv.Entries = append(inv.Entries, inv.Entries[4])
	plan := decideDefault(pop, inv)
	wantKept(t, plan, "l5", contract.ReasonUnmeasured)
	if v := verdictOf(t, plan, "l4"); v.Owned || v.Verdict != contract.VerdictKeep {
		t.Errorf("%+v", v)
	}
	wantRemoved(t, plan, "l3")
}

func TestEdgeEmptyHost(t *testing.T) {
	plan := Decide(contract.DefaultPolicy(), contract.Population{}, contract.Inventory{}, contract.Context{})
	if len(plan.Verdicts) != 0 || plan.Counts[0].Deficit != 3 || plan.Counts[1].Deficit != 2 {
		t.Errorf("%+v", plan)
	}
}

// A policy that nobody filled in has no places, and caps that allow nothing.
func TestEdgeZeroPolicyRemovesNothing(t *testing.T) {
	pop, inv := buildInput(append(lows(5), highs(5)...)...)
	for _, p := range []contract.Policy{{}, {Classify: contract.ClassifyRank}, {Rank: []contract.Key{contract.KeyCPU}}} {
		wantRemoved(t, Decide(p, pop, inv, contract.Context{}))
	}
}

func TestWarmupZeroJudgesAtFirstSight(t *testing.T) {
	pop, inv := flood(5)
	p := contract.DefaultPolicy()
	p.Warmup = 0
	wantRemoved(t, Decide(p, pop, inv, contract.Context{}), "l3", "l4")
}

func TestWarmupWantsBothTicksAndAge(t *testing.T) {
	cases := []struct {
		warmup, seen int
		ageS         uint64
		young        bool
	}{{1, 1, 60, true}, {1, 2, 9, true}, {1, 2, 10, false}, {2, 2, 60, true}, {2, 3, 19, true}, {2, 3, 20, false}, {0, 0, 0, true}, {0, 1, 0, false}}
	for _, c := range cases {
		pop, inv := buildInput(box{name: "a", class: contract.ClassLow, ram: 10})
		pop.Members[0].SeenTicks, pop.Members[0].AgeUS = c.seen, c.ageS*second
		p := contract.DefaultPolicy()
		p.Warmup = c.warmup
		if v := verdictOf(t, Decide(p, pop, inv, contract.Context{}), "a"); v.Young != c.young {
			t.Errorf("%+v: young is %t", c, v.Young)
		}
	}
}

// A container held to a round limit is measured a little above and a little below it: no edge of a bucket lies there.
func TestBucketsHaveNoEdgeAtRoundFigures(t *testing.T) {
	for _, c := range []struct{ v, width, want uint64 }{
		{0, 10, 0},
		{4, 10, 0},
		{5, 10, 1},
		{245, 10, 25},
		{249, 10, 25},
		{251, 10, 25},
		{254, 10, 25},
		{255, 10, 26},
		{7, 1, 7},
		{7, 0, 7},
		{1, 3, 0},
		{2, 3, 1},
		{1<<64 - 1, 10, (1<<64-1)/10 + 1},
	} {
		if got := bucket(c.v, c.width); got != c.want {
			t.Errorf("%d in buckets of %d: %d, want %d", c.v, c.width, got, c.want)
		}
	}
}

func TestRankOfTheMeasuresCanBeChosen(t *testing.T) {
	pop, inv := buildInput(
		box{name: "a", class: contract.ClassLow, cpu: 900, ram: 1 << 10}, box{name: "b", class: contract.ClassLow, cpu: 10, ram: 90 << 10},
		box{name: "c", class: contract.ClassLow, cpu: 20, ram: 80 << 10}, box{name: "d", class: contract.ClassLow, cpu: 30, ram: 70 << 10},
	)
	wantRemoved(t, decideDefault(pop, inv), "a")
	p := contract.DefaultPolicy()
	p.Rank = []contract.Key{contract.KeyRAM, contract.KeyVSZ, contract.KeyRSS, contract.KeyCPU}
	wantRemoved(t, Decide(p, pop, inv, contract.Context{}), "b")
}

func TestRankModeIgnoresClasses(t *testing.T) {
	pop, inv := buildInput(append(lows(4), highs(4)...)...)
	p := contract.DefaultPolicy()
	p.Classify = contract.ClassifyRank
	plan := Decide(p, pop, inv, contract.Context{})
	wantRemoved(t, plan, "l3", "h3", "h2")
	if v := verdictOf(t, plan, "h0"); v.Rank != 8 || v.Cut != 7 || v.Class != contract.ClassHigh {
		t.Errorf("the heaviest: %+v", v)
	}

	want := "rank 6 of 8, lightest first: the first 3 and the last 2 stay; behind h1 (rank 7) by cpu: 980m against 990m"
	if got := reason.Text(verdictOf(t, plan, "h2"), plan, reason.Inputs{}); got != want {
		t.Errorf("text:\n got %s\nwant %s", got, want)
	}
}

// The halves of the list give way so far that every place is of its own class.
func TestRankModeHalvesMakeRoomForTheQuota(t *testing.T) {
	for _, c := range []struct{ low, high, n, wantLow int }{{3, 2, 5, 3}, {3, 2, 4, 3}, {3, 2, 2, 2}, {1, 5, 8, 3}, {5, 1, 8, 5}, {3, 2, 9, 4}} {
		pop, inv := buildInput(lows(c.n)...)
		p := contract.DefaultPolicy()
		p.Classify, p.Quota = contract.ClassifyRank, contract.Quota{Low: c.low, High: c.high}
		counts := Decide(p, pop, inv, contract.Context{}).Counts
		if counts[0].Eligible != c.wantLow || counts[1].Eligible != c.n-c.wantLow {
			t.Errorf("%+v: %d low, %d high", c, counts[0].Eligible, counts[1].Eligible)
		}
	}
}

func TestSurprise(t *testing.T) {
	pop, inv := buildInput(lows(60)...) // 57 of 60 without a place: 95 %
	p := contract.DefaultPolicy()
	cases := []struct {
		name   string
		change func(*contract.Policy, *contract.Context)
		want   bool
	}{
		{"more than expected", func(*contract.Policy, *contract.Context) {}, true},
		{"announced one tick ago", func(_ *contract.Policy, c *contract.Context) { c.SurpriseSeen = true }, false},
		{"expected", func(p *contract.Policy, _ *contract.Context) { p.Caps.MaxPlanPercent = 95 }, false},
		{"within the cap", func(p *contract.Policy, _ *contract.Context) { p.Caps.PerTick, p.Caps.PerMinute = 57, 57 }, false},
		{"another policy", func(p *contract.Policy, c *contract.Context) {
			p.Caps.MaxPlanPercent, c.PolicyChanged, c.SurpriseSeen = 100, true, true
		}, true},
	}

	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			p, ctx := p, contract.Context{}
			c.change(&p, &ctx)
			if got := Decide(p, pop, inv, ctx).Surprise; got != c.want {
				t.Errorf("surprise is %t", got)
			}
		})
	}
}

// What ended is listed with a verdict, but it neither fills the population nor makes a large plan look small beside it.
func TestEndedContainersAreNoPopulation(t *testing.T) {
	pop, inv := buildInput(lows(30)...) // 27 of 30 without a place: 90 %, as many as are expected
	for i := range 20 {
		ended := inv.Entries[i]
		ended.ID, ended.Name, ended.State = id(fmt.Sprint("ended", i)), fmt.Sprint("ended", i), []string{"exited", "dead", "created", "removing"}[i%4]
		inv.Entries = append(inv.Entries, ended)
	}

	p := contract.DefaultPolicy()
	p.Caps.MaxPlanPercent = 89
	plan := Decide(p, pop, inv, contract.Context{})
	if !plan.Surprise || plan.Counts[0].Owned != 30 {
		t.Errorf("surprise %t, counts %+v", plan.Surprise, plan.Counts[0])
	}
	wantKept(t, plan, "ended0", contract.ReasonNotRunning)
}

func TestCapSparesTheNearestToAPlace(t *testing.T) {
	pop, inv := buildInput(lows(8)...)
	p := contract.DefaultPolicy()
	p.Caps.PerTick = 2
	plan := Decide(p, pop, inv, contract.Context{})
	wantRemoved(t, plan, "l6", "l7")
	wantKept(t, plan, "l3", contract.ReasonCapped)

	if plan.Counts[0].OverCapped != 3 || !strings.Contains(reason.Text(verdictOf(t, plan, "l3"), plan, reason.Inputs{}), "caps") {
		t.Errorf("%+v: %s", plan.Counts[0], reason.Text(verdictOf(t, plan, "l3"), plan, reason.Inputs{}))
	}
	wantRemoved(t, Decide(p, pop, inv, contract.Context{RemovedLastMinute: 59}), "l7")
	wantRemoved(t, Decide(p, pop, inv, contract.Context{RemovedLastMinute: 99}))
}

func TestClassOfAnImage(t *testing.T) {
	p := contract.DefaultPolicy()
	p.Images = map[string]contract.Class{"a/x": contract.ClassLow, "a/x:2": contract.ClassHigh, "r:5000/y": contract.ClassHigh, "z@sha256:1": contract.ClassLow, "r": contract.ClassLow}
	for image, want := range map[string]contract.Class{
		"a/x": contract.ClassLow, "a/x:1": contract.ClassLow, "a/x:2": contract.ClassHigh, "a/x:2@sha256:1": contract.ClassHigh,
		"r:5000/y": contract.ClassHigh, "r:5000/y:3": contract.ClassHigh, "r:5000/q": contract.ClassUnknown, "r:1": contract.ClassLow, "z@sha256:1": contract.ClassLow,
		"sha256:12": contract.ClassUnknown, "": contract.ClassUnknown, "b/a/x": contract.ClassUnknown,
	} {
		if got := (lookup{images: imageClasses(p.Images)}).classOf(p, &contract.Entry{Image: image}); got != want {
			t.Errorf("%q is %s, want %s", image, got, want)
		}
	}
}

// The inventory's names are without the default registry and the tag latest; the policy may write them.
func TestThePolicyMayWriteAnImageAsTheEngineDoes(t *testing.T) {
	p := contract.DefaultPolicy()
	p.Images = map[string]contract.Class{
		"docker.io/library/alpine": contract.ClassLow, "docker.io/team/app:latest": contract.ClassHigh,
		"localhost/both": contract.ClassLow, "both": contract.ClassHigh,
		"one": contract.ClassLow, "one:latest": contract.ClassHigh,
	}

	for image, want := range map[string]contract.Class{
		"alpine": contract.ClassLow, "alpine:3.20": contract.ClassLow,
		"team/app": contract.ClassHigh, "team/app:1": contract.ClassUnknown,
		"both": contract.ClassHigh,
		"one":  contract.ClassHigh, "one:1": contract.ClassLow,
	} {
		if got := (lookup{images: imageClasses(p.Images)}).classOf(p, &contract.Entry{Image: image}); got != want {
			t.Errorf("%q is %s, want %s", image, got, want)
		}
	}
}
