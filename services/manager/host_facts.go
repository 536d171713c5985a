package main

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"gestor.local/manager/internal/engine"
	"gestor.local/manager/internal/facts"
	"gestor.local/manager/internal/rules"
	"gestor.local/program/cli"
)

// askTimeout is enough for a thousand inspections on a host that is busy.
const askTimeout = 30 * time.Second

// askHost asks the engine once for its containers.
func askHost(ctx context.Context, cfg config) (rules.Facts, error) {
	e, err := engine.Open(cfg.Engine)
	if err != nil {
		return rules.Facts{}, cli.WithExitCode(exitConfig, err)
	}
	defer e.Close() //nolint:errcheck // it drops idle connections

	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	f, err := facts.Once(ctx, e, cfg.Suite)
	if err != nil {
		return rules.Facts{}, engineFailed(err)
	}
	return f, nil
}

// engineFailed is the error of a call to the engine, with the next step.
func engineFailed(err error) error {
	next := cmp.Or(engine.Advice(err), "check that GESTOR_ENGINE is the address of a Docker engine")
	return cli.WithExitCode(exitEngine, fmt.Errorf("%w; next: %s", err, next))
}
