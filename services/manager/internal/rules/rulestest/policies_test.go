package rulestest_test

import (
	"testing"

	"pgregory.net/rapid"

	"gestor.local/contract/policy2"
	"gestor.local/manager/internal/policyfile"
)

// example is a policy of the folder policy/examples.
func example(t *testing.T, name string) policy2.Policy {
	t.Helper()
	document, err := policyfile.Load("../../../../../policy/examples/" + name + ".yaml")
	if err != nil {
		t.Fatal(err)
	}
	if document.V2 == nil {
		t.Fatalf("%s.yaml is no policy of version 2", name)
	}
	return *document.V2
}

func label(text string) policy2.Selector {
	l, err := policy2.ParseLabel(text)
	if err != nil {
		panic(err)
	}
	return policy2.Selector{Label: &l}
}

func ladder(steps ...any) policy2.Ladder {
	var out policy2.Ladder
	after := policy2.Duration(0)
	for _, s := range steps {
		switch s := s.(type) {
		case policy2.Duration:
			after = s
		case string:
			rung, err := policy2.ParseStep(s)
			if err != nil {
				panic(err)
			}
			rung.After = after
			out = append(out, rung)
		}
	}
	return out
}

// TestDrawnPoliciesAreValid holds the generator of the properties to what a file may say.
func TestDrawnPoliciesAreValid(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		p := drawPolicy(rt)
		if problems := p.Validate(); len(problems) > 0 {
			rt.Fatalf("%v\n%+v", problems, p)
		}
	})
}
