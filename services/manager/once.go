package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"gestor.local/contract"
	"gestor.local/manager/internal/explain"
	"gestor.local/manager/internal/govern"
	"gestor.local/manager/internal/journal"
	"gestor.local/manager/internal/planview"
	"gestor.local/manager/internal/rules"
	"gestor.local/program/cli"
	"gestor.local/ship"
)

// onceTicks is how many ticks one decision may take: the first gives no rates, the second does, the others are for a host
// that was busy.
const onceTicks = 5

const onceHelp = "Reads the host twice, a tick apart, decides once, carries the decision out and prints it with its reasons.\n" +
	"While a manager runs on the same GESTOR_STATE only --shadow is possible.\n" +
	"Under a policy of version 2 the steps are taken that are due now, within its approval and its budget. Who waits for\n" +
	"a later step, or for a notice, goes on waiting: the manager's next run, or the next once, takes it up from the\n" +
	"journal, and the manager delivers the notice. A CPU limit that is set is given back at the end, as when the manager\n" +
	"stops. --shadow shows the plan that would be carried out, as policy-plan does."

// onceCommand makes one decision and carries it out, or only shows it.
func onceCommand(ctx context.Context, inv *cli.Invocation) error {
	shadow := inv.Flags.Bool("shadow", false, "change nothing: neither containers, nor journal, nor records")
	asJSON := inv.Flags.Bool("json", false, "print JSON instead of a table")
	if err := inv.Parse(0); err != nil {
		return err
	}

	page, err := once(ctx, *shadow, inv.Stderr)
	view, isView := page.(planview.View)
	switch {
	case err != nil:
		return err
	case isView:
		return writePlan(inv.Stdout, view, *asJSON)
	case *asJSON:
		return explain.JSON(inv.Stdout, page)
	default:
		return page.Table(inv.Stdout)
	}
}

// once decides once, and returns what explains the decision: under a policy of version 2 that nobody carries out a planview.View.
func once(ctx context.Context, shadow bool, stderr io.Writer) (explain.Report, error) {
	cfg, err := loadConfig()
	if err != nil {
		return nil, cli.WithExitCode(exitConfig, err)
	}

	file := newPolicyFile(cfg)
	file.onlyShown = shadow
	read := file.read()
	if read.Err != nil {
		return nil, cli.WithExitCode(exitConfig, read.Err)
	}

	// The journal and the spool are another manager's while one runs; --shadow needs neither.
	c := &components{cfg: cfg, log: zerolog.New(stderr).Level(zerolog.ErrorLevel)}
	defer c.close()
	steps := []func(context.Context) error{c.openEngine, c.openSource, c.openSpool, c.openJournal}
	if shadow {
		steps = steps[:2]
	}
	for _, step := range steps {
		if err := step(ctx); err != nil {
			return nil, err
		}
	}

	if read.Version2 != nil {
		return c.decideOnceByRules(ctx, file, read.Version2, shadow, stderr)
	}
	policy := read.Policy
	// Nobody is there later to restore the CPU limit of what was throttled.
	policy.Act.Ladder = slices.DeleteFunc(policy.Act.Ladder, func(r contract.Rung) bool { return r == contract.RungThrottle })
	if shadow {
		policy.Mode = contract.ModeShadow
	}
	fmt.Fprintf(stderr, "once: two readings, %s apart\n", policy.Tick)
	return c.decideOnce(ctx, policy, shadow)
}

// decideOnceByRules makes one decision under the policy of version 2. A shadow is the plan alone.
func (c *components) decideOnceByRules(ctx context.Context, file policySource, v *govern.Version2, shadow bool, stderr io.Writer) (explain.Report, error) {
	if v.ApprovalError != "" {
		fmt.Fprintf(stderr, "once: %s\n", v.ApprovalError) // it approves nothing
	}
	fmt.Fprintf(stderr, "once: %d readings, %s apart\n", v.Policy.Warmup+1, v.Policy.Tick)
	if !shadow {
		return c.carryOutOnce(ctx, file, v)
	}

	p := planner{components: c, policy: v.Policy, inForce: rules.Approval(v.Policy, v.Approved), program: rules.New(v.Policy)}
	view, err := p.plan(ctx)
	view.Path = c.cfg.Policy
	return view, err
}

// carryOutOnce runs the loop until the steps of one plan have ended. What else the policy wants is the next run's.
func (c *components) carryOutOnce(ctx context.Context, file policySource, v *govern.Version2) (explain.Report, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()

	sink := &onceSink{stop: cancel, ticks: -v.Policy.Warmup} // as many more readings as it waits for
	err := govern.New(govern.Options{
		Version2: v, Policies: file, Once: true, Network: c.openNetwork(), Suite: c.cfg.suite(), Socket: c.socketOnHost(ctx), Host: c.host, Reader: c.source,
		Engine: c.engine, Journal: c.journal, Spool: c.spool, Recovered: c.recovered, Backlog: c.backlog, Boottime: boottime,
		RecordAll: c.cfg.Record == "all", Drain: c.cfg.Drain, Sinks: []govern.Sink{sink}, Log: c.log,
	}).Run(ctx)

	switch {
	case err != nil:
		return nil, withLoopExitCode(err)
	case sink.gateErr != nil:
		return nil, cli.WithExitCode(exitSource, fmt.Errorf("no decision: %w", sink.gateErr))
	default:
		return explainJournal(c.cfg).Last()
	}
}

// decideOnce runs the loop until one decision was made and carried out.
func (c *components) decideOnce(ctx context.Context, policy contract.Policy, shadow bool) (explain.Report, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()

	sink := &onceSink{stop: cancel}
	o := govern.Options{
		Policy: policy, Suite: c.cfg.suite(), Host: c.host, Reader: c.source, Engine: c.engine, Recovered: c.recovered, Backlog: c.backlog,
		Boottime: boottime, RecordAll: c.cfg.Record == "all", Drain: c.cfg.Drain, Sinks: []govern.Sink{sink}, Log: c.log,
	}

	lastTick := &memoryJournal{}
	o.Journal, o.Spool = lastTick, discardSpool{}
	if !shadow {
		o.Journal, o.Spool = c.journal, c.spool
	}

	if err := govern.New(o).Run(ctx); err != nil {
		return nil, withLoopExitCode(err)
	}

	switch {
	case sink.gateErr != nil:
		return nil, cli.WithExitCode(exitSource, fmt.Errorf("no decision: %w", sink.gateErr))
	case shadow:
		return explain.NewTickReport(time.Now(), lastTick.tick, lastTick.plan, &policy, nil), nil
	default:
		return explainJournal(c.cfg).Last()
	}
}

// onceSink is a sink that ends the run when one decision was made and its orders have ended.
type onceSink struct {
	stop    func()
	ticks   int
	pending int   // orders under way
	gateErr error // why it could not decide
}

// OnTick sees whether the tick could decide.
func (o *onceSink) OnTick(r *govern.Report) {
	// Only the last tick counts: gates may open while it waits.
	o.ticks++
	o.gateErr = nil
	if r.Plan == nil && r.Rules == nil || len(r.Gates) > 0 {
		o.gateErr = errors.New("gated")
		for _, c := range r.Conditions {
			if c.Gate {
				o.gateErr = fmt.Errorf("%s: %s", c.Title, c.Text)
			}
		}
	}

	o.pending = r.Orders
	if (o.gateErr == nil && o.pending == 0) || o.ticks == onceTicks {
		o.stop()
	}
}

// OnAction counts the orders that have ended. A limit that is given back was not ordered by the plan of the tick.
func (o *onceSink) OnAction(r govern.ActionResult) {
	if r.Verb == contract.ActionUnthrottle {
		return
	}
	if o.pending--; o.pending <= 0 && o.gateErr == nil {
		o.stop()
	}
}

// OnPolicy does not happen: nobody reloads.
func (o *onceSink) OnPolicy(contract.Policy) {}

// memoryJournal is a journal that only remembers the last tick: nothing is done that would have to be remembered.
type memoryJournal struct {
	mu   sync.Mutex // guards all following fields
	tick journal.Tick
	plan contract.Plan
}

// Check finds nothing: there is no file.
func (m *memoryJournal) Check() error { return nil }

// Tick remembers the inputs and the plan.
func (m *memoryJournal) Tick(_ contract.Policy, t journal.Tick, plan contract.Plan) (uint64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.tick, m.plan = t, plan
	return 0, nil
}

// NoPlan has nothing to remember.
func (m *memoryJournal) NoPlan(journal.NoPlan) error { return nil }

// Intent refuses: whoever has no journal must not act.
func (m *memoryJournal) Intent(...journal.Intent) (uint64, error) {
	return 0, errors.New("no journal is open")
}

// Outcome has nothing to remember.
func (m *memoryJournal) Outcome(...journal.Outcome) (uint64, error) { return 0, nil }

// Decide refuses, as Intent does: it is asked under a policy of version 2 alone.
func (m *memoryJournal) Decide(journal.Decision) (uint64, error) {
	return 0, errors.New("no journal is open")
}

// Approve has nothing to remember.
func (m *memoryJournal) Approve(json.RawMessage) error { return nil }

// Short says that there is room.
func (m *memoryJournal) Short() bool { return false }

// Size is nothing.
func (m *memoryJournal) Size() int64 { return 0 }

// discardSpool is a spool for records that nobody is to have.
type discardSpool struct{}

func (discardSpool) Check() error                    { return nil }
func (discardSpool) Append(...contract.Record) error { return nil }
func (discardSpool) Stats() ship.Stats               { return ship.Stats{} }

// Progress is that of a spool in which nothing waits.
func (discardSpool) Progress() ship.Progress { return ship.Progress{} }
