package actuator_test

import (
	"errors"
	"testing"

	"gestor.local/contract"
	"gestor.local/contract/policy2"
	"gestor.local/manager/internal/engine"
	"gestor.local/manager/internal/govern/actuator"
)

func TestWhatAnOpenIntentCameTo(t *testing.T) {
	limits := &actuator.Limits{Before: engine.CPULimit{NanoCPUs: 500_000_000}, Set: engine.CPULimit{NanoCPUs: 50_000_000}}
	of := func(step policy2.Step) actuator.OpenIntent {
		return actuator.OpenIntent{ID: victim, Step: step, StartedAt: started, Limits: limits}
	}
	stop, remove, throttle := of(policy2.StepStop), of(policy2.StepRemove), of(policy2.StepThrottle)
	back := of("")
	back.GivesBack = true
	unwritten := throttle
	unwritten.Limits = nil
	stopRm := stop
	stopRm.AutoRemove = true
	still := func(i actuator.OpenIntent) actuator.OpenIntent { i.MayStillEnd = true; return i }

	runs := engine.ContainerState{ID: victim, State: "running", Running: true, StartedAt: started, NetworkMode: "bridge", CPU: limits.Before}
	with := func(edit func(*engine.ContainerState)) engine.ContainerState { s := runs; edit(&s); return s }
	ended := with(func(s *engine.ContainerState) { s.State, s.Running = "exited", false })
	removing := with(func(s *engine.ContainerState) { s.State, s.Running = "removing", false })
	again := with(func(s *engine.ContainerState) { s.StartedAt = "2026-02-02T00:00:00Z" })
	lowered := with(func(s *engine.ContainerState) { s.CPU = limits.Set })
	elses := with(func(s *engine.ContainerState) { s.CPU.NanoCPUs = 60_000_000 })
	untold := with(func(s *engine.ContainerState) { s.NetworkMode, s.CPU = "", engine.CPULimit{} })
	another := with(func(s *engine.ContainerState) { s.ID = survivor })
	gone := &engine.Error{Op: "look", ID: victim, Kind: engine.KindGone, Err: errors.New("No such container")}
	server := &engine.Error{Op: "look", ID: victim, Kind: engine.KindServer, Err: errors.New("busy")}

	tests := []struct {
		name    string
		intent  actuator.OpenIntent
		state   engine.ContainerState
		err     error
		outcome string
		removes bool
		ended   bool
	}{
		{"stop: ended", stop, ended, nil, contract.OutcomeDone, false, true},
		{"stop: runs", stop, runs, nil, contract.OutcomeRefused, false, false},
		{"stop: runs, and may still end", still(stop), runs, nil, contract.OutcomeUnknown, false, false},
		{"stop: started again", still(stop), again, nil, contract.OutcomeRefused, false, false},
		{"stop: gone by somebody's hand", stop, engine.ContainerState{}, gone, contract.OutcomeAlreadyGone, false, true},
		{"stop: somebody removes it", stop, removing, nil, contract.OutcomeDone, false, true},
		{"stop of one with --rm: gone", stopRm, engine.ContainerState{}, gone, contract.OutcomeDone, true, true},
		{"stop of one with --rm: going", stopRm, removing, nil, contract.OutcomeUnknown, true, true},
		{"stop: cannot be inspected", stop, engine.ContainerState{}, server, contract.OutcomeUnknown, false, false},
		{"stop: another id is answered", stop, another, nil, contract.OutcomeUnknown, false, false},

		{"remove: gone", remove, engine.ContainerState{}, gone, contract.OutcomeDone, true, true},
		{"remove: going", remove, removing, nil, contract.OutcomeUnknown, true, true},
		{"remove: ended, and still there", remove, ended, nil, contract.OutcomeUnknown, true, true},
		{"remove: runs", remove, runs, nil, contract.OutcomeRefused, true, false},
		{"remove: runs, and may still end", still(remove), runs, nil, contract.OutcomeUnknown, true, false},
		{"remove: started again", remove, again, nil, contract.OutcomeRefused, true, false},

		{"throttle: set", throttle, lowered, nil, contract.OutcomeDone, false, false},
		{"throttle: not set", throttle, runs, nil, contract.OutcomeRefused, false, false},
		{"throttle: not set yet", still(throttle), runs, nil, contract.OutcomeUnknown, false, false},
		{"throttle: somebody's limit", still(throttle), elses, nil, contract.OutcomeRefused, false, false},
		{"throttle: gone", throttle, engine.ContainerState{}, gone, contract.OutcomeAlreadyGone, false, true},
		{"throttle: not told", throttle, untold, nil, contract.OutcomeUnknown, false, false},
		{"throttle: without limits", unwritten, runs, nil, contract.OutcomeUnknown, false, false},

		{"give back: given", back, runs, nil, contract.OutcomeDone, false, false},
		{"give back: still owed", back, lowered, nil, contract.OutcomeFailed, false, false},
		{"give back: somebody's limit", back, elses, nil, contract.OutcomeRefused, false, false},
		{"give back: gone", back, engine.ContainerState{}, gone, contract.OutcomeAlreadyGone, false, true},
		{"give back: not told", back, untold, nil, contract.OutcomeUnknown, false, false},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := actuator.Verify(tt.intent, tt.state, tt.err)
			if got.Outcome != tt.outcome || got.Removes != tt.removes || got.Ended != tt.ended {
				t.Errorf("%q, removes %t, ended %t (%s), want %q, %t, %t",
					got.Outcome, got.Removes, got.Ended, got.ErrorText(), tt.outcome, tt.removes, tt.ended)
			}
			if quiet := got.ErrorText() == ""; quiet != (got.Outcome == contract.OutcomeDone || got.Outcome == contract.OutcomeAlreadyGone) {
				t.Errorf("%q says %q", got.Outcome, got.ErrorText())
			}
		})
	}
}

// A throttle that was set, or may be, is still owed.
func TestAnOpenThrottleIsOwedUntilItIsSeenNotToBe(t *testing.T) {
	limits := &actuator.Limits{Before: engine.CPULimit{}, Set: engine.CPULimit{QuotaUS: 5_000}}
	i := actuator.OpenIntent{ID: victim, Step: policy2.StepThrottle, Limits: limits, MayStillEnd: true}
	state := engine.ContainerState{ID: victim, NetworkMode: "bridge", CPU: limits.Set}
	if got := actuator.Verify(i, state, nil); got.Limits != limits {
		t.Errorf("set: %+v", got)
	}
	state.CPU = engine.CPULimit{QuotaUS: -1}
	if got := actuator.Verify(i, state, nil); got.Limits != limits {
		t.Errorf("not set yet: %+v", got)
	}
	i.MayStillEnd = false
	if got := actuator.Verify(i, state, nil); got.Limits != nil {
		t.Errorf("never set: %+v", got)
	}
}
