package segment

import (
	"fmt"
	"sync"

	"gestor.local/logs/internal/line"
	"gestor.local/wal"
	"gestor.local/wal/disk"
)

// File name extensions; the extension is the state.
const (
	ActiveExt = ".ndjson"
	SealedExt = ".ndjson.gz"
	IndexExt  = ".idx.json"
)

// Name is the file name without extension of the segment that begins with a sequence number.
func Name(first uint64) string { return wal.Names{}.Of(first) }

// Segment is one file. One goroutine appends, seals and removes; any number read at the same time.
//
// A reader sees what was published, which the caller does after the sync: nobody is shown a record that a power cut can
// still take back.
type Segment struct {
	fs    disk.FS
	dir   string
	name  string
	first uint64
	bad   Bad // what recovery found; set before the segment is shared
	cache *Cache
	// claimed: see Claimed
	claimed uint64
	tail    int64 // bytes behind the last record; written before the segment is shared and by Seal
	readErr error // the disk cannot read all of the active file; written before the segment is shared and by Seal

	mu      sync.RWMutex // guards all following fields
	file    *wal.File    // open while active, nil when sealed
	sealed  bool
	removed bool // removed: readers find nothing in it
	index   *Index
	summary Index     // of a sealed segment: the index without blocks, containers and producers, which are loaded when asked for
	filter  idFilter  // of a sealed segment: its containers
	info    disk.Info // of a sealed segment: its file
}

// Create begins a new active segment. Its name is durable when Create returns.
func Create(fsys disk.FS, dir string, first uint64, cache *Cache) (*Segment, error) {
	s := &Segment{fs: fsys, dir: dir, name: Name(first), first: first, index: newIndex(), cache: cache}
	file, err := wal.Create(fsys, s.path(ActiveExt))
	if err != nil {
		return nil, fmt.Errorf("create segment: %w", err)
	}
	if err := file.SyncName(); err != nil {
		file.Close()
		return nil, fmt.Errorf("create segment: %w", err)
	}

	s.file = file
	return s, nil
}

func (s *Segment) path(ext string) string { return s.dir + "/" + s.name + ext }

// Append writes lines at the end of an active segment. After an error nothing of them is in the file; when that cannot
// be had either, the error matches wal.ErrBroken.
func (s *Segment) Append(lines []byte) error {
	if err := s.file.Append(lines); err != nil {
		return fmt.Errorf("append: %w", err)
	}
	return nil
}

// Rollback takes back what was appended and not published, durably: its sequence numbers will be given to others. An error
// matches wal.ErrBroken.
func (s *Segment) Rollback() error {
	if err := s.file.Rollback(s.Summary().Bytes); err != nil {
		return fmt.Errorf("roll back: %w", err)
	}
	return nil
}

// Sync returns when everything appended is on stable storage. A failure is final (wal.ErrBroken).
func (s *Segment) Sync() error { return s.file.Sync() }

// Publish shows appended records to readers. lengths are the bytes of their lines, in order.
func (s *Segment) Publish(records []*line.Record, lengths []int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	offset := s.index.Bytes
	for i, rec := range records {
		s.index.grow(rec, offset, int64(lengths[i]))
		offset += int64(lengths[i])
	}
}

// Summary returns the index without blocks, containers and producers.
func (s *Segment) Summary() Index {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.sealed {
		return s.summary
	}
	return s.index.summary()
}

// Bytes is about what the segment takes in memory.
func (s *Segment) Bytes() int {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.index == nil {
		return 4 * len(s.filter.hashes)
	}
	return s.index.held
}

// setSummary keeps what is needed of the index of a sealed segment to know whether to load it.
func (s *Segment) setSummary(x *Index) {
	s.cache.release(s.filter)
	s.summary, s.filter = x.summary(), s.cache.newFilter(x.Containers)
}

func (x *Index) summary() Index {
	return Index{
		First: x.First, Last: x.Last, MinUS: x.MinUS, MaxUS: x.MaxUS, SealedUS: x.SealedUS, ReceivedUS: x.ReceivedUS,
		Records: x.Records, Bytes: x.Bytes, SHA256: x.SHA256,
	}
}

// Sealed says whether the segment is compressed.
func (s *Segment) Sealed() bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.sealed
}

// Claimed is the highest sequence number that a damaged line at the end seems to have had, 0 when there is none. It may
// have been answered to a producer, so it is not given again: the gap is the evidence.
func (s *Segment) Claimed() uint64 { return s.claimed }

// Bad returns the damage that recovery found.
func (s *Segment) Bad() Bad { return s.bad }

// First is the number that the file is named by: that of its first record.
func (s *Segment) First() uint64 { return s.first }

// Name is the file name without extension.
func (s *Segment) Name() string { return s.name }

// Producers returns what every producer has in the segment.
func (s *Segment) Producers() ([]ProducerRange, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.sealed {
		x, err := s.full()
		if err != nil {
			return nil, err
		}

		if x.identities != nil && len(x.Producers) == 0 {
			return x.producers(), nil
		}
		return x.Producers, nil
	}

	return s.index.producers(), nil
}

// Close closes the active file.
func (s *Segment) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.file == nil {
		return nil
	}
	return s.file.Close()
}
