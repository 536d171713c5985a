package govern

import (
	"slices"
	"strings"
	"time"

	"gestor.local/contract"
	"gestor.local/contract/policy2"
	"gestor.local/manager/internal/govern/actuator"
	"gestor.local/manager/internal/journal"
	"gestor.local/manager/internal/rules"
)

// execute gives the orders of this tick: limits back, whatever holds the plan, and its steps, where nothing does.
func (x *stepExecutor) execute(t *tick) {
	x.giveBack(t)
	x.recheckOwed(t.n)
	if x.loop.version2 == nil {
		x.leaveVersion2()
		return
	}
	if t.ruled != nil {
		x.pruneFailures(t.ruled.Facts)
	}
	if t.ruled == nil || t.gated() {
		x.cancelQueued("the tick is gated: " + strings.Join(failedGates(t.failures), ", "))
		return
	}

	d := x.decided(t)
	if d.Plan.Observes() {
		x.cancelQueued(whyObserved(d.Plan))
	}
	x.cancelUnwanted(t.at, d.Plan)
	x.finish(d)
	x.dispatch()

	if batch := x.limitToTrial(t, x.newSteps(t, d)); x.begin(t, batch) == nil {
		t.orders = len(batch)
	}
}

func whyObserved(p *rules.Plan) string { return "nothing is done under the policy now: " + p.Held }

// decided is the plan of the tick for orders.
func (x *stepExecutor) decided(t *tick) *actuator.Decided {
	return &actuator.Decided{Program: t.ruled.program, Facts: t.ruled.Facts, Memory: &t.ruled.memory, Plan: &t.ruled.Plan, Owed: x.owedLimits()}
}

// begin writes the intents of steps down and queues their orders, or does neither.
func (x *stepExecutor) begin(t *tick, batch []*step) error {
	if err := x.persistIntents(t, batch); err != nil {
		return err
	}
	for _, s := range batch {
		s.stage, s.begun = stageQueued, t.at
		x.inFlight[s.id()] = s
		x.queue.Add(s.order)
	}
	x.dispatch()
	return nil
}

// leaveVersion2 ends what no policy in force speaks of any more.
func (x *stepExecutor) leaveVersion2() {
	const why = "the policy is of version 1 now"
	x.cancelQueued(why)
	for _, id := range sortedKeys(x.inFlight) {
		if s := x.inFlight[id]; s.stage == stageRemains {
			x.reject(s, why)
		}
	}
}

// longestQueued is how long a step may wait for a worker: stops may take five minutes each, and while it waits nobody asks whether its
// rule still holds.
const longestQueued = time.Minute

// cancelUnwanted ends what waits for a worker and is not to go any more by the plan of now, which sees it as leaving unless something
// weighs more, and what has waited for so long that it has to be judged anew.
func (x *stepExecutor) cancelUnwanted(now time.Time, p *rules.Plan) {
	standing := make(map[string]string, len(p.Verdicts))
	for i := range p.Verdicts {
		standing[p.Verdicts[i].ID] = p.Verdicts[i].Standing
	}

	for _, o := range x.queue.Drop() {
		s := x.inFlight[o.ID]
		switch {
		case s.ends() && standing[o.ID] != contract.ReasonLeaving:
			x.reject(s, "the policy does not want it any more")
		case x.isOld(s, now):
			x.reject(s, "no worker was free for a minute: it is judged anew")
		default:
			x.queue.Add(o)
		}
	}
}

// isOld says that a step which waits for a worker, not for others that go first, and was not begun with has waited too long.
func (x *stepExecutor) isOld(s *step, now time.Time) bool {
	first := func(id string) bool { return x.inFlight[id] != nil }
	return s.attempts == 0 && !s.recovered && now.Sub(s.begun) >= longestQueued && !slices.ContainsFunc(s.order.After, first)
}

// finish orders anew what has ended and is still to be deleted, and closes it where the policy of now has no such rule.
func (x *stepExecutor) finish(d *actuator.Decided) {
	for _, id := range sortedKeys(x.inFlight) {
		s := x.inFlight[id]
		if s.stage != stageRemains {
			continue
		}

		i := s.intent
		o, ok := d.Again(id, i.Step, i.Rule, i.StepIndex, i.StartedAt)
		switch {
		case ok:
			o.ActionID, s.order, s.stage = i.ActionID, o, stageQueued
			x.queue.Add(o)
		case d.Plan.Observes():
			x.reject(s, whyObserved(d.Plan))
		case d.Plan.Held == contract.HeldSurprise || d.Plan.Held == rules.HeldChanged: // for some ticks
		default:
			x.reject(s, "the policy does not want it any more")
		}
	}
}

// newSteps makes a step of every order of the plan whose container has none in flight.
func (x *stepExecutor) newSteps(t *tick, d *actuator.Decided) (batch []*step) {
	verdicts := make(map[string]*rules.Verdict, len(d.Plan.Verdicts))
	for i := range d.Plan.Verdicts {
		verdicts[d.Plan.Verdicts[i].ID] = &d.Plan.Verdicts[i]
	}

	taken := make(map[string]bool)
	for _, o := range d.Orders() {
		if x.inFlight[o.ID] != nil || taken[o.ID] || o.Step == policy2.StepThrottle && x.noLimit != "" && t.n%throttleRetryTicks != 0 {
			continue
		}
		taken[o.ID] = true

		o.ActionID = actionID(t.n, o.ID)
		reason := verdicts[o.ID].Reason
		if o.Step != verdicts[o.ID].Step { // of a rule that does not decide over life
			reason = rules.ReasonHolds
		}
		s := &step{action: string(o.Step), order: o, key: respawnKey(o.Name, labelsOf(t.inv, o.ID))}
		s.rule, s.steps = x.loop.ruleOf(o.RuleHash)
		s.why = t.ruled.grounds(verdicts[o.ID], o.RuleHash)
		s.intent = journal.Intent{
			ActionID: o.ActionID, Subject: t.ruledSubject(o.ID), Tick: t.n, Sequence: o.Sequence, Action: s.action, Reason: reason,
			StartedAt: o.StartedAt, Rule: o.RuleHash, Step: o.Step, StepIndex: o.StepIndex, GUS: t.ruled.Facts.GUS,
		}
		batch = append(batch, s)
	}
	return batch
}

// grounds are what the rule with the hash was held against.
func (r *ruled) grounds(v *rules.Verdict, hash string) string {
	at := slices.IndexFunc(r.Plan.Rules, func(one rules.RuleCount) bool { return one.Hash == hash })
	return r.texts.Grounds(v, at, "")
}

// limitToTrial leaves one step of the batch while the engine is on trial after too many errors.
func (x *stepExecutor) limitToTrial(t *tick, batch []*step) []*step {
	if x.breaker.state(t.at) != BreakerHalfOpen || len(batch) < 2 {
		return batch
	}
	t.deferred = make(map[string]bool)
	for _, s := range batch[1:] {
		t.deferred[s.id()] = true
	}
	return batch[:1]
}

// persistIntents makes the intents durable, first in the journal, then in the spool: whoever dies in between finds at its next start
// what the spool has not got. If either fails nothing is done. That of a throttle is written once its limits are known.
func (x *stepExecutor) persistIntents(t *tick, batch []*step) error {
	records := x.reporter.decisionRecords(t)
	var intents []journal.Intent
	var begun []*step
	for _, s := range batch {
		if s.ends() {
			intents, begun = append(intents, s.intent), append(begun, s)
		}
	}
	if len(batch) == 0 {
		return nil
	}

	first, err := x.journaler.intents(intents...)
	if err != nil {
		t.failStorage(GateJournal, err)
		return err
	}

	written := make([]contract.Record, 0, len(begun))
	for i, s := range begun {
		x.happened(s.intent.Event())
		record := x.record(s, contract.PhaseIntent, actuator.StepResult{})
		record.JournalSeq = first + uint64(i) //nolint:gosec // an index
		written = append(written, record)
	}

	if err := x.reporter.append(append(records, written...)...); err != nil {
		t.failStorage(GateSpool, err)

		// The intents stand in the journal: they are recorded when there is room again, and end as refused.
		x.reporter.requeue(written)
		for _, s := range begun {
			x.writeOutcome(s, actuator.StepResult{Outcome: contract.OutcomeRefused, Why: "the intent could not be recorded: " + err.Error()})
		}
		return err
	}
	x.reporter.markDecisionsRecorded(t)
	return nil
}

// dispatch starts what waits while a worker is free.
func (x *stepExecutor) dispatch() {
	for len(x.backs) > 0 && x.restoring < x.loop.policy.Act.Parallel {
		s := x.backs[0]
		x.backs = x.backs[1:]
		x.start(s, func() actuator.StepResult { return x.enforcer.GiveBack(x.ctx, s.back) })
	}

	for x.active-x.restoring < x.loop.policy.Act.Parallel {
		o, ok := x.queue.Next()
		if !ok {
			return
		}
		x.start(x.inFlight[o.ID], func() actuator.StepResult { return x.enforcer.Do(x.ctx, o) })
	}
}

// start runs one action beside the loop. Its end comes back through completions, or is dropped when the drain is over: the intent then
// stays open in the journal and is verified at the next start.
func (x *stepExecutor) start(s *step, act func() actuator.StepResult) {
	s.stage = stageActing
	x.active++
	if s.action == contract.ActionUnthrottle {
		x.restoring++
	}

	x.workers.Go(func() {
		c := stepCompletion{step: s, result: act()}
		select {
		case x.completions <- c:
		case <-x.ctx.Done():
		}
	})
}

// cancelQueued ends the steps that wait for a worker. Limits are given back all the same; what has ended already is deleted as soon as
// acting goes on.
func (x *stepExecutor) cancelQueued(why string) {
	for _, o := range x.queue.Drop() {
		if s := x.inFlight[o.ID]; s.attempts > 0 || s.recovered {
			s.stage = stageRemains
		} else {
			x.reject(s, why)
		}
	}
	x.dispatch()
}

// reject ends a step that was not begun with.
func (x *stepExecutor) reject(s *step, why string) {
	x.applyResult(s, actuator.StepResult{Outcome: contract.OutcomeRefused, Why: why})
}

// giveBack gives the limits back that the plan says are due, all where no policy of version 2 is in force, and those that no rule
// remembers.
func (x *stepExecutor) giveBack(t *tick) {
	due := make(map[string]string) // why, by container id
	if x.loop.version2 == nil {
		for id := range x.owed {
			due[id] = rules.BackNoRule
		}
	}
	if t.ruled != nil {
		for _, g := range t.ruled.Plan.GiveBack {
			due[g.ID] = g.Why
		}
		for _, id := range t.ruled.Plan.Changed {
			x.limitChanged(t, id)
		}
		for id := range x.owed {
			if !t.ruled.throttled(id) {
				due[id] = rules.BackNoRule
			}
		}
	}

	for _, id := range sortedKeys(due) {
		if o := x.owed[id]; o != nil && x.inFlight[id] == nil && o.isDue(t.n, x.loop.policy.Act.StuckAfter) {
			o.tried = t.n
			x.restore(id, due[id])
		}
	}
}

// maxRechecked is how many containers with a lowered limit are inspected on one tick: somebody else may have changed it.
const maxRechecked = 20

// recheckOwed has the limits that are owed looked at, each in its turn.
func (x *stepExecutor) recheckOwed(tick uint64) {
	ids := sortedKeys(x.owed)
	if n := len(ids); n > maxRechecked {
		from := int(tick * maxRechecked % uint64(n)) //nolint:gosec // below n
		ids = append(ids[from:], ids[:from]...)[:maxRechecked]
	}
	x.memory.recheck(ids...)
}

// isDue says whether giving the limit back is to be tried on this tick: not on each after it has failed often.
func (o *owedLimit) isDue(tick uint64, stuckAfter int) bool {
	return o.failures < stuckAfter || tick-o.tried >= restoreRetryTicks
}

// limitChanged lets a limit go that somebody else has changed.
func (x *stepExecutor) limitChanged(t *tick, id string) {
	delete(x.owed, id)
	name := nameOf(contract.Verdict{ID: id, Name: t.ruledSubject(id).Name})
	x.reporter.tickEvent(t, "limit_changed", contract.LevelWarn,
		"somebody else has changed the CPU limit of "+name+" since it was throttled: theirs stays", map[string]any{"container": id})
}

// restore gives a container back what a throttle took from it. That is written down first, too; if it cannot be, it is done all the same,
// since the throttle in the journal says that it is due.
func (x *stepExecutor) restore(id, why string) {
	o, at := x.owed[id], x.memory.now()
	s := &step{action: contract.ActionUnthrottle, stage: stageQueued, since: time.Now()}
	s.rule, s.steps = x.loop.ruleOf(o.rule)
	s.intent = journal.Intent{
		ActionID: actionID(at.tick, id), Subject: o.subject, Tick: at.tick, Action: s.action, Reason: why, Rule: o.rule, GUS: at.gUS,
		Undo: undoOf(o.Before), OldNanoCPUs: o.Before.Share(), NanoCPUs: o.Set.Share(),
	}
	s.intent.Container = id
	s.back = actuator.GiveBackOrder{ActionID: s.intent.ActionID, Tick: at.tick, ID: id, Name: o.subject.Name, Limits: o.Limits, Act: x.act()}

	record := x.record(s, contract.PhaseIntent, actuator.StepResult{})
	if seq, err := x.journaler.intents(s.intent); err == nil {
		record.JournalSeq = seq
	}
	x.reporter.appendEvents(record)

	x.inFlight[id] = s
	x.backs = append(x.backs, s)
	x.dispatch()
}

// act is how the engine is called under the policy in force.
func (x *stepExecutor) act() policy2.Act {
	if v := x.loop.version2; v != nil {
		return v.Policy.Act
	}
	return policy2.Default().Act
}

// restoreAll gives every limit back, as far as that has not failed too often.
func (x *stepExecutor) restoreAll(why string) {
	for _, id := range sortedKeys(x.owed) {
		if x.inFlight[id] == nil && x.owed[id].failures < x.loop.policy.Act.StuckAfter {
			x.restore(id, why)
		}
	}
}
