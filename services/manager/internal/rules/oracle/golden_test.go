package oracle

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gestor.local/contract"
	"gestor.local/manager/internal/reason"
	"gestor.local/manager/internal/rules/oracle/oracletest"
)

var update = flag.Bool("update", false, "write the golden plans anew")

// golden is a plan with the reason of each verdict in words, as it is recorded and shown.
type golden struct {
	Plan  contract.Plan     `json:"plan"`
	Texts map[string]string `json:"texts"` // by container name, id where it has none
}

// TestGoldenPlans holds whole plans still: a change of any field of any verdict shows here first.
func TestGoldenPlans(t *testing.T) {
	for name, drawn := range oracletest.GoldenInputs() {
		in := inputOf(drawn)
		t.Run(name, func(t *testing.T) {
			plan := in.decide()
			out := golden{Plan: plan, Texts: map[string]string{}}
			for _, v := range plan.Verdicts {
				who := v.Name
				if who == "" {
					who = v.ID
				}
				out.Texts[who] = reason.Text(v, plan, reason.Inputs{})
			}

			got, err := json.MarshalIndent(out, "", " ")
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, '\n')
			path := filepath.Join("testdata", "golden", name+".json")
			if *update {
				if err := os.WriteFile(path, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}

			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(want, got) {
				t.Errorf("%s differs (if it is meant to, run the test with -update): %s", path, cmp.Diff(string(want), string(got)))
			}
		})
	}
}
