package page

import (
	"context"
	"slices"
	"strings"
	"time"

	"gestor.local/contract"

	"gestor.local/logs/internal/query"
)

// tickNow is what was recorded on one tick of one host.
type tickNow struct {
	Time   time.Time
	Source string
	// Host is nil where no host record belongs to the containers (as POST /logs makes them).
	Host   *contract.HostBody
	Rows   []contract.ContainerBody // owned
	Others int                      // containers of the host that Gestor does not own

	boot, producer string
	number         uint64
}

// counted says whether the tick knows who lives: it names containers, or counted them and found none.
func (t *tickNow) counted() bool {
	return len(t.Rows)+t.Others > 0 || t.Host != nil && len(t.Host.Classes) > 0
}

// holds says whether a record belongs to the tick. Numbers may come back after a restart: the time tells then.
func (t *tickNow) holds(r contract.Record) bool {
	near := t.Time.Sub(r.Time).Abs() <= time.Minute
	return near && t.boot == r.Boot && t.producer == r.Producer && t.number == r.Tick && (r.Tick > 0 || t.Time.Equal(r.Time))
}

func (t *tickNow) add(r contract.Record) {
	switch b := r.Body.(type) {
	case contract.HostBody:
		t.Host, t.Time, t.Source = &b, r.Time, r.Source
	case contract.ContainerBody:
		if b.Owned {
			t.Rows = append(t.Rows, b)
		} else {
			t.Others++
		}
	}
}

// ticks reads a host's records from the newest back to the tick before the newest: the newest tick itself, the newest one
// that saw the containers, and what was done and begun since.
type ticks struct {
	open    *tickNow // being read
	alone   *tickNow // the newest group without a host record
	newest  *tickNow
	counted *tickNow
	before  *tickNow // the newest one, for the rhythm

	ends    map[string]end                   // by container: what became of it
	started map[string]contract.Record       // by container: its launch
	decided map[string]contract.DecisionBody // by container: its newest decision
	shown   map[uint64]bool                  // ticks whose removals were only shown
}

// end is the newest outcome of an action that was to take a container away.
type end struct {
	contract.ActionBody
	at time.Time
}

// failed says whether the action was tried and did not do it.
func (e end) failed() bool {
	return e.Phase == contract.PhaseOutcome && e.Outcome == contract.OutcomeFailed
}

// readTicks scans one host, the newest records first, until the ticks are whole or lookBack records are read.
func readTicks(ctx context.Context, from scanner, host string) (*ticks, error) {
	t := &ticks{
		ends: map[string]end{}, started: map[string]contract.Record{}, decided: map[string]contract.DecisionBody{}, shown: map[uint64]bool{},
	}

	seen := 0
	f := contract.Filter{Hosts: []string{host}, Kinds: []contract.Kind{
		contract.KindHost, contract.KindContainer, contract.KindAction, contract.KindLaunch, contract.KindDecision,
	}}
	err := from.Scan(ctx, f, query.Newest, func(r contract.Record) error {
		if seen++; seen > lookBack {
			return query.ErrStop
		}

		if r.Kind == contract.KindHost || r.Kind == contract.KindContainer {
			t.observe(r)
		} else {
			t.note(r)
		}
		if t.whole() {
			return query.ErrStop
		}
		return nil
	})

	t.close()
	return t, err
}

// whole says whether nothing older is needed.
func (t *ticks) whole() bool { return t.counted != nil && t.before != nil }

// observe takes a record of a tick. A tick is complete when a record of an older one comes.
func (t *ticks) observe(r contract.Record) {
	if t.open == nil || !t.open.holds(r) {
		t.close()
		t.open = &tickNow{Time: r.Time, Source: r.Source, boot: r.Boot, producer: r.Producer, number: r.Tick}
		if t.newest != nil && t.before == nil {
			t.before = t.open
		}
	}
	t.open.add(r)
}

// close ends the tick that is being read. One without a host record is of a producer that makes none, or has half arrived:
// the tick before it stands then.
func (t *ticks) close() {
	one := t.open
	t.open = nil
	switch {
	case one == nil:
	case one.Host == nil:
		if t.newest == nil && t.alone == nil {
			t.alone = one
		}
	default:
		if t.newest == nil {
			t.newest = one
		}
		if t.counted == nil && one.counted() {
			t.counted = one
		}
	}
}

// note takes what was done, begun and decided. The newest word on a container counts.
func (t *ticks) note(r contract.Record) {
	switch b := r.Body.(type) {
	case contract.ActionBody:
		if b.Action == contract.ActionShadowRemove {
			t.shown[r.Tick] = true
			return
		}
		if _, later := t.ends[b.Container]; !later {
			t.ends[b.Container] = end{b, r.Time}
		}
	case contract.LaunchBody:
		if _, later := t.started[b.Container]; !later && b.Outcome == contract.LaunchStarted && b.Container != "" {
			t.started[b.Container] = r
		}
	case contract.DecisionBody:
		if _, later := t.decided[b.Container]; !later {
			t.decided[b.Container] = b
		}
	}
}

// acts says whether the newest tick's removals are carried out.
func (t *ticks) acts() bool {
	return t.newest != nil && t.newest.Host != nil && t.newest.Host.WhyHeld() == "" && !t.shown[t.newest.number]
}

// hostNow is a host that records are of.
type hostNow struct {
	Name string
	Last time.Time // its newest tick
	// Silent is how long ago that is, 0 while it ticks.
	Silent time.Duration
}

// hostsWindow is how long before the newest observation a host may have ticked last to be named on the page.
const hostsWindow = 15 * time.Minute

// readHosts lists the hosts that ticked lately, by name. Where nobody ticks (containers alone, as POST /logs makes them) it
// is the host of the newest observation.
func readHosts(ctx context.Context, from scanner) ([]hostNow, error) {
	var newest contract.Record
	f := contract.Filter{Kinds: []contract.Kind{contract.KindHost, contract.KindContainer}}
	err := from.Scan(ctx, f, query.Newest, func(r contract.Record) error {
		newest = r
		return query.ErrStop
	})
	if err != nil || newest.Time.IsZero() {
		return nil, err
	}

	last, seen := map[string]time.Time{}, 0
	f = contract.Filter{Kinds: []contract.Kind{contract.KindHost}, Since: newest.Time.Add(-hostsWindow)}
	err = from.Scan(ctx, f, query.Newest, func(r contract.Record) error {
		if seen++; seen > lookBack {
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

	var hosts []hostNow
	for name, at := range last {
		one := hostNow{Name: name, Last: at}
		if age := from.Now().Sub(at); age > staleAfter(0) {
			one.Silent = age
		}
		hosts = append(hosts, one)
	}
	slices.SortFunc(hosts, func(a, b hostNow) int { return strings.Compare(a.Name, b.Name) })
	return hosts, err
}

// choose is the host that a page without a wish shows: of those that tick, the first by name. Which one ticked last changes
// every few seconds.
func choose(hosts []hostNow) string {
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
