package govern

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"gestor.local/contract"
)

// futileMemory is how long a return is remembered: whoever starts a container again within ten minutes of its removal is
// a machine, and once it has stopped for that long the container is judged again.
const futileMemory = 10 * time.Minute

// futility counts containers that come back under a new id: the same name, or the same service, as key tells.
type futility struct {
	removed map[string]trace // by key
	seen    map[string]bool  // the ids of the last inventory: a replica that was there all the time did not return
}

type trace struct {
	away    bool // removed, and not yet back
	returns int
	at      time.Time // of the last removal or return
}

func newFutility() *futility { return &futility{removed: make(map[string]trace)} }

// key is what stays when a container is made again: whoever starts it knows it by the service, and often calls each by another
// name. Without the hash the labels of a compose service may be the image's.
func key(name string, labels map[string]string) string {
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
		return "name " + name
	}
}

// gone notes that a container of this key was removed.
func (f *futility) gone(now time.Time, key string) {
	t := f.removed[key]
	t.away, t.at = true, now
	f.removed[key] = t
}

// look compares the inventory with what was removed and returns the names whose removal is pointless, sorted, and those
// among them that have become so just now.
func (f *futility) look(now time.Time, inv contract.Inventory, after int) (futile, fresh []string) {
	maps.DeleteFunc(f.removed, func(_ string, t trace) bool { return now.Sub(t.at) > futileMemory })
	seen := make(map[string]bool, len(inv.Entries))
	names := make(map[string]bool)
	for _, e := range inv.Entries {
		seen[e.ID] = true
		k := key(e.Name, e.Labels)
		t, ours := f.removed[k]
		if !ours {
			continue
		}
		if t.away && !f.seen[e.ID] {
			t = trace{returns: t.returns + 1, at: now}
			f.removed[k] = t
			if t.returns == after {
				fresh = append(fresh, e.Name)
			}
		}
		if t.returns >= after {
			names[e.Name] = true
		}
	}
	f.seen = seen
	slices.Sort(fresh)
	return slices.Sorted(maps.Keys(names)), fresh
}
