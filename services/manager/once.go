package main

import (
	"context"
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
		return explain.Table(inv.Stdout, page)
	}
}

func once(ctx context.Context, shadow bool, stderr io.Writer) (explain.TickReport, error) {
	cfg, err := loadConfig()
	if err != nil {
		return explain.TickReport{}, cli.WithExitCode(exitConfig, err)
	}
	cfg.DryRun = cfg.DryRun || shadow
	policy, err := cfg.policy()
	if err != nil {
		return explain.TickReport{}, cli.WithExitCode(exitConfig, err)
	}
	policy.Act.Ladder = slices.DeleteFunc(policy.Act.Ladder, func(r contract.Rung) bool { return r == contract.RungThrottle })
	p := &parts{cfg: cfg, log: zerolog.New(stderr).Level(zerolog.ErrorLevel)}
	defer p.close()
	steps := []func(context.Context) error{p.openEngine, p.openEyes, p.openSpool, p.openJournal}
	if shadow {
		policy.Mode, steps = contract.ModeShadow, steps[:2]
	}
	for _, step := range steps {
		if err := step(ctx); err != nil {
			return explain.TickReport{}, err
		}
	}
	fmt.Fprintf(stderr, "once: two readings, %s apart\n", policy.Tick)
	return p.decideOnce(ctx, policy, shadow)
}

// decideOnce runs the loop until one decision was made and carried out.
func (p *parts) decideOnce(ctx context.Context, policy contract.Policy, shadow bool) (explain.TickReport, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	seen := &onlooker{stop: cancel}
	o := govern.Options{
		Policy: policy, Suite: p.cfg.self(), Host: p.host, Reader: p.eyes, Engine: p.engine, Recovered: p.recovered, Backlog: p.backlog,
		Boottime: boottime, RecordAll: p.cfg.Record == "all", Drain: p.cfg.Drain, Sinks: []govern.Sink{seen}, Log: p.log,
	}
	memory := &memory{}
	o.Journal, o.Spool = memory, nowhere{}
	if !shadow {
		o.Journal, o.Spool = p.journal, p.spool
	}
	if err := govern.New(o).Run(ctx); err != nil {
		return explain.TickReport{}, becauseOfLoop(err)
	}
	switch {
	case seen.gates != nil:
		return explain.TickReport{}, cli.WithExitCode(exitSource, fmt.Errorf("no decision: %w", seen.gates))
	case shadow:
		return explain.NewTickReport(time.Now(), memory.tick, memory.plan, &policy, nil), nil
	default:
		return explained(p.cfg).Last()
	}
}

// onlooker is a sink that ends the run when one decision was made and its orders have ended.
type onlooker struct {
	stop  func()
	ticks int
	left  int   // orders under way
	gates error // what keeps it from deciding
}

// OnTick sees whether the tick could decide.
func (o *onlooker) OnTick(r *govern.Report) {
	o.ticks++
	o.gates = nil
	if r.Plan == nil || len(r.Gates) > 0 {
		o.gates = errors.New("gated")
		for _, c := range r.Conditions {
			if c.Gate {
				o.gates = fmt.Errorf("%s: %s", c.Title, c.Text)
			}
		}
	}
	o.left = r.Orders
	if (o.gates == nil && o.left == 0) || o.ticks == onceTicks {
		o.stop()
	}
}

// OnAction counts the orders that have ended.
func (o *onlooker) OnAction(govern.ActionResult) {
	if o.left--; o.left <= 0 && o.gates == nil {
		o.stop()
	}
}

// OnPolicy does not happen: nobody reloads.
func (o *onlooker) OnPolicy(contract.Policy) {}

// memory is a journal that only remembers the last tick: nothing is done that would have to be remembered.
type memory struct {
	mu   sync.Mutex // guards all following fields
	tick journal.Tick
	plan contract.Plan
}

// Check finds nothing: there is no file.
func (m *memory) Check() error { return nil }

// Tick remembers the inputs and the plan.
func (m *memory) Tick(_ contract.Policy, t journal.Tick, plan contract.Plan) (uint64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.tick, m.plan = t, plan
	return 0, nil
}

// NoPlan has nothing to remember.
func (m *memory) NoPlan(journal.NoPlan) error { return nil }

// Intent refuses: whoever has no journal must not act.
func (m *memory) Intent(...journal.Intent) (uint64, error) {
	return 0, errors.New("no journal is open")
}

// Outcome has nothing to remember.
func (m *memory) Outcome(...journal.Outcome) (uint64, error) { return 0, nil }

// Size is nothing.
func (m *memory) Size() int64 { return 0 }

// nowhere is a spool for records that nobody is to have.
type nowhere struct{}

func (nowhere) Check() error                    { return nil }
func (nowhere) Append(...contract.Record) error { return nil }
func (nowhere) Stats() ship.Stats               { return ship.Stats{} }
