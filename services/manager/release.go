package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"text/tabwriter"
	"time"

	"github.com/rs/zerolog"

	"gestor.local/contract"
	"gestor.local/contract/policy2"
	"gestor.local/manager/internal/govern"
	"gestor.local/manager/internal/govern/actuator"
	"gestor.local/manager/internal/journal"
	"gestor.local/program/cli"
)

const releaseHelp = "Gives every container the CPU limit back that the manager has lowered, as far as nobody else has changed it since: for a\n" +
	"manager that does not run any more. One that runs holds its journal, and gives all limits back when it is stopped.\n" +
	"The exit code is 0 when nothing is owed any more, 1 when a limit could not be given back."

// releaseCommand gives back what the journal says is owed, and writes down that it did.
func releaseCommand(ctx context.Context, inv *cli.Invocation) error {
	cfg, err := configFor(inv)
	if err != nil {
		return err
	}

	// The engine first: a journal that cannot be acted on is left as it is.
	c := &components{cfg: cfg, log: zerolog.New(inv.Stderr).Level(zerolog.ErrorLevel)}
	defer c.close()
	if err := c.openEngine(ctx); err != nil {
		return err
	}
	kept, recovered, err := journal.Open(journalDir(cfg), journal.Options{Version: journal.Version})
	switch {
	case errors.Is(err, journal.ErrLocked):
		return cli.WithExitCode(exitStorage, fmt.Errorf("%w; docker compose stop manager gives all limits back by itself", err))
	case err != nil:
		return cli.WithExitCode(exitStorage, err)
	}
	c.addCloser("journal", kept.Close)

	left, results := giveAllBack(ctx, c.engine, kept, recovered)
	if len(results) == 0 {
		fmt.Fprintln(inv.Stdout, "no container is owed a CPU limit")
		return nil
	}

	table := tabwriter.NewWriter(inv.Stdout, 0, 0, 2, ' ', 0)
	for _, r := range results {
		fmt.Fprintf(table, "%s\t%s\t%s\n", r.name, r.Outcome, contract.Printable(r.ErrorText()))
	}
	if err := table.Flush(); err != nil {
		return err
	}
	if left > 0 {
		return fmt.Errorf("%d of %d limits could not be given back; see what the engine says of the containers, then try again", left, len(results))
	}
	return nil
}

// limitEngine is what giving limits back asks of the engine.
type limitEngine interface {
	actuator.HostInspector
	actuator.StepMutator
}

// released is what became of the limit of one container.
type released struct {
	actuator.StepResult
	name string
}

// giveAllBack gives every limit back that the journal says is owed, and counts those that are owed still.
func giveAllBack(ctx context.Context, e limitEngine, kept *journal.Journal, recovered journal.Recovery) (left int, results []released) {
	enforcer := actuator.NewStepEnforcer(e, e, nil, nil)
	for _, i := range owed(recovered) {
		back := journal.Intent{
			ActionID: i.ActionID + "-release", Subject: i.Subject, Tick: recovered.LastTick, Action: contract.ActionUnthrottle, Reason: "release",
			Rule: i.Rule, GUS: i.GUS, Undo: i.Undo, OldNanoCPUs: i.OldNanoCPUs, NanoCPUs: i.NanoCPUs,
		}
		back.ActionID += strconv.FormatInt(time.Now().UnixMicro(), 10)
		r := released{name: i.Name}
		if _, err := kept.Intent(back); err != nil {
			r.Outcome, r.Err = contract.OutcomeFailed, err
		} else {
			limits := limitsOwed(ctx, e, i, recovered.Open)
			r.StepResult = enforcer.GiveBack(ctx, actuator.GiveBackOrder{
				ActionID: back.ActionID, ID: i.Container, Name: i.Name, Limits: limits, Act: policy2.Default().Act,
			})
			_, err = kept.Outcome(journal.Outcome{
				ActionID: back.ActionID, Outcome: r.Outcome, Rung: r.Rung, Attempts: r.Attempts, Error: r.ErrorText(),
				Tick: recovered.LastTick, GUS: i.GUS,
			})
			r.Err = errors.Join(r.Err, err)
		}

		if r.Outcome == contract.OutcomeFailed || r.Outcome == contract.OutcomeUnknown || r.Err != nil {
			left++
		}
		results = append(results, r)
	}
	return left, results
}

// owed are the throttles that are in force, or may be: one a container, the oldest.
func owed(recovered journal.Recovery) (intents []journal.Intent) {
	seen := make(map[string]bool)
	for _, i := range append(recovered.Throttled, recovered.Open...) {
		if i.Undo != nil && i.Action == contract.ActionThrottle && !seen[i.Container] {
			seen[i.Container] = true
			intents = append(intents, i)
		}
	}
	return intents
}

// limitsOwed are the limits of a throttle. What a policy of version 1 has set is not in its intent: then the limit of now is taken for it.
// One that took the place of the throttle, and of which no outcome is known, may have been set or not.
func limitsOwed(ctx context.Context, e limitEngine, i journal.Intent, open []journal.Intent) actuator.Limits {
	limits := govern.LimitsOf(i)
	state, err := e.Inspect(ctx, i.Container)
	if err != nil {
		return limits
	}
	if i.NanoCPUs == 0 {
		limits.Set = state.CPU
	}
	for _, other := range open {
		throttles := other.Container == i.Container && other.Action == contract.ActionThrottle && other.Undo != nil && other.NanoCPUs != 0
		if throttles && state.CPU.Same(govern.LimitsOf(other).Set) {
			return govern.LimitsOf(other)
		}
	}
	return limits
}
