package httpapi

import (
	"context"
	"sync"
)

// bodyBudget bounds the memory of the bodies that are on their way. A client acquires it piece by piece, as its bytes arrive,
// and at most a share of it, so that no client keeps the others out.
//
// It is no semaphore.Weighted: that has no shares, and lets nobody pass a large request at its head.
type bodyBudget struct {
	perClient int64

	mu       sync.Mutex // guards the following fields
	free     int64
	used     map[string]int64 // by client
	released chan struct{}    // closed and made anew when something is given back
}

func newBodyBudget(size, perClient int64) *bodyBudget {
	return &bodyBudget{perClient: perClient, free: size, used: map[string]int64{}, released: make(chan struct{})}
}

// acquire takes n bytes for a client, or waits for them as long as the context lasts.
func (b *bodyBudget) acquire(ctx context.Context, client string, n int64) error {
	for {
		ok, released := b.tryAcquire(client, n)
		if ok {
			return nil
		}

		select {
		case <-released:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// tryAcquire takes n bytes if they are free; else released is closed when some are given back.
func (b *bodyBudget) tryAcquire(client string, n int64) (ok bool, released <-chan struct{}) {
	b.mu.Lock()
	defer b.mu.Unlock()

	if n > b.free || b.used[client]+n > b.perClient {
		return false, b.released
	}
	b.free -= n
	b.used[client] += n
	return true, nil
}

// release gives n bytes of a client back.
func (b *bodyBudget) release(client string, n int64) {
	b.mu.Lock()
	defer b.mu.Unlock()

	b.free += n
	if b.used[client] -= n; b.used[client] == 0 {
		delete(b.used, client)
	}

	// All who wait look again: which of them fits depends on its client and its size.
	close(b.released)
	b.released = make(chan struct{})
}
