package store

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"

	"gestor.local/contract"

	"gestor.local/logs/internal/line"
	"gestor.local/logs/internal/segment"
	"gestor.local/wal/disk"
)

// listName is a file of records/ that says what there should be, so that a start can tell what is gone. It is written when it
// has changed, at every look and at the end, and before retention deletes a file. Deleted, nothing is missed.
const listName = "segments.json"

// list is the content of segments.json.
type list struct {
	Head  uint64                       `json:"head"` // the last number that was given
	Files map[string]map[uint64]listed `json:"files"`
}

// listed is a file that holds records, or should.
type listed struct {
	First    uint64 `json:"first_seq"`
	Last     uint64 `json:"last_seq"`
	Records  int    `json:"records"`
	Recorded bool   `json:"told,omitempty"` // there is a record of its absence
}

// listFiles is what there is now.
func (s *Store) listFiles() list {
	s.mu.RLock()
	defer s.mu.RUnlock()

	out := list{Head: s.Head(), Files: map[string]map[uint64]listed{}}
	for _, stream := range Streams() {
		files := map[uint64]listed{}
		for _, seg := range s.streams[stream] {
			summary := seg.Summary()
			files[seg.First()] = listed{First: summary.First, Last: summary.Last, Records: summary.Records}
		}

		// What is missing stays in the list, or the next start would find nothing missing.
		for _, a := range s.absent {
			if a.stream == stream && a.last > 0 {
				files[a.file.first] = listed{First: a.first, Last: a.last, Records: a.records, Recorded: true}
			}
		}
		out.Files[stream.String()] = files
	}
	return out
}

// writeList writes the list down when it has changed. Without it less would be noticed at the next start: it is written
// again at the next look.
func (s *Store) writeList(l list) {
	text, err := json.Marshal(l)
	if err != nil || bytes.Equal(text, s.list) {
		return
	}
	if disk.WriteFile(s.fs, s.cfg.Dir+"/records/"+listName, line.AppendChecksum(nil, text)) == nil {
		s.list = text
	}
}

func (s *Store) readList() (l list, err error) {
	b, err := disk.ReadFile(s.fs, s.cfg.Dir+"/records/"+listName)
	if err != nil {
		return l, err
	}
	b = bytes.TrimSuffix(b, []byte("\n"))
	if !line.Check(b) {
		return l, errors.New("the checksum does not match")
	}
	return l, json.Unmarshal(b, &l)
}

// compareList reports what was there at the last look and is not.
func (s *Store) compareList() (events []contract.SystemBody) {
	l, err := s.readList()
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return []contract.SystemBody{{
			Event: "damage", Level: contract.LevelWarn, Message: fmt.Sprintf("%s cannot be read: %v; it is written anew", listName, err),
		}}
	}

	s.next = max(s.next, l.Head+1)
	for _, stream := range Streams() {
		files := l.Files[stream.String()]
		for _, number := range slices.Sorted(maps.Keys(files)) {
			events = append(events, s.compareFile(stream, number, files[number])...)
		}
	}
	return events
}

// compareFile reports what is missing of one file.
func (s *Store) compareFile(stream Stream, number uint64, want listed) []contract.SystemBody {
	s.next = max(s.next, want.Last+1)
	if slices.ContainsFunc(s.absent, func(a absent) bool { return a.stream == stream && a.file.first == number }) {
		return nil // recorded already
	}

	i := slices.IndexFunc(s.streams[stream], func(seg *segment.Segment) bool { return seg.First() == number })
	if i < 0 {
		old := want.Recorded && want.Last < s.deleted // retention would have deleted it by now
		if want.Records == 0 || old {
			return nil
		}

		event := s.recordAbsent(absent{
			file: file{stream, number, false}, first: want.First, last: want.Last, records: want.Records, why: fs.ErrNotExist,
		})
		if want.Recorded {
			return nil
		}
		return []contract.SystemBody{event}
	}

	seg := s.streams[stream][i]
	lost := want.Records - seg.Summary().Records - seg.Bad().Lines
	if lost <= 0 || seg.Sealed() && seg.Bad().Lines > 0 { // recorded as damage
		return nil
	}

	text := fmt.Sprintf("%s %s: %d of the records %d to %d are gone: the file was cut or replaced while the service did not run",
		stream, seg.Name(), lost, want.First, want.Last)
	s.condition.set(conditionDamaged, text)
	return []contract.SystemBody{{
		Event: "segment_cut", Level: contract.LevelError, Message: text,
		Details: map[string]any{
			"stream": stream.String(), "segment": seg.Name(), "first_seq": want.First, "last_seq": want.Last, "records": lost,
		},
	}}
}
