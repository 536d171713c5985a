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

// DockerState is a container's state in Docker's words. Podman has more of them: one that is told to stop and has not stopped
// yet, one that has ended and is not cleaned up yet, and two before the start.
func DockerState(word string) string {
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

// StateAlive says whether a container in this state runs, or goes on by itself or when it is told to.
func StateAlive(state string) bool {
	return state == StateRunning || state == StatePaused || state == StateRestarting
}

// StateEnded says whether a container in this state ran and does not any more.
func StateEnded(state string) bool { return state == StateExited || state == StateDead }

// Removed says that the record is the end of a container by Gestor's hand. A container that was found gone
// (already_gone) is not ours. Every reader that counts, draws or names removals asks this method.
func (b ActionBody) Removed() bool {
	ended := b.Phase == PhaseOutcome && (b.Outcome == OutcomeDone || b.Outcome == OutcomeAlreadyStopped)
	return ended && (b.Removes || b.Action == ActionRemove)
}

// Gone says that the container is not on the host any more, by whomever: Gestor removed it, or it was found gone.
func (b ActionBody) Gone() bool {
	return b.Removed() || b.Phase == PhaseOutcome && b.Outcome == OutcomeAlreadyGone
}

// Metrics of GET /v1/stats that count how removals and launches ended are one of these words and the outcome.
const (
	MetricRemove = "remove_"
	MetricLaunch = "launch_"
)

// IsRemovalMetric says whether a metric counts the containers that Gestor removed: of those that Removed speaks of.
func IsRemovalMetric(metric string) bool {
	return metric == MetricRemove+OutcomeDone || metric == MetricRemove+OutcomeAlreadyStopped
}
