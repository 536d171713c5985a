package store

import (
	"encoding/json"

	"gestor.local/contract"

	"gestor.local/logs/internal/line"
)

// note stores an event of the service itself: what it repaired, deleted or could not do is a record as well.
// It does not wait, so that the committer may call it. What cannot be stored now, on a full disk, is stored later.
func (s *Store) note(body contract.SystemBody) {
	if records, err := s.own(body); err == nil {
		s.tell(records)
	}
}

func (s *Store) tell(records []line.Record) {
	r := newRequest(records)
	r.refused = func() { s.tellLater(records) }
	select {
	case s.queue <- r:
	default:
		s.tellLater(records)
	}
}

// maxUntold bounds the records of the service's own that wait for room.
const maxUntold = 1000

func (s *Store) tellLater(records []line.Record) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.untold) < maxUntold {
		s.untold = append(s.untold, records...)
	}
}

// tellUntold tries once more what could not be stored.
func (s *Store) tellUntold() {
	s.mu.Lock()
	records := s.untold
	s.untold = nil
	s.mu.Unlock()
	if len(records) > 0 {
		s.tell(records)
	}
}

// NoteStart records that the service began, and which release it is of.
func (s *Store) NoteStart() {
	s.note(contract.SystemBody{
		Event: "start", Level: contract.LevelInfo, Message: "the log service starts",
		Details: map[string]any{"version": contract.Version},
	})
}

// own makes a record of the log service's.
func (s *Store) own(body contract.Body) ([]line.Record, error) {
	rec := contract.NewRecord(s.cfg.Now(), 0, "", body)
	rec.Host, rec.Boot, rec.Producer, rec.PSeq = s.cfg.Host, s.boot, contract.ProducerLogs, s.pseq.Add(1)
	text, err := json.Marshal(rec)
	if err != nil {
		return nil, err
	}
	out := make([]line.Record, 1)
	_, _, err = line.NewParser().Next(text, nil, &out[0])
	return out, err
}
