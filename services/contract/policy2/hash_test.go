package policy2

import (
	"encoding/json"
	"testing"
)

// Hashes are on record and in approvals: what a policy is called must not change with the code.
func TestHashStays(t *testing.T) {
	for want, p := range map[string]Policy{"732322c128ed6784": Default(), "3fc31e57eb5e45a2": decoded(t, everyKey)} {
		if got := p.Hash(); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	if got, want := decoded(t, everyKey).Rules[2].Hash(), "aabdeab14a614ff1"; got != want {
		t.Errorf("rule: got %s, want %s", got, want)
	}
}

// What says when and whether plans are carried out is no part of it, nor is what has its default.
func TestHashLeavesOut(t *testing.T) {
	same := []string{
		`"mode":"observe","tick":"1m"`, `"gates":{"degraded_after":7}`, `"surprise":30`, `"idle":{"cpu":"0.1%"}`,
		`"own":[{"label":"gestor.managed=true"}]`, `"act":{"calls":["stop","remove"],"parallel":4}`, `"images":{}`,
		`"budget":["5 per tick","30 per 1m","30 per 60m"]`,
	}
	for _, keys := range same {
		if got, want := decoded(t, keys).Hash(), Default().Hash(); got != want {
			t.Errorf("%s: got %s, want that of the default, %s", keys, got, want)
		}
	}

	written := decoded(t, `"rules":[{"name":"hogs","each":"container","when":{"cpu":"150%","for":"300s"},"do":"throttle","calm":"10m"}]`)
	short := decoded(t, `"rules":[{"name":"hogs","when":{"for":"5m","cpu":"150%"},"do":"throttle"}]`)
	if written.Hash() != short.Hash() || written.Rules[0].Hash() != short.Rules[0].Hash() {
		t.Error("defaults that a rule writes change its hash")
	}
}

// Every other key is a part of it: each policy here differs from the others.
func TestHashTellsApart(t *testing.T) {
	seen := map[string]string{Default().Hash(): "default"}
	for _, keys := range []string{
		`"own":[]`, `"own":[{"label":"a"}]`, `"protect":[{"label":"a"}]`, `"rules":[{"name":"a","do":"warn"}]`, `"rules":[{"name":"b","do":"warn"}]`,
		`"rules":[{"name":"a","each":"project","do":"warn"}]`, `"rules":[{"name":"a","do":"warn"},{"name":"b","do":"warn"}]`,
		`"rules":[{"name":"b","do":"warn"},{"name":"a","do":"warn"}]`, `"budget":["5 per tick","30 per 1m"]`, `"surprise":31`,
		`"idle":{"cpu":"0.2%"}`, `"idle":{"net":"0"}`, `"rank":["rss","cpu","ram","vsz"]`, `"buckets":{"ram_kb":1}`, `"warmup":0`,
		`"young":{"max":1}`, `"images":{"a":"low"}`, `"act":{"parallel":1}`, `"act":{"grace":"6s"}`,
	} {
		hash := decoded(t, keys).Hash()
		if other, ok := seen[hash]; ok {
			t.Errorf("%s and %s have one hash", keys, other)
		}
		seen[hash] = keys
	}
}

// A rule is known by what it says, wherever it stands.
func TestRuleHash(t *testing.T) {
	rules := decoded(t, everyKey).Rules
	seen := map[string]bool{}
	for _, r := range rules {
		seen[r.Hash()] = true
		text, _ := json.Marshal(r)
		var again Rule
		if err := json.Unmarshal(text, &again); err != nil || again.Hash() != r.Hash() {
			t.Errorf("%s: %v", text, err)
		}
	}
	if len(seen) != len(rules) {
		t.Errorf("%d rules have %d hashes", len(rules), len(seen))
	}
}
