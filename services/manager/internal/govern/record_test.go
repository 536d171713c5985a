package govern_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"gestor.local/contract"
	"gestor.local/contract/policy2"
	"gestor.local/manager/internal/engine"
	"gestor.local/manager/internal/engine/enginetest"
	"gestor.local/manager/internal/govern"
)

func TestDeficitIsToldOnceAndItsEnd(t *testing.T) {
	t.Run("version 1", func(t *testing.T) { deficitIsTold(t, nil) })
	t.Run("version 2", func(t *testing.T) { deficitIsTold(t, &govern.Version2{Policy: policy2.Shipped()}) })
}

func deficitIsTold(t *testing.T, v *govern.Version2) {
	runSynctest(t, 2, 2, func(w *fixture) {
		w.options.Version2 = v
		err := w.runWith(65*time.Second, func(*govern.Governor) {
			time.Sleep(25 * time.Second)
			w.add("low", 2, 30)
		})
		if err != nil {
			t.Fatal(err)
		}

		var got []string
		for _, e := range w.spool.events() {
			if strings.HasPrefix(e, "deficit") {
				got = append(got, e)
			}
		}
		if want := []string{"deficit_begin", "deficit_end"}; !slices.Equal(got, want) {
			t.Errorf("events %v, want %v", got, want)
		}
	})
}

func TestAnotherSourceIsToldAndIsANewBaseline(t *testing.T) {
	runSynctest(t, 4, 2, func(w *fixture) {
		w.options.Policy.Mode = contract.ModeObserve
		err := w.runWith(45*time.Second, func(*govern.Governor) {
			time.Sleep(25 * time.Second)
			w.reader.change(func(s *contract.Snapshot) { s.Source = contract.SourceModule })
			time.Sleep(10 * time.Second)
			if _, ok := w.reports.condition(govern.GateBaseline); !ok {
				t.Errorf("conditions %+v", w.reports.last().Conditions)
			}
		})
		if err != nil {
			t.Fatal(err)
		}

		if n := count(w.spool.events(), "source_changed"); n != 1 {
			t.Errorf("%d source_changed events in %v", n, w.spool.events())
		}
	})
}

// Every record that says remove says whether that is carried out, and if not, why.
func TestRecordsSayWhyNothingIsCarriedOut(t *testing.T) {
	observe := func(p *contract.Policy) { p.Mode = contract.ModeObserve }
	shadow := func(p *contract.Policy) { p.Mode = contract.ModeShadow }
	tests := []struct {
		name    string
		policy  func(*contract.Policy)
		arrange func(w *fixture) // after two ticks, before the third
		held    string
		removed int
	}{
		{"carried out", func(*contract.Policy) {}, func(w *fixture) { w.add("low", 9, 900) }, "", 1},
		{"observe", observe, func(*fixture) {}, contract.HeldObserve, 0},
		{"shadow", shadow, func(*fixture) {}, contract.HeldShadow, 0},
		{"the first plan of another policy", observe, func(w *fixture) {
			w.policy.write(govern.PolicyUpdate{Policy: w.changed(func(p *contract.Policy) { p.Mode = contract.ModeEnforce })})
		}, contract.HeldSurprise, 0},
		{"a closed gate", observe, func(w *fixture) {
			w.policy.write(govern.PolicyUpdate{Policy: w.changed(func(p *contract.Policy) { p.Mode = contract.ModeEnforce })})
			w.reader.corruptRows()
		}, govern.GateBadRows, 0},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			runSynctest(t, 5, 3, func(w *fixture) {
				tt.policy(&w.options.Policy)
				var before int
				w.atTicks(noop, func() { tt.arrange(w); before = len(bodies[contract.HostBody](w.spool)) }, func() {
					host := bodies[contract.HostBody](w.spool)[before]
					if host.Held != tt.held {
						t.Errorf("the host's record is held by %q, want %q", host.Held, tt.held)
					}
				})
				// Those of the third tick.
				tick := uint64(3)
				for _, r := range w.spool.records {
					held, verdict := "", ""
					switch b := r.Body.(type) {
					case contract.DecisionBody:
						held, verdict = b.Held, b.Verdict
					case contract.ContainerBody:
						held, verdict = b.Held, b.Verdict
					}
					if r.Tick == tick && verdict == contract.VerdictRemove && held != tt.held {
						t.Errorf("%s record is held by %q, want %q", r.Kind, held, tt.held)
					}
				}
			})
		})
	}
}

// While one removal is tried after too many errors of the engine, the records of the others say that they wait.
func TestRecordsSayWhichRemovalsWaitForTheTrialOfTheEngine(t *testing.T) {
	runSynctest(t, 13, 2, func(w *fixture) {
		w.options.Policy.Act.BreakerAfter, w.options.Policy.Act.StuckAfter = 1, 100
		w.engine.Inject(enginetest.Fault{Op: "kill", Kind: engine.KindServer})
		if err := w.run(2 * time.Minute); err != nil {
			t.Fatal(err)
		}

		intents, deferred := make(map[uint64]int), make(map[uint64]int)
		for _, r := range w.spool.records {
			switch b := r.Body.(type) {
			case contract.DecisionBody:
				if b.Verdict == contract.VerdictRemove && b.Held == govern.GateBreaker {
					deferred[r.Tick]++
				}
			case contract.ActionBody:
				if b.Phase == contract.PhaseIntent && b.Action == contract.ActionRemove {
					intents[r.Tick]++
				}
			}
		}
		if len(deferred) == 0 {
			t.Fatal("no tick on trial")
		}
		for tick, n := range deferred {
			if intents[tick] != 1 || n != 9 {
				t.Errorf("tick %d: %d intents and %d that wait, want 1 and 9", tick, intents[tick], n)
			}
		}
	})
}

func TestARemovalSaysHowManyAnonymousVolumesItLeft(t *testing.T) {
	tests := []struct {
		name    string
		arrange func(*fixture)
		want    int
	}{
		{"removed", func(*fixture) {}, 2},
		{"had ended by itself", func(w *fixture) {
			w.engine.Inject(enginetest.Fault{Op: "kill", Kind: engine.KindNotRunning, Times: 1, Effect: true})
		}, 2},
		{"by the engine itself", func(w *fixture) { w.engine.Change(id("low", 3), func(c *enginetest.Container) { c.AutoRemove = true }) }, 0},
		{"known after a doubt", func(w *fixture) {
			w.engine.Inject(enginetest.Fault{Op: "remove", Kind: engine.KindServer, Effect: true}, enginetest.Fault{Op: "look", Kind: engine.KindServer, ID: "none"})
		}, 2},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			runSynctest(t, 4, 2, func(w *fixture) {
				w.engine.Change(id("low", 3), func(c *enginetest.Container) { c.AnonymousVolumes = 2 })
				tt.arrange(w)
				if err := w.run(45 * time.Second); err != nil {
					t.Fatal(err)
				}

				removed := 0
				for _, b := range bodies[contract.ActionBody](w.spool) {
					switch {
					case b.Removed():
						removed++
						if b.AnonymousVolumes != tt.want {
							t.Errorf("%s: %d left, want %d", b.Outcome, b.AnonymousVolumes, tt.want)
						}
					case b.AnonymousVolumes != 0:
						t.Errorf("%s %s left %d", b.Phase, b.Outcome, b.AnonymousVolumes)
					}
				}
				if removed != 1 {
					t.Errorf("%d removals, want 1", removed)
				}
			})
		})
	}
}
