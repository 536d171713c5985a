package contract

// States of a container, in Docker's words.
const (
	StateCreated    = "created" // never started
	StateRunning    = "running"
	StatePaused     = "paused"
	StateRestarting = "restarting" // it has ended, and its restart policy starts it again
	StateRemoving   = "removing"
	StateExited     = "exited"
	StateDead       = "dead" // it has ended, and could not be removed as a whole
)

// State is a container's state in Docker's words. Podman has more of them: one that is told to stop and has not stopped yet,
// one that has ended and is not cleaned up yet, and two before the start.
func State(word string) string {
	switch word {
	case "stopping":
		return StateRunning
	case "stopped":
		return StateExited
	case "configured", "initialized":
		return StateCreated
	default:
		return word
	}
}

// Lives says whether a container in this state runs, or goes on by itself or when it is told to.
func Lives(state string) bool {
	return state == StateRunning || state == StatePaused || state == StateRestarting
}

// Ended says whether a container in this state ran and does not any more.
func Ended(state string) bool { return state == StateExited || state == StateDead }
