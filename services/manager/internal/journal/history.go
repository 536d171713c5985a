package journal

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"gestor.local/contract/policy2"

	"gestor.local/manager/internal/journal/line"
	"gestor.local/manager/internal/rules"
	"gestor.local/wal/disk"
)

// History puts lines of version 2 together, in their order: the facts of each tick, the plan that was made of them, and the memory
// after every line. It begins with a head; what it is given before one is left out.
//
// A line that is missing costs what depends on it until the next head: the facts that were written as changes to it, and the memory
// of their ticks. What was begun and how it ended counts all the same.
type History struct {
	table   *line.Table
	policy  *Policy
	program *rules.Program

	// before is the memory before the last tick, with what has happened since for a second look at it; after is the one of now.
	before, after rules.Memory
	// The last facts, and the memory and the program that they were decided with. The plan is made when somebody asks for it, nil before;
	// ticked says that after has still to take over the facts.
	facts  rules.Facts
	of     rules.Memory
	under  *rules.Program
	plan   *rules.Plan
	ticked bool

	intents map[string]Intent

	// plans says that plans are made of the facts, and the memory of those; else names, numbers and clocks are all that is read of them.
	plans bool

	hasHead bool
	whole   bool   // nothing that the facts depend on is missing
	left    bool   // a policy of version 1 has come into force since the last facts: its run remembers nothing for the rules
	on      uint64 // the number of the line that the next facts must be written on
	seq     uint64 // of the last line
	lost    int    // lines that are missing since the head
	ticks   int    // since the head

	// head is the memory that the last head has, nil before one; made is what the lines before it came to, nil where they did not
	// reach it without a gap.
	made *rules.Memory
}

// NewHistory is that of no lines.
func NewHistory() *History { return newHistory(true) }

func newHistory(plans bool) *History {
	h := &History{table: line.NewTable(), intents: map[string]Intent{}, plans: plans}
	if !plans {
		h.table = line.NamesOnly()
	}
	return h
}

// Add takes over the next line. An error is that of a line that is whole and makes no sense.
func (h *History) Add(e Entry) error {
	if h.seq > 0 && e.Seq != h.seq+1 {
		h.lost++
	}

	h.seq = e.Seq

	switch {
	case e.Head != nil:
		return h.begin(e)
	case e.V != version2 || !h.hasHead:
		h.left = h.left || e.Tick != nil
		return nil

	case e.Policy != nil:
		h.use(e.Policy)
		h.whole = h.whole && e.Since == h.on
		h.on = e.Seq
	case e.Facts != nil:
		return h.tick(e)

	case e.Intent != nil:
		h.intents[e.Intent.ActionID] = *e.Intent
		if event, ok := e.Intent.Event(); ok && !e.Carried {
			h.happened(event)
		}

	case e.Outcome != nil && !e.Carried:
		if event, ok := e.Outcome.Event(h.intents[e.Outcome.ActionID]); ok {
			h.happened(event)
		}
	}

	return nil
}

// begin starts over with a head.
func (h *History) begin(e Entry) error {
	made := h.Memory()
	h.made = nil
	remembers := h.policy == nil || h.policy.Policy2 != nil
	if h.whole && !h.left && h.lost == 0 && e.Head.Missed == 0 && remembers {
		h.made = &made
	}

	// All else that is known is of the segment before.
	*h = History{table: h.table, made: h.made, seq: e.Seq, intents: map[string]Intent{}, plans: h.plans}
	h.table.Reset()
	if e.V != version2 {
		return nil
	}

	h.hasHead, h.on = true, e.Seq
	if e.Head.Memory != nil {
		h.before, h.after = *e.Head.Memory, *e.Head.Memory
	}

	if e.Head.Policy != nil {
		h.use(e.Head.Policy)
	}

	if e.Facts != nil {
		if err := h.table.ReadFacts(e.Text); err != nil {
			return fmt.Errorf("line %d: %w", e.Seq, err)
		}
	}

	h.whole = true
	return nil
}

func (h *History) use(p *Policy) {
	h.policy, h.program = p, p.Program()
	h.table.SetLabels(line.LabelsOf(h.program.Policy()))
}

// tick reads the facts of a tick, or of a second look at it, and makes its plan.
func (h *History) tick(e Entry) error {
	if !h.whole || e.Since != h.on || h.program == nil {
		h.whole = false
		return nil
	}

	if err := h.table.ReadFacts(e.Text); err != nil {
		h.whole = false
		return fmt.Errorf("line %d: %w", e.Seq, err)
	}

	h.on, h.left = e.Seq, false
	if e.Look <= 1 {
		h.ticks++
	}
	if !h.plans {
		return nil
	}

	switch {
	case e.Memory != nil:
		h.before = *e.Memory
	case e.Look <= 1:
		h.before = h.Memory()
	}
	h.table.FactsInto(&h.facts)
	h.of, h.under = h.before, h.program
	h.plan, h.ticked = nil, true
	return nil
}

// happened remembers an event. One between the two looks at a tick is one of before it, for the second.
func (h *History) happened(e rules.Event) {
	if !h.plans {
		return
	}

	program := h.program
	if program == nil {
		program = rules.New(policy2.Default()) // its line is lost; what was begun counts against the budget all the same
	}

	events := []rules.Event{e}
	h.after = rules.Remember(program, h.Memory(), nil, rules.Plan{}, events)
	h.before = rules.Remember(program, h.before, nil, rules.Plan{}, events)
}

// Whole says that the facts of now are known: since the head no line is missing that they depend on.
func (h *History) Whole() bool { return h.whole }

// Lost is how many gaps there are in the lines since the head.
func (h *History) Lost() int { return h.lost }

// Program is the policy in force, nil before the first.
func (h *History) Program() *rules.Program { return h.program }

// Facts are those of the last tick, or of the second look at it, valid until the next line is added.
func (h *History) Facts() *rules.Facts {
	if !h.plans { // who makes no plans does not want them of each tick
		h.table.FactsInto(&h.facts)
	}
	return &h.facts
}

// Tick is the number of the last tick that facts are known of, WallUS what the wall clock said then, in microseconds since the epoch.
func (h *History) Tick() uint64 { return h.table.Tick() }

// WallUS is the time of Tick.
func (h *History) WallUS() int64 { return h.table.WallUS() }

// Plan is the one that the policy makes of them.
func (h *History) Plan() *rules.Plan {
	if h.plan == nil {
		plan := rules.Plan{}
		if h.under != nil {
			plan = rules.Decide(h.under, h.of, &h.facts)
		}
		h.plan = &plan
	}
	return h.plan
}

// Before is the memory before the last tick, Memory the one after all lines.
func (h *History) Before() rules.Memory { return h.before }

// Memory is the one after all lines.
func (h *History) Memory() rules.Memory {
	if h.ticked {
		var plan rules.Plan
		if h.plan != nil {
			plan = *h.plan
		}
		h.after, h.ticked = rules.Remember(h.under, h.of, &h.facts, plan, nil), false
	}
	return h.after
}

// Withheld lists the labels of a container whose values were not written. Sorted.
func (h *History) Withheld(id string) []string { return h.table.Withheld(id) }

// Made is the memory that the lines before the last head came to, nil where they do not reach it: it must be the head's.
func (h *History) Made() *rules.Memory { return h.made }

// FactsAlone ends the making of plans and the following of memory, which is most of the work: from the next line on only the facts are
// read. Plan, Before and Memory say nothing any more, and Made no more than whether the lines reach the head.
func (h *History) FactsAlone() { h.plans, h.ticked = false, false }

// ID is the id of the container with a number in this segment, "" for one that is not there.
func (h *History) ID(number int) string { return h.table.ID(number) }

// Number is the number of a container in this segment, -1 for one that is not there.
func (h *History) Number(id string) int { return h.table.Number(id) }

// VerdictOf reads a verdict line.
func VerdictOf(e Entry) (v line.Verdict, err error) {
	if err = json.Unmarshal(e.Text, &v); err != nil {
		err = fmt.Errorf("read verdict line %d: %w", e.Seq, err)
	}
	return v, err
}

// ReadHistory reads a journal of lines of both versions, oldest first, and visits each with the history up to it. path is a
// journal's folder or one of its files. It may run while a manager writes; errors are as those of Scan. A line that is whole and
// makes no sense counts as a bad one.
func ReadHistory(path string, visit func(Entry, *History) error) (Stats, error) {
	return readHistory(visit, func(visit func(Entry) error) (Stats, error) {
		return scan(path, reader{version: version2, visit: visit})
	})
}

// ReadHistoryFrom is ReadHistory that leaves out the segments before the one in which the time lies; the zero time is before all.
func ReadHistoryFrom(path string, from time.Time, visit func(Entry, *History) error) (Stats, error) {
	return readHistory(visit, func(visit func(Entry) error) (Stats, error) {
		files, err := filesOf(path)
		if err != nil || from.IsZero() {
			return scan(path, reader{version: version2, visit: visit}) // which has the words for it
		}

		first := 0
		for i := len(files) - 1; i > 0 && first == 0; i-- {
			if at, ok := beginOf(files[i]); ok && !at.After(from) {
				first = i
			}
		}
		return reader{version: version2, visit: visit}.files(files[first:])
	})
}

// beginOf is when a segment was begun, by its first line.
func beginOf(file string) (at time.Time, ok bool) {
	_, err := reader{version: version2, visit: func(e Entry) error {
		at, ok = e.At, !e.At.IsZero()
		return ErrStop
	}}.fileOrSealed(file)
	return at, ok && (err == nil || errors.Is(err, ErrStop))
}

// ReadHistoryOn is ReadHistory for a folder on another file system.
func ReadHistoryOn(fsys disk.FS, dir string, visit func(Entry, *History) error) (Stats, error) {
	return readHistory(visit, func(visit func(Entry) error) (Stats, error) {
		all, err := segments(fsys, dir)
		if err != nil {
			return Stats{}, err
		}
		return reader{fsys: fsys, version: version2, visit: visit}.files(paths(all))
	})
}

func readHistory(visit func(Entry, *History) error, scan func(visit func(Entry) error) (Stats, error)) (Stats, error) {
	return readInto(NewHistory(), visit, scan)
}

func readInto(h *History, visit func(Entry, *History) error, scan func(visit func(Entry) error) (Stats, error)) (Stats, error) {
	senseless := 0
	stats, err := scan(func(e Entry) error {
		if senselessErr := h.Add(e); senselessErr != nil {
			senseless++
			return nil //nolint:nilerr // it is counted, as a line that cannot be read is
		}
		return visit(e, h)
	})
	stats.BadLines += senseless
	return stats, err
}

// ReadVerdicts is ReadHistory for those who ask who was there and what was said of him: of the facts it reads names, numbers and clocks
// alone, and it makes no plans and follows no memory, which is most of the work. Of the lines of version 1 it reads those that want
// says yes to.
func ReadVerdicts(path string, want func(line []byte) bool, visit func(Entry, *History) error) (Stats, error) {
	return readInto(newHistory(false), visit, func(visit func(Entry) error) (Stats, error) {
		return scan(path, reader{version: version2, wantVersion1: want, visit: visit})
	})
}

// HistoryTo puts together what the journal at path, its folder or one of its files, comes to at the line with this number. It reads
// the segment that holds the line alone.
func HistoryTo(path string, seq uint64) (*History, error) { return readTo(NewHistory(), path, seq) }

// NamesTo is HistoryTo for names, numbers and clocks alone, as ReadVerdicts.
func NamesTo(path string, seq uint64) (*History, error) { return readTo(newHistory(false), path, seq) }

func readTo(h *History, path string, seq uint64) (*History, error) {
	file, err := fileOf(path, seq)
	if err != nil {
		return nil, err
	}

	visit := func(e Entry, _ *History) error {
		if e.Seq >= seq {
			return ErrStop
		}
		return nil
	}
	_, err = readInto(h, visit, func(visit func(Entry) error) (Stats, error) {
		return scan(file, reader{version: version2, visit: visit})
	})
	return h, err
}

// fileOf is the segment that holds the line.
func fileOf(path string, seq uint64) (string, error) {
	info, err := os.Stat(path)
	if err != nil || !info.IsDir() {
		return path, err
	}

	all, err := segments(disk.OS{}, path)
	for i := len(all) - 1; i >= 0; i-- {
		if all[i].first <= seq {
			return all[i].path, nil
		}
	}
	return path, err
}
