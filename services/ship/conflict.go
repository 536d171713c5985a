package ship

import (
	"bytes"
	"fmt"
	"slices"

	"gestor.local/contract"
)

// conflicting are the numbers of the records that the log service calls duplicates although they were sent for the first
// time: somebody else has used their numbers. Of what earlier processes left (up to known) nobody can say whether it was
// sent, nor of what got no answer.
func (b batch) conflicting(known uint64, r contract.IngestResult) (numbers []uint64) {
	for _, row := range r.DuplicateRanges {
		for _, it := range b.items[row[0]-1 : row[1]] {
			if it.pseq > max(known, it.stream.sent) {
				numbers = append(numbers, it.pseq)
			}
		}
	}
	return numbers
}

// markSent notes that the records of the batch may have reached the log service.
func (b batch) markSent() {
	for _, it := range b.items {
		it.stream.sent = max(it.stream.sent, it.pseq)
	}
}

// conflict gives the records with the given numbers, and those after the batch, a new spool id. They keep their numbers, so
// that it makes no difference how often this is begun: first the state says durably which they are, then the id is written
// over the old one in their files, then the state forgets them.
func (s *spool) conflict(b batch, taken []uint64) error {
	next := s.state
	for i, it := range b.items {
		if at := idAt(b.lines[i]); slices.Contains(taken, it.pseq) && at >= 0 && string(b.lines[i][at:at+idLength]) == s.state.Spool {
			next.Spool = newID()
			break // a record with another id belongs to a conflict that was found before
		}
	}

	next.Again = append(ranges(taken), [2]uint64{max(b.last, s.events.sent, s.observations.sent) + 1, s.last}) // never sent

	was := s.state.Spool
	if err := s.saveState(next); err != nil {
		return fmt.Errorf("note an identity conflict: %w", err)
	}
	if err := s.renumber(); err != nil {
		return err
	}

	if was == next.Spool {
		return nil
	}
	return s.report(conflictBody(taken, was, next.Spool))
}

// renumber brings what conflict began to its end.
func (s *spool) renumber() error {
	if len(s.state.Again) == 0 {
		return nil
	}

	next := merge(&s.events, &s.observations)
	for it, ok := next(); ok; it, ok = next() {
		if !within(s.state.Again, it.pseq) {
			continue
		}

		if err := it.segment.setID(it.entry, s.state.Spool); err != nil {
			return fmt.Errorf("give records a new identity: %w", err)
		}
	}

	// The ids are on the disk before the state forgets which records get them.
	if err := s.sync(); err != nil {
		return err
	}

	st := s.state
	st.Again = nil
	return s.saveState(st)
}

// setID writes the spool id over that of a record: they have one length.
func (s *segment) setID(e entry, id string) error {
	text, err := s.read(e)
	if err != nil {
		return err
	}

	at := idAt(text)
	if at < 0 {
		return nil // no record of a spool
	}
	return s.file.Overwrite([]byte(id), e.off+int64(at))
}

// idAt is where the spool id stands in a record's line, at the end of its boot; negative when there is none. The boot is
// the first key of that name: a value before it would have its quotation marks escaped.
func idAt(text []byte) int {
	key := []byte(`"boot":"`)
	begin := bytes.Index(text, key)
	if begin < 0 {
		return -1
	}
	begin += len(key)

	end := bytes.IndexByte(text[begin:], '"')
	if end < idLength+1 || text[begin+end-idLength-1] != '.' {
		return -1
	}
	return begin + end - idLength
}

// ranges are ascending numbers as rows of neighbours.
func ranges(numbers []uint64) (rows [][2]uint64) {
	for _, n := range numbers {
		if last := len(rows) - 1; last >= 0 && rows[last][1] == n-1 {
			rows[last][1] = n
			continue
		}
		rows = append(rows, [2]uint64{n, n})
	}
	return rows
}

func within(rows [][2]uint64, n uint64) bool {
	return slices.ContainsFunc(rows, func(r [2]uint64) bool { return r[0] <= n && n <= r[1] })
}

// conflictBody is the record of a conflict.
func conflictBody(taken []uint64, was, now string) contract.SystemBody {
	return contract.SystemBody{
		Event: EventConflict, Level: contract.LevelError,
		Message: fmt.Sprintf("another sender has used this spool's numbers, or an older copy of the spool was put back: %d records, which were "+
			"taken for others', are sent again under a new identity; next: see to it that each producer has its own state folder", len(taken)),
		Details: map[string]any{"records": len(taken), "first_pseq": taken[0], "last_pseq": taken[len(taken)-1], "was": was, "now": now},
	}
}
