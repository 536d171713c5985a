package rules

import (
	"testing"

	"gestor.local/contract/policy2"
)

// TestAPlanOfNobodyHasAnEmptyList: a document with null is another one, and so is its hash in the journals of earlier releases.
func TestAPlanOfNobodyHasAnEmptyList(t *testing.T) {
	program := New(policy2.Default())
	for tick := range 3 {
		f := Facts{Tick: uint64(tick), BootID: "b", BootUS: 10_000_000, GUS: 10_000_000}
		if plan := Decide(program, Memory{}, &f); plan.Verdicts == nil || len(plan.Verdicts) > 0 {
			t.Errorf("tick %d: %#v", tick, plan.Verdicts)
		}
	}
}
