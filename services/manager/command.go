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

// configFor is the configuration for a command that takes flags alone. Settings that are wrong are printed, and end it.
func configFor(inv *cli.Invocation) (config, error) {
	if err := inv.Parse(0); err != nil {
		return config{}, err
	}
	cfg, err := loadConfig()
	if err != nil {
		fmt.Fprintln(inv.Stderr, err)
		return config{}, cli.Reported(exitConfig)
	}
	return cfg, nil
}

const healthHelp = "Asks the manager at GESTOR_OPS. The exit code is 0 when the answer is yes."

// healthTimeout is shorter than the time-out of the suite's health checks.
const healthTimeout = 3 * time.Second

// healthCommand asks the running manager's ops port whether it is alive: an image from scratch has no curl.
func healthCommand(ctx context.Context, inv *cli.Invocation) error {
	ready := inv.Flags.Bool("ready", false, "ask whether it governs, not only whether it lives")
	cfg, err := configFor(inv)
	if err != nil {
		return err
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
	cfg, err := configFor(inv)
	if err != nil {
		return err
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
	a, err := ask(ctx, http.MethodPost, url, reloadTimeout)
	if err != nil {
		return result, err
	}
	if a.code != http.StatusOK && a.code != http.StatusUnprocessableEntity {
		return result, a.err()
	}
	return result, json.Unmarshal(a.text, &result)
}

// get is nil when a GET is answered with 2xx in time; any other answer wraps errAnswered.
func get(ctx context.Context, url string) error {
	a, err := ask(ctx, http.MethodGet, url, healthTimeout)
	if err != nil {
		return err
	}
	if a.code/100 != 2 {
		return a.err()
	}
	return nil
}

// answer is what came back to a request, whatever its status.
type answer struct {
	request string // method and address
	code    int
	status  string // code and words
	text    []byte
}

// errAnswered is an answer that is not the expected one.
var errAnswered = errors.New("answered")

// err is the answer as an error, which wraps errAnswered.
func (a answer) err() error {
	return fmt.Errorf("%s: %w: %s: %s", a.request, errAnswered, a.status, a.text)
}

// mostAnswer is the longest answer that is read.
const mostAnswer = 1 << 20

// ask sends a request without a body to a service of the suite. An error says that nobody answered it in time.
func ask(ctx context.Context, method, url string, timeout time.Duration) (answer, error) {
	req, err := http.NewRequestWithContext(ctx, method, url, http.NoBody)
	if err != nil {
		return answer{}, err
	}

	client := ship.NewClient(timeout)
	defer client.CloseIdleConnections()
	resp, err := client.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close()

	text, err := io.ReadAll(io.LimitReader(resp.Body, mostAnswer))
	return answer{request: method + " " + url, code: resp.StatusCode, status: resp.Status, text: text}, err
}
