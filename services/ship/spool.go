package ship

import (
	"errors"
	"fmt"
	"math"
	"time"

	"gestor.local/contract"
	"gestor.local/wal"
	"gestor.local/wal/disk"
)

// FullError says that the spool holds nothing that may be dropped and has no room for the durable records offered.
// None of the call's records was kept. Space returns when the log service takes records.
type FullError struct {
	// Bytes are in the spool, Need were offered, Max is the bound.
	Bytes, Need, Max int64
}

func (e *FullError) Error() string {
	return fmt.Sprintf("append to spool: full: %d bytes held, %d offered, %d allowed (bring the log service back, or give the spool more room)",
		e.Bytes, e.Need, e.Max)
}

// ErrFailed is wrapped by every error after the spool could not be synced. It is final: what was written before is
// read again by the next Open.
var ErrFailed = errors.New("spool failed")

// spool is the part of a Shipper that touches the disk. It has no lock of its own.
type spool struct {
	cfg          Config
	lock         disk.Lock
	state        state
	last         uint64 // last pseq given
	lastAtOpen   uint64 // last pseq given before this process: whether those were sent nobody can say
	inFlight     uint64 // last pseq of the batch that is being sent, 0 when no observation is
	events       stream
	observations stream
	quarantine   quarantine
	drops        dropSummary // dropped since the last report
	dropped      uint64
	moved        error       // that files were gone, until Check has reported it
	unread       dropSummary // what files that were gone held and nobody can read, until it is reported
	failed       error
}

// writable is what to look at when the folder cannot be used.
const writable = " (may this user write there, and is the volume not mounted read-only?)"

func openSpool(cfg Config) (*spool, error) {
	lock, err := lockFolder(cfg.FS, cfg.Dir)
	if err != nil {
		return nil, err
	}

	newStream := func(name string) stream {
		return stream{fsys: cfg.FS, dir: cfg.Dir, names: namesOf(name), segmentBytes: cfg.segmentBytes()}
	}
	s := &spool{
		cfg: cfg, lock: lock, quarantine: quarantine{fsys: cfg.FS, dir: cfg.Dir},
		events: newStream(streamEvents), observations: newStream(streamObservations),
	}

	if err := s.recover(); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

// recover reads what an earlier run left. What it could not read goes to the quarantine and is reported.
func (s *spool) recover() (err error) {
	if s.state, err = loadState(s.cfg.FS, s.cfg.Dir); err != nil {
		return err
	}

	// The state tells which records of a stream were delivered already, so it is read before the streams.
	var found damageCount
	for _, st := range []struct {
		*stream
		upTo, journalled uint64
	}{
		{&s.events, s.state.eventsDelivered(), s.state.Journalled},
		{&s.observations, s.state.Delivered, s.state.JournalledObservations},
	} {
		err := st.open(st.upTo, st.journalled, func(seg *segment, d damage) error { return s.quarantine.repair(seg, d, &found) })
		if err != nil {
			return fmt.Errorf("open spool: %w", err)
		}
	}

	s.last = max(s.state.LastPSeq, s.state.eventsDelivered(), s.events.lastPSeq(), s.observations.lastPSeq())
	s.lastAtOpen = s.last

	if found == (damageCount{}) {
		return nil
	}
	return s.report(found.body())
}

func (s *spool) streams() []*stream { return []*stream{&s.events, &s.observations} }

// append gives the records their identity and keeps them. Nothing of the call is kept when it returns an error.
func (s *spool) append(records []contract.Record) error {
	if err := s.ensureInPlace(); err != nil {
		return err
	}

	before := s.last
	events, observations, refused := s.encode(records)

	// The events first: when they cannot be kept, nothing of the call is, and their numbers are given again.
	err := s.makeRoom(textBytes(events) + textBytes(observations))
	if err == nil && !s.fits(textBytes(events)) {
		err = &FullError{s.bytes(), textBytes(events), s.cfg.MaxBytes}
	}
	if err == nil {
		err = s.writeEvents(events)
	}
	if err != nil {
		s.last = before
		return err
	}

	s.writeObservations(observations)
	for _, r := range refused {
		err = errors.Join(err, s.quarantineRecord(r.text, r.reason))
	}

	if err = errors.Join(err, s.reportLoss(s.cfg.reserve())); err != nil {
		s.cfg.Log("the spool could not write a report of its own", err) // the call's records are kept all the same
	}
	return nil
}

// makeRoom deletes what has arrived and then drops the oldest observations, until need bytes fit or nothing is left to
// drop.
func (s *spool) makeRoom(need int64) error {
	for !s.fits(need) {
		if ok, err := s.discardAcked(); ok || err != nil {
			if err != nil {
				return fmt.Errorf("delete delivered records: %w", err)
			}
			continue
		}

		gone, ok, err := s.observations.discardOldest(s.inFlight, s.persistHighWater)
		if err != nil {
			return fmt.Errorf("drop observations: %w", err)
		}
		if !ok {
			return nil
		}

		for _, e := range gone {
			if e.pseq > s.observations.ackedBefore {
				s.drop(e.pseq, time.UnixMilli(e.at))
			}
		}
	}
	return nil
}

// discardAcked deletes the oldest file of which every record has arrived, false when there is none.
func (s *spool) discardAcked() (bool, error) {
	for _, st := range s.streams() {
		if ok, err := st.discardAcked(s.inFlight); ok || err != nil {
			return ok, err
		}
	}
	return false, nil
}

// persistHighWater notes that numbers up to pseq were given, durably, unless that will still be seen when the file that
// ends with pseq is gone. The log service may have the record: its number given again would make the next one a duplicate.
func (s *spool) persistHighWater(pseq uint64) error {
	if max(s.state.LastPSeq, s.state.eventsDelivered(), s.events.lastPSeq()) >= pseq || s.observations.lastPSeq() > pseq {
		return nil
	}
	st := s.state
	st.LastPSeq = pseq
	return s.saveState(st)
}

// withHighWater is the state with what is in use by now: the numbers, and the lines of the journal that were recorded.
func (s *spool) withHighWater(st state) state {
	st.LastPSeq, st.Journalled, st.JournalledObservations = s.last, s.events.journalled, s.observations.journalled
	return st
}

// saveState replaces the state, durably. A failed sync is final; after any other error the old state stands, on disk and
// here.
func (s *spool) saveState(next state) error {
	err := next.save(s.cfg.FS, s.cfg.Dir)
	if unsynced := (*disk.SyncError)(nil); errors.As(err, &unsynced) {
		return s.fail(err)
	}
	if err == nil {
		s.state = next
	}
	return err
}

func (s *spool) fits(need int64) bool { return s.bytes()+need <= s.cfg.MaxBytes-s.cfg.reserve() }

func (s *spool) drop(pseq uint64, at time.Time) {
	s.drops.add(pseq, at)
	s.dropped++
}

// writeEvents keeps durable lines: they are on stable storage when it returns nil.
func (s *spool) writeEvents(events []line) error {
	if len(events) == 0 {
		return nil
	}
	if err := s.events.write(events); err != nil {
		return s.failIfBroken(fmt.Errorf("append to spool: %w", err))
	}
	if err := s.events.sync(); err != nil {
		return s.fail(fmt.Errorf("append to spool: sync: %w", err))
	}
	return nil
}

// writeObservations keeps observations if it can; those it cannot keep are counted as dropped.
func (s *spool) writeObservations(lines []line) {
	if s.fits(textBytes(lines)) {
		err := s.observations.write(lines)
		if err == nil {
			return
		}

		// The call has succeeded for its events: a broken file fails the calls that follow.
		_ = s.failIfBroken(fmt.Errorf("append to spool: %w", err))
		s.cfg.Log("observations could not be written to the spool and are dropped", err)
	}

	for _, l := range lines {
		s.drop(l.pseq, l.at)
	}
}

// fail marks the spool as failed for good: a failed sync may have lost pages that the next sync would call written.
func (s *spool) fail(err error) error {
	s.failed = fmt.Errorf("%w: %w", ErrFailed, err)
	return s.failed
}

// failIfBroken makes an error final after which nobody knows what a file holds.
func (s *spool) failIfBroken(err error) error {
	if errors.Is(err, wal.ErrBroken) {
		return s.fail(err)
	}
	return err
}

// report keeps one of the spool's own records, in the reserve if need be.
func (s *spool) report(body contract.SystemBody) error {
	s.last++
	record := contract.NewRecord(time.Now(), 0, "", body)

	text, reason := s.assignIdentity(&record)
	if reason != "" {
		return fmt.Errorf("report %s: %s", body.Event, reason)
	}

	s.cfg.Log(body.Message, nil)
	if size := int64(len(text)); s.bytes()+size > s.cfg.MaxBytes {
		return fmt.Errorf("report %s: %w", body.Event, &FullError{s.bytes(), size, s.cfg.MaxBytes})
	}
	return s.writeEvents([]line{{s.last, record.Time, text, 0}})
}

// reportLoss writes down what was dropped, once the given bytes stay free after it; until then the losses add up.
func (s *spool) reportLoss(free int64) error {
	if s.drops.records == 0 || s.bytes()+free > s.cfg.MaxBytes {
		return nil
	}
	if err := s.report(s.drops.body()); err != nil {
		return err
	}
	s.drops = dropSummary{}
	return nil
}

// quarantineRecord puts a record that nobody will take into quarantine and reports it. A report of the spool itself is not
// reported again.
func (s *spool) quarantineRecord(text []byte, reason string) error {
	if err := s.quarantine.add(text, reason); err != nil {
		return fmt.Errorf("quarantine a record: %w", err)
	}
	if isReport(text) {
		return nil
	}

	err := s.report(refusedBody(reason))
	if full := (*FullError)(nil); errors.As(err, &full) {
		return nil // counted and put into quarantine; a flood of refused records must not fill the spool with reports
	}
	return err
}

// quarantineRejected puts a record that the log service does not take into quarantine, once: a batch may have to be sent
// again. Within a batch it is called in order of pseq.
func (s *spool) quarantineRejected(it item, text []byte, reason string) error {
	if it.pseq <= it.stream.lastQuarantined {
		return nil
	}
	if err := s.quarantineRecord(text, reason); err != nil {
		return err
	}
	it.stream.lastQuarantined = it.pseq
	return nil
}

// batch is a request's records, in order of pseq.
type batch struct {
	items      []item
	lines      [][]byte // of the items
	last       uint64   // pseq of the last line
	eventsOnly bool     // observations with lower numbers may wait still
}

// batch returns the next undelivered records, or the next events alone. They are on stable storage.
func (s *spool) batch(limit int, eventsOnly bool) (batch, error) {
	b := batch{eventsOnly: eventsOnly}
	if err := s.ensureInPlace(); err != nil {
		return b, err
	}
	if err := s.renumber(); err != nil {
		return b, err
	}

	// What the log service has stored must not be gone here after a power cut: the numbers of lost records would be given
	// again, and the new records taken for the old ones.
	if err := s.sync(); err != nil {
		return b, err
	}

	next := merge(&s.events, &s.observations)
	if eventsOnly {
		next = merge(&s.events, new(stream))
	}

	for size := int32(0); len(b.lines) < limit && size < batchBytes; {
		it, ok := next()
		if !ok {
			break
		}

		text, err := it.segment.read(it.entry)
		if err != nil {
			return b, s.fail(err)
		}
		b.items, b.lines, b.last, size = append(b.items, it), append(b.lines, text), it.pseq, size+it.size
	}

	if !eventsOnly {
		s.inFlight = b.last
	}
	return b, nil
}

// sync puts everything written so far on stable storage.
func (s *spool) sync() error {
	for _, st := range s.streams() {
		if err := st.sync(); err != nil {
			return s.fail(fmt.Errorf("sync spool: %w", err))
		}
	}
	return nil
}

// delivered forgets the records of a batch and what came before, durably, and in time gives their space back. After an
// error that does not wrap ErrFailed they wait as before, and sending them again is all that is needed.
func (s *spool) delivered(b batch) error {
	s.inFlight = 0
	if err := s.ensureInPlace(); err != nil {
		return fmt.Errorf("mark records as delivered: %w", err)
	}

	done := s.streams()
	if b.eventsOnly {
		done = done[:1]
	}

	// Durably first: a file that is gone cannot say that its numbers were given.
	next := s.withHighWater(s.state.after(b))
	err := s.saveState(next)
	if err != nil && s.failed == nil { // the volume may be full of what was just delivered
		if err = s.discardBefore(done, b.last); err == nil {
			err = s.saveState(next)
		}
	}
	if err != nil {
		return fmt.Errorf("mark records as delivered: %w", err)
	}

	for _, st := range done {
		st.delivered(b.last)
		if err := st.discardArrived(time.Now().Add(-keepArrived), s.cfg.arrivedBytes()/2); err != nil {
			return s.fail(fmt.Errorf("delete delivered records: %w", err))
		}
	}

	if err = s.reportLoss(s.cfg.reserve()); err != nil && s.failed == nil {
		s.cfg.Log("the spool could not write a report of its own", err) // it stays to be written
		err = nil
	}
	return err
}

// discardBefore deletes the files that hold delivered records alone, without a word in the state. The file that holds the
// last of them stays: as long as it can be read, no number up to it is given again.
func (s *spool) discardBefore(streams []*stream, pseq uint64) error {
	for _, st := range streams {
		if err := st.discardBefore(pseq); err != nil {
			return s.fail(fmt.Errorf("delete delivered records: %w", err))
		}
	}
	return nil
}

func (s *spool) bytes() int64 { return s.events.bytes() + s.observations.bytes() }

// waiting is the number and the size of the records that still have to arrive.
func (s *spool) waiting() (records int, bytes int64) {
	for _, st := range s.streams() {
		r, b := st.waiting()
		records, bytes = records+r, bytes+b
	}
	return records, bytes
}

// oldest is the time of the oldest record that waits.
func (s *spool) oldest() (at time.Time, ok bool) {
	first := entry{pseq: math.MaxUint64}
	for _, st := range s.streams() {
		if e, waits := st.oldest(); waits && e.pseq < first.pseq {
			first, ok = e, true
		}
	}
	return time.UnixMilli(first.at), ok
}

func (s *spool) close() {
	s.events.close()
	s.observations.close()
	_ = s.lock.Close()
}
