package govern_test

import (
	"testing"
	"time"

	"gestor.local/contract"
	"gestor.local/manager/internal/engine"
	"gestor.local/manager/internal/engine/enginetest"
	"gestor.local/manager/internal/govern"
)

// What an earlier run left open is closed before anything is observed.
func TestWhatWasLeftOpenIsClosedBeforeTheFirstTick(t *testing.T) {
	victim := id("low", 3)
	tests := []struct {
		name    string
		crash   enginetest.Fault
		between func(w *fixture) // the two runs
		outcome string
		within  time.Duration // of the first tick
		alive   bool
	}{
		{"gone", enginetest.Fault{Op: "remove", Delay: time.Hour, Effect: true}, nil, contract.OutcomeDone, 0, false},
		{"dead", enginetest.Fault{Op: "remove", Delay: time.Hour}, nil, contract.OutcomeAlreadyStopped, time.Second, false},
		{"runs", enginetest.Fault{Op: "kill", Delay: time.Hour}, nil, contract.OutcomeRefused, 16 * time.Second, true},
		{"the engine is slow to come back", enginetest.Fault{Op: "remove", Delay: time.Hour, Effect: true}, func(w *fixture) {
			w.engine.Inject(enginetest.Fault{Op: "list", Kind: engine.KindServer, Times: 3})
		}, contract.OutcomeDone, 3 * time.Second, false},
		{"protected by now", enginetest.Fault{Op: "remove", Delay: time.Hour}, func(w *fixture) {
			w.options.Policy.Protect.Names = []string{"low-3"}
		}, contract.OutcomeRefused, time.Second, true},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			runSynctest(t, 4, 2, func(w *fixture) {
				w.options.Drain = 0
				w.engine.Inject(tt.crash)
				if err := w.run(15 * time.Second); err != nil {
					t.Fatal(err)
				}

				w.engine.ClearFaults()
				w.options.Drain = 30 * time.Second
				if tt.between != nil {
					tt.between(w)
				}

				ticks, began := len(w.reports.ticks), time.Now()
				if err := w.run(18 * time.Second); err != nil {
					t.Fatal(err)
				}

				got := w.outcomesOf(victim)
				if len(got) != 1 || got[0].Outcome != tt.outcome {
					t.Fatalf("outcomes %+v, want %s", got, tt.outcome)
				}
				first := w.reports.ticks[ticks]
				if late := first.At.Sub(began); late > tt.within || first.InFlight != 0 {
					t.Errorf("first tick after %s with %d in flight, want it within %s with none", late, first.InFlight, tt.within)
				}
				if _, there := w.engine.Get(victim); there != tt.alive {
					t.Errorf("still there: %t", there)
				}
				if open := w.open(); len(open) != 0 {
					t.Errorf("open intents: %+v", open)
				}
			})
		})
	}
}

// Without anything left open, or told to stop, nobody waits.
func TestNothingLeftOpenDelaysNothing(t *testing.T) {
	runSynctest(t, 3, 2, func(w *fixture) {
		began := time.Now()
		if err := w.run(5 * time.Second); err != nil {
			t.Fatal(err)
		}

		if late := w.reports.ticks[0].At.Sub(began); late != 0 {
			t.Errorf("first tick after %s", late)
		}
	})
	runSynctest(t, 4, 2, func(w *fixture) {
		w.options.Drain = 0
		w.engine.Inject(enginetest.Fault{Op: "kill", Delay: time.Hour})
		if err := w.run(15 * time.Second); err != nil {
			t.Fatal(err)
		}

		began := time.Now()
		if err := w.runWith(2*time.Second, func(*govern.Governor) {}); err != nil {
			t.Fatal(err)
		}

		if took := time.Since(began); took > 3*time.Second {
			t.Errorf("the stop took %s", took)
		}
	})
}
