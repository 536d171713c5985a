package govern

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"gestor.local/contract"
	"gestor.local/contract/policy2"
	"gestor.local/manager/internal/govern/actuator"
	"gestor.local/manager/internal/journal"
	"gestor.local/manager/internal/rules"
)

// stepExecutor carries plans of version 2 out: it turns steps into intents and orders, runs them beside the loop, follows each until
// its outcome is known, and owns every CPU limit that is owed to a container.
type stepExecutor struct {
	loop      *loopState
	journaler *journaler
	reporter  *reporter
	hooks     removalHooks
	memory    eventTaker
	noticer   *noticer
	inspector actuator.HostInspector
	enforcer  *actuator.StepEnforcer
	socket    string // of the engine on the host
	boottime  func() uint64

	ctx         context.Context // of the actions; ends when the drain is over
	workers     sync.WaitGroup
	completions chan stepCompletion
	limits      chan limitRequest
	// present is what workers ask before they act. The loop alone writes it.
	present atomic.Pointer[actuator.Present]

	inFlight map[string]*step // by container id
	queue    actuator.Queue   // of steps
	backs    []*step          // limits that wait for a worker, in order
	active   int              // actions under way, of which restoring give a CPU limit back
	// restoring have workers of their own: containers that take minutes to stop must not keep anybody throttled.
	restoring    int
	lastActionUS uint64 // the boot time at which the last action ended

	// owed are the limits that were lowered and are to be given back, by container id.
	owed     map[string]*owedLimit
	failures failureCounts
	breaker  *breaker
	noLimit  string // what an engine said that cannot change the CPU limit of a container, "" while it can
}

// eventTaker is who remembers what happened to steps, and knows the time as the rules know it.
type eventTaker interface {
	happened(events ...rules.Event)
	now() stamp
	// recheck has containers inspected on the next tick: what was done to them cannot be seen from outside.
	recheck(ids ...string)
}

// step is one action of a plan of version 2 between its intent and its final outcome.
type step struct {
	action string // one of contract's Action constants
	// order is that of a stop, a removal or a throttle, back that of a limit that is given back.
	order actuator.StepOrder
	back  actuator.GiveBackOrder
	// replaced is what an earlier throttle owes whose place this one takes, nil without one.
	replaced *owedLimit

	// intent is what the journal has of it, the zero value before it has.
	intent journal.Intent
	rule   string // the name of the rule, "" for a young one
	why    string // what the rule was held against
	steps  int    // of the rule
	key    string // see respawnKey

	stage stage
	begun time.Time // when its order was given
	// since is when the engine was last asked to act on it, or may have been; stopUntil is when the wait of a stop that it was asked
	// for is over, zero where there is none.
	since     time.Time
	stopUntil time.Time
	attempts  int
	recovered bool // the intent is of an earlier run
}

// owedLimit is a CPU limit that a throttle lowered.
type owedLimit struct {
	actuator.Limits
	subject contract.Subject
	rule    string // hash
	// failures count attempts to give it back; tried is the tick of the last one.
	failures int
	tried    uint64
}

// stepCompletion is an action that ended.
type stepCompletion struct {
	step   *step
	result actuator.StepResult
}

// limitRequest asks the loop to write down the limits of a throttle before they are set.
type limitRequest struct {
	actionID string
	limits   actuator.Limits
	answer   chan<- error
}

func newStepExecutor(o Options, loop *loopState, j *journaler, r *reporter, b *breaker, m eventTaker, n *noticer, h removalHooks, f *inForce) *stepExecutor {
	x := &stepExecutor{
		loop: loop, journaler: j, reporter: r, hooks: h, memory: m, noticer: n, inspector: o.Engine, socket: o.Socket, boottime: o.Boottime,
		completions: make(chan stepCompletion), limits: make(chan limitRequest),
		inFlight: make(map[string]*step), owed: make(map[string]*owedLimit), failures: newFailureCounts(),
		breaker: b,
	}
	x.enforcer = actuator.NewStepEnforcer(o.Engine, o.Engine, x, func() actuator.Present { return x.presentNow(f) })
	x.setPresent(policy2.Suite{}, "")
	return x
}

// takePlan tells the workers what the plan of the tick says to what they are at. A closed gate keeps from choosing, not from ending what
// was chosen before.
func (x *stepExecutor) takePlan(t *tick) {
	held := t.ruled.Plan.Held
	if t.gated() {
		held = x.present.Load().Held
	}
	x.setPresent(t.ruled.Facts.Suite, held)
}

// setPresent tells the workers what is in force from now on, who the suite is, and what holds the plan of now.
func (x *stepExecutor) setPresent(suite policy2.Suite, held string) {
	p := actuator.Present{Suite: suite, Socket: x.socket, Held: held}
	if v := x.loop.version2; v != nil {
		p.Policy = &v.Policy
		p.InForce = actuator.InForce{
			PolicyHash: x.loop.policyHash, Mode: v.Policy.Mode, ApprovedWallUS: x.loop.inForce.ApprovedWallUS,
		}
	}
	x.present.Store(&p)
}

// presentNow is what holds when something is about to be done: nothing of a policy whose file, or whose approval, has changed since the
// last tick, until the loop has looked at it.
func (x *stepExecutor) presentNow(f *inForce) (p actuator.Present) {
	f.ask(func(stale bool) {
		if p = *x.present.Load(); stale {
			p.Policy = nil
		}
	})
	return p
}

// LogLimits has the loop write the intent of a throttle, which knows its limits only now. It is called by workers.
func (x *stepExecutor) LogLimits(o actuator.StepOrder, limits actuator.Limits) error {
	answer := make(chan error, 1)
	select {
	case x.limits <- limitRequest{actionID: o.ActionID, limits: limits, answer: answer}:
		return <-answer
	case <-x.ctx.Done():
		return x.ctx.Err()
	}
}

// logLimits writes it.
func (x *stepExecutor) logLimits(r limitRequest) {
	for _, s := range x.inFlight {
		if s.order.ActionID == r.actionID && s.action == contract.ActionThrottle {
			r.answer <- x.writeThrottle(s, r.limits)
			return
		}
	}
	r.answer <- context.Canceled // its order was given up meanwhile
}

func (x *stepExecutor) writeThrottle(s *step, limits actuator.Limits) error {
	s.intent.GUS = x.memory.now().gUS
	s.intent.Undo = undoOf(limits.Before)
	s.intent.OldNanoCPUs, s.intent.NanoCPUs = limits.Before.Share(), limits.Set.Share()
	seq, err := x.journaler.intents(s.intent)
	if err != nil {
		return err
	}

	x.happened(s.intent.Event())
	s.replaced = x.owed[s.order.ID]
	if limits.Owed() {
		x.owed[s.order.ID] = &owedLimit{Limits: limits, subject: s.intent.Subject, rule: s.intent.Rule}
	}
	record := x.record(s, contract.PhaseIntent, actuator.StepResult{})
	record.JournalSeq = seq
	x.reporter.appendEvents(record)
	return nil
}

func (x *stepExecutor) happened(e rules.Event, ok bool) {
	if ok {
		x.memory.happened(e)
	}
}

// leaving are the ids of those that are being stopped or removed, sorted: the rules must see them so.
func (x *stepExecutor) leaving() []string {
	return slices.DeleteFunc(sortedKeys(x.inFlight), func(id string) bool { return !x.inFlight[id].ends() })
}

// ends says that the step ends its container.
func (s *step) ends() bool {
	return s.action == contract.ActionStop || s.action == contract.ActionRemove
}

// id is that of the container that it is about.
func (s *step) id() string { return s.intent.Container }

// owedLimits are those of now, for the orders of a plan.
func (x *stepExecutor) owedLimits() map[string]actuator.Limits {
	all := make(map[string]actuator.Limits, len(x.owed))
	for id, o := range x.owed {
		all[id] = o.Limits
	}
	return all
}

// unrestored are the ids of those whose limit could not be given back. Sorted.
func (x *stepExecutor) unrestored() []string {
	return slices.DeleteFunc(sortedKeys(x.owed), func(id string) bool { return x.owed[id].failures < x.loop.policy.Act.StuckAfter })
}

// LimitsOf are the limits that an intent of a throttle, or of giving one back, has: none where it has nothing to undo.
func LimitsOf(i journal.Intent) actuator.Limits {
	if i.Undo == nil {
		return actuator.Limits{}
	}
	before := limitOf(i.Undo)
	return actuator.Limits{Before: before, Set: before.LoweredTo(i.NanoCPUs)}
}

// ofVersion2 says that an intent of the journal is of a plan of version 2.
func ofVersion2(i journal.Intent) bool { return i.GUS != 0 }
