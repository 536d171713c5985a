// Command logs is Gestor's log service: it keeps records as plain files, answers queries and draws charts.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"gestor.local/contract"
	"gestor.local/program/cli"
	"gestor.local/program/logging"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(command(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// Exit codes by cause.
const (
	exitDone    = 0
	exitConfig  = 2
	exitStorage = 5
)

// commands are the words after the program's name, with the settings that they work with.
func commands(cfg config) []cli.Command {
	with := func(run func(context.Context, config, *cli.Invocation) error) func(context.Context, *cli.Invocation) error {
		return func(ctx context.Context, inv *cli.Invocation) error { return run(ctx, cfg, inv) }
	}
	return []cli.Command{
		{Name: "verify", Arguments: "[-all] [FOLDER]", Summary: "check every stored file", Text: verifyHelp, Run: with(verify)},
		{Name: "export", Arguments: "[-since T] [-until T]", Summary: "write the assignment's JSON array", Text: exportHelp, Run: with(export)},
		{
			Name: "healthcheck", Summary: "ask the running service whether it is well", Text: "Exit code 0 when GESTOR_ADDR answers /healthz with 200.",
			Run: with(healthcheck),
		},
		{Name: "settings", Summary: "list the settings, which come from the environment", Run: cli.Write(writeSettings)},
		{Name: "version", Aliases: []string{"--version"}, Summary: "print the version", Run: cli.Version},
		cli.Help("--help", "-h"),
	}
}

// command runs one invocation and returns its exit code.
func command(ctx context.Context, args []string, out, errs io.Writer) int {
	cfg, cfgErr := loadConfig(environment())

	program := cli.Program{
		Name: "gestor-logs", Commands: commands(cfg), Help: writeHelp, Fail: fail,
		UnknownCommand: "there is no command %q; see gestor-logs --help",
		Default: cli.Command{Run: func(ctx context.Context, _ *cli.Invocation) error {
			log := logging.New(out, contract.ProducerLogs, cfg.LogLevel, logging.IsTerminal(out))
			return serve(ctx, cfg, log, nil)
		}},
	}

	// With wrong settings nothing is done but to list what can be set.
	if c, _, _ := program.Select(args); cfgErr != nil && c.Name != "settings" && c.Name != "help" {
		fmt.Fprintf(errs, "gestor-logs: %v\nSee gestor-logs settings for all of them.\n", cfgErr)
		return exitConfig
	}
	return program.Run(ctx, args, out, errs)
}

// fail writes why a command failed and returns the exit code.
func fail(inv *cli.Invocation, err error) int {
	var usage *cli.UsageError
	switch {
	case errors.As(err, &usage) && usage.Err == nil:
		fmt.Fprintf(inv.Stderr, "gestor-logs: %s: wrong arguments: nothing is known about %q; see --help\n", inv.Command.Name, usage.Argument)
	case errors.As(err, &usage):
		fmt.Fprintf(inv.Stderr, "gestor-logs: %s: wrong arguments: %v; see --help\n", inv.Command.Name, err)
	default:
		fmt.Fprintf(inv.Stderr, "gestor-logs: %v\n", err)
	}

	// The only failure that has a code of its own.
	if errors.Is(err, errStorage) {
		return exitStorage
	}
	return cli.ExitCode(err)
}

// writeHelp writes the help of the whole program.
func writeHelp(out io.Writer) {
	fmt.Fprint(out, "usage: gestor-logs [COMMAND] [ARGUMENT…]\n\nGestor's log service. Without a command it serves until SIGTERM.\n\nCommands (each takes --help):\n")
	for _, c := range commands(config{}) {
		if c.Summary != "" {
			fmt.Fprintf(out, "  %-29s %s\n", c.Name+" "+c.Arguments, c.Summary)
		}
	}

	fmt.Fprint(out, "\nExit codes: 0 done, 1 anything else (verify: damaged; healthcheck, export: no good answer), 2 configuration or\nwrong usage, 5 storage.\n")
	fmt.Fprint(out, "\nSettings, from the environment:\n")
	_ = writeSettings(out) // there is nowhere else to report it
}
