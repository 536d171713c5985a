// Package scenario holds what every end-to-end test needs: a compose project of its own, a view of the real engine, the
// log service's API as a client sees it, and waiting for a state instead of for a time.
package scenario

import (
	"context"
	"testing"
	"time"
)

// pollEvery is short against anything the suite does (a tick is seconds) and long against one look at the engine (1 ms).
const pollEvery = 250 * time.Millisecond

// Eventually looks until check returns nil and fails the test with its last error when that takes longer than within.
func Eventually(t testing.TB, within time.Duration, what string, check func() error) {
	t.Helper()
	start := time.Now()
	last := poll(t.Context(), within, check, func(err error) bool { return err == nil })
	if last != nil {
		t.Fatalf("%s: not so within %s: %v", what, within, last)
	}
	t.Logf("%s: after %s", what, time.Since(start).Round(100*time.Millisecond))
}

// Always looks for the whole time and fails the test at the first error.
func Always(t testing.TB, during time.Duration, what string, check func() error) {
	t.Helper()
	if err := poll(t.Context(), during, check, func(err error) bool { return err != nil }); err != nil {
		t.Fatalf("%s: %v", what, err)
	}
}

// waitUntil is Eventually for the end of a test, when its context is over: it returns the last error.
func waitUntil(within time.Duration, check func() error) error {
	return poll(context.Background(), within, check, func(err error) bool { return err == nil })
}

// poll looks until done says so or the time is over and returns the last answer of check.
func poll(ctx context.Context, span time.Duration, check func() error, done func(error) bool) error {
	end := time.NewTimer(span)
	defer end.Stop()
	ticker := time.NewTicker(pollEvery)
	defer ticker.Stop()

	for {
		err := check()
		if done(err) {
			return err
		}

		select {
		case <-end.C:
			return err
		case <-ctx.Done():
			return ctx.Err()
		case <-ticker.C:
		}
	}
}
