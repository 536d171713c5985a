package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"gestor.local/contract"
	"gestor.local/generator/internal/churn"
	"gestor.local/generator/internal/containers"
	"gestor.local/generator/internal/launch"
	"gestor.local/generator/internal/lease"
	"gestor.local/generator/internal/plan"
	"gestor.local/generator/internal/profile"
	"gestor.local/generator/internal/report"
	"gestor.local/ship"
)

// Time-outs of one question to the engine, and of removing one group of containers.
const (
	askTimeout    = 10 * time.Second
	removeTimeout = 40 * time.Second
)

const defaultPlanLength = time.Hour

func helpCommand(_ context.Context, _ []string, out io.Writer) error {
	fmt.Fprintf(out, usage, strings.Join(profile.Names(), ", "))
	return writeSettings(out)
}

// writeSettings writes every setting with its default.
func writeSettings(out io.Writer) error { return contract.WriteSettings(out, "", config{}) }

// settingsCommand lists every setting with its default.
func settingsCommand(_ context.Context, arguments []string, out io.Writer) error {
	if err := noArguments("settings", arguments); err != nil {
		return err
	}
	return writeSettings(out)
}

// noArguments refuses whatever follows a command that takes nothing.
func noArguments(command string, arguments []string) error {
	flags := flag.NewFlagSet(command, flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	if err := flags.Parse(arguments); err != nil {
		return configError(err)
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("%w: unknown argument %q (see --help)", errConfig, flags.Arg(0))
	}
	return nil
}

func versionCommand(_ context.Context, arguments []string, out io.Writer) error {
	if err := noArguments("version", arguments); err != nil {
		return err
	}
	_, err := fmt.Fprintln(out, "gestor-generator", contract.Version)
	return err
}

// planCommand prints a plan.
func planCommand(ctx context.Context, arguments []string, out io.Writer) error {
	if len(arguments) > 0 && strings.TrimLeft(arguments[0], "-") == "replay" {
		return replayCommand(ctx, arguments, out)
	}
	c, err := loadConfig("plan", arguments, "profile", "interval", "batch", "seed", "for")
	if err != nil {
		return err
	}
	churn, images, err := c.inputs(ctx)
	if err != nil {
		return err
	}
	length := c.For
	if length == 0 {
		length = defaultPlanLength
	}
	made, err := plan.Make(c.seedOrRandom(), churn, images, 0, length)
	if err != nil {
		return fmt.Errorf("%w: %w", errConfig, err)
	}
	_, err = made.WriteTo(out)
	return err
}

// replayCommand prints a plan that repeats a recorded run.
func replayCommand(ctx context.Context, arguments []string, out io.Writer) error {
	flags := flag.NewFlagSet("plan", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	file := flags.String("replay", "", "launch records, one a line")
	run := flags.String("run", "", "the run among them")
	if err := flags.Parse(arguments); err != nil {
		return configError(err)
	}
	c, err := loadConfig("plan", flags.Args())
	if err != nil {
		return err
	}
	_, images, err := c.inputs(ctx)
	if err != nil {
		return err
	}
	records, err := os.Open(*file)
	if err != nil {
		return fmt.Errorf("%w: %w", errConfig, err)
	}
	defer records.Close()
	made, err := plan.Replay(records, *run, images)
	if err != nil {
		return fmt.Errorf("%w: %s: %w", errConfig, *file, err)
	}
	_, err = made.WriteTo(out)
	return err
}

// inputs are what a plan is made of, besides the seed.
func (c config) inputs(ctx context.Context) (profile.Profile, []profile.Image, error) {
	p, err := c.churn()
	if err != nil {
		return p, nil, fmt.Errorf("%w: %w", errConfig, err)
	}
	images, err := launch.Launcher{Dir: c.Scripts, Timeout: askTimeout}.Images(ctx)
	if err != nil {
		return p, nil, fmt.Errorf("%w: GESTOR_SCRIPTS: %w", errConfig, err)
	}
	if problems := p.Validate(images); problems.Err() != nil {
		return p, nil, fmt.Errorf("%w: profile %s:\n%w", errConfig, c.Profile, problems)
	}
	return p, images, nil
}

// downCommand removes a run's containers, or what runs that are no more have left.
func downCommand(ctx context.Context, arguments []string, out io.Writer) error {
	flags := flag.NewFlagSet("down", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	run := flags.String("run", "", "the run")
	if err := flags.Parse(arguments); err != nil {
		return configError(err)
	}
	c, err := loadConfig("down", flags.Args())
	if err != nil {
		return err
	}
	hands := c.census()
	say := func(text string, _ error) { fmt.Fprintln(out, text) }
	var removed int
	if *run != "" {
		removed, err = churn.Drain(ctx, hands, *run, say)
	} else {
		removed, err = sweep(ctx, hands, lease.Claim{Suite: c.Suite}, say)
	}
	if err == nil {
		fmt.Fprintf(out, "removed %d containers\n", removed)
	}
	return err
}

func configError(err error) error {
	if errors.Is(err, flag.ErrHelp) {
		return err
	}
	return fmt.Errorf("%w: %w", errConfig, err)
}

func (c config) census() containers.Census {
	return containers.Census{Dir: c.Scripts, Timeout: askTimeout, RemoveTimeout: removeTimeout}
}

// sweep removes what runs that are no more have left.
func sweep(ctx context.Context, hands containers.Census, me lease.Claim, say func(string, error)) (int, error) {
	found, err := hands.List(ctx, "")
	if err != nil {
		return 0, err
	}
	look := func(owner string) lease.Liveness {
		l, err := lease.Look(ctx, hands, procDir, owner)
		if err != nil {
			say("whether "+owner+" lives is not known; its containers stay until their lease ends", err)
		}
		return l
	}
	return churn.Sweep(ctx, hands, lease.Stale(found, me, look, time.Now()), say)
}

// reportCommand prints the report of the run that goes on, else the last one that was kept.
func reportCommand(ctx context.Context, arguments []string, out io.Writer) error {
	flags := flag.NewFlagSet("report", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	asJSON := flags.Bool("json", false, "print JSON")
	if err := flags.Parse(arguments); err != nil {
		return configError(err)
	}
	c, err := loadConfig("report", flags.Args())
	if err != nil {
		return err
	}
	text, err := c.ask(ctx, "/report")
	if err != nil {
		if text, err = os.ReadFile(filepath.Join(c.State, reportFile)); err != nil {
			return fmt.Errorf("%w: no run goes on, and none left a report: %w", errStorage, err)
		}
	}
	if *asJSON {
		_, err = out.Write(text)
		return err
	}
	var r report.Report
	if err := json.Unmarshal(text, &r); err != nil {
		return fmt.Errorf("read report: %w", err)
	}
	return r.WriteTable(out)
}

// healthCommand asks the running generator whether it is well.
func healthCommand(ctx context.Context, arguments []string, _ io.Writer) error {
	c, err := loadConfig("healthcheck", arguments)
	if err != nil {
		return err
	}
	_, err = c.ask(ctx, "/healthz")
	return err
}

// opsTimeout is shorter than the time-out of the suite's health checks.
const opsTimeout = 3 * time.Second

// ask gets a path of the generator that runs on this machine.
func (c config) ask(ctx context.Context, path string) ([]byte, error) {
	host, port, err := net.SplitHostPort(c.Listen)
	if err != nil {
		return nil, fmt.Errorf("%w: GESTOR_OPS: %w", errConfig, err)
	}
	if host == "" || host == "0.0.0.0" || host == "::" {
		host = "127.0.0.1"
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+net.JoinHostPort(host, port)+path, nil)
	if err != nil {
		return nil, fmt.Errorf("ask generator: %w", err)
	}
	client := ship.NewClient(opsTimeout)
	defer client.CloseIdleConnections()
	resp, err := client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("ask generator: %w", err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil || resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("ask generator: %s: %s: %w", resp.Status, strings.TrimSpace(string(text)), err)
	}
	return text, nil
}
