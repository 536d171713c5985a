package actuator_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"gestor.local/contract"
	"gestor.local/manager/internal/engine"
	"gestor.local/manager/internal/engine/enginetest"
	"gestor.local/manager/internal/govern/actuator"
)

func TestAStopWaitsForTheContainersOwnTimeAndNeverLess(t *testing.T) {
	tests := []struct {
		name             string
		own, grace, want time.Duration
	}{
		{"its own is longer", 90 * time.Second, 5 * time.Second, 90 * time.Second},
		{"its own is shorter", 2 * time.Second, 5 * time.Second, 5 * time.Second},
		{"no grace", 2 * time.Second, 0, 2 * time.Second},
		{"none of its own", 0, 5 * time.Second, 10 * time.Second},
		{"none of its own, and a longer grace", 0, 30 * time.Second, 30 * time.Second},
		{"without end", -time.Second, 5 * time.Second, 5 * time.Minute},
		{"an hour", time.Hour, 5 * time.Second, 5 * time.Minute},
		{"exactly the most", 5 * time.Minute, 0, 5 * time.Minute},
		{"the longest grace of a policy", time.Second, 5 * time.Minute, 5 * time.Minute},
	}

	for _, tt := range tests {
		if got := actuator.StopWait(tt.own, contract.Act{Grace: contract.Duration(tt.grace)}); got != tt.want {
			t.Errorf("%s: own %s, grace %s: %s, want %s", tt.name, tt.own, tt.grace, got, tt.want)
		}
	}
}

// stopOrder is one that stops and removes.
func stopOrder(grace time.Duration) actuator.Order {
	o := order()
	o.Act.Grace, o.Rungs = contract.Duration(grace), []contract.Rung{contract.RungStop, contract.RungRemove}
	return o
}

func TestAStopKillsNobodyWhoStillHasTime(t *testing.T) {
	tests := []struct {
		name             string
		own, grace, ends time.Duration
		took             time.Duration
		exitCode         int
	}{
		{"ends at once", 10 * time.Second, time.Second, 0, 0, 0},
		{"needs more than the grace", 10 * time.Second, time.Second, 3 * time.Second, 3 * time.Second, 0},
		{"needs minutes that it has", 4 * time.Minute, time.Second, 200 * time.Second, 200 * time.Second, 0},
		{"ignores the signal", 2 * time.Second, time.Second, time.Hour, 2 * time.Second, 137},
		{"has more time by the grace", 2 * time.Second, 8 * time.Second, 7 * time.Second, 7 * time.Second, 0},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				e := population()
				e.Change(victim, func(c *enginetest.Container) { c.StopTimeout, c.EndsWithin = tt.own, tt.ends })
				var removed enginetest.Container
				e.Watch(func(c enginetest.Call, target enginetest.Container, _ []enginetest.Container) {
					if c.Op == "remove" {
						removed = target
					}
				})

				got := actuator.NewEnforcer(e, e, &journal{}).Do(context.Background(), stopOrder(tt.grace))
				if got.Outcome != contract.OutcomeDone || got.Took != tt.took {
					t.Errorf("%q after %s (%v), want done after %s", got.Outcome, got.Took, got.Err, tt.took)
				}
				if removed.State != contract.StateExited || removed.ExitCode != tt.exitCode {
					t.Errorf("removed as %s with code %d, want exited with %d", removed.State, removed.ExitCode, tt.exitCode)
				}
				if diff := cmp.Diff([]string{"stop", "remove"}, ops(e)); diff != "" {
					t.Errorf("calls (-want +got):\n%s", diff)
				}
			})
		})
	}
}

// The wait is no part of the policy's deadline: what comes after it has its tries all the same.
func TestTheDeadlineComesOnTopOfTheWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := population()
		e.Change(victim, func(c *enginetest.Container) { c.StopTimeout, c.EndsWithin = time.Minute, 30*time.Second })
		e.Inject(enginetest.Fault{Op: "stop", Delay: 40 * time.Second, Kind: engine.KindServer, Times: 1})
		got := actuator.NewEnforcer(e, e, &journal{}).Do(context.Background(), stopOrder(time.Second))
		if got.Outcome != contract.OutcomeDone {
			t.Errorf("%q (%v), want done", got.Outcome, got.Err)
		}
		if diff := cmp.Diff([]string{"stop", "stop", "remove"}, ops(e)); diff != "" {
			t.Errorf("calls (-want +got):\n%s", diff)
		}
	})
}

func TestAnEngineThatDoesNotAnswerToAStopIsGivenUpAfterWaitAndDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := population()
		e.Change(victim, func(c *enginetest.Container) { c.StopTimeout = time.Minute })
		e.Inject(enginetest.Fault{Op: "stop", Delay: time.Hour, Kind: engine.KindServer})
		began := time.Now()
		got := actuator.NewEnforcer(e, e, &journal{}).Do(context.Background(), stopOrder(time.Second))
		if got.Outcome != contract.OutcomeUnknown || got.Took != 80*time.Second {
			t.Errorf("%q after %s, want unknown after 60 s and the 20 s of the policy", got.Outcome, got.Took)
		}
		if want := began.Add(time.Minute); !got.StopUntil.Equal(want) {
			t.Errorf("the engine may still stop it until %s, want %s", got.StopUntil, want)
		}
	})
}

// Nothing of it concerns those that are killed.
func TestAKillHasNoWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := population()
		e.Change(victim, func(c *enginetest.Container) { c.StopTimeout = time.Minute })
		e.Inject(enginetest.Fault{Op: "kill", Delay: time.Hour, Kind: engine.KindServer})
		got := actuator.NewEnforcer(e, e, &journal{}).Do(context.Background(), order())
		if got.Outcome != contract.OutcomeUnknown || got.Took != 20*time.Second || !got.StopUntil.IsZero() {
			t.Errorf("%q after %s, stop until %s", got.Outcome, got.Took, got.StopUntil)
		}
	})
}
