package govern

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"gestor.local/contract"
	"gestor.local/manager/internal/engine"
)

const (
	// loopRestarts within loopSpan are a loop. The engine waits up to a minute between two starts of a container that ends
	// soon after each (restartmanager/restartmanager.go), so that one that loops makes nine in that time.
	loopRestarts = 3
	loopSpan     = 10 * time.Minute
	// mostRestarting is how many containers between two starts are inspected on one tick.
	mostRestarting = 20
)

// restarts follows how often the engine's restart policy brought a container back.
type restarts struct {
	counts []restartCount // the changes of the last loopSpan, and the last one before
	exit   int            // code of the last end that was seen
	ended  bool           // one was seen
}

type restartCount struct {
	at time.Time
	n  int
}

// note takes in an inspection.
func (r restarts) note(now time.Time, v engine.ContainerState) restarts {
	if v.State == contract.StateRestarting {
		r.exit, r.ended = v.ExitCode, true
	}

	last := len(r.counts) - 1
	switch {
	case last >= 0 && r.counts[last].n == v.RestartCount:
		return r
	case last >= 0 && r.counts[last].n > v.RestartCount: // somebody started it by hand
		r.counts = nil
	}
	r.counts = append(slices.Clip(r.recent(now)), restartCount{now, v.RestartCount})
	return r
}

// recent are the counts less those that are too old.
func (r *restarts) recent(now time.Time) []restartCount {
	counts := r.counts
	for len(counts) > 1 && now.Sub(counts[1].at) > loopSpan {
		counts = counts[1:]
	}
	return counts
}

// loops says whether it was brought back too often of late.
func (r *restarts) loops(now time.Time) bool {
	counts := r.recent(now)
	return len(counts) > 1 && r.total()-counts[0].n >= loopRestarts
}

func (r *restarts) total() int { return r.counts[len(r.counts)-1].n }

func (r *restarts) String() string {
	code := "exit code not seen yet"
	if r.ended {
		code = fmt.Sprintf("last exit code %d", r.exit)
	}
	return fmt.Sprintf("%d restarts, %s", r.total(), code)
}

// looping names the containers in a loop with how often they were started again and how they ended, "" when there are none.
func (g *Governor) looping(t *tick) string {
	var loops []string
	for _, id := range slices.Sorted(maps.Keys(g.identities)) {
		who := g.identities[id]
		if who.restarts.loops(t.at) {
			loops = append(loops, fmt.Sprintf("%s (%s)", g.named(t, []string{id}), &who.restarts))
		}
	}
	return shortened(loops)
}

// shortened names the first of many and says how many more there are.
func shortened(names []string) string {
	const most = 5
	if more := len(names) - most; more > 0 {
		names = append(slices.Clip(names[:most]), fmt.Sprintf("%d more", more))
	}
	return strings.Join(names, ", ")
}
