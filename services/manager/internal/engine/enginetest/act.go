package enginetest

import (
	"context"
	"time"

	"gestor.local/contract"
	"gestor.local/manager/internal/engine"
)

// killedCode is the exit code of one that was killed.
const killedCode = 128 + 9

// Kill ends the container; it stays as exited, or goes with --rm. The restart policy does not bring it back.
func (e *Engine) Kill(ctx context.Context, id string) error {
	return e.mutate(ctx, Call{Op: "kill", ID: id}, 0, func(c *Container) error {
		if !contract.StateAlive(c.State) {
			return e.conflict("kill", id, engine.KindNotRunning)
		}
		c.ExitCode = killedCode
		e.exit(c)
		return nil
	})
}

// Stop ends the container as it ends after a signal, or kills it once wait has passed; stopping a stopped one is no error. Who
// gives up on the call does not call the stop off.
func (e *Engine) Stop(ctx context.Context, id string, wait time.Duration) error {
	takes, code := e.stopping(id, wait)
	begun := time.Now()

	return e.mutate(ctx, Call{Op: "stop", ID: id, Wait: wait}, takes, func(c *Container) error {
		// When the caller has given up before, this is called too early.
		if left := takes - time.Since(begun); left > 0 {
			time.AfterFunc(left, func() { e.endStop(id, code) })
			return nil
		}
		e.stop(c, code)
		return nil
	})
}

// stopping is how long a stop of the container takes, and the exit code that it ends with.
func (e *Engine) stopping(id string, wait time.Duration) (takes time.Duration, code int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	c := e.containers[id]
	switch {
	case c == nil || !contract.StateAlive(c.State):
		return 0, 0
	case c.EndsWithin > wait:
		return wait, killedCode
	default:
		return c.EndsWithin, 0
	}
}

func (e *Engine) endStop(id string, code int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if c := e.containers[id]; c != nil {
		e.stop(c, code)
	}
}

func (e *Engine) stop(c *Container, code int) {
	if c.State != contract.StateExited {
		c.ExitCode = code
		e.exit(c)
	}
}

// Remove deletes the container, running or not.
func (e *Engine) Remove(ctx context.Context, id string) error {
	return e.Delete(ctx, id, engine.Removal{Force: true})
}

// Delete deletes the container; one that runs only by force.
func (e *Engine) Delete(ctx context.Context, id string, how engine.Removal) error {
	return e.mutate(ctx, Call{Op: "remove", ID: id, Removal: how}, 0, func(c *Container) error {
		switch {
		case c.State == contract.StateRemoving:
			return e.conflict("remove", id, engine.KindRemoving)
		case contract.StateAlive(c.State) && !how.Force:
			return e.conflict("remove", id, engine.KindOther)
		}
		e.remove(c)
		return nil
	})
}

// SetCPU changes the CPU limit.
func (e *Engine) SetCPU(ctx context.Context, id string, limit engine.CPULimit) error {
	return e.mutate(ctx, Call{Op: "update", ID: id, CPU: limit}, 0, func(c *Container) error {
		if c.State == contract.StateRemoving || c.State == contract.StateDead {
			return e.conflict("update", id, engine.KindRemoving)
		}
		c.CPU = limit
		return nil
	})
}

// mutate runs a call that takes so long to have its effect.
func (e *Engine) mutate(ctx context.Context, call Call, takes time.Duration, effect func(*Container) error) error {
	call.At = time.Now()
	e.mu.Lock()
	e.calls = append(e.calls, call)

	// The watcher sees the containers as they are before the call takes effect.
	if target := e.containers[call.ID]; target != nil && e.watch != nil {
		var all []Container
		for _, c := range e.containers {
			all = append(all, *c)
		}
		e.watch(call, *target, all)
	}
	e.mu.Unlock()

	return e.do(ctx, call.Op, call.ID, takes, func() error {
		c, err := e.find(call.Op, call.ID)
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
