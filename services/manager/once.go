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
	"gestor.local/program/cli"
	"gestor.local/ship"
)

// onceTicks is how many ticks one decision may take: the first gives no rates, the second does, the others are for a host
// that was busy.
const onceTicks = 5

const onceHelp = "Reads the host twice, a tick apart, decides once, carries the decision out and prints it with its reasons.\n" +
	"While a manager runs on the same GESTOR_STATE only --shadow is possible."

// onceCommand makes one decision and carries it out, or only shows it.
func onceCommand(ctx context.Context, inv *cli.Invocation) error {
	shadow := inv.Flags.Bool("shadow", false, "change nothing: neither containers, nor journal, nor records")
	asJSON := inv.Flags.Bool("json", false, "print JSON instead of a table")
	if err := inv.Parse(0); err != nil {
		return err
	}

	page, err := once(ctx, *shadow, inv.Stderr)
	switch {
	case err != nil:
		return err
	case *asJSON:
		return explain.JSON(inv.Stdout, page)
	default:
		return page.Table(inv.Stdout)
	}
}

func once(ctx context.Context, shadow bool, stderr io.Writer) (explain.Report, error) {
	cfg, err := loadConfig()
	if err != nil {
		return nil, cli.WithExitCode(exitConfig, err)
	}

	cfg.DryRun = cfg.DryRun || shadow
	policy, err := cfg.policy()
	if err != nil {
		return nil, cli.WithExitCode(exitConfig, err)
	}
	// Nobody is there later to restore the CPU limit of what was throttled.
	policy.Act.Ladder = slices.DeleteFunc(policy.Act.Ladder, func(r contract.Rung) bool { return r == contract.RungThrottle })

	// The journal and the spool are another manager's while one runs; --shadow needs neither.
	c := &components{cfg: cfg, log: zerolog.New(stderr).Level(zerolog.ErrorLevel)}
	defer c.close()
	steps := []func(context.Context) error{c.openEngine, c.openSource, c.openSpool, c.openJournal}
	if shadow {
		policy.Mode, steps = contract.ModeShadow, steps[:2]
	}
	for _, step := range steps {
		if err := step(ctx); err != nil {
			return nil, err
		}
	}

	fmt.Fprintf(stderr, "once: two readings, %s apart\n", policy.Tick)
	return c.decideOnce(ctx, policy, shadow)
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
	if r.Plan == nil || len(r.Gates) > 0 {
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

// OnAction counts the orders that have ended.
func (o *onceSink) OnAction(govern.ActionResult) {
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
