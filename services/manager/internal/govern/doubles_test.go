package govern_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"gestor.local/contract"
	"gestor.local/manager/internal/govern"
	"gestor.local/manager/internal/journal"
	"gestor.local/manager/internal/source"
)

// brokenJournal takes nothing, as on a full disk.
type brokenJournal struct{}

var errFull = errors.New("no space left on device")

func (brokenJournal) Check() error { return nil }
func (brokenJournal) Tick(contract.Policy, journal.Tick, contract.Plan) (uint64, error) {
	return 0, errFull
}
func (brokenJournal) NoPlan(journal.NoPlan) error                { return errFull }
func (brokenJournal) Intent(...journal.Intent) (uint64, error)   { return 0, errFull }
func (brokenJournal) Outcome(...journal.Outcome) (uint64, error) { return 0, errFull }
func (brokenJournal) Size() int64                                { return 0 }
func (brokenJournal) Decide(journal.Decision) (uint64, error)    { return 0, errFull }
func (brokenJournal) Approve(json.RawMessage) error              { return errFull }
func (brokenJournal) Short() bool                                { return false }

// flakyJournal is one whose disk is full now and then, or that takes everything but outcomes.
type flakyJournal struct {
	govern.Journal
	full, noOutcomes atomic.Bool
}

func (f *flakyJournal) Tick(p contract.Policy, t journal.Tick, plan contract.Plan) (uint64, error) {
	if f.full.Load() {
		return 0, errFull
	}
	return f.Journal.Tick(p, t, plan)
}

func (f *flakyJournal) Decide(d journal.Decision) (uint64, error) {
	if f.full.Load() {
		return 0, errFull
	}
	return f.Journal.Decide(d)
}

func (f *flakyJournal) NoPlan(t journal.NoPlan) error {
	if f.full.Load() {
		return errFull
	}
	return f.Journal.NoPlan(t)
}

func (f *flakyJournal) Intent(intents ...journal.Intent) (uint64, error) {
	if f.full.Load() {
		return 0, errFull
	}
	return f.Journal.Intent(intents...)
}

func (f *flakyJournal) Outcome(outcomes ...journal.Outcome) (uint64, error) {
	if f.full.Load() || f.noOutcomes.Load() {
		return 0, errFull
	}
	return f.Journal.Outcome(outcomes...)
}

// slowReader needs long for one of their readings.
type slowReader struct {
	*hostReader
	slowAt, n int
	delay     time.Duration
}

func (s *slowReader) Read(ctx context.Context) (source.Reading, error) {
	if s.n++; s.n == s.slowAt {
		time.Sleep(s.delay)
	}
	return s.hostReader.Read(ctx)
}

// failedJournal is one whose disk failed.
type failedJournal struct{ brokenJournal }

func (failedJournal) Tick(contract.Policy, journal.Tick, contract.Plan) (uint64, error) {
	return 0, journal.ErrFailed
}

// respawned is the id that the engine gives to the n-th container that comes back by itself.
func respawned(n int) string { return strings.Repeat("f", 32) + fmt.Sprintf("%032x", n) }
