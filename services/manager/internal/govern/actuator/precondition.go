package actuator

import (
	"context"
	"fmt"
	"slices"
	"time"

	"gestor.local/contract"
	"gestor.local/manager/internal/engine"
)

// lookTimeout bounds every reading call: an engine that does not tell a container's state in 5 s is in trouble.
const lookTimeout = 5 * time.Second

// look reads a container's state even when ctx has ended, since what became of an order must be known.
func look(ctx context.Context, inspector Inspector, id string) (engine.ContainerState, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lookTimeout)
	defer cancel()
	return inspector.Inspect(ctx, id)
}

// lastLook compares the victim with what the plan knew of it. A result with an outcome ends the order; otherwise the view
// is that of a container that may be removed.
func lastLook(ctx context.Context, inspector Inspector, o Order) (engine.ContainerState, Result) {
	view, err := look(ctx, inspector, o.Victim.ID)
	switch kind := engine.KindOf(err); {
	case kind == engine.KindGone:
		return view, Result{Outcome: contract.OutcomeAlreadyGone}
	case err != nil:
		return view, Result{Outcome: contract.OutcomeFailed, Err: err, EngineFault: kind.EngineFault()}
	case view.Removing():
		return view, Result{Outcome: contract.OutcomeAlreadyGone}
	}
	if why := changed(view, o); why != "" {
		return view, Result{Outcome: contract.OutcomeRefused, Why: why}
	}
	why, err := floorBroken(ctx, inspector, o.MinAvailable)
	if err != nil {
		return view, Result{Outcome: contract.OutcomeFailed, Err: err, EngineFault: engine.KindOf(err).EngineFault()}
	}
	if why != "" {
		return view, Result{Outcome: contract.OutcomeRefused, Why: why}
	}
	return view, Result{}
}

// changed says why the container is no longer the one the plan was about, "" when it is.
func changed(view engine.ContainerState, o Order) string {
	w, elsewhere := contract.WorkloadOf(view.Labels)
	switch {
	case view.ID != o.Victim.ID:
		return fmt.Sprintf("the engine answered for another id (%.12s)", view.ID)
	case o.Victim.StartedAt == "":
		return "the engine did not tell when it was started"
	case view.StartedAt != o.Victim.StartedAt:
		return fmt.Sprintf("it was started again at %s", view.StartedAt)
	case !contract.Owned(view.Labels, o.Suite):
		return "it is not owned any more: " + contract.WhyNotOwned(view.Labels, o.Suite)
	case elsewhere:
		return fmt.Sprintf("its labels say that %s keeps it", w.By)
	case view.Labels[contract.LabelClass] != o.ClassLabel:
		return fmt.Sprintf("its class label changed from %s to %s", contract.QuoteLabel(o.ClassLabel), contract.QuoteLabel(view.Labels[contract.LabelClass]))
	case view.State == contract.StatePaused:
		return "it was paused"
	default:
		return ""
	}
}

// floorBroken says why removing one more would take the class under its number, "" when it would not.
func floorBroken(ctx context.Context, inspector Inspector, m MinAvailable) (string, error) {
	if m.Need == 0 {
		return "", nil
	}
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	inv, err := inspector.ListOwned(ctx)
	if err != nil {
		return "", err
	}
	alive := 0
	for _, e := range inv.Entries {
		if _, keeps := slices.BinarySearch(m.Survivors, e.ID); keeps && e.State == "running" {
			alive++
		}
	}
	if alive < m.Need {
		return fmt.Sprintf("only %d of the %d that must stay still run", alive, m.Need), nil
	}
	return "", nil
}
