// Package cli is the command line of the suite's programs: the first argument names a command, which takes flags and then
// arguments, answers --help, and ends with an exit code by cause. The texts stay each program's own.
package cli

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"

	"gestor.local/contract"
)

// Exit codes that mean the same in every program. Those from 3 on are a program's own; see WithExitCode.
const (
	codeDone  = 0
	codeOther = 1
	codeUsage = 2
)

// Program is a command line.
type Program struct {
	// Name is what the program is called by, and what its messages begin with: gestor-manager.
	Name     string
	Commands []Command
	// Default runs when no command is named. With DefaultFlags a command line that begins with a flag names none.
	Default      Command
	DefaultFlags bool

	// Help writes the help of the whole program.
	Help func(io.Writer)
	// ListFlags appends the flags and their defaults to the help of a command; otherwise its text describes them.
	ListFlags bool
	// UnknownCommand is the message for a command that does not exist; %q in it is the name.
	UnknownCommand string

	// Fail writes what a command failed of, and returns the exit code.
	Fail func(*Invocation, error) int
}

// Command is one word of a command line, and what it does.
type Command struct {
	Name    string
	Aliases []string // as --version for version
	// Arguments is what follows the name in the usage line; Summary is a line for the program's help, "" leaves the
	// command out of it; Text is the help of the command. Without both, the command has the program's help.
	Arguments, Summary, Text string

	Run func(context.Context, *Invocation) error
}

// Invocation is a command with what it was called with.
type Invocation struct {
	Command Command
	// Flags are declared by the command, then filled by Parse. The set prints nothing itself.
	Flags          *flag.FlagSet
	Stdout, Stderr io.Writer

	program Program
	args    []string // those behind the command's name
}

// Run runs the command that the arguments name, and returns its exit code.
func (p Program) Run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	command, rest, ok := p.Select(args)
	if !ok {
		fmt.Fprintf(stderr, p.Name+": "+p.UnknownCommand+"\n", args[0])
		return codeUsage
	}

	// Fail reports what is wrong with the flags, in the program's own words: the set prints nothing.
	inv := &Invocation{Command: command, Stdout: stdout, Stderr: stderr, program: p, args: rest}
	inv.Flags = flag.NewFlagSet(command.Name, flag.ContinueOnError)
	inv.Flags.SetOutput(io.Discard)
	inv.Flags.Usage = func() {}

	var written reported
	switch err := command.Run(ctx, inv); {
	case err == nil:
		return codeDone
	case errors.As(err, &written):
		return written.code
	case errors.Is(err, flag.ErrHelp):
		inv.WriteHelp(stdout)
		return codeDone
	default:
		return p.Fail(inv, err)
	}
}

// Select finds the command that the arguments name, and the arguments behind its name. ok is false when there is none.
func (p Program) Select(args []string) (command Command, rest []string, ok bool) {
	if len(args) == 0 {
		return p.Default, nil, true
	}

	// Before the flags of the default command: --version is a name too.
	for _, c := range p.Commands {
		if c.Name == args[0] || slices.Contains(c.Aliases, args[0]) {
			return c, args[1:], true
		}
	}

	if p.DefaultFlags && strings.HasPrefix(args[0], "-") {
		return p.Default, args, true
	}
	return Command{}, nil, false
}

// Args are the arguments that Parse has not read yet.
func (inv *Invocation) Args() []string { return inv.args }

// Parse reads the flags, and behind them at most so many arguments, which Flags has then. The error is flag.ErrHelp when
// help is asked for, or else a *UsageError.
func (inv *Invocation) Parse(maxArguments int) error {
	switch err := inv.Flags.Parse(inv.args); {
	case errors.Is(err, flag.ErrHelp):
		return err
	case err != nil:
		return &UsageError{Err: err}

	case inv.Flags.NArg() > maxArguments:
		return &UsageError{Argument: inv.Flags.Arg(maxArguments)}
	default:
		return nil
	}
}

// WriteHelp writes the help of the command, or of the program when the command has none of its own.
func (inv *Invocation) WriteHelp(w io.Writer) {
	text := cmp.Or(inv.Command.Text, inv.Command.Summary)
	if text == "" { // as in the generator, whose help is one page
		inv.program.Help(w)
		return
	}

	usage := strings.TrimSpace(inv.program.Name + " " + inv.Command.Name + " " + inv.Command.Arguments)
	fmt.Fprintf(w, "usage: %s\n\n%s\n", usage, text)

	// Those that were declared by the time help was asked for: a command declares all of them first.
	if inv.program.ListFlags {
		fmt.Fprintln(w)
		inv.Flags.SetOutput(w)
		inv.Flags.PrintDefaults()
	}
}

// UsageError is a command line that the command does not take: a wrong flag, or an argument too many.
type UsageError struct {
	Err      error  // about the flag; nil for an argument too many
	Argument string // the first one too many
}

func (e *UsageError) Error() string {
	if e.Err == nil {
		return fmt.Sprintf("unknown argument %q (see --help)", e.Argument)
	}
	return e.Err.Error()
}

func (e *UsageError) Unwrap() error { return e.Err }

// Help is the command that writes the program's help, whatever follows it.
func Help(aliases ...string) Command {
	return Command{Name: "help", Aliases: aliases, Run: func(_ context.Context, inv *Invocation) error {
		inv.program.Help(inv.Stdout)
		return nil
	}}
}

// Version writes the program's name and release: the Run of a command without flags.
func Version(_ context.Context, inv *Invocation) error {
	if err := inv.Parse(0); err != nil {
		return err
	}
	_, err := fmt.Fprintln(inv.Stdout, inv.program.Name, contract.Version)
	return err
}

// Write makes the Run of a command without flags of a function that writes what the command prints.
func Write(write func(io.Writer) error) func(context.Context, *Invocation) error {
	return func(_ context.Context, inv *Invocation) error {
		if err := inv.Parse(0); err != nil {
			return err
		}
		return write(inv.Stdout)
	}
}
