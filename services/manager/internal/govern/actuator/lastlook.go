package actuator

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"gestor.local/contract"
	"gestor.local/contract/policy2"
	"gestor.local/manager/internal/engine"
	"gestor.local/manager/internal/facts"
	"gestor.local/manager/internal/rules"
)

// look is what a last look found. Without an outcome the container may be acted on.
type look struct {
	state engine.ContainerState
	// kind is that of the inspection's error; outcome is already_gone, failed or refused.
	kind    engine.Kind
	outcome string
	why     string
	held    bool // see StepResult
	err     error
}

// lastLook compares the container and its host with what the plan took for granted, right before a call. The container is inspected
// last, so that as little time as can be lies between that and the call.
func (e *StepEnforcer) lastLook(ctx context.Context, o *StepOrder) look {
	var others neighbours
	if o.Step != policy2.StepThrottle {
		others = e.neighbours(ctx, o)
	}
	state, err := inspect(ctx, e.inspector, o.ID)
	l := look{state: state, kind: engine.KindOf(err)}

	// The pair of policy and approval is asked after everything that takes time.
	now := e.present()
	switch {
	case now.Policy == nil || now.InForce != o.InForce:
		return l.ends(contract.OutcomeRefused, "the policy changed", nil)
	case l.kind == engine.KindGone:
		return l.ends(contract.OutcomeAlreadyGone, "", nil)
	case err != nil:
		return l.ends(contract.OutcomeFailed, "", err)
	case state.ID != o.ID:
		l.state = engine.ContainerState{}
		return l.ends(contract.OutcomeRefused, fmt.Sprintf("the engine answered for another id (%.12s)", state.ID), nil)
	case state.Removing():
		return l.ends(contract.OutcomeAlreadyGone, "", nil)
	}

	// Each call is begun anew, the deletion of what a stop of ours has ended as well: more is lost by it than by the stop.
	if held := now.heldBy(o.Step, others.managers); held != "" {
		l.held = true
		return l.ends(contract.OutcomeRefused, "nothing is done under the policy now: "+held, nil)
	}

	// Whose it is comes before how it is, and that before what its end would do to others.
	who := facts.IdentityOf(state, o.PastNames, now.Socket)
	for _, why := range []string{
		whyNotStart(&state, o), whyNotOwn(who, &now), whyNotLabels(&state, o), whyNotState(&state, o),
	} {
		if why != "" {
			return l.ends(contract.OutcomeRefused, why, nil)
		}
	}

	if others.err != nil {
		return l.ends(contract.OutcomeFailed, "", others.err)
	}
	if why := others.whyNot(who, &state, o); why != "" {
		return l.ends(contract.OutcomeRefused, why, nil)
	}
	return l
}

// heldBy is what keeps the step from being begun with now, "" for nothing: what holds the plan, or managers of other suites that came since.
func (p *Present) heldBy(step policy2.Step, managers []string) string {
	plan := rules.Plan{Held: p.Held}
	switch {
	case !plan.CarriesOut(step):
		return p.Held
	case p.Policy.NeedsApproval() && len(managers) > 0:
		return rules.HeldOtherSuite + " (" + strings.Join(managers, ", ") + ")"
	default:
		return ""
	}
}

func (l look) ends(outcome, why string, err error) look {
	l.outcome, l.why, l.err = outcome, why, err
	return l
}

// whyNotStart says why it is not the start that was judged.
func whyNotStart(state *engine.ContainerState, o *StepOrder) string {
	byEngine := o.Restarts != nil && state.RestartCount > *o.Restarts // a start by hand begins the count anew
	switch {
	case o.StartedAt == "" || state.StartedAt == "":
		return "the engine did not tell when it was started"
	case state.StartedAt != o.StartedAt && !byEngine:
		return fmt.Sprintf("it was started again at %s", state.StartedAt)
	default:
		return ""
	}
}

// whyNotOwn asks ownership and protection of the policy in force, by what the inspection tells alone.
func whyNotOwn(who *policy2.Identity, now *Present) string {
	// By the functions that the plan was made with.
	by, protected := now.Policy.Protects(who, now.Suite)
	w, elsewhere := contract.WorkloadOf(who.Labels)
	_, own := now.Policy.Owns(who, now.Suite)

	switch {
	case protected && by.BuiltIn != "":
		return "it is protected: it is a part of Gestor (" + by.BuiltIn + ")"
	case protected:
		return fmt.Sprintf("it is protected: protect[%d] %s", by.Selector, now.Policy.Protect[by.Selector].Values())
	case !own:
		return "it is not own any more"
	case elsewhere:
		return fmt.Sprintf("its labels say that %s keeps it", w.By)
	default:
		return ""
	}
}

func whyNotLabels(state *engine.ContainerState, o *StepOrder) string {
	var changed []string
	for key, was := range o.Labels {
		if is := state.Labels[key]; is != was {
			changed = append(changed, fmt.Sprintf("its label %s changed from %s to %s", key, contract.QuoteLabel(was), contract.QuoteLabel(is)))
		}
	}
	slices.Sort(changed)
	return strings.Join(changed, ", ")
}

// whyNotState says what of its state forbids the step. What the engine leaves out forbids it, too.
func whyNotState(state *engine.ContainerState, o *StepOrder) string {
	told := state.NetworkMode != "" // which no engine leaves empty that tells the container's configuration
	switch {
	case state.State == contract.StatePaused:
		return "it was paused"
	case !told:
		return "the engine did not tell how it was configured"
	case o.Step == policy2.StepThrottle:
		return ""
	case state.Mounts == nil:
		return "the engine did not tell its volumes"

	// What the guards saw, and what they would say of what is seen now.
	case state.AutoRemove != o.AutoRemove || state.AnonymousVolumes != o.AnonymousVolumes:
		return "its --rm or its anonymous volumes are not those that were seen"
	case state.AutoRemove && state.AnonymousVolumes > 0 && !o.Volumes:
		return "the engine would delete its anonymous volumes with it"
	case state.AutoRemove && o.Step == policy2.StepStop && !o.MayDelete:
		return "it was started with --rm: the stop would delete it"
	default:
		return ""
	}
}

// neighbours are the containers of the host that run, beside the one that a step is about.
type neighbours struct {
	running  []neighbour
	managers []string // the names of the other suites whose managers run
	err      error    // who runs, or who needs whom, is not known
}

type neighbour struct {
	*policy2.Identity
	state       string
	networkMode string
}

// neighbours lists them. The network mode of one that the plan did not know is inspected: it may have been started since to use the
// network of the one that is to go.
func (e *StepEnforcer) neighbours(ctx context.Context, o *StepOrder) neighbours {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), inspectTimeout)
	defer cancel()

	inv, err := e.inspector.List(ctx)
	if err != nil {
		return neighbours{err: err}
	}

	n := neighbours{managers: facts.OtherSuites(inv, e.present().Suite.Name)}
	for i := range inv.Entries {
		entry := &inv.Entries[i]
		if entry.ID == o.ID || !contract.StateAlive(entry.State) {
			continue
		}

		mode, known := o.NetworkModes[entry.ID]
		if !known {
			mode, err = e.networkMode(ctx, entry.ID)
		}
		if engine.KindOf(err) == engine.KindGone { // since the list was taken
			err = nil
			continue
		}
		if err != nil {
			return neighbours{err: err}
		}

		id := &policy2.Identity{ID: entry.ID, Name: entry.Name, Labels: entry.Labels}
		n.running = append(n.running, neighbour{Identity: id, state: entry.State, networkMode: mode})
	}
	return n
}

// networkMode inspects one that the plan did not know.
func (e *StepEnforcer) networkMode(ctx context.Context, id string) (string, error) {
	state, err := e.inspector.Inspect(ctx, id)
	if err == nil && state.NetworkMode == "" {
		err = fmt.Errorf("look %.12s: the engine did not tell its network mode", id)
	}
	return state.NetworkMode, err
}

// whyNot says what the end of the container would do to others that forbids it. Of a circle each needs each: it goes in its order, and only
// where nobody outside needs any of it.
func (n *neighbours) whyNot(who *policy2.Identity, state *engine.ContainerState, o *StepOrder) string {
	own := slices.Index(o.Circle, who.ID)
	goes := []*policy2.Identity{who}
	for _, other := range n.running {
		if slices.Index(o.Circle, other.ID) > own {
			goes = append(goes, other.Identity)
		}
	}

	for _, other := range n.running {
		at := slices.Index(o.Circle, other.ID)
		needs := func(one *policy2.Identity) bool { return rules.Needs(other.Identity, other.networkMode, one) }
		if at >= 0 && at < own || at < 0 && slices.ContainsFunc(goes, needs) {
			return fmt.Sprintf("%s still runs and needs it", nameOr(other.Name, other.ID))
		}
	}

	// Who does not run takes no place.
	if !state.Running {
		return ""
	}
	if running := n.keeping(o.Floor); running < o.Floor.Need {
		return fmt.Sprintf("only %d of the %d that must stay still run", running, o.Floor.Need)
	}
	return ""
}

// keeping counts the keepers that still run.
func (n *neighbours) keeping(f Floor) int {
	running := make(map[string]bool, len(n.running))
	for _, other := range n.running {
		running[other.ID] = other.state == contract.StateRunning
	}

	count := 0
	for _, unit := range f.Keepers {
		if slices.ContainsFunc(unit, func(id string) bool { return running[id] }) {
			count++
		}
	}
	return count
}

func nameOr(name, id string) string {
	if name != "" {
		return name
	}
	return fmt.Sprintf("%.12s", id)
}
