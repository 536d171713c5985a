package facts

import (
	"context"
	"sync"

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
