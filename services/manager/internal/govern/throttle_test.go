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

func TestThrottleIsTheFirstRungAndItsUndoSurvivesACrash(t *testing.T) {
	victim := id("low", 3)
	limit := engine.CPULimit{NanoCPUs: 500_000_000}
	runSynctest(t, 4, 2, func(w *fixture) {
		w.engine.Change(victim, func(c *enginetest.Container) { c.CPU = limit })
		w.options.Policy.Act.Ladder = []contract.Rung{contract.RungThrottle, contract.RungKill, contract.RungRemove}
		w.options.Policy.Act.ThrottleTicks = 2
		// A crash keeps everything from being undone.
		w.options.Drain = 0
		w.engine.Inject(enginetest.Fault{Op: "update", ID: victim, Times: 1}, enginetest.Fault{Op: "update", Delay: time.Hour, Kind: engine.KindServer})
		if err := w.run(15 * time.Second); err != nil {
			t.Fatal(err)
		}

		if c, _ := w.engine.Get(victim); c.CPU == limit {
			t.Fatalf("not throttled: %+v", c.CPU)
		}
		w.engine.ClearFaults()
		w.options.Policy.Mode = contract.ModeObserve
		w.options.Drain = 30 * time.Second
		if err := w.run(5 * time.Second); err != nil {
			t.Fatal(err)
		}

		if c, _ := w.engine.Get(victim); c.CPU != limit {
			t.Errorf("limit after the restart is %+v, was %+v", c.CPU, limit)
		}
		if open := w.open(); len(open) != 0 {
			t.Errorf("open intents: %+v", open)
		}
	})
}

func TestThrottledVictimIsRemovedWhenItsTimeIsOver(t *testing.T) {
	victim := id("low", 3)
	runSynctest(t, 4, 2, func(w *fixture) {
		w.options.Policy.Act.Ladder = []contract.Rung{contract.RungThrottle, contract.RungKill, contract.RungRemove}
		w.options.Policy.Act.ThrottleTicks = 2
		err := w.runWith(45*time.Second, func(*govern.Governor) {
			time.Sleep(25 * time.Second)
			if c, ok := w.engine.Get(victim); !ok || c.State != "running" || c.CPU.QuotaUS == 0 {
				t.Errorf("two ticks later: %+v", c)
			}
		})
		if err != nil {
			t.Fatal(err)
		}

		w.wantAlive(settled(2)...)
		w.spool.wantOutcomes(t, contract.ActionThrottle, map[string]int{contract.OutcomeDone: 1})
		w.spool.wantOutcomes(t, contract.ActionRemove, map[string]int{contract.OutcomeDone: 1})
	})
}

func TestThrottledVictimIsFreedWhenItIsNeededAfterAll(t *testing.T) {
	victim := id("low", 3)
	runSynctest(t, 4, 2, func(w *fixture) {
		w.options.Policy.Act.Ladder = []contract.Rung{contract.RungThrottle, contract.RungKill, contract.RungRemove}
		w.options.Policy.Act.ThrottleTicks = 2
		err := w.runWith(45*time.Second, func(*govern.Governor) {
			time.Sleep(15 * time.Second)
			w.engine.Drop(id("low", 0))
		})
		if err != nil {
			t.Fatal(err)
		}

		w.wantAlive("low-1", "low-2", "low-3", "high-0", "high-1")
		if c, _ := w.engine.Get(victim); c.CPU != (engine.CPULimit{}) {
			t.Errorf("limit is still %+v", c.CPU)
		}
		w.spool.wantOutcomes(t, contract.ActionRemove, map[string]int{contract.OutcomeRefused: 1})
		w.spool.wantOutcomes(t, contract.ActionUnthrottle, map[string]int{contract.OutcomeDone: 1})
	})
}

func TestALimitThatSomebodySetOnAThrottledVictimStays(t *testing.T) {
	victim := id("low", 3)
	theirs := engine.CPULimit{QuotaUS: 80_000}
	runSynctest(t, 4, 2, func(w *fixture) {
		w.options.Policy.Act.Ladder = []contract.Rung{contract.RungThrottle, contract.RungKill, contract.RungRemove}
		w.options.Policy.Act.ThrottleTicks = 2
		err := w.runWith(45*time.Second, func(*govern.Governor) {
			time.Sleep(15 * time.Second)
			w.engine.Change(victim, func(c *enginetest.Container) { c.CPU = theirs })
			w.engine.Drop(id("low", 0))
		})
		if err != nil {
			t.Fatal(err)
		}

		w.wantAlive("low-1", "low-2", "low-3", "high-0", "high-1")
		if c, _ := w.engine.Get(victim); c.CPU != theirs {
			t.Errorf("limit is %+v, somebody set %+v", c.CPU, theirs)
		}
		w.spool.wantOutcomes(t, contract.ActionUnthrottle, map[string]int{contract.OutcomeRefused: 1})
	})
}

func TestStopFreesTheThrottledAndEndsWhatIsUnderWay(t *testing.T) {
	runSynctest(t, 4, 2, func(w *fixture) {
		w.options.Policy.Act.Ladder = []contract.Rung{contract.RungThrottle, contract.RungKill, contract.RungRemove}
		w.options.Policy.Act.ThrottleTicks = 9
		if err := w.run(25 * time.Second); err != nil {
			t.Fatal(err)
		}

		if c, _ := w.engine.Get(id("low", 3)); c.CPU != (engine.CPULimit{}) {
			t.Errorf("limit is still %+v", c.CPU)
		}
	})
}
