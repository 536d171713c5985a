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
	"time"

	"github.com/mattn/go-isatty"
	"github.com/rs/zerolog"

	"gestor.local/contract"
	"gestor.local/manager/internal/command"
	"gestor.local/manager/internal/govern"
	"gestor.local/manager/internal/ops"
	"gestor.local/ship"
)

// parseFlags parses the flags of a subcommand that takes nothing else; done is true when the code is all that is left to return.
func parseFlags(f *flag.FlagSet, args []string, stdout, stderr io.Writer, about string) (code int, done bool) {
	usage := "[FLAG…]"
	if !hasFlags(f) {
		usage = ""
	}
	e := command.Env{Stdout: stdout, Stderr: stderr}
	e.Describe(f, usage, about)
	return e.Parse(f, args, 0)
}

func hasFlags(f *flag.FlagSet) (has bool) {
	f.VisitAll(func(*flag.Flag) { has = true })
	return has
}

// versionCommand prints the version.
func versionCommand(args []string, stdout, stderr io.Writer) int {
	f := flag.NewFlagSet("version", flag.ContinueOnError)
	if code, done := parseFlags(f, args, stdout, stderr, "Prints the version."); done {
		return code
	}
	fmt.Fprintln(stdout, "gestor-manager", contract.Version)
	return exitDone
}

// settingsCommand lists every setting with its default.
func settingsCommand(args []string, stdout, stderr io.Writer) int {
	f := flag.NewFlagSet("settings", flag.ContinueOnError)
	if code, done := parseFlags(f, args, stdout, stderr, "Lists the settings, which come from the environment, with their defaults."); done {
		return code
	}
	if err := contract.WriteSettings(stdout, envPrefix, config{}); err != nil {
		fmt.Fprintf(stderr, "settings: %v\n", err)
		return 1
	}
	return exitDone
}

// runCommand governs until ctx ends.
func runCommand(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	f := flag.NewFlagSet("run", flag.ContinueOnError)
	if code, done := parseFlags(f, args, stdout, stderr, "Governs the containers of this host until SIGINT or SIGTERM. The policy is looked at before every tick, and at once on SIGHUP."); done {
		return code
	}
	cfg, err := loadConfig()
	if err != nil {
		fmt.Fprintf(stderr, "gestor-manager: these settings are wrong; put them right and start again:\n%v\n", err)
		return exitConfig
	}
	log := newLogger(cfg, stdout)
	err = serve(ctx, cfg, log, stdout)
	if err != nil {
		log.Error().Err(err).Int("exit_code", codeOf(err)).Msg("the manager stops")
	}
	return codeOf(err)
}

// newLogger writes lines for people on a terminal and JSON lines elsewhere.
func newLogger(cfg config, w io.Writer) zerolog.Logger {
	level, err := zerolog.ParseLevel(cfg.LogLevel)
	if err != nil {
		level = zerolog.InfoLevel // checked with the configuration
	}
	if cfg.forPeople(w) {
		w = zerolog.ConsoleWriter{Out: w, TimeFormat: time.TimeOnly, NoColor: !isTerminal(w)}
	}
	return zerolog.New(w).Level(level).With().Timestamp().Str("service", "manager").Logger()
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && isatty.IsTerminal(f.Fd())
}

// healthTimeout is shorter than the time-out of the suite's health checks.
const healthTimeout = 3 * time.Second

// healthCommand asks the running manager's ops port whether it lives: an image from scratch has no curl.
func healthCommand(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	f := flag.NewFlagSet("healthcheck", flag.ContinueOnError)
	ready := f.Bool("ready", false, "ask whether it governs, not only whether it lives")
	if code, done := parseFlags(f, args, stdout, stderr, "Asks the manager at GESTOR_OPS. The exit code is 0 when the answer is yes."); done {
		return code
	}
	cfg, err := loadConfig()
	if err != nil {
		fmt.Fprintln(stderr, err)
		return exitConfig
	}
	path := contract.PathHealth
	if *ready {
		path = contract.PathReady
	}
	if err := ask(ctx, localURL(cfg.Ops)+path); err != nil {
		fmt.Fprintf(stderr, "healthcheck: %v\n", err)
		return 1
	}
	return exitDone
}

// reloadTimeout is longer than a tick under way can take: half a tick for the reading and half a tick for the engine, 5 s
// each at most.
const reloadTimeout = 20 * time.Second

// reloadCommand makes the running manager look at its policy now and says what came of it.
func reloadCommand(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	f := flag.NewFlagSet("reload", flag.ContinueOnError)
	about := "Makes the manager at GESTOR_OPS look at its policy now instead of before its next tick.\n" +
		"The exit code is 0 when the file is in force, 2 when it was refused; the policy before stays in force then."
	if code, done := parseFlags(f, args, stdout, stderr, about); done {
		return code
	}
	cfg, err := loadConfig()
	if err != nil {
		fmt.Fprintln(stderr, err)
		return exitConfig
	}

	taken, err := askReload(ctx, localURL(cfg.Ops)+ops.PathReload)
	switch {
	case err != nil:
		fmt.Fprintf(stderr, "reload: %v; is the manager running here, and is GESTOR_OPS=%s its address?\n", err, cfg.Ops)
		return 1
	case taken.Refused != "":
		fmt.Fprintf(stderr, "reload: refused, policy %s stays in force (mode %s):\n%s\n", taken.Policy, taken.Mode, taken.Refused)
		return exitConfig
	case taken.Changed:
		fmt.Fprintf(stdout, "policy %s is in force (mode %s); its first plan is only shown\n", taken.Policy, taken.Mode)
	default:
		fmt.Fprintf(stdout, "policy %s is in force (mode %s), as before\n", taken.Policy, taken.Mode)
	}
	return exitDone
}

// askReload sends the request of the subcommand reload.
func askReload(ctx context.Context, url string) (taken govern.ReloadResult, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, http.NoBody)
	if err != nil {
		return taken, err
	}

	client := ship.NewClient(reloadTimeout)
	defer client.CloseIdleConnections()
	resp, err := client.Do(req)
	if err != nil {
		return taken, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		return taken, err
	}
	if resp.StatusCode != http.StatusOK && resp.StatusCode != http.StatusUnprocessableEntity {
		return taken, fmt.Errorf("POST %s: %s: %s", url, resp.Status, text)
	}
	return taken, json.Unmarshal(text, &taken)
}

// localURL is the address under which a server that listens on addr is reached from the same machine.
func localURL(addr string) string {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return "http://" + addr
	}
	if host == "" || net.ParseIP(host).IsUnspecified() {
		host = "127.0.0.1"
	}
	return "http://" + net.JoinHostPort(host, port)
}

// errAnswered says that somebody answered, and not with 2xx.
var errAnswered = errors.New("answered")

// ask is nil when a GET is answered with 2xx in time; any other answer wraps errAnswered.
func ask(ctx context.Context, url string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return err
	}
	client := ship.NewClient(healthTimeout)
	defer client.CloseIdleConnections()
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	if err != nil {
		return err
	}
	if resp.StatusCode/100 != 2 {
		return fmt.Errorf("GET %s: %w: %s: %s", url, errAnswered, resp.Status, text)
	}
	return nil
}
