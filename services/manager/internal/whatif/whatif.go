// Package whatif tells what another policy would have done on this host: it replays the facts of a journal through Remember and Decide
// of that policy, as if it had been in force, approved and in mode enforce, and holds what it does against what was done.
//
// Of a container on which both policies have done the same so far everything is as recorded, also how long a step took and whether it
// failed. From the first difference on, the policy's steps are taken at once, and its facts are those that are on record less what the
// recorded policy did to it. So the first difference of a container is exact, and what follows is conditional: nobody knows what the
// container would have done then, nor what it would have done to others.
package whatif

import (
	"bytes"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"time"

	"gestor.local/contract"
	"gestor.local/contract/policy2"
	"gestor.local/manager/internal/journal"
	"gestor.local/manager/internal/journal/line"
	"gestor.local/manager/internal/rules"
)

// Options say which policy is asked for, and about which time.
type Options struct {
	Policy policy2.Policy
	// From and To are the first and the last moment on the wall that is replayed; zero is the beginning and the end of the journal.
	From, To time.Time
	// Progress is told now and then how far the replay is, in time on the wall; it may be nil.
	Progress func(at time.Time)
}

// Errors of a journal that does not answer the question; the next step stands behind them.
var (
	ErrNothing  = errors.New("there is nothing to replay")
	ErrRange    = errors.New("there is no tick between --from and --to")
	ErrVersion1 = errors.New("what was decided under a policy of version 1 cannot be asked what another one would do")
)

// Run replays the journal at path, its folder or one of its files, which may be written meanwhile.
func Run(path string, o Options) (Report, error) {
	// A tick leaves a plan and a memory behind, of which nothing stays: with a heap of a few MB they would be collected all the time.
	const gcPercent = 800
	defer debug.SetGCPercent(debug.SetGCPercent(gcPercent))

	r := newRun(o)
	stats, err := journal.ReadHistoryFrom(path, o.From, r.add)
	r.settle()
	r.report.BadLines = stats.BadLines

	switch {
	case err != nil:
		return r.report, err
	case r.report.Ticks == 0 && r.report.Version1Ticks > 0:
		return r.report, fmt.Errorf("%w: its %d ticks have no memory of the rules and few of the facts (let a policy of version 2 run for "+
			"a while, in mode observe where nothing is to be done)", ErrVersion1, r.report.Version1Ticks)
	case r.report.Ticks == 0 && r.first != 0:
		return r.report, fmt.Errorf("%w: the journal has them from %s to %s (choose a time between these, or leave both out)", ErrRange, clock(r.first), clock(r.last))
	case r.report.Ticks == 0:
		return r.report, fmt.Errorf("%w: %s holds %d lines and no facts of a tick, %d of them damaged (name the journal's folder or one of its files)",
			ErrNothing, path, stats.Entries, stats.BadLines)
	}
	r.finish()
	return r.report, nil
}

// run is a replay under way.
type run struct {
	o      Options
	report Report

	policy  policy2.Policy // in mode enforce, with the tick on record
	program *rules.Program
	// memory is the policy's own, before the one before the last tick, for a second look at it.
	memory, before rules.Memory
	facts          rules.Facts
	room           []rules.Container // for those of the facts, once the policy has done anything else

	began    bool
	tick     *looked // nil when what comes of it is settled
	wall     int64   // of the last tick
	gUS      int64
	tickUS   int64 // between two ticks
	first    int64 // of all ticks that the journal has, on the wall
	last     int64
	gapped   bool // a line is missing since the head
	diverged bool // for any container

	recorded recorded
	// byID are the containers on which a step was taken, as long as they are there; intents are those of the journal that may still
	// have an outcome.
	byID    map[string]*container
	intents map[string]journal.Intent
	// lastBack are the limits that the last plan gives back, names those of the policy's rules by their hash.
	lastBack []rules.GiveBack
	names    map[string]string
	sums     map[policy2.Step]*Sum
	doubts   map[string]*RuleDoubt
	told     time.Time
}

// looked is a tick of which the plan is made.
type looked struct {
	number uint64
	plan   rules.Plan
	// verdict says that the recorded plan is known, done are its steps that were carried out, by container.
	verdict bool
	done    map[string][]taken
}

func newRun(o Options) *run {
	o.Policy.Mode = contract.ModeEnforce
	r := &run{
		o: o, policy: o.Policy, byID: map[string]*container{},
		intents: map[string]journal.Intent{}, sums: map[policy2.Step]*Sum{}, doubts: map[string]*RuleDoubt{}, names: map[string]string{}, told: time.Now(),
	}
	r.use(o.Policy.Tick)
	for i := range o.Policy.Rules {
		r.names[r.program.RuleHash(i)] = o.Policy.Rules[i].Name
	}
	r.report = Report{Head: heading, PolicyHash: r.program.Hash(), Held: map[string]int{}, Containers: []Container{}, Recorded: []Recorded{}}
	r.recorded.reset()
	return r
}

// use compiles the policy for the tick that the recorded one had: facts are no closer together.
func (r *run) use(tick policy2.Duration) {
	if r.program != nil && r.policy.Tick == tick {
		return
	}
	r.policy.Tick = tick
	r.program = rules.New(r.policy)
	r.tickUS = int64(tick) * second
}

// add takes over the next line.
func (r *run) add(e journal.Entry, h *journal.History) error {
	r.gapped = r.gapped || h.Lost() > 0
	r.notePolicy(e)

	switch {
	case e.Head != nil:
		r.settle()
		r.head(e.Head, h)
	case e.Tick != nil:
		r.report.Version1Ticks++
	case e.Facts != nil:
		return r.look(e, h)
	case e.Verdict != nil:
		return r.verdict(e, h)
	case e.Intent != nil:
		r.intent(e)
	case e.Outcome != nil:
		r.outcome(e)
	}
	return nil
}

// notePolicy follows which policy was in force.
func (r *run) notePolicy(e journal.Entry) {
	p := e.Policy
	if e.Head != nil && e.Head.Policy != nil {
		p = e.Head.Policy
	}
	if p == nil {
		return
	}

	r.settle()
	r.recorded.take(p)
	if p.Policy2 != nil {
		r.use(p.Policy2.Tick)
	}
}

// head begins a segment. What lines before it would have said is lost where they do not reach it: its memory has it.
func (r *run) head(head *journal.Head, h *journal.History) {
	r.recorded.reset()
	r.gapped = false
	if reached := h.Made() != nil; r.began && !reached && h.Whole() && head.Memory != nil {
		r.catchUp(head.Memory)
	}
}

// look reads a tick, or looks at it again, and makes the policy's plan of it.
func (r *run) look(e journal.Entry, h *journal.History) error {
	again := e.Look > 1
	if !again {
		r.settle()
	}

	switch {
	case e.Memory != nil:
		r.report.Version1Ticks++
		return nil
	case !h.Whole() || h.Tick() != *e.Facts:
		return nil
	}

	wall := h.WallUS()
	if r.first == 0 {
		r.first = wall
	}
	r.last = wall
	if !r.o.From.IsZero() && wall < r.o.From.UnixMicro() {
		return nil
	}
	if !r.o.To.IsZero() && wall > r.o.To.UnixMicro() {
		return journal.ErrStop
	}

	f := h.Facts()
	if !r.began {
		r.begin(h)
	}
	if again && r.tick == nil {
		return nil // what came of the first look has begun
	}
	if again {
		r.memory = r.before
	} else {
		r.pass(f)
	}
	r.before = r.memory
	r.noteRecorded()

	r.factsOf(f)
	plan := rules.Decide(r.program, r.memory, &r.facts)
	r.memory = rules.Remember(r.program, r.memory, &r.facts, plan, nil)
	r.tick = &looked{number: f.Tick, plan: plan}
	return nil
}

// noteRecorded lists the policy in force, where it is another than before.
func (r *run) noteRecorded() {
	list := &r.report.Recorded
	if n := len(*list); n == 0 || (*list)[n-1].PolicyHash != r.recorded.hash {
		*list = append(*list, Recorded{PolicyHash: r.recorded.hash, From: clockTime(r.wall)})
	}
}

// begin takes over what is remembered of the containers at the first tick. What the rules remember goes on where the recorded policy
// has the same rule.
func (r *run) begin(h *journal.History) {
	r.memory = h.Before()
	h.FactsAlone()
	r.began = true
	if p := h.Program(); p == nil || p.Hash() != r.program.Hash() {
		r.memory = r.adopted(r.memory, p)
	}
	r.report.From = time.UnixMicro(h.WallUS()).UTC()
}

// adopted is what the policy would remember if it came into force now and had been seen: no first plan is shown, nothing is spent.
func (r *run) adopted(m rules.Memory, before *rules.Program) rules.Memory {
	m.PolicyHash, m.ApprovedWallUS, m.Surprise = "", 0, nil
	if before == nil || before.Policy().Idle == r.policy.Idle || len(m.Containers) == 0 {
		return m
	}

	// By another measure of idle, nobody is known to have been.
	all := append([]rules.ContainerMemory(nil), m.Containers...)
	for i := range all {
		all[i].Idle = rules.Idle{}
	}
	m.Containers = all
	r.report.IdleAnew = slices.ContainsFunc(r.policy.Rules, func(rule policy2.Rule) bool { return rule.When.Idle != 0 || rule.RestWhen.Idle != 0 })
	return m
}

// pass counts the time since the last tick, or what of it is not on record.
func (r *run) pass(f *rules.Facts) {
	r.report.Ticks++
	passed := f.GUS - r.gUS
	if r.report.Ticks == 1 {
		passed = 0
	}

	if passed > r.tickUS*3/2 { // a tick was missed
		r.report.NotOnRecordSeconds += (passed - r.tickUS) / second
		passed = 0
	}
	for _, c := range r.byID {
		c.passed = passed
	}

	r.gUS, r.wall = f.GUS, f.WallUS
	r.report.To = time.UnixMicro(f.WallUS).UTC()
	r.progress()
	const sweepEvery = 64
	if r.report.Ticks%sweepEvery == 0 {
		r.sweep(f.Tick)
	}
}

const second = int64(time.Second / time.Microsecond)

// progress tells how far it is, once in a while.
func (r *run) progress() {
	const every = 2 * time.Second
	if r.o.Progress == nil || r.report.Ticks%256 != 0 || time.Since(r.told) < every {
		return
	}
	r.told = time.Now()
	r.o.Progress(r.report.To)
}

// verdict reads what was decided, which says whether the same was done.
func (r *run) verdict(e journal.Entry, h *journal.History) error {
	v := line.Verdict{Tick: *e.Verdict}
	if bytes.Contains(e.Text, []byte(`"rows":`)) || bytes.Contains(e.Text, []byte(`"held":`)) { // most have nothing new
		var err error
		if v, err = journal.VerdictOf(e); err != nil {
			return err
		}
	}
	r.recorded.read(&v)
	if r.tick == nil || r.tick.number != v.Tick {
		return nil
	}

	r.tick.done = map[string][]taken{}
	if r.tick.verdict = !r.gapped && h.Whole(); !r.tick.verdict {
		return nil // rows of before may be missing
	}
	for n, row := range r.recorded.last {
		id := h.ID(n)
		if id == "" {
			delete(r.recorded.last, n)
		} else if all := r.recorded.steps(&row, v.Held); len(all) > 0 {
			r.tick.done[id] = all
		}
	}
	return nil
}

// recorded is what the journal says of the policy in force.
type recorded struct {
	hash  string
	names map[string]string // of its rules, by hash
	order []string          // their hashes
	last  map[int]line.VerdictRow
}

func (d *recorded) reset() { d.last = map[int]line.VerdictRow{} }

func (d *recorded) take(p *journal.Policy) {
	*d = recorded{hash: p.Hash, names: map[string]string{}, last: d.last}
	if p.Policy2 == nil {
		return
	}
	for i := range p.Policy2.Rules {
		hash := p.Policy2.Rules[i].Hash()
		d.names[hash], d.order = p.Policy2.Rules[i].Name, append(d.order, hash)
	}
}

// read notes the verdicts with a step; of all others nothing has to be known.
func (d *recorded) read(v *line.Verdict) {
	for _, row := range v.Rows {
		if acts := len(d.steps(&row, "")) > 0; acts {
			d.last[row.N] = row
		} else {
			delete(d.last, row.N)
		}
	}
}

// steps are those of a verdict that are carried out where held keeps the plan back.
func (d *recorded) steps(row *line.VerdictRow, held string) (out []taken) {
	plan := rules.Plan{Held: held}
	add := func(step policy2.Step, rule *int) {
		if !plan.CarriesOut(step) {
			return
		}
		t := taken{step: step}
		if rule != nil && *rule >= 0 && *rule < len(d.order) {
			t.rule = d.order[*rule]
		}
		out = append(out, t)
	}

	add(row.Step, row.Rule)
	for i := range row.Passing {
		add(row.Passing[i].Step, &row.Passing[i].Rule)
	}
	return out
}
