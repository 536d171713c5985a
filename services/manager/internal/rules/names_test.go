package rules

import (
	"fmt"
	"testing"

	"gestor.local/contract"
	"gestor.local/contract/policy2"
)

// TestAMillionNames: a container that is renamed again and again takes up no more memory for it than one that had some names, and stays
// protected by every name that it had, remembered or not, whatever it is called later.
func TestAMillionNames(t *testing.T) {
	const renames = 1_000_000
	var names []string
	for n := range renames {
		name := fmt.Sprint("n", n)
		if n == renames/2 {
			name = "late-name"
		}
		names = withName(names, name)
	}
	if len(names) != policy2.MostPastNames+1 {
		t.Fatalf("%d names", len(names))
	}

	p := policy2.Default()
	p.Own = []policy2.Selector{{Label: &policy2.Label{Key: "own", Any: true}}}
	named := p
	named.Protect = []policy2.Selector{{Name: []string{"late-*"}}}
	standing := func(p policy2.Policy, had []string, name string) string {
		f := Facts{Tick: 2, BootID: "b", BootUS: 20_000_000, GUS: 20_000_000, Containers: []Container{{
			Identity: &policy2.Identity{ID: "c", Name: name, Labels: map[string]string{"own": ""}, Socket: policy2.Known(false)},
			InEngine: true, State: contract.StateRunning,
		}}}
		memory := Memory{Tick: 1, BootID: "b", BootUS: 10_000_000, GUS: 10_000_000, Containers: []ContainerMemory{{ID: "c", Names: had, Seen: 5}}}
		plan := Decide(New(p), memory, &f)
		return plan.Verdicts[0].Standing
	}

	for _, name := range []string{"n3", "n0", "n1000000", "another", "late-name"} {
		if got := standing(named, names, name); got != contract.ReasonProtected {
			t.Errorf("called %s it is %s", name, got)
		}
		if got := standing(p, names, name); got != StandingReady {
			t.Errorf("called %s it is %s, and nothing asks for a name", name, got)
		}
		if got := standing(named, names[:policy2.MostPastNames-1], name); got != StandingReady && name != "late-name" {
			t.Errorf("called %s it is %s, and all its names are known", name, got)
		}
	}
}
