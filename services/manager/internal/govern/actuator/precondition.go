package actuator

import (
	"context"
	"fmt"
	"slices"
	"time"

	"gestor.local/contract"
	"gestor.local/manager/internal/engine"
)

// inspectTimeout bounds every reading call: an engine that does not return a container's state in 5 s is in trouble.
const inspectTimeout = 5 * time.Second

// looker inspects one container.
type looker interface {
	Inspect(ctx context.Context, id string) (engine.ContainerState, error)
}

// inspect reads a container's state even when ctx has ended, since what became of an order must be known.
func inspect(ctx context.Context, i looker, id string) (engine.ContainerState, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), inspectTimeout)
	defer cancel()
	return i.Inspect(ctx, id)
}

// checkPreconditions compares the victim with what the plan knew of it, right before the act. A result with an outcome
// ends the order; otherwise the state is that of a container that may be removed.
func checkPreconditions(ctx context.Context, i Inspector, o Order) (engine.ContainerState, Result) {
	state, err := inspect(ctx, i, o.Victim.ID)
	switch kind := engine.KindOf(err); {
	case kind == engine.KindGone:
		return state, Result{Outcome: contract.OutcomeAlreadyGone}
	case err != nil:
		return state, Result{Outcome: contract.OutcomeFailed, Err: err, EngineFault: kind.EngineFault()}
	case state.Removing():
		return state, Result{Outcome: contract.OutcomeAlreadyGone}
	}

	// It must be the container that the plan was about, in the state in which it was judged.
	if why := changed(state, o); why != "" {
		return state, Result{Outcome: contract.OutcomeRefused, Why: why}
	}

	// And those it competed with must still be there: the plan may be older than the end of one of them.
	why, err := belowMinAvailable(ctx, i, o.MinAvailable)
	if err != nil {
		return state, Result{Outcome: contract.OutcomeFailed, Err: err, EngineFault: engine.KindOf(err).EngineFault()}
	}
	if why != "" {
		return state, Result{Outcome: contract.OutcomeRefused, Why: why}
	}
	return state, Result{}
}

// changed says why the container is no longer the one the plan was about, "" when it is.
func changed(state engine.ContainerState, o Order) string {
	w, elsewhere := contract.WorkloadOf(state.Labels)

	// Which container it is comes before whose it is, and that before how it is: the first that does not hold is reported.
	switch {
	case state.ID != o.Victim.ID:
		return fmt.Sprintf("the engine answered for another id (%.12s)", state.ID)
	case o.Victim.StartedAt == "":
		return "the engine did not tell when it was started"
	case state.StartedAt != o.Victim.StartedAt:
		return fmt.Sprintf("it was started again at %s", state.StartedAt)
	case !contract.Owned(state.Labels, o.Suite):
		return "it is not owned any more: " + contract.WhyNotOwned(state.Labels, o.Suite)
	case elsewhere:
		return fmt.Sprintf("its labels say that %s keeps it", w.By)
	case state.Labels[contract.LabelClass] != o.ClassLabel:
		return fmt.Sprintf("its class label changed from %s to %s",
			contract.QuoteLabel(o.ClassLabel), contract.QuoteLabel(state.Labels[contract.LabelClass]))
	case state.State == contract.StatePaused:
		return "it was paused"
	default:
		return ""
	}
}

// belowMinAvailable says why removing one more would take the class under its number, "" when it would not.
func belowMinAvailable(ctx context.Context, i Inspector, m MinAvailable) (string, error) {
	if m.Need == 0 {
		return "", nil
	}

	ctx, cancel := context.WithTimeout(ctx, inspectTimeout)
	defer cancel()
	inv, err := i.ListOwned(ctx)
	if err != nil {
		return "", err
	}

	running := 0
	for _, e := range inv.Entries {
		if _, survives := slices.BinarySearch(m.Survivors, e.ID); survives && e.State == contract.StateRunning {
			running++
		}
	}
	if running < m.Need {
		return fmt.Sprintf("only %d of the %d that must stay still run", running, m.Need), nil
	}
	return "", nil
}
