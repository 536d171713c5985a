package actuator

import (
	"context"
	"fmt"
	"time"

	"gestor.local/contract"
	"gestor.local/manager/internal/engine"
)

const (
	// maxAttempts of one rung: a call is tried again only after the container was seen to be unharmed.
	maxAttempts = 3
	// Waits between two inspections of a container whose state is in doubt.
	pollFirst, pollLongest = 250 * time.Millisecond, 2 * time.Second
)

// escalation is the way of one order up the ladder.
type escalation struct {
	*Enforcer
	order   Order
	began   time.Time
	stopped bool // it was not running when we came
	// stopWait is how long the engine waits between the two signals of a stop, 0 where the order has no stop; stopUntil is
	// when the wait of the last stop asked for is over, zero while none was.
	stopWait  time.Duration
	stopUntil time.Time
	acted     bool // a call of ours ended it, or may have
	attempts  int
	fault     bool
	lastErr   error
	why       string // which precondition did not hold any more
}

// run tries the rungs one after the other.
func (x *escalation) run(ctx context.Context) Result {
	for _, rung := range x.order.Rungs {
		if outcome := x.tryRung(ctx, rung); outcome != "" {
			return x.result(rung, outcome)
		}
	}
	return x.result(contract.RungRemove, x.confirm(ctx))
}

func (x *escalation) result(rung contract.Rung, outcome string) Result {
	r := Result{
		Outcome: outcome, Rung: rung, Attempts: x.attempts, Ended: x.acted || x.stopped, Why: x.why,
		EngineFault: x.fault, StopUntil: x.stopUntil,
	}
	if outcome == contract.OutcomeFailed || outcome == contract.OutcomeUnknown {
		r.Err = x.lastErr
	}
	return r
}

// tryRung tries one rung until it is done ("") or the order is over.
func (x *escalation) tryRung(ctx context.Context, rung contract.Rung) string {
	if x.stopped && rung != contract.RungRemove {
		return ""
	}

	for attempt := 1; ; attempt++ {
		err := x.call(ctx, rung)
		if err == nil {
			x.acted = true
			return ""
		}

		x.lastErr = err
		kind := engine.KindOf(err)
		if kind == engine.KindUnsupported && rung != contract.RungRemove {
			return "" // the next rung does without it
		}

		outcome, again := x.classifyError(ctx, kind)
		if !again {
			return outcome
		}
		if attempt == maxAttempts || ctx.Err() != nil || time.Since(x.began) >= x.deadline() {
			return outcomeOfLastError(kind)
		}

		// Time has passed since the preconditions were checked: it may have been started again, or be needed by now.
		if _, r := checkPreconditions(ctx, x.inspector, x.order); r.Outcome != "" {
			x.why, x.fault = r.Why, x.fault || r.EngineFault
			return r.Outcome
		}
	}
}

// deadline is how long the order as a whole may take before nothing of it is tried again: the policy's, and what a stop has
// to wait on top.
func (x *escalation) deadline() time.Duration {
	return time.Duration(x.order.Act.Deadline) + x.stopWait
}

// call makes the engine call of one rung under the policy's deadline. A stop also gets the time that it has to wait.
func (x *escalation) call(ctx context.Context, rung contract.Rung) error {
	id, deadline := x.order.Victim.ID, time.Duration(x.order.Act.Deadline)
	if rung == contract.RungStop {
		deadline = x.deadline()
	}
	ctx, cancel := context.WithTimeout(ctx, deadline)
	defer cancel()

	x.attempts++
	switch rung {
	case contract.RungStop:
		x.stopUntil = time.Now().Add(x.stopWait)
		return x.mutator.Stop(ctx, id, x.stopWait)
	case contract.RungKill:
		return x.mutator.Kill(ctx, id)
	case contract.RungRemove:
		return x.mutator.Remove(ctx, id)
	default:
		return fmt.Errorf("act on %.12s: unknown rung %q", id, rung)
	}
}

// outcomeOfLastError is the outcome of an order whose last call failed. A doubtful one may still take effect although
// the container was unharmed a moment ago: who calls that failed leaves the dead behind.
func outcomeOfLastError(kind engine.Kind) string {
	if kind.Indeterminate() {
		return contract.OutcomeUnknown
	}
	return contract.OutcomeFailed
}

// classifyError says what an error means: the outcome that ends the order, "" to go on with the next rung, or again.
func (x *escalation) classifyError(ctx context.Context, kind engine.Kind) (outcome string, again bool) {
	x.fault = x.fault || kind.EngineFault()

	// An engine that is in trouble says little of the container: its state is read before anything is called again.
	switch kind {
	case engine.KindGone:
		return x.gone(), false
	case engine.KindRemoving:
		return x.awaitGone(ctx), false
	case engine.KindNotRunning:
		return x.notRunning(ctx)
	case engine.KindTimeout, engine.KindServer, engine.KindVanished, engine.KindUnreachable:
		return x.verify(ctx)
	default:
		return contract.OutcomeFailed, false
	}
}

// notRunning looks whether that is still so: a restart policy brings a container back, and the next rung may be a
// removal by force.
func (x *escalation) notRunning(ctx context.Context) (outcome string, again bool) {
	ours := x.attempts > 1 // the call before this one did it after all

	state, err := inspect(ctx, x.inspector, x.order.Victim.ID)
	gone := engine.KindOf(err) == engine.KindGone
	switch {
	case err != nil && !gone:
		x.lastErr = err
		if ours {
			return contract.OutcomeUnknown, false
		}
		return contract.OutcomeFailed, false

	case !gone && state.Running:
		return "", true
	}

	x.acted = x.acted || ours
	if gone {
		return x.gone(), false
	}
	x.stopped = !x.acted
	return "", false
}

// verify reads what a doubtful call did.
func (x *escalation) verify(ctx context.Context) (outcome string, again bool) {
	state, err := inspect(ctx, x.inspector, x.order.Victim.ID)
	switch {
	case engine.KindOf(err) == engine.KindGone:
		x.acted = true
		return x.gone(), false

	case err != nil:
		return contract.OutcomeUnknown, false

	case state.Removing():
		x.acted = true
		return x.awaitGone(ctx), false

	case !state.Running && !x.stopped:
		x.acted = true
		return "", false

	default: // unharmed
		return "", true
	}
}

// gone is the outcome for a container that is no more: ours only if we acted on it.
func (x *escalation) gone() string {
	if x.acted {
		return contract.OutcomeDone
	}
	return contract.OutcomeAlreadyGone
}

// awaitGone waits for a removal that the engine has begun, by --rm or for somebody else.
func (x *escalation) awaitGone(ctx context.Context) string {
	if err := awaitGone(ctx, x.inspector, x.order.Victim.ID, time.Duration(x.order.Act.Deadline)); err != nil {
		x.lastErr = err
		return contract.OutcomeUnknown
	}
	return x.gone()
}

// awaitGone inspects the container until it is gone, for so long at the most.
func awaitGone(ctx context.Context, i looker, id string, within time.Duration) error {
	until := time.Now().Add(within)
	for wait := pollFirst; ; wait = min(2*wait, pollLongest) {
		_, err := inspect(ctx, i, id)
		if engine.KindOf(err) == engine.KindGone {
			return nil
		}

		if time.Now().Add(wait).After(until) || ctx.Err() != nil {
			return fmt.Errorf("remove %.12s: the engine has begun to remove it and has not finished", id)
		}
		time.Sleep(wait)
	}
}

// confirm looks once more after a removal that the engine reported as done.
func (x *escalation) confirm(ctx context.Context) string {
	_, err := inspect(ctx, x.inspector, x.order.Victim.ID)
	if err == nil {
		return x.awaitGone(ctx)
	}
	if x.stopped {
		return contract.OutcomeAlreadyStopped
	}
	return contract.OutcomeDone
}
