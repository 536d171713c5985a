package store

import (
	"encoding/json"

	"gestor.local/contract"

	"gestor.local/logs/internal/line"
)

// recordEvent stores an event of the service itself: what it repaired, deleted or could not do is a record as well.
// It does not wait, so that the committer may call it. What cannot be stored now, on a full disk, is stored later.
func (s *Store) recordEvent(body contract.SystemBody) {
	if records, err := s.ownRecord(body); err == nil {
		s.enqueueEvents(records)
	}
}

func (s *Store) enqueueEvents(records []line.Record) {
	r := newRequest(records)
	r.refused = func() { s.deferEvents(records) }
	select {
	case s.queue <- r:
	default:
		s.deferEvents(records)
	}
}

// maxPendingEvents bounds the records of the service's own that wait for room.
const maxPendingEvents = 1000

func (s *Store) deferEvents(records []line.Record) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.pendingEvents) < maxPendingEvents {
		s.pendingEvents = append(s.pendingEvents, records...)
	}
}

// retryEvents tries once more what could not be stored.
func (s *Store) retryEvents() {
	s.mu.Lock()
	records := s.pendingEvents
	s.pendingEvents = nil
	s.mu.Unlock()
	if len(records) > 0 {
		s.enqueueEvents(records)
	}
}

// RecordStart records that the service began, and which release it is of.
func (s *Store) RecordStart() {
	s.recordEvent(contract.SystemBody{
		Event: "start", Level: contract.LevelInfo, Message: "the log service starts",
		Details: map[string]any{"version": contract.Version},
	})
}

// ownRecord makes a record of the log service's.
func (s *Store) ownRecord(body contract.Body) ([]line.Record, error) {
	rec := contract.NewRecord(s.cfg.Now(), 0, "", body)
	rec.Host, rec.Boot, rec.Producer, rec.PSeq = s.cfg.Host, s.boot, contract.ProducerLogs, s.pseq.Add(1)

	// Through the same parser as everybody's: it brings the record into the form that is stored.
	text, err := json.Marshal(rec)
	if err != nil {
		return nil, err
	}
	out := make([]line.Record, 1)
	_, _, err = line.NewParser().Next(text, nil, &out[0])
	return out, err
}
