package govern_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"gestor.local/contract"
	"gestor.local/manager/internal/engine"
	"gestor.local/manager/internal/engine/enginetest"
	"gestor.local/manager/internal/govern"
)

// changed is the fixture's policy with an edit.
func (w *fixture) changed(edit func(*contract.Policy)) contract.Policy {
	p := w.options.Policy
	edit(&p)
	return p
}

// reloadAt hands the governor a changed policy after a while.
func (w *fixture) reloadAt(after time.Duration, edit func(*contract.Policy)) func(*govern.Governor) {
	return func(g *govern.Governor) {
		time.Sleep(after)
		w.reload(g, govern.PolicyUpdate{Policy: w.changed(edit)})
	}
}

// throttled makes a throttle the first rung.
func (w *fixture) throttled(ticks int) {
	w.options.Policy.Act.Ladder = []contract.Rung{contract.RungThrottle, contract.RungKill, contract.RungRemove}
	w.options.Policy.Act.ThrottleTicks = ticks
}

func TestOrdersThatWaitAreCalledOffWhenThePolicyChanges(t *testing.T) {
	for name, edit := range map[string]func(*contract.Policy){
		"to observe": func(p *contract.Policy) { p.Mode = contract.ModeObserve },
		"to shadow":  func(p *contract.Policy) { p.Mode = contract.ModeShadow },
		"to protect": func(p *contract.Policy) {
			for n := range 13 {
				p.Protect.Names = append(p.Protect.Names, nameOf("low", n))
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			runSynctest(t, 13, 2, func(w *fixture) { // ten victims, four workers
				w.engine.Inject(enginetest.Fault{Op: "kill", Delay: 12 * time.Second})
				if err := w.runWith(55*time.Second, w.reloadAt(15*time.Second, edit)); err != nil {
					t.Fatal(err)
				}

				if n := w.calls("")["kill"]; n != 4 {
					t.Errorf("%d kills, want only the four that were under way", n)
				}
				if open := w.open(); len(open) != 0 {
					t.Errorf("open intents: %v", open)
				}
			})
		})
	}
}

func TestRemainsAreLeftWhereNothingIsEnforced(t *testing.T) {
	victim := id("low", 3)
	for _, mode := range []contract.Mode{contract.ModeShadow, contract.ModeObserve} {
		t.Run(string(mode), func(t *testing.T) {
			runSynctest(t, 4, 2, func(w *fixture) {
				w.crashAfterTheKill()
				w.options.Policy.Mode = mode
				if err := w.run(25 * time.Second); err != nil {
					t.Fatal(err)
				}

				if c, there := w.engine.Get(victim); !there || c.State != "exited" {
					t.Errorf("the remains: there %t, %q", there, c.State)
				}
				w.options.Policy.Mode = contract.ModeEnforce
				if err := w.run(25 * time.Second); err != nil {
					t.Fatal(err)
				}

				if _, there := w.engine.Get(victim); there {
					t.Error("the remains were forgotten")
				}
			})
		})
	}
}

func TestRemainsOfWhatIsProtectedNowAreLeft(t *testing.T) {
	victim := id("low", 3)
	runSynctest(t, 4, 2, func(w *fixture) {
		w.crashAfterTheKill()
		w.options.Policy.Protect.Names = []string{"low-3"}
		if err := w.run(25 * time.Second); err != nil {
			t.Fatal(err)
		}

		if _, there := w.engine.Get(victim); !there {
			t.Error("the remains of a protected one were removed")
		}
		if open := w.open(); len(open) != 0 {
			t.Errorf("open intents: %v", open)
		}
	})
}

// crashAfterTheKill leaves the first victim dead and its intent open.
func (w *fixture) crashAfterTheKill() {
	w.t.Helper()
	drain := w.options.Drain
	w.options.Drain = 0
	w.engine.Inject(
		enginetest.Fault{Op: "kill", Delay: time.Hour, Effect: true},
		enginetest.Fault{Op: "remove", Delay: time.Hour, Kind: engine.KindServer},
	)
	if err := w.run(15 * time.Second); err != nil {
		w.t.Fatal(err)
	}
	if open := w.open(); len(open) != 1 {
		w.t.Fatalf("open intents after the crash: %+v", open)
	}
	w.engine.ClearFaults()
	w.options.Drain = drain
}

func TestThrottledVictimIsFreedWhenItIsProtected(t *testing.T) {
	victim := id("low", 3)
	runSynctest(t, 4, 2, func(w *fixture) {
		w.throttled(2)
		err := w.runWith(55*time.Second, w.reloadAt(15*time.Second, func(p *contract.Policy) { p.Protect.Names = []string{"low-3"} }))
		if err != nil {
			t.Fatal(err)
		}

		if c, ok := w.engine.Get(victim); !ok || c.State != "running" || c.CPU != (engine.CPULimit{}) {
			t.Errorf("the protected one: there %t, %+v", ok, c)
		}
	})
}

func TestThrottledVictimIsFreedWhenNothingIsEnforcedAnyMore(t *testing.T) {
	for _, mode := range []contract.Mode{contract.ModeShadow, contract.ModeObserve} {
		t.Run(string(mode), func(t *testing.T) {
			runSynctest(t, 4, 2, func(w *fixture) {
				w.throttled(9)
				err := w.runWith(45*time.Second, func(g *govern.Governor) {
					w.reloadAt(15*time.Second, func(p *contract.Policy) { p.Mode = mode })(g)
					time.Sleep(20 * time.Second)
					if c, _ := w.engine.Get(id("low", 3)); c.CPU != (engine.CPULimit{}) {
						t.Errorf("limit is still %+v", c.CPU)
					}
				})
				if err != nil {
					t.Fatal(err)
				}
			})
		})
	}
}

func TestSinksAreToldTheChangedPolicyAtOnce(t *testing.T) {
	runSynctest(t, 3, 2, func(w *fixture) {
		err := w.runWith(25*time.Second, w.reloadAt(15*time.Second, func(p *contract.Policy) { p.Tick = contract.Duration(time.Minute) }))
		if err != nil {
			t.Fatal(err)
		}

		if got := w.reports.adopted; len(got) != 1 || got[0].Tick != contract.Duration(time.Minute) {
			t.Errorf("told of %+v, want one policy with a tick of a minute", got)
		}
	})
}

func TestAChangedPolicyIsInForceFromTheNextTick(t *testing.T) {
	runSynctest(t, 3, 2, func(w *fixture) {
		w.atTicks(noop, func() {
			w.policy.write(govern.PolicyUpdate{Policy: w.changed(func(p *contract.Policy) { p.Quota.Low = 2 })})
		}, func() {
			r := w.reports.last()
			if r.Tick != 3 || r.Policy.Quota.Low != 2 || r.Plan == nil || r.Plan.PolicyHash != r.Policy.Hash() || !r.Plan.Surprise {
				t.Errorf("tick %d, quota %d, plan %+v", r.Tick, r.Policy.Quota.Low, r.Plan)
			}
			w.wantAlive("low-0", "low-1", "low-2", "high-0", "high-1")
		}, func() { w.wantAlive("low-0", "low-1", "high-0", "high-1") })
	})
}

func TestAnotherTickBeginsWithTheTickThatFindsIt(t *testing.T) {
	runSynctest(t, 3, 2, func(w *fixture) {
		err := w.runWith(15*time.Second, func(*govern.Governor) {
			time.Sleep(5 * time.Second)
			w.policy.write(govern.PolicyUpdate{Policy: w.changed(func(p *contract.Policy) { p.Tick = contract.Duration(2 * time.Second) })})
		})
		if err != nil {
			t.Fatal(err)
		}

		var at []time.Duration
		for _, r := range w.reports.ticks {
			at = append(at, r.At.Sub(w.reports.ticks[0].At))
		}
		if want := []time.Duration{0, 10 * time.Second, 12 * time.Second, 14 * time.Second}; !slices.Equal(at, want) {
			t.Errorf("ticks at %v, want %v", at, want)
		}
	})
}

func TestARefusedPolicyIsAConditionUntilTheFileIsGood(t *testing.T) {
	bad := govern.PolicyUpdate{Err: errors.New("line 3: quota.low: -1 is too small")}
	runSynctest(t, 3, 2, func(w *fixture) {
		wantRefused := func(want bool) func() {
			return func() {
				t.Helper()
				if _, ok := w.reports.condition(govern.ConditionPolicy); ok != want {
					t.Errorf("condition raised: %t, want %t", ok, want)
				}
			}
		}
		w.atTicks(
			func() { w.policy.write(bad) },
			wantRefused(true),
			func() { wantRefused(true)(); w.policy.write(bad) },
			func() { wantRefused(true)(); w.policy.write(govern.PolicyUpdate{Policy: w.options.Policy}) }, // as it was before
			wantRefused(false),
		)
		if n := count(w.spool.events(), "policy_rejected"); n != 1 {
			t.Errorf("refused %d times in the records, want once", n)
		}
	})
}

func TestAReloadAnswersWhatCameOfIt(t *testing.T) {
	runSynctest(t, 3, 2, func(w *fixture) {
		err := w.runWith(25*time.Second, func(g *govern.Governor) {
			time.Sleep(5 * time.Second)
			old := w.options.Policy.Hash()
			shadow := w.changed(func(p *contract.Policy) { p.Mode = contract.ModeShadow })
			for _, step := range []struct {
				write govern.PolicyUpdate
				want  govern.ReloadResult
			}{
				{govern.PolicyUpdate{Policy: w.options.Policy}, govern.ReloadResult{Policy: old, Mode: contract.ModeEnforce}},
				{govern.PolicyUpdate{Err: errors.New("line 3")}, govern.ReloadResult{Policy: old, Mode: contract.ModeEnforce, Refused: "line 3"}},
				{govern.PolicyUpdate{Policy: shadow}, govern.ReloadResult{Policy: shadow.Hash(), Mode: contract.ModeShadow, Changed: true}},
			} {
				if got := w.reload(g, step.write); got != step.want {
					t.Errorf("%+v, want %+v", got, step.want)
				}
			}
		})
		if err != nil {
			t.Fatal(err)
		}
	})
}
