package journal

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"gestor.local/contract"
	"gestor.local/manager/internal/reason"
	"gestor.local/manager/internal/rules"
	"gestor.local/manager/internal/rules/oracle/oracletest"
)

// What the journal keeps of an inventory gives the same plan, and the same words for it.
func TestTrimmedInventoryDecidesAlike(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := oracletest.DrawInput(t)
		for i := range in.Inventory.Entries {
			labels := in.Inventory.Entries[i].Labels
			labels["stranger"] = "secret"
			if pairs := oracletest.DrawOrchestrated(t); len(pairs) > 0 {
				labels[pairs[0]] = pairs[1]
			}
		}
		slices.SortFunc(in.Inventory.Entries, func(a, b contract.Entry) int { return strings.Compare(a.ID, b.ID) })

		program, trimmed := rules.Compile(in.Policy), trim(in.Policy, in.Inventory)
		decided := func(inv contract.Inventory) string {
			plan := rules.DecideV1(program, in.Population, inv, in.Context)
			texts := reason.NewTexts(plan, reason.Inputs{Policy: &in.Policy, Inventory: &inv, Suite: in.Context.Suite})
			var words []string
			for _, v := range plan.Verdicts {
				words = append(words, texts.Of(v))
			}
			return asJSON(t, plan) + strings.Join(words, "\n")
		}
		if diff := cmp.Diff(decided(in.Inventory), decided(trimmed)); diff != "" {
			t.Fatal(diff)
		}
		if strings.Contains(asJSON(t, trimmed), "secret") {
			t.Fatal("a stranger's label is left")
		}
	})
}

func asJSON(t *rapid.T, v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
