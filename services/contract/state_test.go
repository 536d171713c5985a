package contract

import "testing"

func TestAStateIsInDockersWords(t *testing.T) {
	for word, want := range map[string]string{
		"running": StateRunning, "exited": StateExited, "removing": StateRemoving, "": "", "unheard of": "unheard of",
		// podman's own (libpod/define/containerstate.go)
		"stopping": StateRunning, "stopped": StateExited, "configured": StateCreated, "initialized": StateCreated,
	} {
		if got := State(word); got != want || State(got) != got {
			t.Errorf("%q: %q, want %q", word, got, want)
		}
	}
}

func TestAContainerLivesOrHasEndedOrNeither(t *testing.T) {
	for state, want := range map[string]struct{ lives, ended bool }{
		StateCreated: {}, StateRunning: {lives: true}, StatePaused: {lives: true}, StateRestarting: {lives: true},
		StateRemoving: {}, StateExited: {ended: true}, StateDead: {ended: true}, "": {}, "Running": {},
	} {
		if Lives(state) != want.lives || Ended(state) != want.ended {
			t.Errorf("%q: lives %t, ended %t", state, Lives(state), Ended(state))
		}
	}
}
