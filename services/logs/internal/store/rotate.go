package store

import (
	"time"

	"gestor.local/logs/internal/segment"
)

// lookEvery is how often age is looked at when nothing else happens.
const lookEvery = 10 * time.Second

// maxRows bounds the sums that are in memory for a segment: records of many minutes or images make one for each. A row takes
// some 330 bytes.
const maxRows = 50_000

// active returns the segment that takes the next records of a stream.
func (s *Store) active(stream Stream, first uint64) (*segment.Segment, error) {
	if seg := s.current[stream]; seg != nil {
		return seg, nil
	}
	seg, err := segment.Create(s.fs, s.dir(stream), first, s.cache)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.current[stream], s.born[stream] = seg, s.cfg.Now()
	s.streams[stream] = append(s.streams[stream], seg)
	return seg, nil
}

// rotate hands segments that are large or old enough to the keeper.
func (s *Store) rotate() {
	if s.Err() != nil {
		return
	}
	for stream, seg := range s.current {
		if seg == nil {
			continue
		}
		brief := seg.Brief()
		old := s.cfg.Now().Sub(s.born[stream]) >= s.cfg.maxAge(Stream(stream))
		full := brief.Bytes >= s.cfg.SegmentBytes || s.rollups.rows(seg) >= maxRows
		if brief.Records == 0 || !full && !old {
			continue
		}
		if s.unsynced[stream] {
			if s.syncNow(seg) != nil {
				return
			}
			s.unsynced[stream] = false
		}
		s.mu.Lock()
		s.current[stream] = nil
		s.mu.Unlock()
		s.wake()
	}
}

func (s *Store) wake() {
	select {
	case s.kick <- struct{}{}:
	default: // it is awake
	}
}
