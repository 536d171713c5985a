package enginetest

import (
	"context"
	"errors"
	"slices"
	"time"

	"gestor.local/manager/internal/engine"
)

// Fault changes how calls are answered.
type Fault struct {
	// Op is info, list, look (an inspection), kill, stop, remove or update; ID "" means any container.
	Op, ID string
	// Kind of the error that is answered; KindNone lets the call succeed (after Delay).
	Kind engine.Kind
	// Delay before the answer. A caller that gives up earlier gets a timeout.
	Delay time.Duration
	// Effect lets the call take effect although the answer is an error or comes too late.
	Effect bool
	// Times the fault applies; 0 means until it is lifted.
	Times int
}

// Inject adds faults; the first that matches a call applies to it.
func (e *Engine) Inject(faults ...Fault) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, f := range faults {
		e.faults = append(e.faults, &f)
	}
}

// ClearFaults lifts all faults.
func (e *Engine) ClearFaults() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.faults = nil
}

// do runs one call, which takes so long and the delay of its fault: the effect holds the lock, the time before it does not.
func (e *Engine) do(ctx context.Context, op, id string, takes time.Duration, effect func() error) error {
	fault := e.nextFault(op, id)
	if fault == nil {
		fault = &Fault{Effect: true}
	}

	// A call whose caller has given up takes effect all the same if the fault says so: that is what makes it doubtful.
	applies := fault.Effect || fault.Kind == engine.KindNone
	delay := fault.Delay
	if applies {
		delay += takes
	}
	err := sleep(ctx, delay)
	if err != nil && !fault.Effect {
		return &engine.Error{Op: op, ID: id, Kind: engine.KindTimeout, Err: err}
	}

	var result error
	if applies && effect != nil {
		e.mu.Lock()
		result = effect()
		e.mu.Unlock()
	}

	switch {
	case err != nil:
		return &engine.Error{Op: op, ID: id, Kind: engine.KindTimeout, Err: err}
	case fault.Kind != engine.KindNone:
		return &engine.Error{Op: op, ID: id, Kind: fault.Kind, Err: errors.New("injected " + fault.Kind.String())}
	default:
		return result
	}
}

func (e *Engine) nextFault(op, id string) *Fault {
	e.mu.Lock()
	defer e.mu.Unlock()
	for i, f := range e.faults {
		if f.Op != op || (f.ID != "" && f.ID != id) {
			continue
		}

		if f.Times == 1 {
			e.faults = slices.Delete(e.faults, i, i+1)
		} else if f.Times > 1 {
			f.Times--
		}
		return f
	}
	return nil
}

func sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}

	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
