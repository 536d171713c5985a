package govern_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"gestor.local/contract"
	"gestor.local/manager/internal/engine/enginetest"
	"gestor.local/manager/internal/journal"
	"gestor.local/manager/internal/replay"
	"gestor.local/ship/shiptest"
)

const wholeLadder = `own: [{label: gestor.managed=true}]
surprise: 100%
rules:
  - {name: old, when: {age: 1m}, do: [warn, {after: 1m, do: throttle to 10%}, {after: 30s, do: stop}, {after: 30s, do: remove}], calm: 1m}
`

// Wherever the manager is killed, at every line of the journal, every record and every call of the engine: the next one goes on with
// each ladder where it was. No step is skipped and none is taken twice, no notice is told as two, and what a limit took is given back.
func TestKilledAtAnyStepALadderGoesOn(t *testing.T) {
	const life = 5 * time.Minute
	var steps int64
	runSynctest(t, 2, 0, func(w *fixture) {
		w.createdNow()
		w.options.Version2 = version2(t, wholeLadder)
		var p process
		w.runUntilKilled(t.TempDir(), &shiptest.Service{}, life, &p, true)
		if problem := w.wholeLadders(); problem != "" {
			t.Fatalf("never killed: %s", problem)
		}
		steps = p.steps.Load()
	})
	if steps < 100 {
		t.Fatalf("only %d steps", steps)
	}

	for end := int64(1); end <= steps; end++ {
		runSynctest(t, 2, 0, func(w *fixture) {
			w.createdNow()
			w.options.Version2 = version2(t, wholeLadder)
			var service shiptest.Service
			dir := memoryDir(t)
			w.runUntilKilled(dir, &service, life, &process{end: end}, end%4 < 2)
			time.Sleep(time.Second)

			// The next process is told nothing but what is on the disk.
			w.runUntilKilled(dir, &service, life+3*time.Second, &process{}, true)
			for _, problem := range []string{w.wholeLadders(), w.compareSteps(&service), w.replayed()} {
				if problem != "" {
					t.Errorf("killed at step %d of %d: %s", end, steps, problem)
				}
			}
			if open := w.open(); len(open) > 0 {
				t.Errorf("killed at step %d of %d: open intents %+v", end, steps, open)
			}
		})
		if t.Failed() {
			return
		}
	}
}

// createdNow makes the containers as old as the test.
func (w *fixture) createdNow() {
	at := time.Now().UTC().Format(time.RFC3339Nano)
	for _, one := range w.engine.IDs() {
		w.engine.Change(one, func(c *enginetest.Container) { c.CreatedAt, c.StartedAt = at, at })
	}
}

// wholeLadders says where the calls of the engine are not those of one ladder for each container, in its times.
func (w *fixture) wholeLadders() (problem string) {
	for n := range 2 {
		one := id("low", n)
		var ops []string
		at := make(map[string]time.Time)
		for _, c := range w.engine.Calls() {
			if c.ID != one {
				continue
			}
			op := c.Op
			if op == "update" && c.CPU.Share() == 0 {
				op = "give back"
			}
			ops, at[op] = append(ops, op), c.At
		}

		// When the limit goes back is no step: it may be at the stop of the manager, and there may be none left to give back.
		rungs := slices.DeleteFunc(slices.Clone(ops), func(op string) bool { return op == "give back" })
		if !slices.Equal(rungs, []string{"update", "stop", "remove"}) || len(ops)-len(rungs) > 1 {
			problem += fmt.Sprintf("calls on low-%d: %v; ", n, ops)
		}
		if _, there := w.engine.Get(one); there {
			problem += fmt.Sprintf("low-%d is there; ", n)
		}
		if at["stop"].Sub(at["update"]) < 30*time.Second || at["remove"].Sub(at["stop"]) < 30*time.Second {
			problem += fmt.Sprintf("low-%d: %v; ", n, at)
		}
	}
	return problem
}

// compareSteps holds the journal against what the log service has: every action once, and one notice a container, a minute before
// anything is done to it.
func (w *fixture) compareSteps(service *shiptest.Service) (problem string) {
	want, got := make(map[string]int), make(map[string]int)
	actions := make(map[string]journal.Intent)
	_, err := journal.Scan(w.dir, func(e journal.Entry) error {
		switch {
		case e.Carried: // it stands further back, too
		case e.Intent != nil:
			if actions[e.Intent.ActionID] = *e.Intent; e.Intent.Action != contract.ActionWarn {
				want["intent "+e.Intent.ActionID]++
			}
		case e.Outcome != nil:
			if i := actions[e.Outcome.ActionID]; i.Action != contract.ActionWarn {
				want[fmt.Sprint(e.Outcome.Outcome, " ", i.Action, " ", i.ActionID)]++
			}
		}
		return nil
	})
	if err != nil {
		return err.Error()
	}

	notices, first := make(map[string]map[string]bool), make(map[string]time.Time)
	for _, r := range service.Records() {
		switch b := r.Body.(type) {
		case contract.SystemBody:
			if b.Event == "warn" && b.Details["kind"] == "step" {
				name := fmt.Sprint(b.Details["name"])
				if notices[name] == nil {
					notices[name], first[name] = map[string]bool{}, r.Time
				}
				notices[name][fmt.Sprint(b.Details["action_id"])] = true
			}
		case contract.ActionBody:
			if b.Phase == contract.PhaseIntent {
				got["intent "+b.ActionID]++
			} else {
				got[fmt.Sprint(b.Outcome, " ", b.Action, " ", b.ActionID)]++
			}
			if told := first[b.Name]; told.IsZero() || r.Time.Sub(told) < time.Minute {
				problem += fmt.Sprintf("%s of %s %s after its notice; ", b.Action, b.Name, r.Time.Sub(told))
			}
		}
	}

	for _, name := range []string{"low-0", "low-1"} {
		if len(notices[name]) != 1 {
			problem += fmt.Sprintf("%d notices of %s; ", len(notices[name]), name)
		}
	}
	for what := range want {
		if got[what] != want[what] {
			problem += fmt.Sprintf("%s: %d times, want %d; ", what, got[what], want[what])
		}
		delete(got, what)
	}
	for what := range got {
		problem += what + ": the journal has none; "
	}
	return problem
}

// replayed says where a plan does not come out of the journal again, or where the memory of a head is another.
func (w *fixture) replayed() string {
	r, err := replay.Run(w.dir)
	var different []string
	for _, d := range r.Different {
		different = append(different, fmt.Sprintf("tick %d: %s", d.Tick, d.What))
	}
	if err != nil || len(different) > 0 || r.Ticks == 0 || r.Same != r.Ticks {
		return fmt.Sprintf("replay: %v, %d of %d the same; %s", err, r.Same, r.Ticks, strings.Join(different, "; "))
	}
	return ""
}
