// Command manager keeps the container population of a host inside a declared policy.
package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"gestor.local/manager/internal/command"
	"gestor.local/manager/internal/explain"
)

const usage = `usage: gestor-manager [COMMAND] [ARGUMENT…]

  run                    govern until SIGINT or SIGTERM (the default)
  once [--shadow]        one decision on two readings a tick apart, carried out, or only shown
  check-policy [FILE]    validate a policy and print the effective one
  explain [TICK|NAME]    why each container was kept or removed, or one of them over its life
  replay [JOURNAL]       decide recorded ticks again and compare byte for byte
  simulate               the policy on a synthetic host
  reload                 make the running manager look at its policy now
  healthcheck            ask the running manager whether it lives
  settings               list the settings, which come from the environment
  version                print the version

Every command has --help.
Exit codes: 0 done, 1 anything else (replay: a decision differs or a line is missing; healthcheck, reload: no good answer),
2 configuration, wrong usage or nothing of that name (explain), 3 no source of figures, 4 engine unreachable, 5 storage.
`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	code := dispatch(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// dispatch runs one subcommand and returns its exit code.
func dispatch(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	name, rest := "run", args
	if len(args) > 0 {
		name, rest = args[0], args[1:]
	}
	switch name {
	case "-h", "-help", "--help", "help":
		fmt.Fprint(stdout, usage)
		return exitDone
	case "version", "--version":
		return versionCommand(rest, stdout, stderr)
	case "settings":
		return settingsCommand(rest, stdout, stderr)
	case "run":
		return runCommand(ctx, rest, stdout, stderr)
	case "once":
		return onceCommand(ctx, rest, stdout, stderr)
	case "reload":
		return reloadCommand(ctx, rest, stdout, stderr)
	case "healthcheck":
		return healthCommand(ctx, rest, stdout, stderr)
	}
	if cmd, ok := offline()[name]; ok {
		return cmd(rest, offlineEnv(stdout, stderr))
	}
	fmt.Fprintf(stderr, "gestor-manager: unknown command %q\n\n%s", name, usage)
	return exitConfig
}

// offline are the subcommands that need neither the host nor the engine.
func offline() map[string]func([]string, command.Env) int {
	return map[string]func([]string, command.Env) int{
		"check-policy": command.CheckPolicy, "explain": command.Explain, "replay": command.Replay, "simulate": command.Simulate,
	}
}

// offlineEnv uses the settings as far as they are right: these commands also take paths as arguments.
func offlineEnv(stdout, stderr io.Writer) command.Env {
	e := command.Env{Stdout: stdout, Stderr: stderr}
	if cfg, err := loadConfig(); err == nil {
		e.Journal, e.Policy, e.Logs = journalDir(cfg), cfg.Policy, explained(cfg).Logs
	}
	return e
}

// explained is what explanations are read from.
func explained(c config) explain.Journal {
	link := cmp.Or(c.LogsLink, c.LogsURL)
	if c.Elsewhere { // what compose says is of its own log service
		link = c.LogsURL
	}
	return explain.Journal{Path: journalDir(c), Logs: shown(link)}
}

func journalDir(c config) string { return filepath.Join(c.State, "journal") }

func spoolDir(c config) string { return filepath.Join(c.State, "spool") }
