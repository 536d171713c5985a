package actuator_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"gestor.local/contract"
	"gestor.local/manager/internal/engine"
	"gestor.local/manager/internal/engine/enginetest"
	"gestor.local/manager/internal/govern/actuator"
)

var (
	victim   = strings.Repeat("a", 64)
	survivor = strings.Repeat("b", 64)
)

const started = "2026-01-01T00:00:00Z"

func labels() map[string]string {
	return map[string]string{contract.LabelManaged: "true", contract.LabelClass: "low"}
}

// population is a victim and one survivor of its class.
func population() *enginetest.Engine {
	return enginetest.New(
		enginetest.Container{ID: victim, Name: "victim", Labels: labels(), StartedAt: started},
		enginetest.Container{ID: survivor, Name: "survivor", Labels: labels(), StartedAt: started},
	)
}

func order() actuator.Order {
	act := contract.DefaultPolicy().Act
	return actuator.Order{
		ActionID: "1", Tick: 7, ClassLabel: "low", Act: act, Rungs: act.Ladder,
		Victim:       contract.Verdict{ID: victim, Class: contract.ClassLow, StartedAt: started},
		MinAvailable: actuator.MinAvailable{Survivors: []string{survivor}, Need: 1},
	}
}

// journal keeps the undo of throttles.
type journal struct {
	before []engine.CPULimit
	err    error
}

func (j *journal) LogThrottle(_ actuator.Order, before engine.CPULimit) error {
	if j.err == nil {
		j.before = append(j.before, before)
	}
	return j.err
}

func ops(e *enginetest.Engine) (out []string) {
	for _, c := range e.Calls() {
		out = append(out, c.Op)
	}
	return out
}

func TestOutcomes(t *testing.T) {
	tests := []struct {
		name    string
		arrange func(*enginetest.Engine)
		ladder  []contract.Rung
		outcome string
		calls   []string
		gone    bool
		fault   bool
	}{
		{name: "kill and remove", outcome: contract.OutcomeDone, calls: []string{"kill", "remove"}, gone: true},
		{
			name: "gone before the check", arrange: func(e *enginetest.Engine) { e.Drop(victim) },
			outcome: contract.OutcomeAlreadyGone, gone: true,
		},
		{
			name: "gone between the check and the kill",
			arrange: func(e *enginetest.Engine) {
				e.Inject(enginetest.Fault{Op: "kill", Kind: engine.KindGone, Times: 1})
			},
			outcome: contract.OutcomeAlreadyGone, calls: []string{"kill"},
		},
		{
			name: "not running any more",
			arrange: func(e *enginetest.Engine) {
				e.Inject(enginetest.Fault{Op: "kill", Kind: engine.KindNotRunning, Effect: true, Times: 1})
			},
			outcome: contract.OutcomeAlreadyStopped, calls: []string{"kill", "remove"}, gone: true,
		},
		{
			name: "not running at the kill, running again when inspected",
			arrange: func(e *enginetest.Engine) {
				e.Inject(enginetest.Fault{Op: "kill", Kind: engine.KindNotRunning, Times: 1})
			},
			outcome: contract.OutcomeDone, calls: []string{"kill", "kill", "remove"}, gone: true,
		},
		{
			name:    "exited at the check",
			arrange: func(e *enginetest.Engine) { e.Change(victim, func(c *enginetest.Container) { c.State = "exited" }) },
			outcome: contract.OutcomeAlreadyStopped, calls: []string{"remove"}, gone: true,
		},
		{
			name: "removal in progress by somebody else, and it ends",
			arrange: func(e *enginetest.Engine) {
				e.Inject(enginetest.Fault{Op: "remove", Kind: engine.KindRemoving, Effect: true, Times: 1})
			},
			outcome: contract.OutcomeDone, calls: []string{"kill", "remove"}, gone: true,
		},
		{
			name:    "removal in progress that does not end",
			arrange: func(e *enginetest.Engine) { e.Inject(enginetest.Fault{Op: "remove", Kind: engine.KindRemoving}) },
			outcome: contract.OutcomeUnknown, calls: []string{"kill", "remove"},
		},
		{
			name:    "removed by the engine itself (--rm)",
			arrange: func(e *enginetest.Engine) { e.Change(victim, func(c *enginetest.Container) { c.AutoRemove = true }) },
			outcome: contract.OutcomeDone, calls: []string{"kill", "remove"}, gone: true,
		},
		{
			name:    "5xx without effect, then it works",
			arrange: func(e *enginetest.Engine) { e.Inject(enginetest.Fault{Op: "kill", Kind: engine.KindServer, Times: 2}) },
			outcome: contract.OutcomeDone, calls: []string{"kill", "kill", "kill", "remove"}, gone: true, fault: true,
		},
		{
			name:    "5xx for ever",
			arrange: func(e *enginetest.Engine) { e.Inject(enginetest.Fault{Op: "kill", Kind: engine.KindServer}) },
			outcome: contract.OutcomeUnknown, calls: []string{"kill", "kill", "kill"}, fault: true,
		},
		{
			name: "5xx although it took effect",
			arrange: func(e *enginetest.Engine) {
				e.Inject(enginetest.Fault{Op: "kill", Kind: engine.KindServer, Effect: true})
			},
			outcome: contract.OutcomeDone, calls: []string{"kill", "remove"}, gone: true, fault: true,
		},
		{
			name: "time-out after the kill took effect",
			arrange: func(e *enginetest.Engine) {
				e.Inject(enginetest.Fault{Op: "kill", Delay: time.Minute, Effect: true})
			},
			outcome: contract.OutcomeDone, calls: []string{"kill", "remove"}, gone: true, fault: true,
		},
		{
			name: "time-out without effect is not tried for ever",
			arrange: func(e *enginetest.Engine) {
				e.Inject(enginetest.Fault{Op: "kill", Delay: time.Minute, Kind: engine.KindServer})
			},
			outcome: contract.OutcomeUnknown, calls: []string{"kill"}, fault: true,
		},
		{
			name:    "kill that needs 12 s",
			arrange: func(e *enginetest.Engine) { e.Inject(enginetest.Fault{Op: "kill", Delay: 12 * time.Second}) },
			outcome: contract.OutcomeDone, calls: []string{"kill", "remove"}, gone: true,
		},
		{
			name: "doubtful kill and no answer to the question what it did",
			arrange: func(e *enginetest.Engine) {
				e.Inject(
					enginetest.Fault{Op: "look", Times: 1},
					enginetest.Fault{Op: "kill", Kind: engine.KindServer},
					enginetest.Fault{Op: "look", Kind: engine.KindServer},
				)
			},
			outcome: contract.OutcomeUnknown, calls: []string{"kill"}, fault: true,
		},
		{
			name:    "the engine says no",
			arrange: func(e *enginetest.Engine) { e.Inject(enginetest.Fault{Op: "kill", Kind: engine.KindOther}) },
			outcome: contract.OutcomeFailed, calls: []string{"kill"},
		},
		{
			name: "restart policy always",
			arrange: func(e *enginetest.Engine) {
				e.Change(victim, func(c *enginetest.Container) { c.RestartPolicy = "always" })
			},
			outcome: contract.OutcomeDone, calls: []string{"kill", "remove"}, gone: true,
		},
		{
			name: "stop with grace", ladder: []contract.Rung{contract.RungStop, contract.RungKill, contract.RungRemove},
			outcome: contract.OutcomeDone, calls: []string{"stop", "kill", "remove"}, gone: true,
		},
		{
			name: "an engine without stop", ladder: []contract.Rung{contract.RungStop, contract.RungKill, contract.RungRemove},
			arrange: func(e *enginetest.Engine) { e.Inject(enginetest.Fault{Op: "stop", Kind: engine.KindUnsupported}) },
			outcome: contract.OutcomeDone, calls: []string{"stop", "kill", "remove"}, gone: true,
		},
		{
			name:    "an engine without kill",
			arrange: func(e *enginetest.Engine) { e.Inject(enginetest.Fault{Op: "kill", Kind: engine.KindUnsupported}) },
			outcome: contract.OutcomeDone, calls: []string{"kill", "remove"}, gone: true,
		},
		{
			name:    "an engine without remove",
			arrange: func(e *enginetest.Engine) { e.Inject(enginetest.Fault{Op: "remove", Kind: engine.KindUnsupported}) },
			outcome: contract.OutcomeFailed, calls: []string{"kill", "remove"},
		},
		{
			name: "it vanished during the kill, by --rm",
			arrange: func(e *enginetest.Engine) {
				e.Change(victim, func(c *enginetest.Container) { c.AutoRemove = true })
				e.Inject(enginetest.Fault{Op: "kill", Kind: engine.KindVanished, Effect: true})
			},
			outcome: contract.OutcomeDone, calls: []string{"kill"}, gone: true,
		},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				e := population()
				if tt.arrange != nil {
					tt.arrange(e)
				}
				o := order()
				if tt.ladder != nil {
					o.Rungs = tt.ladder
				}
				got := actuator.NewEnforcer(e, e, &journal{}).Do(context.Background(), o)
				if got.Outcome != tt.outcome || got.EngineFault != tt.fault {
					t.Errorf("outcome %q (fault %t, %v), want %q (fault %t)", got.Outcome, got.EngineFault, got.Err, tt.outcome, tt.fault)
				}
				if diff := cmp.Diff(tt.calls, ops(e)); diff != "" {
					t.Errorf("calls (-want +got):\n%s", diff)
				}
				if _, there := e.Get(victim); there == tt.gone && tt.name != "gone between the check and the kill" {
					t.Errorf("victim is there: %t", there)
				}
				if _, there := e.Get(survivor); !there {
					t.Error("the survivor was removed")
				}
			})
		})
	}
}

// A removal is by force: what was said not to run and runs is checked anew first.
func TestNoRemovalByForceOnOldNews(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := population()
		e.Inject(enginetest.Fault{Op: "kill", Kind: engine.KindNotRunning, Delay: 5 * time.Second, Times: 1})
		time.AfterFunc(2*time.Second, func() { e.Drop(survivor) })
		got := actuator.NewEnforcer(e, e, &journal{}).Do(context.Background(), order())
		if got.Outcome != contract.OutcomeRefused || !strings.Contains(got.Why, "only 0 of the 1") {
			t.Errorf("outcome %q (%s), want refused: its survivor died", got.Outcome, got.Why)
		}
		if diff := cmp.Diff([]string{"kill"}, ops(e)); diff != "" {
			t.Errorf("calls (-want +got):\n%s", diff)
		}
	})
}

func TestPreconditionsRefuse(t *testing.T) {
	change := func(edit func(*enginetest.Container)) func(*enginetest.Engine, *actuator.Order) {
		return func(e *enginetest.Engine, _ *actuator.Order) { e.Change(victim, edit) }
	}
	tests := []struct {
		name    string
		arrange func(*enginetest.Engine, *actuator.Order)
		why     string
	}{
		{"started again", change(func(c *enginetest.Container) { c.StartedAt = "2026-02-02T00:00:00Z" }), "started again"},
		{"disowned", change(func(c *enginetest.Container) { delete(c.Labels, contract.LabelManaged) }), "owned"},
		{"became part of the suite", change(func(c *enginetest.Container) {
			c.Labels[contract.LabelRole], c.Labels[contract.LabelConfigHash] = "logs", "1"
		}), "owned"},
		{"of another suite", func(_ *enginetest.Engine, o *actuator.Order) { o.Suite = "other" }, "owned"},
		{"another class", change(func(c *enginetest.Container) { c.Labels[contract.LabelClass] = "high" }), "class label"},
		{"an orchestrator's", change(func(c *enginetest.Container) { c.Labels[contract.LabelSwarmTask] = "t" }), "swarm keeps it"},
		{"paused", change(func(c *enginetest.Container) { c.State = "paused" }), "paused"},
		{"its survivor died", func(e *enginetest.Engine, _ *actuator.Order) { e.Drop(survivor) }, "only 0 of the 1"},
		{"its survivor stopped", func(e *enginetest.Engine, _ *actuator.Order) {
			e.Change(survivor, func(c *enginetest.Container) { c.State = "exited" })
		}, "only 0 of the 1"},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			e, o := population(), order()
			tt.arrange(e, &o)
			got := actuator.NewEnforcer(e, e, &journal{}).Do(context.Background(), o)
			if got.Outcome != contract.OutcomeRefused || !strings.Contains(got.Why, tt.why) {
				t.Errorf("outcome %q, why %q; want refused, %q", got.Outcome, got.Why, tt.why)
			}
			if calls := e.Calls(); len(calls) != 0 {
				t.Errorf("called %v", calls)
			}
		})
	}
}

func TestThrottleIsWrittenDownFirstAndUndone(t *testing.T) {
	limits := []engine.CPULimit{{}, {NanoCPUs: 500_000_000}, {QuotaUS: 50_000, PeriodUS: 100_000}}
	for _, before := range limits {
		e, j := population(), &journal{}
		e.Change(victim, func(c *enginetest.Container) { c.CPU = before })
		enforcer := actuator.NewEnforcer(e, e, j)
		got := enforcer.Throttle(context.Background(), order())
		if got.Outcome != contract.OutcomeDone || len(j.before) != 1 || j.before[0] != before {
			t.Fatalf("throttle: %+v, journal %+v", got, j)
		}
		if c, _ := e.Get(victim); c.CPU == before {
			t.Errorf("limit %+v was not lowered", before)
		}
		if got := enforcer.Unthrottle(context.Background(), got.Order); got.Outcome != contract.OutcomeDone {
			t.Errorf("unthrottle: %+v", got)
		}
		if c, _ := e.Get(victim); c.CPU != before {
			t.Errorf("limit is %+v after the undo, was %+v", c.CPU, before)
		}
	}
}

// What a person sets while a container is throttled is the person's.
func TestALimitThatSomebodyChangedMeanwhileIsLeft(t *testing.T) {
	throttled := engine.CPULimit{QuotaUS: 5_000}
	for name, tt := range map[string]struct{ found, left engine.CPULimit }{
		"as it was set":                    {throttled, engine.CPULimit{}},
		"as podman tells what was set":     {engine.CPULimit{NanoCPUs: 50_000_000, QuotaUS: 5_000, PeriodUS: 100_000}, engine.CPULimit{}},
		"raised":                           {engine.CPULimit{QuotaUS: 80_000}, engine.CPULimit{QuotaUS: 80_000}},
		"lowered":                          {engine.CPULimit{QuotaUS: 2_000}, engine.CPULimit{QuotaUS: 2_000}},
		"raised by --cpus":                 {engine.CPULimit{NanoCPUs: 2_000_000_000}, engine.CPULimit{NanoCPUs: 2_000_000_000}},
		"lifted: it is as it was before":   {engine.CPULimit{PeriodUS: 100_000}, engine.CPULimit{}},
		"lifted, as podman tells no limit": {engine.CPULimit{NanoCPUs: -10_000, QuotaUS: -1, PeriodUS: 100_000}, engine.CPULimit{}},
	} {
		t.Run(name, func(t *testing.T) {
			e := population()
			enforcer := actuator.NewEnforcer(e, e, &journal{})
			o := order()
			o.Act.ThrottleMillicores = 50
			got := enforcer.Throttle(context.Background(), o)
			if c, _ := e.Get(victim); c.CPU != throttled {
				t.Fatalf("throttled to %+v", c.CPU)
			}
			e.Change(victim, func(c *enginetest.Container) { c.CPU = tt.found })
			undone := enforcer.Unthrottle(context.Background(), got.Order)
			if c, _ := e.Get(victim); c.CPU != tt.left {
				t.Errorf("the limit is %+v, want %+v", c.CPU, tt.left)
			}
			if left := tt.found == tt.left; left != (undone.Outcome == contract.OutcomeRefused) || left != (undone.Why != "") {
				t.Errorf("undone as %+v", undone)
			}
		})
	}
}

// Who cannot inspect gives the limit back: a container must not stay throttled. Nor is it known after a restart what
// was set.
func TestALimitIsGivenBackWhereNobodyKnowsBetter(t *testing.T) {
	for name, change := range map[string]func(*enginetest.Engine, *actuator.Order){
		"no inspection": func(e *enginetest.Engine, _ *actuator.Order) {
			e.Inject(enginetest.Fault{Op: "look", Kind: engine.KindServer})
		},
		"an earlier run's": func(_ *enginetest.Engine, o *actuator.Order) { o.Lowered = nil },
	} {
		e := population()
		enforcer := actuator.NewEnforcer(e, e, &journal{})
		o := enforcer.Throttle(context.Background(), order()).Order
		e.Change(victim, func(c *enginetest.Container) { c.CPU.QuotaUS = 80_000 })
		change(e, &o)
		if got := enforcer.Unthrottle(context.Background(), o); got.Outcome != contract.OutcomeDone {
			t.Errorf("%s: %+v", name, got)
		}
		if c, _ := e.Get(victim); c.CPU != (engine.CPULimit{}) {
			t.Errorf("%s: the limit is %+v", name, c.CPU)
		}
	}
}

// Nothing was changed, so that nothing is to be given back, and it is neither a failure of the container nor one of the
// engine.
func TestNoThrottleOnAnEngineThatCannot(t *testing.T) {
	e := population()
	e.Inject(enginetest.Fault{Op: "update", Kind: engine.KindUnsupported})
	got := actuator.NewEnforcer(e, e, &journal{}).Throttle(context.Background(), order())
	if !got.Unsupported || got.Outcome != contract.OutcomeRefused || got.Why == "" || got.EngineFault || got.Order.Before != nil {
		t.Errorf("%+v", got)
	}
}

func TestNoThrottleWithoutJournal(t *testing.T) {
	e := population()
	got := actuator.NewEnforcer(e, e, &journal{err: errors.New("disk full")}).Throttle(context.Background(), order())
	if got.Outcome != contract.OutcomeFailed || len(e.Calls()) != 0 {
		t.Errorf("%+v after calls %v", got, e.Calls())
	}
}

func TestShadowChangesNothing(t *testing.T) {
	e := population()
	shadow := actuator.NewShadow(e)
	if got := shadow.Do(context.Background(), order()); got.Outcome != contract.OutcomeDone {
		t.Errorf("outcome %q", got.Outcome)
	}
	if calls := e.Calls(); len(calls) != 0 {
		t.Errorf("called %v", calls)
	}
}
