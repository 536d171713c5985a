// Package command holds the manager's subcommands that need neither the host nor the engine, or are given what they need of them,
// and how any of them reports a failure.
package command

import (
	"context"
	"errors"
	"fmt"
	"io"

	"gestor.local/manager/internal/rules"
	"gestor.local/program/cli"
)

// Exit codes.
const (
	exitDifferent = 1 // replay: a plan came out otherwise
	exitRefused   = 1 // approval: the policy cannot be approved by this plan
	exitUsage     = 2
	exitStorage   = 5
	exitNeeded    = 10 // approval --needed: it is
	exitOtherwise = 10 // whatif: the policy would have done something else
)

// Defaults is what the settings supply where no argument does.
type Defaults struct {
	// Journal is the folder that explain, replay and whatif read, Policy the file that check-policy reads.
	Journal, Policy string
	// Logs is the address under which people reach the log service.
	Logs string
	// Host asks the engine once, for check-policy --host. Its errors carry their exit code.
	Host func(context.Context) (rules.Facts, error)
	// Webhook says, for check-policy --host, what keeps notices from their receiver, "" where nothing does. It is nil where there is
	// none.
	Webhook func(context.Context) string
	// Input is the standard input, which approval and whatif read.
	Input io.Reader
}

// Fail prints why a subcommand failed, with its help when that was the command line, and returns the exit code.
func Fail(inv *cli.Invocation, err error) int {
	var usage *cli.UsageError
	if !errors.As(err, &usage) {
		fmt.Fprintf(inv.Stderr, "%s: %v\n", inv.Command.Name, err)
		return cli.ExitCode(err)
	}

	if usage.Err != nil {
		fmt.Fprintln(inv.Stderr, usage.Err)
	} else {
		fmt.Fprintf(inv.Stderr, "%s: %q is one argument too many\n", inv.Command.Name, usage.Argument)
	}
	inv.WriteHelp(inv.Stderr)
	return exitUsage
}
