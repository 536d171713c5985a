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

// Who came to be own after the approval is known as such, though the wall clock by which the document is dated is far ahead of G, or was
// set wrong when it was written.
func TestTheTimeOfAnApprovalIsThatOfG(t *testing.T) {
	for name, ahead := range map[string]int64{"the clocks agree": 0, "the wall clock is ahead of G": us(3 * policy2.Day)} {
		for written, off := range map[string]int64{"now": 0, "by a clock that is a year ahead": us(365 * policy2.Day)} {
			h := newHost(t, policyOf(policy2.Rule{Name: "old", When: policy2.Conditions{Age: hour}, Do: ladder(stopStep)}))
			h.add("old", 2*hour)
			h.ticks(20 * second)
			h.f.WallUS = h.f.GUS + ahead
			at := h.f.WallUS + off
			h.f.InForce = InForce{NeedsApproval: true, Approved: true, OwnCount: 1, ApprovedWallUS: at, ApprovedGUS: at}

			m := Memory{}
			before := &tick{m: &m, f: &h.f}
			m.ApprovedWallUS, m.ApprovedGUS = at, before.approvedGUS()
			h.f.GUS, h.f.WallUS = h.f.GUS+us(hour), h.f.WallUS+us(hour)
			s := subject{mem: &ContainerMemory{OwnSinceGUS: h.f.GUS - us(minute)}}
			if (&tick{m: &m, f: &h.f}).isNewlyOwn(&s) != policy2.True {
				t.Errorf("%s, written %s: one that came 59 min later counts as there at the approval", name, written)
			}
		}
	}
}
