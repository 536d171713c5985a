package ship

import (
	"fmt"
	"time"

	"gestor.local/contract"
)

// encode splits the records by stream, in their order. A record that the log service would refuse in any case is
// returned apart.
func (s *spool) encode(records []contract.Record) (events, observations []line, refused []rejected) {
	for _, r := range records {
		s.last++
		text, reason := s.assignIdentity(&r)

		switch l := (line{s.last, r.Time, text, r.JournalSeq}); {
		case reason != "":
			refused = append(refused, rejected{text, reason})
		case r.Kind.Observation():
			observations = append(observations, l)
		default:
			events = append(events, l)
		}
	}
	return events, observations, refused
}

// assignIdentity completes a record's envelope and writes it as one line; reason says why nobody would take it.
func (s *spool) assignIdentity(r *contract.Record) (text []byte, reason string) {
	r.Host, r.Producer, r.PSeq = s.cfg.Host, s.cfg.Producer, s.last
	r.Boot = s.cfg.Boot + "." + s.state.Spool
	if r.V == 0 {
		r.V = contract.RecordVersion
	}
	if r.Time.IsZero() {
		r.Time = time.Now().UTC()
	}

	text, err := r.MarshalJSON()
	if err != nil {
		return []byte("null\n"), err.Error()
	}
	text = append(text, '\n')

	if problems := r.Validate(); problems.Err() != nil {
		return text, problems.Error()
	}
	if len(text) > contract.MaxRecordBytes {
		return text, fmt.Sprintf("%d bytes, more than the %d of a record", len(text), contract.MaxRecordBytes)
	}
	return text, ""
}
