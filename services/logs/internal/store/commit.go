package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"gestor.local/logs/internal/line"
	"gestor.local/logs/internal/segment"
	"gestor.local/wal"
	"gestor.local/wal/disk"
)

// Bounds of what waits and of what is committed at once.
const (
	maxWaiting = 64 << 20 // bytes of records in requests that wait: beyond, Append answers ErrBusy
	maxGroup   = 20_000   // records of one commit: some 8 MiB, 20 ms of work
)

// Result says what became of the records of one Append.
type Result struct {
	Accepted, Duplicates int
	// DuplicateRanges are the first and last index of each row of duplicates.
	DuplicateRanges [][2]int
	// First and Last are the lowest and highest number given to one of the accepted, 0 when none was.
	First, Last uint64
	Durable     bool
	// Sync is how long the records' way to stable storage took, 0 when nobody waited for it.
	Sync time.Duration
	// Refused are the records of which nobody could tell whether they were stored before.
	Refused []Refusal
}

// Refusal says why a record is not stored.
type Refusal struct {
	Index  int // in the records of the Append
	Reason string
}

// RefusedError says that nothing of an AppendAll is stored, because of some of its records.
type RefusedError struct{ Refused []Refusal }

// Error implements error.
func (e *RefusedError) Error() string {
	return fmt.Sprintf("%d records are refused: %s", len(e.Refused), e.Refused[0].Reason)
}

// duplicate records that the record at index i was stored before; i rises from call to call.
func (r *Result) duplicate(i int) {
	r.Duplicates++
	if n := len(r.DuplicateRanges); n > 0 && r.DuplicateRanges[n-1][1] == i-1 {
		r.DuplicateRanges[n-1][1] = i
		return
	}
	r.DuplicateRanges = append(r.DuplicateRanges, [2]int{i, i})
}

// request is one Append on its way through the committer.
type request struct {
	records []line.Record
	bytes   int64
	all     bool   // or none
	isNew   []bool // not a duplicate
	result  Result
	err     error
	done    chan struct{}
	refused func() // called instead of an answer that nobody waits for, unless it is stored
}

// Append stores records that were not stored before. When it returns without error they are kept (see Config.Fsync); an
// error means that none of them is. The records are the caller's again when it returns.
func (s *Store) Append(ctx context.Context, records []line.Record) (Result, error) {
	return s.append(ctx, newRequest(records))
}

// AppendAll is Append of all records or none: when some are refused the error is a RefusedError.
func (s *Store) AppendAll(ctx context.Context, records []line.Record) (Result, error) {
	r := newRequest(records)
	r.all = true
	return s.append(ctx, r)
}

func (s *Store) append(ctx context.Context, r *request) (Result, error) {
	if s.bytes.Add(r.bytes) > maxWaiting {
		s.bytes.Add(-r.bytes)
		return Result{}, ErrBusy
	}
	defer s.bytes.Add(-r.bytes)

	select {
	case s.queue <- r:
	case <-s.stop:
		return Result{}, ErrClosed
	case <-ctx.Done():
		return Result{}, ctx.Err()
	}

	// From here on the context is not looked at: the records may be stored, and the caller must learn that.
	select {
	case <-r.done:
		return r.result, r.err

	case <-s.done: // the committer may have answered just before it ended
		select {
		case <-r.done:
			return r.result, r.err
		default:
			return Result{}, ErrClosed
		}
	}
}

func newRequest(records []line.Record) *request {
	r := &request{records: records, isNew: make([]bool, len(records)), done: make(chan struct{})}
	for i := range records {
		r.bytes += int64(len(records[i].Body)) + 128
	}
	return r
}

// run is the committer: it takes what waits, commits it as one group, and takes what waits by then.
func (s *Store) run() {
	defer close(s.done)
	tick := time.NewTicker(s.cfg.FsyncEvery)
	defer tick.Stop()
	check := time.NewTicker(checkInterval)
	defer check.Stop()

	for {
		select {
		case r := <-s.queue:
			s.commit(s.takeGroup(r))

		case barrier := <-s.barriers:
			barrier()

		case <-tick.C:
			_ = s.guarded("sync late", s.syncPending) // a failure is kept in s.failed
		case <-check.C:
			_ = s.guarded("maintain", s.checkPeriodically) // a condition says it; the next turn tries again

		case <-s.stop:
			s.drain()
			return
		}
	}
}

// checkPeriodically is what the committer does from time to time, whether anybody writes or not.
func (s *Store) checkPeriodically() error {
	s.checkCurrent()
	s.checkFree()
	s.rotate()
	return nil
}

// drain commits what was accepted into the queue before the stop and refuses the rest.
func (s *Store) drain() {
	for {
		select {
		case r := <-s.queue:
			s.commit(s.takeGroup(r))
		default:
			_ = s.guarded("sync late", s.syncPending)
			return
		}
	}
}

func (s *Store) takeGroup(first *request) []*request {
	group := []*request{first}
	for n := len(first.records); n < maxGroup; {
		select {
		case r := <-s.queue:
			group = append(group, r)
			n += len(r.records)

		default:
			return group
		}
	}
	return group
}

// commit gives numbers to the records of a group that are new, stores them and answers.
func (s *Store) commit(group []*request) {
	defer s.endCommit(group)

	err := s.Err()
	pending := &s.pending
	if err == nil {
		group, err = s.attempt(group, pending)
	}

	// Stored. The sums come before the head moves: who sees a record finds it in the charts too.
	if err == nil {
		s.addToRollups(pending)
		s.publish(pending)
		s.stored(len(pending[Observations].records) + len(pending[Events].records))
	}
	s.dedupe.committed()

	for _, r := range group {
		r.result.Sync = pending[Observations].sync + pending[Events].sync
		r.answer(err, s.cfg.Fsync == FsyncAlways)
	}
	for stream := range pending {
		pending[stream].reset()
	}

	s.counters.Commits.Add(1)
	s.rotate()
}

// addToRollups adds the group to the sums, before it is shown: a chart never knows less than the list of records.
func (s *Store) addToRollups(group *[streamCount]pending) {
	for stream := range streamCount {
		s.rollups.add(s, s.current[stream], group[stream].records)
	}
}

func (r *request) answer(err error, durable bool) {
	r.err, r.result.Durable = err, durable
	if err != nil {
		r.result = Result{}
	}
	if err != nil && r.refused != nil {
		r.refused()
	}
	close(r.done)
}

// pending is what one commit adds to one stream.
type pending struct {
	records []*line.Record
	lengths []int
	lines   []byte
	owners  []*request
	sync    time.Duration
}

// reset makes room for the next commit and lets go of what was answered: it belongs to its caller again.
func (p *pending) reset() {
	clear(p.records)
	clear(p.owners)
	*p = pending{records: p.records[:0], lengths: p.lengths[:0], lines: p.lines[:0], owners: p.owners[:0]}
}

// dedupeGroup tells new records from duplicates and puts the new ones to their stream. It answers the requests that are
// refused as a whole and returns the others.
func (s *Store) dedupeGroup(group []*request, out *[streamCount]pending) []*request {
	return slices.DeleteFunc(group, func(r *request) bool {
		s.classify(r)
		if r.all && len(r.result.Refused) > 0 {
			s.undoDedupe([]*request{r})
			r.answer(&RefusedError{r.result.Refused}, false)
			return true
		}

		s.counters.Duplicates.Add(uint64(r.result.Duplicates))
		for i := range r.records {
			if !r.isNew[i] {
				continue
			}

			p := &out[StreamOf(r.records[i].Kind)]
			p.records = append(p.records, &r.records[i])
			p.owners = append(p.owners, r)
		}
		return false
	})
}

// classify says which records of a request are new.
func (s *Store) classify(r *request) {
	for i := range r.records {
		rec := &r.records[i]
		isNew, refused := s.dedupe.add(rec.Identity, rec.PSeq)
		r.isNew[i] = isNew

		switch {
		case refused != "":
			r.result.Refused = append(r.result.Refused, Refusal{i, refused})
		case isNew:
			r.result.Accepted++
		default:
			r.result.duplicate(i)
		}
	}
}

// undoDedupe takes back what dedupeGroup added, since the group was not stored.
func (s *Store) undoDedupe(group []*request) {
	for _, r := range group {
		for i, isNew := range r.isNew {
			if isNew {
				s.dedupe.remove(r.records[i].Identity, r.records[i].PSeq)
			}
		}
	}
}

// write numbers, writes and syncs, stream after stream. On error nothing of the group is stored.
func (s *Store) write(group *[streamCount]pending) error {
	received := s.cfg.Now()
	seq := s.next
	for stream := range streamCount {
		p := &group[stream]
		if len(p.records) == 0 {
			continue
		}

		p.number(&seq, received)
		if err := s.writeStream(stream, p); err != nil {
			return s.rollBack(group, stream, err)
		}
	}
	s.next = seq
	return nil
}

func (p *pending) number(seq *uint64, received time.Time) {
	text := line.Now(received)
	for i, rec := range p.records {
		rec.Seq, rec.ReceivedUS = *seq, received.UnixMicro()
		before := len(p.lines)
		p.lines = rec.AppendTo(p.lines, *seq, text)
		p.lengths = append(p.lengths, len(p.lines)-before)

		if r := &p.owners[i].result; r.First == 0 || *seq < r.First {
			r.First = *seq
		}
		p.owners[i].result.Last = max(p.owners[i].result.Last, *seq)
		*seq++
	}
}

// writeStream writes the records of one stream. When the file it wrote to is not the one at its name any more, they go
// to a new one: nothing is answered that no start would find.
func (s *Store) writeStream(stream Stream, p *pending) error {
	for range 2 {
		seg, err := s.active(stream, p.records[0].Seq)
		if err != nil {
			return err
		}
		lost, err := s.writeTo(stream, seg, p)
		if lost == nil || err != nil {
			return err
		}

		if err := s.abandon(stream, seg, lost); err != nil {
			return err
		}
	}
	return fmt.Errorf("%w: what is written to %s is gone at once", wal.ErrBroken, s.dir(stream))
}

// writeTo appends to a file and syncs. lost says that it is not in its place, before or after that.
func (s *Store) writeTo(stream Stream, seg *segment.Segment, p *pending) (lost, err error) {
	if lost := seg.InPlace(); lost != nil {
		return lost, nil
	}
	if err := seg.Append(p.lines); err != nil {
		return nil, err
	}

	if s.cfg.Fsync == FsyncAlways {
		began := s.cfg.Now()
		err = seg.Sync()
		p.sync = s.cfg.Now().Sub(began)
		s.counters.synced(p.sync)
		if err != nil {
			return nil, err
		}
	} else {
		s.unsynced[stream] = true
	}

	lost = seg.InPlace()
	if errors.Is(lost, disk.ErrResized) { // the lines are somewhere in a file that the next start reads
		return nil, fmt.Errorf("%w: %w", wal.ErrBroken, lost)
	}
	return lost, nil
}

// rollBack removes the lines of a group of which one stream could not be written.
func (s *Store) rollBack(group *[streamCount]pending, upTo Stream, cause error) error {
	if errors.Is(cause, wal.ErrBroken) {
		return s.fail(cause)
	}

	// Observations may be on the disk already when the events fail: they are taken back too, for their numbers are given again.
	for stream := Observations; stream <= upTo; stream++ {
		if seg := s.current[stream]; seg != nil && len(group[stream].records) > 0 {
			if err := seg.Rollback(); err != nil {
				return s.fail(err)
			}
		}
	}

	if disk.NoSpace(cause) {
		s.diskFull = true
		s.full(cause.Error())
		return fmt.Errorf("%w: %w", ErrFull, cause)
	}
	return s.fail(cause)
}

// publish shows the group to readers: first the lines, then the head that lets readers look at them.
func (s *Store) publish(group *[streamCount]pending) {
	for stream := range streamCount {
		p := &group[stream]
		if len(p.records) == 0 {
			continue
		}

		s.current[stream].Publish(p.records, p.lengths)
		for _, rec := range p.records {
			s.dedupe.stored(rec.Identity, stream, rec.Seq)
		}
		s.counters.stored(stream, p)
	}

	if s.next-1 == s.head.Load() {
		return
	}
	s.head.Store(s.next - 1)
	changed := make(chan struct{})
	close(*s.changed.Swap(&changed))
}

// runBetweenCommits runs fn between two commits, when all that the committer knows of is stored.
func (s *Store) runBetweenCommits(fn func() error) error {
	done := make(chan error, 1)
	select {
	case s.barriers <- func() { done <- s.guarded("between two commits", fn) }:
		return <-done
	case <-s.stop:
		return ErrClosed
	}
}

// syncPending syncs what FsyncInterval left to later.
func (s *Store) syncPending() error {
	if s.cfg.Fsync == FsyncInterval || s.stopping() {
		return s.syncAll()
	}
	return nil
}

// syncAll syncs what was left to later.
func (s *Store) syncAll() error {
	for stream, seg := range s.current {
		if seg == nil || !s.unsynced[stream] || s.Err() != nil {
			continue
		}

		if err := s.syncNow(seg); err != nil {
			return err
		}
		s.unsynced[stream] = false
	}
	return s.Err()
}

// syncNow syncs outside a commit; a failure is as final as there.
func (s *Store) syncNow(seg *segment.Segment) error {
	if err := seg.Sync(); err != nil {
		return s.fail(err)
	}
	return nil
}

func (s *Store) stopping() bool {
	select {
	case <-s.stop:
		return true
	default:
		return false
	}
}
