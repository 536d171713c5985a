package facts

import (
	"context"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"gestor.local/manager/internal/engine"
)

// maxInspects is how many containers are inspected at a time: enough to hide the engine's latency, few enough not to load it.
const maxInspects = 4

// Inspector inspects one container.
type Inspector interface {
	Inspect(ctx context.Context, id string) (engine.ContainerState, error)
}

// Inspect inspects the containers in their order, a few at a time, until the context ends. Who is not in the answer could
// not be reached, or is gone.
func Inspect(ctx context.Context, i Inspector, ids []string) map[string]engine.ContainerState {
	var mu sync.Mutex // guards states
	states := make(map[string]engine.ContainerState, len(ids))

	var group errgroup.Group
	group.SetLimit(maxInspects)
	for _, id := range ids {
		if ctx.Err() != nil {
			break
		}

		group.Go(func() error {
			state, err := i.Inspect(ctx, id)
			if err != nil || state.ID != id {
				return nil // not this container
			}

			mu.Lock()
			defer mu.Unlock()
			states[id] = state
			return nil
		})
	}

	_ = group.Wait() // none of them fails
	return states
}

// Sizer measures a container's own layer (engine.Client.Size).
type Sizer interface {
	Size(ctx context.Context, id string) (bytes int64, ok bool, err error)
}

// sizeTimeout is how long the size of one container may take: beyond that it is unknown.
const sizeTimeout = 10 * time.Second

// Sizes measures the own layers of the containers in bytes, a few at a time. Who is not in the answer could not be measured in time.
func Sizes(ctx context.Context, s Sizer, ids []string) map[string]int64 {
	var mu sync.Mutex // guards sizes
	sizes := make(map[string]int64, len(ids))

	var group errgroup.Group
	group.SetLimit(maxInspects)
	for _, id := range ids {
		group.Go(func() error {
			ctx, cancel := context.WithTimeout(ctx, sizeTimeout)
			defer cancel()
			bytes, ok, err := s.Size(ctx, id)
			if err != nil || !ok {
				return nil // unknown
			}

			mu.Lock()
			defer mu.Unlock()
			sizes[id] = bytes
			return nil
		})
	}

	_ = group.Wait() // none of them fails
	return sizes
}
