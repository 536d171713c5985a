package govern

import (
	"slices"
	"time"

	"gestor.local/contract"
	"gestor.local/manager/internal/govern/actuator"
	"gestor.local/manager/internal/journal"
	"gestor.local/manager/internal/reason"
	"gestor.local/manager/internal/scrub"
)

func (r *reporter) actionRecord(one *removal, phase string, result actuator.Result) contract.Record {
	v := one.order.Victim
	body := contract.ActionBody{
		Subject: subjectOf(v), ActionID: one.order.ActionID, Action: one.verb, Phase: phase, Outcome: result.Outcome, Rung: result.Rung,
		Reason: v.Reason, Attempts: result.Attempts, LatencyUS: micros(result.Took), Error: result.ErrorText(), StartedAt: v.StartedAt,
		Removes: one.verb == contract.ActionRemove,
	}
	if body.Removed() {
		body.AnonymousVolumes = one.volumes
	}
	return contract.NewRecord(time.Now(), one.order.Tick, r.source, body)
}

func subjectOf(v contract.Verdict) contract.Subject {
	return contract.Subject{Container: v.ID, Name: v.Name, Image: v.Image, Class: v.Class}
}

// decisionRecords are the removals of the plan and the verdicts that changed since they were last recorded. A gated
// tick decides nothing.
func (r *reporter) decisionRecords(t *tick) (records []contract.Record) {
	if t.ruled != nil {
		return r.ruledDecisions(t)
	}
	if t.plan == nil || t.decisionsRecorded || t.gated() {
		return nil
	}

	t.verdicts = make(map[string]verdictKey, len(t.plan.Verdicts))
	for _, v := range t.plan.Verdicts {
		now := verdictKey{verdict: v.Verdict, reason: v.Reason}
		if v.Reason == contract.ReasonElsewhere { // the numbers are all that a reader can act on
			now.words = r.texts(t).Of(v)
		}
		t.verdicts[v.ID] = now

		if r.recorded[v.ID] == now && v.Verdict != contract.VerdictRemove {
			continue
		}
		records = append(records, contract.NewRecord(t.at, t.n, r.source, r.decisionBody(v, t)))
	}

	if n := len(records); n > 0 {
		records[n-1].JournalSeq = t.journalSeq // whoever has the last of them has all
	}
	return records
}

// markDecisionsRecorded notes that the spool has the decision records of the tick, if it made any.
func (r *reporter) markDecisionsRecorded(t *tick) {
	if t.verdicts != nil {
		r.recorded, t.decisionsRecorded = t.verdicts, true
	}
}

func (r *reporter) decisionBody(v contract.Verdict, t *tick) contract.DecisionBody {
	return contract.DecisionBody{
		Subject: subjectOf(v), Sequence: t.plan.Sequence, Mode: t.plan.Mode, Held: r.heldFor(t, v.ID), PolicyHash: t.plan.PolicyHash,
		Verdict: v.Verdict, Reason: v.Reason, Text: r.texts(t).Of(v), Rank: v.Rank, Cut: v.Cut,
		DecidingKey: v.DecidingKey, Neighbour: v.Neighbour, Measures: v.Measures, AgeUS: v.AgeUS, DataAgeUS: t.timings.DataAgeUS,
	}
}

// held says why nothing of the tick is carried out, "" when it is.
func (r *reporter) held(t *tick) string {
	if r.loop.version2 != nil && !t.earlier {
		switch {
		case t.gated():
			return failedGates(t.failures)[0]
		case t.ruled != nil:
			return t.ruled.Plan.Held
		default:
			return ""
		}
	}
	plan := contract.Plan{Mode: r.loop.policy.Mode}
	if t.plan != nil {
		plan = *t.plan
	}
	return plan.Held(failedGates(t.failures))
}

// heldFor is held for one container.
func (r *reporter) heldFor(t *tick, id string) string {
	if held := r.held(t); held != "" || !t.deferred[id] {
		return held
	}
	return GateBreaker
}

// texts words the verdicts of the tick's plan; without a plan there are none. That of an earlier run may have been made
// under another policy.
func (r *reporter) texts(t *tick) *reason.Texts {
	switch {
	case t.plan == nil:
		return &reason.Texts{}
	case t.texts == nil:
		in := reason.Inputs{Inventory: t.inv, Suite: t.context.Suite}
		if t.plan.PolicyHash == r.loop.policyHash {
			in.Policy = &r.loop.policy
		}
		t.texts = reason.NewTexts(*t.plan, in)
	}
	return t.texts
}

// hostRecord sums up the tick.
func (r *reporter) hostRecord(t *tick) contract.Record {
	spool := r.spool.Stats()
	t.timings.SyncUS = micros(spool.LastSync)
	body := contract.HostBody{
		Classes: withShadow(t.classCounts(), t.shadow), Gates: failedGates(t.failures), Mode: r.loop.policy.Mode, Held: r.held(t), Timings: t.timings, SpoolRecords: spool.Records,
		SkippedTicks: t.skipped,
	}
	owned := func(id string) bool {
		e := t.inv.Entry(id)
		return e != nil && contract.Owned(e.Labels, r.suite.Name)
	}
	if t.ruled != nil {
		addRuled(&body, t.ruled)
		owned = t.ruled.texts.IsOwn
	}

	// What is governed takes part of the host's memory: the sum is over the containers that are owned, whatever the
	// plan says.
	if t.pop != nil {
		body.Memory, body.CPUs, body.Containers = t.pop.Memory, t.pop.CPUs, len(t.pop.Members)
		for _, m := range t.pop.Members {
			if owned(m.ID) {
				body.GovernedRAMKB += m.RAMKB
			}
		}
	}
	return contract.NewRecord(t.at, t.n, r.source, body)
}

// withShadow counts those that run on among the owned: the plan was made without them.
func withShadow(counts []contract.ClassCount, shadow []journal.Shadowed) []contract.ClassCount {
	out := slices.Clone(counts)
	for _, s := range shadow {
		i := slices.IndexFunc(out, func(c contract.ClassCount) bool { return c.Class == s.Class })
		if i >= 0 && contract.StateAlive(s.Entry.State) {
			out[i].Owned++
		}
	}
	return out
}

// containerRecords are one for each container that was seen and that is to be recorded.
func (r *reporter) containerRecords(t *tick) (records []contract.Record) {
	if t.ruled != nil {
		return r.ruledContainers(t)
	}
	if t.pop == nil || t.inv == nil {
		return nil
	}

	verdicts := make(map[string]*contract.Verdict)
	if t.plan != nil {
		for i := range t.plan.Verdicts {
			verdicts[t.plan.Verdicts[i].ID] = &t.plan.Verdicts[i]
		}
	}
	for _, s := range t.shadow {
		v := s.Verdict()
		verdicts[v.ID] = &v
	}

	rows := t.rows()
	for i := range t.pop.Members {
		m := &t.pop.Members[i]
		e := t.inv.Entry(m.ID)
		owned := e != nil && contract.Owned(e.Labels, r.suite.Name)
		if !owned && !r.recordAll && !slices.Contains(t.context.SuiteIDs, m.ID) {
			continue
		}

		// The row under the id of one that was not located is somebody else's: its processes are not this container's.
		row := rows[m.ID]
		if m.Why == contract.UnmeasuredUnlocated {
			row = nil
		}

		body := containerBody(m, e, verdicts[m.ID], row, t.pop.Memory.TotalKB)
		body.Owned = owned
		if body.Verdict == contract.VerdictRemove {
			body.Held = r.heldFor(t, m.ID)
		}
		records = append(records, contract.NewRecord(t.at, t.n, r.source, body))
	}
	return records
}

func containerBody(m *contract.Member, e *contract.Entry, v *contract.Verdict, row *contract.Container, totalKB uint64) contract.ContainerBody {
	body := contract.ContainerBody{
		Subject: contract.Subject{Container: m.ID, Class: contract.ClassUnknown}, Measured: m.Measured, Why: m.Why,
		Measures: m.Measures, MemoryKB: m.MemoryKB, WorkingSetKB: m.WorkingSetKB, MemoryMaxKB: m.MemoryMaxKB,
		CPUPermille: m.CPUMillicores, Processes: m.Processes, Threads: m.Threads, AgeUS: m.AgeUS,
	}
	if totalKB > 0 {
		body.MemoryPermille = m.RAMKB * 1000 / totalKB
	}

	// Not every source knows of the rest: the engine may not list it, the plan may not speak of it, its processes may
	// have ended.
	if e != nil {
		body.Name, body.Image, body.State = e.Name, e.Image, e.State
	}
	if v != nil {
		body.Class, body.Rank, body.Verdict, body.Reason = v.Class, v.Rank, v.Verdict, v.Reason
	}
	if p := firstProcess(row); p != nil {
		body.PID, body.Command, body.Cmdline = p.PID, p.Name, scrub.Line(p.Cmdline)
	}
	return body
}

// firstProcess is the container's init, or the oldest process where the source does not say.
func firstProcess(c *contract.Container) *contract.Process {
	if c == nil || len(c.Processes) == 0 {
		return nil
	}

	first := &c.Processes[0]
	for i := range c.Processes {
		p := &c.Processes[i]
		if p.NSPID == 1 {
			return p
		}
		if p.StartUS < first.StartUS {
			first = p
		}
	}
	return first
}

// StopRecord is the last record of a run; the reason is nil for an ordinary stop.
func StopRecord(reason error) contract.Record {
	body := contract.SystemBody{Event: "stop", Level: contract.LevelInfo, Message: "the manager stops"}
	if reason != nil {
		body.Level, body.Message = contract.LevelError, "the manager stops: "+reason.Error()
	}
	return contract.NewRecord(time.Now(), 0, "", body)
}
