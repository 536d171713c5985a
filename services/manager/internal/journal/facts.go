package journal

import (
	"cmp"
	"encoding/json"
	"errors"
	"path"
	"reflect"
	"strconv"

	"gestor.local/contract"

	"gestor.local/manager/internal/journal/line"
	"gestor.local/manager/internal/rules"
	"gestor.local/wal"
	"gestor.local/wal/disk"
)

// Decision is one look at one tick, with everything that was decided of it.
type Decision struct {
	Program *rules.Program
	// Version1 is the policy in force where it is of version 1, else nil.
	Version1 *contract.Policy
	// Memory is that before the tick: with all intents and outcomes that have been written, and none that has not. Facts must stay
	// as they are until the call returns.
	Memory rules.Memory
	Facts  *rules.Facts
	Plan   *rules.Plan
	Gates  []string // the closed ones, the first to be named first
	// Look is 2 on a second look at the same tick, else 0.
	Look int
}

// record is what a journal of version 2 knows beside its state: what the facts on the disk are, and what they are changed by next.
type record struct {
	table *line.Table
	text  []byte // of the lines that are being written
	// program and version1 are of the policy that was written last.
	program  *rules.Program
	version1 *contract.Policy
	// version1Hash is of the policy that lines of version 1 in this segment are under, "" before one.
	version1Hash string

	// memory is that before the last tick, which was decided under policy, nil before the first; events are what has happened since.
	memory rules.Memory
	policy *Policy
	events []rules.Event

	on     uint64 // the number of the line that the next facts are changes to
	stale  bool   // the table is not what the lines say: a new segment has to begin
	missed int    // ticks that were not written since the last that was
	short  bool   // there is no room for facts
	begun  int64  // when the segment was begun, in Unix seconds
	ticks  int    // of facts in the segment

	rotated chan struct{}
}

func newRecord() record {
	return record{table: line.NewTable(), rotated: make(chan struct{}, 1)}
}

// Decide writes what a tick was decided of and what was decided: the policy where it is another, the facts that have changed, the
// plan's hash and the verdicts that have changed. It is not synced by itself: the intents that follow sync it. It returns the
// number of the verdict's line, 0 when there was no room for it, see Short. The journal is one of version 2.
func (j *Journal) Decide(d Decision) (seq uint64, err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.opts.Version != version2 {
		return 0, wrap("write", errors.New("facts are written by a journal of version 2"))
	}

	seq, err = j.decide(&d)
	switch {
	case err == nil:
		return seq, nil
	case disk.NoSpace(err):
		j.rec.short = true
		return 0, nil
	default:
		return 0, wrap("write", err)
	}
}

func (j *Journal) decide(d *Decision) (seq uint64, err error) {
	if j.failed != nil {
		return 0, j.failed
	}

	// Whether the file is in its place Check and the intents ask: facts are acknowledged to nobody.
	r := &j.rec
	policy := j.policyOf(d)
	labels := r.table.Labels()
	if d.Program != r.program {
		labels = line.LabelsOf(d.Program.Policy())
	}

	r.short = j.isShort()
	full := d.Look <= 1 && j.isFull()
	r.stale = r.stale || !r.table.Empty() && !labels.Equal(r.table.Labels())
	r.table.SetLabels(labels)

	// A head has the memory before the tick whose facts follow it. On a second look that tick has begun: its lines stand in one
	// segment, unless those of the first could not be written.
	if !r.short && (full || r.stale) {
		r.memory, r.policy, r.events = d.Memory, nil, r.events[:0]
		r.stale = true
		err = j.rotate()
	}

	text, entry := j.encodeDecision(r.text[:0], d, policy)
	r.text, r.memory, r.events = text, d.Memory, r.events[:0]
	if r.policy = j.state.policy; policy != nil {
		r.policy = policy
	}

	if r.short || err != nil {
		return j.miss(err)
	}

	if err := j.active.Append(text); err != nil {
		return j.miss(j.failIfBroken(err))
	}

	j.state.seq, j.state.tick, j.state.policy = entry.last, d.Facts.Tick, r.policy
	r.on, r.program, r.version1 = entry.facts, d.Program, d.Version1
	if d.Look <= 1 {
		r.ticks++
	}
	return entry.last, nil
}

// leaveFacts makes a journal of version 2 ready for a tick of version 1: what it knew of facts is over, and the next ones begin a
// segment. Where the segment is full another one is begun.
func (j *Journal) leaveFacts() error {
	if j.opts.Version != version2 {
		return nil
	}
	if j.failed != nil {
		return j.failed
	}

	r := &j.rec
	if !r.stale || !r.table.Empty() {
		r.table.Reset()
		r.memory, r.policy, r.events, r.program, r.version1 = rules.Memory{}, nil, r.events[:0], nil, nil
	}
	r.stale = true

	if !j.isFull() {
		return nil
	}
	err := j.rotate()
	r.stale = true
	return err
}

// isFull says that the next tick belongs into another segment.
func (j *Journal) isFull() bool {
	return j.active.Size() > j.head && j.active.Size() >= j.opts.SegmentBytes || j.rec.ticks >= segmentTicks || j.isOld()
}

// miss leaves a tick out: the next one that is written begins a segment, whose head has what it was made of.
func (j *Journal) miss(err error) (uint64, error) {
	j.rec.stale = true
	j.rec.missed++
	return 0, err
}

// policyOf is the policy of the decision, nil when it is the one that was written last.
func (j *Journal) policyOf(d *Decision) *Policy {
	if d.Program == j.rec.program && d.Version1 == j.rec.version1 && j.state.policy != nil {
		return nil
	}

	p := &Policy{Hash: d.Program.Hash()}
	if d.Version1 != nil {
		p.Policy = *d.Version1
	} else {
		p.Policy2 = d.Program.Policy()
	}

	if j.state.policy != nil && samePolicy(j.state.policy, p) {
		return nil
	}

	return p
}

// samePolicy compares the text: the hash leaves out mode, tick and gates.
func samePolicy(a, b *Policy) bool {
	x, errX := json.Marshal(a)
	y, errY := json.Marshal(b)
	return errX == nil && errY == nil && string(x) == string(y)
}

// numbers are those of the lines of one decision.
type numbers struct{ facts, last uint64 }

// encodeDecision writes its lines: policy, facts, verdict. The policy is nil where it is the one before.
func (j *Journal) encodeDecision(text []byte, d *Decision, policy *Policy) ([]byte, numbers) {
	r, seq := &j.rec, j.state.seq
	since := r.on
	if policy != nil {
		if written, err := j.encode([]Entry{{Policy: policy, Since: r.on}}); err == nil {
			text = append(text, written...)
			seq++
			since = seq
		}
	}

	look := max(d.Look, 1)
	from := len(text)
	text = appendStart(text, seq+1)
	text = append(text, `"since":`...)
	text = append(strconv.AppendUint(text, since, 10), ',')
	if d.Version1 != nil {
		text = appendMemory(text, &d.Memory)
	}
	text = line.Seal(r.table.AppendFacts(text, d.Facts, look), from)

	from = len(text)
	text = appendStart(text, seq+2)
	text = line.Seal(r.table.AppendVerdict(text, d.Plan, d.Gates, look), from)
	return text, numbers{facts: seq + 1, last: seq + 2}
}

// appendMemory writes the memory as a member: a policy of version 1 is given little of it, and anew on each tick.
func appendMemory(to []byte, m *rules.Memory) []byte {
	text, err := json.Marshal(m)
	if err != nil {
		return to // nothing in a memory can fail to marshal
	}
	to = append(append(to, `"memory":`...), text...)
	return append(to, ',')
}

// appendStart begins a line of version 2, whose next member can follow.
func appendStart(to []byte, seq uint64) []byte {
	to = append(to, `{"v":2,"seq":`...)
	return append(strconv.AppendUint(to, seq, 10), ',')
}

// Approve writes the approval that is in force from now on, as approved.json has it, nil for none, and returns when that is on stable
// storage. One that is in force already is not written again.
func (j *Journal) Approve(document json.RawMessage) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.opts.Version != version2 {
		return wrap("write", errors.New("an approval is written by a journal of version 2"))
	}

	next := &Approve{Document: document, Withdrawn: document == nil}
	if before := j.state.approve; before == nil && next.Withdrawn || before != nil && reflect.DeepEqual(before, next) {
		return nil
	}

	if err := j.write([]Entry{{Approve: next}}); err != nil {
		return err
	}

	return j.sync()
}

// beginFacts begins a segment of version 2.
func (j *Journal) beginFacts() error {
	text, count, err := j.encodeHead()
	if err != nil {
		return err
	}

	next, err := wal.CreateWith(j.fsys, path.Join(j.dir, segmentName(j.state.seq+1)), text)
	if err != nil {
		return j.failIfBroken(err)
	}

	if j.active != nil {
		j.active.Close()
	}

	j.active, j.head = next, next.Size()
	j.rec.on, j.rec.stale, j.rec.missed = j.state.seq+1, false, 0
	j.rec.begun, j.rec.ticks, j.rec.version1Hash = j.opts.Now().Unix(), 0, ""
	j.state.seq += count
	select {
	case j.rec.rotated <- struct{}{}:
	default:
	}

	return nil
}

// encodeHead writes the head and the lines that it carries. The containers are numbered anew.
func (j *Journal) encodeHead() (text []byte, count uint64, err error) {
	now := j.opts.Now().UTC()
	carried := j.state.checkpoint(now)[1:] // without the head of version 1
	for len(carried) > 0 && carried[0].Policy != nil {
		carried = carried[1:]
	}

	memory := j.memory()
	head := Entry{V: version2, Seq: j.state.seq + 1, At: now, Head: &Head{
		LastTick: j.state.tick, RecentRemovals: j.state.recentRemovals(now),
		Memory: &memory, Approve: j.state.approve, Carried: len(carried), Missed: j.rec.missed,
	}}
	if p := j.state.policy; p != nil {
		head.Head.Policy = p
	}

	text, err = json.Marshal(head)
	if err != nil {
		return nil, 0, err
	}

	text = text[:len(text)-len("}")]
	if j.rec.table.Tick() > 0 {
		text = j.rec.table.AppendAll(append(text, ','))
	}

	text = line.Seal(text, 0)

	j.state.seq++
	lines, err := j.encode(carried)
	j.state.seq--
	return append(text, lines...), uint64(len(carried)) + 1, err
}

// memory is the one of now: what the last tick and all that has happened since make of that before it.
func (j *Journal) memory() rules.Memory {
	r := &j.rec
	m := r.memory
	policy := cmp.Or(r.policy, j.state.policy)
	if policy == nil || r.policy == nil && len(r.events) == 0 {
		return m
	}

	// The loop's own program may be at work.
	program := policy.Program()
	if r.policy != nil {
		facts := r.table.Facts()
		m = rules.Remember(program, m, &facts, rules.Plan{}, nil)
	}

	return rules.Remember(program, m, nil, rules.Plan{}, r.events)
}

// happened notes what an entry, which the state does not have yet, is to the memory.
func (j *Journal) happened(e *Entry) {
	var event rules.Event
	ok := false
	switch {
	case e.Intent != nil:
		event, ok = e.Intent.Event()
	case e.Outcome != nil:
		event, ok = e.Outcome.Event(j.state.open[e.Outcome.ActionID].intent)
	}

	if ok {
		j.rec.events = append(j.rec.events, event)
	}
}
