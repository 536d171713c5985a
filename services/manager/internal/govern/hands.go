package govern

import (
	"time"

	"gestor.local/contract"
	"gestor.local/manager/internal/engine"
	"gestor.local/manager/internal/govern/actuator"
	"gestor.local/manager/internal/journal"
)

// pump starts waiting orders while a hand is free.
func (g *Governor) pump() {
	for g.active < g.Policy.Act.Parallel && len(g.queue) > 0 {
		f := g.queue[0]
		g.queue = g.queue[1:]
		g.start(f)
	}
}

// start runs one action beside the loop. Its end comes back through g.results, or is dropped when the drain is over: the
// intent then stays open in the journal and is verified at the next start.
func (g *Governor) start(f *flight) {
	f.stage = stageActing
	g.active++
	if g.actBegan.IsZero() {
		g.actBegan = time.Now()
	}
	verb, order := f.verb, f.order
	g.workers.Go(func() {
		d := done{flight: f, result: g.do(verb, order)}
		select {
		case g.results <- d:
		case <-g.acting.Done():
		}
	})
}

func (g *Governor) do(verb string, o actuator.Order) actuator.Result {
	switch verb {
	case contract.ActionShadowRemove:
		return g.shadow.Do(g.acting, o)
	case contract.ActionThrottle:
		return g.enforcer.Throttle(g.acting, o)
	case contract.ActionUnthrottle:
		return g.enforcer.Unthrottle(g.acting, o)
	default:
		return g.enforcer.Do(g.acting, o)
	}
}

// callOff ends the orders that wait for a free hand.
func (g *Governor) callOff(why string) {
	queue := g.queue
	g.queue = nil
	for _, f := range queue {
		switch {
		case f.verb == contract.ActionUnthrottle: // gives back, takes nothing: it may always be done
			g.queue = append(g.queue, f)
		case f.ended: // what does not run any more is removed as soon as acting goes on
			f.stage = stageDoubtful
		default:
			g.refuse(f, why)
		}
	}
	g.pump()
}

// refuse ends a flight that was not begun with.
func (g *Governor) refuse(f *flight, why string) {
	g.conclude(f, actuator.Result{Outcome: contract.OutcomeRefused, Why: why, Ended: f.ended})
}

// unthrottle gives a container back what a throttle took from it. That is written down first, too; if it cannot be, it is
// done all the same, since the open throttle in the journal says that it is due. One that is tried again is the same
// action: its intent stands.
func (g *Governor) unthrottle(f *flight) {
	f.order.Act, f.verb, f.stage = g.Policy.Act, contract.ActionUnthrottle, stageQueued
	if f.tries == 0 {
		f.order.ActionID = actionID(g.tickNo, f.order.Victim.ID, nonce())
		intent := intentOf(f.order, f.verb)
		intent.Undo = undoOf(*f.order.Before)
		record := g.actionRecord(f, contract.PhaseIntent, actuator.Result{})
		if seq, err := g.Journal.Intent(intent); g.noteJournal(err) == nil {
			record.JournalSeq = seq
		}
		g.keep(record)
	}
	g.flights[f.order.Victim.ID] = f
	g.queue = append(g.queue, f)
	g.pump()
}

func undoOf(l engine.CPULimit) *journal.Undo {
	return &journal.Undo{NanoCPUs: l.NanoCPUs, CPUQuota: l.QuotaUS, CPUPeriod: l.PeriodUS}
}

// throttleLog is the journal as an actuator sees it.
type throttleLog struct{ journal Journal }

// Throttling writes the intent to throttle with what it has to be undone with.
func (l throttleLog) Throttling(o actuator.Order, before engine.CPULimit) error {
	intent := intentOf(o, contract.ActionThrottle)
	intent.Undo = undoOf(before)
	_, err := l.journal.Intent(intent)
	return err
}
