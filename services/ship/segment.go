package ship

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"time"

	"gestor.local/contract"
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
	path    string
	file    *os.File
	size    int64
	entries []entry // undelivered
	dirty   bool    // written since the last sync
	// arrived is when the last of its records was delivered, zero while one waits.
	arrived time.Time
	// journalled is the highest JournalSeq of the records that lay in the file when it was opened.
	journalled uint64
}

// damage is what reading a segment found wrong.
type damage struct {
	torn []byte    // a last line without its end
	bad  []badLine // lines that are not records
}

// badLine is a line that is not a record, and where it lies.
type badLine struct {
	off  int64
	text []byte // with its newline
}

func (d damage) any() bool { return len(d.torn)+len(d.bad) > 0 }

func createSegment(path string) (*segment, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o640)
	if err != nil {
		return nil, err
	}
	return &segment{path: path, file: f, dirty: true}, nil
}

// openSegment reads a file left by an earlier run. Records that do not come after the given pseq are damage. A file with
// damage is to be mended before it is used.
func openSegment(path string, after uint64) (*segment, damage, error) {
	var harm damage
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, harm, err
	}
	whole := bytes.LastIndexByte(text, '\n') + 1
	harm.torn, text = bytes.Clone(text[whole:]), text[:whole]
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return nil, harm, err
	}
	s := &segment{path: path, file: f, size: int64(whole), dirty: true}
	if harm.bad, err = s.index(text, after); err != nil {
		_ = f.Close()
		return nil, harm, err
	}
	return s, harm, nil
}

// index fills the entries from the file's text and returns the lines that are not records. One of a later version is neither
// damage nor a record that could be sent: the log service of this release would refuse it for good.
func (s *segment) index(text []byte, after uint64) (bad []badLine, err error) {
	var off int64
	for line := range bytes.Lines(text) {
		var head struct {
			PSeq    uint64    `json:"pseq"`
			Time    time.Time `json:"ts"`
			Journal uint64    `json:"journal_seq"`
		}
		if later(line, contract.RecordVersion) {
			return nil, ErrVersion
		}
		switch err := json.Unmarshal(line, &head); {
		case len(bytes.Trim(line, " \n")) == 0: // mended by an earlier run
		case err != nil || head.PSeq <= after || head.PSeq > maxPSeq:
			bad = append(bad, badLine{off, bytes.Clone(line)})
		default:
			after, s.journalled = head.PSeq, max(s.journalled, head.Journal)
			s.entries = append(s.entries, entry{head.PSeq, off, int32(len(line)), head.Time.UnixMilli()})
		}
		off += int64(len(line))
	}
	return bad, nil
}

// mend cuts the torn line off and writes spaces over the bad ones, so that they are not found again. It comes after they
// were put aside.
func (s *segment) mend(harm damage) error {
	if len(harm.torn) > 0 {
		if err := s.file.Truncate(s.size); err != nil {
			return err
		}
	}
	for _, l := range harm.bad {
		if _, err := s.file.WriteAt(bytes.Repeat([]byte(" "), len(l.text)-1), l.off); err != nil {
			return err
		}
	}
	s.dirty = true
	return nil
}

// write appends lines. After an error the file is as it was before; if even that fails, broken is true and the segment
// must not be written again.
func (s *segment) write(lines []line) (broken bool, err error) {
	var buf bytes.Buffer
	for _, l := range lines {
		buf.Write(l.text)
	}
	if _, err := s.file.WriteAt(buf.Bytes(), s.size); err != nil {
		return s.file.Truncate(s.size) != nil, err
	}
	for _, l := range lines {
		s.entries = append(s.entries, entry{l.pseq, s.size, int32(len(l.text)), l.at.UnixMilli()})
		s.size += int64(len(l.text))
	}
	s.dirty, s.arrived = true, time.Time{}
	return false, nil
}

// after are the undelivered records with a higher pseq.
func (s *segment) after(pseq uint64) []entry {
	i, _ := slices.BinarySearchFunc(s.entries, pseq+1, func(e entry, p uint64) int { return cmp.Compare(e.pseq, p) })
	return s.entries[i:]
}

func (s *segment) sync() error {
	if !s.dirty {
		return nil
	}
	if err := s.file.Sync(); err != nil {
		return err
	}
	s.dirty = false
	return nil
}

func (s *segment) read(e entry) ([]byte, error) {
	text := make([]byte, e.size)
	if _, err := s.file.ReadAt(text, e.off); err != nil {
		return nil, fmt.Errorf("read record %d of %s: %w", e.pseq, s.path, err)
	}
	return text, nil
}

// remove deletes the file, unless somebody else has.
func (s *segment) remove() error {
	_ = s.file.Close() // nothing unsynced in it is wanted any more
	if err := os.Remove(s.path); !missing(err) {
		return err
	}
	return nil
}
