package rules

import (
	"slices"
	"testing"

	"gestor.local/contract/policy2"
)

// A redeployed service sets its project back to the notice: it is a notice for all, also for those that have had one, and nobody's
// next step is taken for done with it.
func TestANoticeIsTheFirstStepForAllOfAProject(t *testing.T) {
	h := newHost(t, policyOf(policy2.Rule{
		Name: "stale", Each: policy2.EachProject,
		Do: ladder(step(policy2.StepWarn), after(6*policy2.Hour, policy2.StepStop), after(6*policy2.Hour, policy2.StepRemove)),
	}))
	h.add("a", policy2.Hour).inProject("p", "web")
	b := h.add("b", policy2.Hour).inProject("p", "db")
	h.ticks(policy2.Minute)
	if want := []string{"a warn", "b warn"}; !slices.Equal(h.log, want) {
		t.Fatalf("log %v, want %v", h.log, want)
	}

	b.gone = true
	h.add("c", 0).inProject("p", "db")
	h.ticks(policy2.Minute)
	if want := []string{"a warn", "b warn", "a warn", "c warn"}; !slices.Equal(h.log, want) {
		t.Fatalf("log %v, want %v", h.log, want)
	}

	h.log = nil
	h.ticks(6 * policy2.Hour)
	if want := []string{"a stop", "c stop"}; !slices.Equal(h.log, want) {
		t.Errorf("log %v 6 h after the notice, want %v", h.log, want)
	}
}
