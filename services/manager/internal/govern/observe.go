package govern

import (
	"context"
	"errors"
	"fmt"
	"time"

	"gestor.local/contract"
	"gestor.local/manager/internal/population"
	"gestor.local/manager/internal/source/kmod"
)

// observe reads the host and compares it with the last accepted reading.
func (g *Governor) observe(ctx context.Context, t *tick) {
	ctx, cancel := context.WithTimeout(ctx, g.patience())
	defer cancel()
	var err error
	t.reading, err = g.Reader.Read(ctx)
	t.timings.ReadUS, t.timings.ParseUS = micros(t.reading.Read), micros(t.reading.Parse)
	if err != nil {
		t.findings = append(t.findings, g.unread(err))
		return
	}
	t.timings.WalkUS = t.reading.Snapshot.Self.WalkUS
	next, pop, events, err := g.population.Advance(t.reading.Snapshot, t.reading.Bad)
	if err != nil {
		t.fail(gateOfAdvance(err), err.Error())
		return
	}
	g.population, t.pop, t.seen = next, &pop, true
	g.accepted++
	g.noteSource(t)
	g.noteEvents(t, events)
	g.snapshotGates(t)
}

// longestPatience is enough for thousands of processes on a host that gives the manager a tenth of a CPU.
const longestPatience = 5 * time.Second

// patience is how long the loop waits for the kernel or the engine: half a tick, and never more than longestPatience.
func (g *Governor) patience() time.Duration {
	return min(time.Duration(g.Policy.Tick)/2, longestPatience)
}

// unread is the finding of a host that was not read: what helps depends on the cause.
func (g *Governor) unread(err error) finding {
	f := finding{gate: gateOfReading(err), why: err.Error()}
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		f.why = fmt.Sprintf("the reading was cut off after %s: the host is overloaded", g.patience())
		f.next = "take load off the host, and see that the manager has the CPU weight that compose.yaml gives it (cpu_shares); the kernel " +
			"module (make insmod) reads in less time"
		if g.patience() < longestPatience {
			f.next += ", and a longer tick in the policy allows for more"
		}
	case f.gate == GateNoSource && !isOneOf(err, kmod.ErrAway, kmod.ErrDenied):
		f.next = "check that GESTOR_PROC and GESTOR_CGROUP are the host's /proc, without hidepid, and its /sys/fs/cgroup"
	}
	return f
}

// gateOfReading tells a host that cannot be read from a reading that cannot be believed.
func gateOfReading(err error) string {
	var problems contract.Problems
	switch {
	case errors.Is(err, contract.ErrVersion):
		return GateVersion
	case errors.Is(err, kmod.ErrAway), errors.Is(err, kmod.ErrDenied):
		return GateNoSource
	case errors.As(err, &problems), isOneOf(err, contract.ErrSyntax, contract.ErrUTF8, contract.ErrDuplicate,
		contract.ErrDepth, contract.ErrTrailing, contract.ErrTooLarge, kmod.ErrTooLarge):
		return GateBadSnapshot
	default:
		return GateNoSource
	}
}

func isOneOf(err error, targets ...error) bool {
	for _, target := range targets {
		if errors.Is(err, target) {
			return true
		}
	}
	return false
}

func gateOfAdvance(err error) string {
	if errors.Is(err, population.ErrStale) {
		return GateStale
	}
	return GateBadSnapshot
}

// snapshotGates asks whether an accepted snapshot is one to act on.
func (g *Governor) snapshotGates(t *tick) {
	p, gates := t.pop, g.Policy.Gates
	tickUS := micros(time.Duration(g.Policy.Tick))
	switch {
	case p.Baseline && g.accepted < 2:
		t.fail(GateWarming, "this is the first reading since the manager started")
	case p.Baseline:
		t.fail(GateBaseline, "the host was started again, or another reader took over")
	case p.IntervalUS*100 < tickUS*uint64(gates.MinIntervalPercent), p.IntervalUS*100 > tickUS*uint64(gates.MaxIntervalPercent): //nolint:gosec // validated
		t.fail(GateInterval, fmt.Sprintf("%s between two readings, a tick is %s", us(p.IntervalUS), g.Policy.Tick))
	}
	if settle := g.settledUS + micros(time.Duration(gates.Settle)); g.settledUS > 0 && p.MonotonicUS < settle {
		t.fail(GateUnsettled, fmt.Sprintf("the reading is %s older than the last action and its settling time", us(settle-p.MonotonicUS)))
	}
	if rows := len(t.reading.Snapshot.Containers); p.BadRows*100 > rows*gates.MaxBadRowsPercent {
		t.fail(GateBadRows, fmt.Sprintf("%d of %d rows", p.BadRows, rows))
	}
}

func us(n uint64) time.Duration { return time.Duration(n) * time.Microsecond } //nolint:gosec // of a sane clock

func (g *Governor) noteSource(t *tick) {
	if t.reading.Source == g.source {
		return
	}
	if g.source != "" {
		g.tickEvent(t, "source_changed", levelWarn, "the host is read through another source now",
			map[string]any{"from": g.source, "to": t.reading.Source})
	}
	g.source = t.reading.Source
}

// noteEvents records what speaks against a container's figures; births and deaths are in the container records.
func (g *Governor) noteEvents(t *tick, events []population.Event) {
	for _, e := range events {
		switch e.Kind {
		case population.EventReset, population.EventImpossible, population.EventBadRow:
			g.tickEvent(t, string(e.Kind), levelWarn, e.String(), map[string]any{"container": e.ID})
		}
	}
}
