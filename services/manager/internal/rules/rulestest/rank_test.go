package rulestest_test

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gestor.local/contract"
	"gestor.local/manager/internal/rules"
	"gestor.local/manager/internal/rules/rulestest"
)

// TestRank holds a version 1 file against its table: rank, verdict and what decided it.
func TestRank(t *testing.T) {
	table := rulestest.Rank()
	p := contract.DefaultPolicy()
	p.Classify = contract.ClassifyRank

	plan := rules.DecideV1(rules.Compile(p), populationOf(table), inventory(table), contract.Context{Tick: 1})
	for i, v := range plan.Verdicts {
		want := table[i]
		got := rulestest.Ranked{Name: v.Name, CPU: v.Measures.CPUMillicores, RAM: v.Measures.RAMKB >> 10, Verdict: want.Verdict}
		if v.Verdict == contract.VerdictRemove {
			got.Behind, got.By = v.Neighbour.Name, v.DecidingKey
		}
		if got != want || v.Rank != i+1 || !strings.HasPrefix(want.Verdict, v.Verdict) {
			t.Errorf("rank %d is %+v and %s, want %+v", v.Rank, got, v.Verdict, want)
		}
	}

	p.Mode = contract.ModeShadow
	shadow := rules.DecideV1(rules.Compile(p), populationOf(table), inventory(table), contract.Context{Tick: 1})
	if diff := cmp.Diff(plan.Verdicts, shadow.Verdicts); diff != "" || shadow.Held(nil) != contract.HeldShadow {
		t.Errorf("in mode shadow the plan is held as %q and differs:\n%s", shadow.Held(nil), diff)
	}

	for _, v := range rules.DecideV1(rules.Compile(p), populationOf(table[:5]), inventory(table[:5]), contract.Context{Tick: 1}).Verdicts {
		if v.Verdict != contract.VerdictKeep {
			t.Errorf("of the first five %s goes", v.Name)
		}
	}
	checkRankPage(t, table)
}

// checkRankPage compares the rows of the page, which the test's data are made of.
func checkRankPage(t *testing.T, table []rulestest.Ranked) {
	t.Helper()
	page, err := os.ReadFile(tablesPage)
	if err != nil {
		t.Fatal(err)
	}
	for i, r := range table {
		line := fmt.Sprintf("| %s | %d | %d | %d of 7 | %s |", r.Name, r.CPU, r.RAM, i+1, r.Verdict)
		if !slices.Contains(strings.Split(string(page), "\n"), line) {
			t.Errorf("tables.md has no row %s", line)
		}
	}
}

func populationOf(table []rulestest.Ranked) contract.Population {
	p := contract.Population{Sequence: 2, MonotonicUS: 1 << 40, IntervalUS: 10_000_000, CPUs: 4}
	for _, r := range table {
		p.Members = append(p.Members, contract.Member{
			ID: r.Name, StartUS: 1, SeenTicks: 9, AgeUS: 1 << 39, Measured: true,
			Measures: contract.Measures{CPUMillicores: r.CPU, RAMKB: r.RAM << 10, VSZKB: 9000, RSSKB: r.RAM << 10},
		})
	}
	return p
}

func inventory(table []rulestest.Ranked) contract.Inventory {
	var inv contract.Inventory
	for _, r := range table {
		inv.Entries = append(inv.Entries, contract.Entry{
			ID: r.Name, Name: r.Name, State: contract.StateRunning, Labels: map[string]string{contract.LabelManaged: "true"},
		})
	}
	return inv
}
