package ship

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"time"

	"gestor.local/contract"
	"gestor.local/wal"
	"gestor.local/wal/disk"
)

// entry is where one undelivered record lies in its segment.
type entry struct {
	pseq uint64
	off  int64
	size int32 // with its newline
	at   int64 // the record's time, Unix milliseconds
}

// maxPSeq is the last number that JSON readers keep exactly. It is never reached: only damage goes beyond it.
const maxPSeq = 1 << 53

// segment is one file of a stream: NDJSON lines in ascending order of pseq.
type segment struct {
	file    *wal.File
	entries []entry // undelivered
	// arrived is when the last of its records was delivered, zero while one waits.
	arrived time.Time
	// journalled is the highest JournalSeq of the records that lay in the file when it was opened.
	journalled uint64
}

// damage is what reading a segment found wrong.
type damage struct {
	end  int64     // of the last whole line; a torn one may follow
	torn int64     // bytes of that
	bad  []badLine // lines that are not records
}

// badLine is a line that is not a record, and where it lies.
type badLine struct {
	wal.Span
	text []byte
}

func (d damage) any() bool { return d.torn > 0 || len(d.bad) > 0 }

// openSegment reads a file left by an earlier run. Records that do not come after the given pseq are damage. A file with
// damage is to be repaired before it is used.
func openSegment(fsys disk.FS, name string, after uint64) (*segment, damage, error) {
	f, err := wal.Open(fsys, name)
	if err != nil {
		return nil, damage{}, err
	}

	s := &segment{file: f}
	found, err := s.index(after)
	if err != nil {
		_ = f.Close()
		return nil, damage{}, err
	}
	return s, found, nil
}

// index fills the entries from the file's text and returns the lines that are not records. One of a later version is
// neither damage nor a record that could be sent: the log service of this release would refuse it for good.
func (s *segment) index(after uint64) (found damage, err error) {
	scanned, err := wal.Scan(s.file.Reader(), math.MaxInt, func(offset int64, text []byte, ended bool) (wal.Verdict, error) {
		if !ended {
			return wal.Bad, nil
		}

		if later(text, contract.RecordVersion) {
			return wal.Bad, ErrVersion
		}

		size := int64(len(text)) + 1
		head, ok := parseHead(text)
		switch {
		case len(bytes.Trim(text, " ")) == 0: // blanked by an earlier run
			return wal.Blank, nil
		case !ok || head.PSeq <= after || head.PSeq > maxPSeq:
			found.bad = append(found.bad, badLine{wal.Span{Offset: offset, Length: size}, bytes.Clone(text)})
			return wal.Bad, nil
		}

		after, s.journalled = head.PSeq, max(s.journalled, head.Journal)
		s.entries = append(s.entries, entry{head.PSeq, offset, int32(size), head.Time.UnixMilli()})
		return wal.Good, nil
	})

	found.end, found.torn = scanned.Ended, scanned.Size-scanned.Ended
	return found, err
}

// lineHead is what the spool reads of a record that lies in a file.
type lineHead struct {
	PSeq    uint64    `json:"pseq"`
	Time    time.Time `json:"ts"`
	Journal uint64    `json:"journal_seq"`
}

// parseHead reads a line; ok is false for one that is no record.
func parseHead(text []byte) (head lineHead, ok bool) {
	err := json.Unmarshal(text, &head)
	return head, err == nil
}

// repair cuts the torn line off and writes spaces over the bad ones, so that they are not found again, each after save has
// stored a copy.
func (s *segment) repair(found damage, save func(text []byte, reason string) error) error {
	_, err := s.file.CutTail(found.end, func(tail []byte) error {
		return save(tail, "torn: the writer stopped in the middle of this line")
	})
	if err != nil {
		return err
	}

	for _, line := range found.bad {
		if err := save(line.text, "not a record"); err != nil {
			return err
		}
		if err := s.file.Blank(line.Span); err != nil {
			return err
		}
	}
	return nil
}

// write appends lines. After an error the file is as it was before, unless it wraps wal.ErrBroken: then it takes no more.
func (s *segment) write(lines []line) error {
	offset := s.file.Size()
	if err := s.file.Append(textOf(lines)); err != nil {
		return err
	}

	s.add(lines, offset)
	return nil
}

// add notes lines that lie in the file from the offset on.
func (s *segment) add(lines []line, offset int64) {
	for _, l := range lines {
		s.entries = append(s.entries, entry{l.pseq, offset, int32(len(l.text)), l.at.UnixMilli()})
		offset += int64(len(l.text))
	}
	s.arrived = time.Time{}
}

// after are the undelivered records with a higher pseq.
func (s *segment) after(pseq uint64) []entry {
	i, _ := slices.BinarySearchFunc(s.entries, pseq+1, func(e entry, p uint64) int { return cmp.Compare(e.pseq, p) })
	return s.entries[i:]
}

func (s *segment) read(e entry) ([]byte, error) {
	text := make([]byte, e.size)
	if _, err := s.file.ReadAt(text, e.off); err != nil {
		return nil, fmt.Errorf("read record %d of %s: %w", e.pseq, s.file.Name(), err)
	}
	return text, nil
}
