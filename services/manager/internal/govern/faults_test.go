package govern_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"gestor.local/contract"
	"gestor.local/manager/internal/engine"
	"gestor.local/manager/internal/engine/enginetest"
	"gestor.local/manager/internal/govern"
	"gestor.local/manager/internal/journal"
)

func TestNoSubstituteForAVictimThatIsGone(t *testing.T) {
	runSynctest(t, 6, 2, func(w *fixture) {
		err := w.runWith(35*time.Second, func(*govern.Governor) {
			time.Sleep(5 * time.Second)
			w.engine.Inject(enginetest.Fault{Op: "look", ID: id("low", 5), Kind: engine.KindGone, Times: 1})
		})
		if err != nil {
			t.Fatal(err)
		}

		w.wantAlive(settled(2)...)
		w.spool.wantOutcomes(t, contract.ActionRemove, map[string]int{contract.OutcomeDone: 3, contract.OutcomeAlreadyGone: 1})
	})
}

func TestUnknownOutcomeIsVerifiedBeforeAnythingElse(t *testing.T) {
	victim := id("low", 3)
	runSynctest(t, 4, 2, func(w *fixture) {
		err := w.runWith(75*time.Second, func(*govern.Governor) {
			time.Sleep(5 * time.Second)
			// The kill takes effect, the engine does not say so, and then it says nothing about the container at all.
			w.engine.Inject(
				enginetest.Fault{Op: "look", ID: victim, Times: 1},
				enginetest.Fault{Op: "kill", ID: victim, Kind: engine.KindServer, Effect: true, Times: 1},
				enginetest.Fault{Op: "look", ID: victim, Kind: engine.KindServer, Times: 1},
			)
		})
		if err != nil {
			t.Fatal(err)
		}

		w.wantAlive(settled(2)...)
		if _, there := w.engine.Get(victim); there {
			t.Error("its remains were left behind")
		}
		w.spool.wantOutcomes(t, contract.ActionRemove, map[string]int{contract.OutcomeUnknown: 1, contract.OutcomeAlreadyStopped: 1})
		if calls := w.calls(victim); calls["kill"] != 1 {
			t.Errorf("calls %v: killed again although it was not known to live", calls)
		}
		if open := w.open(); len(open) != 0 {
			t.Errorf("open intents: %v", open)
		}
	})
}

func TestRemainsOfAKilledContainerAreRemovedLater(t *testing.T) {
	victim := id("low", 3)
	runSynctest(t, 4, 2, func(w *fixture) {
		w.engine.Inject(enginetest.Fault{Op: "remove", ID: victim, Kind: engine.KindOther, Times: 2})
		if err := w.run(55 * time.Second); err != nil {
			t.Fatal(err)
		}

		if _, there := w.engine.Get(victim); there {
			t.Error("the killed container was left behind")
		}
		if open := w.open(); len(open) != 0 {
			t.Errorf("open intents: %v", open)
		}
	})
}

func TestThreeFailuresMakeItStuckUntilItChanges(t *testing.T) {
	victim := id("low", 3)
	runSynctest(t, 4, 2, func(w *fixture) {
		w.engine.Inject(enginetest.Fault{Op: "kill", ID: victim, Kind: engine.KindOther})
		err := w.runWith(125*time.Second, func(*govern.Governor) {
			time.Sleep(85 * time.Second)
			if calls := w.calls(victim); calls["kill"] != 3 {
				t.Errorf("calls %v, want three kills and no more", calls)
			}
			if c, ok := w.reports.condition(govern.ConditionStuck); !ok || c.Gate {
				t.Errorf("condition %+v", c)
			}
			w.engine.ClearFaults()
			w.engine.Change(victim, func(c *enginetest.Container) { c.StartedAt = "2026-05-05T05:05:05Z" })
			w.reader.use(victim, 40)
		})
		if err != nil {
			t.Fatal(err)
		}

		w.wantAlive(settled(2)...)
	})
}

func TestBreakerOpensAfterEngineErrorsAndClosesByItself(t *testing.T) {
	runSynctest(t, 9, 2, func(w *fixture) {
		w.engine.Inject(enginetest.Fault{Op: "kill", Kind: engine.KindServer})
		err := w.runWith(185*time.Second, func(*govern.Governor) {
			time.Sleep(25 * time.Second)
			if _, ok := w.reports.condition(govern.GateBreaker); !ok {
				t.Errorf("conditions %+v", w.reports.last().Conditions)
			}

			calls := w.calls("")["kill"]
			time.Sleep(10 * time.Second)
			if again := w.calls("")["kill"]; again != calls {
				t.Errorf("%d more kills while the breaker was open", again-calls)
			}

			time.Sleep(20 * time.Second) // half open: one order is tried
			if again := w.calls("")["kill"]; again != calls+3 {
				t.Errorf("%d kills while half open, want the three attempts of one order", again-calls)
			}
			w.engine.ClearFaults()
		})
		if err != nil {
			t.Fatal(err)
		}

		events := w.spool.events()
		if n := count(events, "breaker"); n < 3 {
			t.Errorf("%d breaker events in %v, want open, open again, closed", n, events)
		}
		if w.reports.last().Breaker != govern.BreakerClosed {
			t.Errorf("breaker is %s", w.reports.last().Breaker)
		}
	})
}

func TestFutilityBreakerLeavesAloneWhatComesBack(t *testing.T) {
	victim := id("low", 3)
	runSynctest(t, 4, 2, func(w *fixture) {
		w.engine.Change(victim, func(c *enginetest.Container) { c.Respawn = true })
		for n := 1; n <= 9; n++ {
			w.reader.millicores[respawned(n)] = 40
		}
		if err := w.run(4*time.Minute + 5*time.Second); err != nil {
			t.Fatal(err)
		}

		if n := w.calls("")["kill"]; n != 3 {
			t.Errorf("%d kills, want 3: then its removal is pointless", n)
		}
		if c, ok := w.reports.condition(govern.ConditionFutile); !ok || c.Gate {
			t.Errorf("condition %+v", c)
		}
	})
}

func TestPausedIsNoCandidateAndIsTold(t *testing.T) {
	runSynctest(t, 6, 2, func(w *fixture) {
		paused := id("low", 5)
		err := w.runWith(55*time.Second, func(*govern.Governor) {
			time.Sleep(5 * time.Second)
			w.engine.Change(paused, func(c *enginetest.Container) { c.State = "paused" })
		})
		if err != nil {
			t.Fatal(err)
		}

		if c, _ := w.engine.Get(paused); c.State != "paused" {
			t.Errorf("the paused container is %q", c.State)
		}
		if _, ok := w.reports.condition(govern.ConditionPaused); !ok {
			t.Errorf("conditions %+v", w.reports.last().Conditions)
		}
	})
}

// A container that the kernel or its own program ended stays, since its exit code says why; and it is not silent.
func TestEndedByItselfStaysAndIsTold(t *testing.T) {
	runSynctest(t, 8, 2, func(w *fixture) {
		for i := range 7 {
			w.engine.Change(id("low", i), func(c *enginetest.Container) { c.State = "exited" })
		}
		if err := w.run(25 * time.Second); err != nil {
			t.Fatal(err)
		}

		if c, _ := w.engine.Get(id("low", 3)); c.State != "exited" {
			t.Errorf("the ended container is %q", c.State)
		}
		c, ok := w.reports.condition(govern.ConditionEnded)
		if !ok || c.Gate || !strings.HasPrefix(c.Text, "7: ") || !strings.Contains(c.Text, ", 2 more; next: ") {
			t.Errorf("condition %+v", c)
		}
	})
}

func TestRestartPolicyAlwaysDoesNotComeBackWithTheDaemon(t *testing.T) {
	victim := id("low", 3)
	runSynctest(t, 4, 2, func(w *fixture) {
		w.engine.Change(victim, func(c *enginetest.Container) { c.RestartPolicy = "always" })
		if err := w.run(25 * time.Second); err != nil {
			t.Fatal(err)
		}

		w.engine.RestartDaemon("2026-06-06T00:00:00Z")
		w.wantAlive(settled(2)...)
	})
}

func TestCrashBetweenIntentAndAct(t *testing.T) {
	runSynctest(t, 4, 2, func(w *fixture) {
		w.options.Drain = 0
		w.engine.Inject(enginetest.Fault{Op: "kill", Delay: time.Hour, Kind: engine.KindServer})
		if err := w.run(15 * time.Second); err != nil {
			t.Fatal(err)
		}

		if open := w.open(); len(open) != 1 || open[0].Container != id("low", 3) {
			t.Fatalf("open intents after the crash: %+v", open)
		}
		w.engine.ClearFaults()
		w.options.Drain = 30 * time.Second
		w.options.Policy.Mode = contract.ModeObserve // nothing but the verification happens
		if err := w.run(25 * time.Second); err != nil {
			t.Fatal(err)
		}

		if open := w.open(); len(open) != 0 {
			t.Errorf("open intents after the restart: %v", open)
		}
		w.spool.wantOutcomes(t, contract.ActionRemove, map[string]int{contract.OutcomeRefused: 1})
		w.wantAlive("low-0", "low-1", "low-2", "low-3", "high-0", "high-1")
	})
}

func TestCrashBetweenActAndOutcome(t *testing.T) {
	victim := id("low", 3)
	for _, op := range []string{"kill", "remove"} {
		t.Run(op, func(t *testing.T) {
			runSynctest(t, 4, 2, func(w *fixture) {
				w.options.Drain = 0
				w.engine.Inject(enginetest.Fault{Op: op, Delay: time.Hour, Effect: true})
				if err := w.run(15 * time.Second); err != nil {
					t.Fatal(err)
				}

				if open := w.open(); len(open) != 1 {
					t.Fatalf("open intents after the crash: %+v", open)
				}

				w.engine.ClearFaults()
				w.options.Drain = 30 * time.Second
				if err := w.run(25 * time.Second); err != nil {
					t.Fatal(err)
				}

				if open := w.open(); len(open) != 0 {
					t.Errorf("open intents after the restart: %v", open)
				}
				if _, there := w.engine.Get(victim); there {
					t.Error("the victim's remains are still there")
				}
				w.wantAlive(settled(2)...)
				if n := len(w.outcomesOf(victim)); n != 1 {
					t.Errorf("%d outcome records, want one", n)
				}
			})
		})
	}
}

func TestStopLetsKillsEndAndCancelsTheOthers(t *testing.T) {
	runSynctest(t, 13, 2, func(w *fixture) { // ten victims, four workers
		w.engine.Inject(enginetest.Fault{Op: "kill", Delay: 12 * time.Second})
		if err := w.run(15 * time.Second); err != nil {
			t.Fatal(err)
		}

		w.spool.wantOutcomes(t, contract.ActionRemove, map[string]int{contract.OutcomeDone: 4, contract.OutcomeRefused: 6})
		if open := w.open(); len(open) != 0 {
			t.Errorf("open intents: %v", open)
		}
	})
}

func TestNeverMoreWorkersAndVictimsThanThePolicyAllows(t *testing.T) {
	runSynctest(t, 53, 2, func(w *fixture) { // fifty too many
		w.options.Policy.Young.Max = 100
		w.engine.Inject(enginetest.Fault{Op: "kill", Delay: time.Second})
		if err := w.run(75 * time.Second); err != nil {
			t.Fatal(err)
		}

		perTick := make(map[int64]int)
		var began []time.Time
		for _, c := range w.engine.Calls() {
			if c.Op == "kill" {
				perTick[c.At.Unix()/10]++
				began = append(began, c.At)
			}
		}

		for at, n := range perTick {
			if n > 20 {
				t.Errorf("%d kills in tick %d, the cap is 20", n, at)
			}
		}
		for i := 4; i < len(began); i++ {
			if began[i].Sub(began[i-4]) < time.Second {
				t.Errorf("five kills of a second each within %s: more than four workers", began[i].Sub(began[i-4]))
			}
		}
		if len(began) != 50 {
			t.Errorf("%d kills, want 50", len(began))
		}
		w.wantAlive(settled(2)...)
	})
}

func TestOrdersThatWaitAreCancelledWhenReadingFails(t *testing.T) {
	runSynctest(t, 13, 2, func(w *fixture) {
		w.engine.Inject(enginetest.Fault{Op: "kill", Delay: 12 * time.Second})
		err := w.runWith(55*time.Second, func(*govern.Governor) {
			time.Sleep(15 * time.Second)
			w.reader.fail(errors.New("gone"))
		})
		if err != nil {
			t.Fatal(err)
		}

		if n := w.calls("")["kill"]; n != 4 {
			t.Errorf("%d kills, want only the four that were under way", n)
		}
	})
}

func TestAJournalThatFailedForGoodEndsTheRun(t *testing.T) {
	runSynctest(t, 3, 2, func(w *fixture) {
		w.options.Journal = failedJournal{}
		err := w.run(time.Minute)
		if !errors.Is(err, journal.ErrFailed) {
			t.Errorf("run ended with %v", err)
		}
	})
}

func TestReloadGivesUpWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	g := govern.New(govern.Options{Policy: contract.DefaultPolicy()})
	if _, err := g.Reload(ctx); !errors.Is(err, context.Canceled) { // nobody takes it
		t.Error(err)
	}
}

func count(list []string, one string) (n int) {
	for _, s := range list {
		if s == one {
			n++
		}
	}
	return n
}

func (w *fixture) outcomesOf(id string) []contract.ActionBody {
	return slices.DeleteFunc(bodies[contract.ActionBody](w.spool), func(b contract.ActionBody) bool {
		return b.Container != id || b.Phase != contract.PhaseOutcome
	})
}

func TestAnEngineThatRefusesEveryConnectionEndsAManagerInAContainer(t *testing.T) {
	tests := []struct {
		name  string
		self  string
		fault enginetest.Fault
		ends  bool
	}{
		{"in a container", strings.Repeat("d", 64), enginetest.Fault{Op: "list", Kind: engine.KindUnreachable}, true},
		{"for a while only", strings.Repeat("d", 64), enginetest.Fault{Op: "list", Kind: engine.KindUnreachable, Times: 5}, false},
		{"a slow engine", strings.Repeat("d", 64), enginetest.Fault{Op: "list", Delay: time.Hour}, false},
		{"an engine in trouble", strings.Repeat("d", 64), enginetest.Fault{Op: "list", Kind: engine.KindServer}, false},
		{"outside of one, where the path leads to the new socket", "", enginetest.Fault{Op: "list", Kind: engine.KindUnreachable}, false},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			runSynctest(t, 3, 2, func(w *fixture) {
				w.options.Suite.ManagerID = tt.self
				var began time.Time
				err := w.runWith(10*time.Minute, func(*govern.Governor) {
					time.Sleep(15 * time.Second)
					began = time.Now()
					w.engine.Inject(tt.fault)
				})
				switch {
				case !tt.ends && err != nil:
					t.Errorf("ended with %v", err)
				case tt.ends && !errors.Is(err, govern.ErrEngineUnreachable):
					t.Errorf("ended with %v", err)
				case tt.ends && time.Since(began) > time.Minute: // six ticks are the policy's alarm_after
					t.Errorf("ended after %s", time.Since(began))
				}
				if n := len(w.reports.ticks); tt.ends && n != 8 {
					t.Errorf("%d ticks, want the 2 good ones and 6 that were refused", n)
				}
			})
		})
	}
}

// Records of a gated tick are sent too: its number must not be given again by the next run.
func TestATickNumberIsGivenOnceAlsoAfterGatedTicks(t *testing.T) {
	runSynctest(t, 3, 2, func(w *fixture) {
		failing := func(g *govern.Governor) {
			time.Sleep(25 * time.Second)
			w.reader.fail(errors.New("gone"))
		}
		for range 3 {
			w.reader.fail(nil)
			if err := w.runWith(95*time.Second, failing); err != nil {
				t.Fatal(err)
			}
		}
		var ticks []uint64
		for _, r := range w.spool.records {
			if r.Kind == contract.KindHost {
				ticks = append(ticks, r.Tick)
			}
		}
		if len(ticks) != 30 {
			t.Errorf("%d ticks, want 30", len(ticks))
		}
		for i, n := range ticks {
			if n != uint64(i+1) {
				t.Fatalf("ticks %v: number %d comes after %d", ticks, n, i)
			}
		}
	})
}
