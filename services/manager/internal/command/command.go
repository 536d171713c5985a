// Package command holds the manager's subcommands that need neither the host nor the engine. Each is a function of its
// arguments and writers that returns the exit code.
package command

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"
)

// Exit codes.
const (
	exitDone      = 0
	exitDifferent = 1 // replay: a plan came out otherwise
	exitUsage     = 2
	exitStorage   = 5
)

// Env is what the configuration supplies to every subcommand.
type Env struct {
	Stdout, Stderr io.Writer
	// Journal is the folder that explain and replay read when none is named, Policy the file that check-policy reads.
	Journal, Policy string
	// Logs is the address under which people reach the log service.
	Logs string
}

// flags makes a flag set that prints help on stdout when it is asked for and says what it is for.
func (e Env) flags(name, usage, about string) *flag.FlagSet {
	f := flag.NewFlagSet(name, flag.ContinueOnError)
	e.Describe(f, usage, about)
	return f
}

// Describe gives a flag set the help of a subcommand: its arguments as the usage line names them, and what it is for.
func (e Env) Describe(f *flag.FlagSet, usage, about string) {
	f.SetOutput(e.Stderr)
	f.Usage = func() {
		fmt.Fprintf(f.Output(), "usage: %s\n\n%s\n\n", strings.TrimSpace("gestor-manager "+f.Name()+" "+usage), about)
		f.PrintDefaults()
	}
}

// Parse reads the arguments; done is true when there is nothing left to do but to return the code. most is the number
// of arguments that may follow the flags.
func (e Env) Parse(f *flag.FlagSet, args []string, most int) (code int, done bool) {
	for _, a := range args {
		if a == "-h" || a == "-help" || a == "--help" {
			f.SetOutput(e.Stdout)
		}
	}
	err := f.Parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return exitDone, true
	case err != nil:
		return exitUsage, true
	case f.NArg() > most:
		fmt.Fprintf(e.Stderr, "%s: %q is one argument too many\n", f.Name(), f.Arg(most))
		f.Usage()
		return exitUsage, true
	}
	return exitDone, false
}

// fail prints an error and returns the code that was given for it.
func (e Env) fail(name string, code int, err error) int {
	fmt.Fprintf(e.Stderr, "%s: %v\n", name, err)
	return code
}
