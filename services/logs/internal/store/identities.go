package store

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"

	"gestor.local/logs/internal/line"
	"gestor.local/logs/internal/segment"
	"gestor.local/wal/disk"
)

// forgotten is records/identities.json: the records that were stored and are remembered, as of the last time that retention
// deleted some. A record that comes again after that is still a duplicate.
type forgotten struct {
	NextSeq   uint64                  `json:"next_seq"` // numbers below were given, and may be deleted
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

// remember writes down, durably, what was stored so far, because a segment is about to be deleted. That is more than the
// segment held, and much shorter: what one stream has of a producer's records has gaps where the other has the rest.
func (s *Store) remember(seg *segment.Segment) error {
	s.deleted = max(s.deleted, seg.Brief().Last+1)
	f := forgotten{NextSeq: s.deleted}
	err := s.between(func() error {
		f.Producers = s.seen.list()
		return s.syncAll()
	})
	if err != nil {
		return err
	}
	b, err := json.Marshal(f)
	if err != nil {
		return err
	}
	return disk.WriteFile(s.fs, s.cfg.Dir+"/records/"+forgottenName, line.AppendChecksum(nil, b))
}
