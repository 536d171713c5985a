package store

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"gestor.local/contract"

	"gestor.local/logs/internal/segment"
	"gestor.local/wal"
	"gestor.local/wal/disk"
)

// What is on the disk is compared with what was written: at the start with the list of files (segments.json), while the
// service runs every checkInterval, and the file that is being written at every commit.

// absent is a file of records that should be there and cannot be read. It is looked for again and again.
type absent struct {
	file
	first, last uint64 // numbers of its records, last is 0 when they are not known
	records     int
	why         error
}

// skipFile records that a file cannot be read, now or at the start, and puts it into words. All others are served.
func (s *Store) skipFile(f file, why error) contract.SystemBody {
	a := absent{file: f, first: f.first, why: why}
	if x, err := segment.Describe(s.fs, s.dir(f.stream), f.first); err == nil && !f.plain {
		a.first, a.last, a.records = x.First, x.Last, x.Records
		if !errors.Is(why, fs.ErrNotExist) { // what is gone may be sent again
			s.addSenders(f.stream, x.Last, x.Producers)
		}
	}
	s.next = max(s.next, f.first+1, a.last+1)
	return s.recordAbsent(a)
}

// recordAbsent raises the condition of a file that cannot be read.
func (s *Store) recordAbsent(a absent) contract.SystemBody {
	s.mu.Lock()
	s.absent = append(s.absent, a)
	s.mu.Unlock()
	s.updateMissingCondition()

	event := "segment_unreadable"
	if errors.Is(a.why, fs.ErrNotExist) {
		event = "segment_missing"
	}

	return contract.SystemBody{
		Event: event, Level: contract.LevelError, Message: a.String(),
		Details: map[string]any{
			"stream": a.stream.String(), "segment": segment.Name(a.file.first), "first_seq": a.first, "last_seq": a.last,
			"records": a.records,
		},
	}
}

func (a absent) String() string {
	what := fmt.Sprintf("the records from %d on", a.first)
	if a.last > 0 {
		what = fmt.Sprintf("%d of the records %d to %d", a.records, a.first, a.last)
	}
	return fmt.Sprintf("%s %s: %s cannot be had: %v", a.stream, segment.Name(a.file.first), what, a.why)
}

// updateMissingCondition raises or lowers the condition of files that cannot be read.
func (s *Store) updateMissingCondition() {
	s.mu.RLock()
	all := slices.Clone(s.absent)
	s.mu.RUnlock()
	if len(all) == 0 {
		s.condition.clear(conditionMissing)
		return
	}

	text := all[0].String()
	if n := len(all) - 1; n > 0 {
		text += fmt.Sprintf("; and %d files more", n)
	}
	s.condition.set(conditionMissing, text+"; bring the file back or let the service read it: it is looked for again every "+
		checkInterval.String())
}

// skipUnknownNumbers passes over the numbers that a file at the end of a stream, which cannot be read, may have given:
// as many as there can be in a file.
func (s *Store) skipUnknownNumbers(files []file) {
	for _, a := range s.absent {
		newest := !slices.ContainsFunc(files, func(f file) bool { return f.stream == a.stream && f.first > a.file.first })
		if newest && a.last == 0 {
			s.next += uint64((s.cfg.SegmentBytes + maxWaiting) / shortestLine)
			return
		}
	}
}

// shortestLine is less than a stored line takes.
const shortestLine = 128

// reopenAbsent takes the files back in that can be read again.
func (s *Store) reopenAbsent() {
	s.mu.RLock()
	all := slices.Clone(s.absent)
	s.mu.RUnlock()

	for _, a := range all {
		if s.stopping() || s.Err() != nil {
			return
		}

		seg, err := s.openAbsent(a)
		if err != nil {
			continue
		}
		if err := s.restoreSegment(a, seg); err != nil {
			_ = seg.Close() // it was only read
			continue
		}

		s.wake() // a plain one is to be sealed

		if seg.Bad() != (segment.Bad{}) {
			s.recordEvent(s.damage(a.stream, seg))
			continue
		}
		s.recordEvent(contract.SystemBody{
			Event: "segment_back", Level: contract.LevelInfo, Message: fmt.Sprintf("%s %s: its records can be read again", a.stream, seg.Name()),
			Details: map[string]any{"stream": a.stream.String(), "segment": seg.Name(), "records": seg.Summary().Records},
		})
	}
	s.updateMissingCondition()
}

// openAbsent opens a file in the form in which it is there: plain, if it is there in both.
func (s *Store) openAbsent(a absent) (seg *segment.Segment, err error) {
	for _, ext := range []string{segment.ActiveExt, segment.SealedExt} {
		if _, err = s.fs.Stat(s.dir(a.stream) + "/" + segment.Name(a.file.first) + ext); err == nil {
			return s.open(file{a.stream, a.file.first, ext == segment.ActiveExt})
		}
	}
	return nil, err
}

// restoreSegment puts a segment into its place among the others. It takes no more records.
func (s *Store) restoreSegment(a absent, seg *segment.Segment) error {
	producers, err := seg.Producers()
	if err != nil {
		return err
	}

	// Its numbers before its place: what is sent again meanwhile must be known as stored.
	err = s.runBetweenCommits(func() error {
		s.addSenders(a.stream, seg.Summary().Last, producers)
		for _, p := range producers {
			s.dedupe.normalize(s.dedupe.of(p.Identity))
		}
		return nil
	})
	if err != nil {
		return err
	}

	s.mu.Lock()
	defer s.mu.Unlock()

	list := append(slices.Clone(s.streams[a.stream]), seg)
	slices.SortFunc(list, func(x, y *segment.Segment) int { return cmp.Compare(x.First(), y.First()) })
	s.streams[a.stream] = list
	s.absent = slices.DeleteFunc(s.absent, func(o absent) bool { return o.file == a.file })
	return nil
}

// checkSealed looks whether the sealed files are where and what they were. One that is not is left out from now on.
func (s *Store) checkSealed() {
	if err := s.lockInPlace(); err != nil {
		_ = s.fail(err) // what Append and Err answer from now on
		return
	}

	for _, stream := range Streams() {
		for _, seg := range s.Segments(stream) {
			if s.stopping() {
				return
			}
			if !seg.Sealed() {
				continue
			}

			if err := seg.CheckFile(); err != nil {
				s.withdraw(stream, seg, err)
			}
		}
	}
}

// withdraw leaves a sealed segment out.
func (s *Store) withdraw(stream Stream, seg *segment.Segment, why error) {
	s.mu.Lock()
	s.streams[stream] = slices.DeleteFunc(slices.Clone(s.streams[stream]), func(x *segment.Segment) bool { return x == seg })
	s.mu.Unlock()

	summary := seg.Summary()
	seg.Detach()
	s.recordEvent(s.recordAbsent(absent{
		file: file{stream, seg.First(), false}, first: summary.First, last: summary.Last, records: summary.Records, why: why,
	}))
}

// lockInPlace says whether the data folder is still the one that is locked: after it was emptied another process may have it.
func (s *Store) lockInPlace() error {
	if err := disk.InPlace(s.fs, s.cfg.Dir+"/LOCK", s.lock, disk.AnySize); err != nil {
		return fmt.Errorf("%w: the data folder was emptied or replaced while the service ran: %w", wal.ErrBroken, err)
	}
	return nil
}

// checkCurrent looks at the files that are being written when nothing else does.
func (s *Store) checkCurrent() {
	for stream, seg := range s.current {
		if seg == nil || s.Err() != nil {
			continue
		}

		if why := seg.InPlace(); why != nil {
			if err := s.abandon(Stream(stream), seg, why); err != nil {
				_ = s.fail(err) // what Append and Err answer from now on
			}
		}
	}
}

// abandon stops writing to a file that was deleted, replaced or cut. The maintenance goroutine seals what can be read
// of it: of a deleted one all, for it is still open.
func (s *Store) abandon(stream Stream, seg *segment.Segment, why error) error {
	if err := s.lockInPlace(); err != nil {
		return err
	}

	summary := seg.Summary()
	s.mu.Lock()
	s.current[stream], s.unsynced[stream] = nil, false
	if summary.Records == 0 {
		s.streams[stream] = slices.DeleteFunc(slices.Clone(s.streams[stream]), func(x *segment.Segment) bool { return x == seg })
	}
	s.mu.Unlock()

	s.recordEvent(contract.SystemBody{
		Event: "segment_replaced", Level: contract.LevelError,
		Message: fmt.Sprintf("%s %s was deleted, replaced or cut while it was written (%v): a new file is begun, and what can be read "+
			"of its %d records is written again", stream, seg.Name(), why, summary.Records),
		Details: map[string]any{
			"stream": stream.String(), "segment": seg.Name(), "first_seq": summary.First, "last_seq": summary.Last, "records": summary.Records,
		},
	})
	s.updateUnsealed()
	s.wake()
	return nil
}
