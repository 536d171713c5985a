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

// TestDocumentedFiguresAreMeasured: the first line of each table in docs/policy.md is what the simulator prints today.
// Ten simulated hours take seconds under the race detector, so that two of the tables wait for a soak.
func TestDocumentedFiguresAreMeasured(t *testing.T) {
	docs, err := os.ReadFile(filepath.Join("..", "..", "..", "..", "docs", "policy.md"))
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

// The section on version 2 shows an example of the repository, what check-policy says of it, and each key that there is.
func TestDocumentedVersion2(t *testing.T) {
	root := filepath.Join("..", "..", "..", "..")
	page, err := os.ReadFile(filepath.Join(root, "docs", "policy.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, section, ok := strings.Cut(string(page), "\n## Version 2")
	if !ok {
		t.Fatal("docs/policy.md has no section on version 2")
	}
	block := func(language string) string {
		_, text, _ := strings.Cut(section, "```"+language+"\n")
		text, _, _ = strings.Cut(text, "```")
		return text
	}

	example := filepath.Join(root, "policy", "examples", "previews.yaml")
	want, err := policyfile.Load(example)
	if err != nil {
		t.Fatal(err)
	}
	if shown, err := policyfile.Parse([]byte(block("yaml"))); err != nil || shown.Hash() != want.Hash() {
		t.Errorf("the example is another policy than %s: %v", example, err)
	}
	if _, out, _ := call(CheckPolicy(Defaults{}), example); block("text") == "" || !strings.HasSuffix(out, "\n\n"+block("text")) {
		t.Errorf("check-policy says of the example now\n%s", out)
	}

	for _, key := range keysOf(reflect.TypeFor[policy2.Policy]()) {
		if !strings.Contains(section, "`"+key) {
			t.Errorf("the key %s is not told of", key)
		}
	}
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
