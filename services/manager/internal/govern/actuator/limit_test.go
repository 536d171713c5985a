package actuator_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"gestor.local/contract"
	"gestor.local/contract/policy2"
	"gestor.local/manager/internal/engine"
	"gestor.local/manager/internal/engine/enginetest"
	"gestor.local/manager/internal/govern/actuator"
)

func TestALimitIsLoweredInItsOwnFormAndGivenBack(t *testing.T) {
	tests := []struct {
		name        string
		before, set engine.CPULimit
	}{
		{"none", engine.CPULimit{}, engine.CPULimit{QuotaUS: 5_000}},
		{"none, with a period", engine.CPULimit{PeriodUS: 50_000}, engine.CPULimit{QuotaUS: 2_500, PeriodUS: 50_000}},
		{"--cpus", engine.CPULimit{NanoCPUs: 500_000_000}, engine.CPULimit{NanoCPUs: 50_000_000}},
		{"--cpu-quota", engine.CPULimit{QuotaUS: 50_000, PeriodUS: 200_000}, engine.CPULimit{QuotaUS: 10_000, PeriodUS: 200_000}},
		{"of a uneven number", engine.CPULimit{QuotaUS: 33_333, PeriodUS: 70_001}, engine.CPULimit{QuotaUS: 3_500, PeriodUS: 70_001}},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := newBench()
			b.victim(func(c *enginetest.Container) { c.CPU = tt.before })
			got := run(t, b, b.order(policy2.StepThrottle))
			want := actuator.Limits{Before: tt.before, Set: tt.set}
			if got.Outcome != contract.OutcomeDone || got.Limits == nil || *got.Limits != want || !want.Owed() || got.Removes {
				t.Fatalf("%+v, want %+v", got, want)
			}
			if len(b.log.logged) != 1 || b.log.logged[0] != want {
				t.Errorf("logged %+v, want %+v", b.log.logged, want)
			}
			if c, _ := b.Get(victim); c.CPU != tt.set {
				t.Errorf("the limit is %+v, want %+v", c.CPU, tt.set)
			}

			back := b.giveBack(want)
			if c, _ := b.Get(victim); back.Outcome != contract.OutcomeDone || c.CPU != tt.before {
				t.Errorf("%q, the limit is %+v, was %+v", back.Outcome, c.CPU, tt.before)
			}
		})
	}
}

func (b *bench) giveBack(l actuator.Limits) actuator.StepResult {
	order := actuator.GiveBackOrder{ActionID: "2", ID: victim, Limits: l, Act: policy2.Default().Act}
	return b.enforcer.GiveBack(context.Background(), order)
}

// The intent is written before the call: a crash in between owes what was not changed, and that is seen.
func TestTheIntentOfAThrottleComesBeforeTheCall(t *testing.T) {
	b := newBench()
	b.Watch(func(enginetest.Call, enginetest.Container, []enginetest.Container) {
		if len(b.log.logged) != 1 {
			t.Errorf("%d intents at the call", len(b.log.logged))
		}
	})
	run(t, b, b.order(policy2.StepThrottle))
	if calls := stepOps(b); len(calls) != 1 || calls[0] != "update" {
		t.Errorf("called %v", calls)
	}
}

// The intent waits for the loop, and meanwhile things change: nothing is done then.
func TestAThrottleIsLookedAtAgainOnceItIsWrittenDown(t *testing.T) {
	for name, change := range map[string]func(*bench){
		"the approval is taken back": func(b *bench) { b.present.InForce.ApprovedWallUS = 0 },
		"it is protected":            func(b *bench) { b.victim(func(c *enginetest.Container) { c.Name = "keeper" }) },
		"it was started again": func(b *bench) {
			b.victim(func(c *enginetest.Container) { c.StartedAt = "2026-03-03T00:00:00Z" })
		},
		"somebody changed its limit": func(b *bench) {
			b.victim(func(c *enginetest.Container) { c.CPU = engine.CPULimit{NanoCPUs: 700_000_000} })
		},
		"it has ended": func(b *bench) { b.victim(exited) },
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench()
			b.log.then = func() { change(b) }
			got := run(t, b, b.order(policy2.StepThrottle))
			if got.Outcome != contract.OutcomeRefused || len(b.Calls()) != 0 || got.Limits != nil || got.Why == "" {
				t.Errorf("%+v after %v", got, b.Calls())
			}
		})
	}
}

// A limit that is low enough stays: it is done, nothing is changed and nothing owed.
func TestALimitIsNeverRaised(t *testing.T) {
	for name, own := range map[string]engine.CPULimit{
		"--cpus":           {NanoCPUs: 40_000_000},
		"equal":            {NanoCPUs: 50_000_000},
		"--cpu-quota":      {QuotaUS: 2_000},
		"of a long period": {QuotaUS: 20_000, PeriodUS: 1_000_000},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench()
			o := b.order(policy2.StepThrottle) // and it was lowered since the plan
			b.victim(func(c *enginetest.Container) { c.CPU = own })
			got := run(t, b, o)
			if got.Outcome != contract.OutcomeDone || got.Attempts != 0 || len(b.Calls()) != 0 {
				t.Errorf("%+v after %v", got, b.Calls())
			}
			if got.Limits == nil || got.Limits.Owed() || !got.Limits.Before.Same(own) {
				t.Errorf("limits %+v", got.Limits)
			}
		})
	}
}

// Another rule's throttle takes the place of the first: what was before that one is still what is owed.
func TestAThrottleReplacesAnother(t *testing.T) {
	first := actuator.Limits{Before: engine.CPULimit{NanoCPUs: 2_000_000_000}, Set: engine.CPULimit{NanoCPUs: 50_000_000}}
	for name, tt := range map[string]struct {
		found, want engine.CPULimit
		outcome     string
	}{
		"as it was set":          {first.Set, engine.CPULimit{NanoCPUs: 500_000_000}, contract.OutcomeDone},
		"given back already":     {first.Before, engine.CPULimit{NanoCPUs: 500_000_000}, contract.OutcomeDone},
		"another is somebody's":  {engine.CPULimit{NanoCPUs: 70_000_000}, engine.CPULimit{NanoCPUs: 70_000_000}, contract.OutcomeRefused},
		"a higher is somebody's": {engine.CPULimit{NanoCPUs: 3_000_000_000}, engine.CPULimit{NanoCPUs: 3_000_000_000}, contract.OutcomeRefused},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench()
			b.victim(func(c *enginetest.Container) { c.CPU = tt.found })
			o := b.order(policy2.StepThrottle)
			o.NanoCPUs, o.Replaces = 500_000_000, &first
			got := run(t, b, o)
			if c, _ := b.Get(victim); got.Outcome != tt.outcome || c.CPU != tt.want {
				t.Errorf("%q, the limit is %+v, want %q, %+v", got.Outcome, c.CPU, tt.outcome, tt.want)
			}
			if got.Outcome == contract.OutcomeDone && (got.Limits == nil || got.Limits.Before != first.Before) {
				t.Errorf("limits %+v: owed is what was before the first", got.Limits)
			}
		})
	}
}

// What a person sets while a container is throttled is the person's, however little it differs.
func TestOnlyOurOwnLimitIsGivenBack(t *testing.T) {
	none, quota, cpus := engine.CPULimit{}, engine.CPULimit{QuotaUS: 5_000}, engine.CPULimit{NanoCPUs: 50_000_000}
	slow := engine.CPULimit{QuotaUS: 50_000, PeriodUS: 1_000_000}
	podmansNone := engine.CPULimit{NanoCPUs: -10_000, QuotaUS: -1, PeriodUS: 100_000}
	podmans := engine.CPULimit{NanoCPUs: 50_000_000, QuotaUS: 5_000, PeriodUS: 100_000}
	for name, tt := range map[string]struct {
		found, left engine.CPULimit
		outcome     string
	}{
		"as it was set":                    {quota, none, contract.OutcomeDone},
		"as podman tells it":               {podmans, none, contract.OutcomeDone},
		"raised":                           {engine.CPULimit{QuotaUS: 80_000}, engine.CPULimit{QuotaUS: 80_000}, contract.OutcomeRefused},
		"lowered":                          {engine.CPULimit{QuotaUS: 2_000}, engine.CPULimit{QuotaUS: 2_000}, contract.OutcomeRefused},
		"raised by next to nothing":        {engine.CPULimit{QuotaUS: 5_001}, engine.CPULimit{QuotaUS: 5_001}, contract.OutcomeRefused},
		"as much per another period":       {slow, slow, contract.OutcomeRefused},
		"as much, by --cpus":               {cpus, cpus, contract.OutcomeRefused},
		"lifted: as it was before":         {engine.CPULimit{QuotaUS: -1}, engine.CPULimit{QuotaUS: -1}, contract.OutcomeDone},
		"lifted, as podman tells no limit": {podmansNone, podmansNone, contract.OutcomeDone},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench()
			b.victim(func(c *enginetest.Container) { c.CPU = tt.found })
			got := b.giveBack(actuator.Limits{Before: none, Set: quota})
			if c, _ := b.Get(victim); got.Outcome != tt.outcome || c.CPU != tt.left {
				t.Errorf("%q, the limit is %+v, want %q, %+v", got.Outcome, c.CPU, tt.outcome, tt.left)
			}
			if called := len(b.Calls()) > 0; called != (tt.found != tt.left) {
				t.Errorf("called %v", b.Calls())
			}
		})
	}
}

func TestALimitIsOwedToWhomeverItWasTakenFrom(t *testing.T) {
	limits := actuator.Limits{Set: engine.CPULimit{QuotaUS: 5_000}}
	change := func(edit func(*enginetest.Container)) func(*bench) { return func(b *bench) { b.victim(edit) } }
	leaveOut := func(edit func(*engine.ContainerState)) func(*bench) { return func(b *bench) { b.leaveOut(edit) } }
	again := func(c *enginetest.Container) { c.StartedAt = "2026-02-02T00:00:00Z" }
	removing := func(c *enginetest.Container) { c.State = contract.StateRemoving }
	for name, tt := range map[string]struct {
		arrange func(*bench)
		outcome string
		given   bool
	}{
		"not own any more":       {change(func(c *enginetest.Container) { c.Labels = nil }), contract.OutcomeDone, true},
		"protected now":          {change(func(c *enginetest.Container) { c.Name = "keep" }), contract.OutcomeDone, true},
		"no policy in force":     {func(b *bench) { b.present.Policy = nil }, contract.OutcomeDone, true},
		"started again":          {change(again), contract.OutcomeDone, true},
		"ended":                  {change(exited), contract.OutcomeDone, true},
		"gone":                   {func(b *bench) { b.Drop(victim) }, contract.OutcomeAlreadyGone, false},
		"being removed":          {change(removing), contract.OutcomeAlreadyGone, false},
		"it cannot be inspected": {func(b *bench) { b.Inject(enginetest.Fault{Op: "look", Kind: engine.KindServer}) }, contract.OutcomeFailed, false},
		"its limit is not told":  {leaveOut(func(s *engine.ContainerState) { s.NetworkMode = "" }), contract.OutcomeFailed, false},
		"another id is answered": {leaveOut(func(s *engine.ContainerState) { s.ID = survivor }), contract.OutcomeRefused, false},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench()
			b.victim(func(c *enginetest.Container) { c.CPU = limits.Set })
			tt.arrange(b)
			got := b.giveBack(limits)
			if got.Outcome != tt.outcome {
				t.Errorf("%q (%s), want %q", got.Outcome, got.ErrorText(), tt.outcome)
			}
			if c, there := b.Get(victim); there && (c.CPU == engine.CPULimit{}) != tt.given {
				t.Errorf("the limit is %+v", c.CPU)
			}
			if !tt.given && len(b.Calls()) > 0 {
				t.Errorf("called %v", b.Calls())
			}
		})
	}
}

func TestWhatACallThatFailedHasSet(t *testing.T) {
	tests := []struct {
		name    string
		fault   enginetest.Fault
		outcome string
		owed    bool
		fails   bool // the engine
	}{
		{"it took effect", enginetest.Fault{Op: "update", Kind: engine.KindServer, Effect: true}, contract.OutcomeDone, true, true},
		{"it may take effect yet", enginetest.Fault{Op: "update", Kind: engine.KindServer}, contract.OutcomeUnknown, true, true},
		{"no answer", enginetest.Fault{Op: "update", Delay: time.Hour, Kind: engine.KindServer}, contract.OutcomeUnknown, true, true},
		{"no answer, and it took effect", enginetest.Fault{Op: "update", Delay: time.Hour, Effect: true}, contract.OutcomeDone, true, true},
		{"not reached", enginetest.Fault{Op: "update", Kind: engine.KindUnreachable}, contract.OutcomeFailed, false, true},
		{"it says no", enginetest.Fault{Op: "update", Kind: engine.KindOther}, contract.OutcomeFailed, false, false},
		{"it has no such call", enginetest.Fault{Op: "update", Kind: engine.KindUnsupported}, contract.OutcomeRefused, false, false},
		{"gone", enginetest.Fault{Op: "update", Kind: engine.KindGone}, contract.OutcomeAlreadyGone, false, false},
		{"being removed", enginetest.Fault{Op: "update", Kind: engine.KindRemoving}, contract.OutcomeAlreadyGone, false, false},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := newBench()
			b.Inject(tt.fault)
			got := run(t, b, b.order(policy2.StepThrottle))
			if got.Outcome != tt.outcome || (got.Limits != nil) != tt.owed || got.EngineFault != tt.fails {
				t.Errorf("%q, limits %+v, fault %t (%s)", got.Outcome, got.Limits, got.EngineFault, got.ErrorText())
			}
			if got.Unsupported != (tt.fault.Kind == engine.KindUnsupported) {
				t.Errorf("unsupported: %t", got.Unsupported)
			}
			if len(b.log.logged) != 1 {
				t.Errorf("%d intents", len(b.log.logged))
			}
		})
	}
}

// Somebody may change the limit while the engine does not answer.
func TestALimitThatChangesDuringAFailingCallIsTheirs(t *testing.T) {
	b := newBench()
	o := b.order(policy2.StepThrottle)
	b.Inject(enginetest.Fault{Op: "update", Delay: 5 * time.Second, Kind: engine.KindServer})
	synctest.Test(t, func(t *testing.T) {
		time.AfterFunc(time.Second, func() { b.victim(func(c *enginetest.Container) { c.CPU.QuotaUS = 70_000 }) })
		if got := b.enforcer.Do(context.Background(), o); got.Outcome != contract.OutcomeRefused || got.Why == "" || got.Limits != nil {
			t.Errorf("%+v", got)
		}
	})
	if c, _ := b.Get(victim); c.CPU.QuotaUS != 70_000 {
		t.Errorf("the limit is %+v", c.CPU)
	}
}
