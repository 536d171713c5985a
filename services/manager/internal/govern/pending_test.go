package govern_test

import (
	"errors"
	"testing"
	"time"

	"gestor.local/contract"
	"gestor.local/manager/internal/engine"
	"gestor.local/manager/internal/engine/enginetest"
	"gestor.local/manager/internal/govern"
)

// An intent that stays open would be carried out at a later start, on a container that nobody chose any more.
func TestOutcomesThatTheJournalRefusedAreWrittenLater(t *testing.T) {
	spared := id("low", 5)
	runSynctest(t, 13, 2, func(w *fixture) { // ten victims, four workers
		flaky := &flakyJournal{}
		w.wrap = func(j govern.Journal) govern.Journal { flaky.Journal = j; return flaky }
		w.engine.Inject(enginetest.Fault{Op: "kill", Delay: 12 * time.Second})
		err := w.runWith(55*time.Second, func(g *govern.Governor) {
			time.Sleep(15 * time.Second)
			flaky.full.Store(true)
			time.Sleep(10 * time.Second)
			flaky.full.Store(false)
			w.reload(g, govern.PolicyUpdate{Policy: w.changed(func(p *contract.Policy) { p.Quota.Low = 20 })})
		})
		if err != nil {
			t.Fatal(err)
		}

		if open := w.open(); len(open) != 0 {
			t.Errorf("open intents: %v", open)
		}
		if c, there := w.engine.Get(spared); !there || c.State != "running" {
			t.Fatalf("low-5 was to be spared: there %t, %+v", there, c)
		}
		w.engine.Change(spared, func(c *enginetest.Container) { c.State = "exited" })
		if err := w.run(25 * time.Second); err != nil {
			t.Fatal(err)
		}

		if _, there := w.engine.Get(spared); !there {
			t.Error("what ended by itself was removed under an old intent")
		}
	})
}

// A journal that takes the tick but not the outcomes is not writable yet.
func TestTheJournalGateHoldsUntilEveryOutcomeIsWritten(t *testing.T) {
	runSynctest(t, 13, 2, func(w *fixture) {
		flaky := &flakyJournal{}
		w.wrap = func(j govern.Journal) govern.Journal { flaky.Journal = j; return flaky }
		w.engine.Inject(enginetest.Fault{Op: "kill", Delay: 12 * time.Second})
		err := w.runWith(115*time.Second, func(*govern.Governor) {
			time.Sleep(15 * time.Second)
			flaky.noOutcomes.Store(true)
			time.Sleep(43 * time.Second) // the last kill has ended at 34 s, and the tick at 40 s was written
			if _, held := w.reports.condition(govern.GateJournal); !held {
				t.Errorf("conditions %+v", w.reports.last().Conditions)
			}
			flaky.noOutcomes.Store(false)
		})
		if err != nil {
			t.Fatal(err)
		}

		w.wantAlive(settled(2)...)
		if open := w.open(); len(open) != 0 {
			t.Errorf("open intents: %v", open)
		}
	})
}

func TestOutcomesThatAreOwedAreWrittenBeforeTheEnd(t *testing.T) {
	runSynctest(t, 13, 2, func(w *fixture) {
		flaky := &flakyJournal{}
		w.wrap = func(j govern.Journal) govern.Journal { flaky.Journal = j; return flaky }
		w.engine.Inject(enginetest.Fault{Op: "kill", Delay: 12 * time.Second})
		err := w.runWith(25*time.Second, func(*govern.Governor) {
			time.Sleep(15 * time.Second)
			flaky.full.Store(true)
			time.Sleep(9 * time.Second)
			if _, held := w.reports.condition(govern.GateJournal); !held {
				t.Errorf("conditions %+v", w.reports.last().Conditions)
			}
			flaky.full.Store(false)
		})
		if err != nil {
			t.Fatal(err)
		}

		if open := w.open(); len(open) != 0 {
			t.Errorf("open intents: %v", open)
		}
	})
}

func TestRecordsThatTheSpoolRefusedAreOfferedAgain(t *testing.T) {
	runSynctest(t, 6, 2, func(w *fixture) {
		w.engine.Inject(enginetest.Fault{Op: "kill", Delay: 5 * time.Second})
		err := w.runWith(45*time.Second, func(*govern.Governor) {
			time.Sleep(11 * time.Second)
			w.spool.fill(errors.New("spool is full"))
			time.Sleep(14 * time.Second)
			w.spool.fill(nil)
		})
		if err != nil {
			t.Fatal(err)
		}

		w.wantAlive(settled(2)...)
		w.spool.wantOutcomes(t, contract.ActionRemove, map[string]int{contract.OutcomeDone: 3})
		w.wantEveryIntentEnded()
	})
}

// wantEveryIntentEnded holds the records against each other: one outcome for each intent.
func (w *fixture) wantEveryIntentEnded() {
	w.t.Helper()
	ends := make(map[string]int)
	for _, b := range bodies[contract.ActionBody](w.spool) {
		if b.Phase == contract.PhaseOutcome {
			ends[b.ActionID]++
		}
	}

	for _, b := range bodies[contract.ActionBody](w.spool) {
		if b.Phase == contract.PhaseIntent && ends[b.ActionID] != 1 {
			w.t.Errorf("%s of %s: %d outcome records, want one", b.Action, b.Name, ends[b.ActionID])
		}
	}
}

// A decision is recorded when it changes: one that the spool refused has not been recorded.
func TestDecisionsThatTheSpoolRefusedAreRecordedLater(t *testing.T) {
	runSynctest(t, 3, 2, func(w *fixture) {
		err := w.runWith(45*time.Second, func(*govern.Governor) {
			time.Sleep(5 * time.Second)
			w.spool.fill(errors.New("spool is full"))
			time.Sleep(14 * time.Second)
			w.spool.fill(nil)
		})
		if err != nil {
			t.Fatal(err)
		}

		kept := 0
		for _, d := range bodies[contract.DecisionBody](w.spool) {
			if d.Reason == contract.ReasonWithinQuota {
				kept++
			}
		}
		if kept != 5 {
			t.Errorf("%d decisions to keep, want one for each of the five", kept)
		}
	})
}

func TestAnUnthrottleThatIsTriedAgainIsOneAction(t *testing.T) {
	runSynctest(t, 4, 2, func(w *fixture) {
		w.throttled(9)
		err := w.runWith(55*time.Second, func(g *govern.Governor) {
			time.Sleep(12 * time.Second)
			w.engine.Inject(enginetest.Fault{Op: "update", Kind: engine.KindServer, Times: 1})
			w.reloadAt(3*time.Second, func(p *contract.Policy) { p.Mode = contract.ModeObserve })(g)
		})
		if err != nil {
			t.Fatal(err)
		}

		if c, _ := w.engine.Get(id("low", 3)); c.CPU != (engine.CPULimit{}) {
			t.Errorf("limit is still %+v", c.CPU)
		}
		if open := w.open(); len(open) != 0 {
			t.Errorf("open intents: %v", open)
		}
		w.spool.wantOutcomes(t, contract.ActionUnthrottle, map[string]int{contract.OutcomeUnknown: 1, contract.OutcomeDone: 1})
	})
}

func TestTheTimeOfActionsIsThatOfThisRun(t *testing.T) {
	for name, meanwhile := range map[string]func(*fixture){
		"its remains are removed": func(*fixture) {},
		"it is gone":              func(w *fixture) { w.engine.Drop(id("low", 3)) },
	} {
		t.Run(name, func(t *testing.T) {
			runSynctest(t, 4, 2, func(w *fixture) {
				w.crashAfterTheKill()
				meanwhile(w)
				w.reports.ticks = nil
				if err := w.run(35 * time.Second); err != nil {
					t.Fatal(err)
				}

				for _, r := range w.reports.ticks {
					if took := time.Duration(r.Timings.ActUS) * time.Microsecond; took > time.Minute {
						t.Errorf("tick %d: acting took %s", r.Tick, took)
					}
				}
			})
		})
	}
}

func TestAKillThatLandsLateLeavesNoRemains(t *testing.T) {
	victim := id("low", 3)
	runSynctest(t, 4, 2, func(w *fixture) {
		w.options.Policy.Act.Deadline = contract.Duration(15 * time.Second)
		w.engine.Inject(enginetest.Fault{Op: "kill", Delay: time.Minute, Kind: engine.KindServer, Times: 1})
		err := w.runWith(75*time.Second, func(*govern.Governor) {
			time.Sleep(27 * time.Second) // the manager has given the call up at 25 s
			w.engine.Change(victim, func(c *enginetest.Container) { c.State = "exited" })
		})
		if err != nil {
			t.Fatal(err)
		}

		if _, there := w.engine.Get(victim); there {
			t.Error("the dead container was left behind")
		}
		if open := w.open(); len(open) != 0 {
			t.Errorf("open intents: %v", open)
		}
	})
}

func TestCapsCountAThrottleAndItsRemovalOnce(t *testing.T) {
	runSynctest(t, 90, 2, func(w *fixture) {
		w.options.Policy.Young.Max = 1000
		w.throttled(2)
		if err := w.run(75 * time.Second); err != nil {
			t.Fatal(err)
		}

		w.wantAtMost("kill", 60, time.Minute)
		w.wantAtMost("update", 60, time.Minute)
	})
}

// Rungs that waited behind a gate are not all taken at once when it opens.
func TestNextRungsKeepToTheCaps(t *testing.T) {
	runSynctest(t, 90, 2, func(w *fixture) {
		w.options.Policy.Young.Max = 1000
		w.throttled(3)
		err := w.runWith(3*time.Minute, func(*govern.Governor) {
			time.Sleep(35 * time.Second)
			w.reader.fail(errors.New("gone"))
			time.Sleep(40 * time.Second)
			w.reader.fail(nil)
		})
		if err != nil {
			t.Fatal(err)
		}

		w.wantAtMost("kill", 20, 9*time.Second)
		w.wantAtMost("kill", 60, time.Minute)
	})
}

// wantAtMost counts the calls of an operation in every window of a length.
func (w *fixture) wantAtMost(op string, most int, window time.Duration) {
	w.t.Helper()
	var at []time.Time
	for _, c := range w.engine.Calls() {
		if c.Op == op {
			at = append(at, c.At)
		}
	}
	if len(at) == 0 {
		w.t.Errorf("no %s at all", op)
	}
	for i := most; i < len(at); i++ {
		if d := at[i].Sub(at[i-most]); d < window {
			w.t.Errorf("more than %d times %s within %s", most, op, d)
			return
		}
	}
}

// What the start has to tell (a torn end that was cut off, for one) waits for room like every other event.
func TestTheFirstRecordsWaitForRoomInTheSpool(t *testing.T) {
	runSynctest(t, 3, 2, func(w *fixture) {
		w.options.First = []contract.Record{contract.NewRecord(time.Now(), 0, "", contract.SystemBody{Event: "torn_tail", Level: "warn"})}
		w.spool.fill(errors.New("spool is full"))
		err := w.runWith(35*time.Second, func(*govern.Governor) {
			time.Sleep(15 * time.Second)
			w.spool.fill(nil)
		})
		if err != nil {
			t.Fatal(err)
		}

		if events := w.spool.events(); len(events) == 0 || events[0] != "torn_tail" || count(events, "torn_tail") != 1 {
			t.Errorf("events %v, want the torn tail first and once", events)
		}
	})
}
