package govern

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"gestor.local/contract"
	"gestor.local/manager/internal/govern/actuator"
	"gestor.local/manager/internal/policy"
)

// drain lets the actions under way come to their end, gives throttled containers their limits back, removes what nobody
// else will, and then returns. What has not ended within Options.Drain stays open in the journal.
func (g *Governor) drain(stop func()) {
	began := time.Now()
	timer := time.NewTimer(g.Drain)
	defer timer.Stop()
	g.callOff("the manager is stopping")
	g.freeHeld()
	g.await(timer.C)
	if g.active == 0 && g.RemoveOrphansAtStop && g.fatal == nil && g.Policy.Mode == contract.ModeEnforce {
		g.sweepOrphans()
		g.await(timer.C)
	}
	left := g.active
	stop()
	g.workers.Wait()
	g.Log.Info().Dur("took_ms", time.Since(began)).Int("left_open", left).Msg("acting has stopped")
	if left > 0 {
		g.event("stop", levelWarn, fmt.Sprintf("%d actions had not ended when the time for it was over: the next start verifies them", left), nil)
	}
	g.writeOwed()
	_ = g.append() // what the spool refused before; what it refuses now is lost with this process
}

// await settles what is under way until nothing is, or the time is over.
func (g *Governor) await(over <-chan time.Time) {
	for g.active > 0 {
		select {
		case d := <-g.results:
			g.settle(d)
			g.freeHeld() // a throttle that ended just now
		case <-over:
			return
		}
	}
}

// freeHeld gives every throttled victim its limit back.
func (g *Governor) freeHeld() {
	for _, f := range g.flights.in(stageHeld) {
		g.release(f)
	}
}

// sweepOrphans removes the containers whose generator was killed: the suite is stopped from the generator to the log
// service, so whoever has no owner now would outlive it. The caps do not apply, they bound errors of judgement and nothing
// is judged here; the journal, the last look and the number of hands do.
func (g *Governor) sweepOrphans() {
	ctx, cancel := context.WithTimeout(g.acting, g.patience())
	defer cancel()
	t := &tick{n: g.tickNo, at: time.Now()}
	t.context = g.context(t)
	inv, err := g.Engine.List(ctx)
	if err != nil {
		g.event("orphans", levelWarn, "whether containers without a generator are left is not known: "+err.Error(), nil)
		return
	}
	plan := policy.Orphans(g.Policy, inv, t.context)
	t.inv, t.plan = &inv, &plan
	batch := g.orphaned(ctx, t)
	if len(batch) == 0 {
		return
	}
	g.event("orphans", levelWarn, fmt.Sprintf("%d containers have lost their generator: they are removed before the suite ends", len(batch)), nil)
	if err := g.writeDown(t, batch); err != nil {
		g.event("orphans", levelWarn, "containers without a generator stay, their removal cannot be written down: "+err.Error(), nil)
		return
	}
	for _, f := range batch {
		g.launch(t, f)
	}
	g.pump()
}

// orphaned makes a flight of every removal of the plan, with the time of the container's start for the last look.
func (g *Governor) orphaned(ctx context.Context, t *tick) (batch []*flight) {
	var ask []*contract.Entry
	for _, v := range t.plan.Verdicts {
		if v.Verdict == contract.VerdictRemove {
			ask = append(ask, t.inv.Entry(v.ID))
		}
	}
	started := make(map[string]string, len(ask))
	for i, view := range inspect(ctx, g.Engine, ask) {
		started[ask[i].ID] = view.StartedAt
	}
	for i := range t.plan.Verdicts {
		v := &t.plan.Verdicts[i]
		if v.Verdict != contract.VerdictRemove || g.flights[v.ID] != nil {
			continue
		}
		e := t.inv.Entry(v.ID)
		v.Image, v.StartedAt = cmp.Or(g.identities[v.ID].image, v.Image), started[v.ID]
		batch = append(batch, &flight{
			verb: contract.ActionRemove, key: key(v.Name, e.Labels),
			order: actuator.Order{
				ActionID: actionID(t.n, v.ID, nonce()), Tick: t.n, Victim: *v, Suite: g.Suite.Name,
				ClassLabel: e.Labels[contract.LabelClass], Act: g.Policy.Act, Rungs: withoutThrottle(g.Policy.Act.Ladder),
			},
		})
	}
	return batch
}

// StopRecord is the last record of a run; the reason is nil for an ordinary stop.
func StopRecord(reason error) contract.Record {
	body := contract.SystemBody{Event: "stop", Level: levelInfo, Message: "the manager stops"}
	if reason != nil {
		body.Level, body.Message = levelError, "the manager stops: "+reason.Error()
	}
	return contract.NewRecord(time.Now(), 0, "", body)
}
