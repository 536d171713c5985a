package churn

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Reasons for which a gate is closed.
const (
	gateMemory   = "memory"
	gateManager  = "manager"
	gateFailures = "failures"
)

// Gate holds starts back while the host or the engine is not well, or while no manager removes what is started. It may be
// used from any goroutine. Make one with NewGate.
type Gate struct {
	minFreeKB   uint64
	maxFailures int // in a row
	// retry is the time after which a gate closed by failures lets one start through to see.
	retry       time.Duration
	availableKB func() (uint64, error)
	managerDown func(now time.Time) error // nil when no manager is asked

	mu            sync.Mutex // guards all following fields
	failuresInRow int
	lastFailure   time.Time // or the last trial
	reason        string
	managerErr    error // what managerDown returned last
}

// NewGate makes an open gate. availableKB reads the host's available memory in KiB; managerDown returns why no manager is
// known to be at work, nil while one is; a gate without it does not ask.
func NewGate(minFreeKB uint64, maxFailures int, retry time.Duration, availableKB func() (uint64, error), managerDown func(time.Time) error) *Gate {
	return &Gate{minFreeKB: minFreeKB, maxFailures: maxFailures, retry: retry, availableKB: availableKB, managerDown: managerDown}
}

// Check returns why a start must wait now, "" when it may go, and whether that changed since the last call.
func (g *Gate) Check(now time.Time) (reason string, changed bool) {
	// Asked without the lock: reading may take its time.
	kb, err := g.availableKB()
	var managerErr error
	if g.managerDown != nil {
		managerErr = g.managerDown(now)
	}

	g.mu.Lock()
	defer g.mu.Unlock()
	previous := g.reason
	g.managerErr = managerErr
	g.reason = g.evaluate(kb, err, now)
	return g.reason, g.reason != previous
}

// evaluate returns the first reason that holds, "" for an open gate.
func (g *Gate) evaluate(kb uint64, err error, now time.Time) string {
	minFreeKB := g.minFreeKB
	if g.reason == gateMemory {
		minFreeKB += minFreeKB / 8 // hysteresis: it opens a little later than it closes, so that it does not flutter
	}

	switch {
	case err != nil, kb < minFreeKB: // memory that cannot be read is not taken for enough
		return gateMemory
	case g.managerErr != nil:
		return gateManager
	case g.failuresInRow >= g.maxFailures && now.Sub(g.lastFailure) < g.retry:
		return gateFailures
	case g.failuresInRow >= g.maxFailures:
		g.lastFailure = now // this start is the trial
	}
	return ""
}

// Result counts how a start ended.
func (g *Gate) Result(ok bool, now time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()

	if ok {
		g.failuresInRow = 0
		return
	}
	g.failuresInRow++
	g.lastFailure = now
}

// Text explains a reason to an operator.
func (g *Gate) Text(reason string) string {
	switch reason {
	case "":
		return "starts go on"

	case gateMemory:
		return fmt.Sprintf("starts are held back: the host has under %d MiB available (GESTOR_MIN_FREE_MIB)", g.minFreeKB/1024)

	case gateManager:
		g.mu.Lock()
		defer g.mu.Unlock()
		return fmt.Sprintf("starts are held back: no manager has ticked for %s: %v; is it running?", managerDownAfter, g.managerErr)

	default:
		return fmt.Sprintf("starts are held back: the last %d failed; one is tried every %s", g.maxFailures, g.retry)
	}
}

// AvailableKB reads MemAvailable, in KiB, from meminfo below proc (proc_meminfo(5)).
func AvailableKB(proc string) (uint64, error) {
	text, err := os.ReadFile(filepath.Join(proc, "meminfo"))
	if err != nil {
		return 0, fmt.Errorf("read available memory: %w", err)
	}

	for line := range strings.Lines(string(text)) {
		f := strings.Fields(line)
		if len(f) != 3 || f[0] != "MemAvailable:" || f[2] != "kB" {
			continue
		}

		kb, err := strconv.ParseUint(f[1], 10, 64)
		if err != nil {
			return 0, fmt.Errorf("read available memory: %w", err)
		}
		return kb, nil
	}
	return 0, fmt.Errorf("read available memory: no MemAvailable in %s", filepath.Join(proc, "meminfo"))
}
