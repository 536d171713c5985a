package actuator

import (
	"errors"
	"fmt"

	"gestor.local/contract"
	"gestor.local/contract/policy2"
	"gestor.local/manager/internal/engine"
)

// OpenIntent is a step that was begun and of which no outcome is known, as after a crash.
type OpenIntent struct {
	ID   string // the full id
	Step policy2.Step
	// StartedAt is the start that the step was taken on; AutoRemove says that it was started with --rm.
	StartedAt  string
	AutoRemove bool
	// Limits are those of a throttle, or of one that is given back, which GivesBack says; such a one has no Step.
	Limits    *Limits
	GivesBack bool
	// Replaces are the limits of an earlier throttle whose place this one takes, nil without one.
	Replaces *Limits
	// MayStillEnd says that what the engine may have been asked for can still take effect: the wait of a stop and the time of a
	// call are not over yet.
	MayStillEnd bool
}

// Verify says what an open intent came to, by an inspection of its container or the error that there was instead. It changes
// nothing and reads nothing else.
//
// Outcome unknown leaves the intent open: what it came to is not known yet, or the container has ended and is still to be deleted
// (Ended). Outcome failed is that of a limit which is still to be given back. Attempts are not known: they are 0.
func Verify(i OpenIntent, state engine.ContainerState, err error) StepResult {
	r := StepResult{Removes: i.removes(&state)}
	kind := engine.KindOf(err)
	switch {
	case kind == engine.KindGone:
		return i.gone(r)
	case err != nil:
		return i.open(r, err)
	case state.ID != i.ID:
		return i.open(r, fmt.Errorf("look %.12s: the engine answered for another id (%.12s)", i.ID, state.ID))
	}

	r.Ended = !state.Running
	switch {
	case i.GivesBack:
		return i.givenBack(r, &state)
	case i.Step == policy2.StepThrottle:
		return i.throttled(r, &state)
	default:
		return i.endedOrNot(r, &state)
	}
}

// removes says that the step takes the container from the host, see StepResult.Removes.
func (i *OpenIntent) removes(state *engine.ContainerState) bool {
	return !i.GivesBack && (i.Step == policy2.StepRemove || i.Step == policy2.StepStop && (i.AutoRemove || state.AutoRemove))
}

// gone: one that was to go has gone, most likely by us.
func (i *OpenIntent) gone(r StepResult) StepResult {
	r.Outcome, r.Ended = contract.OutcomeAlreadyGone, true
	if r.Removes {
		r.Outcome = contract.OutcomeDone
	}
	return r
}

func (i *OpenIntent) open(r StepResult, err error) StepResult {
	r.Outcome, r.Err, r.EngineFault = contract.OutcomeUnknown, err, engine.KindOf(err).EngineFault()
	return r
}

// notActed is why an intent ends of which nothing can be seen at its container.
const notActed = "it was not begun, or came to nothing"

// endedOrNot is of a stop or a removal whose container is there.
func (i *OpenIntent) endedOrNot(r StepResult, state *engine.ContainerState) StepResult {
	switch {
	case state.Removing() && r.Removes:
		return i.open(r, errors.New("the engine has begun to remove it and has not finished"))

	case !state.Running && r.Removes:
		return i.open(r, errors.New("it has ended, and is still there"))

	case !state.Running:
		r.Outcome = contract.OutcomeDone

	case state.StartedAt != i.StartedAt:
		r.Outcome, r.Why = contract.OutcomeRefused, fmt.Sprintf("it was started again at %s", state.StartedAt)

	case i.MayStillEnd:
		return i.open(r, errors.New("it still runs, and the engine may still end it"))

	default:
		r.Outcome, r.Why = contract.OutcomeRefused, notActed+"; the container still runs"
	}
	return r
}

// throttled is of a throttle whose container is there.
func (i *OpenIntent) throttled(r StepResult, state *engine.ContainerState) StepResult {
	switch {
	case i.Limits == nil || state.NetworkMode == "": // its configuration was left out
		return i.open(r, errors.New("its CPU limit is not known"))

	case state.CPU.Same(i.Limits.Set):
		r.Outcome, r.Limits = contract.OutcomeDone, i.Limits

	case !state.CPU.Same(i.Limits.Before) && (i.Replaces == nil || !state.CPU.Same(i.Replaces.Set)):
		r.Outcome, r.Why = contract.OutcomeRefused, theirs

	case i.MayStillEnd:
		r.Limits = i.Limits
		return i.open(r, errors.New("its CPU limit is that of before, and the engine may still lower it"))

	default:
		r.Outcome, r.Why = contract.OutcomeRefused, notActed+"; the CPU limit is that of before"
	}
	return r
}

// givenBack is of a limit that was to be given back to a container that is there.
func (i *OpenIntent) givenBack(r StepResult, state *engine.ContainerState) StepResult {
	switch {
	case i.Limits == nil || state.NetworkMode == "":
		return i.open(r, errors.New("its CPU limit is not known"))

	case state.CPU.Same(i.Limits.Before):
		r.Outcome = contract.OutcomeDone

	case !state.CPU.Same(i.Limits.Set):
		r.Outcome, r.Why = contract.OutcomeRefused, theirs

	default:
		r.Outcome, r.Err = contract.OutcomeFailed, errors.New("its CPU limit is still the lowered one")
	}
	return r
}
