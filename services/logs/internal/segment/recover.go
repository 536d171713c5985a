package segment

import (
	"fmt"
	"path"

	"gestor.local/logs/internal/line"
	"gestor.local/wal"
	"gestor.local/wal/disk"
)

// Bad is what recovery could not read.
type Bad struct {
	Lines int    `json:"lines"` // in the middle: skipped, still in the file
	Bytes int64  `json:"bytes"`
	Torn  int64  `json:"torn"` // bytes of the tail that are no record
	Aside string // the file that keeps them; the name is the key in JSON
	// Why says what keeps the tail from being read, or the file from being written.
	Why string `json:"why,omitempty"`
}

// Recover opens an active segment and reads it: builds the index, skips bad lines, and cuts a torn tail after copying
// it to quarantine/<name>.<offset>.torn. Where that is not possible now, on a full disk or of a file that may only be
// read, the tail stays until the segment is sealed, and Clean is false. It is false too when the disk cannot read the
// file from some byte on. visit is called for every good record, which is valid until it returns.
func Recover(fsys disk.FS, dir string, first uint64, cache *Cache, quarantine string, visit func(*line.Record)) (*Segment, error) {
	s := &Segment{fs: fsys, dir: dir, name: Name(first), first: first, index: newIndex(), cache: cache}
	file, err := wal.Open(fsys, s.path(ActiveExt))
	if err != nil {
		cause := err
		if file, err = wal.OpenReadOnly(fsys, s.path(ActiveExt)); err != nil {
			return nil, fmt.Errorf("recover %s: %w", s.name, cause)
		}
		s.bad.Why = cause.Error()
	}

	s.file = file
	if err := s.recover(first, quarantine, visit); err != nil {
		file.Close()
		return nil, fmt.Errorf("recover %s: %w", s.name, err)
	}
	return s, nil
}

func (s *Segment) recover(first uint64, quarantine string, visit func(*line.Record)) error {
	// The page cache may hold lines that nobody has synced: what is shown and counts as stored from here on must outlive a
	// power cut, so it is synced before it is read.
	if err := s.file.Sync(); err != nil {
		return err
	}

	found, err := s.scan(first, visit)
	s.readErr = err // what is behind may be good: it is no reason to leave out what was read
	s.bad.Lines, s.bad.Bytes = found.BadLines, found.BadBytes
	s.index.Bytes = found.Good
	s.tail = s.file.Size() - found.Good

	switch {
	case s.readErr != nil:
		s.bad.Torn, s.bad.Aside, s.bad.Why = s.tail, s.path(ActiveExt), s.readErr.Error()
		return nil //nolint:nilerr // readErr keeps it: sealing waits for it, and what was read is served
	case s.tail == 0:
		return nil
	}

	// Without room for a copy of the tail, or in a file that may only be read, the tail stays: the store begins another file,
	// and sealing this one tries again.
	s.bad.Torn, s.bad.Aside = s.tail, s.quarantineName(quarantine)
	cut, err := s.cutTail(quarantine)
	if !cut {
		s.bad.Aside = s.path(ActiveExt)
		return nil
	}
	return err
}

// scan builds the index of the good lines.
func (s *Segment) scan(first uint64, visit func(*line.Record)) (wal.Result, error) {
	parser := line.NewParser()
	var rec line.Record // one for all lines: it goes to the heap
	good := int64(0)    // end of the last good line

	return wal.Scan(s.file.Reader(), maxPiece, func(offset int64, b []byte, ended bool) (wal.Verdict, error) {
		if !ended || !validLine(b, parser, &rec) || s.index.Records > 0 && rec.Seq <= s.index.Last {
			// Its number may have been answered to a producer. It is not given again, unless it runs so far ahead that the
			// number itself must be damaged.
			if head, ok := line.ParseHead(b); ok && ended && head.Seq < max(s.index.Last, first)+maxClaim {
				s.claimed = max(s.claimed, head.Seq)
			}
			return wal.Bad, nil
		}

		// The block reaches back over the bad lines before it, so that sealing finds them and quarantines them.
		end := offset + int64(len(b)) + 1
		s.index.grow(&rec, good, end-good)
		good = end
		if visit != nil {
			visit(&rec)
		}
		return wal.Good, nil
	})
}

// maxPiece is more than any record takes; a longer line is read in pieces.
const maxPiece = 1 << 20

// Clean says that more may be appended: nothing stands behind the last record, and the file may be written.
func (s *Segment) Clean() bool { return s.tail == 0 && !s.file.ReadOnly() && s.readErr == nil }

// Unreadable says why the segment cannot be sealed, nil when it can. It may only be called by whoever seals.
func (s *Segment) Unreadable() error { return s.readErr }

func (s *Segment) quarantineName(quarantine string) string {
	return fmt.Sprintf("%s/%s.%d.torn", quarantine, s.name, s.index.Bytes)
}

// maxClaim bounds how far a damaged number may run ahead: the records of one commit, of which the last request may be
// large.
const maxClaim = 200_000

// validLine checks a line and parses it.
func validLine(b []byte, parser *line.Parser, rec *line.Record) bool {
	return line.Check(b) && parser.ParseStored(b, rec)
}

// cutTail cuts the tail off after it has stored a copy: the evidence outlives the repair. cut is false when the tail stays. A
// file that may only be read keeps its tail, which is deleted when the file is sealed.
func (s *Segment) cutTail(quarantine string) (cut bool, err error) {
	if s.tail == 0 {
		return true, nil
	}

	cut, err = s.file.CutTail(s.index.Bytes, func(tail []byte) error {
		if err := s.fs.Mkdir(quarantine); err != nil {
			return err
		}
		if err := s.fs.SyncDir(path.Dir(quarantine)); err != nil {
			return err
		}
		return disk.WriteFile(s.fs, s.quarantineName(quarantine), tail)
	})

	if !cut {
		return false, err
	}

	s.tail = 0
	return true, s.file.Sync()
}
