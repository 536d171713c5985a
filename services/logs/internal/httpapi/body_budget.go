package httpapi

import (
	"context"
	"sync"
)

// room is memory for the bodies that are on their way. A client takes it piece by piece, as its bytes arrive, and at most
// a share of it, so that no client keeps the others out.
type room struct {
	share int64

	mu    sync.Mutex // guards the following fields
	free  int64
	held  map[string]int64 // by client
	freed chan struct{}    // closed and made anew when something is given back
}

func newRoom(size, share int64) *room {
	return &room{share: share, free: size, held: map[string]int64{}, freed: make(chan struct{})}
}

// take takes n bytes for a client, or waits for them as long as the context lasts.
func (r *room) take(ctx context.Context, client string, n int64) error {
	for {
		ok, freed := r.try(client, n)
		if ok {
			return nil
		}
		select {
		case <-freed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (r *room) try(client string, n int64) (ok bool, freed <-chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if n > r.free || r.held[client]+n > r.share {
		return false, r.freed
	}
	r.free -= n
	r.held[client] += n
	return true, nil
}

// give gives back.
func (r *room) give(client string, n int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.free += n
	if r.held[client] -= n; r.held[client] == 0 {
		delete(r.held, client)
	}
	close(r.freed)
	r.freed = make(chan struct{})
}
