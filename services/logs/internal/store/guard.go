package store

import (
	"errors"
	"fmt"
	"runtime/debug"
	"slices"

	"gestor.local/logs/internal/line"
	"gestor.local/logs/internal/rollup"
)

// errPanic is the error of work that ended with a panic, which is always a defect.
var errPanic = errors.New("internal error; the service's log has the details")

// The store's two goroutines serve everybody, so that a panic of theirs must not end the process: a record that makes
// one would come back after every restart. What it was done for fails instead, and a condition says so.

// panicked records a panic and returns it as an error. It is called by the function that recovered, so that the stack is
// the panic's.
func (s *Store) panicked(what string, v any) error {
	s.counters.Panics.Add(1)
	s.condition.set(conditionInternal, fmt.Sprintf("%s: %v; please report it with the stack in the service's log", what, v))
	if s.cfg.OnPanic != nil {
		s.cfg.OnPanic(what, v, debug.Stack())
	}
	return fmt.Errorf("%s: %w", what, errPanic)
}

// guarded does work; its panic is an error.
func (s *Store) guarded(what string, work func() error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = s.panicked(what, v)
		}
	}()
	return work()
}

// endCommit is deferred by commit. What panicked behind attempt has records on the disk and not all of them shown: only a
// restart can tell.
func (s *Store) endCommit(group []*request) {
	v := recover()
	if v == nil {
		return
	}

	err := s.fail(s.panicked("show records", v))
	for _, r := range group {
		if r != nil && !r.answered() { // attempt leaves nil behind in place of those it answered
			r.answer(err, false)
		}
	}
}

// addTo sums a record. Sums that lack one are better than records that are not taken; the condition says it.
func (s *Store) addTo(t *rollup.Table, rec *line.Record) {
	_ = s.guarded("sum a record", func() error {
		t.Add(rec)
		return nil
	})
}

// attempt checks, dedupes and writes a group and returns what is left of it to be answered. On error nothing is stored.
func (s *Store) attempt(group []*request, out *[streamCount]pending) (rest []*request, err error) {
	all := slices.Clone(group) // the steps move the requests about in theirs
	defer func() {
		if v := recover(); v != nil {
			err = s.rollBackAll(s.panicked("store records", v))
			rest = slices.DeleteFunc(all, (*request).answered)
		}
		if err != nil {
			s.undoDedupe(rest)
		}
	}()

	rest = s.dedupeGroup(s.checkSenders(s.checkSpace(group)), out)
	return rest, s.write(out)
}

// answered says whether nobody waits for the request any more.
func (r *request) answered() bool {
	select {
	case <-r.done:
		return true
	default:
		return false
	}
}

// rollBackAll removes whatever lines were written and not published.
func (s *Store) rollBackAll(cause error) error {
	for _, seg := range s.current {
		if seg == nil {
			continue
		}
		if err := seg.Rollback(); err != nil {
			return s.fail(err)
		}
	}
	return cause
}
