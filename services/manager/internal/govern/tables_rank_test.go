package govern_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"gestor.local/contract"
	"gestor.local/manager/internal/govern"
	"gestor.local/manager/internal/journal"
	"gestor.local/manager/internal/policyfile"
	"gestor.local/manager/internal/rules/rulestest"
)

// The table of the example of version 1, by the whole governor: who goes is removed on the first tick on which all are measured, whoever
// stays is never touched, and the records say the rank of each. In mode shadow the same is said, and nothing is called.
func TestTableOfRank(t *testing.T) {
	document, err := policyfile.Load("../../../../policy/examples/rank.yaml")
	if err != nil {
		t.Fatal(err)
	}
	table := rulestest.Rank()

	for name, test := range map[string]struct {
		mode contract.Mode
		rows []rulestest.Ranked
		gone bool
	}{
		"all":            {contract.ModeEnforce, table, true},
		"in mode shadow": {contract.ModeShadow, table, false},
		"the first five": {contract.ModeEnforce, table[:5], false},
	} {
		t.Run(name, func(t *testing.T) {
			dir := memoryDir(t)
			synctest.Test(t, func(t *testing.T) {
				policy := *document.V1
				policy.Mode = test.mode
				h, verdicts := playRank(t, dir, policy, test.rows)

				for i, want := range test.rows {
					removes := want.Behind != "" && len(test.rows) == len(table)
					_, there := h.engine.Get(idOf(want))
					if there == (removes && test.gone) {
						t.Errorf("%s is there: %t, its verdict is %s", want.Name, there, want.Verdict)
					}
					v := verdicts[want.Name]
					if (v.Verdict == contract.VerdictRemove) != removes || v.Rank != i+1 {
						t.Errorf("%s: %s, rank %d, want rank %d and %s", want.Name, v.Verdict, v.Rank, i+1, want.Verdict)
					}
				}
				for _, c := range h.engine.Calls() {
					if !test.gone || c.ID != idOf(table[3]) && c.ID != idOf(table[4]) {
						t.Errorf("%s of %s", c.Op, c.ID)
					}
				}
			})
		})
	}
}

func idOf(r rulestest.Ranked) string {
	c := rulestest.Container{Name: r.Name}
	return c.ID()
}

// playRank runs the containers of the rows for some minutes, and returns the verdicts of the first plan of all.
func playRank(t *testing.T, dir string, policy contract.Policy, rows []rulestest.Ranked) (*tableHost, map[string]contract.Verdict) {
	t.Helper()
	time.Sleep(time.Until(tableT()))
	h := newTableHost(t, time.Duration(policy.Tick), 0)
	for _, r := range rows {
		h.add(rulestest.Container{
			Name: r.Name, Image: "course", Labels: map[string]string{contract.LabelManaged: "true", contract.LabelClass: string(contract.ClassLow)},
			CPU: rulestest.Always(int64(r.CPU)), RAMKB: rulestest.Always(r.RAM << 10), //nolint:gosec // of a table
		})
	}
	time.Sleep(tickPhase)

	j, recovered, err := journal.Open(dir, journal.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	var spool countingSpool
	kept := &reports{}
	o := govern.Options{
		Policy: policy, Host: "testhost", Reader: h, Engine: h.engine, Journal: j, Spool: &spool, Recovered: recovered,
		Boottime: h.boottime, Drain: 30 * time.Second, Sinks: []govern.Sink{kept}, Log: zerolog.Nop(),
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	if err := govern.New(o).Run(ctx); err != nil {
		t.Error(err)
	}
	h.end()

	verdicts := make(map[string]contract.Verdict)
	for _, r := range kept.ticks {
		if r.Plan == nil {
			continue
		}
		for _, v := range r.Plan.Verdicts {
			if _, known := verdicts[v.Name]; !known && v.Rank > 0 {
				verdicts[v.Name] = v
			}
		}
	}
	return h, verdicts
}
