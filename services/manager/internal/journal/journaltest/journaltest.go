// Package journaltest makes journals for tests of those who read them.
package journaltest

import (
	"fmt"
	"testing"
	"time"

	"gestor.local/contract"

	"gestor.local/manager/internal/journal"
	"gestor.local/manager/internal/rules"
)

// Start is the wall clock of the first tick; ticks are ten seconds apart.
var Start = time.Date(2026, 1, 2, 3, 4, 0, 0, time.UTC)

// Write fills dir with a story of ticks: l0 to l4 are low, l0 the lightest, and on every tick the two heaviest are
// removed, come to their end and are back on the next tick. It returns the number of removals.
func Write(t *testing.T, dir string, ticks int, opts journal.Options) (removals int) {
	t.Helper()
	now := Start
	opts.Now = func() time.Time { return now }
	j, _, err := journal.Open(dir, opts)
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()

	p := contract.DefaultPolicy()
	for n := 1; n <= ticks; n++ {
		in := Tick(uint64(n))
		plan := rules.DecideV1(rules.Compile(p), in.Population, in.Inventory, in.Context)
		if _, err := j.Tick(p, in, plan); err != nil {
			t.Fatal(err)
		}
		removals += act(t, j, plan)
		now = now.Add(10 * time.Second)
	}
	return removals
}

// ID is the container's full id.
func ID(i int) string { return fmt.Sprintf("%d%063x", i, i) }

// Tick is the input of one tick.
func Tick(n uint64) journal.Tick {
	const second = 1_000_000
	in := journal.Tick{
		Context: contract.Context{Tick: n}, DataAgeUS: 1234,
		Population: contract.Population{Source: contract.SourceModule, Sequence: 100 + n, MonotonicUS: n * 10 * second, IntervalUS: 10 * second, CPUs: 2},
	}

	for i := range 5 {
		in.Population.Members = append(in.Population.Members, contract.Member{
			ID: ID(i), SeenTicks: 5, AgeUS: 60 * second, StartUS: 1, Measured: true,
			Measures: contract.Measures{CPUMillicores: uint64(10 * i), RAMKB: 700, VSZKB: 2000, RSSKB: 700},
		})
		in.Inventory.Entries = append(in.Inventory.Entries, contract.Entry{
			ID: ID(i), Name: fmt.Sprintf("l%d", i), Image: "gestor/low-idle", State: "running",
			Labels: map[string]string{contract.LabelManaged: "true"},
		})
	}
	return in
}

func act(t *testing.T, j *journal.Journal, plan contract.Plan) (removals int) {
	t.Helper()
	for _, v := range plan.Verdicts {
		if v.Verdict != contract.VerdictRemove {
			continue
		}
		removals++
		id := fmt.Sprintf("a-%d-%s", plan.Tick, v.Name)
		_, err := j.Intent(journal.Intent{
			ActionID: id, Tick: plan.Tick, Sequence: plan.Sequence, Action: contract.ActionRemove, Reason: v.Reason,
			Subject: contract.Subject{Container: v.ID, Name: v.Name, Image: v.Image, Class: v.Class},
		})
		if err == nil {
			_, err = j.Outcome(journal.Outcome{ActionID: id, Outcome: contract.OutcomeDone, Rung: contract.RungRemove, Attempts: 1, LatencyUS: 250_000})
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return removals
}
