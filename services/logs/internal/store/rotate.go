package store

import (
	"errors"
	"io/fs"
	"time"

	"gestor.local/logs/internal/segment"
)

// checkInterval is how often age is looked at when nothing else happens.
const checkInterval = 10 * time.Second

// Bounds of what is in memory beside the files, in bytes.
const (
	// maxIndexed is for one segment: its index, and its sums. A usual one has some hundred KiB; names or minutes that are new
	// with every record fill it, and the file is closed early.
	maxIndexed = 16 << 20
	// maxUnsealed is for all the segments that wait to be sealed: beyond, records are refused until the maintenance
	// goroutine has caught up.
	maxUnsealed = 48 << 20
)

// memoryOf is what a segment that is not sealed takes in memory.
func (s *Store) memoryOf(seg *segment.Segment) int { return seg.Bytes() + s.rollups.bytes(seg) }

// updateUnsealed adds up what waits to be sealed.
func (s *Store) updateUnsealed() {
	total := 0
	for _, stream := range Streams() {
		for _, seg := range s.finished(stream) {
			if !seg.Sealed() {
				total += s.memoryOf(seg)
			}
		}
	}
	s.unsealed.Store(int64(total))
}

// active returns the segment that takes the next records of a stream.
func (s *Store) active(stream Stream, first uint64) (*segment.Segment, error) {
	if seg := s.current[stream]; seg != nil {
		return seg, nil
	}

	seg, err := segment.Create(s.fs, s.dir(stream), first, s.cache)

	// Somebody has deleted the folder: what is gone is reported elsewhere, new records are to be kept all the same.
	if errors.Is(err, fs.ErrNotExist) {
		if err := s.makeFolders(); err != nil {
			return nil, err
		}
		seg, err = segment.Create(s.fs, s.dir(stream), first, s.cache)
	}
	if err != nil {
		return nil, err
	}

	s.mu.Lock()
	defer s.mu.Unlock()
	s.current[stream], s.openedAt[stream] = seg, s.cfg.Now()
	s.streams[stream] = append(s.streams[stream], seg)
	return seg, nil
}

// rotate hands segments that are large or old enough to the maintenance goroutine.
func (s *Store) rotate() {
	if s.Err() != nil {
		return
	}
	for stream, seg := range s.current {
		if seg == nil {
			continue
		}

		// An empty one has no age: it would be sealed into nothing.
		summary := seg.Summary()
		old := s.cfg.Now().Sub(s.openedAt[stream]) >= s.cfg.maxAge(Stream(stream))
		full := summary.Bytes >= s.cfg.SegmentBytes || s.memoryOf(seg) >= maxIndexed
		if summary.Records == 0 || !full && !old {
			continue
		}

		// What was left to later is synced here: later only the current files are.
		if s.unsynced[stream] {
			if s.syncNow(seg) != nil {
				return
			}
			s.unsynced[stream] = false
		}

		s.mu.Lock()
		s.current[stream] = nil
		s.mu.Unlock()
		s.updateUnsealed()
		s.wake()
	}
}

func (s *Store) wake() {
	select {
	case s.wakeup <- struct{}{}:
	default: // it is awake
	}
}
