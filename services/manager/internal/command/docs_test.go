package command

import (
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"gestor.local/contract/policy2"
	"gestor.local/manager/internal/policyfile"
)

// TestDocumentedFiguresAreMeasured: the first line of each table in docs/policy-1.md is what the simulator prints today.
// Ten simulated hours take seconds under the race detector, so that two of the tables wait for a soak.
func TestDocumentedFiguresAreMeasured(t *testing.T) {
	docs, err := os.ReadFile(filepath.Join("..", "..", "..", "..", "docs", "policy-1.md"))
	if err != nil {
		t.Fatal(err)
	}
	columns := regexp.MustCompile(`\s{2,}`)
	runs := [][]string{{"--seed", "1", "--hours", "10"}}
	if os.Getenv("GESTOR_SOAK") == "1" {
		runs = append(runs, []string{"--workload", "fading"}, []string{"--workload", "seed", "--phase", "1s", "--cpus", "16"})
	}
	for _, args := range runs {
		code, out, errs := call(Simulate(), args...)
		lines := strings.Split(strings.TrimSpace(out), "\n")
		if code != 0 || len(lines) != 2 {
			t.Fatalf("%v: %d %s%s", args, code, out, errs)
		}
		cells := columns.Split(strings.TrimSpace(lines[1]), -1)[1:] // without the workload
		if row := "| " + strings.Join(cells, " | ") + " |"; !strings.Contains(string(docs), row) {
			t.Errorf("simulate %s says now\n%s", strings.Join(args, " "), row)
		}
	}
}

// The page shows policies, and behind each what check-policy says of it: its sentences, its warnings or its errors. The
// default and those of the tasks are the files of the repository, and each key that there is stands on the page.
func TestDocumentedPolicies(t *testing.T) {
	root := filepath.Join("..", "..", "..", "..")
	page := readText(t, filepath.Join(root, "docs", "policy.md"))
	hashes := map[string]bool{}
	for _, one := range shown(t, page) {
		path := filepath.Join(t.TempDir(), "policy.yaml")
		if err := os.WriteFile(path, []byte(one.policy), 0o600); err != nil {
			t.Fatal(err)
		}
		if d, err := policyfile.Load(path); err == nil {
			hashes[d.Hash()] = true
		}
		if _, out, errs := call(CheckPolicy(Defaults{}), path); !strings.Contains(out+errs, one.said) {
			t.Errorf("check-policy says now of\n%s\n%s%s\nand not\n%s", one.policy, out, errs, one.said)
		}
	}

	for _, file := range []string{"policy.yaml", "examples/agents.yaml", "examples/previews.yaml", "examples/lab.yaml"} {
		d, err := policyfile.Load(filepath.Join(root, "policy", file))
		if err != nil || !hashes[d.Hash()] {
			t.Errorf("the page shows no policy like %s: %v", file, err)
		}
	}
	for _, key := range keysOf(reflect.TypeFor[policy2.Policy]()) {
		if !strings.Contains(page, "`"+key) {
			t.Errorf("the key %s is not told of", key)
		}
	}
}

func readText(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// example is a policy on a page, and what the page says that check-policy says of it.
type example struct{ policy, said string }

// shown are the policies of a page, each with the answers that stand behind it and before the next one. The second answer behind a
// policy is of the first policy of the page, which stands at its top and is explained further down.
func shown(t *testing.T, page string) (found []example) {
	t.Helper()
	blocks := regexp.MustCompile("(?ms)^```(yaml|text)\n(.*?)^```")
	answer := regexp.MustCompile(`^(# The rules, |# Warnings:|#   [0-9]|line [0-9]+: )`)
	for _, m := range blocks.FindAllStringSubmatch(page, -1) {
		language, text, last := m[1], m[2], len(found)-1
		switch {
		case language == "yaml":
			found = append(found, example{policy: text})
		case !answer.MatchString(text):
		case last < 0 || found[last].said != "":
			found[0].said = text
		default:
			found[last].said = text
		}
	}

	for _, one := range found {
		if one.said == "" {
			t.Errorf("the page does not show what check-policy says of\n%s", one.policy)
		}
	}
	return found
}

// keysOf are the keys of a document of this type, those of its rules, selectors and conditions too.
func keysOf(of reflect.Type) (keys []string) {
	for field := range of.Fields() {
		key, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		if key != "" {
			keys = append(keys, key)
		}

		inner := field.Type
		for inner.Kind() == reflect.Slice || inner.Kind() == reflect.Pointer {
			inner = inner.Elem()
		}
		switch inner {
		case reflect.TypeFor[policy2.Rule](), reflect.TypeFor[policy2.Selector](), reflect.TypeFor[policy2.Conditions]():
			keys = append(keys, keysOf(inner)...)
		}
	}
	return keys
}
