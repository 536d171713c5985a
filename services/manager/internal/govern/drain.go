package govern

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"gestor.local/contract"
	"gestor.local/manager/internal/govern/actuator"
	"gestor.local/manager/internal/rules"
)

// drain lets the actions under way come to their end, gives throttled containers their limits back, removes what nobody
// else will, and then returns. What has not ended within Options.Drain stays open in the journal.
func (g *Governor) drain(stopActing func()) {
	began := time.Now()
	timer := time.NewTimer(g.options.Drain)
	defer timer.Stop()

	const stopping = "the manager is stopping"
	g.executor.cancelQueued(stopping)
	g.executor.restoreThrottled()
	g.steps.cancelQueued(stopping)
	g.steps.restoreAll(stopping)
	g.await(timer.C)

	// What is left of the time goes to containers that nobody else will remove.
	if !g.isActing() && g.options.RemoveOrphansAtStop && g.fatal == nil {
		g.removeOrphans()
		g.await(timer.C)
	}

	left := g.executor.active + g.steps.active
	stopActing()
	g.executor.workers.Wait()
	g.steps.workers.Wait()
	g.options.Log.Info().Dur("took_ms", time.Since(began)).Int("left_open", left).Msg("acting has stopped")
	if left > 0 {
		g.reporter.event("stop", contract.LevelWarn,
			fmt.Sprintf("%d actions had not ended when the time for it was over: the next start verifies them", left), nil)
	}

	// Outcomes first: their records follow them into the spool. The spool then gets what it refused before; what it
	// refuses now is lost with this process.
	g.journaler.flushOutcomes()
	_ = g.reporter.append()
}

// await takes in results until nothing is under way, or the time is over.
func (g *Governor) await(over <-chan time.Time) {
	for g.isActing() {
		select {
		case c := <-g.executor.completions:
			g.executor.handleResult(c)
			g.executor.restoreThrottled() // a throttle that ended just now
		case c := <-g.steps.completions:
			g.steps.handleResult(c)
			g.steps.restoreAll("the manager is stopping")
		case r := <-g.steps.limits:
			g.steps.logLimits(r)
		case <-over:
			return
		}
	}
}

// isActing says that actions are under way.
func (g *Governor) isActing() bool { return g.executor.active+g.steps.active > 0 }

// restoreThrottled gives every throttled victim its limit back.
func (e *executor) restoreThrottled() {
	for _, r := range e.inFlight.in(stageThrottled) {
		e.release(r)
	}
}

// removeOrphans removes the containers whose generator was killed: the suite is stopped from the generator to the log
// service, so whoever has no owner now would outlive it. The caps do not apply, they bound errors of judgement and
// nothing is judged here; the journal, the check of the preconditions and the number of workers do.
func (g *Governor) removeOrphans() {
	switch {
	case g.loop.version2 != nil:
		g.removeOrphansByRules()
		return
	case !g.loop.enforces():
		return
	}

	ctx, cancel := context.WithTimeout(g.executor.ctx, g.observer.readTimeout())
	defer cancel()
	t := g.newTick(time.Now())
	t.context = g.decider.context(t, g.executor.state(t.at))
	inv, err := g.observer.engine.List(ctx)
	if err != nil {
		g.reporter.orphansUnknown(err)
		return
	}

	plan := rules.OrphansV1(g.decider.program, inv, t.context)
	t.inv, t.plan = &inv, &plan
	removals := g.executor.newRemovals(&plan)
	g.observer.fillStarts(ctx, &inv, removals)
	batch := g.executor.orphans(t, removals)
	if len(batch) == 0 {
		return
	}
	g.reporter.orphansFound(len(batch))
	if err := g.executor.persistIntents(t, batch); err != nil {
		g.reporter.orphansStay(err)
		return
	}
	for _, r := range batch {
		g.executor.enqueue(t, r)
	}
	g.executor.dispatch()
}

// fillStarts gives the removals the image and the time of the container's start, which the preconditions are checked
// against. The list that they were chosen from has neither.
func (o *observer) fillStarts(ctx context.Context, inv *contract.Inventory, removals []*contract.Verdict) {
	entries := make([]*contract.Entry, len(removals))
	for i, v := range removals {
		entries[i] = inv.Entry(v.ID)
	}
	for i, state := range inspectAll(ctx, o.engine, entries) {
		v := removals[i]
		v.Image, v.StartedAt = cmp.Or(o.containers[v.ID].image, v.Image), state.StartedAt
	}
}

// orphans makes the removals of containers that have lost their generator. Nobody's place depends on them.
func (e *executor) orphans(t *tick, removals []*contract.Verdict) (batch []*removal) {
	for _, v := range removals {
		labels := labelsOf(t.inv, v.ID)
		batch = append(batch, &removal{
			verb: contract.ActionRemove, key: respawnKey(v.Name, labels),
			order: actuator.Order{
				ActionID: actionID(t.n, v.ID), Tick: t.n, Victim: *v, Suite: e.suite.Name,
				ClassLabel: labels[contract.LabelClass], Act: e.loop.policy.Act, Rungs: withoutThrottle(e.loop.policy.Act.Ladder),
			},
		})
	}
	return batch
}
