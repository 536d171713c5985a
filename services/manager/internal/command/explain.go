package command

import (
	"errors"
	"io"
	"strconv"

	"gestor.local/manager/internal/explain"
)

// Explain prints the decision of a tick, or the story of a container, from the journal.
func Explain(args []string, env Env) int {
	f := env.flags("explain", "[--json] [--journal PATH] [TICK | CONTAINER]",
		"Says why each container was kept or removed: on the last tick, on the tick with that number, or for one container\n"+
			"(its name, at least 4 digits of its id, or a part of its name) over all ticks that the journal holds.\n"+
			"The exit code is 2 when the journal does not hold what was asked for, or several containers answer to that.")
	asJSON := f.Bool("json", false, "print JSON instead of a table")
	path := f.String("journal", env.Journal, "the journal's folder, or one of its files")
	if code, done := env.Parse(f, args, 1); done {
		return code
	}
	if f.NArg() > 0 && f.Arg(0) == "" { // a variable of the caller's that is empty: the last tick would answer another question
		return env.fail("explain", exitUsage, errors.New("the argument is empty: give the tick or the container, or no argument for the last tick"))
	}
	if err := explainOne(env, explain.Journal{Path: *path, Logs: env.Logs}, f.Arg(0), *asJSON); err != nil {
		code := exitStorage
		if errors.Is(err, explain.ErrNotFound) || errors.Is(err, explain.ErrAmbiguous) {
			code = exitUsage
		}
		return env.fail("explain", code, err)
	}
	return exitDone
}

func explainOne(env Env, j explain.Journal, what string, asJSON bool) error {
	number, err := strconv.ParseUint(what, 10, 64)
	if err != nil && what != "" {
		story, err := j.Container(what)
		return show(env, story, explain.HistoryTable, asJSON, err)
	}
	if what == "" {
		page, err := j.Last()
		return show(env, page, explain.Table, asJSON, err)
	}

	page, err := j.Tick(number)
	if errors.Is(err, explain.ErrNotFound) { // an id may consist of decimal digits only, and so may a name
		if story, other := j.Container(what); other == nil && !story.ByPartOfName {
			return show(env, story, explain.HistoryTable, asJSON, nil)
		}
	}
	return show(env, page, explain.Table, asJSON, err)
}

// show prints what was found, as JSON or as a table.
func show[T any](env Env, found T, table func(io.Writer, T) error, asJSON bool, err error) error {
	switch {
	case err != nil:
		return err
	case asJSON:
		return explain.JSON(env.Stdout, found)
	default:
		return table(env.Stdout, found)
	}
}
