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

// observer finds out what is on the host: the figures, the engine's containers, and who of them is who. It owns what is
// remembered from one observation to the next.
type observer struct {
	loop     *loopState
	reporter *reporter
	stopper  stopper
	reader   HostReader
	engine   Engine
	suite    Suite
	host     string

	population population.State // of the last accepted snapshot
	accepted   int              // snapshots since the start

	suiteIDs []string // full ids of the suite's containers, as of the last inventory
	// refusals counts the ticks in a row on which no connection to the engine was made.
	refusals   int
	containers map[string]containerInfo // by id
	respawns   *respawnTracker

	// Ticks in a row, by container id, on which one was paused, and on which one that runs was not found in the
	// reading.
	paused, unlocated map[string]int
}

func newObserver(o Options, loop *loopState, r *reporter, s stopper) *observer {
	return &observer{
		loop: loop, reporter: r, stopper: s, reader: o.Reader, engine: o.Engine, suite: o.Suite, host: o.Host,
		containers: make(map[string]containerInfo), respawns: newRespawnTracker(), paused: make(map[string]int),
	}
}

// readHost reads the host and compares it with the last accepted reading. lastActionUS is the boot time at which the
// last action ended.
func (o *observer) readHost(ctx context.Context, t *tick, lastActionUS uint64) {
	ctx, cancel := context.WithTimeout(ctx, o.readTimeout())
	defer cancel()

	var err error
	t.reading, err = o.reader.Read(ctx)
	t.timings.ReadUS, t.timings.ParseUS = micros(t.reading.Read), micros(t.reading.Parse)
	if err != nil {
		t.failures = append(t.failures, o.readFailure(err))
		return
	}
	t.timings.WalkUS = t.reading.Snapshot.Self.WalkUS

	next, pop, events, err := o.population.Advance(t.reading.Snapshot, t.reading.Bad)
	if err != nil {
		t.fail(gateOfAdvance(err), err.Error())
		return
	}
	o.population, t.pop = next, &pop
	o.accepted++

	// The change of the source is recorded first, and under the old one: whoever filters by source finds it there.
	o.reporter.setSource(t, t.reading.Source)
	o.recordEvents(t, events)
	o.checkSnapshot(t, lastActionUS)
}

// maxReadTimeout is enough for thousands of processes on a host that gives the manager a tenth of a CPU.
const maxReadTimeout = 5 * time.Second

// readTimeout is how long the loop waits for the kernel or the engine: half a tick, and never more than maxReadTimeout.
func (o *observer) readTimeout() time.Duration {
	return min(time.Duration(o.loop.policy.Tick)/2, maxReadTimeout)
}

// readFailure is the gate of a host that was not read: what helps depends on the cause.
func (o *observer) readFailure(err error) gateFailure {
	f := gateFailure{gate: gateOfRead(err), why: err.Error()}
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		f.why = fmt.Sprintf("the reading was cut off after %s: the host is overloaded", o.readTimeout())
		f.next = "take load off the host, and see that the manager has the CPU weight that compose.yaml gives it (cpu_shares); the kernel " +
			"module (make insmod) reads in less time"
		if o.readTimeout() < maxReadTimeout {
			f.next += ", and a longer tick in the policy allows for more"
		}

	case f.gate == GateNoSource && !isOneOf(err, kmod.ErrNotLoaded, kmod.ErrDenied):
		f.next = "check that GESTOR_PROC and GESTOR_CGROUP are the host's /proc, without hidepid, and its /sys/fs/cgroup"
	}
	return f
}

// gateOfRead separates a host that cannot be read from a reading that cannot be believed.
func gateOfRead(err error) string {
	var problems contract.Problems
	switch {
	case errors.Is(err, contract.ErrVersion):
		return GateVersion
	case errors.Is(err, kmod.ErrNotLoaded), errors.Is(err, kmod.ErrDenied):
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

// checkSnapshot asks whether an accepted snapshot is one to act on.
func (o *observer) checkSnapshot(t *tick, lastActionUS uint64) {
	p, gates := t.pop, o.loop.policy.Gates
	tickUS := micros(time.Duration(o.loop.policy.Tick))

	// A rate needs two readings that can be compared, and a tick's time between them.
	switch {
	case p.Baseline && o.accepted < 2:
		t.fail(GateWarming, "this is the first reading since the manager started")
	case p.Baseline:
		t.fail(GateBaseline, "the host was started again, or another reader took over")
	case p.IntervalUS*100 < tickUS*uint64(gates.MinIntervalPercent), p.IntervalUS*100 > tickUS*uint64(gates.MaxIntervalPercent): //nolint:gosec // validated
		t.fail(GateInterval, fmt.Sprintf("%s between two readings, a tick is %s", durationOf(p.IntervalUS), o.loop.policy.Tick))
	}

	// A reading of before the last action shows the host as it was then: who is gone would be removed once more.
	if settleEndUS := lastActionUS + micros(time.Duration(gates.Settle)); lastActionUS > 0 && p.MonotonicUS < settleEndUS {
		t.fail(GateUnsettled, fmt.Sprintf("the reading is %s older than the last action and its settling time", durationOf(settleEndUS-p.MonotonicUS)))
	}

	if rows := len(t.reading.Snapshot.Containers); p.BadRows*100 > rows*gates.MaxBadRowsPercent {
		t.fail(GateBadRows, fmt.Sprintf("%d of %d rows", p.BadRows, rows))
	}
}

// durationOf is the duration of so many microseconds.
func durationOf(us uint64) time.Duration { return time.Duration(us) * time.Microsecond } //nolint:gosec // of a sane clock

// recordEvents records what speaks against a container's figures; births and deaths are in the container records.
func (o *observer) recordEvents(t *tick, events []population.Event) {
	for _, e := range events {
		switch e.Kind {
		case population.EventReset, population.EventImpossible, population.EventBadRow:
			o.reporter.tickEvent(t, string(e.Kind), contract.LevelWarn, e.String(), map[string]any{"container": e.ID})
		}
	}
}

// checkRows keeps from each governed container the figures of a row that is not its own. An id is only a name, and
// whoever was given a cgroup can name another in it after somebody's container; which process is the container's first
// one the engine alone knows, and no user can move it into a group of his own (docs/adr/0083).
//
// Nothing is known then of the container: it stays, and takes no place from another.
func (o *observer) checkRows(t *tick) {
	if t.pop == nil {
		return // who was not located stays so
	}

	now := make(map[string]int)
	rows := t.rows()
	for i := range t.inv.Entries {
		e := &t.inv.Entries[i]
		if !contract.Governed(e.Labels, o.suite.Name) {
			continue
		}

		info, m := o.containers[e.ID], t.pop.Member(e.ID)
		switch {
		case m == nil:
			if e.State == contract.StateRunning {
				now[e.ID] = o.unlocated[e.ID] + 1
			}

		case m.Why == contract.UnmeasuredBadRow || info.runsIn(rows[e.ID]):

		default:
			*m = contract.Member{ID: e.ID, Why: contract.UnmeasuredUnlocated}
			if info.startedAt != "" { // else it is the engine that has not said yet
				now[e.ID] = o.unlocated[e.ID] + 1
			}
		}
	}
	o.unlocated = now
}

// countPaused follows how long owned containers have been paused.
func (o *observer) countPaused(t *tick) {
	now := make(map[string]int)
	for _, e := range t.inv.Entries {
		if e.State == contract.StatePaused && contract.Governed(e.Labels, o.suite.Name) {
			now[e.ID] = o.paused[e.ID] + 1
		}
	}
	o.paused = now
}
