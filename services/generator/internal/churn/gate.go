package churn

import (
	"fmt"
	"sync"
	"time"
)

// Gate holds starts back while the host or the engine is not well, or while nobody governs. It may be used from any
// goroutine. Make one with NewGate.
type Gate struct {
	// floorKB of available memory, and failures in a row, close it; retry is the time after which a gate closed by
	// failures lets one start through to see.
	floorKB  uint64
	failures int
	retry    time.Duration
	free     func() (kb uint64, err error)
	away     func(now time.Time) error

	mu         sync.Mutex // guards all following fields
	row        int        // failures since the last success
	last       time.Time  // of the last failure, or of the last trial
	reason     string
	ungoverned error // what away said last
}

// NewGate makes an open gate. free reads the host's available memory in KiB; away says why nobody governs what is started, nil
// when somebody does; a gate without away does not ask.
func NewGate(floorKB uint64, failures int, retry time.Duration, free func() (uint64, error), away func(time.Time) error) *Gate {
	return &Gate{floorKB: floorKB, failures: failures, retry: retry, free: free, away: away}
}

// Reasons for which a gate is closed.
const (
	GateMemory   = "memory"
	GateManager  = "manager"
	GateFailures = "failures"
)

// Check returns why a start must wait now, "" when it may go, and whether that changed since the last call.
func (g *Gate) Check(now time.Time) (reason string, changed bool) {
	kb, err := g.free()
	var away error
	if g.away != nil {
		away = g.away(now)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	was := g.reason
	g.ungoverned = away
	g.reason = g.judge(kb, err, now)
	return g.reason, g.reason != was
}

func (g *Gate) judge(kb uint64, err error, now time.Time) string {
	floor := g.floorKB
	if g.reason == GateMemory {
		floor += floor / 8 // opens a little later than it closes, so that it does not flutter
	}
	switch {
	case err != nil, kb < floor: // memory that cannot be read is not taken for enough
		return GateMemory
	case g.ungoverned != nil:
		return GateManager
	case g.row >= g.failures && now.Sub(g.last) < g.retry:
		return GateFailures
	case g.row >= g.failures:
		g.last = now // this start is the trial
	}
	return ""
}

// Result notes how a start ended.
func (g *Gate) Result(ok bool, now time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if ok {
		g.row = 0
		return
	}
	g.row++
	g.last = now
}

// Text explains a reason to an operator.
func (g *Gate) Text(reason string) string {
	switch reason {
	case "":
		return "starts go on"
	case GateMemory:
		return fmt.Sprintf("starts are held back: the host has under %d MiB available (GESTOR_MIN_FREE_MIB)", g.floorKB/1024)
	case GateManager:
		g.mu.Lock()
		defer g.mu.Unlock()
		return fmt.Sprintf("starts are held back: no manager has ticked for %s: %v; is it running?", ungovernedAfter, g.ungoverned)
	default:
		return fmt.Sprintf("starts are held back: the last %d failed; one is tried every %s", g.failures, g.retry)
	}
}
