package govern_test

import (
	"slices"
	"testing"
	"time"

	"gestor.local/contract"
	"gestor.local/manager/internal/engine"
	"gestor.local/manager/internal/engine/enginetest"
	"gestor.local/manager/internal/govern"
)

// stops lets the policy stop containers, and the given one take its time to end.
func (w *fixture) stops(id string, own, ends time.Duration) {
	w.options.Policy.Act.Ladder = []contract.Rung{contract.RungStop, contract.RungRemove}
	w.engine.Change(id, func(c *enginetest.Container) { c.StopTimeout, c.EndsWithin = own, ends })
}

// exitCode is what a container ended with, -1 while it runs or is gone.
func (w *fixture) exitCode(id string) int {
	c, there := w.engine.Get(id)
	if !there || c.State != contract.StateExited {
		return -1
	}
	return c.ExitCode
}

func TestTheTickDoesNotWaitForAStop(t *testing.T) {
	victim := id("low", 3)
	runSynctest(t, 4, 2, func(w *fixture) {
		w.stops(victim, 4*time.Minute, 3*time.Minute)
		if err := w.run(205 * time.Second); err != nil {
			t.Fatal(err)
		}

		if got := len(w.reports.ticks); got != 21 {
			t.Errorf("%d ticks in 205 s, want 21", got)
		}
		if got := w.outcomesOf(victim); len(got) != 1 || got[0].Outcome != contract.OutcomeDone {
			t.Errorf("outcomes %+v", got)
		}
		if calls := w.calls(""); calls["stop"] != 1 || calls["remove"] != 1 {
			t.Errorf("calls %v", calls)
		}
		w.wantAlive(settled(2)...)
	})
}

// Who is throttled must not stay so because all workers wait for containers that stop.
func TestALimitIsGivenBackWhileEveryWorkerWaitsForAStop(t *testing.T) {
	stopping, spared := id("low", 3), id("low", 4)
	runSynctest(t, 5, 2, func(w *fixture) {
		w.stops(stopping, 5*time.Minute, time.Hour)
		w.options.Policy.Act.Ladder = []contract.Rung{contract.RungThrottle, contract.RungStop, contract.RungRemove}
		w.options.Policy.Act.Parallel, w.options.Policy.Act.ThrottleTicks = 1, 1
		err := w.runWith(60*time.Second, func(g *govern.Governor) {
			time.Sleep(25 * time.Second)
			if c, _ := w.engine.Get(spared); w.calls(stopping)["stop"] != 1 || w.calls(spared)["stop"] != 0 || c.CPU == (engine.CPULimit{}) {
				t.Errorf("calls %v and %v, limit %+v: want one stopped, the other throttled", w.calls(stopping), w.calls(spared), c.CPU)
			}

			w.reload(g, govern.PolicyUpdate{Policy: w.changed(func(p *contract.Policy) { p.Quota.Low = 20 })})
			time.Sleep(time.Second)
			if c, _ := w.engine.Get(spared); c.CPU != (engine.CPULimit{}) {
				t.Errorf("a second later the limit is %+v", c.CPU)
			}
		})
		if err != nil {
			t.Fatal(err)
		}
	})
}

// The stop of the manager waits for its own time alone. The engine goes on, and the next run takes up what became of it.
func TestAStopOfMinutesDoesNotHoldTheManagerUp(t *testing.T) {
	victim := id("low", 3)
	tests := []struct {
		name    string
		ends    time.Duration // after the stop signal
		away    time.Duration // between the two runs
		outcome string
		code    int
	}{
		{"it ends while nobody is there", 2 * time.Minute, 3 * time.Minute, contract.OutcomeAlreadyStopped, 0},
		{"it ends under the next run", 3 * time.Minute, 30 * time.Second, contract.OutcomeAlreadyStopped, 0},
		{"it is killed under the next run", time.Hour, time.Second, contract.OutcomeAlreadyStopped, 137},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			runSynctest(t, 4, 2, func(w *fixture) {
				w.stops(victim, 5*time.Minute, tt.ends)
				w.options.Drain = 20 * time.Second
				began := time.Now()
				if err := w.run(15 * time.Second); err != nil {
					t.Fatal(err)
				}
				if took := time.Since(began); took != 35*time.Second {
					t.Errorf("the run of 15 s took %s, want 20 s of drain and no more", took)
				}
				if open := w.open(); len(open) != 1 {
					t.Fatalf("open intents: %+v", open)
				}

				var code int
				w.engine.Watch(func(c enginetest.Call, target enginetest.Container, _ []enginetest.Container) {
					if c.Op == "remove" {
						code = target.ExitCode
					}
				})
				time.Sleep(tt.away)
				ticks, again := len(w.reports.ticks), time.Now()
				if err := w.run(6 * time.Minute); err != nil {
					t.Fatal(err)
				}

				if late := w.reports.ticks[ticks].At.Sub(again); late > 17*time.Second {
					t.Errorf("the first tick came %s after the start", late)
				}
				if got := w.outcomesOf(victim); len(got) != 1 || got[0].Outcome != tt.outcome {
					t.Errorf("outcomes %+v, want %s", got, tt.outcome)
				}
				if _, there := w.engine.Get(victim); there || code != tt.code || w.calls(victim)["stop"] != 1 {
					t.Errorf("still there: %t, removed with code %d (want %d) after calls %v", there, code, tt.code, w.calls(victim))
				}
				w.wantAlive(settled(2)...)
			})
		})
	}
}

// An earlier run that had not yet asked for the stop leaves a container that runs on: it is judged anew once no stop can be
// under way any more.
func TestAStopThatWasNeverAskedForIsClosedWhenItsTimeIsOver(t *testing.T) {
	victim := id("low", 3)
	for name, tt := range map[string]struct {
		arrange func(w *fixture)
		closed  time.Duration // after the start of the second run, on a tick
	}{
		"its own time": {func(*fixture) {}, 65 * time.Second},
		"not inspected": {func(w *fixture) {
			w.engine.Inject(enginetest.Fault{Op: "look", ID: victim, Kind: engine.KindServer, Times: 1})
		}, 315 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			runSynctest(t, 4, 2, func(w *fixture) {
				w.stops(victim, 50*time.Second, time.Hour)
				w.options.Drain = 0
				w.engine.Inject(enginetest.Fault{Op: "stop", Delay: time.Hour, Kind: engine.KindServer})
				if err := w.run(15 * time.Second); err != nil {
					t.Fatal(err)
				}

				w.engine.ClearFaults()
				tt.arrange(w)
				w.options.Drain, w.options.Policy.Mode = 30*time.Second, contract.ModeObserve
				began := time.Now()
				if err := w.run(6 * time.Minute); err != nil {
					t.Fatal(err)
				}

				got := w.outcomesOf(victim)
				if len(got) != 1 || got[0].Outcome != contract.OutcomeRefused {
					t.Fatalf("outcomes %+v, want refused", got)
				}
				for _, a := range w.reports.acted {
					if took := a.At.Sub(began); a.Final && (took < tt.closed || took > tt.closed+15*time.Second) {
						t.Errorf("closed after %s, want %s and a tick", took, tt.closed)
					}
				}
				if w.exitCode(victim) != -1 {
					t.Error("it was ended")
				}
			})
		})
	}
}

// Who has ended by a stop whose answer is still to come has not ended by himself.
func TestAStopInFlightIsNoEndOfItsOwn(t *testing.T) {
	victim := id("low", 3)
	runSynctest(t, 4, 2, func(w *fixture) {
		w.options.Version2 = version2(t, `own: [{label: gestor.managed=true}]
surprise: 100%
rules:
  - {name: low, match: {class: low}, each: container, keep: {lightest: 3}, rest: stop}
`)
		w.engine.Inject(enginetest.Fault{Op: "stop", ID: victim, Delay: 40 * time.Second})
		err := w.runWith(85*time.Second, func(*govern.Governor) {
			time.Sleep(25 * time.Second)
			w.engine.Change(victim, func(c *enginetest.Container) { c.State = contract.StateExited })
		})
		if err != nil {
			t.Fatal(err)
		}

		if calls := w.calls(victim); calls["stop"] != 1 {
			t.Errorf("calls %v", calls)
		}
		seen := 0
		for _, tick := range w.reports.ticks {
			seen += tick.InFlight
			if slices.ContainsFunc(tick.Conditions, func(c govern.Condition) bool { return c.Name == govern.ConditionEnded }) {
				t.Errorf("tick %d: %+v", tick.Tick, tick.Conditions)
			}
		}
		if seen < 2 {
			t.Errorf("the stop was in flight on %d ticks", seen)
		}
	})
}
