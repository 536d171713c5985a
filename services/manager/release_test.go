package main

import (
	"strings"
	"testing"

	"gestor.local/contract"
	"gestor.local/contract/policy2"
	"gestor.local/manager/internal/engine"
	"gestor.local/manager/internal/engine/enginetest"
	"gestor.local/manager/internal/journal"
)

// What a run that ended in a crash has throttled is given back, but for what somebody else has changed since; and then nothing is owed.
func TestRelease(t *testing.T) {
	id := func(n string) string { return strings.Repeat(n, 64) }
	lowered := engine.CPULimit{QuotaUS: 20_000}
	e := enginetest.New(
		enginetest.Container{ID: id("a"), Name: "a", CPU: lowered},
		enginetest.Container{ID: id("b"), Name: "b", CPU: engine.CPULimit{NanoCPUs: 3_000_000_000}}, // theirs
		enginetest.Container{ID: id("c"), Name: "c", CPU: lowered},
	)

	dir := t.TempDir()
	open := func() (*journal.Journal, journal.Recovery) {
		j, r, err := journal.Open(dir, journal.Options{Version: journal.Version})
		if err != nil {
			t.Fatal(err)
		}
		return j, r
	}
	j, _ := open()
	for _, n := range []string{"a", "b", "c", "d"} {
		i := journal.Intent{
			ActionID: "1-" + n, Subject: contract.Subject{Container: id(n), Name: n}, Action: contract.ActionThrottle, Step: policy2.StepThrottle,
			StepIndex: 1, GUS: 5, Undo: &journal.Undo{}, NanoCPUs: 200_000_000,
		}
		if n == "c" { // of a policy of version 1
			i.Step, i.StepIndex, i.GUS, i.NanoCPUs = "", 0, 0, 0
		}
		if _, err := j.Intent(i); err != nil {
			t.Fatal(err)
		}
		if _, err := j.Outcome(journal.Outcome{ActionID: i.ActionID, Outcome: contract.OutcomeDone, GUS: i.GUS}); err != nil {
			t.Fatal(err)
		}
	}
	j.Close()

	j, r := open()
	left, results := giveAllBack(t.Context(), e, j, r)
	var got []string
	for _, one := range results {
		got = append(got, one.name+" "+one.Outcome)
	}
	if left != 0 || strings.Join(got, ", ") != "a done, b refused, c done, d already_gone" {
		t.Errorf("%d left: %v", left, got)
	}
	for n, want := range map[string]engine.CPULimit{"a": {}, "b": {NanoCPUs: 3_000_000_000}, "c": {}} {
		if c, _ := e.Get(id(n)); !c.CPU.Same(want) {
			t.Errorf("%s has %+v", n, c.CPU)
		}
	}
	j.Close()

	j, r = open()
	defer j.Close()
	if left, results := giveAllBack(t.Context(), e, j, r); left != 0 || len(results) != 0 {
		t.Errorf("again: %d left, %+v", left, results)
	}
}

// A run was killed while a limit took the place of another rule's: both are given back, whether or not it was set.
func TestReleaseOfALimitThatReplacedAnother(t *testing.T) {
	id := strings.Repeat("a", 64)
	for name, now := range map[string]engine.CPULimit{"not set yet": {QuotaUS: 20_000}, "set": {QuotaUS: 10_000}} {
		e := enginetest.New(enginetest.Container{ID: id, Name: "a", CPU: now})
		j, _, err := journal.Open(t.TempDir(), journal.Options{Version: journal.Version})
		if err != nil {
			t.Fatal(err)
		}
		throttle := func(action string, nano int64) journal.Intent {
			return journal.Intent{
				ActionID: action, Subject: contract.Subject{Container: id, Name: "a"}, Action: contract.ActionThrottle, Step: policy2.StepThrottle,
				StepIndex: 1, GUS: 5, Undo: &journal.Undo{}, NanoCPUs: nano,
			}
		}
		r := journal.Recovery{
			Throttled: []journal.Intent{throttle("1", 200_000_000)}, Open: []journal.Intent{throttle("2", 100_000_000)},
		}
		left, results := giveAllBack(t.Context(), e, j, r)
		if c, _ := e.Get(id); left != 0 || len(results) != 1 || results[0].Outcome != contract.OutcomeDone || !c.CPU.Same(engine.CPULimit{}) {
			t.Errorf("%s: %d left, %+v, the limit is %+v", name, left, results, c.CPU)
		}
		j.Close()
	}
}
