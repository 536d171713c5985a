package store

import (
	"fmt"
	"slices"

	"gestor.local/contract"

	"gestor.local/logs/internal/line"
)

// admit answers the requests for which there is no room and returns the others. Events are precious and few: they may
// use three quarters of the reserve that observations have to leave.
func (s *Store) admit(group []*request) []*request {
	free, err := s.fs.Free(s.cfg.Dir)
	if err != nil {
		return group // unknown: the write itself will say
	}
	var need uint64
	for _, r := range group {
		need += uint64(r.bytes)
	}
	reserve := s.cfg.MinFree
	if free >= need+reserve {
		return group
	}
	text := fmt.Sprintf("%d KiB free, %d KiB are kept back; free some space or lower GESTOR_MIN_FREE", free>>10, reserve>>10)
	if s.condition.set(conditionFull, text) {
		s.note(contract.SystemBody{Event: "disk_full", Level: levelError, Message: text})
	}
	s.wake() // retention may make room
	events := free >= need+reserve/4
	return slices.DeleteFunc(group, func(r *request) bool {
		if events && !slices.ContainsFunc(r.records, observation) {
			return false
		}
		r.answer(fmt.Errorf("%w: %s", ErrFull, text), false)
		return true
	})
}

// resumed lowers the condition of a full disk once something was written: free space alone does not say that it can be.
func (s *Store) resumed() {
	if free, err := s.fs.Free(s.cfg.Dir); err == nil && free < s.cfg.MinFree {
		return // what was written came out of the reserve
	}
	if s.condition.clear(conditionFull) {
		s.note(contract.SystemBody{Event: "disk_resumed", Level: levelInfo, Message: "there is room again: records are accepted"})
	}
}

func observation(rec line.Record) bool { return rec.Kind.Observation() }
