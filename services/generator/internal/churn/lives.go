package churn

import (
	"sync"
	"time"

	"gestor.local/contract"
	"gestor.local/generator/internal/containers"
)

// Causes of death.
const (
	DeathEnded   = "ended"   // by itself, exit code 0
	DeathFailed  = "failed"  // by itself, another exit code
	DeathOOM     = "oom"     // the kernel, at its memory limit
	DeathKilled  = "killed"  // by a signal through the engine: the manager, or somebody else
	DeathDrained = "drained" // by this run's end
	DeathUnseen  = "unseen"  // it was gone when the list was looked at
)

// Lives keeps account of a run's containers from the engine's events and, since events can be missed, from the list of
// containers now and then. It may be used from any goroutine. Make one with NewLives.
type Lives struct {
	died func(cause string, life time.Duration)

	mu       sync.Mutex // guards all following fields
	alive    map[string]*life
	dead     map[string]bool // ids whose end was seen: a late answer of a start must not bring them back
	draining bool
}

type life struct {
	began       time.Time
	oom, killed bool
}

// NewLives calls died once for every container that ended.
func NewLives(died func(cause string, life time.Duration)) *Lives {
	return &Lives{died: died, alive: map[string]*life{}, dead: map[string]bool{}}
}

// Alive is the number of containers that run.
func (l *Lives) Alive() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.alive)
}

// Started notes a container that was started. Its event may come before or after.
func (l *Lives) Started(id string, at time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.alive[id] == nil && !l.dead[id] {
		l.alive[id] = &life{began: at}
	}
}

// Drain makes every later death a drained one.
func (l *Lives) Drain() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.draining = true
}

// Event notes what the engine says.
func (l *Lives) Event(e containers.Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	one := l.alive[e.ID]
	switch {
	case e.Action == containers.EventStart && one == nil && !l.dead[e.ID]:
		l.alive[e.ID] = &life{began: e.At}
	case e.Action == containers.EventDestroy:
		delete(l.dead, e.ID) // ids are not used again
	case one == nil:
	case e.Action == containers.EventOOM:
		one.oom = true
	case e.Action == containers.EventKill:
		one.killed = true
	case e.Action == containers.EventDie:
		l.end(e.ID, l.cause(*one, e.ExitCode), e.At.Sub(one.began))
	}
}

func (l *Lives) cause(one life, exitCode int) string {
	const sigkilled = 137
	switch {
	case l.draining:
		return DeathDrained
	case one.killed:
		return DeathKilled
	case one.oom || exitCode == sigkilled: // SIGKILL that the engine did not send: the kernel's, at the limit
		return DeathOOM
	case exitCode == 0:
		return DeathEnded
	default:
		return DeathFailed
	}
}

// end forgets a container; its id is kept until it is removed.
func (l *Lives) end(id, cause string, lived time.Duration) {
	delete(l.alive, id)
	l.dead[id] = true
	l.died(cause, max(lived, 0))
}

// Resync brings the account in line with a list that was asked for at the given time and taken after it: what began
// later may be missing in it.
func (l *Lives) Resync(found []containers.Container, asked time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	listed := map[string]bool{}
	for _, c := range found {
		listed[c.ID] = true
		if c.Alive() && l.alive[c.ID] == nil && !l.dead[c.ID] {
			l.alive[c.ID] = &life{began: asked}
		}
		if one := l.alive[c.ID]; one != nil && !c.Alive() && c.State != contract.StateCreated && one.began.Before(asked) {
			l.end(c.ID, l.unseen(), 0)
		}
	}
	for id, one := range l.alive {
		if !listed[id] && one.began.Before(asked) {
			l.end(id, l.unseen(), 0)
		}
	}
	for id := range l.dead {
		if !listed[id] {
			delete(l.dead, id)
		}
	}
}

func (l *Lives) unseen() string {
	if l.draining {
		return DeathDrained
	}
	return DeathUnseen
}
