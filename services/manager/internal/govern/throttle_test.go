package govern_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"gestor.local/contract"
	"gestor.local/manager/internal/engine"
	"gestor.local/manager/internal/engine/enginetest"
	"gestor.local/manager/internal/govern"
)

// cannotThrottle makes the engine one without docker update, as podman before 5.1 is.
func (w *fixture) cannotThrottle() {
	w.engine.Inject(enginetest.Fault{Op: "update", Kind: engine.KindUnsupported})
}

// changes counts the records of a condition that began or ended.
func (w *fixture) changes(event, condition string) (n int) {
	for _, b := range bodies[contract.SystemBody](w.spool) {
		if b.Event == "condition_"+event && b.Details["condition"] == condition {
			n++
		}
	}
	return n
}

func TestAThrottleThatTheEngineLacksIsLeftOut(t *testing.T) {
	runSynctest(t, 5, 3, func(w *fixture) {
		w.throttled(2)
		w.cannotThrottle()
		if err := w.run(35 * time.Second); err != nil {
			t.Fatal(err)
		}
		w.wantAlive(settled(3)...)
		w.spool.wantOutcomes(t, contract.ActionThrottle, map[string]int{contract.OutcomeRefused: 3})
		w.spool.wantOutcomes(t, contract.ActionRemove, map[string]int{contract.OutcomeDone: 3})
		w.spool.wantOutcomes(t, contract.ActionUnthrottle, map[string]int{})
		if c, holds := w.reports.condition(govern.ConditionNoThrottle); !holds || c.Gate || !strings.Contains(c.Text, "next: ") {
			t.Errorf("conditions %+v", w.reports.last().Conditions)
		}
		if n := w.changes("begin", govern.ConditionNoThrottle); n != 1 {
			t.Errorf("the condition began %d times", n)
		}
		if open := w.open(); len(open) != 0 {
			t.Errorf("open intents: %+v", open)
		}
	})
}

// The next victims lose no tick to it, and one of them tries now and then whether the engine can by now.
func TestAThrottleThatTheEngineLacksIsTriedAgain(t *testing.T) {
	runSynctest(t, 5, 3, func(w *fixture) {
		w.throttled(2)
		w.cannotThrottle()
		more := func(n int) {
			for i := range n {
				w.add("low", 10+len(w.engine.IDs())+i, 900)
			}
		}
		err := w.runWith(8*time.Minute, func(*govern.Governor) {
			time.Sleep(55 * time.Second)
			more(2)
			time.Sleep(2 * time.Minute)
			if n := w.calls("")["update"]; n != 3 {
				t.Errorf("%d updates, want those of the first three victims", n)
			}
			w.wantAlive(settled(3)...)

			time.Sleep(3 * time.Minute)
			more(2)
			time.Sleep(time.Minute)
			if n := w.calls("")["update"]; n != 4 {
				t.Errorf("%d updates, want one more on trial", n)
			}
			w.wantAlive(settled(3)...)
			if _, holds := w.reports.condition(govern.ConditionNoThrottle); !holds {
				t.Error("the condition is over")
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		if n := w.changes("begin", govern.ConditionNoThrottle); n != 1 {
			t.Errorf("the condition began %d times", n)
		}
	})
}

func TestTheConditionIsOverWhenAThrottleWorks(t *testing.T) {
	runSynctest(t, 4, 2, func(w *fixture) {
		w.throttled(2)
		w.cannotThrottle()
		err := w.runWith(10*time.Minute, func(*govern.Governor) {
			time.Sleep(time.Minute)
			w.engine.ClearFaults()
			time.Sleep(5 * time.Minute)
			w.add("low", 50, 900)
		})
		if err != nil {
			t.Fatal(err)
		}
		w.wantAlive(settled(2)...)
		w.spool.wantOutcomes(t, contract.ActionThrottle, map[string]int{contract.OutcomeRefused: 1, contract.OutcomeDone: 1})
		if _, holds := w.reports.condition(govern.ConditionNoThrottle); holds || w.changes("end", govern.ConditionNoThrottle) != 1 {
			t.Errorf("conditions %+v", w.reports.last().Conditions)
		}
	})
}

// A victim that could not be throttled waits for its next rung like one that was, with nothing to be given back.
func TestAVictimThatCouldNotBeThrottledIsLetGo(t *testing.T) {
	for name, meanwhile := range map[string]func(*fixture, *govern.Governor){
		"needed after all": func(w *fixture, _ *govern.Governor) { w.engine.Drop(id("low", 0)) },
		"gone":             func(w *fixture, _ *govern.Governor) { w.engine.Drop(id("low", 3)) },
		"nothing is enforced any more": func(w *fixture, g *govern.Governor) {
			w.reload(g, govern.PolicyUpdate{Policy: w.changed(func(p *contract.Policy) { p.Mode = contract.ModeObserve })})
		},
		"the manager stops": nil,
	} {
		t.Run(name, func(t *testing.T) {
			runSynctest(t, 4, 2, func(w *fixture) {
				w.throttled(9)
				w.cannotThrottle()
				length := 15 * time.Second // between the attempt and the next tick
				if meanwhile != nil {
					length = 45 * time.Second
				}
				err := w.runWith(length, func(g *govern.Governor) {
					time.Sleep(12 * time.Second)
					if n := w.calls("")["update"]; n != 1 {
						t.Errorf("%d updates at first", n)
					}
					if meanwhile != nil {
						meanwhile(w, g)
					}
				})
				if err != nil {
					t.Fatal(err)
				}
				if n := fmt.Sprint(w.calls("")); n != "map[update:1]" {
					t.Errorf("calls %s, want none after the attempt", n)
				}
				if open := w.open(); len(open) != 0 {
					t.Errorf("open intents: %+v", open)
				}
			})
		})
	}
}
