package store

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"gestor.local/contract"

	"gestor.local/logs/internal/rollup"
	"gestor.local/logs/internal/segment"
	"gestor.local/wal"
)

func (s *Store) dir(stream Stream) string { return s.cfg.Dir + "/records/" + stream.String() }

func (s *Store) quarantine() string { return s.cfg.Dir + "/quarantine" }

// recover reads what is on the disk and returns what it has to say about it.
func (s *Store) recover() (events []contract.SystemBody, err error) {
	if err := s.makeFolders(); err != nil {
		return nil, err
	}
	if err := s.checkFormat(); err != nil {
		return nil, err
	}

	// What retention has deleted is known from this file alone.
	f, err := s.readIdentities()
	if err != nil {
		events = append(events, contract.SystemBody{Event: "identities_lost", Level: contract.LevelWarn, Message: err.Error() +
			": records that retention deleted would be stored again if they were sent again"})
	}
	for _, p := range f.Producers {
		s.dedupe.addUnsorted(p, streamSeqs{})
	}
	s.next, s.deleted = max(s.next, f.NextSeq), f.NextSeq

	files, err := s.files()
	if err != nil {
		return nil, err
	}
	for _, file := range files {
		seg, err := s.open(file)
		if err == nil {
			err = s.addSegment(file.stream, seg, file.first)
		}
		if err != nil {
			events = append(events, s.skipFile(file, err))
			continue
		}

		if bad := seg.Bad(); bad != (segment.Bad{}) {
			events = append(events, s.damage(file.stream, seg))
		}
	}
	s.skipUnknownNumbers(files)
	events = append(events, s.compareList()...)

	if lost := s.dedupe.sort(); lost > 0 {
		events = append(events, contract.SystemBody{Event: "identities_lost", Level: contract.LevelWarn, Message: fmt.Sprintf(
			"the names of %d senders more than there is room for: their records would be stored again if they were sent again", lost)})
	}

	s.head.Store(s.next - 1)
	s.rollups.open(s)
	return events, nil
}

// makeFolders makes the folders of the records, durably.
func (s *Store) makeFolders() error {
	for _, stream := range Streams() {
		if err := s.fs.Mkdir(s.dir(stream)); err != nil {
			return err
		}
	}

	for _, dir := range []string{s.cfg.Dir + "/records", s.cfg.Dir} {
		if err := s.fs.SyncDir(dir); err != nil {
			return err
		}
	}
	return nil
}

// file is a file of records that a start finds.
type file struct {
	stream Stream
	first  uint64
	plain  bool
}

// files lists the files of both streams in the order in which they were begun: what a sender has in one stream fills the
// gaps of what it has in the other.
func (s *Store) files() ([]file, error) {
	var out []file
	for _, stream := range Streams() {
		found, err := s.streamFiles(stream)
		if err != nil {
			return nil, err
		}
		out = append(out, found...)
	}

	slices.SortFunc(out, func(a, b file) int { return cmp.Compare(a.first, b.first) })
	return out, nil
}

// streamFiles lists the files of a stream. The last plain one goes on taking records; plain files before it wait for the
// maintenance goroutine, and so does one from which the disk had no room to cut a torn tail.
func (s *Store) streamFiles(stream Stream) ([]file, error) {
	if err := s.fs.SyncDir(s.dir(stream)); err != nil { // a crash may have come before the sync of a name
		return nil, err
	}

	names, err := s.fs.List(s.dir(stream))
	if err != nil {
		return nil, err
	}
	plain, sealed := numbers(names, segment.ActiveExt), numbers(names, segment.SealedExt)

	// A folder in the place of a plain file does not count for the sealed one.
	plain = slices.DeleteFunc(plain, func(n uint64) bool {
		_, err := s.fs.Stat(s.dir(stream) + "/" + segment.Name(n) + segment.ActiveExt)
		return err != nil && slices.Contains(sealed, n)
	})

	if err := s.removeLeftovers(stream, names, plain, sealed); err != nil {
		return nil, err
	}

	var out []file
	for _, n := range plain {
		out = append(out, file{stream, n, true})
	}
	for _, n := range sealed {
		if !slices.Contains(plain, n) {
			out = append(out, file{stream, n, false})
		}
	}
	return out, nil
}

// removeLeftovers removes what an interrupted seal or removal left: temporary files, the compressed twin of a plain
// file, an index without its segment.
func (s *Store) removeLeftovers(stream Stream, names []string, plain, sealed []uint64) error {
	removed := false
	for _, name := range names {
		stem, _, _ := strings.Cut(name, ".")
		n, err := strconv.ParseUint(stem, 10, 64)

		// A plain file and its compressed twin hold the same: the plain one counts until the seal has removed it.
		twin := err == nil && slices.Contains(plain, n)
		stray := strings.HasSuffix(name, ".tmp") ||
			strings.HasSuffix(name, segment.SealedExt) && twin ||
			strings.HasSuffix(name, segment.IndexExt) && (twin || !slices.Contains(sealed, n))
		if !stray {
			continue
		}

		if err := s.fs.Remove(s.dir(stream) + "/" + name); err != nil {
			s.condition.set(conditionDamaged, fmt.Sprintf("a leftover cannot be removed: %v", err))
			continue
		}
		removed = true
	}

	if !removed {
		return nil
	}
	return s.fs.SyncDir(s.dir(stream))
}

func (s *Store) open(f file) (*segment.Segment, error) {
	if !f.plain {
		return segment.OpenSealed(s.fs, s.dir(f.stream), f.first, s.cache)
	}

	// A plain file is read line by line anyhow, so its sums are made on the way.
	table := rollup.NewTable(rollup.Steps[0])
	seg, err := segment.Recover(s.fs, s.dir(f.stream), f.first, s.cache, s.quarantine(), table.Add)
	if err != nil {
		return nil, err
	}

	s.rollups.mu.Lock()
	defer s.rollups.mu.Unlock()
	s.rollups.live[seg] = table
	return seg, nil
}

// addSegment adds a segment that a start finds: its producers, its numbers, its place.
func (s *Store) addSegment(stream Stream, seg *segment.Segment, first uint64) error {
	producers, err := seg.Producers()
	if err != nil {
		return err
	}
	s.addSenders(stream, seg.Summary().Last, producers)
	s.next = max(s.next, first, seg.Summary().Last+1, seg.Claimed()+1)
	s.streams[stream] = append(s.streams[stream], seg)

	switch {
	case seg.Sealed(): // a plain file before it takes no more: numbers rise from file to file
		s.current[stream] = nil
	case !seg.Clean(): // the next one begins with another number, and so with another name
		s.next, s.current[stream] = max(s.next, first+1), nil
	default:
		s.current[stream], s.openedAt[stream] = seg, s.cfg.Now()
	}
	return nil
}

// addSenders adds to the dedupe whose records are in a file, of which last is the last number.
func (s *Store) addSenders(stream Stream, last uint64, producers []segment.ProducerRange) {
	var seq streamSeqs
	seq[stream] = last
	for _, p := range producers {
		s.dedupe.addUnsorted(p, seq)
	}
}

// numbers returns the numbers of the files with an extension, ascending.
func numbers(names []string, ext string) []uint64 { return wal.Names{Ext: ext}.Select(names) }

// damage counts what a segment has lost and puts it into words.
func (s *Store) damage(stream Stream, seg *segment.Segment) contract.SystemBody {
	bad := seg.Bad()
	s.counters.BadLines.Add(uint64(bad.Lines))
	s.counters.TornBytes.Add(uint64(bad.Torn))

	event, text := "torn_tail", fmt.Sprintf("%d bytes at the end were not whole; they are kept in %s", bad.Torn, bad.Aside)
	switch {
	case bad.Lines > 0:
		event, text = "damage", fmt.Sprintf("%d lines (%d bytes) cannot be read and are skipped", bad.Lines, bad.Bytes)

	case bad.Why != "" && bad.Torn > 0:
		event, text = "damage", fmt.Sprintf("%d bytes at the end cannot be read: %s; they stay in %s", bad.Torn, bad.Why, bad.Aside)

	case bad.Why != "":
		event, text = "read_only", fmt.Sprintf("the file may only be read: %s; its records are served and a new file is begun", bad.Why)
		s.condition.set(conditionSeal, text) // until it is sealed
	}
	if event == "damage" {
		s.condition.set(conditionDamaged, fmt.Sprintf("%s %s: %s; see scripts/gestor verify", stream, seg.Name(), text))
	}

	return contract.SystemBody{
		Event: event, Level: contract.LevelWarn, Message: fmt.Sprintf("%s %s: %s", stream, seg.Name(), text),
		Details: map[string]any{"stream": stream.String(), "segment": seg.Name(), "damage": bad},
	}
}
