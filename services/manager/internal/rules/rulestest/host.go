package rulestest

import (
	"slices"
	"time"

	"gestor.local/contract"
)

// wallJump is one time at which somebody set the wall clock.
type wallJump struct{ at, by time.Duration }

// planned is something that happens to the host at a moment.
type planned struct {
	at time.Duration
	do func()
}

// Now is the present moment.
func (w *World) Now() time.Duration { return w.now }

// G is the governed clock, as a distance from T.
func (w *World) G() time.Duration { return w.clock.g() }

// Add puts containers on the host; each appears when it is created.
func (w *World) Add(containers ...Container) {
	for _, c := range containers {
		w.members = append(w.members, newMember(c))
	}
}

// At plans something for a moment: it happens before the first tick at or after it, once the containers have lived until then.
func (w *World) At(at time.Duration, do func()) {
	w.plans = append(w.plans, planned{at, do})
	slices.SortStableFunc(w.plans, func(a, b planned) int { return int(a.at - b.at) })
}

// find gives the newest container of a name that is there, nil without one.
func (w *World) find(name string) *member {
	var newest *member
	for _, m := range w.members {
		if m.name == name && m.present && (newest == nil || m.spec.Created > newest.spec.Created) {
			newest = m
		}
	}
	return newest
}

// Start starts containers that do not run, as a person would.
func (w *World) Start(names ...string) {
	for _, name := range names {
		if m := w.find(name); m != nil && m.state != contract.StateRunning {
			m.start(w.now)
			w.log(m, EventStarted, "", "")
		}
	}
}

// Revoke takes the approval away.
func (w *World) Revoke() { w.revoked = true }

// Pause pauses a container that runs.
func (w *World) Pause(name string) { w.setState(name, contract.StateRunning, contract.StatePaused) }

// Unpause lets a paused container go on.
func (w *World) Unpause(name string) { w.setState(name, contract.StatePaused, contract.StateRunning) }

func (w *World) setState(name, from, to string) {
	if m := w.find(name); m != nil && m.state == from {
		m.state = to
	}
}

// Rename gives a container another name.
func (w *World) Rename(from, to string) {
	if m := w.find(from); m != nil {
		past := append(slices.Clone(m.identity.PastNames), from)
		m.name = to
		m.identify(past)
	}
}

// Limit sets the CPU limit of a container, as a person would.
func (w *World) Limit(name string, nanoCPUs int64) {
	if m := w.find(name); m != nil {
		m.nanoCPUs = nanoCPUs
		m.owed = false
	}
}

// SetWall sets the wall clock forward, or back.
func (w *World) SetWall(by time.Duration) {
	w.clock.wallOff += by
	w.wallJumps = append(w.wallJumps, wallJump{w.now, by})
}

// ManagerDown is a time in which the manager looks at nothing.
func (w *World) ManagerDown(from, until time.Duration) {
	w.down = append(w.down, [2]time.Duration{from, until})
}

// PowerOff is a time in which the host is off: whatever runs ends in order, and what its restart policy says is started again
// at the boot.
func (w *World) PowerOff(from, until time.Duration) {
	w.ManagerDown(from, until)

	w.At(from, func() {
		for _, m := range w.members {
			if m.present && contract.StateAlive(m.state) {
				w.powerOff(m, from)
			}
		}
	})

	w.At(until, func() { w.boot(until) })
}

func (w *World) powerOff(m *member, at time.Duration) {
	m.finished = &at
	m.state = contract.StateExited
	if m.spec.Rm {
		m.gone()
	}
}

// boot starts the host's clocks anew, and whatever the engine starts with itself.
func (w *World) boot(at time.Duration) {
	w.clock.boot(at)
	w.looked = false

	for _, m := range w.members {
		m.rowStart, m.netBytes, m.cpuUS = nil, 0, 0

		// unless-stopped asks who stopped it, always does not.
		always := m.spec.Restart == "always" || m.spec.Restart == "unless-stopped" && !m.byHand
		if m.present && m.state == contract.StateExited && always {
			m.restarts, m.backoff = 0, 0
			m.start(at)
			w.log(m, EventBooted, "", "")
		}
	}
}
