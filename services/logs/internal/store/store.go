// Package store keeps records in many segments: one sequence of numbers over two streams of files, written by one
// goroutine and read by any number.
//
// What it promises:
//   - a record is on stable storage before Append answers (FsyncAlways);
//   - it opens on any files, says what it could not read, and notices what is gone;
//   - a record is stored once however often it is sent; of which that cannot be told is refused;
//   - a full disk refuses a group of records before any of them is accepted, and accepts again when there is room;
//   - after a failed sync nothing more is written: only the disk knows what it holds.
//
// Sequence numbers are dense. Within one commit the observations come first and are synced before the events are
// written, so that a power cut between the two leaves no gap.
package store

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"sync"
	"sync/atomic"
	"time"

	"gestor.local/contract"

	"gestor.local/logs/internal/line"
	"gestor.local/logs/internal/rollup"
	"gestor.local/logs/internal/segment"
	"gestor.local/wal/disk"
)

// Errors that callers tell apart.
var (
	ErrFull   = errors.New("the disk is full")              // try again when there is room
	ErrBusy   = errors.New("too many records are waiting")  // try again soon
	ErrMany   = errors.New("too many senders")              // try again when retention has deleted records
	ErrFailed = errors.New("the store has failed")          // final for this process
	ErrClosed = errors.New("the store is closed")           // try again after the restart
	ErrLocked = errors.New("another process has the store") // at Open
)

// Store is an open store. Its methods may be called from any goroutine.
type Store struct {
	cfg      Config
	fs       disk.FS
	lock     disk.Lock
	boot     string // of this process: the identity of the service's own records
	pseq     atomic.Uint64
	queue    chan *request
	barriers chan func()   // to be run between two commits
	stop     chan struct{} // closed by Close
	done     chan struct{} // closed when the committer has ended
	bytes    atomic.Int64  // of records that wait

	unsealed atomic.Int64 // bytes in memory for the segments that wait to be sealed

	failed    atomic.Pointer[error]
	failure   chan struct{} // closed with failed
	head      atomic.Uint64 // last published sequence number
	changed   atomic.Pointer[chan struct{}]
	condition conditions
	counters  Counters

	// Of the committer alone:
	dedupe   dedupe
	next     uint64                        // sequence number of the next record
	current  [streamCount]*segment.Segment // written under mu, so that the maintenance goroutine may look
	openedAt [streamCount]time.Time        // of the current segments
	unsynced [streamCount]bool
	pending  [streamCount]pending
	diskFull bool // a write was refused; free space alone does not say that the next one is not

	cache       *segment.Cache
	wakeup      chan struct{}  // for the maintenance goroutine
	maintenance sync.WaitGroup // of the maintenance goroutine

	// Of the maintenance goroutine alone:
	deleted uint64 // sequence numbers below may be deleted

	list []byte // segments.json as it was written last

	rollups rollups

	mu            sync.RWMutex // guards the following fields
	streams       [streamCount][]*segment.Segment
	absent        []absent      // files that should be there
	pendingEvents []line.Record // records of our own that could not be stored yet
}

// Open opens or makes the store below cfg.Dir and repairs what a crash left.
func Open(cfg Config) (*Store, error) {
	cfg.setDefaults()
	s := &Store{
		cfg: cfg, fs: cfg.FS, boot: rand.Text(), dedupe: newDedupe(), next: 1,
		queue: make(chan *request, 1024), barriers: make(chan func()), stop: make(chan struct{}), done: make(chan struct{}),
		failure: make(chan struct{}), cache: segment.NewCache(), wakeup: make(chan struct{}, 1),
		rollups: rollups{live: map[*segment.Segment]*rollup.Table{}, cache: map[string]*rollup.Table{}},
	}
	first := make(chan struct{})
	s.changed.Store(&first)

	// The lock comes before anything is read: what another process writes meanwhile would look like damage.
	if err := s.fs.Mkdir(cfg.Dir); err != nil {
		return nil, fmt.Errorf("open store: %w", err)
	}
	lock, err := s.fs.Lock(cfg.Dir + "/LOCK")
	switch {
	case errors.Is(err, disk.ErrHeld):
		return nil, fmt.Errorf("open store: %w: %w (stop the other log service or choose another GESTOR_DATA)", ErrLocked, err)
	case err != nil:
		return nil, fmt.Errorf("open store: %w (the service must be able to read and write what is in %s: chown it to the service's user)", err, cfg.Dir)
	}
	s.lock = lock

	events, err := s.recover()
	if err != nil {
		lock.Close()
		if errors.Is(err, fs.ErrPermission) {
			err = fmt.Errorf("%w (the service must be able to read and write what is in %s: chown it to the service's user)", err, cfg.Dir)
		}
		return nil, fmt.Errorf("open store: %w", err)
	}

	s.dedupe.of(line.Identity{Host: cfg.Host, Boot: s.boot, Producer: contract.ProducerLogs}) // there is always room for it
	s.updateUnsealed()
	s.checkFree()

	// What was found is recorded like everything else, so only once the committer runs.
	go s.run()
	s.maintenance.Go(s.maintain)
	for _, n := range events {
		s.recordEvent(n)
	}
	return s, nil
}

// Close stops accepting, finishes what is in hand and releases the files.
func (s *Store) Close() error {
	select {
	case <-s.stop:
	default:
		close(s.stop)
	}

	// First nothing more is written, then nothing more is sealed or deleted.
	<-s.done
	s.maintenance.Wait()
	if s.Err() == nil {
		s.writeList(s.listFiles())
	}

	s.mu.Lock()
	defer s.mu.Unlock()
	var first error
	for _, list := range s.streams {
		for _, seg := range list {
			if err := seg.Close(); err != nil && first == nil {
				first = err
			}
		}
	}

	if err := s.lock.Close(); err != nil && first == nil {
		first = err
	}
	return first
}

// Head is the last sequence number that readers may see.
func (s *Store) Head() uint64 { return s.head.Load() }

// Wait returns when the head has passed a sequence number, or with the context's error.
func (s *Store) Wait(ctx context.Context, after uint64) error {
	for {
		// Loaded before the head is looked at: a head that moves in between closes this channel.
		changed := *s.changed.Load()
		if s.Head() > after {
			return nil
		}

		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Failure is closed when the store has failed; Err then says why.
func (s *Store) Failure() <-chan struct{} { return s.failure }

// Err is the failure of the store, nil while it works.
func (s *Store) Err() error {
	if p := s.failed.Load(); p != nil {
		return *p
	}
	return nil
}

func (s *Store) fail(cause error) error {
	err := fmt.Errorf("%w: %w (restart the log service; it reads the disk again)", ErrFailed, cause)
	if s.failed.CompareAndSwap(nil, &err) {
		close(s.failure)
	}
	return err
}

// Segments returns the segments of a stream, oldest first.
func (s *Store) Segments(stream Stream) []*segment.Segment {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return append([]*segment.Segment(nil), s.streams[stream]...)
}

// Oldest is the first sequence number that is still stored, 0 when none is.
func (s *Store) Oldest() uint64 {
	var oldest uint64
	for stream := range streamCount {
		for _, seg := range s.Segments(stream) {
			// The oldest stands first; one that was begun just now is empty.
			if b := seg.Summary(); b.Records > 0 {
				if oldest == 0 || b.First < oldest {
					oldest = b.First
				}
				break
			}
		}
	}
	return oldest
}

// Now is the store's clock.
func (s *Store) Now() time.Time { return s.cfg.Now() }
