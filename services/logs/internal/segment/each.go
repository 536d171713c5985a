package segment

import (
	"bytes"
	"errors"
	"slices"

	"gestor.local/logs/internal/line"
)

// Each parses every readable record of the segment, in the order of its groups. Damaged blocks are left out. The record
// is valid until fn returns.
func (s *Segment) Each(fn func(*line.Record)) error {
	r, err := s.Open(Selection{})
	if err != nil || r == nil {
		return err
	}
	defer r.Close()

	parser := line.NewParser()
	var lines []byte
	for _, b := range slices.Concat(r.Groups...) {
		lines, err = r.Read(lines[:0], b)
		if errors.Is(err, ErrDamaged) {
			continue
		}
		if err != nil {
			return err
		}

		for one := range bytes.Lines(lines) {
			var rec line.Record
			if parser.ParseStored(one[:len(one)-1], &rec) {
				fn(&rec)
			}
		}
	}
	return nil
}
