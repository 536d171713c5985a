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

// identityFile is records/identities.json: the records that are known as stored, as of the last time that retention
// deleted some. A record that comes again after that is still a duplicate.
type identityFile struct {
	NextSeq   uint64                  `json:"next_seq"` // numbers below were given, and may be deleted
	Producers []segment.ProducerRange `json:"producers"`
}

const identitiesName = "identities.json"

func (s *Store) readIdentities() (identityFile, error) {
	var f identityFile
	b, err := disk.ReadFile(s.fs, s.cfg.Dir+"/records/"+identitiesName)
	if errors.Is(err, fs.ErrNotExist) {
		return f, nil
	}
	if err != nil {
		return f, fmt.Errorf("read %s: %w", identitiesName, err)
	}

	b = bytes.TrimSuffix(b, []byte("\n"))
	if !line.Check(b) || json.Unmarshal(b, &f) != nil {
		return identityFile{}, fmt.Errorf("read %s: damaged", identitiesName)
	}
	return f, nil
}

// saveIdentities writes down, durably, what was stored so far, because a segment is about to be deleted. That is more
// than the segment held, and much shorter: what one stream has of a producer's records has gaps where the other has the
// rest.
func (s *Store) saveIdentities(seg *segment.Segment) error {
	s.deleted = max(s.deleted, seg.Summary().Last+1)
	f := identityFile{NextSeq: s.deleted}

	// Between two commits the ranges hold what is written and nothing else; synced, it outlives the file that is deleted.
	err := s.runBetweenCommits(func() error {
		f.Producers = s.dedupe.list()
		return s.syncAll()
	})
	if err != nil {
		return err
	}

	b, err := json.Marshal(f)
	if err != nil {
		return err
	}
	return disk.WriteFile(s.fs, s.cfg.Dir+"/records/"+identitiesName, line.AppendChecksum(nil, b))
}
