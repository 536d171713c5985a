package govern

import (
	"context"
	"time"

	"gestor.local/contract"
	"gestor.local/manager/internal/policy"
)

// takeOverEvery is how often the engine is asked what became of the actions that an earlier run left open.
const takeOverEvery = time.Second

// takeOver verifies what an earlier run left open against the engine and closes it, before the first tick. A container that
// runs may still die of a kill that was asked for: it is watched until that can be no more, and so long the first tick
// waits. What does not run is removed, as it was meant to be, unless the policy of now does not want that.
func (g *Governor) takeOver(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for until := time.Now().Add(killTakes + takeOverEvery); len(g.flights) > 0 && time.Now().Before(until); {
		select {
		case <-ctx.Done():
			return
		case d := <-g.results:
			g.settle(d)
			if g.active == 0 {
				timer.Reset(0)
			}
		case <-timer.C:
			if !g.verifyLeft(ctx) {
				return
			}
			timer.Reset(takeOverEvery)
		}
	}
}

// verifyLeft looks once at what was left open and says whether another look will tell more.
func (g *Governor) verifyLeft(ctx context.Context) (more bool) {
	ctx, cancel := context.WithTimeout(ctx, g.patience())
	defer cancel()
	inv, err := g.Engine.List(ctx)
	if err != nil {
		return true
	}
	t := &tick{n: g.tickNo, at: time.Now(), inv: &inv}
	t.context = g.context(t)
	plan := policy.Decide(g.Policy, contract.Population{}, inv, t.context) // without figures it chooses nobody
	t.plan = &plan

	for _, f := range g.flights.in(stageDoubtful) {
		g.verify(f, inv.Entry(f.order.Victim.ID))
	}
	g.spareUnwanted(t)
	g.pump()
	for id, f := range g.flights {
		if f.stage != stageDoubtful || runs(inv.Entry(id)) {
			return true
		}
	}
	return false
}

// runs says whether the container may still come to another end by itself.
func runs(e *contract.Entry) bool {
	return e != nil && (contract.StateAlive(e.State) || e.State == contract.StateRemoving)
}
