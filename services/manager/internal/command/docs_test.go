package command

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
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
