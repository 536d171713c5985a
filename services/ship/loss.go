package ship

import (
	"fmt"
	"time"

	"gestor.local/contract"
)

// Events of the spool's own records (kind system).
const (
	EventDropped     = "spool_dropped"     // observations dropped for want of space: records, first_pseq, last_pseq, since, until
	EventQuarantined = "spool_quarantined" // a record that nobody takes was put into quarantine: reason
	EventDamaged     = "spool_damaged"     // found at open: torn_bytes, bad_lines
	EventConflict    = "identity_conflict" // another sender used the spool's numbers: records, first_pseq, last_pseq, was, now
	EventMoved       = "spool_moved"       // its files were deleted or replaced while it was open: file, waiting, lost, first_pseq, last_pseq
)

// dropSummary adds up dropped observations until they are reported.
type dropSummary struct {
	records     uint64
	first, last uint64 // pseq
	since, till time.Time
}

func (l *dropSummary) add(pseq uint64, at time.Time) {
	if l.records == 0 {
		l.first, l.since = pseq, at
	}
	l.records++
	l.last, l.till = pseq, at
}

// merge adds what another one holds.
func (l *dropSummary) merge(o dropSummary) {
	switch {
	case o.records == 0:
	case l.records == 0:
		*l = o
	default:
		l.records += o.records
		l.first, l.last = min(l.first, o.first), max(l.last, o.last)
	}
}

// body is the record of the loss. After a request that was taken but whose answer was lost, a record counted here may
// have arrived: the number is an upper bound.
func (l *dropSummary) body() contract.SystemBody {
	return contract.SystemBody{
		Event: EventDropped, Level: contract.LevelWarn,
		Message: fmt.Sprintf("the spool was full: %d observations from %s to %s were dropped",
			l.records, l.since.UTC().Format(time.RFC3339), l.till.UTC().Format(time.RFC3339)),
		Details: map[string]any{
			"records": l.records, "first_pseq": l.first, "last_pseq": l.last,
			"since": l.since.UTC().Format(time.RFC3339Nano), "until": l.till.UTC().Format(time.RFC3339Nano),
		},
	}
}
