package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"testing"

	"gestor.local/contract"
)

var errBroken = errors.New("broken")

// example is a program with a command that has help and flags, and one that has neither.
func example() Program {
	run := Command{Name: "run", Arguments: "[FLAG…] [FOLDER]", Text: "Runs.", Run: func(_ context.Context, inv *Invocation) error {
		fast := inv.Flags.Bool("fast", false, "hurry")
		if err := inv.Parse(1); err != nil {
			return err
		}
		switch inv.Flags.Arg(0) {
		case "broken":
			return WithExitCode(5, errBroken)
		case "logged":
			return Reported(4)
		}
		fmt.Fprintf(inv.Stdout, "run %t %q\n", *fast, inv.Flags.Args())
		return nil
	}}
	return Program{
		Name: "prog", Default: run, UnknownCommand: "unknown command %q", ListFlags: true,
		Commands: []Command{
			Help("--help"), run,
			{Name: "version", Aliases: []string{"--version"}, Run: Version},
			{Name: "hello", Summary: "say it", Run: Write(func(w io.Writer) error { _, err := fmt.Fprintln(w, "hello"); return err })},
		},
		Help: func(w io.Writer) { fmt.Fprintln(w, "the help") },
		Fail: func(inv *Invocation, err error) int {
			fmt.Fprintf(inv.Stderr, "%s: %v\n", inv.Command.Name, err)
			return ExitCode(err)
		},
	}
}

func TestACommandLine(t *testing.T) {
	const helpOfRun = "usage: prog run [FLAG…] [FOLDER]\n\nRuns.\n\n  -fast\n    \thurry\n"
	for _, c := range []struct {
		args      []string
		code      int
		out, errs string
	}{
		{nil, 0, "run false []\n", ""},
		{[]string{"run", "--fast", "x"}, 0, "run true [\"x\"]\n", ""},
		{[]string{"run", "--help"}, 0, helpOfRun, ""},
		{[]string{"run", "--fast", "-h"}, 0, helpOfRun, ""},
		{[]string{"run", "broken"}, 5, "", "run: broken\n"},
		{[]string{"run", "logged"}, 4, "", ""},
		{[]string{"run", "--slow"}, 2, "", "run: flag provided but not defined: -slow\n"},
		{[]string{"run", "x", ""}, 2, "", "run: unknown argument \"\" (see --help)\n"},
		{[]string{"--help"}, 0, "the help\n", ""},
		{[]string{"help", "run"}, 0, "the help\n", ""},
		{[]string{"version"}, 0, "prog " + contract.Version + "\n", ""},
		{[]string{"--version"}, 0, "prog " + contract.Version + "\n", ""},
		{[]string{"version", "--help"}, 0, "the help\n", ""},
		{[]string{"version", "x"}, 2, "", "version: unknown argument \"x\" (see --help)\n"},
		{[]string{"hello"}, 0, "hello\n", ""},
		{[]string{"hello", "--help"}, 0, "usage: prog hello\n\nsay it\n\n", ""},
		{[]string{"hello", "you"}, 2, "", "hello: unknown argument \"you\" (see --help)\n"},
		{[]string{"dance"}, 2, "", "prog: unknown command \"dance\"\n"},
		{[]string{""}, 2, "", "prog: unknown command \"\"\n"},
		{[]string{"--fast"}, 2, "", "prog: unknown command \"--fast\"\n"},
	} {
		var out, errs bytes.Buffer
		if code := example().Run(t.Context(), c.args, &out, &errs); code != c.code || out.String() != c.out || errs.String() != c.errs {
			t.Errorf("%q: %d\n%s%s", c.args, code, &out, &errs)
		}
	}
}

func TestTheFlagsOfTheDefaultCommandNeedNoName(t *testing.T) {
	p := example()
	p.DefaultFlags = true
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"--fast"}, "run true []\n"},
		{[]string{"--version"}, "prog " + contract.Version + "\n"},
		{[]string{"dance"}, "prog: unknown command \"dance\"\n"},
	} {
		var out bytes.Buffer
		if p.Run(t.Context(), c.args, &out, &out); out.String() != c.want {
			t.Errorf("%q: %s", c.args, &out)
		}
	}
}

func TestHelpWithoutListedFlags(t *testing.T) {
	p := example()
	p.ListFlags = false
	var out bytes.Buffer
	if code := p.Run(t.Context(), []string{"run", "--help"}, &out, &out); code != 0 || out.String() != "usage: prog run [FLAG…] [FOLDER]\n\nRuns.\n" {
		t.Errorf("%d: %s", code, &out)
	}
}

func TestTheOutermostExitCodeCounts(t *testing.T) {
	coded := WithExitCode(5, errBroken)
	for _, c := range []struct {
		err  error
		want int
	}{
		{nil, 0},
		{errBroken, 1},
		{coded, 5},
		{fmt.Errorf("again: %w", coded), 5},
		{WithExitCode(3, coded), 3},
		{&UsageError{Argument: "x"}, 2},
		{&UsageError{Err: errBroken}, 2},
	} {
		if got := ExitCode(c.err); got != c.want {
			t.Errorf("%v: %d, want %d", c.err, got, c.want)
		}
	}
	if WithExitCode(5, nil) != nil {
		t.Error("no error has got a code")
	}
	if !errors.Is(coded, errBroken) || coded.Error() != "broken" {
		t.Error(coded)
	}
}
