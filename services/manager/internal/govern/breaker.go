package govern

import (
	"fmt"
	"time"

	"github.com/cenkalti/backoff/v5"

	"gestor.local/contract"
)

const (
	// The engine is left alone for half a minute after it failed too often, then for up to five: long enough for a
	// restart of the daemon, short enough that nobody has to wait for it.
	breakerFirst, breakerLongest = 30 * time.Second, 5 * time.Minute
)

// breaker stops all acting when the engine, not a container, is in trouble.
type breaker struct {
	faults  int // in a row
	until   time.Time
	open    bool
	waits   backoff.ExponentialBackOff
	lastErr string
}

// States of a breaker.
const (
	BreakerClosed   = "closed"
	BreakerOpen     = "open"
	BreakerHalfOpen = "half_open" // one action is tried
)

func newBreaker() *breaker {
	b := &breaker{waits: backoff.ExponentialBackOff{
		InitialInterval: breakerFirst, MaxInterval: breakerLongest, Multiplier: 2,
	}}
	b.waits.Reset()
	return b
}

func (b *breaker) state(now time.Time) string {
	switch {
	case !b.open:
		return BreakerClosed
	case now.Before(b.until):
		return BreakerOpen
	default:
		return BreakerHalfOpen
	}
}

// record takes in the end of an action and says whether the breaker opened or closed by it.
func (b *breaker) record(now time.Time, fault bool, err error, after int) (opens, closes bool) {
	if !fault {
		closes = b.open
		b.open, b.faults = false, 0
		b.waits.Reset()
		return false, closes
	}
	b.faults++

	// An action that succeeded in the end carries no error, and the one of an earlier fault is not the last.
	b.lastErr = "it passed when it was tried again"
	if err != nil {
		b.lastErr = err.Error()
	}
	if b.state(now) == BreakerHalfOpen || (!b.open && b.faults >= after) {
		b.open, b.until = true, now.Add(b.waits.NextBackOff())
		return true, false
	}
	return false, false
}

func (b *breaker) text(now time.Time) string {
	return fmt.Sprintf("%d engine errors in a row (last: %s); tried again in %s", b.faults, b.lastErr,
		b.until.Sub(now).Round(time.Second))
}

// engineAnswered counts the end of an action for the breaker and reports when that opens or closes.
func (r *reporter) engineAnswered(b *breaker, fault bool, err error) {
	opens, closes := b.record(time.Now(), fault, err, r.loop.policy.Act.BreakerAfter)
	switch {
	case opens:
		r.event("breaker", contract.LevelError, "acting pauses: "+b.text(time.Now()), map[string]any{"breaker": "engine", "state": BreakerOpen})
	case closes:
		r.event("breaker", contract.LevelInfo, "the engine works again: acting goes on", map[string]any{"breaker": "engine", "state": BreakerClosed})
	}
}
