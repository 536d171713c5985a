package ship

import (
	"fmt"
	"path"
	"time"

	"gestor.local/wal"
	"gestor.local/wal/disk"
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
	// journal is the record's contract.Record.JournalSeq.
	journal uint64
}

func textOf(lines []line) (text []byte) {
	for _, l := range lines {
		text = append(text, l.text...)
	}
	return text
}

func textBytes(lines []line) (n int64) {
	for _, l := range lines {
		n += int64(len(l.text))
	}
	return n
}

// namesOf makes the names of a stream's files; the number is the first pseq.
func namesOf(stream string) wal.Names { return wal.Names{Prefix: stream + "-", Ext: ".ndjson"} }

// stream is a row of segments in ascending order of pseq; the last one is written to.
type stream struct {
	fsys         disk.FS
	dir          string
	names        wal.Names
	segmentBytes int64
	segments     []*segment
	// ackedBefore is the pseq up to which an earlier run was done with every record. What the files hold of them is sent
	// once more: see the package comment, Copies.
	ackedBefore uint64
	// sent is the pseq up to which records may have reached the log service under this process.
	sent uint64
	// lastQuarantined is the last pseq that the log service did not take and that was put into quarantine.
	lastQuarantined uint64
	// journalled is the highest JournalSeq of a record that was ever kept here.
	journalled uint64
	// lost is the highest pseq of a record that was lost with its file since the stream was opened.
	lost uint64
}

// open reads the stream's files, oldest first, and hands those with damage to repair.
func (st *stream) open(ackedBefore, journalled uint64, repair func(*segment, damage) error) error {
	st.ackedBefore, st.lastQuarantined, st.journalled = ackedBefore, ackedBefore, journalled
	firsts, err := st.names.List(st.fsys, st.dir)
	if err != nil {
		return err
	}

	last := uint64(0)
	for _, first := range firsts {
		name := st.path(first)
		seg, found, err := openSegment(st.fsys, name, last)
		if err != nil {
			return fmt.Errorf("open segment %s: %w", name, err)
		}

		st.segments = append(st.segments, seg)
		last, st.journalled = max(last, st.lastPSeq()), max(st.journalled, seg.journalled)

		if !found.any() {
			continue
		}
		if err := repair(seg, found); err != nil {
			return fmt.Errorf("repair segment %s: %w", name, err)
		}
	}
	return st.discardArrived(time.Now(), 0)
}

func (st *stream) path(first uint64) string { return path.Join(st.dir, st.names.Of(first)) }

// lastPSeq is the highest pseq of the undelivered records.
func (st *stream) lastPSeq() (last uint64) {
	for _, seg := range st.segments {
		for _, e := range seg.entries {
			last = max(last, e.pseq)
		}
	}
	return last
}

// write appends lines to the last segment, or to a new one when that is full. See segment.write for its error.
func (st *stream) write(lines []line) error {
	if len(lines) == 0 {
		return nil
	}

	if len(st.segments) == 0 || st.segments[len(st.segments)-1].file.Size() >= st.segmentBytes {
		f, err := wal.Create(st.fsys, st.path(lines[0].pseq))
		if err != nil {
			return err
		}
		st.segments = append(st.segments, &segment{file: f})
	}

	if err := st.segments[len(st.segments)-1].write(lines); err != nil {
		return err
	}

	for _, l := range lines {
		st.journalled = max(st.journalled, l.journal)
	}
	return nil
}

// sync puts everything written so far on stable storage.
func (st *stream) sync() error {
	for _, seg := range st.segments {
		if err := seg.file.Sync(); err != nil {
			return err
		}
	}
	return nil
}

// discardArrived deletes the files, from the oldest on, whose records all arrived before the given time, and those that
// take more room than the given.
func (st *stream) discardArrived(before time.Time, room int64) error {
	for len(st.segments) > 0 && len(st.segments[0].entries) == 0 {
		if st.segments[0].arrived.After(before) && st.arrivedBytes() <= room {
			return nil
		}
		if err := st.discardFirst(); err != nil {
			return err
		}
	}
	return nil
}

// arrivedBytes is the size of the files that discardArrived may delete.
func (st *stream) arrivedBytes() (n int64) {
	for _, seg := range st.segments {
		if len(seg.entries) > 0 {
			return n
		}
		n += seg.file.Size()
	}
	return n
}

// discardAcked deletes the oldest file if nothing in it waits to be sent for the first time and nothing of it is being
// sent; ok is false when there is none.
func (st *stream) discardAcked(inFlight uint64) (ok bool, err error) {
	if len(st.segments) == 0 {
		return false, nil
	}

	seg := st.segments[0]
	if len(seg.after(st.ackedBefore)) > 0 || (len(seg.entries) > 0 && seg.entries[0].pseq <= inFlight) {
		return false, nil
	}
	return true, st.discardFirst()
}

func (st *stream) discardFirst() error {
	if err := st.remove(st.segments[0]); err != nil {
		return err
	}
	st.segments = st.segments[1:]
	return nil
}

// remove deletes a segment's file, unless somebody else has.
func (st *stream) remove(seg *segment) error {
	_ = seg.file.Close() // nothing unsynced in it is wanted any more
	if err := st.fsys.Remove(seg.file.Name()); !disk.Missing(err) {
		return err
	}
	return nil
}

// discardBefore deletes the files, from the oldest on, whose records all come before pseq.
func (st *stream) discardBefore(pseq uint64) error {
	for len(st.segments) > 0 {
		seg := st.segments[0]
		if n := len(seg.entries); n > 0 && seg.entries[n-1].pseq >= pseq {
			return nil
		}
		if err := st.discardFirst(); err != nil {
			return err
		}
	}
	return nil
}

// discardOldest deletes the oldest file whose records all come after inFlight and returns what it held; ok is false when
// there is no such file. before is called with the last pseq of the file; its error keeps the file.
func (st *stream) discardOldest(inFlight uint64, before func(last uint64) error) (gone []entry, ok bool, err error) {
	for i, seg := range st.segments {
		if len(seg.entries) > 0 && seg.entries[0].pseq <= inFlight {
			continue
		}

		if n := len(seg.entries); n > 0 {
			if err := before(seg.entries[n-1].pseq); err != nil {
				return nil, false, err
			}
		}

		if err := st.remove(seg); err != nil {
			return nil, false, err
		}
		st.segments = append(st.segments[:i:i], st.segments[i+1:]...)
		return seg.entries, true, nil
	}
	return nil, false, nil
}

// delivered forgets every record up to pseq; their files stay for a while.
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
		if seg.arrived.IsZero() {
			seg.arrived = time.Now()
		}
	}
}

func (st *stream) bytes() (n int64) {
	for _, seg := range st.segments {
		n += seg.file.Size()
	}
	return n
}

// waiting is the number and the size of the records that no run was done with.
func (st *stream) waiting() (records int, bytes int64) {
	for _, seg := range st.segments {
		left := seg.after(st.ackedBefore)
		records += len(left)
		for _, e := range left {
			bytes += int64(e.size)
		}
	}
	return records, bytes
}

// oldest is the first of them.
func (st *stream) oldest() (e entry, ok bool) {
	for _, seg := range st.segments {
		if left := seg.after(st.ackedBefore); len(left) > 0 {
			return left[0], true
		}
	}
	return entry{}, false
}

func (st *stream) close() {
	for _, seg := range st.segments {
		_ = seg.file.Close() // everything durable was synced when it was written
	}
}
