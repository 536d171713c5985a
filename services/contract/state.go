package contract

// States of a container, in the engine's words.
const (
	StateCreated    = "created" // never started
	StateRunning    = "running"
	StatePaused     = "paused"
	StateRestarting = "restarting" // it has ended, and its restart policy starts it again
	StateRemoving   = "removing"
	StateExited     = "exited"
	StateDead       = "dead" // it has ended, and could not be removed as a whole
)

// Lives says whether a container in this state runs, or goes on by itself or when it is told to.
func Lives(state string) bool {
	return state == StateRunning || state == StatePaused || state == StateRestarting
}

// Ended says whether a container in this state ran and does not any more.
func Ended(state string) bool { return state == StateExited || state == StateDead }
