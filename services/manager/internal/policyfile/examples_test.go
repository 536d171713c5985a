package policyfile

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the golden files anew")

// Whatever policy the repository ships says each of its rules in a sentence, and raises no warning.
func TestShippedPoliciesInSentences(t *testing.T) {
	folder := filepath.Join("..", "..", "..", "..", "policy")
	files, err := filepath.Glob(filepath.Join(folder, "examples", "*.yaml"))
	if err != nil || len(files) < 4 {
		t.Fatalf("examples: %q, %v", files, err)
	}

	var got strings.Builder
	for _, file := range append(files, filepath.Join(folder, "policy.yaml")) {
		d, err := Load(file)
		if err != nil {
			t.Error(err)
			continue
		}
		if d.V2 == nil {
			continue
		}

		got.WriteString("# " + strings.TrimPrefix(file, folder+"/") + "\n")
		for _, rule := range d.V2.Rules {
			got.WriteString("  " + rule.Sentence(*d.V2) + "\n")
		}
		for _, warning := range d.V2.Warnings() {
			t.Errorf("%s: %s", file, warning)
		}
	}

	golden := filepath.Join(folder, "examples", "sentences.txt")
	if *update {
		if err := os.WriteFile(golden, []byte(got.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if want, err := os.ReadFile(golden); err != nil || got.String() != string(want) {
		t.Errorf("%s (-update writes it): %v, got\n%s", golden, err, got.String())
	}
}
