package page

import (
	"slices"
	"testing"
	"time"

	"gestor.local/contract"
)

// What the table says of containers under a policy of version 2: the rule's word, and never that somebody goes.
func TestFateUnderVersion2(t *testing.T) {
	next := ruledOf("a", "keep")
	next.NextStep, next.NextAt = "stop", time.Date(2026, 11, 30, 12, 26, 0, 0, time.UTC)
	kept := ruledOf("b", "keep")
	kept.Rule, kept.Reason = "", "no_rule"
	s := newScene()
	s.mode, s.heldReason = contract.ModeObserve, contract.HeldObserve
	s.addRuledTick(next, kept, ruledOf("c", "remove"), ruledOf("d", "throttle"))

	p, err := readPageData(t.Context(), &s.memorySource, "")
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"a": "kept: its rule holds (rule two each), next: stop at 2026-11-30 12:26Z",
		"b": "kept: no rule decides about it",
		"c": "not acted on: remove (rule two each)",
		"d": "not acted on: throttle (rule two each)",
	}
	if len(p.Rows) != len(want) {
		t.Errorf("%d rows, want %d: who does not run has none", len(p.Rows), len(want))
	}
	for _, r := range p.Rows {
		if r.NextAction != want[r.Container] {
			t.Errorf("%s: %q, want %q", r.Container, r.NextAction, want[r.Container])
		}
	}
	if len(p.Verdict.Classes) > 0 {
		t.Errorf("classes with places: %+v", p.Verdict.Classes)
	}
}

// Where the plan is carried out what is due is done, and not only shown.
func TestFateUnderVersion2CarriedOut(t *testing.T) {
	s := newScene()
	s.addRuledTick(ruledOf("a", "keep"), ruledOf("b", "remove"), ruledOf("c", "throttle"))
	p, err := readPageData(t.Context(), &s.memorySource, "")
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"a": "kept: its rule holds (rule two each)", "b": "due: remove (rule two each)", "c": "due: throttle (rule two each)",
	}
	for _, r := range p.Rows {
		if r.NextAction != want[r.Container] {
			t.Errorf("%s: %q, want %q", r.Container, r.NextAction, want[r.Container])
		}
	}
	if len(p.Rows) != len(want) {
		t.Errorf("%d rows", len(p.Rows))
	}
}

// A policy of version 2 that gives classes their places is shown as one of version 1: by its classes.
func TestClassesUnderVersion2(t *testing.T) {
	own := 5
	p := pageData{Host: contract.HostBody{Own: &own, Classes: []contract.ClassCount{{Class: contract.ClassLow, Owned: 5, Eligible: 5, Quota: 3, Removals: 2}}}}
	if p.Version2() || p.Observed() {
		t.Error("it is shown by its rules")
	}
	if p.Host.Classes = nil; !p.Version2() {
		t.Error("one without classes is shown by its classes")
	}
}

// A record may claim any number of places: the page draws the first and says how many more there are.
func TestPlacesWithoutEndAreCounted(t *testing.T) {
	const places = 1 << 31
	class := classSummary{Class: contract.ClassLow, Quota: places, Places: true, Alive: 30, Counted: 30}
	m := classMeters([]classSummary{class})
	if len(m) != 1 || len(m[0].Cells) != maxCells || m[0].More != places-maxCells || m[0].Cells[0].Kind != "held" {
		t.Errorf("%d cells and %d more", len(m[0].Cells), m[0].More)
	}

	class.Quota, class.Counted, class.Alive = 3, 1, 1
	kinds, more := cellsOf(class)
	if !slices.Equal(kinds, []string{"held", "empty", "empty"}) || more != 0 {
		t.Errorf("%v and %d more", kinds, more)
	}
}
