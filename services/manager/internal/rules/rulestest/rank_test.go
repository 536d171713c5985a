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
)

// ranked is a row of the table of rank.yaml.
type ranked struct {
	name     string
	cpu, ram uint64 // milli-cores, MiB
	verdict  string // as the page has it
	behind   string // the container on the other side of the cut, "" where it stays
	by       contract.Key
}

// TestRank holds a version 1 file against its table: rank, verdict and what decided it.
func TestRank(t *testing.T) {
	table := []ranked{
		{name: "a", cpu: 0, ram: 4, verdict: "keep"},
		{name: "b", cpu: 0, ram: 6, verdict: "keep"},
		{name: "c", cpu: 12, ram: 5, verdict: "keep"},
		{name: "d", cpu: 12, ram: 64, verdict: "remove: behind c by ram", behind: "c", by: contract.KeyRAM},
		{name: "e", cpu: 240, ram: 5, verdict: "remove: before f by cpu", behind: "f", by: contract.KeyCPU},
		{name: "f", cpu: 900, ram: 7, verdict: "keep"},
		{name: "g", cpu: 1400, ram: 7, verdict: "keep"},
	}
	p := contract.DefaultPolicy()
	p.Classify = contract.ClassifyRank

	plan := rules.DecideV1(rules.Compile(p), populationOf(table), inventory(table), contract.Context{Tick: 1})
	for i, v := range plan.Verdicts {
		want := table[i]
		got := ranked{name: v.Name, cpu: v.Measures.CPUMillicores, ram: v.Measures.RAMKB >> 10, verdict: want.verdict}
		if v.Verdict == contract.VerdictRemove {
			got.behind, got.by = v.Neighbour.Name, v.DecidingKey
		}
		if got != want || v.Rank != i+1 || !strings.HasPrefix(want.verdict, v.Verdict) {
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
func checkRankPage(t *testing.T, table []ranked) {
	t.Helper()
	page, err := os.ReadFile(tablesPage)
	if err != nil {
		t.Fatal(err)
	}
	for i, r := range table {
		line := fmt.Sprintf("| %s | %d | %d | %d of 7 | %s |", r.name, r.cpu, r.ram, i+1, r.verdict)
		if !slices.Contains(strings.Split(string(page), "\n"), line) {
			t.Errorf("tables.md has no row %s", line)
		}
	}
}

func populationOf(table []ranked) contract.Population {
	p := contract.Population{Sequence: 2, MonotonicUS: 1 << 40, IntervalUS: 10_000_000, CPUs: 4}
	for _, r := range table {
		p.Members = append(p.Members, contract.Member{
			ID: r.name, StartUS: 1, SeenTicks: 9, AgeUS: 1 << 39, Measured: true,
			Measures: contract.Measures{CPUMillicores: r.cpu, RAMKB: r.ram << 10, VSZKB: 9000, RSSKB: r.ram << 10},
		})
	}
	return p
}

func inventory(table []ranked) contract.Inventory {
	var inv contract.Inventory
	for _, r := range table {
		inv.Entries = append(inv.Entries, contract.Entry{
			ID: r.name, Name: r.name, State: contract.StateRunning, Labels: map[string]string{contract.LabelManaged: "true"},
		})
	}
	return inv
}
