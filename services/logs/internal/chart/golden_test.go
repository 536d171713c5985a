package chart

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"gestor.local/logs/internal/chart/charttest"
)

// goldenRun is a quarter of an hour with a gap of two minutes.
func goldenRun() (charttest.Run, Query) {
	run := charttest.Run{Start: epoch(), Length: 15 * time.Minute, Seed: 5, Away: []charttest.Span{{From: 6 * time.Minute, To: 8 * time.Minute}}}
	return run, Query{Since: epoch(), Until: epoch().Add(15 * time.Minute), Newest: epoch()}
}

func TestModelsMatchTheGoldenOnes(t *testing.T) {
	run, q := goldenRun()
	for _, m := range build(t, q, run.Records()) {
		t.Run(m.Name, func(t *testing.T) {
			text, err := json.MarshalIndent(m, "", " ")
			if err != nil {
				t.Fatal(err)
			}
			text = append(text, '\n')
			file := filepath.Join("testdata", m.Name+".json")
			if *update {
				if err := os.WriteFile(file, text, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(parsed(t, want), parsed(t, text), cmpopts.EquateApprox(1e-9, 1e-9)); d != "" {
				t.Errorf("%s differs (go test -run Golden -update writes it anew):\n%s", file, d)
			}
		})
	}
}

// parsed reads a model: numbers are then compared with the tolerance that another processor's rounding needs.
func parsed(t *testing.T, text []byte) (v any) {
	t.Helper()
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatal(err)
	}
	return v
}
