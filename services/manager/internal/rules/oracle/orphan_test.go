package oracle

import (
	"slices"
	"strings"
	"testing"

	"gestor.local/contract"
)

func TestOrphansAreWhatNobodyWillDrain(t *testing.T) {
	dead, living := strings.Repeat("d", 64), strings.Repeat("e", 64)
	entry := func(name, owner string, more ...string) contract.Entry {
		e := contract.Entry{
			ID: name + strings.Repeat("0", 64-len(name)), Name: name, State: contract.StateRunning,
			Labels: map[string]string{contract.LabelManaged: "true", contract.LabelSuite: "s", contract.LabelClass: "low", contract.LabelOwner: owner},
		}

		for i := 0; i+1 < len(more); i += 2 {
			e.Labels[more[i]] = more[i+1]
		}
		return e
	}

	in := func(e contract.Entry, state string) contract.Entry { e.State = state; return e }
	p := contract.DefaultPolicy()
	p.Protect.Names = []string{"dear"}
	inv := contract.Inventory{Entries: []contract.Entry{
		{ID: living, Name: "generator", State: contract.StateRunning, Labels: map[string]string{contract.LabelRole: "generator"}},
		{ID: dead, Name: "old-generator", State: "exited", Labels: map[string]string{contract.LabelRole: "generator"}},
		entry("a1", "container:"+dead),
		in(entry("a2", "container:"+dead), "exited"),
		in(entry("a3", "container:"+dead), "created"),
		entry("a4", "container:"+strings.Repeat("f", 64)), // its owner was removed
		entry("a5", "container:"+dead, contract.LabelClass, "neither"),
		entry("a6", "container:"+dead, contract.LabelRole, "logs"), // anybody may write that
		// All of these stay.
		entry("b1", "container:"+living),
		entry("b2", ""),
		entry("b3", "process:boot:1:2:3"),
		entry("b4", "container:"),
		entry("b5", "container:"+dead[:12]),
		entry("b6", "container:"+dead, contract.LabelSuite, "another"),
		entry("b7", "container:"+dead, contract.LabelManaged, "false"),
		entry("b8", "container:"+dead, contract.LabelRole, "logs", contract.LabelConfigHash, "1", contract.LabelProject, "s"),
		in(entry("b9", "container:"+dead), contract.StatePaused),
		entry("dear", "container:"+dead),
		entry("leaving", "container:"+dead),
	}}

	plan := Orphans(p, inv, contract.Context{Suite: "s", Leaving: []string{"leaving" + strings.Repeat("0", 57)}})
	wantRemoved(t, plan, "a1", "a2", "a3", "a4", "a6", "a5")
	for _, v := range plan.Verdicts {
		if v.Verdict == contract.VerdictRemove && v.Reason != contract.ReasonOrphaned {
			t.Errorf("%s: reason %q", v.Name, v.Reason)
		}
	}

	slices.Reverse(inv.Entries)
	wantRemoved(t, Orphans(p, inv, contract.Context{Suite: "s", Leaving: []string{"leaving" + strings.Repeat("0", 57)}}), "a1", "a2", "a3", "a4", "a6", "a5")
}

// An owner that is paused, or between two restarts, still drains what it made.
func TestAnOwnerThatDoesNotRunJustNowIsNoDeadOwner(t *testing.T) {
	owner := strings.Repeat("e", 64)
	for state, gone := range map[string]bool{
		contract.StateRunning: false, contract.StatePaused: false, contract.StateRestarting: false, "exited": true, "dead": true, "created": true, "removing": true,
	} {
		inv := contract.Inventory{Entries: []contract.Entry{
			{ID: owner, Name: "generator", State: state, Labels: map[string]string{contract.LabelRole: "generator"}},
			{ID: strings.Repeat("a", 64), Name: "a", State: contract.StateRunning, Labels: map[string]string{
				contract.LabelManaged: "true", contract.LabelClass: "low", contract.LabelOwner: ownerContainer + owner,
			}},
		}}
		if got := len(removed(Orphans(contract.DefaultPolicy(), inv, contract.Context{}))) == 1; got != gone {
			t.Errorf("owner %s: its container goes: %t, want %t", state, got, gone)
		}
	}
}
