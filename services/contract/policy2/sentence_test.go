package policy2

import (
	"encoding/json"
	"strings"
	"testing"
)

// ruleOf is a rule by its JSON.
func ruleOf(t *testing.T, text string) Rule {
	t.Helper()
	var r Rule
	if err := decodeStrictly([]byte(text), &r); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return r
}

// One rule of each kind, with its sentence in testdata/sentences.txt.
func TestSentences(t *testing.T) {
	rules := []string{
		// Of whom it speaks.
		`{"name":"all","do":"warn"}`,
		`{"name":"projects","each":"project","do":"warn"}`,
		`{"name":"label","match":[{"label":"a"}],"do":"warn"}`,
		`{"name":"value","match":[{"label":"a=x*"}],"do":"warn"}`,
		`{"name":"no value","match":[{"label":"a="}],"do":"warn"}`,
		`{"name":"labels","match":[{"labels":["a","b=1"]}],"do":"warn"}`,
		`{"name":"every key","match":[{"label":"a","network":["n"],"image":["mcp/*","x"],"name":["y"],"project":["p","q"],"class":["low"]}],"do":"warn"}`,
		`{"name":"any of two","match":[{"image":["mcp/*"]},{"name":["act-*"],"label":"a"}],"do":"warn"}`,

		// When it holds.
		`{"name":"age","when":{"age":"36h"},"do":"warn"}`,
		`{"name":"age of a project","each":"project","when":{"age":"3d"},"do":"warn"}`,
		`{"name":"idle","when":{"idle":"15m"},"do":"warn"}`,
		`{"name":"cpu","when":{"cpu":"150%","for":"5m"},"do":"warn"}`,
		`{"name":"size","when":{"ram":"2GiB"},"do":"warn"}`,
		`{"name":"share","when":{"ram":"12.5%"},"do":"warn"}`,
		`{"name":"processes","when":{"processes":500},"do":"warn"}`,
		`{"name":"one process","when":{"processes":1},"do":"warn"}`,
		`{"name":"restarts","when":{"restarts":"7 in 10m"},"do":"warn"}`,
		`{"name":"one restart","when":{"restarts":"1 in 1h"},"do":"warn"}`,
		`{"name":"ended","when":{"ended":"1d"},"do":"warn"}`,
		`{"name":"expired","when":{"expired":"ci.ttl"},"do":"warn"}`,
		`{"name":"several","when":{"age":"1h","cpu":"50%","processes":9,"for":"1m"},"do":"warn"}`,

		// What is done.
		`{"name":"stays","match":[{"label":"a=main"}],"do":"keep"}`,
		`{"name":"stays while","when":{"processes":9},"do":"keep"}`,
		`{"name":"throttle","do":"throttle"}`,
		`{"name":"throttle to","do":"throttle to 33.33%","calm":"20m"}`,
		`{"name":"throttle of cpu","when":{"cpu":"150%","for":"5m"},"do":"throttle to 50%"}`,
		`{"name":"throttle of cpu and more","when":{"cpu":"150%","age":"1h","for":"5m"},"do":"throttle to 50%"}`,
		`{"name":"stop","do":"stop"}`,
		`{"name":"stop deletes","do":"stop","rm":"remove"}`,
		`{"name":"remove","do":"remove"}`,
		`{"name":"volumes","do":"remove","volumes":"anonymous"}`,

		// Step by step.
		`{"name":"notice","do":["warn",{"after":"1d","do":"remove"}]}`,
		`{"name":"notice, then a stop","do":["warn",{"after":"1d","do":"stop"}],"rm":"remove"}`,
		`{"name":"stop first","do":["stop",{"after":"10m","do":"remove"}]}`,
		`{"name":"all four","do":["warn",{"after":"1h","do":"throttle"},{"after":"2h","do":"stop"},{"after":"30m","do":"remove"}]}`,
		`{"name":"from a throttle","do":["throttle",{"after":"2h","do":"stop"},{"after":"30m","do":"remove"}]}`,
		`{"name":"notice, then a throttle","do":["warn",{"after":"2h","do":"throttle to 20%"}]}`,

		// Places.
		`{"name":"newest","each":"container","keep":{"newest":2},"rest":"stop"}`,
		`{"name":"lightest","match":[{"class":["low"]}],"each":"container","keep":{"lightest":1,"per":"image"},"rest":"remove"}`,
		`{"name":"per project","each":"container","keep":{"heaviest":3,"per":"project"},"rest":["warn",{"after":"1h","do":"remove"}]}`,
		`{"name":"per class","each":"container","keep":{"oldest":3,"per":"class"},"rest":"warn"}`,
		`{"name":"per label","each":"project","keep":{"newest":2,"per":"label a"},"rest_when":{"age":"3d","for":"1m"},"rest":"warn"}`,
		`{"name":"slowed rest","each":"container","keep":{"newest":2},"rest_when":{"cpu":"50%"},"rest":"throttle to 20%"}`,
		`{"name":"name\u001b[31m\u202e","do":"warn"}`,
	}

	var got strings.Builder
	for _, text := range rules {
		r := ruleOf(t, text)
		s := r.Sentence(Default())
		if strings.ContainsAny(s, "\n\x1b") || !strings.HasSuffix(s, ".") {
			t.Errorf("%q is no sentence of one line", s)
		}
		got.WriteString(text + "\n  " + s + "\n")
	}
	golden(t, "sentences.txt", got.String())
}

// What a bare throttle leaves stands in the policy.
func TestSentenceOfPolicy(t *testing.T) {
	p := Default()
	p.Act.ThrottleMillicores = 1500
	if got := ruleOf(t, `{"name":"a","do":"throttle"}`).Sentence(p); !strings.Contains(got, "slowed to 150% of a core") {
		t.Error(got)
	}
}

// Whatever a rule has stands in its sentence: each change of one value changes it.
func TestSentenceNamesEveryKey(t *testing.T) {
	bases := []string{
		`{"name":"r","match":[{"label":"a=1","labels":["b","c=2"],"network":["n"],"image":["i"],"name":["m"],"project":["p"],"class":["low"]},{"label":"z"}],
		  "each":"container","when":{"age":"1h","idle":"2h","cpu":"150%","ram":"10%","processes":500,"restarts":"5 in 10m","ended":"3h","expired":"ttl","for":"5m"},
		  "do":["warn",{"after":"1h","do":"throttle to 50%"},{"after":"2h","do":"stop"}],"calm":"20m","rm":"remove"}`,
		`{"name":"r","each":"project","keep":{"newest":2,"per":"label k"},"rest_when":{"age":"1h","ram":"2GiB","for":"5m"},
		  "rest":["stop",{"after":"2h","do":"remove"}],"volumes":"anonymous"}`,
	}
	// What stands for another value of each kind.
	other := map[string]any{
		"a=1": "a=2", "b": "B", "c=2": "c", "n": "N", "i": "I", "m": "M", "p": "P", "low": "high", "z": "Z", "r": "R",
		"1h": "61m", "2h": "121m", "3h": "181m", "5m": "6m", "20m": "21m", "150%": "151%", "10%": "2KiB", "2GiB": "1GiB",
		"5 in 10m": "6 in 10m", "ttl": "TTL", "container": "project", "project": "container", "label k": "label K",
		"throttle to 50%": "throttle to 51%", "warn": nil, "stop": nil, "remove": nil, "anonymous": nil,
	}

	for _, base := range bases {
		var tree map[string]any
		if err := json.Unmarshal([]byte(base), &tree); err != nil {
			t.Fatal(err)
		}
		want, changes := ruleOf(t, base).Sentence(Default()), 0

		changeEach(tree, other, func(path string) {
			text, _ := json.Marshal(tree)
			var r Rule
			if json.Unmarshal(text, &r) != nil {
				return // without a step that a wait stands before
			}
			changes++
			if r.Sentence(Default()) == want {
				t.Errorf("%s was changed or left out, and the sentence is the same:\n%s", path, want)
			}
		})
		if changes < 15 {
			t.Errorf("%d changes tried", changes)
		}
	}
}

// changeEach calls try with one value of the tree replaced, then with it left out, for every value; afterwards the tree is as
// it was.
func changeEach(tree map[string]any, other map[string]any, try func(path string)) {
	for key, value := range tree {
		switch v := value.(type) {
		case map[string]any:
			changeEach(v, other, func(path string) { try(key + "." + path) })

		case []any:
			for i := range v {
				if inner, ok := v[i].(map[string]any); ok {
					changeEach(inner, other, func(path string) { try(key + "." + path) })
				} else if word, ok := v[i].(string); ok && other[word] != nil {
					v[i] = other[word]
					try(key)
					v[i] = word
				}
			}

		case float64:
			tree[key] = v + 1
			try(key)

		case string:
			if replacement := other[v]; replacement != nil {
				tree[key] = replacement
				try(key)
			}
		}

		// Without per there is one group; a rule that counts must say what.
		if key != "each" && key != "after" && key != "do" {
			delete(tree, key)
			try(key)
		}
		tree[key] = value
	}
}

func TestParticiple(t *testing.T) {
	want := map[Step]string{
		StepKeep: "kept", StepWarn: "warned", StepThrottle: "throttled", StepStop: "stopped",
		StepRemove: "removed",
	}
	for _, step := range Steps() {
		if got := step.Participle(); got != want[step] {
			t.Errorf("%s: %s", step, got)
		}
	}
}
