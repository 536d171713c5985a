package churn

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"gestor.local/generator/internal/containers"
)

// fakeContainers is a ContainerClient in memory. Every method fails while away.
type fakeContainers struct {
	mu      sync.Mutex // guards all following fields
	found   []containers.Container
	largest int // group removed together
	lists   int
	watches int
	away    bool
	fault   error // what it fails with, errAway when nil
	each    func(containers.Event)
}

var errAway = errors.New("away")

func (h *fakeContainers) List(context.Context, string) ([]containers.Container, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.lists++
	if h.away {
		return nil, h.failure()
	}
	return append([]containers.Container(nil), h.found...), nil
}

func (h *fakeContainers) Remove(_ context.Context, ids []string) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.away {
		return 0, h.failure()
	}
	h.largest = max(h.largest, len(ids))
	h.found = h.found[len(ids):] // they are asked for in order
	return len(ids), nil
}

func (h *fakeContainers) failure() error {
	if h.fault != nil {
		return h.fault
	}
	return errAway
}

func (h *fakeContainers) Watch(ctx context.Context, _ string, each func(containers.Event)) error {
	h.mu.Lock()
	h.watches++
	h.each = each
	away := h.away
	h.mu.Unlock()
	if away {
		return errAway
	}
	<-ctx.Done()
	return ctx.Err()
}

func (h *fakeContainers) set(away bool, n int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.away = away
	for i := range n {
		h.found = append(h.found, containers.Container{ID: fmt.Sprint(i), State: "running"})
	}
}

func silent(string, error) {}

func TestDrainGivesUpOnAnEngineThatIsGone(t *testing.T) {
	for name, c := range map[string]struct {
		fault error
		took  time.Duration
	}{
		"gone":      {containers.ErrEngine, engineDownLimit},
		"in doubt":  {errAway, time.Minute}, // an engine that answers may answer better: tried until the time is over
		"for a bit": {nil, 9 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := &fakeContainers{fault: c.fault}
				h.set(true, 3)
				if c.fault == nil {
					h.fault = containers.ErrEngine
					time.AfterFunc(7500*time.Millisecond, func() { h.set(false, 0) })
				}
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				began := time.Now()
				removed, err := Drain(ctx, h, "run", silent)
				if took := time.Since(began); took.Round(time.Second) != c.took && c.fault != nil || (err == nil) != (c.fault == nil) {
					t.Errorf("ended after %s with %v, want %s", took, err, c.took)
				}
				if c.fault == nil && removed != 3 {
					t.Errorf("removed %d of 3", removed)
				}
			})
		})
	}
}

func TestDrainRemovesAllInGroupsAndWaitsForLateComers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &fakeContainers{}
		h.set(false, 25)
		time.AfterFunc(1500*time.Millisecond, func() { h.set(false, 1) }) // a start that was killed under way
		removed, err := Drain(t.Context(), h, "run", silent)
		if removed != 26 || err != nil || h.largest != removeBatch {
			t.Errorf("removed %d, %v, largest group %d", removed, err, h.largest)
		}
	})
}

func TestDrainTriesAgainUntilTimeIsUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &fakeContainers{}
		h.set(true, 3)
		time.AfterFunc(10*time.Second, func() { h.set(false, 0) })
		if removed, err := Drain(t.Context(), h, "run", silent); removed != 3 || err != nil {
			t.Errorf("removed %d, %v", removed, err)
		}
		h.set(true, 3)
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		if removed, err := Drain(ctx, h, "run", silent); removed != 0 || !errors.Is(err, errAway) {
			t.Errorf("with the engine away: removed %d, %v", removed, err)
		}
	})
}

func TestWatchComesBackAfterTheEngineWasAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &fakeContainers{}
		h.set(true, 2)
		tracker := NewTracker(func(string, time.Duration) {})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			if err := Watch(ctx, h, "run", tracker, 15*time.Second, silent); err != nil {
				t.Errorf("ended with %v", err)
			}
		}()
		time.Sleep(20 * time.Second)
		h.set(false, 0)
		time.Sleep(20 * time.Second)
		if tracker.Alive() != 2 {
			t.Errorf("%d alive, want the two that the list shows", tracker.Alive())
		}
		h.mu.Lock()
		each := h.each
		h.mu.Unlock()
		each(containers.Event{At: time.Now(), Action: containers.EventDie, ID: "0"})
		if tracker.Alive() != 1 {
			t.Errorf("%d alive after an event", tracker.Alive())
		}
		cancel()
		<-done
		if h.watches > 25 || h.lists > 3 {
			t.Errorf("%d watches and %d lists in 40 s: too eager", h.watches, h.lists)
		}
	})
}

// Refusals alone end the watch, and only those without an answer in between: an engine that is slow, or fails, is there.
func TestWatchEndsWhenTheEngineIsGoneForGood(t *testing.T) {
	for name, c := range map[string]struct {
		fault error
		back  time.Duration // when it answers again, 0 for never
		gone  bool
	}{
		"gone for good":     {containers.ErrEngine, 0, true},
		"gone for a bit":    {containers.ErrEngine, engineLostAfter - 16*time.Second, false},
		"there and failing": {errAway, 0, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := &fakeContainers{fault: c.fault}
				h.set(true, 1)
				if c.back > 0 {
					time.AfterFunc(c.back, func() { h.set(false, 0) })
				}
				ctx, cancel := context.WithTimeout(t.Context(), 10*engineLostAfter)
				defer cancel()

				began := time.Now()
				err := Watch(ctx, h, "run", NewTracker(func(string, time.Duration) {}), 15*time.Second, silent)
				if took := time.Since(began); errors.Is(err, ErrEngineLost) != c.gone || c.gone != (took < engineLostAfter+time.Minute) {
					t.Errorf("ended after %s with %v", took, err)
				}
			})
		})
	}
}
