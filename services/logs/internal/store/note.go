package store

import (
	"encoding/json"

	"gestor.local/contract"

	"gestor.local/logs/internal/line"
)

// noteLevel values.
const (
	levelInfo  = "info"
	levelWarn  = "warn"
	levelError = "error"
)

// note stores an event of the service itself: what it repaired, deleted or could not do is a record as well.
// It does not wait, so that the committer may call it; a note that finds the queue full is dropped.
func (s *Store) note(body contract.SystemBody) {
	records, err := s.own(body)
	if err != nil {
		return
	}
	select {
	case s.queue <- newRequest(records):
	default:
	}
}

// NoteStart records that the service began, and which release it is of.
func (s *Store) NoteStart() {
	s.note(contract.SystemBody{
		Event: "start", Level: levelInfo, Message: "the log service starts",
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
