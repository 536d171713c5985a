package govern_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"gestor.local/contract"
	"gestor.local/contract/policy2"
	"gestor.local/manager/internal/engine/enginetest"
	"gestor.local/manager/internal/govern"
)

// orphans adds two generators, of which one has ended, and containers of both: low-0 and low-1 are the dead one's.
func (w *fixture) orphans() {
	dead, living := strings.Repeat("d", 64), strings.Repeat("e", 64)
	generator := map[string]string{contract.LabelRole: "generator"}
	w.engine.Add(enginetest.Container{ID: living, Name: "generator", Labels: generator})
	w.engine.Add(enginetest.Container{ID: dead, Name: "old-generator", State: contract.StateExited, Labels: generator})
	for i, owner := range []string{dead, dead, living} {
		c, _ := w.engine.Get(id("low", i))
		c.Labels = map[string]string{contract.LabelManaged: "true", contract.LabelClass: "low", contract.LabelOwner: "container:" + owner}
		w.engine.Add(c)
	}
}

const keepsAll = `own: [{label: gestor.managed=true}]
rules:
  - {name: all stay, do: keep}
`

// Under a policy of version 2 the stop removes what has lost its generator as a step of no rule, with all that belongs to a step; and
// the next run finds nothing open.
func TestStopRemovesOrphansUnderVersion2(t *testing.T) {
	runSynctest(t, 3, 0, func(w *fixture) {
		w.orphans()
		w.options.RemoveOrphansAtStop, w.options.Version2 = true, version2(t, keepsAll)
		if err := w.run(15 * time.Second); err != nil {
			t.Fatal(err)
		}

		w.wantAlive("generator", "low-2")
		w.spool.wantOutcomes(t, contract.ActionRemove, map[string]int{contract.OutcomeDone: 2})
		for _, b := range bodies[contract.ActionBody](w.spool) {
			if b.Action != contract.ActionRemove || b.Reason != contract.ReasonOrphaned || b.Rule != "" || !b.Removes {
				t.Errorf("%+v", b)
			}
		}

		decided := 0
		for _, d := range bodies[contract.DecisionBody](w.spool) {
			if d.Reason == contract.ReasonOrphaned {
				decided++
				if d.Step != string(policy2.StepRemove) || d.Rule != "" || d.Held != "" || !strings.Contains(d.Text, "generator") {
					t.Errorf("%+v", d)
				}
			}
		}
		if decided != 2 || !slices.Contains(w.spool.events(), "orphans") {
			t.Errorf("%d decisions on orphans, events %v", decided, w.spool.events())
		}

		// What was done stands in the journal as any step does.
		intents := map[string]bool{}
		entries, _ := w.history()
		for _, e := range entries {
			if i := e.Intent; i != nil {
				intents[i.ActionID] = i.Reason == contract.ReasonOrphaned && i.Step == policy2.StepRemove && i.Rule == "" && i.GUS != 0
			}
			if e.Outcome != nil && !intents[e.Outcome.ActionID] {
				t.Errorf("an outcome without its intent: %+v", e.Outcome)
			}
		}
		if open := w.open(); len(intents) != 2 || len(open) != 0 {
			t.Errorf("intents %v, open %v", intents, open)
		}
	})
}

func TestOrphansStayUnderVersion2(t *testing.T) {
	for name, change := range map[string]func(w *fixture){
		"not asked for": func(w *fixture) { w.options.RemoveOrphansAtStop = false },
		"observe":       func(w *fixture) { w.options.Version2 = version2(w.t, "mode: observe\n"+keepsAll) },
		"not own":       func(w *fixture) { w.options.Version2 = version2(w.t, "own: []\n") },
		"protected":     func(w *fixture) { w.options.Version2 = version2(w.t, "protect: [{class: low}]\n"+keepsAll) },
		"unapproved":    func(w *fixture) { w.options.Version2 = version2(w.t, strings.Replace(keepsAll, "=true", "", 1)) },
		"approved as another": func(w *fixture) {
			v := version2(w.t, strings.Replace(keepsAll, "=true", "", 1))
			other := approved(version2(w.t, strings.Replace(keepsAll, "=true", "=*", 1)), 3)
			w.options.Version2 = &govern.Version2{Policy: v.Policy, Approved: other.Approved}
		},
		"nothing is written": func(w *fixture) { w.spool.fill(errors.New("full")) },
	} {
		t.Run(name, func(t *testing.T) {
			runSynctest(t, 3, 0, func(w *fixture) {
				w.orphans()
				w.options.RemoveOrphansAtStop, w.options.Version2 = true, version2(t, keepsAll)
				change(w)
				if err := w.run(15 * time.Second); err != nil {
					t.Fatal(err)
				}
				w.wantAlive("generator", "low-0", "low-1", "low-2")
			})
		})
	}
}

// Who owns the generator's containers by another selector needs an approval, and has it.
func TestStopRemovesOrphansUnderAnApprovedPolicy(t *testing.T) {
	runSynctest(t, 3, 0, func(w *fixture) {
		w.orphans()
		w.options.RemoveOrphansAtStop = true
		w.options.Version2 = approved(version2(t, strings.Replace(keepsAll, "=true", "", 1)), 3)
		if err := w.run(15 * time.Second); err != nil {
			t.Fatal(err)
		}
		w.wantAlive("generator", "low-2")
	})
}
