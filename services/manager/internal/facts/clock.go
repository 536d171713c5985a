package facts

import (
	"time"

	"gestor.local/manager/internal/rules"
)

const (
	// bootDoubt is how long after a boot the wall clock is not believed: a host without a clock of its own asks the network.
	bootDoubt = 10 * time.Minute
	// partedLimit is how far wall and G may part before neither is believed to know the time, steadyLimit by how much their
	// distance may change while it counts as steady, and steadyTime how long it must have been so to be agreed on.
	partedLimit = 60 * time.Second
	steadyLimit = time.Second
	steadyTime  = 10 * time.Minute
	// mostRaised is by how much G is raised within one boot: a wall clock that was set years ahead costs a day.
	mostRaised = 24 * time.Hour
)

// Reading is both clocks of the host at one moment, in microseconds: CLOCK_BOOTTIME and the time since the epoch.
type Reading struct {
	BootID string
	BootUS uint64
	WallUS int64
}

// Clock is the governed clock, G: the wall clock of its first reading, which then goes on with CLOCK_BOOTTIME and never goes back. A
// boot begins where the last one's last reading ended; the time that the host was off, as far as the wall clock is to be
// believed and a day at most, is added later. The zero value is before the first reading. It is a value: what is kept of it
// is all there is to know, and the same readings give the same times.
type Clock struct {
	BootID string `json:"boot_id"`
	// BootGUS is G at the start of the boot, LastGUS that of the last reading; RaisedUS is by how much it was raised since.
	BootGUS  int64 `json:"boot_g_us"`
	LastGUS  int64 `json:"last_g_us"`
	RaisedUS int64 `json:"raised_us,omitempty"`
	// AgreedUS is how far the wall clock was ahead of G when they last agreed. Parted says that they have parted since.
	AgreedUS int64 `json:"agreed_us"`
	Parted   bool  `json:"parted,omitempty"`
	// InDoubt is what the last reading came to.
	InDoubt bool `json:"in_doubt,omitempty"`
	// SteadyUS is the distance that is steady since SteadySinceUS, a time of this boot.
	SteadyUS      int64  `json:"steady_us"`
	SteadySinceUS uint64 `json:"steady_since_us"`
}

// ClockOf is the clock as the facts of an earlier run leave it. By how much it was raised since the boot is not in them: one that was
// believed is not raised again before the next boot.
func ClockOf(f *rules.Facts) Clock {
	c := Clock{BootID: f.BootID, BootGUS: f.BootGUS, LastGUS: f.GUS, AgreedUS: f.WallUS - f.GUS, InDoubt: f.ClockInDoubt}
	c.Parted = f.ClockInDoubt && f.BootUS >= uint64(bootDoubt.Microseconds())
	if !f.ClockInDoubt {
		c.RaisedUS = mostRaised.Microseconds()
	}
	return c
}

// Advance takes in a reading and returns the clock after it; GUS and RaisedUS are those of this reading. Readings of one boot
// must not go back in BootUS.
func (c Clock) Advance(r Reading) (next Clock, raisedUS int64) {
	bootUS := int64(r.BootUS) //nolint:gosec // of a host that is up for less than 292,000 years
	switch {
	case c.BootID == "":
		c = Clock{BootID: r.BootID, BootGUS: r.WallUS - bootUS}

	case c.BootID != r.BootID:
		// InDoubt, so that what was lost while the host was off is made up for as soon as the wall clock is believed.
		c = Clock{BootID: r.BootID, BootGUS: c.LastGUS, AgreedUS: c.AgreedUS, InDoubt: true, SteadySinceUS: r.BootUS}
		c.SteadyUS = r.WallUS - (c.BootGUS + bootUS)
	}

	c.LastGUS = max(c.LastGUS, c.BootGUS+bootUS)
	wasInDoubt := c.InDoubt
	c.compare(r)
	if !wasInDoubt || c.InDoubt {
		return c, 0
	}

	// The doubt has ended: from here on the distance of now is the agreed one.
	raisedUS = min(r.WallUS-c.LastGUS, mostRaised.Microseconds()-c.RaisedUS)
	raisedUS = max(raisedUS, 0)
	c.BootGUS, c.LastGUS, c.RaisedUS = c.BootGUS+raisedUS, c.LastGUS+raisedUS, c.RaisedUS+raisedUS
	c.AgreedUS = r.WallUS - c.LastGUS
	c.SteadyUS = c.AgreedUS
	return c, raisedUS
}

// compare finds out whether wall and G still belong together.
func (c *Clock) compare(r Reading) {
	distance := r.WallUS - c.LastGUS
	if apart(distance, c.SteadyUS) > steadyLimit.Microseconds() || c.SteadySinceUS == 0 {
		c.SteadyUS, c.SteadySinceUS = distance, max(r.BootUS, 1)
	}

	// A distance that stays is agreed on, be it another one or have they drifted apart little by little.
	switch {
	case r.BootUS-min(c.SteadySinceUS, r.BootUS) >= uint64(steadyTime.Microseconds()):
		c.AgreedUS, c.Parted = distance, false
	case apart(distance, c.AgreedUS) > partedLimit.Microseconds():
		c.Parted = true
	}
	c.InDoubt = c.Parted || r.BootUS < uint64(bootDoubt.Microseconds())
}

func apart(a, b int64) int64 { return max(a, b) - min(a, b) }
