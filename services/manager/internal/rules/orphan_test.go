package rules

import (
	"slices"
	"strings"
	"testing"

	"gestor.local/contract"
	"gestor.local/contract/policy2"
)

const suiteName = "s"

var deadOwner, livingOwner = strings.Repeat("d", 64), strings.Repeat("e", 64)

// orphanHost is a host under a policy that owns the generator's containers and all with the label own. Of its two generators one has
// ended.
func orphanHost(t *testing.T) *host {
	p := policyOf()
	p.Own = append(p.Own, policy2.Selector{Label: &policy2.Label{Key: contract.LabelManaged, Value: "true"}})
	p.Protect = []policy2.Selector{{Name: []string{"dear"}}}
	h := newHost(t, p)
	h.f.Suite = policy2.Suite{Name: suiteName}

	for _, id := range []string{deadOwner, livingOwner} {
		b := h.add("generator-"+id[:1], policy2.Hour)
		b.Identity.ID = id
		b.Labels[contract.LabelRole] = "generator"
	}
	h.boxes[0].end(h, policy2.Minute)
	return h
}

// orphan adds a container of the owner, with further labels.
func (h *host) orphan(name, owner string, labels ...string) *box {
	b := h.add(name, policy2.Hour, append([]string{
		contract.LabelManaged, "true", contract.LabelSuite, suiteName, contract.LabelOwner, owner,
	}, labels...)...)
	if !slices.Contains(labels, "own") {
		delete(b.Labels, "own")
	}
	return b
}

// orphans are the names of those that go at the end.
func (h *host) orphans() (names []string, plan Plan) {
	plan = Orphans(h.p, h.m, h.last)
	for _, v := range plan.Verdicts {
		if v.Step != policy2.StepRemove || v.Reason != contract.ReasonOrphaned || v.Rule != noRule || v.Standing != StandingReady {
			h.t.Errorf("%+v", v)
		}
		names = append(names, v.Name)
	}
	return names, plan
}

func TestOrphansUnderVersion2(t *testing.T) {
	h := orphanHost(t)
	h.f.Leaving, h.f.Stuck, h.f.Futile = []string{id("leaving")}, []string{id("stuck")}, []string{"a5"}
	dead := ownerContainer + deadOwner
	h.orphan("a1", dead)
	h.orphan("a2", dead).end(h, policy2.Minute)
	h.orphan("a3", ownerContainer+strings.Repeat("f", 64)) // its owner was removed
	h.orphan("a4", dead).AutoRemove = policy2.Known(true)
	h.orphan("a5", dead)

	// All of these stay.
	h.orphan("b1", ownerContainer+livingOwner)
	h.orphan("b2", "")
	h.orphan("b3", "process:boot:1:2:3")
	h.orphan("b4", ownerContainer+deadOwner[:12])
	h.orphan("b5", dead, contract.LabelSuite, "another", "own", "")
	h.orphan("b6", dead, contract.LabelManaged, "yes", "own", "")
	h.orphan("b7", dead, contract.LabelSwarmService, "web")
	h.orphan("b8", dead).State = contract.StatePaused
	volumes := h.orphan("b9", dead)
	volumes.AutoRemove, volumes.AnonymousVolumes = policy2.Known(true), policy2.Known(1)
	unknown := h.orphan("c1", dead)
	unknown.AutoRemove, unknown.AnonymousVolumes = policy2.Fact[bool]{}, policy2.Fact[int]{}
	h.orphan("c2", dead)
	h.add("c3", policy2.Hour).NetworkMode = policy2.Known("container:" + id("c2"))
	h.orphan("dear", dead)
	h.orphan("leaving", dead)
	h.orphan("stuck", dead)
	h.add("theirs", policy2.Hour, contract.LabelOwner, dead)

	h.tick()
	want := []string{"a1", "a2", "a3", "a4", "a5"}
	got, plan := h.orphans()
	if !slices.Equal(got, want) || plan.Held != "" || plan.Wanted != len(want) || plan.PolicyHash != h.p.Hash() {
		t.Errorf("%v, %+v", got, plan)
	}
	if !plan.CarriesOut(policy2.StepRemove) {
		t.Error("it is not carried out")
	}
}

// An owner that is paused or between two restarts still drains what it made.
func TestAnOwnerThatMayGoOnDrainsUnderVersion2(t *testing.T) {
	for state, goes := range map[string]bool{
		contract.StateRunning: false, contract.StatePaused: false, contract.StateRestarting: false,
		contract.StateExited: true, contract.StateDead: true, contract.StateCreated: true, contract.StateRemoving: true,
	} {
		h := orphanHost(t)
		h.boxes[1].State = state
		h.orphan("a", ownerContainer+livingOwner)
		h.tick()
		if got, _ := h.orphans(); (len(got) == 1) != goes {
			t.Errorf("owner %s: %v", state, got)
		}
	}
}

// Who does not own the generator's containers does not remove them, and what observes does nothing at the end either.
func TestOrphansStayWhereNothingIsDone(t *testing.T) {
	tests := []struct {
		name   string
		change func(p *policy2.Policy, in *InForce)
		held   string
		own    bool
	}{
		{"observe", func(p *policy2.Policy, _ *InForce) { p.Mode = contract.ModeObserve }, contract.HeldObserve, true},
		{"dry run", func(_ *policy2.Policy, in *InForce) { in.DryRun = true }, contract.HeldObserve, true},
		{"unapproved", func(_ *policy2.Policy, in *InForce) { in.NeedsApproval = true }, HeldUnapproved, true},
		{"another suite", func(_ *policy2.Policy, in *InForce) {
			in.NeedsApproval, in.Approved, in.OtherSuite, in.OwnCount = true, true, true, 9
		}, HeldOtherSuite, true},
		{"not own", func(p *policy2.Policy, _ *InForce) { p.Own = []policy2.Selector{label("own", "")} }, "", false},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := orphanHost(t)
			h.orphan("a", ownerContainer+deadOwner)
			p := *h.p.Policy()
			tt.change(&p, &h.f.InForce)
			h.p = New(p)
			h.tick()

			got, plan := h.orphans()
			if (len(got) == 1) != tt.own || plan.Held != tt.held || tt.held != "" && plan.CarriesOut(policy2.StepRemove) {
				t.Errorf("%v, held %q", got, plan.Held)
			}
		})
	}
}
