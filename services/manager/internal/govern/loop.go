package govern

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"gestor.local/contract"
	"gestor.local/manager/internal/engine"
	"gestor.local/manager/internal/journal"
	"gestor.local/manager/internal/reason"
	"gestor.local/manager/internal/rules"
	"gestor.local/manager/internal/source"
)

// Governor is the loop. Make one with New and call Run once.
type Governor struct {
	options Options
	reloads chan chan<- ReloadResult
	inForce *inForce

	// All following fields belong to the goroutine of Run.
	loop     *loopState
	schedule *schedule
	skipped  uint64 // points that passed during the last tick
	// policyProblem is why the last changed policy was refused, "" when it was not.
	policyProblem string
	fatal         error // ends Run

	observer  *observer
	decider   *decider      // under a policy of version 1
	rules     *rulesDecider // under one of version 2
	executor  *executor     // of plans of version 1
	steps     *stepExecutor // of plans of version 2
	noticer   *noticer      // of plans of version 2
	journaler *journaler
	reporter  *reporter
}

// loopState is what every part reads and the loop alone writes.
type loopState struct {
	// policy is the one in force, or what one of version 2 says of the loop itself; policyHash names the one in force.
	policy     contract.Policy
	policyHash string
	version2   *Version2 // nil under a policy of version 1
	// inForce is what the approval of version2 comes to: to hold a document against a policy takes longer than a tick.
	inForce rules.InForce
	tick    uint64 // number of the newest tick
}

// planner says what the policy in force makes of a tick. Without what it needs it leaves the tick without a plan.
type planner interface {
	decide(ctx context.Context, t *tick, e executorState)
}

// stopper ends the loop when it has done what it is about to do; the first error is the one that Run returns.
type stopper interface {
	stop(err error)
}

// removalHooks pass removals on to whoever decides by them. With stopper they are the only way back up from a part to the
// loop.
type removalHooks interface {
	// removed says that a container was removed, by the key that stays when it is made again.
	removed(key string)
	// shadowRemoved says that mode shadow has "removed" the container with this id.
	shadowRemoved(id string, s journal.Shadowed)
}

// New makes a governor; it does nothing before Run.
func New(o Options) *Governor {
	g := &Governor{
		options: o, reloads: make(chan chan<- ReloadResult), inForce: &inForce{policies: o.Policies},
		loop: &loopState{tick: o.Recovered.LastTick},
	}
	g.loop.take(PolicyUpdate{Policy: o.Policy, Version2: o.Version2})

	g.reporter = newReporter(o, g.loop)
	g.journaler = newJournaler(o.Journal, g.loop, g.reporter, g)
	g.observer = newObserver(o, g.loop, g.reporter, g)
	g.decider = newDecider(o, g.loop, g.journaler)
	g.rules = newRulesDecider(o, g.loop, g.journaler, g.observer.readTimeout)

	b := newBreaker()
	g.executor = newExecutor(o, g.loop, g.journaler, g.reporter, b, g)
	g.noticer = newNoticer(o, g.loop, g.journaler, g.reporter)
	g.steps = newStepExecutor(o, g.loop, g.journaler, g.reporter, b, g.rules, g.noticer, g, g.inForce)
	if o.Notifier != nil {
		o.Notifier.HoldWhile(g.inForce.isStale)
	}
	return g
}

// Reload makes the loop ask for another policy now instead of before its next tick, and returns what came of it. It
// waits for a tick under way; the error is that of ctx.
func (g *Governor) Reload(ctx context.Context) (ReloadResult, error) {
	answer := make(chan ReloadResult, 1)
	select {
	case g.reloads <- answer:
		return <-answer, nil
	case <-ctx.Done():
		return ReloadResult{}, ctx.Err()
	}
}

// ErrEngineUnreachable says that the engine has refused every connection for long. Only a restart mounts its new
// socket.
var ErrEngineUnreachable = errors.New("govern: the engine refused the connection")

// Run governs until ctx ends, then lets the victims in flight end, within Options.Drain, and returns nil. It returns an
// error when the journal failed for good: without it nothing may be removed, and only a restart re-reads the disk; and
// ErrEngineUnreachable, when it runs in a container.
func (g *Governor) Run(ctx context.Context) error {
	// Actions outlive ctx: what has begun when the manager is stopped comes to its end while the loop drains.
	acting, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	g.executor.ctx, g.steps.ctx = acting, acting

	g.recoverEarlierRun(ctx)

	g.schedule = newSchedule(time.Now(), time.Duration(g.loop.policy.Tick))
	timer := time.NewTimer(0)
	defer timer.Stop()
	for ctx.Err() == nil && g.fatal == nil {
		select {
		case <-ctx.Done():

		case <-timer.C:
			if decided := g.runDue(ctx); !decided || !g.options.Once {
				timer.Reset(time.Until(g.schedule.due()))
			}

		case c := <-g.executor.completions:
			g.executor.handleResult(c)

		case c := <-g.steps.completions:
			g.steps.handleResult(c)

		case r := <-g.steps.limits:
			g.steps.logLimits(r)

		case <-g.noticer.changed():
			g.delivered()

		case <-g.noticer.recordsDue():
			g.delivered()

		case answer := <-g.reloads:
			// The next tick comes a whole tick of the new policy later: sooner the gate of the interval would be
			// closed.
			before := *g.loop
			if g.pollPolicy(true) {
				tick := time.Duration(g.loop.policy.Tick)
				g.schedule = newSchedule(time.Now().Add(tick), tick)
				timer.Reset(time.Until(g.schedule.due()))
			}
			answer <- ReloadResult{
				Policy: g.loop.policyHash, Mode: g.loop.policy.Mode, Changed: !g.loop.samePolicy(&before), Refused: g.policyProblem,
			}
		}
	}

	g.drain(cancel)
	return g.fatal
}

// policyChanged is why what waits for a worker is not begun with.
const policyChanged = "the policy changed"

func (g *Governor) stop(err error) {
	if g.fatal == nil {
		g.fatal = err
	}
}

func (g *Governor) removed(key string) { g.observer.respawns.removed(time.Now(), key) }

func (g *Governor) shadowRemoved(id string, s journal.Shadowed) { g.decider.addShadowRemoved(id, s) }

// runDue runs the tick that is due and moves on to the next point that has not passed. It says whether the tick had a plan, and no gate
// that held it.
func (g *Governor) runDue(ctx context.Context) (decided bool) {
	began := time.Now()
	if g.pollPolicy(false) {
		g.schedule = newSchedule(began, time.Duration(g.loop.policy.Tick))
	}

	late, skipped := g.schedule.begin(began)
	g.loop.tick++
	t := g.newTick(began)
	t.timings.LateUS, t.skipped = micros(late), g.skipped+skipped
	g.tick(ctx, t)

	g.skipped = g.schedule.advance(time.Now())
	return !t.gated() && (t.plan != nil || t.ruled != nil)
}

// tick goes the way of the package comment once.
func (g *Governor) tick(ctx context.Context, t *tick) {
	t.timings.ActUS = g.executor.takeActTime()

	g.observer.readHost(ctx, t, max(g.executor.lastActionUS, g.steps.lastActionUS))
	g.observer.listInventory(ctx, t)
	g.checkOwnGates(t)

	// What is in flight is compared with the inventory before the plan is made: the policy sees as leaving what still
	// is.
	g.executor.reconcile(t)
	g.steps.reconcile(ctx, t)
	g.delivered()
	g.planner().decide(ctx, t, g.inFlight(t.at))
	if t.ruled != nil {
		g.steps.takePlan(t)
	}
	g.executor.execute(t)
	g.tell(t)
	g.steps.execute(t)

	g.reporter.report(t, g.status(t))
}

// delivered takes in which notices have arrived. It is asked as soon as that may be: the wait of the next step begins with it.
func (g *Governor) delivered() { g.rules.happened(g.noticer.delivered(g.rules.now())...) }

// tell tells people what the plan has for them. Where that cannot be written down nothing else of the tick is carried out.
func (g *Governor) tell(t *tick) {
	if err := g.noticer.tell(t, g.rules.now()); err != nil && !t.gated() {
		t.failStorage(GateJournal, err)
	}
}

// inFlight is what the policy has to know of all that was begun, under either version.
func (g *Governor) inFlight(now time.Time) executorState {
	e := g.executor.state(now)
	e.leaving = sortedUnion(e.leaving, g.steps.leaving())
	e.stuck = sortedUnion(e.stuck, g.steps.failures.stuckIDs())
	return e
}

func sortedUnion(a, b []string) []string {
	all := slices.Concat(a, b)
	slices.Sort(all)
	return slices.Compact(all)
}

// planner is that of the policy in force.
func (g *Governor) planner() planner {
	if g.loop.version2 != nil {
		return g.rules
	}
	return g.decider
}

// checkOwnGates closes the gates that concern the manager itself.
func (g *Governor) checkOwnGates(t *tick) {
	if err := g.journaler.check(); err != nil {
		t.failStorage(GateJournal, err)
	}
	if err := g.reporter.check(); err != nil {
		t.failStorage(GateSpool, err)
	}
	if b := g.executor.breaker; b.state(t.at) == BreakerOpen {
		t.fail(GateBreaker, b.text(t.at))
	}
}

// status is what the reporter says of the other parts.
func (g *Governor) status(t *tick) status {
	return status{
		policyProblem: g.policyProblem,
		crashLoops:    g.observer.crashLoops(t), paused: g.observer.paused, unlocated: g.observer.unlocated,
		noThrottle: cmp.Or(g.executor.noThrottle.why, g.steps.noLimit), ended: g.endedByThemselves(t),
		warnWaits:  g.warnWaits(t.at),
		unrestored: g.steps.unrestored(), short: g.loop.version2 != nil && g.journaler.journal.Short(),
		stuck:    sortedUnion(g.executor.failures.stuckIDs(), g.steps.failures.stuckIDs()),
		inFlight: len(g.executor.inFlight) + len(g.steps.inFlight), breaker: g.executor.breaker.state(t.at), journalBytes: g.journaler.journal.Size(),
	}
}

// endedByThemselves lists the governed containers that have ended without the manager's doing. Orchestrators keep what
// ended for a while, and remove it themselves.
func (g *Governor) endedByThemselves(t *tick) (ids []string) {
	if t.inv == nil {
		return nil
	}

	begun := g.inFlight(t.at)
	for _, entry := range t.inv.Entries {
		_, leaves := slices.BinarySearch(begun.leaving, entry.ID)
		_, stuck := slices.BinarySearch(begun.stuck, entry.ID)
		acted := leaves || stuck || t.ruled != nil && t.ruled.stopped(entry.ID)
		if contract.StateEnded(entry.State) && !acted && contract.Governed(entry.Labels, g.executor.suite.Name) {
			ids = append(ids, entry.ID)
		}
	}
	slices.Sort(ids)
	return ids
}

// warnWaits is why ladders wait for notices, "" while nobody has to know.
func (g *Governor) warnWaits(now time.Time) string {
	why, _ := g.noticer.waits(now)
	return why
}

// pollPolicy puts the policy in force that is to be from now on, if it is another. It reports whether its tick is
// another: the schedule has to begin anew.
func (g *Governor) pollPolicy(anew bool) (reschedule bool) {
	return g.inForce.poll(anew, g.applyPolicy)
}

// applyPolicy puts a changed policy in force; a refused one leaves the old in force. It reports whether the tick is
// another.
func (g *Governor) applyPolicy(u PolicyUpdate) (reschedule bool) {
	if u.Err != nil {
		if u.Version2 != nil && g.loop.version2 != nil {
			g.loop.takeVersion2(u.Version2)
			g.putInForce()
		}
		if g.policyProblem == u.Err.Error() {
			return false // it stands in the records
		}
		g.policyProblem = u.Err.Error()
		g.reporter.event("policy_rejected", contract.LevelError, "the changed policy was refused, the one before stays in force: "+g.policyProblem, nil)
		return false
	}

	g.policyProblem = ""
	before := *g.loop
	g.loop.take(u)
	g.putInForce()
	if g.loop.samePolicy(&before) {
		g.options.Log.Info().Str("policy", g.loop.policyHash).Msg("the policy was read again and has not changed")
		return false
	}

	message := "the policy changed; the first plan under it runs in shadow"
	if g.loop.version2 != nil {
		message = "the policy changed; the first plan under it is only shown"
	}
	g.reporter.event("policy_changed", contract.LevelInfo, message,
		map[string]any{"from": before.policyHash, "to": g.loop.policyHash, "mode": string(g.loop.policy.Mode)})
	g.reporter.recordRules()

	// Orders that wait were given under the old policy: what the new one still wants removed it says itself. The sinks
	// are called last, so that they show the new policy with nothing left of the old.
	g.decider.resetForPolicy()
	g.rules.takePolicy()
	g.executor.cancelQueued(policyChanged)
	g.steps.cancelQueued(policyChanged)
	g.reporter.policyChanged()
	return g.loop.policy.Tick != before.policy.Tick
}

// putInForce tells those who act and tell beside the loop at once what is in force, also where only the approval is another: the source
// of policies does not say any more that there is a change, and the next plan may be long in coming.
func (g *Governor) putInForce() {
	g.steps.setPresent(g.steps.present.Load().Suite, "")
	g.noticer.hush()
}

// tick is everything one tick comes to know.
type tick struct {
	n       uint64
	at      time.Time // wall and monotonic clock at its start
	skipped uint64    // points of the schedule before it that had no tick
	// failures are the gates that are closed, each with its reason.
	failures []gateFailure

	reading  source.Reading
	pop      *contract.Population
	inv      *contract.Inventory
	suiteIDs []string // full ids of the suite's containers, as of the last inventory
	futile   []string // names whose removal is pointless
	// inspected is what the inventory has asked of containers, by id; engineUntil is the end of the time for the engine's answers.
	inspected   map[string]engine.ContainerState
	engineUntil time.Time

	context contract.Context
	plan    *contract.Plan
	shadow  []journal.Shadowed // what the plan was made without
	// ruled is the plan under a policy of version 2, nil without one; plan is then nil, too.
	ruled *ruled
	// classes are those of the plan once somebody has asked for them, see classCounts.
	classes []contract.ClassCount
	// earlier says that the tick is of an earlier run, which the policy of now says nothing of.
	earlier bool
	// journalSeq is the tick's line in the journal, 0 where there is none.
	journalSeq uint64

	orders int
	// deferred are the removals of the plan that are not begun with while the engine is on trial.
	deferred map[string]bool

	timings contract.Timings
	texts   *reason.Texts // of the plan, see reporter.texts
	records []contract.Record
	// verdicts are what the decision records of the tick say, once they are made.
	verdicts          map[string]verdictKey
	decisionsRecorded bool
	// still are the container records of those without a row that the tick makes, and that are known already.
	still map[string]stillRecord
}

// newTick makes the state of one tick, or of a decision that is made between two of them.
func (g *Governor) newTick(at time.Time) *tick {
	return &tick{n: g.loop.tick, at: at, suiteIDs: g.observer.suiteIDs}
}

func (t *tick) fail(gate, why string) {
	t.failures = append(t.failures, gateFailure{gate: gate, why: why})
}

// failStorage is fail for a journal or a spool that cannot be used.
func (t *tick) failStorage(gate string, err error) {
	t.failures = append(t.failures, storageFailure(gate, err))
}

// gated says that something speaks against acting.
func (t *tick) gated() bool { return len(t.failures) > 0 }

// rows are the rows of the reading by container id.
func (t *tick) rows() map[string]*contract.Container {
	rows := make(map[string]*contract.Container)
	for i := range t.reading.Snapshot.Containers {
		c := &t.reading.Snapshot.Containers[i]
		rows[c.ID] = c
	}
	return rows
}

// micros is a duration in microseconds, 0 for a negative one.
func micros(d time.Duration) uint64 { return uint64(max(d, 0).Microseconds()) } //nolint:gosec // not negative
