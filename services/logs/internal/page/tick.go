package page

import (
	"context"
	"slices"
	"strings"
	"time"

	"gestor.local/contract"

	"gestor.local/logs/internal/query"
)

// tickRecords is what was recorded on one tick of one host.
type tickRecords struct {
	Time   time.Time
	Source string
	// Host is nil where no host record belongs to the containers (as POST /logs makes them).
	Host   *contract.HostBody
	Rows   []contract.ContainerBody // owned
	Others int                      // containers of the host that Gestor does not own

	boot, producer string
	number         uint64
}

// knowsLiving says whether the tick knows who lives: it names containers, or counted them and found none.
func (t *tickRecords) knowsLiving() bool {
	return len(t.Rows)+t.Others > 0 || t.Host != nil && t.Host.Planned()
}

// includes says whether a record belongs to the tick. Numbers may come back after a restart: the time tells then.
func (t *tickRecords) includes(r contract.Record) bool {
	near := t.Time.Sub(r.Time).Abs() <= time.Minute
	return near && t.boot == r.Boot && t.producer == r.Producer && t.number == r.Tick && (r.Tick > 0 || t.Time.Equal(r.Time))
}

func (t *tickRecords) addRecord(r contract.Record) {
	switch b := r.Body.(type) {
	case contract.HostBody:
		t.Host, t.Time, t.Source = &b, r.Time, r.Source
	case contract.ContainerBody:
		if b.Why == contract.UnmeasuredNotRunning {
			return // of whom the tick has no row: nobody who lives
		}
		if b.Owned {
			t.Rows = append(t.Rows, b)
		} else {
			t.Others++
		}
	}
}

// tickReader reads a host's records from the newest back to the tick before the newest: the newest tick itself, the
// newest one that saw the containers, and what was done and launched since.
type tickReader struct {
	current     *tickRecords // being read
	withoutHost *tickRecords // the newest group without a host record
	newest      *tickRecords
	lastCounted *tickRecords
	previous    *tickRecords // the one before the newest, for the interval

	actions     map[string]lastAction            // by container: what became of it
	launches    map[string]contract.Record       // by container: its launch
	decisions   map[string]contract.DecisionBody // by container: its newest decision
	shadowTicks map[uint64]bool                  // ticks whose removals were only shown
}

// lastAction is the newest record of an action on a container.
type lastAction struct {
	contract.ActionBody
	time time.Time
}

// failed says whether the action was tried and did not do it.
func (e lastAction) failed() bool {
	return e.Phase == contract.PhaseOutcome && e.Outcome == contract.OutcomeFailed
}

// readTicks scans one host, the newest records first, until the ticks are complete or maxScanned records are read.
func readTicks(ctx context.Context, from RecordSource, host string) (*tickReader, error) {
	t := &tickReader{
		actions: map[string]lastAction{}, launches: map[string]contract.Record{}, decisions: map[string]contract.DecisionBody{}, shadowTicks: map[uint64]bool{},
	}

	scanned := 0
	f := contract.Filter{Hosts: []string{host}, Kinds: []contract.Kind{
		contract.KindHost, contract.KindContainer, contract.KindAction, contract.KindLaunch, contract.KindDecision,
	}}
	err := from.Scan(ctx, f, query.Newest, func(r contract.Record) error {
		if scanned++; scanned > maxScanned {
			return query.ErrStop
		}

		if r.Kind == contract.KindHost || r.Kind == contract.KindContainer {
			t.addReading(r)
		} else {
			t.addEvent(r)
		}
		if t.complete() {
			return query.ErrStop
		}
		return nil
	})

	t.closeTick()
	return t, err
}

// complete says whether nothing older is needed.
func (t *tickReader) complete() bool { return t.lastCounted != nil && t.previous != nil }

// addReading takes a record of a tick. A tick is complete when a record of an older one comes.
func (t *tickReader) addReading(r contract.Record) {
	if t.current == nil || !t.current.includes(r) {
		t.closeTick()
		t.current = &tickRecords{Time: r.Time, Source: r.Source, boot: r.Boot, producer: r.Producer, number: r.Tick}
		if t.newest != nil && t.previous == nil {
			t.previous = t.current
		}
	}

	t.current.addRecord(r)
}

// closeTick ends the tick that is being read. One without a host record is of a producer that makes none, or has half
// arrived: the tick before it is shown then.
func (t *tickReader) closeTick() {
	closed := t.current
	t.current = nil

	switch {
	case closed == nil:
	case closed.Host == nil:
		if t.newest == nil && t.withoutHost == nil {
			t.withoutHost = closed
		}
	default:
		if t.newest == nil {
			t.newest = closed
		}
		if t.lastCounted == nil && closed.knowsLiving() {
			t.lastCounted = closed
		}
	}
}

// addEvent takes what was done, launched and decided. The newest record of a container counts.
func (t *tickReader) addEvent(r contract.Record) {
	switch b := r.Body.(type) {
	case contract.ActionBody:
		if b.Action == contract.ActionShadowRemove {
			t.shadowTicks[r.Tick] = true
			return
		}
		if _, later := t.actions[b.Container]; !later {
			t.actions[b.Container] = lastAction{b, r.Time}
		}

	case contract.LaunchBody:
		if _, later := t.launches[b.Container]; !later && b.Outcome == contract.LaunchStarted && b.Container != "" {
			t.launches[b.Container] = r
		}

	case contract.DecisionBody:
		if _, later := t.decisions[b.Container]; !later {
			t.decisions[b.Container] = b
		}
	}
}

// enforces says whether the newest tick's removals are carried out.
func (t *tickReader) enforces() bool {
	return t.newest != nil && t.newest.Host != nil && t.newest.Host.WhyHeld() == "" && !t.shadowTicks[t.newest.number]
}

// hostSummary is a host that records are of.
type hostSummary struct {
	Name string
	Last time.Time // its newest tick
	// Silent is how long ago that is, 0 while it ticks.
	Silent time.Duration
}

// recentHosts is how long before the newest observation a host may have ticked last to be named on the page.
const recentHosts = 15 * time.Minute

// readHosts lists the hosts that ticked lately, by name. Where nobody ticks (containers alone, as POST /logs makes them) it
// is the host of the newest observation.
func readHosts(ctx context.Context, from RecordSource) ([]hostSummary, error) {
	var newest contract.Record
	f := contract.Filter{Kinds: []contract.Kind{contract.KindHost, contract.KindContainer}}
	err := from.Scan(ctx, f, query.Newest, func(r contract.Record) error {
		newest = r
		return query.ErrStop
	})
	if err != nil || newest.Time.IsZero() {
		return nil, err
	}

	// Lately is before the newest record, not before now: a store that stands still shows its hosts all the same.
	last, scanned := map[string]time.Time{}, 0
	f = contract.Filter{Kinds: []contract.Kind{contract.KindHost}, Since: newest.Time.Add(-recentHosts)}
	err = from.Scan(ctx, f, query.Newest, func(r contract.Record) error {
		if scanned++; scanned > maxScanned {
			return query.ErrStop
		}
		if r.Time.After(last[r.Host]) {
			last[r.Host] = r.Time
		}
		return nil
	})
	if len(last) == 0 {
		last[newest.Host] = newest.Time
	}

	// Silent is said against the clock: all hosts may have fallen silent together.
	var hosts []hostSummary
	for name, at := range last {
		h := hostSummary{Name: name, Last: at}
		if age := from.Now().Sub(at); age > staleAfter(0) {
			h.Silent = age
		}
		hosts = append(hosts, h)
	}

	slices.SortFunc(hosts, func(a, b hostSummary) int { return strings.Compare(a.Name, b.Name) })
	return hosts, err
}

// defaultHost is the host that a page shows when none is asked for: of those that tick, the first by name. Which one ticked
// last changes every few seconds.
func defaultHost(hosts []hostSummary) string {
	var newest time.Time
	for _, h := range hosts {
		if h.Last.After(newest) {
			newest = h.Last
		}
	}

	for _, h := range hosts {
		if newest.Sub(h.Last) <= staleAfter(0) {
			return h.Name
		}
	}
	return ""
}
