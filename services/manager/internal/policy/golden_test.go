package policy

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gestor.local/contract"
)

var update = flag.Bool("update", false, "write the golden plans anew")

// golden is a plan with the reason of each verdict in words, as it is recorded and shown.
type golden struct {
	Plan  contract.Plan     `json:"plan"`
	Texts map[string]string `json:"texts"` // by container name, id where it has none
}

// TestGoldenPlans holds whole plans still: a change of any field of any verdict shows here first.
func TestGoldenPlans(t *testing.T) {
	for name, in := range goldenInputs() {
		t.Run(name, func(t *testing.T) {
			plan := in.decide()
			out := golden{Plan: plan, Texts: map[string]string{}}
			for _, v := range plan.Verdicts {
				who := v.Name
				if who == "" {
					who = v.ID
				}
				out.Texts[who] = Text(v, plan, Inputs{})
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

func goldenInputs() map[string]input {
	return map[string]input{
		"steady":  everyReason(func(*contract.Policy, *contract.Context) {}),
		"rank":    everyReason(func(p *contract.Policy, _ *contract.Context) { p.Classify = contract.ClassifyRank }),
		"capped":  everyReason(func(p *contract.Policy, _ *contract.Context) { p.Caps.PerTick = 1 }),
		"reload":  everyReason(func(_ *contract.Policy, c *contract.Context) { c.PolicyChanged = true }),
		"warmup0": everyReason(func(p *contract.Policy, _ *contract.Context) { p.Warmup = 0 }),
		"flood": everyReason(func(p *contract.Policy, _ *contract.Context) {
			p.Young.Max, p.Young.MemoryFloorKB = 2, 500_000
		}),
	}
}

// everyReason is a host with a container for nearly every reason there is.
func everyReason(change func(*contract.Policy, *contract.Context)) input {
	boxes := append(append(lows(6), highs(4)...), box{name: "stranger", cpu: 900, ram: 90_000}, box{name: "gestor-logs", class: "low", cpu: 1, ram: 900},
		box{name: "database", class: "high", cpu: 300, ram: 90_000}, box{name: "unknown", cpu: 5, ram: 900}, box{name: "paused", class: "low", ram: 900},
		box{name: "leaving", class: "low", cpu: 700, ram: 900}, box{name: "stuck", class: "low", cpu: 700, ram: 900},
		box{name: "futile", class: "low", cpu: 700, ram: 900}, box{name: "exited", class: "low", ram: 900}, box{name: "rowless", class: "low", ram: 900},
		box{name: "entryless", class: "low", ram: 900}, box{name: "odd", class: "low", cpu: 1, ram: 900},
		box{name: "new-1", class: "low", ram: 100_000, age: 4}, box{name: "new-2", class: "low", ram: 100_000, age: 3},
		box{name: "new-3", class: "high", ram: 100_000, age: 2}, box{name: "new-4", class: "low", ram: 100_000, age: 1})

	in := input{p: contract.DefaultPolicy(), ctx: contract.Context{
		Tick:    42,
		Leaving: []string{id("leaving")}, Stuck: []string{id("stuck")}, FutileNames: []string{"futile"},
	}}

	in.pop, in.inv = buildInput(boxes...)
	in.pop.Memory = contract.Memory{TotalKB: 1 << 21, AvailableKB: 350_000}
	in.p.Protect.Names = []string{"database"}
	for i := range boxes {
		e, m := &in.inv.Entries[i], &in.pop.Members[i]
		switch boxes[i].name {
		case "stranger":
			e.Labels = nil
		case "gestor-logs":
			e.Labels[contract.LabelRole], e.Labels[contract.LabelConfigHash] = "logs", "1"
		case "paused":
			e.State = contract.StatePaused
		case "exited":
			e.State = "exited"
		case "odd":
			m.Measured, m.Why = false, contract.UnmeasuredImpossible
		case "new-1", "new-2", "new-3", "new-4":
			m.Measured, m.Why, m.SeenTicks = false, contract.UnmeasuredBaseline, 1
		}
	}

	in.pop.Members = withoutMember(in.pop.Members, id("rowless"))
	in.inv.Entries = withoutEntry(in.inv.Entries, id("entryless"))
	change(&in.p, &in.ctx)
	return in
}

func withoutMember(all []contract.Member, id string) (out []contract.Member) {
	for _, m := range all {
		if m.ID != id {
			out = append(out, m)
		}
	}
	return out
}

func withoutEntry(all []contract.Entry, id string) (out []contract.Entry) {
	for _, e := range all {
		if e.ID != id {
			out = append(out, e)
		}
	}
	return out
}
