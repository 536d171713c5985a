package govern

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"gestor.local/contract"
	"gestor.local/manager/internal/engine"
	"gestor.local/manager/internal/govern/actuator"
	"gestor.local/manager/internal/journal"
)

// journaler writes into the journal, and owns what the journal has not taken yet.
type journaler struct {
	journal  Journal
	loop     *loopState
	reporter *reporter
	stopper  stopper

	err error // of the last write; it closes the gate
	// pending are the outcomes that the journal has not taken yet, in order.
	pending []pendingOutcome
}

// pendingOutcome is an outcome that the journal has not taken yet, and its record. written is called when it has; nil for nobody.
type pendingOutcome struct {
	outcome journal.Outcome
	record  contract.Record
	written func()
}

func newJournaler(j Journal, loop *loopState, r *reporter, s stopper) *journaler {
	return &journaler{journal: j, loop: loop, reporter: r, stopper: s}
}

// note remembers how the last use of the journal ended, for the next gate. A journal that failed for good ends the
// loop.
func (j *journaler) note(err error) error {
	j.err = err
	if errors.Is(err, journal.ErrFailed) {
		j.stopper.stop(fmt.Errorf("govern: %w", err))
	}
	return err
}

// check returns why nothing may be done on this tick: as long as outcomes cannot be written the gate stays closed.
func (j *journaler) check() error {
	j.flushOutcomes()
	if err := j.journal.Check(); err != nil {
		_ = j.note(err)
	}
	return j.err
}

// tick writes what was decided, and on what, and returns its number.
func (j *journaler) tick(t journal.Tick, plan contract.Plan) (seq uint64, err error) {
	seq, err = j.journal.Tick(j.loop.policy, t, plan)
	return seq, j.note(err)
}

// decision writes what was decided under a policy of version 2, and on what, and returns the number of the line, 0 where there was
// no room for it.
func (j *journaler) decision(d journal.Decision) (seq uint64, err error) {
	seq, err = j.journal.Decide(d)
	return seq, j.note(err)
}

// approve writes the approval in force, nil for none.
func (j *journaler) approve(document json.RawMessage) error {
	return j.note(j.journal.Approve(document))
}

// noPlan writes that a tick has decided nothing. If that fails the gate of the next tick says so.
func (j *journaler) noPlan(t journal.NoPlan) { _ = j.note(j.journal.NoPlan(t)) }

// intents makes intents durable and returns the number of the first of them in the journal.
func (j *journaler) intents(intents ...journal.Intent) (first uint64, err error) {
	if len(intents) == 0 {
		return 0, nil
	}
	first, err = j.journal.Intent(intents...)
	return first, j.note(err)
}

// outcome writes down how an action ended, behind those outcomes that the journal did not take before: a throttle must
// not seem to be in force because its outcome came after that of its undo. The record follows under the outcome's
// number.
func (j *journaler) outcome(o journal.Outcome, record contract.Record, written func()) {
	j.pending = append(j.pending, pendingOutcome{o, record, written})
	j.flushOutcomes()
}

// flushOutcomes writes down the outcomes that are pending. An intent left open would be carried out by a later run, on
// a container that nobody chose any more; and until the journal has an outcome the spool does not get it, since a later
// run would record it again. An unknown outcome leaves its intent open anyway: it does not wait.
func (j *journaler) flushOutcomes() {
	if len(j.pending) == 0 {
		return
	}

	outcomes := make([]journal.Outcome, len(j.pending))
	for i, p := range j.pending {
		outcomes[i] = p.outcome
	}

	seq, err := j.journal.Outcome(outcomes...)
	if j.note(err) != nil {
		j.pending = slices.DeleteFunc(j.pending, func(p pendingOutcome) bool {
			unknown := p.outcome.Outcome == contract.OutcomeUnknown
			if unknown {
				j.reporter.appendEvents(p.record)
			}
			return unknown
		})
		return
	}

	var records []contract.Record
	for i, p := range j.pending {
		p.record.JournalSeq = seq + uint64(i) //nolint:gosec // an index
		records = append(records, p.record)
		if p.written != nil {
			p.written()
		}
	}
	j.pending = nil
	j.reporter.appendEvents(records...)
}

// closeNotices writes down how notices ended, which have no records of their own, behind those outcomes that the journal did not
// take before. It says whether they are written: nothing that is not goes on from them.
func (j *journaler) closeNotices(outcomes []journal.Outcome) (written bool) {
	if len(outcomes) == 0 {
		return true
	}
	if j.flushOutcomes(); len(j.pending) > 0 {
		return false
	}
	_, err := j.journal.Outcome(outcomes...)
	return j.note(err) == nil
}

func intentOf(o actuator.Order, verb string) journal.Intent {
	return journal.Intent{
		ActionID: o.ActionID, Subject: subjectOf(o.Victim), Tick: o.Tick, Sequence: o.Sequence, Action: verb,
		Reason: o.Victim.Reason, StartedAt: o.Victim.StartedAt,
	}
}

func undoOf(l engine.CPULimit) *journal.Undo {
	return &journal.Undo{NanoCPUs: l.NanoCPUs, CPUQuota: l.QuotaUS, CPUPeriod: l.PeriodUS}
}

// limitOf is the limit that undoOf has written down.
func limitOf(u *journal.Undo) engine.CPULimit {
	return engine.CPULimit{NanoCPUs: u.NanoCPUs, QuotaUS: u.CPUQuota, PeriodUS: u.CPUPeriod}
}

// undoLog is the journal as an actuator sees it. Actions use it beside the loop: it must touch no state of the
// journaler.
type undoLog struct{ journal Journal }

// LogThrottle writes the intent to throttle with what it has to be undone with.
func (l undoLog) LogThrottle(o actuator.Order, before engine.CPULimit) error {
	intent := intentOf(o, contract.ActionThrottle)
	intent.Undo = undoOf(before)
	_, err := l.journal.Intent(intent)
	return err
}
