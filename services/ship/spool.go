package ship

import (
	"errors"
	"fmt"
	"os"
	"time"

	"gestor.local/contract"
)

// FullError says that the spool holds nothing that may be dropped and has no room for the precious records offered.
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
	lock         *os.File
	state        state
	last         uint64 // last pseq given
	busy         uint64 // last pseq of the batch that is being sent, 0 between batches
	events       stream
	observations stream
	quarantine   quarantine
	loss         loss // dropped since the last report
	dropped      uint64
	failed       error
}

func openSpool(cfg Config) (*spool, error) {
	if err := os.MkdirAll(cfg.Dir, 0o750); err != nil {
		return nil, fmt.Errorf("make spool folder: %w", err)
	}
	lock, err := lockDir(cfg.Dir)
	if err != nil {
		return nil, err
	}
	s := &spool{
		cfg: cfg, lock: lock,
		events:       stream{dir: cfg.Dir, name: streamEvents, segmentBytes: cfg.segmentBytes()},
		observations: stream{dir: cfg.Dir, name: streamObservations, segmentBytes: cfg.segmentBytes()},
		quarantine:   quarantine{dir: cfg.Dir},
	}
	if err := s.recover(); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

// recover reads what an earlier run left. What it could not read goes to the quarantine and is reported.
func (s *spool) recover() (err error) {
	if s.state, _, err = loadState(s.cfg.Dir); err != nil {
		return err
	}
	var harms []damage
	for _, st := range []*stream{&s.events, &s.observations} {
		found, err := st.open(s.state.Delivered)
		if err != nil {
			return fmt.Errorf("open spool: %w", err)
		}
		harms = append(harms, found...)
	}
	s.last = max(s.state.LastPSeq, s.state.Delivered, s.events.lastPSeq(), s.observations.lastPSeq())
	if len(harms) == 0 {
		return nil
	}
	report, err := s.quarantine.damage(harms)
	if err != nil {
		return fmt.Errorf("open spool: %w", err)
	}
	return s.report(report)
}

// append gives the records their identity and keeps them. Nothing of the call is kept when it returns an error.
func (s *spool) append(records []contract.Record) error {
	if s.failed != nil {
		return s.failed
	}
	before := s.last
	events, observations, refused := s.encode(records)
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
		err = errors.Join(err, s.refuse(r.text, r.reason))
	}
	if err = errors.Join(err, s.reportLoss(s.cfg.reserve())); err != nil {
		s.cfg.Log("the spool could not write a report of its own", err) // the call's records are kept all the same
	}
	return nil
}

// makeRoom drops the oldest observations until need bytes fit or nothing is left to drop.
func (s *spool) makeRoom(need int64) error {
	for !s.fits(need) {
		gone, ok, err := s.observations.discardOldest(s.busy, s.remember)
		if err != nil {
			return fmt.Errorf("drop observations: %w", err)
		}
		if !ok {
			return nil
		}
		for _, e := range gone {
			s.drop(e.pseq, time.UnixMilli(e.at))
		}
	}
	return nil
}

// remember notes that numbers up to pseq were given, durably, unless that will still be seen when the file that ends with
// pseq is gone. The log service may have the record: its number given again would make the next one a duplicate.
func (s *spool) remember(pseq uint64) error {
	if max(s.state.LastPSeq, s.state.Delivered, s.events.lastPSeq()) >= pseq || s.observations.lastPSeq() > pseq {
		return nil
	}
	st := s.state
	st.LastPSeq = pseq
	if err := st.save(s.cfg.Dir); err != nil {
		return err
	}
	s.state = st
	return nil
}

func (s *spool) fits(need int64) bool { return s.bytes()+need <= s.cfg.MaxBytes-s.cfg.reserve() }

func (s *spool) drop(pseq uint64, at time.Time) {
	s.loss.add(pseq, at)
	s.dropped++
}

// writeEvents keeps precious lines: they are on stable storage when it returns nil.
func (s *spool) writeEvents(events []line) error {
	if len(events) == 0 {
		return nil
	}
	broken, err := s.events.write(events)
	if err != nil {
		err = fmt.Errorf("append to spool: %w", err)
		if broken {
			return s.fail(err)
		}
		return err
	}
	if err := s.events.sync(); err != nil {
		return s.fail(fmt.Errorf("append to spool: sync: %w", err))
	}
	return nil
}

// writeObservations keeps observations if it can; those it cannot keep are counted as dropped.
func (s *spool) writeObservations(lines []line) {
	if s.fits(textBytes(lines)) {
		broken, err := s.observations.write(lines)
		if err == nil {
			return
		}
		if broken {
			_ = s.fail(fmt.Errorf("append to spool: %w", err))
		}
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

// report keeps one of the spool's own records, in the reserve if need be.
func (s *spool) report(body contract.SystemBody) error {
	s.last++
	record := contract.NewRecord(time.Now(), 0, "", body)
	text, reason := s.identify(&record)
	if reason != "" {
		return fmt.Errorf("report %s: %s", body.Event, reason)
	}
	s.cfg.Log(body.Message, nil)
	if size := int64(len(text)); s.bytes()+size > s.cfg.MaxBytes {
		return fmt.Errorf("report %s: %w", body.Event, &FullError{s.bytes(), size, s.cfg.MaxBytes})
	}
	return s.writeEvents([]line{{s.last, record.Time, text}})
}

// reportLoss writes down what was dropped, once keep bytes stay free after it; until then the losses add up.
func (s *spool) reportLoss(keep int64) error {
	if s.loss.records == 0 || s.bytes()+keep > s.cfg.MaxBytes {
		return nil
	}
	if err := s.report(s.loss.body()); err != nil {
		return err
	}
	s.loss = loss{}
	return nil
}

// refuse puts a record that nobody will take aside and says so. A report of the spool itself is not reported again.
func (s *spool) refuse(text []byte, reason string) error {
	if err := s.quarantine.add(text, reason); err != nil {
		return fmt.Errorf("quarantine a record: %w", err)
	}
	if isReport(text) {
		return nil
	}
	err := s.report(refusedBody(reason))
	if full := (*FullError)(nil); errors.As(err, &full) {
		return nil // counted and put aside; a flood of refused records must not fill the spool with reports
	}
	return err
}

// batch returns the next undelivered records in order of pseq, with their last pseq. They are on stable storage.
func (s *spool) batch(limit int) (lines [][]byte, last uint64, err error) {
	if s.failed != nil {
		return nil, 0, s.failed
	}
	for _, st := range []*stream{&s.events, &s.observations} {
		if err := st.sync(); err != nil {
			return nil, 0, s.fail(fmt.Errorf("sync spool: %w", err))
		}
	}
	next := merge(&s.events, &s.observations)
	for size := int32(0); len(lines) < limit && size < batchBytes; {
		seg, e, ok := next()
		if !ok {
			break
		}
		text, err := seg.read(e)
		if err != nil {
			return nil, 0, s.fail(err)
		}
		lines, last, size = append(lines, text), e.pseq, size+e.size
	}
	s.busy = last
	return lines, last, nil
}

// delivered forgets every record up to pseq, durably, and gives their space back.
func (s *spool) delivered(pseq uint64) error {
	s.busy = 0
	s.state.LastPSeq, s.state.Delivered = s.last, pseq
	if err := s.state.save(s.cfg.Dir); err != nil {
		return s.fail(err)
	}
	for _, st := range []*stream{&s.events, &s.observations} {
		st.delivered(pseq)
		if err := st.discardDelivered(); err != nil {
			return s.fail(fmt.Errorf("delete delivered records: %w", err))
		}
	}
	return s.reportLoss(s.cfg.reserve())
}

func (s *spool) bytes() int64 { return s.events.bytes() + s.observations.bytes() }

func (s *spool) records() int { return s.events.records() + s.observations.records() }

// oldest is the time of the oldest record that waits.
func (s *spool) oldest() (at time.Time, ok bool) {
	_, e, ok := merge(&s.events, &s.observations)()
	return time.UnixMilli(e.at), ok
}

func (s *spool) close() {
	s.events.close()
	s.observations.close()
	_ = s.lock.Close()
}
