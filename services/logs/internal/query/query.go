// Package query reads the store: records by filter in either order, the history of containers, and series from roll-ups.
//
// A query sees the store as it was when it began. Readers take nothing from the writer but a short lock per segment.
package query

import (
	"context"
	"errors"
	"time"

	"gestor.local/contract"

	"gestor.local/logs/internal/line"
	"gestor.local/logs/internal/store"
)

// Order of the answers. Records are ordered by their sequence number, which is the order of arrival.
type Order bool

// Orders.
const (
	Oldest Order = false // first
	Newest Order = true  // first
)

// ErrAmbiguous says that a prefix fits more than one container.
var ErrAmbiguous = errors.New("more than one container begins like this: give more digits, or host= when it is on several hosts")

// ErrStop ends a scan early without an error.
var ErrStop = errors.New("stop")

// Engine answers queries. Its methods may be called from any goroutine.
type Engine struct {
	store   *store.Store
	maxRead int // see there
}

// New returns an engine over a store.
func New(s *store.Store) *Engine { return &Engine{store: s, maxRead: maxRead} }

// Query is a filter and where to begin.
type Query struct {
	contract.Filter
	Order Order
	// Verdicts and Reasons select decisions.
	Verdicts, Reasons []string
	// After and Before are exclusive bounds of the sequence number, 0 = none. A reader that goes on from the last number
	// it saw misses nothing and sees nothing twice, whatever arrives meanwhile.
	After, Before uint64
}

// Line is one stored record. Its bytes are valid until the callback returns.
type Line struct {
	line.Head
	JSON []byte
}

// Decode returns the record.
func (l Line) Decode() (contract.Record, error) {
	var r contract.Record
	err := r.UnmarshalJSON(l.JSON) // json.Unmarshal would read it once more, to check it
	return r, err
}

// Scan calls fn for every record that passes the filter. fn may return ErrStop.
func (e *Engine) Scan(ctx context.Context, f contract.Filter, order Order, fn func(contract.Record) error) error {
	return e.Lines(ctx, Query{Filter: f, Order: order}, func(l Line) error {
		if r, ok := e.decode(l); ok {
			return fn(r)
		}
		return nil
	})
}

// decode returns the record of a line. One that an earlier version stored, which took more, is reported; the others can be
// read.
func (e *Engine) decode(l Line) (contract.Record, bool) {
	r, err := l.Decode()
	if err != nil {
		e.store.Unreadable(l.Seq, err)
	}
	return r, err == nil
}

// Lines is Scan without decoding.
func (e *Engine) Lines(ctx context.Context, q Query, fn func(Line) error) error {
	m := newMatcher(q, e.store.Head())

	var sources []*source
	defer func() {
		for _, s := range sources {
			s.close()
		}
	}()
	for _, stream := range m.streams() {
		sources = append(sources, newSource(ctx, e.store, stream, m))
	}

	// Each stream is in the order of the numbers: merged, their lines are in the order of arrival.
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		s, err := nearest(sources, q.Order)
		if err != nil || s == nil {
			return err
		}

		err = fn(s.line)
		if errors.Is(err, ErrStop) {
			return nil
		}
		if err != nil {
			return err
		}
		s.have = false
	}
}

// nearest returns the source whose next line comes first, nil at the end.
func nearest(sources []*source, order Order) (*source, error) {
	var best *source
	for _, s := range sources {
		if !s.have {
			if err := s.advance(); err != nil {
				return nil, err
			}
		}

		if s.have && (best == nil || (s.line.Seq < best.line.Seq) == (order == Oldest)) {
			best = s
		}
	}
	return best, nil
}

// Get returns the record with a sequence number.
func (e *Engine) Get(ctx context.Context, seq uint64) (raw []byte, ok bool, err error) {
	if seq == 0 {
		return nil, false, nil
	}

	err = e.Lines(ctx, Query{After: seq - 1, Before: seq + 1}, func(l Line) error {
		raw, ok = append([]byte(nil), l.JSON...), true
		return ErrStop
	})
	return raw, ok, err
}

// Head is the newest sequence number: an answer can only have changed when it has.
func (e *Engine) Head() uint64 { return e.store.Head() }

// Now is the store's clock.
func (e *Engine) Now() time.Time { return e.store.Now() }
