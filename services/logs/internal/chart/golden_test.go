package chart

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"gestor.local/logs/internal/chart/charttest"
)

var update = flag.Bool("update", false, "write the golden files anew")

func TestModelsMatchTheGoldenOnes(t *testing.T) {
	q := Query{Since: epoch(), Until: epoch().Add(15 * time.Minute), Newest: epoch()}
	for _, m := range build(t, q, charttest.Golden().Records()) {
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
