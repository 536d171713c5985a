package rulestest

import (
	"fmt"
	"time"
)

const (
	second = time.Second
	minute = time.Minute
	hour   = time.Hour
	day    = 24 * time.Hour
)

// wallT is the wall clock's time at T, in microseconds: 1 December 2026, 12:00 UTC.
const wallT = 1_796_126_400_000_000

// The clocks are in doubt for that long after a boot, and while wall and G have parted by more than apart, until their distance
// has been the same, within steady, for that long. G is raised by raise a boot at most.
const (
	doubtFor = 10 * minute
	apart    = 60 * second
	steady   = second
	raise    = day
)

// clock is what the manager knows of the time. Its zero value is of no use: see newClock.
type clock struct {
	boots    int
	bootedAt time.Duration
	// wallOff is how far the wall clock is wrong.
	wallOff time.Duration
	// g is G at gAt, and bootG at the start of this boot; both as distances from T.
	g, gAt, bootG time.Duration
	raised        time.Duration // in this boot

	inDoubt bool
	// agreed is the distance of wall and G when they last agreed, parted the one since partedAt.
	agreed, parted time.Duration
	partedAt       time.Duration
}

// newClock is that of a host that booted long ago, on the first look of its manager.
func newClock(booted, now time.Duration) clock {
	return clock{bootedAt: booted, g: now, gAt: now, bootG: booted}
}

func (c *clock) wall(now time.Duration) time.Duration { return now + c.wallOff }

func (c *clock) bootID() string { return fmt.Sprintf("boot-%d", c.boots) }

// boot starts the clocks of another boot. G goes on from where it was last seen.
func (c *clock) boot(now time.Duration) {
	c.boots++
	c.bootedAt, c.gAt = now, now
	c.bootG = c.g
	c.raised = 0
	c.parted, c.partedAt = c.wall(now)-c.g, now
}

// read moves the clocks on and says whether they are in doubt.
func (c *clock) read(now time.Duration) {
	c.g += now - c.gAt
	c.gAt = now

	distance := c.wall(now) - c.g
	if (distance - c.parted).Abs() > steady {
		c.parted, c.partedAt = distance, now
	}
	isParted := (distance - c.agreed).Abs() > apart

	c.inDoubt = now-c.bootedAt < doubtFor || isParted && now-c.partedAt < doubtFor
	if c.inDoubt {
		return
	}

	// A wall clock that is ahead raises G; one that is behind never lowers it.
	lift := min(max(distance, 0), raise-c.raised)
	if lift > 0 && c.boots > 0 {
		c.g += lift
		c.bootG += lift
		c.raised += lift
	}

	// From here on the distance of now is the agreed one.
	c.agreed = c.wall(now) - c.g
	c.parted, c.partedAt = c.agreed, now
}

// micros are a distance from T in microseconds since the epoch.
func micros(at time.Duration) int64 { return wallT + at.Microseconds() }
