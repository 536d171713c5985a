package command

import (
	"context"
	"errors"
	"io"
	"strconv"

	"gestor.local/manager/internal/explain"
	"gestor.local/program/cli"
)

// Explain prints the decision of a tick, or the history of a container, from the journal.
func Explain(defaults Defaults) cli.Command {
	return cli.Command{
		Name: "explain", Arguments: "[--json] [--journal PATH] [TICK | CONTAINER]",
		Text: "Says why each container was kept, warned, throttled, stopped or removed: on the last tick, on the tick with that number, or\n" +
			"for one container (its name, at least 4 digits of its id, or a part of its name) over all ticks that the journal holds.\n" +
			"Under a policy of version 2 it says of a container what each rule answers, what comes next and when, and what would undo it.\n" +
			"The exit code is 2 when the journal does not hold what was asked for, or several containers answer to that.",
		Run: func(_ context.Context, inv *cli.Invocation) error { return explainCommand(inv, defaults) },
	}
}

func explainCommand(inv *cli.Invocation, defaults Defaults) error {
	asJSON := inv.Flags.Bool("json", false, "print JSON instead of a table")
	path := inv.Flags.String("journal", defaults.Journal, "the journal's folder, or one of its files")
	if err := inv.Parse(1); err != nil {
		return err
	}

	// A variable of the caller's that is empty: the last tick would answer another question.
	if inv.Flags.NArg() > 0 && inv.Flags.Arg(0) == "" {
		return cli.WithExitCode(exitUsage, errors.New("the argument is empty: give the tick or the container, or no argument for the last tick"))
	}

	err := explainOne(inv.Stdout, explain.Journal{Path: *path, Logs: defaults.Logs}, inv.Flags.Arg(0), *asJSON)
	if errors.Is(err, explain.ErrNotFound) || errors.Is(err, explain.ErrAmbiguous) {
		return cli.WithExitCode(exitUsage, err)
	}
	return cli.WithExitCode(exitStorage, err)
}

// explainOne explains what an argument names: a tick by its number, a container, or the last tick when it is empty.
func explainOne(w io.Writer, j explain.Journal, argument string, asJSON bool) error {
	number, err := strconv.ParseUint(argument, 10, 64)
	if err != nil && argument != "" {
		history, err := j.Container(argument)
		return write(w, history, asJSON, err)
	}

	if argument == "" {
		report, err := j.Last()
		return write(w, report, asJSON, err)
	}

	// An id may consist of decimal digits only, and so may a name; a part of a name is too little to go by then.
	report, err := j.Tick(number)
	if errors.Is(err, explain.ErrNotFound) {
		if history, other := j.Container(argument); other == nil && !history.ByPartOfName {
			return write(w, history, asJSON, nil)
		}
	}
	return write(w, report, asJSON, err)
}

// write prints what was found, as JSON or as a table.
func write(w io.Writer, found explain.Report, asJSON bool, err error) error {
	switch {
	case err != nil:
		return err
	case asJSON:
		return explain.JSON(w, found)
	default:
		return found.Table(w)
	}
}
