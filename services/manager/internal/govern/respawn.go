package govern

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"gestor.local/contract"
	"gestor.local/manager/internal/engine"
)

const (
	// loopRestarts within loopSpan are a loop. The engine waits up to a minute between two starts of a container that
	// ends soon after each (restartmanager/restartmanager.go), so that one that loops makes nine in that time.
	loopRestarts = 3
	loopSpan     = 10 * time.Minute
)

// restartHistory follows how often the engine's restart policy brought one container back, under the same id.
type restartHistory struct {
	counts []restartCount // the changes of the last loopSpan, and the last one before
	exit   int            // code of the last end that was seen
	ended  bool           // one was seen
}

type restartCount struct {
	at time.Time
	n  int
}

// add takes in an inspection and returns the history with it.
func (r restartHistory) add(now time.Time, s engine.ContainerState) restartHistory {
	if s.State == contract.StateRestarting {
		r.exit, r.ended = s.ExitCode, true
	}

	last := len(r.counts) - 1
	switch {
	case last >= 0 && r.counts[last].n == s.RestartCount:
		return r
	case last >= 0 && r.counts[last].n > s.RestartCount: // somebody started it by hand
		r.counts = nil
	}
	r.counts = append(slices.Clip(r.recent(now)), restartCount{now, s.RestartCount})
	return r
}

// recent are the counts less those that are too old.
func (r *restartHistory) recent(now time.Time) []restartCount {
	counts := r.counts
	for len(counts) > 1 && now.Sub(counts[1].at) > loopSpan {
		counts = counts[1:]
	}
	return counts
}

// isLooping says whether it was brought back too often of late.
func (r *restartHistory) isLooping(now time.Time) bool {
	counts := r.recent(now)
	return len(counts) > 1 && r.total()-counts[0].n >= loopRestarts
}

func (r *restartHistory) total() int { return r.counts[len(r.counts)-1].n }

func (r *restartHistory) String() string {
	code := "exit code not seen yet"
	if r.ended {
		code = fmt.Sprintf("last exit code %d", r.exit)
	}
	return fmt.Sprintf("%d restarts, %s", r.total(), code)
}

// respawnRetention is how long a return is remembered: whoever starts a container again within ten minutes of its
// removal is a machine, and once it has stopped for that long the container is judged again.
const respawnRetention = 10 * time.Minute

// respawnTracker counts containers that come back under a new id: the same name, or the same service (see
// respawnKey).
type respawnTracker struct {
	tracked map[string]respawn // by key
	seen    map[string]bool    // the ids of the last inventory: a replica that was there all the time did not return
}

type respawn struct {
	absent  bool // removed, and not yet back
	returns int
	at      time.Time // of the last removal or return
}

func newRespawnTracker() *respawnTracker { return &respawnTracker{tracked: make(map[string]respawn)} }

// respawnKey is what stays when a container is made again: whoever starts it knows it by the service, and often calls
// each by another name. Without the hash the labels of a compose service may be the image's.
func respawnKey(name string, labels map[string]string) string {
	service := labels[contract.LabelService]
	switch w, _ := contract.WorkloadOf(labels); {
	case service != "" && labels[contract.LabelConfigHash] != "":
		return "service " + labels[contract.LabelProject] + "/" + service
	case labels[contract.LabelPodmanService] != "":
		return "podman service " + labels[contract.LabelPodmanProject] + "/" + labels[contract.LabelPodmanService]
	case service != "" && labels[contract.LabelPodmanConfigHash] != "": // podman-compose before 1.5
		return "podman service " + labels[contract.LabelPodmanProject] + "/" + service
	case w.Name != "" || w.Alloc != "":
		return fmt.Sprintf("%s %s/%s/%s/%s", w.By, w.Namespace, w.Name, w.Group, w.Alloc)
	default:
		return keyOfName(name)
	}
}

// keyOfName is the key of a container of which only the name is known.
func keyOfName(name string) string { return "name " + name }

// removed notes that a container of this key was removed.
func (r *respawnTracker) removed(now time.Time, key string) {
	one := r.tracked[key]
	one.absent, one.at = true, now
	r.tracked[key] = one
}

// observe compares the inventory with what was removed and returns the names whose removal is pointless, sorted, and
// those among them that have become so just now.
func (r *respawnTracker) observe(now time.Time, inv contract.Inventory, after int) (futile, fresh []string) {
	maps.DeleteFunc(r.tracked, func(_ string, one respawn) bool { return now.Sub(one.at) > respawnRetention })

	seen := make(map[string]bool, len(inv.Entries))
	names := make(map[string]bool)
	for _, e := range inv.Entries {
		seen[e.ID] = true
		key := respawnKey(e.Name, e.Labels)
		one, removed := r.tracked[key]
		if !removed {
			continue
		}

		if one.absent && !r.seen[e.ID] {
			one = respawn{returns: one.returns + 1, at: now}
			r.tracked[key] = one
			if one.returns == after {
				fresh = append(fresh, e.Name)
			}
		}
		if one.returns >= after {
			names[e.Name] = true
		}
	}

	r.seen = seen
	slices.Sort(fresh)
	return slices.Sorted(maps.Keys(names)), fresh
}
