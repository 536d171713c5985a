package page

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"gestor.local/contract"

	"gestor.local/logs/internal/chart"
	"gestor.local/logs/internal/query"
)

// gatedSource is a source whose scans wait to be let through.
type gatedSource struct {
	*memorySource
	open chan struct{}
}

func (g *gatedSource) Scan(ctx context.Context, f contract.Filter, order query.Order, fn func(contract.Record) error) error {
	g.scans.Add(1)
	<-g.open
	return g.memorySource.Scan(ctx, f, order, fn)
}

// Builds are bounded; who waits for one waits as long as its own request.
func TestBuildsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &gatedSource{memorySource: &memorySource{now: epoch()}, open: make(chan struct{})}
		s := newChartBuilder(g, aRecovery())
		asked := func(ctx context.Context, minutes int) <-chan error {
			out := make(chan error, 1)
			q := chart.Query{Since: epoch().Add(-time.Duration(minutes) * time.Minute), Until: epoch(), Points: 10}
			go func() { _, err := s.all(ctx, q); out <- err }()
			synctest.Wait()
			return out
		}

		var all []<-chan error
		for i := range maxBuilds + 2 {
			all = append(all, asked(t.Context(), 10+i))
		}
		if n := g.scans.Load(); n != maxBuilds {
			t.Errorf("%d scans at once, want %d", n, maxBuilds)
		}

		ctx, cancel := context.WithCancel(t.Context())
		gone := asked(ctx, 30)
		joined := asked(t.Context(), 30) // waits for the build of the one that goes
		alone := asked(ctx, 31)
		cancel()
		for _, result := range []<-chan error{gone, alone} {
			if err := <-result; !errors.Is(err, context.Canceled) {
				t.Errorf("who has gone: %v", err)
			}
		}

		close(g.open)
		for _, result := range append(all, joined) {
			if err := <-result; err != nil {
				t.Error(err)
			}
		}
		synctest.Wait()
		const each = 4 // the newest record and the range, at the gate and behind it
		if n := g.scans.Load(); n != each*(maxBuilds+3) {
			t.Errorf("%d, want %d: nothing is read for who has gone", n, each*(maxBuilds+3))
		}
	})
}

// What the log service says of itself is no data: it does not fill an empty store, nor does it begin the time of all charts.
func TestTheServicesOwnRecordsAreNoData(t *testing.T) {
	s := sampleRun(nil)
	own := contract.Record{
		Time: s.now, Kind: contract.KindSystem, Host: "logs", Boot: "b", Producer: contract.ProducerLogs, Body: contract.SystemBody{Event: "start", Level: "info"},
	}
	s.records = append([]contract.Record{own}, append(s.records, own)...)

	charts := newChartBuilder(s, aRecovery())
	first, err := charts.oldestTime(t.Context())
	if err != nil || first.Sub(epoch()).Abs() > time.Second {
		t.Errorf("all began at %s, %v", first, err)
	}

	last, err := charts.newestTime(t.Context())
	if err != nil || !last.Before(s.now) {
		t.Errorf("the newest record is of %s, %v", last, err)
	}

	alone := newChartBuilder(&memorySource{records: []contract.Record{own}, now: s.now}, aRecovery())
	if at, err := alone.newestTime(t.Context()); err != nil || !at.IsZero() {
		t.Errorf("an empty store has a record of %s, %v", at, err)
	}
}
