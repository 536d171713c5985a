// Package history follows the life of one container through its records: when it began, when it was last seen, what it used
// and how it ended. Charts, the API and the page ask it, so that a container has one history wherever it is shown.
package history

import (
	"math"
	"time"

	"gestor.local/contract"
)

// Container is what the records so far say about one container. Records may come late: the newest is that of the latest time.
type Container struct {
	contract.Subject
	Host string

	// First and Newest are the times of its first and its newest record, of whatever kind.
	First, Newest time.Time
	// Born is when its life began: at its first record, or earlier by the age that a tick gives it.
	Born time.Time
	// Seen is the newest tick that listed it, zero while none has.
	Seen time.Time

	// Samples counts the ticks that measured it. Last and Peak are of these.
	Samples    int
	Last, Peak contract.Measures

	// Removed is when Gestor removed it, Gone when it was found gone; each is zero while nobody has recorded it. Outcome is the
	// removal's, Reason that of the removal or of the decision before it.
	Removed, Gone   time.Time
	Outcome, Reason string

	sum    contract.Measures
	lastAt time.Time // of Last
}

// New begins the history of a container with its first record.
func New(s contract.Subject, host string, at time.Time) *Container {
	return &Container{Subject: s, Host: host, First: at, Newest: at, Born: at}
}

// Add notes the time of a record of any kind.
func (c *Container) Add(at time.Time) {
	if at.Before(c.First) {
		c.First = at
	}
	if at.After(c.Newest) {
		c.Newest = at
	}
}

// See notes a tick that listed the container, with its age at that time in microseconds.
func (c *Container) See(at time.Time, ageUS uint64) {
	if at.After(c.Seen) {
		c.Seen = at
	}

	// The age is a producer's word: what does not fit into a duration is as long as one can be.
	age := time.Duration(min(ageUS, math.MaxInt64/uint64(time.Microsecond))) * time.Microsecond //nolint:gosec // bounded here
	if born := at.Add(-age); born.Before(c.Born) {
		c.Born = born
	}
}

// Measure notes the figures of a tick.
func (c *Container) Measure(at time.Time, now contract.Measures) {
	c.Samples++

	// One that came late is no news, but it counts.
	if !at.Before(c.lastAt) {
		c.Last, c.lastAt = now, at
	}

	for _, x := range []struct{ peak, sum, now *uint64 }{
		{&c.Peak.CPUMillicores, &c.sum.CPUMillicores, &now.CPUMillicores},
		{&c.Peak.RAMKB, &c.sum.RAMKB, &now.RAMKB},
		{&c.Peak.VSZKB, &c.sum.VSZKB, &now.VSZKB},
		{&c.Peak.RSSKB, &c.sum.RSSKB, &now.RSSKB},
	} {
		*x.peak, *x.sum = max(*x.peak, *x.now), saturatingAdd(*x.sum, *x.now)
	}
}

// saturatingAdd stays at the largest number instead of beginning again at 0: records of earlier versions hold figures of 64
// bits.
func saturatingAdd(a, b uint64) uint64 {
	if sum := a + b; sum >= a {
		return sum
	}
	return math.MaxUint64
}

// Mean is the mean over the ticks that measured it.
func (c *Container) Mean() contract.Measures {
	n := uint64(max(c.Samples, 1))
	return contract.Measures{
		CPUMillicores: c.sum.CPUMillicores / n, RAMKB: c.sum.RAMKB / n, VSZKB: c.sum.VSZKB / n, RSSKB: c.sum.RSSKB / n,
	}
}

// Decide notes a verdict on the container.
func (c *Container) Decide(b contract.DecisionBody) {
	if b.Verdict == contract.VerdictRemove {
		c.Reason = b.Reason
	}
}

// Act notes an action on the container: only one after which it is not on the host any more changes its history.
func (c *Container) Act(at time.Time, b contract.ActionBody) {
	// Of two ends of one kind the newer holds, in whatever order they came.
	switch {
	case b.Removed() && !at.Before(c.Removed):
		c.Removed, c.Outcome = at, b.Outcome
		if b.Reason != "" {
			c.Reason = b.Reason
		}

	case b.Gone() && !b.Removed() && at.After(c.Gone):
		c.Gone = at
	}
}

// Alive says whether nobody has recorded an end. Whoever is not seen any more may have left all the same.
func (c *Container) Alive() bool { return c.Removed.IsZero() && c.Gone.IsZero() }

// End is the last that is known of it.
func (c *Container) End() time.Time {
	end := c.Seen
	for _, at := range []time.Time{c.Removed, c.Gone} {
		if at.After(end) {
			end = at
		}
	}
	return end
}
