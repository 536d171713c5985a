package respond

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"
	"golang.org/x/sync/semaphore"
)

// Slots bound how many requests do one thing at a time.
type Slots struct {
	sem  *semaphore.Weighted
	size int
}

// NewSlots makes so many slots.
func NewSlots(size int) *Slots { return &Slots{sem: semaphore.NewWeighted(int64(size)), size: size} }

// Acquire takes a slot, or waits for one as long as the context lasts and returns its error. Release gives it back.
func (s *Slots) Acquire(ctx context.Context) error { return s.sem.Acquire(ctx, 1) }

// Release gives a slot back.
func (s *Slots) Release() { s.sem.Release(1) }

// TryAcquire takes a slot if one is free; else it answers 429 with how many of these are open, and release is nil.
func (s *Slots) TryAcquire(c *gin.Context, what string) (release func()) {
	if !s.sem.TryAcquire(1) {
		RetryLater(c, http.StatusTooManyRequests, 10, fmt.Sprintf("%d %s are open already", s.size, what))
		return nil
	}
	return s.Release
}

// AcquireWithin takes a slot, or waits some seconds for one; without one it answers 429 with the detail, and release is nil.
func (s *Slots) AcquireWithin(c *gin.Context, wait time.Duration, detail string) (release func()) {
	ctx, cancel := context.WithTimeout(c.Request.Context(), wait)
	defer cancel()

	switch err := s.Acquire(ctx); {
	case err == nil:
		return s.Release
	case c.Request.Context().Err() != nil:
		c.Abort() // the client has gone
	default:
		RetryLater(c, http.StatusTooManyRequests, int(wait/time.Second), detail)
	}
	return nil
}
