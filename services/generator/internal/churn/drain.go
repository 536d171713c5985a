package churn

import (
	"context"
	"errors"
	"fmt"
	"time"

	"gestor.local/generator/internal/containers"
)

// removeBatch is how many containers are removed by one command: enough for the engine to work in parallel, few
// enough for the progress to be seen.
const removeBatch = 10

// engineDownLimit is how long a drain waits for an engine that cannot be reached. One that ends together with the host does
// not come back, and the host waits for us; the next start sweeps.
const engineDownLimit = 10 * time.Second

// Drain removes every container of a run and returns how many it removed. A start that was killed under way may still
// become a container; so the run counts as empty when it was seen empty twice, a second apart. Errors are tried again
// until ctx ends, or the engine was away for too long, and then the last one is returned.
func Drain(ctx context.Context, c ContainerClient, run string, log func(string, error)) (removed int, err error) {
	reached := time.Now()
	for empty := 0; ; {
		// A client that answers with an error of its own has reached the engine.
		n, seen, err := drainOnce(ctx, c, run, log)
		removed += n
		if !errors.Is(err, containers.ErrEngine) {
			reached = time.Now()
		}

		if empty++; err != nil || seen > 0 {
			empty = 0
		}
		if empty == 2 {
			return removed, nil
		}

		if time.Since(reached) >= engineDownLimit || !sleep(ctx, time.Second) {
			if err == nil {
				err = ctx.Err()
			}
			return removed, fmt.Errorf("drain run %s: %d removed, others may be left (run: gestor-generator down --run %s): %w", run, removed, run, err)
		}
	}
}

func drainOnce(ctx context.Context, c ContainerClient, run string, log func(string, error)) (removed, seen int, err error) {
	found, err := c.List(ctx, run)
	if err != nil {
		return 0, 0, err
	}
	removed, err = removeAll(ctx, c, found, log)
	return removed, len(found), err
}

func removeAll(ctx context.Context, c ContainerClient, found []containers.Container, log func(string, error)) (removed int, err error) {
	for len(found) > 0 {
		n := min(len(found), removeBatch)
		ids := make([]string, n)
		for i, c := range found[:n] {
			ids[i] = c.ID
		}

		gone, err := c.Remove(ctx, ids)
		if err != nil {
			return removed, err
		}

		// Between two groups only: the caller logs the end.
		removed += gone
		if found = found[n:]; len(found) > 0 {
			log(fmt.Sprintf("removed %d containers, %d to go", removed, len(found)), nil)
		}
	}
	return removed, nil
}

// Sweep removes the given containers and returns how many it removed.
func Sweep(ctx context.Context, c ContainerClient, stale []containers.Container, log func(string, error)) (removed int, err error) {
	removed, err = removeAll(ctx, c, stale, log)
	if err != nil {
		return removed, fmt.Errorf("sweep what earlier runs left: %w", err)
	}
	return removed, nil
}
