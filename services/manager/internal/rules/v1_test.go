package rules_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"gestor.local/contract"
	"gestor.local/manager/internal/policy"
	"gestor.local/manager/internal/policy/policytest"
	"gestor.local/manager/internal/rules"
)

// decideV1 makes a plan of version 1 by the rules of version 2.
func decideV1(in policytest.Input) contract.Plan {
	program, facts := rules.Compile(in.Policy), rules.FactsOfV1(in.Population, in.Inventory, in.Context)
	return rules.AsV1(program, &facts, rules.Decide(program, rules.MemoryOfV1(in.Context), &facts))
}

// differs says how the plan by the rules differs from that of package policy, "" when their JSON is the same byte for byte.
func differs(in policytest.Input, got contract.Plan) string {
	want := policy.Decide(in.Policy, in.Population, in.Inventory, in.Context)
	wantText, wantErr := json.Marshal(want)
	gotText, gotErr := json.Marshal(got)
	if wantErr != nil || gotErr != nil {
		return "a plan cannot be written"
	}
	if bytes.Equal(wantText, gotText) {
		return ""
	}
	if diff := cmp.Diff(want, got); diff != "" {
		return diff
	}
	return cmp.Diff(string(wantText), string(gotText))
}

// Single ticks with everything in them that can happen, and those that a history cannot come to.
func TestVersionOneOnOneTick(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := policytest.DrawInput(t)
		if diff := differs(in, decideV1(in)); diff != "" {
			t.Fatal(diff)
		}
	})
}

// The golden plans of package policy come out of the rules byte for byte.
func TestVersionOneGoldenPlans(t *testing.T) {
	for name, in := range policytest.GoldenInputs() {
		text, err := os.ReadFile(filepath.Join("..", "policy", "testdata", "golden", name+".json"))
		if err != nil {
			t.Fatal(err)
		}
		var golden struct {
			Plan json.RawMessage `json:"plan"`
		}
		if err := json.Unmarshal(text, &golden); err != nil {
			t.Fatal(err)
		}

		got, err := json.MarshalIndent(decideV1(in), " ", " ")
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(golden.Plan, got) {
			t.Errorf("%s: %s", name, cmp.Diff(string(golden.Plan), string(got)))
		}
	}
}
