package govern_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"gestor.local/contract"
	"gestor.local/manager/internal/eyes"
	"gestor.local/manager/internal/journal"
)

// brokenJournal takes nothing, as on a full disk.
type brokenJournal struct{}

var errFull = errors.New("no space left on device")

func (brokenJournal) Tick(contract.Policy, journal.Tick, contract.Plan) error { return errFull }
func (brokenJournal) Intent(...journal.Intent) error                          { return errFull }
func (brokenJournal) Outcome(...journal.Outcome) error                        { return errFull }
func (brokenJournal) Size() int64                                             { return 0 }

// slowEyes need long for one of their readings.
type slowEyes struct {
	*hostEyes
	slowAt, n int
	delay     time.Duration
}

func (s *slowEyes) Read(ctx context.Context) (eyes.Reading, error) {
	if s.n++; s.n == s.slowAt {
		time.Sleep(s.delay)
	}
	return s.hostEyes.Read(ctx)
}

// failedJournal is one whose disk failed.
type failedJournal struct{ brokenJournal }

func (failedJournal) Tick(contract.Policy, journal.Tick, contract.Plan) error {
	return journal.ErrFailed
}

// respawned is the id that the engine gives to the n-th container that comes back by itself.
func respawned(n int) string { return strings.Repeat("f", 32) + fmt.Sprintf("%032x", n) }
