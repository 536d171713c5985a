package query

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"gestor.local/contract"

	"gestor.local/logs/internal/segment"
)

// maxRead is how many records a question may read one by one: some 3 s of one core, a third of what a question may take
// (respond.QueryTimeout), since others are asked meanwhile.
const maxRead = 1_000_000

// TooMuchError says that a question would read more records than one may.
type TooMuchError struct {
	Records int // that it would read, about
	Most    int // that it may
	// Since is from when on it would fit, zero when no later begin helps.
	Since time.Time
}

func (e *TooMuchError) Error() string {
	text := fmt.Sprintf("some %d records would have to be read one by one, and %d may", e.Records, e.Most)
	if !e.Since.IsZero() {
		text += ": since=" + e.Since.Format(time.RFC3339) + " fits"
	}
	return text
}

// checkCost says whether a question reads few enough records, before any is read: the indexes know how many there are.
func (e *Engine) checkCost(f contract.Filter) error {
	m := newMatcher(Query{Filter: f}, e.store.Head())

	var blocks []segment.Block
	total := 0
	for _, stream := range m.streams() {
		for _, seg := range e.store.Segments(stream) {
			some, err := seg.Estimate(m.blocks)
			if err != nil {
				return err
			}
			blocks = append(blocks, some...)
		}
	}

	for _, b := range blocks {
		total += b.Records
	}
	if total <= e.maxRead {
		return nil
	}

	// A range with an end is not helped by a begin behind it.
	since := earliestSince(blocks, e.maxRead)
	if !f.Until.IsZero() && !since.Before(f.Until) {
		since = time.Time{}
	}
	return &TooMuchError{Records: total, Most: e.maxRead, Since: since}
}

// earliestSince is the earliest whole second from which on the blocks that reach beyond it hold at most so many records.
func earliestSince(blocks []segment.Block, most int) time.Time {
	slices.SortFunc(blocks, func(a, b segment.Block) int { return cmp.Compare(b.MaxUS, a.MaxUS) })
	for i, b := range blocks {
		if most -= b.Records; most >= 0 {
			continue
		}

		if i == 0 {
			return time.Time{} // the newest alone are too many
		}
		return time.UnixMicro(b.MaxUS).UTC().Truncate(time.Second).Add(time.Second)
	}
	return time.Time{}
}
