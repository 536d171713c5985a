package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/rs/zerolog"

	"gestor.local/contract"
	"gestor.local/contract/policy2"
	"gestor.local/manager/internal/engine"
	"gestor.local/manager/internal/explain"
	"gestor.local/manager/internal/facts"
	"gestor.local/manager/internal/population"
	"gestor.local/manager/internal/rules"
	"gestor.local/manager/internal/source/hostproc"
	"gestor.local/manager/internal/source/netdev"
	"gestor.local/manager/internal/survey"
	"gestor.local/program/cli"
)

const surveyHelp = "Says what leaks on this host: containers that have ended or were never started, restart again and again, run\n" +
	"idle without a restart policy, or were left by a test, a build or an agent; old compose projects; who has no\n" +
	"memory limit; anonymous volumes of the ended. It reads the host twice, 5 s apart, and touches nothing. For each\n" +
	"kind it proposes a rule that begins with a warning, and whom a policy would own; --yaml prints them as comments\n" +
	"of a policy of version 2 that owns nobody. What ended on purpose, or holds something, is parked: no rule.\n" +
	"It needs the engine alone. Without the host's /proc and cgroups it says what is missing.\n" +
	"The exit code is 0 when nothing leaks, 10 when something does, 4 when the engine cannot be reached."

// surveyApart is the time between the two readings: a container that does nothing for so long at least pauses.
const surveyApart = 5 * time.Second

// surveySizes is how long the own layers of all that was found may take to measure; whose is not known then is unknown.
const surveySizes = 20 * time.Second

// surveyCommand says what leaks on this host.
func surveyCommand(ctx context.Context, inv *cli.Invocation) error {
	asJSON := inv.Flags.Bool("json", false, "print the survey as JSON instead of a table")
	asYAML := inv.Flags.Bool("yaml", false, "print a policy with what is proposed as comments")
	olderThan := inv.Flags.Duration("older-than", 0, "count what is at least so old (default 1h, compose projects 72h)")
	cfg, err := configFor(inv)
	if err != nil {
		return err
	}
	if *asJSON && *asYAML || *olderThan < 0 {
		return cli.WithExitCode(exitConfig, errors.New("--json or --yaml, not both; --older-than takes a time like 30m or 48h"))
	}

	s := &surveyor{components: &components{cfg: cfg, log: zerolog.Nop()}}
	defer s.close()
	if err := s.open(ctx); err != nil {
		return err
	}
	fmt.Fprintf(inv.Stderr, "survey: two readings, %s apart\n", surveyApart)
	reading, err := s.read(ctx, *olderThan)
	if err != nil {
		return err
	}

	document := survey.New(reading)
	if ids := document.Ended(); len(ids) > 0 {
		fmt.Fprintf(inv.Stderr, "survey: the sizes of %d containers that do not run\n", len(ids))
		reading.Layers = s.layers(ctx, ids)
		document = survey.New(reading)
	}
	return writeSurvey(inv, &document, *asJSON, *asYAML)
}

func writeSurvey(inv *cli.Invocation, s *survey.Survey, asJSON, asYAML bool) (err error) {
	switch {
	case asJSON:
		err = explain.JSON(inv.Stdout, s)
	case asYAML:
		err = s.YAML(inv.Stdout)
	default:
		err = s.Table(inv.Stdout)
	}
	if err != nil {
		return err
	}

	if containers, _ := s.Found(); containers > 0 {
		return cli.WithExitCode(exitSomethingToDo, fmt.Errorf("something leaks: %d of %d containers", containers, s.Containers))
	}
	return nil
}

// surveyor reads a host for a survey.
type surveyor struct {
	*components
	missing    []string
	builder    *facts.Builder
	population population.State
	states     map[string]engine.ContainerState // of the newest reading
}

// open opens the engine, and what else can be read here. Unlike a manager it waits for no engine, and asks for no token.
func (s *surveyor) open(ctx context.Context) (err error) {
	if s.engine, err = engine.Open(s.cfg.Engine); err != nil {
		return cli.WithExitCode(exitConfig, err)
	}
	s.addCloser("engine", s.engine.Close)

	call, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	name, err := s.engine.Name(call)
	if err != nil {
		return engineFailed(err)
	}
	s.host = cmp.Or(s.cfg.Host, name)

	if err := s.openSource(ctx); err != nil {
		s.source = nil
		s.missing = append(s.missing, fmt.Sprintf("CPU and memory, and so who is idle: %v", err))
	}
	s.builder = facts.New(facts.Options{Socket: s.socketOnHost(ctx)})
	return nil
}

// read reads the host twice.
func (s *surveyor) read(ctx context.Context, olderThan time.Duration) (survey.Reading, error) {
	r := survey.Reading{Host: s.host, OlderThan: olderThan}
	var err error
	if r.Before, _, err = s.readOnce(ctx); err != nil {
		return r, err
	}

	began := boottime()
	select {
	case <-ctx.Done():
		return r, ctx.Err()
	case <-time.After(surveyApart):
	}
	if r.Facts, r.Source, err = s.readOnce(ctx); err != nil {
		return r, err
	}

	r.Apart = time.Duration(boottime()-began) * time.Microsecond //nolint:gosec // seconds
	if us := r.Facts.IntervalUS; us > 0 {
		r.Apart = time.Duration(us) * time.Microsecond //nolint:gosec // seconds
	}
	r.States, r.Missing = s.states, s.missing
	return r, nil
}

// readOnce makes the facts of one reading. What the source cannot give is missing, and what the engine cannot is an error.
func (s *surveyor) readOnce(ctx context.Context) (f rules.Facts, from string, err error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	snapshot, pop, from := s.readSource(ctx)

	inventory, err := s.engine.List(ctx)
	if err != nil {
		return f, "", engineFailed(err)
	}
	ids := make([]string, len(inventory.Entries))
	for i := range inventory.Entries {
		ids[i] = inventory.Entries[i].ID
	}
	s.builder.Recheck(ids...) // a restart between two readings shows in an inspection alone
	s.builder.Observe(inventory, snapshot)
	states := facts.Inspect(ctx, s.engine, ids)
	s.builder.Inspected(states)
	s.states = states

	// Counters of another reading may be too young for the next: each reading has its own.
	counters := netdev.New(s.cfg.Proc, boottime)
	defer counters.Close()
	own, parts := hostproc.OwnContainer(), facts.PartsOf(s.cfg.Suite, inventory)
	if own != "" { // who is started by hand carries no label that says so
		parts = append(parts, own)
	}
	tick := facts.Tick{
		Clocks: facts.Reading{BootUS: boottime(), WallUS: time.Now().UnixMicro()}, Population: pop, Snapshot: snapshot, Inventory: inventory,
		Suite: facts.SuiteOf(s.cfg.Suite, own, parts, inventory),
	}
	if snapshot != nil {
		everybody := func(*policy2.Identity) bool { return true }
		tick.Network = counters.Read(s.builder.Counted(snapshot, pop, everybody))
	}
	return s.builder.Facts(tick), from, nil
}

// readSource is nil where the host's processes cannot be read.
func (s *surveyor) readSource(ctx context.Context) (*contract.Snapshot, *contract.Population, string) {
	if s.source == nil {
		return nil, nil, ""
	}

	reading, err := s.source.Read(ctx)
	if err == nil {
		var pop contract.Population
		if s.population, pop, _, err = s.population.Advance(reading.Snapshot, reading.Bad); err == nil {
			return reading.Snapshot, &pop, reading.Source
		}
	}
	s.source = nil // half a pair of readings says nothing
	s.missing = append(s.missing, fmt.Sprintf("CPU and memory, and so who is idle: %v", err))
	return nil, nil, ""
}

// layers measures the own layers in bytes.
func (s *surveyor) layers(ctx context.Context, ids []string) map[string]int64 {
	ctx, cancel := context.WithTimeout(ctx, surveySizes)
	defer cancel()
	return facts.Sizes(ctx, s.engine, ids)
}
