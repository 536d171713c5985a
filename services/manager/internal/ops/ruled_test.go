package ops_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"gestor.local/contract"
	"gestor.local/contract/policy2"
	"gestor.local/manager/internal/govern"
	"gestor.local/manager/internal/journal"
	"gestor.local/manager/internal/journal/journaltest"
	"gestor.local/manager/internal/planview"
	"gestor.local/manager/internal/rules"
	"gestor.local/manager/internal/rules/rulestest"
)

// ruled is a tick under a policy of version 2: of four own containers one would be removed, and of one that is not known.
func ruled() *govern.Report {
	p := policy2.Default()
	p.Rules = []policy2.Rule{{Name: "old", When: policy2.Conditions{Age: policy2.Day}, Do: policy2.Ladder{{Step: policy2.StepRemove}}}}
	r := report()
	r.PolicyHash = p.Hash()
	r.Plan, r.Classes, r.Mode, r.Held, r.Version2 = nil, nil, contract.ModeObserve, contract.HeldObserve, &govern.Version2{Policy: p}
	r.Rules = &planview.View{
		Policy: p, Facts: &rules.Facts{ClockInDoubt: true},
		Plan: rules.Plan{
			V: rules.PlanVersion, Tick: r.Tick, PolicyHash: p.Hash(), Own: 4, Living: 3,
			Rules: []rules.RuleCount{{Name: "old", SpeaksOf: 4, Holds: 1, Possible: 1}},
			Verdicts: []rules.Verdict{
				{ID: "a", Name: "web", Standing: rules.StandingReady, Step: policy2.StepRemove, Reason: rules.ReasonHolds},
				{ID: "b", Standing: contract.ReasonNotOwned, Rule: -1, Step: policy2.StepKeep, Reason: contract.ReasonNotOwned},
			},
		},
	}
	return r
}

func TestReadyUnderVersion2(t *testing.T) {
	s := server(t, t.TempDir(), ruled())
	code, body, _ := get(t, s.URL+"/readyz")
	var got struct {
		Mode, Policy string
		Snapshots    int
		Version2     *struct {
			ClockInDoubt bool `json:"clock_in_doubt"`
			Held         string
			Own, Living  int
			Rules        []rules.RuleCount
			Due          map[string]int
		} `json:"version_2"`
	}
	if err := json.Unmarshal([]byte(body), &got); err != nil || code != 200 || got.Version2 == nil {
		t.Fatalf("%d %v %s", code, err, body)
	}
	v := got.Version2
	if got.Mode != "observe" || v.Held != contract.HeldObserve || v.Own != 4 || v.Living != 3 || len(v.Rules) != 1 || v.Due["remove"] != 1 {
		t.Errorf("%s", body)
	}

	if got.Policy != ruled().PolicyHash || got.Policy == "" || !v.ClockInDoubt || got.Snapshots != 0 {
		t.Errorf("%s", body)
	}

	// A tick without an accepted snapshot does not count.
	read := ruled()
	read.Population = &contract.Population{}
	if _, body, _ = get(t, server(t, t.TempDir(), read, ruled(), read).URL+"/readyz"); !strings.Contains(body, `"snapshots":2`) {
		t.Errorf("%s", body)
	}

	if _, body, _ = get(t, server(t, t.TempDir(), report()).URL+"/readyz"); strings.Contains(body, "version_2") {
		t.Errorf("under version 1: %s", body)
	}
}

// Under one version the figures of the other are absent, whatever was before.
func TestMetricsUnderVersion2(t *testing.T) {
	const own, rule, due = `gestor_own_containers{state="living"} 3`, `gestor_rule_containers{rule="old",state="possible"} 1`, `gestor_due_containers{step="remove"} 1`
	const population, plan = "gestor_population_containers{", "gestor_plan_containers{"
	_, two, _ := get(t, server(t, t.TempDir(), report(), ruled()).URL+"/metrics")
	for _, want := range []string{own, rule, due, `gestor_due_containers{step="stop"} 0`} {
		if !strings.Contains(two, want) {
			t.Errorf("%s is missing", want)
		}
	}
	if strings.Contains(two, population) || strings.Contains(two, plan) {
		t.Error("figures of version 1 under version 2")
	}

	// Those of classes are there where the rules have classes.
	r := ruled()
	r.Classes = []contract.ClassCount{{Class: contract.ClassLow, Owned: 1, Quota: 3, Removals: 1, Deficit: 2}}
	r.Rules.Facts.Containers = []rules.Container{
		{Identity: &policy2.Identity{ID: "a", Labels: map[string]string{contract.LabelClass: "low"}}}, {Identity: &policy2.Identity{ID: "b"}},
	}
	_, both, _ := get(t, server(t, t.TempDir(), r).URL+"/metrics")
	for _, want := range []string{
		own, `gestor_population_containers{class="low",state="holds"} 1`, `gestor_plan_containers{class="low"} 1`, `gestor_deficit_containers{class="low"} 2`,
	} {
		if !strings.Contains(both, want) {
			t.Errorf("%s is missing", want)
		}
	}
	if n := strings.Count(both, population); n != 1 {
		t.Errorf("%d states, one of who is not own", n)
	}

	_, one, _ := get(t, server(t, t.TempDir(), ruled(), report()).URL+"/metrics")
	for _, gone := range []string{"gestor_own_containers{", "gestor_rule_containers{", "gestor_due_containers{"} {
		if strings.Contains(one, gone) {
			t.Errorf("%s under version 1", gone)
		}
	}
	if !strings.Contains(one, population) || !strings.Contains(one, plan) {
		t.Error("no figures of version 1")
	}
}

// The plan of the last tick is in memory too, for where the journal does not reach as far.
func TestExplainUnderVersion2(t *testing.T) {
	r := ruled()
	r.At = time.Now()
	s := server(t, t.TempDir(), r)
	for _, path := range []string{"/explain", "/explain?tick=7"} {
		code, body, _ := get(t, s.URL+path)
		var plan rules.Plan
		if err := json.Unmarshal([]byte(body), &plan); err != nil || code != 200 || plan.V != 2 || plan.Own != 4 {
			t.Errorf("%s: %d %v %s", path, code, err, body)
		}
	}
	if code, body, _ := get(t, s.URL+"/explain?format=text"); code != 200 || !strings.Contains(body, "REMOVE  web        old") {
		t.Errorf("%d %s", code, body)
	}
	if code, body, _ := get(t, s.URL+"/explain?container=web"); code != 200 || !strings.Contains(body, `"text":"the rule holds"`) {
		t.Errorf("%d %s", code, body)
	}
	if code, body, _ := get(t, s.URL+"/explain?container=web&format=text"); code != 200 || body != "web: remove, by rule old: the rule holds\n" {
		t.Errorf("%d %s", code, body)
	}
	if code, _, _ := get(t, s.URL+"/explain?tick=6"); code != 404 {
		t.Errorf("another tick: %d", code)
	}
}

// Of the ticks that the journal has the facts of, the port explains the plans as the command does.
func TestExplainUnderVersion2FromTheJournal(t *testing.T) {
	p := policy2.Default()
	p.Own = []policy2.Selector{{Label: &policy2.Label{Key: contract.LabelManaged, Value: "true"}}}
	p.Rules = []policy2.Rule{{
		Name: "old", When: policy2.Conditions{Age: policy2.Hour},
		Do: policy2.Ladder{{Step: policy2.StepWarn}, {Step: policy2.StepStop, After: policy2.Hour}},
	}}
	w := rulestest.New(p, 0)
	w.Add(rulestest.Container{Name: "web", Image: "web", Labels: map[string]string{contract.LabelManaged: "true"}, Created: -59 * time.Minute})

	dir := t.TempDir()
	j, _, err := journal.Open(dir, journal.Options{Version: 2})
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	recorder := journaltest.Recorder{Journal: j}
	r := ruled()
	r.At = time.Now()
	w.OnTick = func(tick *rulestest.Tick) {
		if err := recorder.Tick(tick); err != nil {
			t.Fatal(err)
		}
		r.Tick, r.Rules = tick.Facts.Tick, &planview.View{Policy: p, Facts: &tick.Facts, Plan: tick.Plan}
	}
	w.Run(2 * time.Minute)

	s := server(t, dir, r)
	for query, want := range map[string]string{
		"":                           `"verdicts":[{"id":`,
		"?tick=3":                    `"tick":3,`,
		"?format=text":               "version 2, policy " + p.Hash(),
		"?container=web":             `"summary":"will be STOPPED in `,
		"?container=web&format=text": `step 2 of 2 of rule "old"`,
		"?container=we&format=text":  "warn by step 1 of rule \"old\" delivered",
	} {
		if code, body, _ := get(t, s.URL+"/explain"+query); code != 200 || !strings.Contains(body, want) {
			t.Errorf("%q: %d %s", query, code, body)
		}
	}
	for query, want := range map[string]int{"?tick=99": 404, "?container=nobody": 404} {
		if code, body, _ := get(t, s.URL+"/explain"+query); code != want {
			t.Errorf("%q: %d %s", query, code, body)
		}
	}

	// One tick more than the journal has.
	r.Tick++
	r.Rules.Plan.Tick = r.Tick
	if code, body, _ := get(t, server(t, dir, r).URL+"/explain"); code != 200 || !strings.Contains(body, `"tick":13,`) || strings.Contains(body, `"ruling"`) {
		t.Errorf("%d %s", code, body)
	}
}
