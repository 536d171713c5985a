package main

import (
	"cmp"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/rs/zerolog"

	"gestor.local/contract"
)

// Exit codes by cause.
const (
	exitDone    = 0
	exitConfig  = 2
	exitStorage = 5
)

// subcommand is one word after the program's name.
type subcommand struct {
	name, arguments, summary, help string

	run func(ctx context.Context, cfg config, args []string, out io.Writer) error
}

func subcommands() []subcommand {
	return []subcommand{
		{"verify", "[-all] [FOLDER]", "check every stored file", verifyHelp, verify},
		{"export", "[-since T] [-until T]", "write the assignment's JSON array", exportHelp, export},
		{"healthcheck", "", "ask the running service whether it is well", "Exit code 0 when GESTOR_ADDR answers /healthz with 200.", withoutFlags(healthcheck)},
		{"settings", "", "list the settings, which come from the environment", "", withoutFlags(settings)},
		{"version", "", "print the version", "", withoutFlags(version)},
	}
}

// command runs one invocation and returns its exit code.
func command(ctx context.Context, args []string, out, errs io.Writer) int {
	cfg, cfgErr := environment()
	switch {
	case len(args) > 0 && (args[0] == "--help" || args[0] == "-h" || args[0] == "help"):
		usage(out)
		return exitDone
	case len(args) == 1 && args[0] == "--version":
		return command(ctx, []string{"version"}, out, errs)
	case cfgErr != nil && !(len(args) > 0 && args[0] == "settings"):
		fmt.Fprintf(errs, "gestor-logs: %v\nSee gestor-logs settings for all of them.\n", cfgErr)
		return exitConfig
	case len(args) == 0:
		return report(errs, serve(ctx, cfg, newLogger(cfg, out), nil))
	}
	for _, sub := range subcommands() {
		if sub.name != args[0] {
			continue
		}
		err := sub.run(ctx, cfg, args[1:], out)
		if errors.Is(err, flag.ErrHelp) {
			fmt.Fprintf(out, "usage: %s\n\n%s\n", strings.TrimSpace("gestor-logs "+sub.name+" "+sub.arguments), cmp.Or(sub.help, sub.summary))
			return exitDone
		}
		return report(errs, err)
	}
	fmt.Fprintf(errs, "gestor-logs: there is no command %q; see gestor-logs --help\n", args[0])
	return exitConfig
}

func report(errs io.Writer, err error) int {
	switch {
	case err == nil:
		return exitDone
	case errors.Is(err, errStorage):
		fmt.Fprintf(errs, "gestor-logs: %v\n", err)
		return exitStorage
	case errors.Is(err, errUsage):
		fmt.Fprintf(errs, "gestor-logs: %v; see --help\n", err)
		return exitConfig
	default:
		fmt.Fprintf(errs, "gestor-logs: %v\n", err)
		return 1
	}
}

// errUsage is a command line that no command takes: exit code 2.
var errUsage = errors.New("wrong arguments")

// parseFlags reads the flags of a command and at most so many arguments behind them. What is wrong with them is an errUsage, a
// request for help flag.ErrHelp.
func parseFlags(flags *flag.FlagSet, args []string, most int) error {
	flags.SetOutput(io.Discard) // command prints what there is to say
	flags.Usage = func() {}
	err := flags.Parse(args)
	if err == nil && flags.NArg() > most {
		err = fmt.Errorf("nothing is known about %q", flags.Arg(most))
	}
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		err = fmt.Errorf("%s: %w: %w", flags.Name(), errUsage, err)
	}
	return err
}

// withoutFlags is the run of a command that takes no flags.
func withoutFlags(run func(context.Context, config, io.Writer) error) func(context.Context, config, []string, io.Writer) error {
	return func(ctx context.Context, cfg config, args []string, out io.Writer) error {
		if err := parseFlags(flag.NewFlagSet("gestor-logs", flag.ContinueOnError), args, 0); err != nil {
			return err
		}
		return run(ctx, cfg, out)
	}
}

func usage(out io.Writer) {
	fmt.Fprint(out, "usage: gestor-logs [COMMAND] [ARGUMENT…]\n\nGestor's log service. Without a command it serves until SIGTERM.\n\nCommands (each takes --help):\n")
	for _, sub := range subcommands() {
		fmt.Fprintf(out, "  %-29s %s\n", sub.name+" "+sub.arguments, sub.summary)
	}
	fmt.Fprint(out, "\nExit codes: 0 done, 1 anything else (verify: damaged; healthcheck, export: no good answer), 2 configuration or\nwrong usage, 5 storage.\n")
	fmt.Fprint(out, "\nSettings, from the environment:\n")
	_ = contract.WriteSettings(out, envPrefix, config{}) // there is nowhere else to say it
}

// settings lists every setting with its default.
func settings(_ context.Context, _ config, out io.Writer) error {
	return contract.WriteSettings(out, envPrefix, config{})
}

func version(_ context.Context, _ config, out io.Writer) error {
	_, err := fmt.Fprintln(out, "gestor-logs", contract.Version)
	return err
}

// newLogger writes JSON lines, or text when a person watches.
func newLogger(cfg config, out io.Writer) zerolog.Logger {
	level, err := zerolog.ParseLevel(cfg.LogLevel)
	if err != nil {
		level = zerolog.InfoLevel
	}
	if file, ok := out.(*os.File); ok {
		if info, err := file.Stat(); err == nil && info.Mode()&os.ModeCharDevice != 0 {
			out = zerolog.ConsoleWriter{Out: file, TimeFormat: time.TimeOnly}
		}
	}
	return zerolog.New(out).Level(level).With().Timestamp().Str("service", contract.ProducerLogs).Logger()
}

//go:embed openapi.yaml
var openAPIText []byte

// openAPI is the contract as JSON.
func openAPI() ([]byte, error) {
	var doc any
	if err := yaml.Unmarshal(openAPIText, &doc); err != nil {
		return nil, fmt.Errorf("openapi.yaml: %w", err)
	}
	return json.Marshal(doc)
}

// baseURL is where this machine reaches a service that listens on an address.
func baseURL(addr string) (string, error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return "", fmt.Errorf("GESTOR_ADDR: %w", err)
	}
	if host == "" || net.ParseIP(host).IsUnspecified() {
		host = "127.0.0.1"
	}
	return "http://" + net.JoinHostPort(host, port), nil
}

// authorise adds the reader's token when there is one.
func authorise(req *http.Request, cfg config) {
	if cfg.ReadToken == "" {
		return
	}
	if token, err := os.ReadFile(cfg.ReadToken); err == nil { // without it the service says what is missing
		req.Header.Set("Authorization", "Bearer "+strings.TrimSpace(string(token)))
	}
}
