// Command manager keeps the container population of a host inside a declared policy.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"gestor.local/manager/internal/command"
	"gestor.local/manager/internal/rules"
	"gestor.local/program/cli"
)

// Exit codes by cause: what a script or a supervisor can distinguish.
const (
	exitDone    = 0
	exitConfig  = 2 // a setting or the policy is wrong
	exitSource  = 3 // no source can be read
	exitEngine  = 4 // the container engine cannot be reached, or no longer
	exitStorage = 5 // journal or spool cannot be used
)

const usage = `usage: gestor-manager [COMMAND] [ARGUMENT…]

  run                    govern until SIGINT or SIGTERM (the default)
  once [--shadow]        one decision on two readings a tick apart, carried out, or only shown
  check-policy [FILE]    validate a policy and print the effective one; --host: on this host
  policy-plan [FLAG…]    what a policy of version 2 would do now and next; touches nothing
  survey [FLAG…]         what leaks on this host, and which rules would deal with it; touches nothing
  approval [FILE]        the document that approves a policy, from a plan on the standard input
  explain [TICK|NAME]    why each container was kept or removed, or one of them over its life
  replay [JOURNAL]       decide recorded ticks again and compare byte for byte
  whatif                 what another policy would have done in recorded ticks
  simulate               the policy on a synthetic host
  reload                 make the running manager look at its policy now
  release                give all CPU limits back, for a manager that does not run any more
  healthcheck            ask the running manager whether it lives
  settings               list the settings, which come from the environment
  version                print the version

Every command has --help.
Exit codes: 0 done, 1 anything else (replay: a decision differs or a line is missing; healthcheck, reload: no good answer;
approval: refused),
2 configuration, wrong usage or nothing of that name (explain), 3 no source of figures, 4 engine unreachable, 5 storage,
10 something is to be done now (policy-plan), something leaks (survey), approval is needed (approval --needed),
another policy would have done otherwise (whatif).
`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	code := dispatch(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// dispatch runs one subcommand and returns its exit code.
func dispatch(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	run := cli.Command{Name: "run", Run: runCommand, Text: runHelp}

	// The commands that work on files take their paths as arguments too: wrong settings are no reason not to run them.
	var defaults command.Defaults
	cfg, err := loadConfig()
	if err == nil {
		defaults = command.Defaults{Journal: journalDir(cfg), Policy: cfg.Policy, Logs: explainJournal(cfg).Logs}
	}
	if err == nil && cfg.notifies() {
		defaults.Webhook = cfg.reachWebhook
	}
	defaults.Input = os.Stdin
	defaults.Host = func(ctx context.Context) (rules.Facts, error) {
		if err != nil {
			return rules.Facts{}, cli.WithExitCode(exitConfig, err)
		}
		return askHost(ctx, cfg)
	}

	return cli.Program{
		Name: "gestor-manager", Default: run, ListFlags: true, Fail: command.Fail,
		Help:           func(w io.Writer) { fmt.Fprint(w, usage) },
		UnknownCommand: "unknown command %q\n\n" + strings.TrimSuffix(usage, "\n"),
		Commands: []cli.Command{
			run,
			{Name: "once", Arguments: "[FLAG…]", Run: onceCommand, Text: onceHelp},
			command.CheckPolicy(defaults),
			{Name: "policy-plan", Aliases: []string{"plan"}, Arguments: "[FLAG…]", Run: planCommand, Text: planHelp},
			{Name: "survey", Arguments: "[FLAG…]", Run: surveyCommand, Text: surveyHelp},
			command.Approval(defaults),
			command.Explain(defaults),
			command.Replay(defaults),
			command.WhatIf(defaults),
			command.Simulate(),
			{Name: "reload", Run: reloadCommand, Text: reloadHelp},
			{Name: "release", Run: releaseCommand, Text: releaseHelp},
			{Name: "healthcheck", Arguments: "[FLAG…]", Run: healthCommand, Text: healthHelp},
			{
				Name: "settings", Run: cli.Write(writeSettings),
				Text: "Lists the settings, which come from the environment, with their defaults.",
			},
			{Name: "version", Aliases: []string{"--version"}, Run: cli.Version, Text: "Prints the version."},
			cli.Help("-h", "-help", "--help"),
		},
	}.Run(ctx, args, stdout, stderr)
}
