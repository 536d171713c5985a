package notify

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// Right before each attempt it is asked whether it may be made: also before the second of a notice whose first has failed.
func TestNoCallIsBegunWhileItIsHeld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var calls atomic.Int64
		var held atomic.Bool
		s := New(Config{URL: func() (string, error) { calls.Add(1); return "", errors.New("no address") }})
		s.HoldWhile(held.Load)
		ctx, cancel := context.WithCancel(t.Context())
		go func() { _ = s.Run(ctx) }()
		defer synctest.Wait()
		defer cancel()

		held.Store(true)
		s.Send(Notice{Text: "a", ActionID: "1"})
		for _, step := range []struct {
			held bool
			want int64
		}{{true, 0}, {false, 1}, {true, 1}} {
			held.Store(step.held)
			time.Sleep(9 * time.Second)
			if got := calls.Load(); got != step.want {
				t.Errorf("held %t: %d calls, want %d", step.held, got, step.want)
			}
			if step.want > 0 && step.held {
				time.Sleep(time.Hour)
			}
		}
		if calls.Load() != 1 || s.Stats().Pending != 1 {
			t.Errorf("%d calls, %d wait", calls.Load(), s.Stats().Pending)
		}
	})
}
