package churn

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"gestor.local/contract"
	"gestor.local/generator/internal/containers"
)

// ContainerClient lists, watches and removes containers that carry Gestor's labels.
type ContainerClient interface {
	List(ctx context.Context, run string) ([]containers.Container, error)
	Remove(ctx context.Context, ids []string) (int, error)
	Watch(ctx context.Context, run string, each func(containers.Event)) error
}

// Causes of an exit.
const (
	exitEnded   = "ended"   // by itself, exit code 0
	exitFailed  = "failed"  // by itself, another exit code
	exitOOM     = "oom"     // the kernel, at its memory limit
	exitKilled  = "killed"  // by a signal through the engine: the manager, or somebody else
	exitDrained = "drained" // by this run's end
	exitMissed  = "unseen"  // it was missing from the list
)

// Tracker knows which of a run's containers are alive, from the engine's events and, since events can be missed, from the
// list of containers now and then. It may be used from any goroutine. Make one with NewTracker.
type Tracker struct {
	exited func(cause string, lifetime time.Duration)

	mu       sync.Mutex // guards all following fields
	alive    map[string]*tracked
	dead     map[string]bool // ids whose end was seen: a late answer of a start must not bring them back
	draining bool
}

// tracked is a container that is alive.
type tracked struct {
	started     time.Time
	oom, killed bool
}

// NewTracker calls exited once for every container that ended; the lifetime is 0 where the end was missed.
func NewTracker(exited func(cause string, lifetime time.Duration)) *Tracker {
	return &Tracker{exited: exited, alive: map[string]*tracked{}, dead: map[string]bool{}}
}

// Alive is the number of containers that run.
func (t *Tracker) Alive() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.alive)
}

// Started adds a container that was started. Its event may come before or after.
func (t *Tracker) Started(id string, at time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.add(id, at)
}

// Drain makes every later exit a drained one.
func (t *Tracker) Drain() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.draining = true
}

// OnEvent follows an event of the engine.
func (t *Tracker) OnEvent(e containers.Event) {
	t.mu.Lock()
	defer t.mu.Unlock()

	// An end may come before the answer of the start, and an event of a container that Resync has ended already.
	c := t.alive[e.ID]
	switch {
	case e.Action == containers.EventStart:
		t.add(e.ID, e.At)
	case e.Action == containers.EventDestroy:
		delete(t.dead, e.ID) // ids are not used again
	case c == nil:
	case e.Action == containers.EventOOM:
		c.oom = true
	case e.Action == containers.EventKill:
		c.killed = true
	case e.Action == containers.EventDie:
		t.remove(e.ID, t.cause(*c, e.ExitCode), e.At.Sub(c.started))
	}
}

// Resync brings the tracker in line with a list that was asked for at the given time and taken after it: what began
// later may be missing in it.
func (t *Tracker) Resync(found []containers.Container, asked time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()

	listed := map[string]bool{}
	for _, c := range found {
		listed[c.ID] = true
		if c.Alive() {
			t.add(c.ID, asked)
			continue
		}
		if known := t.alive[c.ID]; known != nil && c.State != contract.StateCreated && known.started.Before(asked) {
			t.remove(c.ID, t.missedCause(), 0)
		}
	}

	for id, known := range t.alive {
		if !listed[id] && known.started.Before(asked) {
			t.remove(id, t.missedCause(), 0)
		}
	}

	// No late answer can come for a container that the engine no longer lists.
	for id := range t.dead {
		if !listed[id] {
			delete(t.dead, id)
		}
	}
}

// add tracks a container that is not tracked yet and has not ended.
func (t *Tracker) add(id string, started time.Time) {
	if t.alive[id] == nil && !t.dead[id] {
		t.alive[id] = &tracked{started: started}
	}
}

// remove ends a container; its id is kept until the engine removes the container.
func (t *Tracker) remove(id, cause string, lifetime time.Duration) {
	delete(t.alive, id)
	t.dead[id] = true
	t.exited(cause, max(lifetime, 0))
}

func (t *Tracker) cause(c tracked, exitCode int) string {
	const sigkilled = 137
	switch {
	case t.draining:
		return exitDrained
	case c.killed:
		return exitKilled

	// A SIGKILL that the engine did not send is the kernel's, at the memory limit.
	case c.oom || exitCode == sigkilled:
		return exitOOM

	case exitCode == 0:
		return exitEnded
	default:
		return exitFailed
	}
}

func (t *Tracker) missedCause() string {
	if t.draining {
		return exitDrained
	}
	return exitMissed
}

// engineLostAfter is how long an engine that was there may refuse every question. Being upgraded takes it less; one that was
// started anew under us with the option live-restore made a new socket, and the one that is mounted here leads nowhere for ever.
const engineLostAfter = 2 * time.Minute

// ErrEngineLost is an engine that was there and has been gone for too long. A restart of the container mounts the socket anew.
var ErrEngineLost = errors.New("the engine's socket leads nowhere any more; ending, so that a restart mounts the one that is there now")

// Watch keeps the tracker up to date until ctx ends: by events, and by the list every resync. An engine that goes away is
// asked again, which is logged once. When it stays away for too long Watch returns ErrEngineLost.
func Watch(ctx context.Context, c ContainerClient, run string, tracker *Tracker, resync time.Duration, log func(string, error)) error {
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		watchEvents(ctx, c, run, tracker, log)
	}()
	defer func() {
		cancel()
		<-done
	}()

	healthy, reached := true, time.Now()
	for sleep(ctx, resync) {
		asked := time.Now()
		found, err := c.List(ctx, run)
		if err == nil {
			tracker.Resync(found, asked)
		} else if healthy && ctx.Err() == nil {
			log("the containers could not be listed", err)
		}
		healthy = err == nil

		// Any other error is an answer: the engine is there.
		if !errors.Is(err, containers.ErrEngine) {
			reached = time.Now()
		}
		if away := time.Since(reached); away >= engineLostAfter {
			return fmt.Errorf("no answer for %s: %w: %w", away.Round(time.Second), ErrEngineLost, err)
		}
	}
	return nil
}

// watchEvents hands the engine's events to the tracker, asking for them again whenever they end.
func watchEvents(ctx context.Context, c ContainerClient, run string, tracker *Tracker, log func(string, error)) {
	for ctx.Err() == nil {
		err := c.Watch(ctx, run, tracker.OnEvent)
		if ctx.Err() == nil {
			log("the engine's events ended; they are asked for again", err)
			sleep(ctx, time.Second)
		}
	}
}
