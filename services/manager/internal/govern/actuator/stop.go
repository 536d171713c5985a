package actuator

import (
	"time"

	"gestor.local/contract"
)

const (
	// longestStop is the most that a stop waits: what takes longer than five minutes to end would hold a worker for good.
	longestStop = 5 * time.Minute
	// usualStop is what every engine waits for a container that was created without a time of its own.
	usualStop = 10 * time.Second
)

// StopWait is how long the engine is to wait between the stop signal and SIGKILL: as long as a stop by hand would, own being
// the container's own time (engine.ContainerState.StopTimeout), or for the policy's grace where that is longer, and never more
// than 5 min.
func StopWait(own time.Duration, act contract.Act) time.Duration {
	switch {
	case own < 0: // without end
		own = longestStop

	case own == 0: // podman before 4.7 tells it for whatever compose made without a time (its issue 19139)
		own = usualStop
	}
	return min(max(own, time.Duration(act.Grace)), longestStop)
}
