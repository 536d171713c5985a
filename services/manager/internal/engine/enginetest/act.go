package enginetest

import (
	"context"
	"time"

	"gestor.local/contract"
	"gestor.local/manager/internal/engine"
)

// Kill ends the container; it stays as exited, or goes with --rm. The restart policy does not bring it back.
func (e *Engine) Kill(ctx context.Context, id string) error {
	return e.mutate(ctx, "kill", id, func(c *Container) error {
		if !contract.StateAlive(c.State) {
			return e.conflict("kill", id, engine.KindNotRunning)
		}
		e.exit(c)
		return nil
	})
}

// Stop ends the container at once; stopping a stopped one is no error.
func (e *Engine) Stop(ctx context.Context, id string, _ time.Duration) error {
	return e.mutate(ctx, "stop", id, func(c *Container) error {
		if c.State != contract.StateExited {
			e.exit(c)
		}
		return nil
	})
}

// Remove deletes the container, running or not.
func (e *Engine) Remove(ctx context.Context, id string) error {
	return e.mutate(ctx, "remove", id, func(c *Container) error {
		if c.State == contract.StateRemoving {
			return e.conflict("remove", id, engine.KindRemoving)
		}
		e.remove(c)
		return nil
	})
}

// SetCPU changes the CPU limit.
func (e *Engine) SetCPU(ctx context.Context, id string, limit engine.CPULimit) error {
	return e.mutate(ctx, "update", id, func(c *Container) error {
		if c.State == contract.StateRemoving || c.State == contract.StateDead {
			return e.conflict("update", id, engine.KindRemoving)
		}
		c.CPU = limit
		return nil
	})
}

func (e *Engine) mutate(ctx context.Context, op, id string, effect func(*Container) error) error {
	e.mu.Lock()
	call := Call{Op: op, ID: id, At: time.Now()}
	e.calls = append(e.calls, call)

	// The watcher sees the containers as they are before the call takes effect.
	if target := e.containers[id]; target != nil && e.watch != nil {
		var all []Container
		for _, c := range e.containers {
			all = append(all, *c)
		}
		e.watch(call, *target, all)
	}
	e.mu.Unlock()

	return e.do(ctx, op, id, func() error {
		c, err := e.find(op, id)
		if err != nil {
			return err
		}
		return effect(c)
	})
}

func (e *Engine) exit(c *Container) {
	if c.AutoRemove {
		e.remove(c)
		return
	}
	c.State, c.FinishedAt = contract.StateExited, time.Now().UTC().Format(time.RFC3339Nano)
}
