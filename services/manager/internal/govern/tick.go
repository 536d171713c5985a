package govern

import (
	"cmp"
	"context"
	"time"

	"gestor.local/contract"
	"gestor.local/manager/internal/journal"
	"gestor.local/manager/internal/policy"
	"gestor.local/manager/internal/source"
)

// tick is everything one tick comes to know.
type tick struct {
	n        uint64
	at       time.Time // wall and monotonic clock at its start
	skipped  uint64    // grid points before it that had no tick
	findings []finding
	reading  source.Reading
	seen     bool // reading holds an accepted snapshot
	pop      *contract.Population
	inv      *contract.Inventory
	plan     *contract.Plan
	shadow   []journal.Shadowed // what the plan was made without
	context  contract.Context
	futile   []string
	timings  contract.Timings
	// journalSeq is the tick's line in the journal, 0 where there is none.
	journalSeq uint64
	orders     int
	// waits are the removals of the plan that are not begun with while the engine is on trial.
	waits    map[string]bool
	words    *policy.Texts         // of the plan, see texts
	told     bool                  // the decision records are written
	verdicts map[string]verdictKey // what they tell
	records  []contract.Record
}

func (t *tick) fail(gate, why string) { t.findings = append(t.findings, finding{gate: gate, why: why}) }

// failStorage is fail for a journal or a spool that cannot be used.
func (t *tick) failStorage(gate string, err error) {
	t.findings = append(t.findings, storage(gate, err))
}

// clear says that nothing speaks against acting.
func (t *tick) clear() bool { return len(t.findings) == 0 }

// tick goes the way of the package comment once.
func (g *Governor) tick(ctx context.Context, t *tick) {
	t.timings.ActUS, g.actTook = micros(g.actTook), 0
	g.observe(ctx, t)
	g.identify(ctx, t)
	g.ownGates(t)
	g.reconcile(t)
	g.decide(t)
	g.carryOut(t)
	g.report(t)
}

// ownGates are the ones that concern the manager itself.
func (g *Governor) ownGates(t *tick) {
	g.writeOwed() // as long as that fails the journal's gate stays closed
	if err := g.Journal.Check(); err != nil {
		_ = g.noteJournal(err)
	}
	if g.journalErr != nil {
		t.failStorage(GateJournal, g.journalErr)
	}
	if err := cmp.Or(g.Spool.Check(), g.spoolErr); err != nil {
		t.failStorage(GateSpool, err)
	}
	if g.breaker.state(t.at) == BreakerOpen {
		t.fail(GateBreaker, g.breaker.text(t.at))
	}
}

// micros is a duration in microseconds, 0 for a negative one.
func micros(d time.Duration) uint64 { return uint64(max(d, 0).Microseconds()) } //nolint:gosec // not negative
