package explain

import (
	"bytes"
	"fmt"
	"strings"

	"gestor.local/contract"

	"gestor.local/manager/internal/journal"
)

// Journal is what is explained from.
type Journal struct {
	Path string // the journal's folder, or one of its files
	// Logs is the address under which people reach the log service, "" when it is not known.
	Logs string
}

// Last is the newest tick.
func (j Journal) Last() (Page, error) { return j.find(nil) }

// Tick is the newest tick with this number. After a reset of the manager's state numbers begin again.
func (j Journal) Tick(number uint64) (Page, error) { return j.find(&number) }

// find reads the segments newest first and stops at the first that holds the tick. What was done because of the tick
// stands behind it, in the same segment or in one that was read before; its policy stands before it, in the same one.
func (j Journal) find(number *uint64) (Page, error) {
	var found *journal.Entry
	var idle *journal.NoPlan
	var done deeds
	policies, segment := policies{}, segmentWatch{}
	_, err := journal.ScanBackwards(j.Path, concernsTick(number), func(e journal.Entry) error {
		if segment.begins(e) && (found != nil || idle != nil) {
			return journal.ErrStop
		}
		policies.hear(e)
		switch {
		case e.Tick != nil && (number == nil || e.Tick.Context.Tick == *number):
			found, idle = &e, nil
		case e.NoPlan != nil && number != nil && e.NoPlan.Tick == *number:
			found, idle = nil, e.NoPlan
		case e.Intent == nil || number == nil || e.Intent.Tick == *number:
			done.hear(e)
		}
		return nil
	})
	switch {
	case err != nil:
		return Page{}, err
	case idle != nil:
		return Page{}, missing(fmt.Sprintf("tick %d: there was nothing to decide on (%s); next: explain a tick near it",
			*number, strings.Join(idle.Gates, ", ")))
	case found == nil:
		return Page{}, j.noTick(number)
	}
	plan, err := found.Tick.Decoded()
	if err != nil {
		return Page{}, err
	}
	because := done.those(func(i journal.Intent) bool { return i.Tick == plan.Tick && i.Sequence == plan.Sequence })
	return New(found.At, *found.Tick, plan, policies.of(plan), because), nil
}

// policies are those of the journal by their hash.
type policies map[string]contract.Policy

func (p policies) hear(e journal.Entry) {
	if e.Policy != nil {
		p[e.Policy.Hash] = e.Policy.Policy
	}
}

func (p policies) of(plan contract.Plan) *contract.Policy {
	if one, ok := p[plan.PolicyHash]; ok {
		return &one
	}
	return nil
}

// concernsTick tells by the text of a line whether it may be about the tick: it names the number, or it is of those that do not
// name one.
func concernsTick(number *uint64) func(line []byte) bool {
	if number == nil {
		return nil // the last one: read everything
	}
	needle := fmt.Appendf(nil, `"tick":%d,`, *number)
	return func(line []byte) bool { return bytes.Contains(line, needle) || ofAll(line) }
}

// ofAll: an outcome names its action only, a policy its hash.
func ofAll(line []byte) bool {
	return bytes.Contains(line, []byte(`"outcome":{`)) || bytes.Contains(line, []byte(`"policy":{"hash"`))
}

// segmentWatch notices in a backward scan that another segment has begun: its numbers are smaller.
type segmentWatch struct{ last uint64 }

func (w *segmentWatch) begins(e journal.Entry) bool {
	older := w.last > 0 && e.Seq < w.last
	w.last = e.Seq
	return older
}
