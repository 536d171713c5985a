package rules_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"gestor.local/contract"
	"gestor.local/manager/internal/rules"
	"gestor.local/manager/internal/rules/oracle"
	"gestor.local/manager/internal/rules/oracle/oracletest"
)

var (
	histories = flag.Uint64("histories", defaultHistories, "how many histories TestVersionOneIsASpecialCase draws")
	seed      = flag.Uint64("history-seed", 1, "what they are drawn from")
)

// decideV1 makes a plan of version 1 by the rules of version 2.
func decideV1(in oracletest.Input) contract.Plan {
	return rules.DecideV1(rules.Compile(in.Policy), in.Population, in.Inventory, in.Context)
}

// differs says how the plan by the rules differs from that of the oracle, "" when their JSON is the same byte for byte.
func differs(in oracletest.Input, got contract.Plan) string {
	want := oracle.Decide(in.Policy, in.Population, in.Inventory, in.Context)
	wantText, wantErr := json.Marshal(want)
	gotText, gotErr := json.Marshal(got)
	if wantErr != nil || gotErr != nil {
		return "a plan cannot be written"
	}
	if bytes.Equal(wantText, gotText) {
		return ""
	}
	if diff := cmp.Diff(want, got); diff != "" {
		return diff
	}
	return cmp.Diff(string(wantText), string(gotText))
}

// Single ticks with everything in them that can happen, and those that a history cannot come to.
func TestVersionOneOnOneTick(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := oracletest.DrawInput(t)
		if diff := differs(in, decideV1(in)); diff != "" {
			t.Fatal(diff)
		}
	})
}

// The golden plans of the oracle come out of the rules byte for byte.
func TestVersionOneGoldenPlans(t *testing.T) {
	for name, in := range oracletest.GoldenInputs() {
		text, err := os.ReadFile(filepath.Join("oracle", "testdata", "golden", name+".json"))
		if err != nil {
			t.Fatal(err)
		}
		var golden struct {
			Plan json.RawMessage `json:"plan"`
		}
		if err := json.Unmarshal(text, &golden); err != nil {
			t.Fatal(err)
		}

		got, err := json.MarshalIndent(decideV1(in), " ", " ")
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(golden.Plan, got) {
			t.Errorf("%s: %s", name, cmp.Diff(string(golden.Plan), string(got)))
		}
	}
}

// At the end of the suite those go that the oracle lets go, whatever their owners.
func TestOrphansOfVersionOne(t *testing.T) {
	gone := 0
	rapid.Check(t, func(t *rapid.T) {
		in := oracletest.DrawInput(t)
		owners := []string{"", "process:boot:1:2:3", "container:", "container:" + oracletest.ID("gone")}
		for _, e := range in.Inventory.Entries {
			owners = append(owners, "container:"+e.ID)
		}
		for i := range in.Inventory.Entries {
			in.Inventory.Entries[i].Labels[contract.LabelOwner] = rapid.SampledFrom(owners).Draw(t, "owner")
		}

		want := oracle.Orphans(in.Policy, in.Inventory, in.Context)
		got := rules.OrphansV1(rules.Compile(in.Policy), in.Inventory, in.Context)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatal(diff)
		}
		for _, c := range want.Counts {
			gone += c.Removals
		}
	})
	if gone == 0 {
		t.Error("nobody goes: nothing was compared")
	}
}

// TestVersionOneIsASpecialCase holds whole histories of policies of version 1 against the oracle: each plan by the rules is the
// same, byte for byte. What the manager keeps from tick to tick it keeps here, the compiled program too.
func TestVersionOneIsASpecialCase(t *testing.T) {
	workers := uint64(runtime.GOMAXPROCS(0)) //nolint:gosec // a few
	all := make([]tally, workers)
	var group sync.WaitGroup
	for w := range workers {
		all[w] = tally{reasons: map[string]int{}}
		group.Go(func() {
			for number := w; number < *histories && !t.Failed(); number += workers {
				all[w].live(t, number)
			}
		})
	}
	group.Wait()

	sum := tally{reasons: map[string]int{}}
	for _, one := range all {
		sum.add(one)
	}
	t.Logf("%d histories of seed %d: %d plans, %d verdicts, %d removals", *histories, *seed, sum.plans, sum.verdicts, sum.removals)

	// A comparison of nothing would hold as well.
	for _, reason := range []string{
		contract.ReasonWithinQuota, contract.ReasonNotOwned, contract.ReasonSuite, contract.ReasonProtected, contract.ReasonElsewhere,
		contract.ReasonUnknown, contract.ReasonYoung, contract.ReasonUnmeasured, contract.ReasonPaused, contract.ReasonLeaving,
		contract.ReasonStuck, contract.ReasonFutile, contract.ReasonCapped, contract.ReasonNotRunning, contract.ReasonNotInEngine,
		contract.ReasonOverQuota, contract.ReasonYoungFlood, contract.ReasonMemoryFloor,
	} {
		if sum.reasons[reason] == 0 {
			t.Errorf("no verdict is %s", reason)
		}
	}
	if sum.surprises == 0 || sum.rank == 0 || sum.rank == sum.plans {
		t.Errorf("%d surprises, %d of %d plans in rank mode", sum.surprises, sum.rank, sum.plans)
	}
}

// tally is what was compared.
type tally struct {
	plans, verdicts, removals, surprises, rank int
	reasons                                    map[string]int
}

func (a *tally) add(b tally) {
	a.plans, a.verdicts, a.removals = a.plans+b.plans, a.verdicts+b.verdicts, a.removals+b.removals
	a.surprises, a.rank = a.surprises+b.surprises, a.rank+b.rank
	for reason, n := range b.reasons {
		a.reasons[reason] += n
	}
}

// live goes through one history.
func (a *tally) live(t *testing.T, number uint64) {
	h := oracletest.NewHistory(*seed, number)
	var program *rules.Program
	for {
		in, ok := h.Next()
		if !ok {
			return
		}
		if program == nil || program.Hash() != in.Policy.Hash() {
			program = rules.Compile(in.Policy)
		}

		plan := rules.DecideV1(program, in.Population, in.Inventory, in.Context)
		if diff := differs(in, plan); diff != "" {
			t.Errorf("history %d of seed %d, tick %d (- version 1, + by the rules):\n%s", number, *seed, in.Context.Tick, diff)
			return
		}
		a.count(plan)
		h.CarryOut(plan)
	}
}

func (a *tally) count(plan contract.Plan) {
	a.plans++
	if plan.Surprise {
		a.surprises++
	}
	if plan.Classify == contract.ClassifyRank {
		a.rank++
	}
	for _, v := range plan.Verdicts {
		a.verdicts++
		a.reasons[v.Reason]++
		if v.Verdict == contract.VerdictRemove {
			a.removals++
		}
	}
}

// BenchmarkVersionOne is a tick under the default policy of version 1, by the oracle and by the rules in turns: what the processor does
// for each is counted by itself, for the machine may have other work.
func BenchmarkVersionOne(b *testing.B) {
	for _, n := range []int{50, 1000} {
		b.Run(fmt.Sprintf("containers=%d", n), func(b *testing.B) {
			in := oracletest.Input{Policy: contract.DefaultPolicy()}
			in.Population, in.Inventory = oracletest.Build(append(oracletest.Lows(n/2), oracletest.Highs(n/2)...)...)
			program := rules.Compile(in.Policy)

			var byOracle, byRules time.Duration
			for b.Loop() {
				byOracle += rules.CPUTimeOf(b, func() { oracle.Decide(in.Policy, in.Population, in.Inventory, in.Context) })
				byRules += rules.CPUTimeOf(b, func() { rules.DecideV1(program, in.Population, in.Inventory, in.Context) })
			}
			each := func(all time.Duration) float64 { return float64(all.Microseconds()) / float64(b.N) }
			b.ReportMetric(each(byOracle), "oracle-cpu-µs")
			b.ReportMetric(each(byRules), "rules-cpu-µs")
			b.ReportMetric(float64(byRules)/float64(byOracle), "times")
		})
	}
}
