package oracletest

import (
	"fmt"
	"time"

	"pgregory.net/rapid"

	"gestor.local/contract"
)

// Input is everything that a decision under a policy of version 1 is given.
type Input struct {
	Policy     contract.Policy
	Population contract.Population
	Inventory  contract.Inventory
	Context    contract.Context
}

// DrawInput draws a policy and a tick with everything in it that can happen: strangers, parts of the suite, protected,
// paused, young and unmeasured ones, missing rows and entries, ties in abundance.
func DrawInput(t *rapid.T) Input {
	in := Input{Policy: drawPolicy(t)}
	in.Population = contract.Population{
		Sequence: 9, MonotonicUS: NowUS, IntervalUS: 10 * secondUS, CPUs: 4,
		Memory: contract.Memory{TotalKB: 8000, AvailableKB: rapid.Uint64Range(0, 8000).Draw(t, "available")},
	}

	in.Context = contract.Context{
		Tick: 5, RemovedLastMinute: rapid.IntRange(0, 70).Draw(t, "removed"),
		PolicyChanged: oneIn(t, 10, "changed"), SurpriseSeen: oneIn(t, 4, "seen"),
	}

	if oneIn(t, 3, "suite") {
		in.Context.Suite = "mine"
	}
	for n := range rapid.IntRange(0, 40).Draw(t, "containers") {
		drawContainer(t, &in, n)
	}
	return in
}

func oneIn(t *rapid.T, n int, label string) bool { return rapid.IntRange(1, n).Draw(t, label) == 1 }

func drawPolicy(t *rapid.T) contract.Policy {
	p := contract.DefaultPolicy()
	p.Mode = rapid.SampledFrom([]contract.Mode{contract.ModeObserve, contract.ModeShadow, contract.ModeEnforce}).Draw(t, "mode")
	p.Quota = contract.Quota{Low: rapid.IntRange(0, 5).Draw(t, "low"), High: rapid.IntRange(0, 5).Draw(t, "high")}
	p.Classify = rapid.SampledFrom([]contract.Classify{contract.ClassifyDeclared, contract.ClassifyRank}).Draw(t, "classify")

	p.Rank = rapid.Permutation(p.Rank).Draw(t, "rank")
	p.Buckets = contract.Buckets{
		CPUMillicores: rapid.SampledFrom([]uint64{1, 10}).Draw(t, "mc"), RAMKB: rapid.SampledFrom([]uint64{1, 1024}).Draw(t, "kb"),
	}

	p.Warmup = rapid.IntRange(0, 2).Draw(t, "warmup")
	p.Caps = contract.Caps{
		PerTick: rapid.IntRange(1, 20).Draw(t, "tick"), PerMinute: 60, MaxPlanPercent: rapid.IntRange(1, 100).Draw(t, "percent"),
	}
	p.Young = contract.Young{
		Max: rapid.IntRange(1, 12).Draw(t, "young"), MemoryFloorKB: rapid.SampledFrom([]uint64{0, 0, 4000}).Draw(t, "floor"),
	}

	p.Protect = contract.Protect{Names: []string{"c3"}, Labels: []string{"keep", "team=db"}}
	return p
}

// drawContainer adds one container to the snapshot, the inventory or both.
func drawContainer(t *rapid.T, in *Input, n int) {
	name := fmt.Sprintf("c%d", n)
	in.Population.Members, in.Inventory.Entries = appendIf(!oneIn(t, 12, "no row"), in.Population.Members, drawMember(t, name)),
		appendIf(!oneIn(t, 12, "no entry"), in.Inventory.Entries, drawEntry(t, name))

	switch rapid.IntRange(0, 25).Draw(t, "memory") {
	case 0:
		in.Context.SuiteIDs = append(in.Context.SuiteIDs, ID(name))
	case 1:
		in.Context.Leaving = append(in.Context.Leaving, ID(name))
	case 2:
		in.Context.Stuck = append(in.Context.Stuck, ID(name))
	case 3:
		in.Context.FutileNames = append(in.Context.FutileNames, name)
	}
}

func appendIf[T any](yes bool, list []T, one T) []T {
	if yes {
		return append(list, one)
	}
	return list
}

func drawMember(t *rapid.T, name string) contract.Member {
	age := rapid.SampledFrom([]uint64{0, 4, 9, 10, 11, 20, 30, 600}).Draw(t, "age") * secondUS
	m := contract.Member{
		ID: ID(name), StartUS: NowUS - age, AgeUS: age, SeenTicks: rapid.IntRange(0, 4).Draw(t, "seen"),
		Measured: true, Frozen: oneIn(t, 25, "frozen"), Measures: drawMeasures(t),
	}

	if m.SeenTicks < 2 {
		m.Measured, m.Why = false, contract.UnmeasuredBaseline
	}
	if oneIn(t, 10, "unmeasured") {
		m.Measured = false
		m.Why = rapid.SampledFrom([]string{
			contract.UnmeasuredBaseline, contract.UnmeasuredReset, contract.UnmeasuredImpossible,
			contract.UnmeasuredBadRow, contract.UnmeasuredUnlocated,
		}).Draw(t, "why")
	}

	return m
}

// drawMeasures draws from few values: most decisions fall on the later keys, on age or on the id.
func drawMeasures(t *rapid.T) contract.Measures {
	return contract.Measures{
		CPUMillicores: rapid.SampledFrom([]uint64{0, 5, 9, 10, 14, 250, 1000}).Draw(t, "cpu"),
		RAMKB:         rapid.SampledFrom([]uint64{0, 700, 1023, 1024, 50_000}).Draw(t, "ram"),
		VSZKB:         rapid.SampledFrom([]uint64{0, 2000, 2001}).Draw(t, "vsz"),
		RSSKB:         rapid.SampledFrom([]uint64{0, 700, 701}).Draw(t, "rss"),
	}
}

func drawEntry(t *rapid.T, name string) contract.Entry {
	labels := map[string]string{}
	set := func(odds int, key string, values ...string) {
		if rapid.IntRange(1, 100).Draw(t, key) <= odds {
			labels[key] = rapid.SampledFrom(values).Draw(t, key+" value")
		}
	}

	set(92, contract.LabelManaged, "true", "true", "true", "true", "true", "true", "true", "True", "")
	set(80, contract.LabelClass, "low", "low", "high", "high", "Low", "")

	set(8, contract.LabelRole, "logs", "manager")
	set(50, contract.LabelConfigHash, "1")
	set(50, contract.LabelProject, "mine", "other")
	set(70, contract.LabelSuite, "mine", "mine", "mine", "other")

	set(4, "keep", "", "no")
	set(10, "team", "db", "web")
	set(5, contract.LabelSwarmService, "web", "api", "")
	set(3, contract.LabelSystemdUnit, "web.service")

	return contract.Entry{
		ID: ID(name), Name: name, Labels: labels, StartedAt: time.Unix(int64(len(name)), 0).UTC().Format(time.RFC3339),
		Image: rapid.SampledFrom([]string{"alto_1", "gestor/low-idle:latest", "r:5000/x", "gestor/high-cpu@sha256:00"}).Draw(t, "image"),
		State: rapid.SampledFrom([]string{
			"running", "running", "running", "running", "running", "running", "paused", "exited", "removing",
		}).Draw(t, "state"),
	}
}

// DrawOrchestrated draws the labels of an orchestrator, or none.
func DrawOrchestrated(t *rapid.T) []string {
	return rapid.SampledFrom([][]string{
		nil,
		{contract.LabelSwarmService, "web"},
		{contract.LabelSwarmTask, ""},
		{contract.LabelPod, "web-1"},
		{contract.LabelPodUID, "u"},
		{contract.LabelNomadAlloc, "a"},
		{contract.LabelSystemdUnit, "web.service"},
	}).Draw(t, "orchestrator")
}
