package segment

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"path"

	"gestor.local/logs/internal/line"
	"gestor.local/wal/disk"
)

// ErrBroken marks a failure after which only the disk knows what is stored: stop, start again and read it.
var ErrBroken = errors.New("the state of the file is not known")

// Bad is what recovery could not read.
type Bad struct {
	Lines int    `json:"lines"` // in the middle: skipped, still in the file
	Bytes int64  `json:"bytes"`
	Torn  int64  `json:"torn"` // bytes of the tail that are no record
	Aside string // the file that keeps them
	// Why says what keeps the tail from being read, or the file from being written.
	Why string `json:"why,omitempty"`
}

// Recover opens an active segment and reads it: builds the index, skips bad lines, and cuts a torn tail after copying
// it to aside/<name>.<offset>.torn. Where that is not possible now, on a full disk or of a file that may only be read, the
// tail stays until the segment is sealed, and Whole is false. It is false too when the disk cannot read the file from some
// byte on. seen is called for every good record, which is valid until it returns.
func Recover(fsys disk.FS, dir string, first uint64, cache *Cache, aside string, seen func(*line.Record)) (*Segment, error) {
	s := &Segment{fs: fsys, dir: dir, name: Name(first), first: first, index: newIndex(), cache: cache}
	file, err := fsys.Append(s.path(ActiveExt))
	if err != nil {
		cause := err
		if file, err = fsys.Open(s.path(ActiveExt)); err != nil {
			return nil, fmt.Errorf("recover %s: %w", s.name, cause)
		}
		s.fixed, s.bad.Why = true, cause.Error()
	}
	s.file = file
	if err := s.recover(first, aside, seen); err != nil {
		file.Close()
		return nil, fmt.Errorf("recover %s: %w", s.name, err)
	}
	return s, nil
}

func (s *Segment) recover(first uint64, aside string, seen func(*line.Record)) error {
	if err := s.file.Sync(); err != nil { // what is shown and counts as stored from now on must outlive a power cut
		return err
	}
	size, err := s.file.Size()
	if err != nil {
		return err
	}
	good := int64(0) // end of the last good line
	badLines, badBytes := 0, int64(0)
	pending, pendingBytes := 0, int64(0) // bad lines since then
	parser := line.NewParser()
	var rec line.Record // one for all lines: it goes to the heap
	s.unread = Lines(s.file, size, func(offset int64, b []byte) error {
		length := int64(len(b)) + 1
		ended := offset+length <= size // with a newline
		if !ended || !whole(b, parser, &rec) || s.index.Records > 0 && rec.Seq <= s.index.Last {
			pending, pendingBytes = pending+1, pendingBytes+length
			if head, ok := line.ParseHead(b); ok && ended && head.Seq < max(s.index.Last, first)+maxClaim {
				s.claimed = max(s.claimed, head.Seq)
			}
			return nil
		}
		badLines, badBytes = badLines+pending, badBytes+pendingBytes
		pending, pendingBytes = 0, 0
		s.index.grow(&rec, good, offset+length-good) // with the bad lines before it: they are put aside at the seal
		good = offset + length
		if seen != nil {
			seen(&rec)
		}
		return nil
	})
	s.bad.Lines, s.bad.Bytes = badLines, badBytes
	s.size, s.index.Bytes = good, good
	s.tail = size - good
	switch {
	case s.stuck(): // what is behind may be good, and stays where it is
		s.bad.Torn, s.bad.Aside, s.bad.Why = s.tail, s.path(ActiveExt), s.unread.Error()
		return nil
	case s.tail == 0:
		return nil
	}

	s.bad.Torn, s.bad.Aside = s.tail, s.asideName(aside)
	if err := s.cutTail(aside); err != nil && s.tail == 0 {
		return err
	}
	if s.tail > 0 {
		s.bad.Aside = s.path(ActiveExt)
	}
	return nil
}

// Whole says that more may be appended: nothing stands behind the last record, and the file may be written.
func (s *Segment) Whole() bool { return s.tail == 0 && !s.fixed && !s.stuck() }

func (s *Segment) stuck() bool { return s.unread != nil }

// Stuck says why the segment cannot be sealed, nil when it can. It may only be called by whoever seals.
func (s *Segment) Stuck() error { return s.unread }

func (s *Segment) asideName(aside string) string {
	return fmt.Sprintf("%s/%s.%d.torn", aside, s.name, s.size)
}

// maxClaim bounds how far a damaged number may run ahead: the records of one commit, of which the last request may be
// large.
const maxClaim = 200_000

// whole checks a line and parses it.
func whole(b []byte, parser *line.Parser, rec *line.Record) bool {
	return line.Check(b) && parser.ParseStored(b, rec)
}

// cutTail copies the tail aside before it truncates: the evidence outlives the repair. A file that may only be read keeps
// its tail; it is deleted when it is sealed.
func (s *Segment) cutTail(aside string) error {
	if s.tail == 0 {
		return nil
	}
	tail := make([]byte, s.tail)
	if n, err := s.file.ReadAt(tail, s.size); int64(n) != s.tail {
		return err
	}
	if err := s.fs.Mkdir(aside); err != nil {
		return err
	}
	if err := s.fs.SyncDir(path.Dir(aside)); err != nil {
		return err
	}
	if err := disk.WriteFile(s.fs, s.asideName(aside), tail); err != nil {
		return fmt.Errorf("keep the torn tail: %w", err)
	}
	if s.fixed {
		return nil
	}
	if err := s.file.Truncate(s.size); err != nil {
		return err
	}
	s.tail = 0
	return s.file.Sync()
}

// Lines calls fn for every line of a file, the last one also without its newline, with the offset of its first byte.
// A line longer than any record is handed over in pieces, each of which fails its check.
func Lines(file io.ReaderAt, size int64, fn func(offset int64, b []byte) error) error {
	buf := make([]byte, 0, min(size, 1<<20))
	offset := int64(0) // of buf[0]
	for {
		room := buf[len(buf):cap(buf)]
		at := offset + int64(len(buf))
		n, err := file.ReadAt(room[:min(int64(len(room)), size-at)], at)
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		buf = buf[:len(buf)+n]
		last := n == 0 || offset+int64(len(buf)) >= size
		rest := buf
		for len(rest) > 0 {
			end := bytes.IndexByte(rest, '\n')
			if end < 0 && !last && len(rest) < cap(buf) {
				break
			}
			if end < 0 {
				end = len(rest)
			}
			if err := fn(offset+int64(len(buf)-len(rest)), rest[:end]); err != nil {
				return err
			}
			rest = rest[min(end+1, len(rest)):]
		}
		offset += int64(len(buf) - len(rest))
		buf = buf[:copy(buf[:cap(buf)], rest)]
		if last {
			return nil
		}
	}
}
