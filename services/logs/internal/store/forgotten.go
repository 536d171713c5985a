package store

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"

	"gestor.local/logs/internal/disk"
	"gestor.local/logs/internal/line"
	"gestor.local/logs/internal/segment"
)

// forgotten is records/identities.json: who sent the records that retention has deleted. A record that comes again after
// that is still a duplicate.
type forgotten struct {
	NextSeq   uint64                  `json:"next_seq"` // numbers below were given
	Producers []segment.ProducerRange `json:"producers"`
}

const forgottenName = "identities.json"

func (s *Store) readForgotten() (forgotten, error) {
	var f forgotten
	b, err := disk.ReadFile(s.fs, s.cfg.Dir+"/records/"+forgottenName)
	if errors.Is(err, fs.ErrNotExist) {
		return f, nil
	}
	if err != nil {
		return f, fmt.Errorf("read %s: %w", forgottenName, err)
	}
	b = bytes.TrimSuffix(b, []byte("\n"))
	if !line.Check(b) || json.Unmarshal(b, &f) != nil {
		return forgotten{}, fmt.Errorf("read %s: damaged", forgottenName)
	}
	return f, nil
}

// rememberForgotten adds the producers of a segment that is about to be deleted, durably.
func (s *Store) rememberForgotten(seg *segment.Segment) error {
	f, err := s.readForgotten()
	if err != nil {
		f = forgotten{} // it cannot be had back; what is known now is kept
	}
	producers, err := seg.Producers()
	if err != nil {
		return err
	}
	all := dedupe{}
	for _, p := range append(f.Producers, producers...) {
		all.merge(p.Identity, p.Ranges)
	}
	f.Producers = f.Producers[:0:0]
	for id, ranges := range all {
		f.Producers = append(f.Producers, segment.ProducerRange{Identity: id, Ranges: *ranges})
	}
	f.NextSeq = max(f.NextSeq, seg.Brief().Last+1)
	b, err := json.Marshal(f)
	if err != nil {
		return err
	}
	return disk.WriteFile(s.fs, s.cfg.Dir+"/records", forgottenName, line.Protect(nil, b))
}
