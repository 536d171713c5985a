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
	// Waits between two looks at a container whose state is in doubt.
	pollFirst, pollLongest = 250 * time.Millisecond, 2 * time.Second
)

// climb is the way of one order up the ladder.
type climb struct {
	*Enforcer
	order    Order
	began    time.Time
	stopped  bool // it was not running when we came
	hit      bool // a call of ours ended it, or may have
	attempts int
	fault    bool
	lastErr  error
	why      string // what a later look refused
}

// run takes the rungs one after the other.
func (c *climb) run(ctx context.Context) Result {
	for _, rung := range c.order.Rungs {
		if outcome := c.take(ctx, rung); outcome != "" {
			return c.result(rung, outcome)
		}
	}
	return c.result(contract.RungRemove, c.confirm(ctx))
}

func (c *climb) result(rung contract.Rung, outcome string) Result {
	r := Result{
		Outcome: outcome, Rung: rung, Attempts: c.attempts, Ended: c.hit || c.stopped, Why: c.why,
		EngineFault: c.fault,
	}
	if outcome == contract.OutcomeFailed || outcome == contract.OutcomeUnknown {
		r.Err = c.lastErr
	}
	return r
}

// take tries one rung until it is taken ("") or the order is over.
func (c *climb) take(ctx context.Context, rung contract.Rung) string {
	if c.stopped && rung != contract.RungRemove {
		return ""
	}
	for attempt := 1; ; attempt++ {
		err := c.call(ctx, rung)
		if err == nil {
			c.hit = true
			return ""
		}
		c.lastErr = err
		kind := engine.KindOf(err)
		if kind == engine.KindUnsupported && rung != contract.RungRemove {
			return "" // the next rung does without it
		}
		outcome, again := c.judge(ctx, kind)
		if !again {
			return outcome
		}
		if attempt == maxAttempts || ctx.Err() != nil || time.Since(c.began) >= time.Duration(c.order.Act.Deadline) {
			return givenUp(kind)
		}
		if _, r := lastLook(ctx, c.inspector, c.order); r.Outcome != "" { // time has passed since the first one
			c.why, c.fault = r.Why, c.fault || r.EngineFault
			return r.Outcome
		}
	}
}

// givenUp is the outcome of an order whose last call failed. A doubtful one may still take effect although the container
// was unharmed a moment ago: who calls that failed leaves the dead behind.
func givenUp(kind engine.Kind) string {
	if kind.Doubtful() {
		return contract.OutcomeUnknown
	}
	return contract.OutcomeFailed
}

// judge says what an error means: the outcome that ends the order, "" to go on with the next rung, or again.
func (c *climb) judge(ctx context.Context, kind engine.Kind) (outcome string, again bool) {
	c.fault = c.fault || kind.EngineFault()
	switch kind {
	case engine.KindGone:
		return c.gone(), false
	case engine.KindRemoving:
		return c.awaitGone(ctx), false
	case engine.KindNotRunning:
		return c.notRunning(ctx)
	case engine.KindTimeout, engine.KindServer, engine.KindVanished, engine.KindUnreachable:
		return c.verify(ctx)
	default:
		return contract.OutcomeFailed, false
	}
}

// notRunning looks whether that is still so: a restart policy brings a container back, and the next rung may be a removal by
// force.
func (c *climb) notRunning(ctx context.Context) (outcome string, again bool) {
	ours := c.attempts > 1 // the call before this one did it after all
	view, err := look(ctx, c.inspector, c.order.Victim.ID)
	gone := engine.KindOf(err) == engine.KindGone
	switch {
	case err != nil && !gone:
		c.lastErr = err
		if ours {
			return contract.OutcomeUnknown, false
		}
		return contract.OutcomeFailed, false
	case !gone && view.Running:
		return "", true
	}
	c.hit = c.hit || ours
	if gone {
		return c.gone(), false
	}
	c.stopped = !c.hit
	return "", false
}

// verify reads what a doubtful call did.
func (c *climb) verify(ctx context.Context) (outcome string, again bool) {
	view, err := look(ctx, c.inspector, c.order.Victim.ID)
	switch {
	case engine.KindOf(err) == engine.KindGone:
		c.hit = true
		return c.gone(), false
	case err != nil:
		return contract.OutcomeUnknown, false
	case view.Removing():
		c.hit = true
		return c.awaitGone(ctx), false
	case !view.Running && !c.stopped:
		c.hit = true
		return "", false
	default:
		return "", true
	}
}

// gone is the outcome for a container that is no more: ours only if we hit it.
func (c *climb) gone() string {
	if c.hit {
		return contract.OutcomeDone
	}
	return contract.OutcomeAlreadyGone
}

// awaitGone waits for a removal that the engine has begun, by --rm or for somebody else.
func (c *climb) awaitGone(ctx context.Context) string {
	until := time.Now().Add(time.Duration(c.order.Act.Deadline))
	for wait := pollFirst; ; wait = min(2*wait, pollLongest) {
		_, err := look(ctx, c.inspector, c.order.Victim.ID)
		if engine.KindOf(err) == engine.KindGone {
			return c.gone()
		}
		if time.Now().Add(wait).After(until) || ctx.Err() != nil {
			c.lastErr = fmt.Errorf("remove %.12s: the engine has begun to remove it and has not finished", c.order.Victim.ID)
			return contract.OutcomeUnknown
		}
		time.Sleep(wait)
	}
}

// confirm looks once more after a removal that the engine reported as done.
func (c *climb) confirm(ctx context.Context) string {
	_, err := look(ctx, c.inspector, c.order.Victim.ID)
	if err == nil {
		return c.awaitGone(ctx)
	}
	if c.stopped {
		return contract.OutcomeAlreadyStopped
	}
	return contract.OutcomeDone
}
