package govern

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"gestor.local/contract"
	"gestor.local/manager/internal/engine"
	"gestor.local/manager/internal/govern/actuator"
	"gestor.local/manager/internal/journal"
	"gestor.local/manager/internal/population"
)

// Governor is the loop. Make one with New and call Run once.
type Governor struct {
	Options
	enforcer *actuator.Enforcer
	shadow   *actuator.Shadow
	reloads  chan chan<- ReloadResult
	results  chan done
	workers  sync.WaitGroup

	// All following fields belong to the goroutine of Run.
	grid       *grid
	skipped    uint64 // points that passed during the last tick
	tickNo     uint64
	population population.State
	accepted   int    // snapshots since the start
	source     string // of the last accepted snapshot
	board      *board
	breaker    *breaker
	futility   *futility
	identities map[string]identity
	unlocated  map[string]int // ticks in a row
	suiteIDs   []string
	// refusals counts the ticks in a row on which no connection to the engine was made.
	refusals int

	flights  flights
	queue    []*flight // in stageQueued, in order
	active   int
	acting   context.Context // of the actions; ends when the drain is over
	removals []time.Time     // victims begun with in the last minute; what the policy's caps count
	kills    []time.Time     // removals given to the engine in the last minute; fewer than removals where a throttle comes first
	// actBegan is when the first of the actions under way began, zero while there is none; actTook how long they took, told
	// with the next tick.
	actBegan time.Time
	actTook  time.Duration
	failures map[string]int // in a row, by container id
	// stuck holds the containers that are left alone, with the state they had when they were first seen so.
	stuck map[string]string
	// owed holds the CPU limits that could not be given back. To throttle such a container again would take the lowered
	// limit for its own.
	owed       map[string]engine.CPULimit
	noThrottle noThrottle
	// settledUS is the boot time at which the last action ended.
	settledUS uint64

	policyHash    string
	policyChanged bool   // the next plan is the first under another policy
	policyProblem string // why the last reload was refused
	surpriseSeen  bool
	shadowGone    map[string]journal.Shadowed // removed from the shadow population, without what changes from tick to tick
	paused        map[string]int              // ticks in a row
	deficits      map[contract.Class]int
	told          map[string]verdictKey // the last decision record of each container
	journalErr    error
	// unwritten are the endings that the journal has not taken yet, in order.
	unwritten []ending
	spoolErr  error
	// refused are the records of events that the spool has not taken yet, in order.
	refused []contract.Record
	fatal   error // ends Run
}

// verdictKey is what makes a decision record worth writing when it changes. words are those of a verdict whose numbers change
// without it.
type verdictKey struct{ verdict, reason, words string }

// noThrottle is an engine that cannot change the CPU limit of a container: what it said, "" while it can as far as is known, and
// the tick of the last attempt.
type noThrottle struct {
	why  string
	tick uint64
}

// done is an action that ended.
type done struct {
	flight *flight
	result actuator.Result
}

// New makes a governor; it does nothing before Run.
func New(o Options) *Governor {
	g := &Governor{
		Options: o, reloads: make(chan chan<- ReloadResult), results: make(chan done),
		tickNo: o.Recovered.LastTick, board: newBoard(), breaker: newBreaker(), futility: newFutility(),
		identities: make(map[string]identity), flights: make(flights), removals: o.Recovered.RecentRemovals,
		kills:    slices.Clone(o.Recovered.RecentRemovals),
		failures: make(map[string]int), stuck: make(map[string]string), owed: make(map[string]engine.CPULimit), policyHash: o.Policy.Hash(),
		shadowGone: make(map[string]journal.Shadowed), paused: make(map[string]int), deficits: make(map[contract.Class]int),
		told: make(map[string]verdictKey),
	}
	g.enforcer = actuator.NewEnforcer(o.Engine, o.Engine, throttleLog{o.Journal})
	g.shadow = actuator.NewShadow(o.Engine)
	return g
}

// Reload makes the loop look for another policy now instead of before its next tick, and returns what came of it. It waits
// for a tick under way; the error is that of ctx.
func (g *Governor) Reload(ctx context.Context) (ReloadResult, error) {
	answer := make(chan ReloadResult, 1)
	select {
	case g.reloads <- answer:
		return <-answer, nil
	case <-ctx.Done():
		return ReloadResult{}, ctx.Err()
	}
}

// ErrEngineUnreachable says that the engine has refused every connection for long. Only a restart mounts its new socket.
var ErrEngineUnreachable = errors.New("govern: the engine refused the connection")

// Run governs until ctx ends, then lets the victims in flight end, within Options.Drain, and returns nil. It returns an
// error when the journal failed for good: without it nothing may be removed, and only a restart re-reads the disk; and
// ErrEngineUnreachable, when it runs in a container.
func (g *Governor) Run(ctx context.Context) error {
	acting, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	g.acting = acting
	g.keep(g.First...)
	g.catchUp()
	g.resume()
	g.takeOver(ctx)
	g.grid = newGrid(time.Now(), time.Duration(g.Policy.Tick))
	timer := time.NewTimer(0)
	defer timer.Stop()
	for ctx.Err() == nil && g.fatal == nil {
		select {
		case <-ctx.Done():
		case <-timer.C:
			g.onGrid(ctx)
			timer.Reset(time.Until(g.grid.due()))
		case d := <-g.results:
			g.settle(d)
		case answer := <-g.reloads:
			before := g.policyHash
			if g.lookForPolicy(true) {
				tick := time.Duration(g.Policy.Tick)
				g.grid = newGrid(time.Now().Add(tick), tick)
				timer.Reset(time.Until(g.grid.due()))
			}
			answer <- ReloadResult{Policy: g.policyHash, Mode: g.Policy.Mode, Changed: g.policyHash != before, Refused: g.policyProblem}
		}
	}
	g.drain(stop)
	return g.fatal
}

// onGrid runs the tick that is due and moves on to the next point that has not passed.
func (g *Governor) onGrid(ctx context.Context) {
	t := &tick{at: time.Now()}
	if g.lookForPolicy(false) {
		g.grid = newGrid(t.at, time.Duration(g.Policy.Tick))
	}

	late, skipped := g.grid.arrive(t.at)
	t.timings.LateUS, t.skipped = micros(late), g.skipped+skipped
	g.tickNo++
	t.n = g.tickNo
	g.tick(ctx, t)
	g.skipped = g.grid.advance(time.Now())
}

// lookForPolicy takes over the policy that is to be in force from now on, if it is another. It reports whether its tick is
// another: the grid has to begin anew.
func (g *Governor) lookForPolicy(anew bool) (regrid bool) {
	if g.Policies == nil {
		return false
	}
	r, changed := g.Policies.Poll(anew)
	return changed && g.adopt(r)
}

// adopt takes over a changed policy; a refused one leaves the old in force. Orders that wait were given under the old one
// and are called off: what the new one still wants removed it says itself. It reports whether the tick is another.
func (g *Governor) adopt(r PolicyUpdate) (regrid bool) {
	if r.Err != nil {
		if told := g.policyProblem == r.Err.Error(); told {
			return false
		}
		g.policyProblem = r.Err.Error()
		g.event("policy_rejected", levelError, "the changed policy was refused, the one before stays in force: "+g.policyProblem, nil)
		return false
	}
	g.policyProblem = ""
	hash := r.Policy.Hash()
	if hash == g.policyHash {
		g.Log.Info().Str("policy", hash).Msg("the policy was read again and has not changed")
		return false
	}
	regrid = r.Policy.Tick != g.Policy.Tick
	g.event("policy_changed", levelInfo, "the policy changed; the first plan under it runs in shadow",
		map[string]any{"from": g.policyHash, "to": hash, "mode": string(r.Policy.Mode)})
	g.Policy, g.policyHash, g.policyChanged = r.Policy, hash, true
	clear(g.shadowGone)
	g.callOff("the policy changed")
	for _, s := range g.Sinks {
		s.OnPolicy(g.Policy)
	}
	return regrid
}

// noteJournal keeps the journal's state for the next gate. One that failed for good ends the loop.
func (g *Governor) noteJournal(err error) error {
	g.journalErr = err
	if errors.Is(err, journal.ErrFailed) && g.fatal == nil {
		g.fatal = fmt.Errorf("govern: %w", err)
	}
	return err
}
