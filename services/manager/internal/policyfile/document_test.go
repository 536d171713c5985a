package policyfile

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gestor.local/contract/policy2"
)

func writeFile(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "policy.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestTheVersionSaysWhichPolicyAFileHolds(t *testing.T) {
	for text, version := range map[string]int{
		"version: 1\n":                 1,
		"tick: 5s\nversion: 1\n":       1,
		"{\"version\": 1, tick: 5s}":   1,
		"version: 0x1\n":               1,
		"version: 2\n":                 2,
		"# two\nrules: []\nversion: 2": 2,
	} {
		d, err := Load(writeFile(t, text))
		switch {
		case err != nil:
			t.Errorf("%q: %v", text, err)
		case (d.V1 != nil) != (version == 1) || (d.V2 != nil) != (version == 2):
			t.Errorf("%q is read as %+v", text, d)
		case version == 1 && d.Hash() != d.V1.Hash() || version == 2 && d.Hash() != d.V2.Hash():
			t.Errorf("%q: hash %s", text, d.Hash())
		}
	}
}

// TestExamples: what the repository shows as a good policy is one, also after it was written and read again.
func TestExamples(t *testing.T) {
	rules := map[string]int{"agents": 4, "ci": 5, "previews": 2, "lab": 5, "rank": 0}
	paths, err := filepath.Glob(filepath.Join("..", "..", "..", "..", "policy", "examples", "*.yaml"))
	if err != nil || len(paths) != len(rules) {
		t.Fatalf("%v: %v", paths, err)
	}

	for _, path := range paths {
		name := strings.TrimSuffix(filepath.Base(path), ".yaml")
		d, err := Load(path)
		if err != nil {
			t.Error(err)
			continue
		}
		if (d.V1 != nil) != (name == "rank") || d.V2 != nil && len(d.V2.Rules) != rules[name] {
			t.Errorf("%s: %+v", name, d)
		}

		text, err := Format(d)
		if err != nil {
			t.Fatal(err)
		}
		again, err := Parse(text)
		if err != nil {
			t.Errorf("%s: %v in\n%s", name, err, text)
		}
		if diff := cmp.Diff(d, again); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func TestWhatIsLeftOutHasItsDefault(t *testing.T) {
	d, err := Parse([]byte("version: 2\n"))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(policy2.Default(), *d.V2); diff != "" {
		t.Error(diff)
	}
}
