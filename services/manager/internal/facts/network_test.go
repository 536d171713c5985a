package facts_test

import (
	"testing"

	"gestor.local/contract/policy2"
	"gestor.local/manager/internal/facts"
)

// Only an own container that a rule with idle may speak of costs a reading of its network.
func TestAsksIdle(t *testing.T) {
	label := func(key string) []policy2.Selector {
		return []policy2.Selector{{Label: &policy2.Label{Key: key, Any: true}}}
	}
	idle := policy2.Conditions{Idle: policy2.Hour}
	own := map[string]string{"own": "", "web": ""}
	cases := map[string]struct {
		labels map[string]string
		rule   policy2.Rule
		want   bool
	}{
		"of everybody":         {own, policy2.Rule{When: idle}, true},
		"of those":             {own, policy2.Rule{Match: label("web"), When: idle}, true},
		"when the rest goes":   {own, policy2.Rule{Match: label("web"), RestWhen: idle}, true},
		"of others":            {own, policy2.Rule{Match: label("db"), When: idle}, false},
		"of something else":    {own, policy2.Rule{When: policy2.Conditions{Age: policy2.Hour}}, false},
		"not own":              {map[string]string{"web": ""}, policy2.Rule{When: idle}, false},
		"its image is unknown": {own, policy2.Rule{Match: []policy2.Selector{{Image: []string{"mcp/*"}}}, When: idle}, true},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			p := policy2.Policy{Own: label("own"), Rules: []policy2.Rule{c.rule}}
			id := &policy2.Identity{ID: id(1), Labels: c.labels, Socket: policy2.Known(false)}
			if got := facts.AsksIdle(&p, policy2.Suite{})(id); got != c.want {
				t.Errorf("%t, want %t", got, c.want)
			}
		})
	}
}
