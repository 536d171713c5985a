package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"gestor.local/contract"

	"gestor.local/logs/internal/rollup"

	"gestor.local/logs/internal/segment"
)

// maintain seals what is full and deletes what is old, beside the committer and out of its way.
func (s *Store) maintain() {
	tick := time.NewTicker(checkInterval)
	defer tick.Stop()

	for {
		_ = s.guarded("keep files", s.maintainOnce) // a condition says it; the next look tries again

		select {
		case <-s.wakeup:
		case <-tick.C:
			_ = s.guarded("look at files", s.checkFiles)
		case <-s.stop:
			return
		}
	}
}

func (s *Store) maintainOnce() error {
	var failed error
	for _, stream := range Streams() {
		failed = errors.Join(failed, s.seal(stream))
		s.retain(stream)
	}
	s.condition.setFrom(conditionSeal, failed)

	s.rollups.maintain(s)
	s.updateNamesCondition()

	if !s.Full() {
		s.retryEvents()
	}
	return nil
}

// checkFiles compares what is on the disk with what should be there.
func (s *Store) checkFiles() error {
	s.checkSealed()
	s.reopenAbsent()
	s.retryEvents()
	if s.Err() == nil {
		s.writeList(s.listFiles())
	}
	return nil
}

// seal compresses the segments that take no more records. What fails is tried again at the next look: the plain file
// stays readable.
func (s *Store) seal(stream Stream) (failed error) {
	for _, seg := range s.finished(stream) {
		if seg.Sealed() || seg.Unreadable() != nil || s.stopping() || s.Err() != nil {
			continue
		}

		// The sums first. A crash in between leaves sums of a plain file, which the next start removes and makes again; the
		// other way round the segment would have none.
		err := s.rollups.file(s, stream, seg)
		if err == nil {
			err = seg.Seal(s.quarantine(), s.cfg.Now())
		}

		switch {
		case err != nil && seg.Unreadable() != nil: // trying again would not help
			s.condition.set(conditionDamaged, err.Error())
			continue
		case err != nil:
			failed = err // the others do not wait for it
			continue
		}

		s.counters.Sealed.Add(1)
		s.updateUnsealed()
	}
	return failed
}

// updateNamesCondition raises or lowers the condition of more names than have sums of their own.
func (s *Store) updateNamesCondition() {
	by := s.rollups.folded()
	if len(by) == 0 {
		s.condition.clear(conditionNames)
		return
	}
	s.condition.set(conditionNames, fmt.Sprintf("more names (%s) are sent than sums are kept for: those that came first have their "+
		"own, the others are together as %s", strings.Join(by, ", "), rollup.Other))
}

// finished returns the segments of a stream that take no more records.
func (s *Store) finished(stream Stream) []*segment.Segment {
	s.mu.RLock()
	defer s.mu.RUnlock()
	all := slices.Clone(s.streams[stream])
	return slices.DeleteFunc(all, func(seg *segment.Segment) bool { return seg == s.current[stream] })
}

// retain deletes the oldest sealed segments of a stream until it is within its bounds.
func (s *Store) retain(stream Stream) {
	for !s.stopping() && s.Err() == nil {
		seg, why := s.expired(stream)
		if seg == nil {
			return
		}

		if err := s.remove(stream, seg, why); err != nil {
			s.condition.set(conditionRetention, err.Error())
			return
		}
		s.condition.clear(conditionRetention)
	}
}

// expired returns the oldest segment when the stream is out of bounds, and which bound that is. Its age is that of the newest
// receipt: what a record says of its time may be decades off, either way.
func (s *Store) expired(stream Stream) (*segment.Segment, string) {
	segments := s.Segments(stream)
	if len(segments) == 0 || !segments[0].Sealed() && segments[0].Unreadable() == nil {
		return nil, ""
	}

	bounds := s.cfg.Keep[stream]
	oldest := segments[0].Summary()
	newest := cmp.Or(oldest.ReceivedUS, oldest.SealedUS, oldest.MaxUS) // earlier versions noted less
	if s.cfg.Now().Sub(time.UnixMicro(newest)) > bounds.Age {
		return segments[0], fmt.Sprintf("received more than %s ago", bounds.Age)
	}

	// The sums of a segment are part of what it takes.
	var total int64
	sums := s.rollups.bySegment()
	for _, seg := range segments {
		total += seg.Summary().Bytes + sums[segmentID(stream, seg)].bytes
	}
	if total > bounds.Bytes {
		return segments[0], fmt.Sprintf("%s take more than %d bytes", stream, bounds.Bytes)
	}
	return nil, ""
}

// remove deletes one segment. That it does is recorded first, and whose its records were is saved for good.
func (s *Store) remove(stream Stream, seg *segment.Segment, why string) error {
	summary := seg.Summary()

	if err := s.saveIdentities(seg); err != nil {
		return err
	}

	records, err := s.ownRecord(contract.SystemBody{
		Event: "retention", Level: contract.LevelInfo,
		Message: fmt.Sprintf("%d %s deleted: %s", summary.Records, stream, why),
		Details: map[string]any{
			"stream": stream.String(), "first_seq": summary.First, "last_seq": summary.Last, "records": summary.Records,
			"bytes": summary.Bytes, "first_ts": time.UnixMicro(summary.MinUS).UTC(), "last_ts": time.UnixMicro(summary.MaxUS).UTC(),
		},
	})
	if err != nil {
		return err
	}

	_, err = s.Append(context.Background(), records)
	switch {
	case err == nil:
	case s.Full(), errors.Is(err, ErrBusy): // deleting comes first: it makes the room that the record needs
		s.deferEvents(records)
	default:
		return err
	}

	s.mu.Lock()
	s.streams[stream] = slices.DeleteFunc(slices.Clone(s.streams[stream]), func(x *segment.Segment) bool { return x == seg })
	s.mu.Unlock()
	s.updateUnsealed()         // one that could not be sealed counts no more
	s.writeList(s.listFiles()) // what is deleted on purpose is not missed
	s.counters.Removed.Add(uint64(summary.Records))
	return seg.Remove()
}
