package contract

import "testing"

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
