package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"gestor.local/generator/internal/churn"
	"gestor.local/generator/internal/containers"
	"gestor.local/generator/internal/launch"
	"gestor.local/generator/internal/lease"
	"gestor.local/generator/internal/plan"
	"gestor.local/generator/internal/profile"
	"gestor.local/generator/internal/report"
	"gestor.local/program/cli"
	"gestor.local/ship"
)

// Time-outs of one question to the engine, and of removing one group of containers.
const (
	queryTimeout  = 10 * time.Second
	removeTimeout = 40 * time.Second
)

const defaultPlanLength = time.Hour

// planCommand prints a plan.
func planCommand(ctx context.Context, inv *cli.Invocation) error {
	if arguments := inv.Args(); len(arguments) > 0 && strings.TrimLeft(arguments[0], "-") == "replay" {
		return replayCommand(ctx, inv)
	}
	c, err := loadConfig(inv.Flags, inv.Args(), "profile", "interval", "batch", "seed", "for")
	if err != nil {
		return err
	}

	profile, images, err := c.planInputs(ctx)
	if err != nil {
		return err
	}

	length := c.For
	if length == 0 {
		length = defaultPlanLength // a plan without end has no last line
	}

	made, err := plan.Make(c.seedOrRandom(), profile, images, 0, length)
	if err != nil {
		return fmt.Errorf("%w: %w", errConfig, err)
	}
	_, err = made.WriteTo(inv.Stdout)
	return err
}

// replayCommand prints a plan that repeats a recorded run.
func replayCommand(ctx context.Context, inv *cli.Invocation) error {
	file := inv.Flags.String("replay", "", "launch records, one a line")
	run := inv.Flags.String("run", "", "the run among them")
	c, err := loadConfig(inv.Flags, inv.Args())
	if err != nil {
		return err
	}

	_, images, err := c.planInputs(ctx)
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
	_, err = made.WriteTo(inv.Stdout)
	return err
}

// planInputs are what a plan is made of, besides the seed.
func (c config) planInputs(ctx context.Context) (profile.Profile, []profile.Image, error) {
	p, err := c.effectiveProfile()
	if err != nil {
		return p, nil, fmt.Errorf("%w: %w", errConfig, err)
	}

	images, err := launch.Launcher{Dir: c.Scripts, Timeout: queryTimeout}.Images(ctx)
	if err != nil {
		return p, nil, fmt.Errorf("%w: GESTOR_SCRIPTS: %w", errConfig, err)
	}

	if problems := p.Validate(images); problems.Err() != nil {
		return p, nil, fmt.Errorf("%w: profile %s:\n%w", errConfig, c.Profile, problems)
	}
	return p, images, nil
}

// downCommand removes a run's containers, or what runs that are no more have left.
func downCommand(ctx context.Context, inv *cli.Invocation) error {
	run := inv.Flags.String("run", "", "the run")
	c, err := loadConfig(inv.Flags, inv.Args())
	if err != nil {
		return err
	}

	client := c.client()
	log := func(text string, _ error) { fmt.Fprintln(inv.Stdout, text) }

	var removed int
	if *run != "" {
		removed, err = churn.Drain(ctx, client, *run, log)
	} else {
		removed, err = sweep(ctx, client, lease.Claimant{Suite: c.Suite}, log)
	}

	if err == nil {
		fmt.Fprintf(inv.Stdout, "removed %d containers\n", removed)
	}
	return err
}

func (c config) client() containers.Client {
	return containers.Client{Dir: c.Scripts, Timeout: queryTimeout, RemoveTimeout: removeTimeout}
}

// sweep removes what runs that are no more have left.
func sweep(ctx context.Context, client containers.Client, claimant lease.Claimant, log func(string, error)) (int, error) {
	found, err := client.List(ctx, "")
	if err != nil {
		return 0, err
	}

	livenessOf := func(owner string) lease.Liveness {
		l, err := lease.LivenessOf(ctx, client, procDir, owner)
		if err != nil {
			log("whether "+owner+" lives is not known; its containers stay until their lease ends", err)
		}
		return l
	}

	// Only this suite's: another's generator sweeps its own.
	return churn.Sweep(ctx, client, lease.Stale(found, claimant, livenessOf, time.Now()), log)
}

// reportCommand prints the report of the run that goes on, else the last one that was saved.
func reportCommand(ctx context.Context, inv *cli.Invocation) error {
	asJSON := inv.Flags.Bool("json", false, "print JSON")
	c, err := loadConfig(inv.Flags, inv.Args())
	if err != nil {
		return err
	}

	text, err := c.get(ctx, "/report")
	if err != nil {
		if text, err = os.ReadFile(filepath.Join(c.State, reportFile)); err != nil {
			return fmt.Errorf("%w: no run goes on, and none left a report: %w", errStorage, err)
		}
	}

	if *asJSON {
		_, err = inv.Stdout.Write(text)
		return err
	}

	var r report.Report
	if err := json.Unmarshal(text, &r); err != nil {
		return fmt.Errorf("read report: %w", err)
	}
	return r.WriteTable(inv.Stdout)
}

// healthCommand asks the running generator whether it is well.
func healthCommand(ctx context.Context, inv *cli.Invocation) error {
	c, err := loadConfig(inv.Flags, inv.Args())
	if err != nil {
		return err
	}
	_, err = c.get(ctx, "/healthz")
	return err
}

// opsTimeout is shorter than the time-out of the suite's health checks.
const opsTimeout = 3 * time.Second

// get asks the generator that runs on this machine for a path.
func (c config) get(ctx context.Context, path string) ([]byte, error) {
	base, err := c.localURL()
	if err != nil {
		return nil, err
	}
	return get(ctx, base+path)
}

// get is the body of an answer with 200.
func get(ctx context.Context, url string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
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

	// A report is bounded by the images and causes that there are: some KiB.
	text, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil || resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("ask generator: %s: %s: %w", resp.Status, strings.TrimSpace(string(text)), err)
	}
	return text, nil
}
