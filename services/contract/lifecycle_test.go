package contract

import "testing"

func TestAStateIsInDockersWords(t *testing.T) {
	for word, want := range map[string]string{
		"running": StateRunning, "exited": StateExited, "removing": StateRemoving, "": "", "unheard of": "unheard of",
		// podman's own (libpod/define/containerstate.go)
		"stopping": StateRunning, "stopped": StateExited, "configured": StateCreated, "initialized": StateCreated,
	} {
		if got := DockerState(word); got != want || DockerState(got) != got {
			t.Errorf("%q: %q, want %q", word, got, want)
		}
	}
}

func TestAContainerIsAliveOrHasEndedOrNeither(t *testing.T) {
	for state, want := range map[string]struct{ alive, ended bool }{
		StateCreated: {}, StateRunning: {alive: true}, StatePaused: {alive: true}, StateRestarting: {alive: true},
		StateRemoving: {}, StateExited: {ended: true}, StateDead: {ended: true}, "": {}, "Running": {},
	} {
		if StateAlive(state) != want.alive || StateEnded(state) != want.ended {
			t.Errorf("%q: alive %t, ended %t", state, StateAlive(state), StateEnded(state))
		}
	}
}

func TestRemovedIsTheEndOfAContainerByOurHand(t *testing.T) {
	end := func(action, outcome string, removes bool) ActionBody {
		return ActionBody{Phase: PhaseOutcome, Action: action, Outcome: outcome, Removes: removes}
	}
	tests := []struct {
		name string
		body ActionBody
		want bool
	}{
		{"a removal", end(ActionRemove, OutcomeDone, true), true},
		{"of one that had stopped", end(ActionRemove, OutcomeAlreadyStopped, true), true},
		{"of a record without the field", end(ActionRemove, OutcomeDone, false), true},
		{"a stop that takes the container with it", end("stop", OutcomeDone, true), true},
		{"a stop that does not", end("stop", OutcomeDone, false), false},
		{"somebody else was faster", end(ActionRemove, OutcomeAlreadyGone, true), false},
		{"refused", end(ActionRemove, OutcomeRefused, true), false},
		{"failed", end(ActionRemove, OutcomeFailed, true), false},
		{"not known yet", end(ActionRemove, OutcomeUnknown, true), false},
		{"only shown", end(ActionShadowRemove, OutcomeDone, false), false},
		{"throttled", end(ActionThrottle, OutcomeDone, false), false},
		{"meant", ActionBody{Phase: PhaseIntent, Action: ActionRemove, Removes: true}, false},
	}
	for _, tt := range tests {
		if got := tt.body.Removed(); got != tt.want {
			t.Errorf("%s: %t", tt.name, got)
		}
		if tt.body.Action == ActionRemove && tt.body.Phase == PhaseOutcome && IsRemovalMetric(MetricRemove+tt.body.Outcome) != tt.want {
			t.Errorf("%s: the metric counts otherwise", tt.name)
		}
		if got := tt.body.Gone(); got != (tt.want || tt.body.Outcome == OutcomeAlreadyGone) {
			t.Errorf("%s: gone %t", tt.name, got)
		}
	}
}
