package govern

import (
	"context"
	"time"

	"golang.org/x/sync/errgroup"

	"gestor.local/contract"
	"gestor.local/manager/internal/engine"
	"gestor.local/manager/internal/govern/actuator"
	"gestor.local/manager/internal/journal"
	"gestor.local/manager/internal/rules"
)

// recover takes over what an earlier run left: limits that are owed, and steps without an outcome. What became of these is seen on the
// first tick.
func (x *stepExecutor) recover(r journal.Recovery) {
	for _, i := range r.Throttled {
		if limits := LimitsOf(i); ofVersion2(i) && limits.Owed() {
			x.owed[i.Container] = &owedLimit{Limits: limits, subject: i.Subject, rule: i.Rule}
		}
	}

	open := 0
	for _, i := range r.Open {
		if !ofVersion2(i) || i.Action == contract.ActionWarn {
			continue
		}
		open++
		s := &step{action: i.Action, intent: i, stage: stageUnverified, recovered: true, since: time.Now(), key: keyOfName(i.Name)}
		s.rule, s.steps = x.loop.ruleOf(i.Rule)
		s.order = actuator.StepOrder{ActionID: i.ActionID, ID: i.Container, Name: i.Name, Step: i.Step, StartedAt: i.StartedAt}
		if i.Action == contract.ActionThrottle {
			s.replaced = x.owed[i.Container]
		}
		if limits := LimitsOf(i); limits.Owed() {
			s.back = actuator.GiveBackOrder{ActionID: i.ActionID, ID: i.Container, Name: i.Name, Limits: limits, Act: x.act()}
			x.owed[i.Container] = &owedLimit{Limits: limits, subject: i.Subject, rule: i.Rule}
		}
		x.inFlight[i.Container] = s
	}
	if open > 0 {
		x.reporter.event("recovered", contract.LevelWarn,
			"an earlier run left actions open: they are verified against the engine and closed", map[string]any{"open": open})
	}
}

// reconcile looks at the containers whose end is in doubt, and forgets what is remembered of those that are gone or have changed.
func (x *stepExecutor) reconcile(ctx context.Context, t *tick) {
	if t.inv == nil {
		return
	}

	var doubtful []*step
	for _, id := range sortedKeys(x.inFlight) {
		if s := x.inFlight[id]; s.stage == stageUnverified || s.stage == stageRemains {
			doubtful = append(doubtful, s)
		}
	}
	for i, seen := range x.inspect(ctx, t, doubtful) {
		x.verify(doubtful[i], seen)
	}

	for id := range x.owed {
		if t.inv.Entry(id) == nil && x.inFlight[id] == nil {
			x.restore(id, contract.OutcomeAlreadyGone) // closes the throttle in the journal
		}
	}
}

// inspection is the state of a container, or why there is none.
type inspection struct {
	state engine.ContainerState
	err   error
}

// inspect inspects the containers of steps, until the time of the tick's engine calls is over.
func (x *stepExecutor) inspect(ctx context.Context, t *tick, steps []*step) []inspection {
	ctx, cancel := context.WithDeadline(ctx, t.engineUntil)
	defer cancel()

	seen := make([]inspection, len(steps)) // each worker writes its own
	var group errgroup.Group
	group.SetLimit(maxInspects)
	for i, s := range steps {
		group.Go(func() error {
			seen[i].state, seen[i].err = x.inspector.Inspect(ctx, s.id())
			return nil
		})
	}
	_ = group.Wait() // none of them fails
	return seen
}

// verify ends a step in doubt by what its container is now, or leaves it in doubt.
func (x *stepExecutor) verify(s *step, seen inspection) {
	i := actuator.OpenIntent{
		ID: s.id(), Step: s.intent.Step, StartedAt: s.intent.StartedAt, AutoRemove: s.order.AutoRemove,
		GivesBack: s.action == contract.ActionUnthrottle, MayStillEnd: x.mayStillEnd(s, &seen.state),
	}
	if limits := LimitsOf(s.intent); s.intent.Undo != nil {
		i.Limits = &limits
	}
	if s.replaced != nil {
		i.Replaces = &s.replaced.Limits
	}

	switch r := actuator.Verify(i, seen.state, seen.err); {
	case r.Outcome == contract.OutcomeUnknown && r.Ended && r.Removes && seen.err == nil && !seen.state.Removing():
		s.stage = stageRemains
	case r.Outcome == contract.OutcomeUnknown: // the next look tells
	default:
		x.applyResult(s, r)
		x.dispatch()
	}
}

// mayStillEnd says whether what the engine was asked for can still take effect. Whether an earlier run had asked for a stop is not known:
// then its wait counts from the start of this one.
func (x *stepExecutor) mayStillEnd(s *step, state *engine.ContainerState) bool {
	until := s.stopUntil
	if s.recovered && s.ends() && state.ID != "" {
		grace := contract.Act{Grace: contract.Duration(time.Duration(x.act().Grace) * time.Second)}
		until = s.since.Add(actuator.StopWait(state.StopTimeout, grace))
	}
	return time.Since(s.since) < killGrace || time.Since(until) < killGrace
}

// pruneFailures forgets the failures of containers that are gone or have changed.
func (x *stepExecutor) pruneFailures(f *rules.Facts) {
	if len(x.failures.inRow) == 0 {
		return
	}

	states := make(map[string]string)
	for i := range f.Containers {
		if c := &f.Containers[i]; c.InEngine {
			states[c.ID] = c.State + " since " + c.StartedAt.Value
		}
	}
	x.failures.prune(func(id string) string { return states[id] })
}
