package govern

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/rs/zerolog"

	"gestor.local/contract"
)

// reporter reports what happens: records for the log service, conditions, log lines, and the sinks. It owns what has
// been recorded, and what the spool has not taken yet.
type reporter struct {
	loop      *loopState
	spool     Spool
	sinks     []Sink
	log       zerolog.Logger
	suite     Suite
	recordAll bool

	source     string // of the last accepted snapshot: every record carries it
	conditions *conditionSet
	deficits   map[contract.Class]int
	recorded   map[string]verdictKey // the last decision record of each container
	// still are the last container records of those without a row, under a policy of version 2.
	still map[string]stillRecord
	err   error // of the last append; it closes the gate
	// pending are the records of events that the spool has not taken yet, in order; letGo counts those that there was no room for.
	pending []contract.Record
	letGo   int
}

// verdictKey is what makes a decision record worth writing when it changes. words are those of a verdict whose numbers
// change without it.
type verdictKey struct{ verdict, reason, words string }

func newReporter(o Options, loop *loopState) *reporter {
	return &reporter{
		loop: loop, spool: o.Spool, sinks: o.Sinks, log: o.Log, suite: o.Suite, recordAll: o.RecordAll,
		conditions: newConditionSet(), deficits: make(map[contract.Class]int), recorded: make(map[string]verdictKey),
	}
}

// check returns why nothing may be done on this tick: what cannot be recorded is not done.
func (r *reporter) check() error { return cmp.Or(r.spool.Check(), r.err) }

// maxPending bounds the records that wait for room in the spool: more than a full spool lets happen, since its gate
// keeps new actions from being begun.
const maxPending = 1000

// append hands records to the spool, behind those that it refused before; it takes all or none of them. A spool that
// takes no more is a gate until it takes some again.
func (r *reporter) append(records ...contract.Record) error {
	if len(records)+len(r.pending) == 0 {
		return nil
	}
	if r.err = r.spool.Append(slices.Concat(r.pending, records)...); r.err == nil {
		r.pending = nil
	}
	return r.err
}

// appendEvents is append for records of what has happened: those that the spool refuses are offered again.
func (r *reporter) appendEvents(records ...contract.Record) {
	if r.append(records...) != nil {
		r.requeue(records)
	}
}

// requeue holds records for the next append, the oldest of too many go.
func (r *reporter) requeue(records []contract.Record) {
	r.pending = append(r.pending, records...)
	if over := len(r.pending) - maxPending; over > 0 {
		r.pending = slices.Delete(r.pending, 0, over)
		r.letGo += over
		r.log.Warn().Int("records", over).Msg("the spool has refused too many records: the oldest of them are lost")
	}
}

// event writes a system record and the same as a log line.
func (r *reporter) event(name, level, message string, details map[string]any) {
	r.logEvent(name, level, message)
	r.appendEvents(contract.NewRecord(time.Now(), r.loop.tick, r.source, eventBody(name, level, message, details)))
}

// tickEvent is event for the time of a tick: the record goes with the tick's other records.
func (r *reporter) tickEvent(t *tick, name, level, message string, details map[string]any) {
	r.logEvent(name, level, message)
	t.records = append(t.records, contract.NewRecord(t.at, t.n, r.source, eventBody(name, level, message, details)))
}

func eventBody(name, level, message string, details map[string]any) contract.SystemBody {
	return contract.SystemBody{Event: name, Level: level, Message: message, Details: details}
}

func (r *reporter) logEvent(name, level, message string) {
	line := r.log.Info()
	switch level {
	case contract.LevelWarn:
		line = r.log.Warn()
	case contract.LevelError:
		line = r.log.Error()
	}
	line.Str("event", name).Uint64("tick", r.loop.tick).Msg(message)
}

// setSource notes where the figures come from. A change is recorded under the source before.
func (r *reporter) setSource(t *tick, source string) {
	if source == r.source {
		return
	}
	if r.source != "" {
		r.tickEvent(t, "source_changed", contract.LevelWarn, "the host is read through another source now",
			map[string]any{"from": r.source, "to": source})
	}
	r.source = source
}

// action calls the sinks with the end of one action.
func (r *reporter) action(a ActionResult) {
	for _, s := range r.sinks {
		s.OnAction(a)
	}
}

// policyChanged calls the sinks with the policy in force.
func (r *reporter) policyChanged() {
	for _, s := range r.sinks {
		s.OnPolicy(r.loop.policy)
	}
}

// status is what a report says of the other parts.
type status struct {
	policyProblem     string
	crashLoops        string
	paused, unlocated map[string]int // ticks in a row, by container id
	noThrottle        string
	stuck, ended      []string // container ids, sorted
	warnWaits         string   // why ladders wait for notices
	unrestored        []string // ids of those whose limit could not be given back, sorted
	short             bool     // the journal has no room for facts
	inFlight          int
	breaker           string
	journalBytes      int64
}

// report ends the tick: conditions, records, sinks.
func (r *reporter) report(t *tick, s status) {
	r.updateConditions(t, s)
	r.recordDeficits(t)

	// The number of the tick's line in the journal stands on the last record that it makes: whoever has that one has
	// all.
	observations := append([]contract.Record{r.hostRecord(t)}, r.containerRecords(t)...)
	observations[len(observations)-1].JournalSeq = t.journalSeq
	if r.append(slices.Concat(t.records, r.decisionRecords(t), observations)...) == nil {
		r.markDecisionsRecorded(t)
		if t.still != nil {
			r.still = t.still
		}
	} else { // figures of a moment are not worth offering again, and decisions are made out anew
		r.requeue(t.records)
	}

	report := &Report{
		Tick: t.n, At: t.at, Mode: r.loop.policy.Mode, Policy: r.loop.policy, PolicyHash: r.loop.policyHash, Version2: r.loop.version2,
		Source: t.reading.Source, Population: t.pop,
		Inventory: t.inv, Plan: t.plan, Classes: t.classCounts(), Shadow: t.shadow, Gates: failedGates(t.failures), Held: r.held(t),
		Conditions: r.conditions.list(), Timings: t.timings, Skipped: t.skipped, Orders: t.orders, InFlight: s.inFlight,
		Stuck: len(s.stuck), Breaker: s.breaker, Spool: r.spool.Stats(), Journal: s.journalBytes, LogsElsewhere: r.suite.LogsElsewhere,
	}
	if t.ruled != nil {
		report.Rules = &t.ruled.View
	}
	for _, sink := range r.sinks {
		sink.OnTick(report)
	}
}

// updateConditions brings the conditions up to date and records what began, became an alarm or ended.
func (r *reporter) updateConditions(t *tick, s status) {
	limits := r.loop.policy.Gates
	var changes []change
	raise := func(c Condition, degraded, alarm int) {
		if ch, changed := r.conditions.raise(c, t.at, degraded, alarm); changed {
			changes = append(changes, ch)
		}
	}

	for _, f := range t.failures {
		f.next = cmp.Or(f.next, r.suite.advice(f.gate))
		raise(gateCondition(f), limits.DegradedAfter, limits.AlarmAfter)
	}
	for _, c := range r.standingConditions(t, s) {
		raise(c, 0, 0)
	}
	for _, ch := range append(changes, r.conditions.clearStale()...) {
		r.recordConditionChange(t, ch)
	}
}

func (r *reporter) recordConditionChange(t *tick, ch change) {
	what := "condition"
	if ch.Gate {
		what = "gate"
	}
	details := map[string]any{what: ch.Name, "severity": string(ch.Severity), "ticks": ch.Ticks}

	switch ch.kind {
	case changeAlarm:
		r.tickEvent(t, what+"_alarm", contract.LevelError, fmt.Sprintf("%s for %d ticks: %s", ch.Title, ch.Ticks, ch.Text), details)
	case changeEnded:
		r.tickEvent(t, what+"_end", contract.LevelInfo, fmt.Sprintf("over after %d ticks: %s", ch.Ticks, ch.Title), details)
	default:
		r.tickEvent(t, what+"_begin", contract.LevelWarn, ch.Title+": "+ch.Text, details)
	}
}

// recordDeficits records when a class begins and ceases to be short of containers.
func (r *reporter) recordDeficits(t *tick) {
	if t.gated() {
		return
	}
	for _, c := range t.classCounts() {
		was := r.deficits[c.Class]
		r.deficits[c.Class] = c.Deficit

		// Those that an orchestrator keeps hold places too.
		have := c.Eligible + c.ManagedElsewhere
		details := map[string]any{"class": string(c.Class), "have": have, "want": c.Quota}

		switch {
		case was == 0 && c.Deficit > 0:
			r.tickEvent(t, "deficit_begin", contract.LevelInfo,
				fmt.Sprintf("%d of %d %s containers: nothing is removed there", have, c.Quota, c.Class), details)
		case was > 0 && c.Deficit == 0:
			r.tickEvent(t, "deficit_end", contract.LevelInfo, fmt.Sprintf("%d %s containers again", have, c.Class), details)
		}
	}
}
