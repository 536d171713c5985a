package segment

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"gestor.local/logs/internal/disk"
	"gestor.local/logs/internal/line"
)

// ErrBroken marks a failure after which only the disk knows what is stored: stop, start again and read it.
var ErrBroken = errors.New("the state of the file is not known")

// Bad is what recovery could not read.
type Bad struct {
	Lines int   `json:"lines"` // in the middle: skipped, still in the file
	Bytes int64 `json:"bytes"`
	Torn  int64 `json:"torn"` // bytes of the tail that were cut off and kept aside
	Aside string
}

// Recover opens an active segment and reads it: builds the index, skips bad lines, and cuts a torn tail after copying
// it to aside/<name>.<offset>.torn. seen is called for every good record, which is valid until
// it returns.
func Recover(fsys disk.FS, dir string, first uint64, cache *Cache, aside string, seen func(*line.Record)) (*Segment, error) {
	s := &Segment{fs: fsys, dir: dir, name: Name(first), index: newIndex(), cache: cache}
	file, err := fsys.Append(s.path(ActiveExt))
	if err != nil {
		return nil, fmt.Errorf("recover %s: %w", s.name, err)
	}
	s.file = file
	if err := s.recover(aside, seen); err != nil {
		file.Close()
		return nil, fmt.Errorf("recover %s: %w", s.name, err)
	}
	return s, nil
}

func (s *Segment) recover(aside string, seen func(*line.Record)) error {
	size, err := s.file.Size()
	if err != nil {
		return err
	}
	good := int64(0) // end of the last good line
	badLines, badBytes := 0, int64(0)
	pending, pendingBytes := 0, int64(0) // bad lines since then
	parser := line.NewParser()
	var rec line.Record // one for all lines: it goes to the heap
	err = Lines(s.file, size, func(offset int64, b []byte) error {
		length := int64(len(b)) + 1
		ended := offset+length <= size // with a newline
		if !ended || !whole(b, parser, &rec) || s.index.Records > 0 && rec.Seq <= s.index.Last {
			pending, pendingBytes = pending+1, pendingBytes+length
			if head, ok := line.ParseHead(b); ok && ended && head.Seq < s.index.Last+maxClaim {
				s.claimed = max(s.claimed, head.Seq)
			}
			return nil
		}
		badLines, badBytes = badLines+pending, badBytes+pendingBytes
		pending, pendingBytes = 0, 0
		s.index.grow(&rec, offset, length)
		good = offset + length
		if seen != nil {
			seen(&rec)
		}
		return nil
	})
	if err != nil {
		return err
	}
	s.bad = Bad{Lines: badLines, Bytes: badBytes}
	s.size, s.index.Bytes = good, good
	if good == size {
		return nil
	}
	return s.cut(aside, good, size)
}

// maxClaim bounds how far a damaged number may run ahead: the records of one commit.
const maxClaim = 20_000

// whole checks a line and parses it.
func whole(b []byte, parser *line.Parser, rec *line.Record) bool {
	return line.Check(b) && parser.Stored(b, rec)
}

// cut copies the tail aside before it truncates: the evidence outlives the repair.
func (s *Segment) cut(aside string, good, size int64) error {
	tail := make([]byte, size-good)
	if n, err := s.file.ReadAt(tail, good); int64(n) != size-good {
		return err
	}
	name := fmt.Sprintf("%s.%d.torn", s.name, good)
	if err := s.fs.Mkdir(aside); err != nil {
		return err
	}
	if err := disk.WriteFile(s.fs, aside, name, tail); err != nil {
		return fmt.Errorf("keep the torn tail: %w", err)
	}
	if err := s.file.Truncate(good); err != nil {
		return err
	}
	if err := s.file.Sync(); err != nil {
		return err
	}
	s.bad.Torn, s.bad.Aside = size-good, aside+"/"+name
	return nil
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
