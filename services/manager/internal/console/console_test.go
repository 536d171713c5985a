package console_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rs/zerolog"

	"gestor.local/contract"
	"gestor.local/contract/policy2"
	"gestor.local/manager/internal/console"
	"gestor.local/manager/internal/govern"
	"gestor.local/manager/internal/govern/actuator"
	"gestor.local/manager/internal/journal"
	"gestor.local/manager/internal/planview"
	"gestor.local/manager/internal/rules"
)

var update = flag.Bool("update", false, "write the golden file anew")

func report() *govern.Report {
	r := planned()
	r.Classes = r.Plan.Counts
	return r
}

func planned() *govern.Report {
	measures := func(cpu, ram uint64) *contract.Measures {
		return &contract.Measures{CPUMillicores: cpu, RAMKB: ram, VSZKB: 2 * ram, RSSKB: ram}
	}
	neighbour := &contract.Neighbour{ID: strings.Repeat("a", 64), Name: "low-1", Rank: 1, Measures: contract.Measures{CPUMillicores: 5}}
	return &govern.Report{
		Tick: 12, At: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Mode: contract.ModeEnforce, Source: "module",
		Timings: contract.Timings{ReadUS: 900, ParseUS: 350},
		Population: &contract.Population{
			CPUs: 2, Memory: contract.Memory{TotalKB: 16 << 20, UsedKB: 3 << 20, FreeKB: 9 << 20, AvailableKB: 13 << 20}, Members: make([]contract.Member, 4),
		},
		Plan: &contract.Plan{
			Classify: contract.ClassifyDeclared,
			Counts: []contract.ClassCount{
				{Class: contract.ClassLow, Owned: 3, Eligible: 2, Quota: 1, Removals: 1}, {Class: contract.ClassHigh, Owned: 1, Eligible: 1, Quota: 2, Deficit: 1},
			},
			Verdicts: []contract.Verdict{
				{ID: strings.Repeat("a", 64), Name: "low-1", Image: "gestor/low-idle", Class: contract.ClassLow, Owned: true, Verdict: contract.VerdictKeep, Reason: contract.ReasonWithinQuota, Rank: 1, Cut: 1, Measures: measures(5, 800)},
				{ID: strings.Repeat("b", 64), Name: "low-2", Image: "gestor/low-pulse", Class: contract.ClassLow, Owned: true, Verdict: contract.VerdictRemove, Reason: contract.ReasonOverQuota, Rank: 2, Cut: 1, Measures: measures(25, 4000), Neighbour: neighbour, DecidingKey: contract.KeyCPU},
				{ID: strings.Repeat("c", 64), Name: "evil\x1b[2J", Class: contract.ClassLow, Owned: true, Verdict: contract.VerdictKeep, Reason: contract.ReasonYoung},
				{ID: strings.Repeat("d", 64), Name: "high-1", Image: "gestor/high-ram", Class: contract.ClassHigh, Owned: true, Verdict: contract.VerdictKeep, Reason: contract.ReasonWithinQuota, Rank: 1, Cut: 2, Measures: measures(990, 300_000)},
			},
		},
		Conditions: []govern.Condition{{Name: "paused", Title: "Owned containers have been paused for long", Text: "web; next: docker unpause", Ticks: 4}},
	}
}

// shadow is a tick of mode shadow: one container would be removed, one would have been and runs on, one of these has
// ended.
func shadow() *govern.Report {
	r := report()
	r.Mode, r.Held, r.Conditions = contract.ModeShadow, contract.HeldShadow, nil
	before := func(id, name, state string) journal.Shadowed {
		return journal.Shadowed{
			Tick: 9, Reason: contract.ReasonOverQuota, Class: contract.ClassLow,
			Entry:  contract.Entry{ID: strings.Repeat(id, 64), Name: name, Image: "gestor/low-idle", State: state},
			Member: &contract.Member{Measured: true, Measures: contract.Measures{CPUMillicores: 70, RAMKB: 900}},
		}
	}

	r.Shadow = []journal.Shadowed{before("e", "low-5", contract.StateRunning), before("f", "low-6", contract.StateExited)}
	return r
}

// ruled is a tick under a policy of version 2.
func ruled() *govern.Report {
	p := policy2.Default()
	p.Rules = []policy2.Rule{
		{Name: "hogs", When: policy2.Conditions{CPU: 15000, For: policy2.Minute}, Do: policy2.Ladder{{Step: policy2.StepThrottle}}},
		{Name: "old\x1b[2J", When: policy2.Conditions{Age: policy2.Day}, Do: policy2.Ladder{{Step: policy2.StepWarn}, {Step: policy2.StepStop, After: policy2.Day}}},
	}
	r := report()
	r.Plan, r.Classes, r.Mode, r.Held, r.Version2 = nil, nil, contract.ModeObserve, contract.HeldObserve, &govern.Version2{Policy: p}
	r.Conditions = []govern.Condition{{Name: contract.HeldObserve, Title: "Only observed", Text: "warn 1; next: look", Ticks: 4}}
	ready := func(id, name string, v rules.Verdict) rules.Verdict {
		v.ID, v.Name, v.Standing = strings.Repeat(id, 64), name, rules.StandingReady
		return v
	}
	r.Rules = &planview.View{
		Policy: p, Facts: &rules.Facts{WallUS: 1_796_000_000_000_000},
		Plan: rules.Plan{
			Own: 3, Living: 2, Rules: []rules.RuleCount{{Name: "hogs", SpeaksOf: 3, Possible: 1}, {Name: p.Rules[1].Name, SpeaksOf: 3, Holds: 1}},
			Verdicts: []rules.Verdict{
				ready("a", "web", rules.Verdict{Rule: 1, Step: policy2.StepWarn, Reason: rules.ReasonHolds}),
				ready("b", "db", rules.Verdict{Rule: -1, Step: policy2.StepKeep, Next: &rules.Next{Step: policy2.StepWarn, GUS: 3600_000_000, Rule: 1}}),
			},
		},
	}
	return r
}

// places is a tick under the rules of the default policy: of two low ones one goes, a third is young, and the high ones are too few.
func places() *govern.Report {
	p := policy2.Shipped()
	p.Rules[0].Keep.Places = 1
	r := report()
	r.Version2 = &govern.Version2{Policy: p}
	r.Population.Members = nil
	f := &rules.Facts{WallUS: 1_796_000_000_000_000}
	var verdicts []rules.Verdict
	for _, v := range r.Plan.Verdicts {
		r.Population.Members = append(r.Population.Members, contract.Member{ID: v.ID, Measured: v.Measures != nil})
		if m := &r.Population.Members[len(r.Population.Members)-1]; m.Measured {
			m.Measures = *v.Measures
		}
		f.Containers = append(f.Containers, rules.Container{Identity: &policy2.Identity{
			ID: v.ID, Labels: map[string]string{contract.LabelManaged: "true", contract.LabelClass: string(v.Class)}, Socket: policy2.Known(false),
		}})

		one := rules.Verdict{ID: v.ID, Name: v.Name, Image: v.Image, Standing: rules.StandingReady, Rule: 0, Step: policy2.StepKeep, Reason: v.Reason, Rank: v.Rank, Cut: v.Cut}
		switch {
		case v.Reason == contract.ReasonYoung:
			one.Standing, one.Rule = v.Reason, -1
		case v.Class == contract.ClassHigh:
			one.Rule = 1
		case v.Verdict == contract.VerdictRemove:
			one.Step, one.DecidingKey = policy2.StepRemove, string(v.DecidingKey)
			one.Neighbour = &rules.Neighbour{ID: v.Neighbour.ID, Name: v.Neighbour.Name, Rank: 1}
		}
		verdicts = append(verdicts, one)
	}
	r.Rules = &planview.View{Policy: p, Facts: f, Plan: rules.Plan{
		Own: 4, Living: 4, Rules: []rules.RuleCount{{Name: "low", SpeaksOf: 3, Holds: 1}, {Name: "high", SpeaksOf: 1}}, Verdicts: verdicts,
	}}
	r.Plan, r.Conditions = nil, nil
	return r
}

func TestTable(t *testing.T) {
	var out bytes.Buffer
	c := console.New(&out)
	c.OnTick(report())
	gated := report()
	gated.Gates, gated.Held, gated.Conditions = []string{govern.GateInventory}, govern.GateInventory, nil
	c.OnTick(gated)
	c.OnTick(shadow())
	c.OnTick(&govern.Report{Tick: 13, At: gated.At, Mode: contract.ModeEnforce})

	remote := report()
	remote.LogsElsewhere, remote.Plan.Counts[0].ManagedElsewhere, remote.Conditions = "https://logs.example:8443", 2, nil
	c.OnTick(remote)
	c.OnTick(ruled())
	c.OnTick(places())

	victim := actuator.Order{Victim: gated.Plan.Verdicts[1]}
	c.OnAction(govern.ActionResult{Verb: contract.ActionRemove, Result: actuator.Result{Order: victim, Outcome: contract.OutcomeDone, Took: 1234 * time.Millisecond}})
	c.OnAction(govern.ActionResult{Verb: contract.ActionRemove, Result: actuator.Result{Order: victim, Outcome: contract.OutcomeRefused, Why: "it was paused"}})
	const golden = "testdata/table.txt"

	if *update {
		if err := os.WriteFile(golden, out.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}

	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), out.String()); diff != "" {
		t.Errorf("run the test with -update if this is meant (-want +got):\n%s", diff)
	}

	if strings.Contains(out.String(), "\x1b") {
		t.Error("a name moved the cursor")
	}
}

func TestALongNameDoesNotWidenEveryRow(t *testing.T) {
	var out bytes.Buffer
	r := report()
	r.Plan.Verdicts[0].Name = strings.Repeat("n", 4000)
	console.New(&out).OnTick(r)
	for line := range strings.Lines(out.String()) {
		if strings.Contains(line, "low-2") && len(line) > 400 {
			t.Errorf("%d bytes: %.300s", len(line), line)
		}
	}
}

// Under a policy of version 2 a line says what would be done, and of classes where its rules have them.
func TestLinesUnderVersion2(t *testing.T) {
	for name, c := range map[string]struct {
		report *govern.Report
		want   map[string]any // nil: the key is absent
	}{
		"conditions": {ruled(), map[string]any{"low": nil, "own": 3.0, "would_warn": 1.0, "held": contract.HeldObserve}},
		"places":     {places(), map[string]any{"low": 3.0, "low_removals": 1.0, "high": 1.0, "high_removals": 0.0, "own": 4.0, "due_remove": 1.0, "held": ""}},
	} {
		var out bytes.Buffer
		console.NewLines(zerolog.New(&out)).OnTick(c.report)
		var tick map[string]any
		if err := json.Unmarshal(out.Bytes(), &tick); err != nil {
			t.Fatalf("%v: %s", err, out.Bytes())
		}
		for key, want := range c.want {
			if tick[key] != want {
				t.Errorf("%s: %s is %v, want %v: %s", name, key, tick[key], want, out.Bytes())
			}
		}
	}
}

func TestLinesAreJSON(t *testing.T) {
	var out bytes.Buffer
	l := console.NewLines(zerolog.New(&out))
	l.OnTick(report())
	l.OnAction(govern.ActionResult{Verb: contract.ActionRemove, Result: actuator.Result{Outcome: contract.OutcomeFailed, Err: errors.New("no")}})
	var tick, action map[string]any
	lines := bytes.Split(bytes.TrimSpace(out.Bytes()), []byte("\n"))
	if len(lines) != 2 || json.Unmarshal(lines[0], &tick) != nil || json.Unmarshal(lines[1], &action) != nil {
		t.Fatalf("%s", out.Bytes())
	}

	if tick["tick"] != 12.0 || tick["low_removals"] != 1.0 || action["outcome"] != "failed" || action["level"] != "warn" {
		t.Errorf("%s", out.Bytes())
	}
}
