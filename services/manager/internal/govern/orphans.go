package govern

import (
	"context"
	"fmt"
	"time"

	"gestor.local/contract"
	"gestor.local/manager/internal/planview"
	"gestor.local/manager/internal/rules"
)

// removeOrphansByRules is removeOrphans under a policy of version 2: what the generator started goes where it is own and not protected,
// as a step of no rule. While nothing is done under the policy it stays.
func (g *Governor) removeOrphansByRules() {
	ctx, cancel := context.WithTimeout(g.steps.ctx, g.observer.readTimeout())
	defer cancel()
	t := g.newTick(time.Now())
	inv, err := g.observer.engine.List(ctx)
	if err != nil {
		g.reporter.orphansUnknown(err)
		return
	}

	t.inv, t.engineUntil = &inv, time.Now().Add(g.observer.readTimeout())
	if t.ruled = g.rules.orphans(ctx, t, g.inFlight(t.at)); t.ruled == nil {
		return
	}
	g.steps.takePlan(t)

	batch := g.steps.newSteps(t, g.steps.decided(t))
	if len(batch) == 0 {
		return
	}
	g.reporter.orphansFound(len(batch))
	if err := g.steps.begin(t, batch); err != nil {
		g.reporter.orphansStay(err)
	}
}

// orphans plans the removal of those that have lost their generator, by another look than that of the last tick; nil before the first
// reading of this start, without which times are not known.
func (d *rulesDecider) orphans(ctx context.Context, t *tick, e executorState) *ruled {
	if d.bootID == "" {
		return nil
	}

	f := d.factsOf(t, d.read(ctx, t, e))
	plan := rules.Orphans(d.program, d.memory, f)
	return &ruled{
		View:  planview.View{Host: d.host, Policy: *d.policy, Facts: f, Plan: plan},
		texts: planview.NewTexts(*d.policy, f, &plan), program: d.program, memory: d.memory,
	}
}

func (r *reporter) orphansUnknown(err error) {
	r.event("orphans", contract.LevelWarn, "whether containers without a generator are left is not known: "+err.Error(), nil)
}

func (r *reporter) orphansFound(n int) {
	r.event("orphans", contract.LevelWarn, fmt.Sprintf("%d containers have lost their generator: they are removed before the suite ends", n), nil)
}

func (r *reporter) orphansStay(err error) {
	r.event("orphans", contract.LevelWarn, "containers without a generator stay, their removal cannot be written down: "+err.Error(), nil)
}
