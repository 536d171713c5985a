package govern

import (
	"maps"
	"slices"
)

// failureCounts counts how often in a row acting on a container failed. One on which it failed too often is stuck: it is left alone
// until it changes.
type failureCounts struct {
	inRow map[string]int // by container id
	// stuck holds those that are left alone, with the state they had when they were first seen so.
	stuck map[string]string
}

func newFailureCounts() failureCounts {
	return failureCounts{inRow: make(map[string]int), stuck: make(map[string]string)}
}

// add counts a failure, and says the how many-th in a row it is and whether the container is stuck since this one.
func (f *failureCounts) add(id string, stuckAfter int) (inRow int, stuck bool) {
	f.inRow[id]++
	if f.isStuck(id) || f.inRow[id] < stuckAfter {
		return f.inRow[id], false
	}
	f.stuck[id] = ""
	return f.inRow[id], true
}

// reset forgets the failures of a container: acting on it succeeded, it has changed, or it is gone.
func (f *failureCounts) reset(id string) {
	delete(f.inRow, id)
	delete(f.stuck, id)
}

func (f *failureCounts) isStuck(id string) bool {
	_, stuck := f.stuck[id]
	return stuck
}

// stuckIDs are the ids of those that are left alone. Sorted.
func (f *failureCounts) stuckIDs() []string { return slices.Sorted(maps.Keys(f.stuck)) }

// prune forgets the failures of containers that are gone, and takes a stuck one back that changed. stateOf is the state of a container
// now, "" for one that the engine does not list.
func (f *failureCounts) prune(stateOf func(id string) string) {
	for id := range f.inRow {
		was, stuck := f.stuck[id]
		switch now := stateOf(id); {
		case now == "", stuck && was != "" && was != now:
			f.reset(id)
		case stuck: // the state in which it got stuck is known from the first list after that
			f.stuck[id] = now
		}
	}
}
