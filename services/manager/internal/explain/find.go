package explain

import (
	"bytes"
	"errors"
	"fmt"

	"gestor.local/manager/internal/journal"
)

// ErrNotFound says that the journal does not reach back to what was asked for, or never held it.
var ErrNotFound = errors.New("not in the journal (it is bounded: older ticks are deleted)")

// Last is the newest tick of the journal at path.
func Last(path string) (Page, error) { return find(path, nil) }

// Tick is the newest tick with this number. After a reset of the manager's state numbers begin again.
func Tick(path string, number uint64) (Page, error) { return find(path, &number) }

// find reads the segments newest first and stops at the first that holds the tick. What was done because of the tick
// stands behind it, in the same segment or in one that was read before.
func find(path string, number *uint64) (Page, error) {
	var found *journal.Entry
	var done deeds
	segment := segmentWatch{}
	_, err := journal.ScanBackwards(path, concernsTick(number), func(e journal.Entry) error {
		if segment.begins(e) && found != nil {
			return journal.ErrStop
		}
		if e.Tick != nil && (number == nil || e.Tick.Context.Tick == *number) {
			found = &e
		}
		if e.Intent == nil || number == nil || e.Intent.Tick == *number {
			done.hear(e)
		}
		return nil
	})
	switch {
	case err != nil:
		return Page{}, err
	case found == nil && number == nil:
		return Page{}, fmt.Errorf("explain last tick: %w", ErrNotFound)
	case found == nil:
		return Page{}, fmt.Errorf("explain tick %d: %w", *number, ErrNotFound)
	}
	plan, err := found.Tick.Decoded()
	if err != nil {
		return Page{}, err
	}
	because := done.those(func(i journal.Intent) bool { return i.Tick == plan.Tick && i.Sequence == plan.Sequence })
	return New(found.At, *found.Tick, plan, because), nil
}

// concernsTick tells by the text of a line whether it may be about the tick: it names the number, or it is an outcome.
func concernsTick(number *uint64) func(line []byte) bool {
	if number == nil {
		return nil // the last one: read everything
	}
	needle := fmt.Appendf(nil, `"tick":%d,`, *number)
	return func(line []byte) bool { return bytes.Contains(line, needle) || isOutcome(line) }
}

// isOutcome: an outcome names its action only.
func isOutcome(line []byte) bool { return bytes.Contains(line, []byte(`"outcome":{`)) }

// segmentWatch notices in a backward scan that another segment has begun: its numbers are smaller.
type segmentWatch struct{ last uint64 }

func (w *segmentWatch) begins(e journal.Entry) bool {
	older := w.last > 0 && e.Seq < w.last
	w.last = e.Seq
	return older
}
