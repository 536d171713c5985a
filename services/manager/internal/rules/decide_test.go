package rules

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"gestor.local/contract/policy2"
)

func TestOldOnesAreRemoved(t *testing.T) {
	h := newHost(t, policyOf(policy2.Rule{Name: "old", When: policy2.Conditions{Age: policy2.Hour}, Do: ladder(step(policy2.StepRemove))}))
	h.add("a", 2*policy2.Hour)
	h.add("b", 59*policy2.Minute)
	h.ticks(20 * policy2.Second)
	want := []string{"a remove"}
	if d := cmp.Diff(want, h.log); d != "" {
		t.Error(d)
	}

	h.ticks(policy2.Minute)
	if d := cmp.Diff([]string{"a remove", "b remove"}, h.log); d != "" {
		t.Error(d)
	}
}

func TestLadderGoesStepByStep(t *testing.T) {
	h := newHost(t, policyOf(policy2.Rule{
		Name: "stale", When: policy2.Conditions{Age: policy2.Hour},
		Do: ladder(step(policy2.StepWarn), after(policy2.Hour, policy2.StepStop), after(2*policy2.Hour, policy2.StepRemove)),
	}))
	h.add("a", 2*policy2.Hour)
	h.ticks(20 * policy2.Second)
	if d := cmp.Diff([]string{"a warn"}, h.log); d != "" {
		t.Fatal(d)
	}
	h.ticks(policy2.Hour - 10*policy2.Second)
	if d := cmp.Diff([]string{"a warn"}, h.log); d != "" {
		t.Fatal(d)
	}
	h.tick()
	if d := cmp.Diff([]string{"a warn", "a stop"}, h.log); d != "" {
		t.Fatal(d)
	}
	h.ticks(2*policy2.Hour - 10*policy2.Second)
	if got := h.verdict("a").Reason; got != ReasonWaits {
		t.Errorf("reason %s, want waits", got)
	}
	h.tick()
	if d := cmp.Diff([]string{"a warn", "a stop", "a remove"}, h.log); d != "" {
		t.Fatal(d)
	}
}
