package govern

import (
	"slices"
	"time"

	"gestor.local/contract"
	"gestor.local/manager/internal/govern/actuator"
	"gestor.local/manager/internal/journal"
	"gestor.local/manager/internal/policy"
	"gestor.local/manager/internal/scrub"
)

// Levels of system records.
const (
	levelInfo  = "info"
	levelWarn  = "warn"
	levelError = "error"
)

// maxRefused bounds the records that wait for room in the spool: more than a full spool lets happen, since its gate keeps
// new actions from being begun.
const maxRefused = 1000

// append keeps records for the log service, behind those that the spool refused before; it takes all or none of them. A
// spool that takes no more is a gate until it takes some again.
func (g *Governor) append(records ...contract.Record) error {
	if len(records)+len(g.refused) == 0 {
		return nil
	}
	if g.spoolErr = g.Spool.Append(slices.Concat(g.refused, records)...); g.spoolErr == nil {
		g.refused = nil
	}
	return g.spoolErr
}

// keep is append for records of what has happened: those that the spool refuses are offered again.
func (g *Governor) keep(records ...contract.Record) {
	if g.append(records...) != nil {
		g.offerAgain(records)
	}
}

// offerAgain holds records for the next append, the oldest of too many go.
func (g *Governor) offerAgain(records []contract.Record) {
	g.refused = append(g.refused, records...)
	if over := len(g.refused) - maxRefused; over > 0 {
		g.refused = slices.Delete(g.refused, 0, over)
		g.Log.Warn().Int("records", over).Msg("the spool has refused too many records: the oldest of them are lost")
	}
}

// event writes a system record and the same as a log line.
func (g *Governor) event(name, level, message string, details map[string]any) {
	g.logEvent(name, level, message)
	g.keep(contract.NewRecord(time.Now(), g.tickNo, g.source, eventBody(name, level, message, details)))
}

// tickEvent is event for the time of a tick: the record goes with the tick's other records.
func (g *Governor) tickEvent(t *tick, name, level, message string, details map[string]any) {
	g.logEvent(name, level, message)
	t.records = append(t.records, contract.NewRecord(t.at, t.n, g.source, eventBody(name, level, message, details)))
}

func eventBody(name, level, message string, details map[string]any) contract.SystemBody {
	return contract.SystemBody{Event: name, Level: level, Message: message, Details: details}
}

func (g *Governor) logEvent(name, level, message string) {
	line := g.Log.Info()
	switch level {
	case levelWarn:
		line = g.Log.Warn()
	case levelError:
		line = g.Log.Error()
	}
	line.Str("event", name).Uint64("tick", g.tickNo).Msg(message)
}

func (g *Governor) actionRecord(f *flight, phase string, r actuator.Result) contract.Record {
	v := f.order.Victim
	body := contract.ActionBody{
		Subject: subjectOf(v), ActionID: f.order.ActionID, Action: f.verb, Phase: phase, Outcome: r.Outcome, Rung: r.Rung,
		Reason: v.Reason, Attempts: r.Attempts, LatencyUS: micros(r.Took), Error: r.ErrorText(), StartedAt: v.StartedAt,
		Removes: f.verb == contract.ActionRemove,
	}
	if body.Removed() {
		body.AnonymousVolumes = f.volumes
	}
	return contract.NewRecord(time.Now(), f.order.Tick, g.source, body)
}

// decisionRecords are the removals of the plan and the verdicts that changed since they were last written. A gated tick
// decides nothing.
func (g *Governor) decisionRecords(t *tick) (records []contract.Record) {
	if t.plan == nil || t.told || !t.clear() {
		return nil
	}
	t.verdicts = make(map[string]verdictKey, len(t.plan.Verdicts))
	for _, v := range t.plan.Verdicts {
		now := verdictKey{verdict: v.Verdict, reason: v.Reason}
		if v.Reason == contract.ReasonElsewhere { // the numbers are all that a reader can act on
			now.words = g.texts(t).Of(v)
		}
		t.verdicts[v.ID] = now
		if g.told[v.ID] == now && v.Verdict != contract.VerdictRemove {
			continue
		}
		records = append(records, contract.NewRecord(t.at, t.n, g.source, g.decisionBody(v, t)))
	}
	if n := len(records); n > 0 {
		records[n-1].JournalSeq = t.journalSeq // with the last of them all are told
	}
	return records
}

// decisionsTold notes that the spool has the decision records of the tick, if it made any.
func (g *Governor) decisionsTold(t *tick) {
	if t.verdicts != nil {
		g.told, t.told = t.verdicts, true
	}
}

func (g *Governor) decisionBody(v contract.Verdict, t *tick) contract.DecisionBody {
	return contract.DecisionBody{
		Subject: subjectOf(v), Sequence: t.plan.Sequence, Mode: t.plan.Mode, Held: g.heldBack(t, v.ID), PolicyHash: t.plan.PolicyHash,
		Verdict: v.Verdict, Reason: v.Reason, Text: g.texts(t).Of(v), Rank: v.Rank, Cut: v.Cut,
		DecidingKey: v.DecidingKey, Neighbour: v.Neighbour, Measures: v.Measures, AgeUS: v.AgeUS, DataAgeUS: t.timings.DataAgeUS,
	}
}

// texts words the verdicts of the tick's plan; without a plan there are none. That of an earlier run may have been made under
// another policy.
func (g *Governor) texts(t *tick) *policy.Texts {
	switch {
	case t.plan == nil:
		return &policy.Texts{}
	case t.words == nil:
		in := policy.Inputs{Inventory: t.inv, Suite: t.context.Suite}
		if t.plan.PolicyHash == g.policyHash {
			in.Policy = &g.Policy
		}
		t.words = policy.NewTexts(*t.plan, in)
	}
	return t.words
}

// hostRecord sums up the tick.
func (g *Governor) hostRecord(t *tick) contract.Record {
	spool := g.Spool.Stats()
	t.timings.SyncUS = micros(spool.LastSync)
	body := contract.HostBody{
		Gates: gateNames(t.findings), Mode: g.Policy.Mode, Held: g.held(t), Timings: t.timings, SpoolRecords: spool.Records, SkippedTicks: t.skipped,
	}
	if t.plan != nil {
		body.Classes = withShadow(t.plan.Counts, t.shadow)
	}
	if t.pop != nil {
		body.Memory, body.CPUs, body.Containers = t.pop.Memory, t.pop.CPUs, len(t.pop.Members)
		for _, m := range t.pop.Members {
			if e := t.inv.Entry(m.ID); e != nil && contract.Owned(e.Labels, g.Suite.Name) {
				body.GovernedRAMKB += m.RAMKB
			}
		}
	}
	return contract.NewRecord(t.at, t.n, g.source, body)
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
func (g *Governor) containerRecords(t *tick) (records []contract.Record) {
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
	rows := rowsOf(t)
	for i := range t.pop.Members {
		m := &t.pop.Members[i]
		e := t.inv.Entry(m.ID)
		owned := e != nil && contract.Owned(e.Labels, g.Suite.Name)
		if owned || g.RecordAll || slices.Contains(t.context.SuiteIDs, m.ID) {
			row := rows[m.ID]
			if m.Why == contract.UnmeasuredUnlocated {
				row = nil
			}
			body := containerBody(m, e, verdicts[m.ID], row, t.pop.Memory.TotalKB)
			body.Owned = owned
			if body.Verdict == contract.VerdictRemove {
				body.Held = g.heldBack(t, m.ID)
			}
			records = append(records, contract.NewRecord(t.at, t.n, g.source, body))
		}
	}
	return records
}

func rowsOf(t *tick) map[string]*contract.Container {
	rows := make(map[string]*contract.Container)
	for i := range t.reading.Snapshot.Containers {
		c := &t.reading.Snapshot.Containers[i]
		rows[c.ID] = c
	}
	return rows
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

// firstProcess is the container's init, or the oldest process where the source does not tell.
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
