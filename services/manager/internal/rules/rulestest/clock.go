package rulestest

import (
	"fmt"
	"time"

	"gestor.local/manager/internal/facts"
)

const (
	second = time.Second
	minute = time.Minute
	hour   = time.Hour
	day    = 24 * time.Hour
)

// wallT is the wall clock's time at T, in microseconds: 1 December 2026, 12:00 UTC.
const wallT = 1_796_126_400_000_000

// clock is what the manager knows of the time, and how far the wall clock is wrong.
type clock struct {
	facts.Clock
	boots    int
	bootedAt time.Duration
	wallOff  time.Duration
	// raisedUS is by how much G was raised on this tick, raisedIn by how much in each boot.
	raisedUS int64
	raisedIn []time.Duration
}

func (c *clock) wall(now time.Duration) time.Duration { return now + c.wallOff }

// bootUS is CLOCK_BOOTTIME in microseconds.
func (c *clock) bootUS(now time.Duration) uint64 { return uint64((now - c.bootedAt).Microseconds()) }

// boot begins another boot.
func (c *clock) boot(now time.Duration) {
	c.boots++
	c.raisedIn = append(c.raisedIn, 0)
	c.bootedAt = now
}

// read looks at both clocks of the host.
func (c *clock) read(now time.Duration) {
	c.Clock, c.raisedUS = c.Advance(facts.Reading{
		BootID: fmt.Sprintf("boot-%d", c.boots), BootUS: c.bootUS(now), WallUS: micros(c.wall(now)),
	})
	c.raisedIn[c.boots] += time.Duration(c.raisedUS) * time.Microsecond
}

// g is G as a distance from T.
func (c *clock) g() time.Duration { return time.Duration(c.LastGUS-wallT) * time.Microsecond }

// micros are a distance from T in microseconds since the epoch.
func micros(at time.Duration) int64 { return wallT + at.Microseconds() }
