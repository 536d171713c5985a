package rules

import (
	"testing"
	"time"

	"gestor.local/contract/policy2"
)

// A document counts for the policy that it is of, where one is needed, and for no other.
func TestApproval(t *testing.T) {
	needs := policyOf()
	other := policyOf(policy2.Rule{Name: "old", When: policy2.Conditions{Age: policy2.Day}, Do: policy2.Ladder{{Step: policy2.StepRemove}}})
	document := policy2.NewApproved(needs, time.UnixMicro(1_796_000_000_000_000), "ada", 7)

	approved := Approval(needs, &document)
	if !approved.NeedsApproval || !approved.Approved || approved.OwnCount != 7 || approved.ApprovedWallUS != 1_796_000_000_000_000 {
		t.Errorf("its own: %+v", approved)
	}
	for name, got := range map[string]InForce{"no document": Approval(needs, nil), "of another": Approval(other, &document)} {
		if !got.NeedsApproval || got.Approved || got.OwnCount != 0 {
			t.Errorf("%s: %+v", name, got)
		}
	}
	if got := Approval(policy2.Default(), &document); got.NeedsApproval || got.Approved {
		t.Errorf("none is needed: %+v", got)
	}
}
