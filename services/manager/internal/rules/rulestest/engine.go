package rulestest

import (
	"gestor.local/contract"
)

// stop ends a container's run as the engine does: one with --rm goes, and its anonymous volumes with it.
func (w *World) stop(m *member, rule, why string) string {
	switch {
	case !m.present:
		return contract.OutcomeAlreadyGone
	case w.engineFails(m, rule):
		return contract.OutcomeFailed
	case !contract.StateAlive(m.state):
		m.byHand = true
		w.log(m, EventStopped, rule, why)
		return contract.OutcomeAlreadyStopped
	}

	// byHand suspends its restart policy.
	w.log(m, EventStop, rule, why)
	m.byHand = true

	now := w.now
	m.finished = &now
	m.state = contract.StateExited
	if m.spec.Rm {
		w.delete(m, rule)
	}
	return contract.OutcomeDone
}

// remove deletes a container, and with volumes its anonymous volumes too.
func (w *World) remove(m *member, volumes bool, rule, why string) string {
	switch {
	case !m.present:
		return contract.OutcomeAlreadyGone
	case w.engineFails(m, rule):
		return contract.OutcomeFailed
	}

	w.log(m, EventRemove, rule, why)
	if volumes || m.spec.Rm {
		w.delete(m, rule)
	} else {
		m.gone()
	}
	return contract.OutcomeDone
}

// engineFails says whether the engine fails now, and notes the attempt to end a container.
func (w *World) engineFails(m *member, rule string) bool {
	fails := w.EngineDown != nil && w.EngineDown(w.now)
	if fails {
		w.log(m, EventFailed, rule, "")
	}
	return fails
}

// delete ends a container with its anonymous volumes.
func (w *World) delete(m *member, rule string) {
	if m.spec.Anonymous > 0 {
		w.log(m, EventVolumesGone, rule, "")
	}
	m.gone()
}

// limit sets a CPU limit in billionths of a core.
func (w *World) limit(m *member, nanoCPUs int64, event, rule, why string) string {
	switch {
	case !m.present:
		return contract.OutcomeAlreadyGone
	case w.EngineDown != nil && w.EngineDown(w.now):
		return contract.OutcomeFailed
	}
	w.log(m, event, rule, why)
	m.owed = event == EventThrottle && nanoCPUs != m.nanoCPUs
	m.nanoCPUs = nanoCPUs
	return contract.OutcomeDone
}
