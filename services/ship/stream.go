package ship

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Names of the two streams: the part of the file name before the first pseq.
const (
	streamEvents       = "events"
	streamObservations = "observations"
)

// line is one record on its way into a stream.
type line struct {
	pseq uint64
	at   time.Time
	text []byte // with its newline
}

func textBytes(lines []line) (n int64) {
	for _, l := range lines {
		n += int64(len(l.text))
	}
	return n
}

// stream is a row of segments in ascending order of pseq; the last one is written to.
type stream struct {
	dir, name    string
	segmentBytes int64
	segments     []*segment
	newFile      bool // the folder must be synced too
}

// open reads the stream's files, oldest first, and hands those with damage to mend.
func (st *stream) open(delivered uint64, mend func(*segment, damage) error) error {
	paths, err := st.paths()
	if err != nil {
		return err
	}
	last := uint64(0)
	for _, path := range paths {
		seg, harm, err := openSegment(path, delivered, last)
		if err != nil {
			return fmt.Errorf("open segment %s: %w", path, err)
		}
		st.segments = append(st.segments, seg)
		last = max(last, st.lastPSeq())
		if !harm.any() {
			continue
		}
		if err := mend(seg, harm); err != nil {
			return fmt.Errorf("mend segment %s: %w", path, err)
		}
	}
	return st.discardDelivered()
}

// paths lists the stream's files, oldest first: their names sort by first pseq. The folder's own name may hold anything,
// also what filepath.Glob would take for a pattern.
func (st *stream) paths() (paths []string, err error) {
	files, err := os.ReadDir(st.dir) // sorted
	if err != nil {
		return nil, err
	}
	for _, f := range files {
		if name := f.Name(); strings.HasPrefix(name, st.name+"-") && strings.HasSuffix(name, ".ndjson") {
			paths = append(paths, filepath.Join(st.dir, name))
		}
	}
	return paths, nil
}

// lastPSeq is the highest pseq in the stream's files, delivered ones included only while their file exists.
func (st *stream) lastPSeq() (last uint64) {
	for _, seg := range st.segments {
		for _, e := range seg.entries {
			last = max(last, e.pseq)
		}
	}
	return last
}

// write appends lines to the last segment, or to a new one when that is full.
func (st *stream) write(lines []line) (broken bool, err error) {
	if len(lines) == 0 {
		return false, nil
	}
	if len(st.segments) == 0 || st.segments[len(st.segments)-1].size >= st.segmentBytes {
		path := filepath.Join(st.dir, fmt.Sprintf("%s-%020d.ndjson", st.name, lines[0].pseq))
		seg, err := createSegment(path)
		if err != nil {
			return false, err
		}
		st.segments = append(st.segments, seg)
		st.newFile = true
	}
	return st.segments[len(st.segments)-1].write(lines)
}

// sync puts everything written so far on stable storage.
func (st *stream) sync() error {
	for _, seg := range st.segments {
		if err := seg.sync(); err != nil {
			return err
		}
	}
	if !st.newFile {
		return nil
	}
	if err := syncDir(st.dir); err != nil {
		return err
	}
	st.newFile = false
	return nil
}

// discardDelivered deletes the files that hold nothing undelivered.
func (st *stream) discardDelivered() error { return st.discardBefore(0) }

// discardBefore deletes the files, from the oldest on, whose records all come before pseq.
func (st *stream) discardBefore(pseq uint64) error {
	for len(st.segments) > 0 {
		seg := st.segments[0]
		if n := len(seg.entries); n > 0 && seg.entries[n-1].pseq >= pseq {
			return nil
		}
		if err := seg.remove(); err != nil {
			return err
		}
		st.segments = st.segments[1:]
	}
	return nil
}

// discardOldest deletes the oldest file whose records all come after busy and returns what it held; ok is false when
// there is no such file. before is called with the last pseq of the file; its error keeps the file.
func (st *stream) discardOldest(busy uint64, before func(last uint64) error) (gone []entry, ok bool, err error) {
	for i, seg := range st.segments {
		if len(seg.entries) > 0 && seg.entries[0].pseq <= busy {
			continue
		}
		if n := len(seg.entries); n > 0 {
			if err := before(seg.entries[n-1].pseq); err != nil {
				return nil, false, err
			}
		}
		if err := seg.remove(); err != nil {
			return nil, false, err
		}
		st.segments = append(st.segments[:i:i], st.segments[i+1:]...)
		return seg.entries, true, nil
	}
	return nil, false, nil
}

// delivered forgets every record up to pseq.
func (st *stream) delivered(pseq uint64) {
	for _, seg := range st.segments {
		n := 0
		for n < len(seg.entries) && seg.entries[n].pseq <= pseq {
			n++
		}
		seg.entries = seg.entries[n:]
		if len(seg.entries) > 0 {
			return
		}
	}
}

func (st *stream) bytes() (n int64) {
	for _, seg := range st.segments {
		n += seg.size
	}
	return n
}

func (st *stream) records() (n int) {
	for _, seg := range st.segments {
		n += len(seg.entries)
	}
	return n
}

func (st *stream) close() {
	for _, seg := range st.segments {
		_ = seg.file.Close() // everything precious was synced when it was written
	}
}

// syncDir makes the creation and renaming of a folder's files durable.
func syncDir(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	err = f.Sync()
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	return err
}
