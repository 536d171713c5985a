// Command gestor-generator makes container churn that can be planned, repeated and compared.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"gestor.local/generator/internal/churn"
	"gestor.local/generator/internal/containers"
	"gestor.local/generator/internal/plan"
	"gestor.local/generator/internal/profile"
	"gestor.local/program/cli"
	"gestor.local/ship"
)

// Exit codes, by cause.
const (
	exitDone    = 0
	exitOther   = 1
	exitConfig  = 2
	exitEngine  = 4
	exitStorage = 5
	exitLeft    = 6 // containers of the run may be left
	exitStrict  = 7 // starts failed or were dropped, and GESTOR_STRICT asked for none
)

const usage = `usage: gestor-generator [run] [--profile P] [--interval D] [--batch N] [--seed N] [--plan FILE] [--for D] [--strict]
       gestor-generator plan [--profile P] [--interval D] [--batch N] [--seed N] [--for D]
       gestor-generator plan --replay RECORDS [--run ID]
       gestor-generator report [--json]
       gestor-generator down [--run ID]
       gestor-generator healthcheck | settings | version

  run          starts containers by a plan until it is done or SIGTERM comes; removes what it started; reports
  plan         prints a plan (NDJSON); the same seed gives the same bytes everywhere; one hour unless --for says more;
               or makes one that repeats a recorded run from its launch records (NDJSON)
  report       prints planned against realised of the run that goes on, else of the last one
  down         removes the containers of a run, or without --run what runs that are no more have left
  healthcheck  asks the running generator whether it is well
  settings     lists the settings, which come from the environment
  version      prints the version

Shipped profiles: %s

Exit: 0 done · 1 other · 2 configuration · 4 engine unreachable · 5 storage · 6 containers may be left
      7 starts failed or were dropped (with --strict)

Settings (flags win):
`

func main() {
	os.Exit(command(context.Background(), os.Args[1:], os.Stdout, os.Stderr))
}

// command runs one command and returns the exit code.
func command(ctx context.Context, arguments []string, stdout, stderr io.Writer) int {
	// A question for the version is answered whatever else was asked for.
	if at := slices.Index(arguments, "--version"); at == 0 || at == 1 && !strings.HasPrefix(arguments[0], "-") {
		arguments = []string{"version"}
	}

	run := cli.Command{Name: "run", Run: runCommand}
	return cli.Program{
		Name: "gestor-generator", Default: run, DefaultFlags: true, Help: writeHelp, Fail: fail,
		UnknownCommand: "unknown command %q (see gestor-generator --help)",
		Commands: []cli.Command{
			run,
			{Name: "plan", Run: planCommand},
			{Name: "report", Run: reportCommand},
			{Name: "down", Run: downCommand},
			{Name: "healthcheck", Run: healthCommand},
			{Name: "settings", Run: cli.Write(writeSettings)},
			{Name: "version", Run: cli.Version},
			cli.Help(),
		},
	}.Run(ctx, arguments, stdout, stderr)
}

// writeHelp writes the help of the program, which is that of each command too.
func writeHelp(out io.Writer) {
	fmt.Fprintf(out, usage, strings.Join(profile.Names(), ", "))
	_ = writeSettings(out) // there is nowhere else to report it
}

// fail writes why a command failed and returns the exit code.
func fail(inv *cli.Invocation, err error) int {
	var wrongUsage *cli.UsageError
	if errors.As(err, &wrongUsage) {
		err = configError(err)
	}
	fmt.Fprintf(inv.Stderr, "gestor-generator: %v\n", err)
	return exitCode(err)
}

// errLeft and errStrict are wrapped by the error of a run that ended so.
var (
	errLeft    = errors.New("containers of the run may be left")
	errStrict  = errors.New("starts failed or were dropped")
	errStorage = errors.New("storage")
)

func exitCode(err error) int {
	switch {
	case err == nil:
		return exitDone
	case errors.Is(err, errConfig), errors.Is(err, containers.ErrVersion):
		return exitConfig

	// Before errLeft: the message names what is left, the code the cause.
	case errors.Is(err, churn.ErrEngineLost):
		return exitEngine

	case errors.Is(err, errLeft):
		return exitLeft
	case errors.Is(err, containers.ErrEngine):
		return exitEngine
	case errors.Is(err, errStorage), errors.Is(err, plan.ErrWrite), errors.Is(err, ship.ErrFailed):
		return exitStorage
	case errors.Is(err, errStrict):
		return exitStrict
	default:
		return exitOther
	}
}
