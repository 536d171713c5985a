package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"gestor.local/contract"
	"gestor.local/manager/internal/govern"
	"gestor.local/manager/internal/ops"
	"gestor.local/program/cli"
	"gestor.local/program/logging"
	"gestor.local/ship"
)

const runHelp = "Governs the containers of this host until SIGINT or SIGTERM. The policy is looked at before every tick, and at once on SIGHUP."

// runCommand governs until ctx ends.
func runCommand(ctx context.Context, inv *cli.Invocation) error {
	if err := inv.Parse(0); err != nil {
		return err
	}
	cfg, err := loadConfig()
	if err != nil {
		fmt.Fprintf(inv.Stderr, "gestor-manager: these settings are wrong; put them right and start again:\n%v\n", err)
		return cli.Reported(exitConfig)
	}

	log := logging.New(inv.Stdout, contract.ProducerManager, cfg.LogLevel, cfg.forPeople(inv.Stdout))
	if err := serve(ctx, cfg, log, inv.Stdout); err != nil {
		log.Error().Err(err).Int("exit_code", cli.ExitCode(err)).Msg("the manager stops")
		return cli.Reported(cli.ExitCode(err))
	}
	return nil
}

const healthHelp = "Asks the manager at GESTOR_OPS. The exit code is 0 when the answer is yes."

// healthTimeout is shorter than the time-out of the suite's health checks.
const healthTimeout = 3 * time.Second

// healthCommand asks the running manager's ops port whether it is alive: an image from scratch has no curl.
func healthCommand(ctx context.Context, inv *cli.Invocation) error {
	ready := inv.Flags.Bool("ready", false, "ask whether it governs, not only whether it lives")
	if err := inv.Parse(0); err != nil {
		return err
	}
	cfg, err := loadConfig()
	if err != nil {
		fmt.Fprintln(inv.Stderr, err)
		return cli.Reported(exitConfig)
	}

	// Alive is who answers; ready is who decides, too.
	path := contract.PathHealth
	if *ready {
		path = contract.PathReady
	}
	return get(ctx, cfg.opsURL()+path)
}

const reloadHelp = "Makes the manager at GESTOR_OPS look at its policy now instead of before its next tick.\n" +
	"The exit code is 0 when the file is in force, 2 when it was refused; the policy before stays in force then."

// reloadTimeout is longer than a tick under way can take: half a tick for the reading and half a tick for the engine, 5 s
// each at most.
const reloadTimeout = 20 * time.Second

// reloadCommand makes the running manager read its policy now and prints the result.
func reloadCommand(ctx context.Context, inv *cli.Invocation) error {
	if err := inv.Parse(0); err != nil {
		return err
	}
	cfg, err := loadConfig()
	if err != nil {
		fmt.Fprintln(inv.Stderr, err)
		return cli.Reported(exitConfig)
	}

	result, err := postReload(ctx, cfg.opsURL()+ops.PathReload)
	switch {
	case err != nil:
		return fmt.Errorf("%w; is the manager running here, and is GESTOR_OPS=%s its address?", err, cfg.Ops)

	case result.Refused != "":
		return cli.WithExitCode(exitConfig, fmt.Errorf("refused, policy %s stays in force (mode %s):\n%s", result.Policy, result.Mode, result.Refused))

	case result.Changed:
		fmt.Fprintf(inv.Stdout, "policy %s is in force (mode %s); its first plan is only shown\n", result.Policy, result.Mode)
	default:
		fmt.Fprintf(inv.Stdout, "policy %s is in force (mode %s), as before\n", result.Policy, result.Mode)
	}
	return nil
}

// postReload sends the request of the subcommand reload. A policy that was refused is an answer, not an error.
func postReload(ctx context.Context, url string) (result govern.ReloadResult, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, http.NoBody)
	if err != nil {
		return result, err
	}

	client := ship.NewClient(reloadTimeout)
	defer client.CloseIdleConnections()
	resp, err := client.Do(req)
	if err != nil {
		return result, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		return result, err
	}

	if resp.StatusCode != http.StatusOK && resp.StatusCode != http.StatusUnprocessableEntity {
		return result, fmt.Errorf("POST %s: %s: %s", url, resp.Status, text)
	}
	return result, json.Unmarshal(text, &result)
}

// errAnswered is an answer other than 2xx.
var errAnswered = errors.New("answered")

// get is nil when a GET is answered with 2xx in time; any other answer wraps errAnswered.
func get(ctx context.Context, url string) error {
	text, status, err := fetch(ctx, url)
	if err != nil {
		return err
	}
	if status != "" {
		return fmt.Errorf("GET %s: %w: %s: %s", url, errAnswered, status, text)
	}
	return nil
}

// mostAnswer is the longest answer of the ops port that is read.
const mostAnswer = 1 << 20

// fetch is the answer to a GET in time, whatever it is; status says which when it is not 2xx.
func fetch(ctx context.Context, url string) (text []byte, status string, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return nil, "", err
	}

	client := ship.NewClient(healthTimeout)
	defer client.CloseIdleConnections()
	resp, err := client.Do(req)
	if err != nil {
		return nil, "", err
	}
	defer resp.Body.Close()

	if text, err = io.ReadAll(io.LimitReader(resp.Body, mostAnswer)); err != nil {
		return nil, "", err
	}
	if resp.StatusCode/100 != 2 {
		status = resp.Status
	}
	return text, status, nil
}
