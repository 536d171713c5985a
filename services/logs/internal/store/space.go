package store

import (
	"fmt"
	"math"
	"slices"

	"gestor.local/contract"

	"gestor.local/logs/internal/line"
)

// checkSpace answers the requests for which there is no room and returns the others. Events are few, and worth more: they may
// use three quarters of the reserve that observations have to leave.
func (s *Store) checkSpace(group []*request) []*request {
	if s.unsealed.Load() > maxUnsealed {
		return slices.DeleteFunc(group, func(r *request) bool {
			r.answer(fmt.Errorf("%w: files of records wait to be compressed", ErrBusy), false)
			return true
		})
	}

	free, err := s.fs.Free(s.cfg.Dir)
	if err != nil {
		return group // unknown: the write itself will say
	}

	var need uint64
	for _, r := range group {
		need += uint64(r.bytes)
	}

	reserve := s.cfg.MinFree
	if s.Full() {
		reserve += s.slack()
	}
	if free >= need+reserve {
		return group
	}

	text := s.shortage(free)
	s.full(text)
	s.wake() // retention may make room
	events := free >= need+s.cfg.MinFree/4
	return slices.DeleteFunc(group, func(r *request) bool {
		if events && !slices.ContainsFunc(r.records, observation) {
			return false
		}
		r.answer(fmt.Errorf("%w: %s", ErrFull, text), false)
		return true
	})
}

func (s *Store) shortage(free uint64) string {
	return fmt.Sprintf("%d KiB free, %d KiB are kept back; free some space or lower GESTOR_MIN_FREE", free>>10, s.cfg.MinFree>>10)
}

// slack is how much more than the reserve has to be free for records to be taken again: a disk that fills is full once,
// however often a seal or a deletion makes a little room.
func (s *Store) slack() uint64 { return s.cfg.MinFree / 8 }

// full raises the condition of a full disk.
func (s *Store) full(text string) {
	if s.condition.set(conditionFull, text) {
		s.recordEvent(contract.SystemBody{Event: "disk_full", Level: contract.LevelError, Message: text})
	}
}

// checkFree raises and lowers the condition of a full disk by what is free, whether anybody writes or not.
func (s *Store) checkFree() {
	free, err := s.fs.Free(s.cfg.Dir)
	switch {
	case err != nil: // unknown: the next write will say
	case free < s.cfg.MinFree:
		s.full(s.shortage(free))
	case free >= s.cfg.MinFree+s.slack() && !s.diskFull && s.condition.clear(conditionFull):
		s.recordEvent(contract.SystemBody{Event: "disk_resumed", Level: contract.LevelInfo, Message: "there is room again: records are accepted"})
		s.wake() // for the events that could not be stored
	}
}

// stored records that records were stored.
func (s *Store) stored(records int) {
	if records == 0 {
		return
	}
	s.diskFull = false
	if s.Full() {
		s.checkFree()
	}
}

// checkSenders answers the requests of new senders whose names there is no room for and returns the others.
func (s *Store) checkSenders(group []*request) []*request {
	more, total := make([]int, len(group)), 0
	for i, r := range group {
		more[i] = s.newNames(r)
		total += more[i]
	}
	if total == 0 {
		return group // nearly always
	}

	// Only now, for it looks at every sender.
	if !s.dedupe.hasSpace(total) {
		s.dedupe.evictDeleted(s.oldestSeqs())
	}

	taken, next := 0, 0
	return slices.DeleteFunc(group, func(r *request) bool {
		names := more[next]
		next++
		if names == 0 {
			return false
		}

		if s.dedupe.hasSpace(taken + names) {
			taken += names
			s.condition.clear(conditionSenders)
			return false
		}

		text := fmt.Sprintf("the names of %d senders take all the room there is for them; another one is let in when retention "+
			"has deleted the records of an old one: keep host, boot and producer the same from request to request", len(s.dedupe.senders))
		s.condition.set(conditionSenders, text)
		r.answer(fmt.Errorf("%w: %s", ErrMany, text), false)
		return true
	})
}

// newNames is what the names of the new senders of a request would take.
func (s *Store) newNames(r *request) (bytes int) {
	var names map[line.Identity]bool
	for i := range r.records {
		id := r.records[i].Identity
		if s.dedupe.known(id) != nil || names[id] {
			continue
		}

		if names == nil {
			names = map[line.Identity]bool{}
		}
		names[id] = true
		bytes += sizeOf(id)
	}
	return bytes
}

// streamSeqs are the first numbers of the streams that are still stored.
func (s *Store) oldestSeqs() (out streamSeqs) {
	for stream := range streamCount {
		out[stream] = math.MaxUint64
		if segments := s.Segments(stream); len(segments) > 0 {
			out[stream] = segments[0].First()
		}
	}
	return out
}

func observation(rec line.Record) bool { return rec.Kind.Observation() }
