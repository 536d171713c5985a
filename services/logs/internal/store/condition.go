package store

import (
	"errors"
	"fmt"
	"io/fs"
	"sync"
	"sync/atomic"
	"time"

	"gestor.local/logs/internal/segment"
)

// Conditions of a store that is not as it should be.
const (
	conditionFull      = "disk_full" // records are refused
	conditionDamaged   = "damaged"   // some stored bytes cannot be read
	conditionMissing   = "missing"   // files of records are gone or cannot be read
	conditionSeal      = "seal"      // a file could not be compressed
	conditionNames     = "names"     // more classes, images or hosts than have sums of their own
	conditionRollup    = "rollup"    // sums could not be written
	conditionSenders   = "senders"   // there is no room for the name of another sender
	conditionRetention = "retention" // a file could not be deleted
	conditionInternal  = "internal"  // something panicked, until the restart
)

// conditions are the standing ones, by name.
type conditions struct {
	mu   sync.Mutex // guards text
	text map[string]string
}

// set raises a condition or changes its text; true when it was not standing before.
func (c *conditions) set(name, text string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.text == nil {
		c.text = map[string]string{}
	}

	_, stood := c.text[name]
	c.text[name] = text
	return !stood
}

// clear lowers a condition; true when it was standing.
func (c *conditions) clear(name string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, stood := c.text[name]
	delete(c.text, name)
	return stood
}

// setFrom raises or lowers a condition.
func (c *conditions) setFrom(name string, err error) {
	if err != nil {
		c.set(name, err.Error())
	} else {
		c.clear(name)
	}
}

// Conditions returns the standing conditions: a name and a text for people each.
func (s *Store) Conditions() map[string]string {
	s.condition.mu.Lock()
	defer s.condition.mu.Unlock()
	out := map[string]string{}
	for name, text := range s.condition.text {
		out[name] = text
	}

	if err := s.Err(); err != nil {
		out["failed"] = err.Error()
	}
	return out
}

// Full says whether the store refuses records for want of room.
func (s *Store) Full() bool {
	s.condition.mu.Lock()
	defer s.condition.mu.Unlock()
	_, full := s.condition.text[conditionFull]
	return full
}

// Counters count since the store was opened.
type Counters struct {
	Records    [streamCount]atomic.Uint64
	Bytes      [streamCount]atomic.Uint64
	Commits    atomic.Uint64
	Syncs      atomic.Uint64
	SyncNanos  atomic.Uint64
	Sealed     atomic.Uint64
	Removed    atomic.Uint64 // records that retention deleted
	BadLines   atomic.Uint64 // found at the start
	BadBlocks  atomic.Uint64 // met by readers
	TornBytes  atomic.Uint64
	Duplicates atomic.Uint64
	Panics     atomic.Uint64
}

func (c *Counters) synced(took time.Duration) {
	c.Syncs.Add(1)
	c.SyncNanos.Add(uint64(max(took, 0)))
}

func (c *Counters) stored(stream Stream, p *pending) {
	c.Records[stream].Add(uint64(len(p.records)))
	c.Bytes[stream].Add(uint64(len(p.lines)))
}

// Counters returns the live counters.
func (s *Store) Counters() *Counters { return &s.counters }

// Unreadable records that a reader met a record it could not decode.
func (s *Store) Unreadable(seq uint64, err error) {
	s.condition.set(conditionDamaged, fmt.Sprintf("record %d cannot be read: %v", seq, err))
}

// Damaged records that a reader met a block it could not read.
func (s *Store) Damaged(b segment.Block) {
	s.counters.BadBlocks.Add(1)
	s.condition.set(conditionDamaged, fmt.Sprintf("%d of the records %d to %d cannot be read: see scripts/gestor verify", b.Records, b.First, b.Last))
}

// Unopened records that a reader could not open a file. What has become of one that is gone is recorded by the
// maintenance goroutine.
func (s *Store) Unopened(seg *segment.Segment, err error) {
	if !errors.Is(err, fs.ErrNotExist) {
		s.condition.set(conditionDamaged, fmt.Sprintf("file %s could not be opened: %v", seg.Name(), err))
	}
}

// Absent is the number of files of records that are gone or cannot be read.
func (s *Store) Absent() int {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return len(s.absent)
}
