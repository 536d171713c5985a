package command

import (
	"errors"
	"strconv"

	"gestor.local/manager/internal/explain"
)

// Explain prints the decision of a tick, or the story of a container, from the journal.
func Explain(args []string, env Env) int {
	f := env.flags("explain", "[--json] [--journal PATH] [TICK | CONTAINER]",
		"Says why each container was kept or removed: on the last tick, on the tick with that number, or for one container\n"+
			"(its name, or at least 4 digits of its id) over all ticks that the journal holds.")
	asJSON := f.Bool("json", false, "print JSON instead of a table")
	path := f.String("journal", env.Journal, "the journal's folder, or one of its files")
	if code, done := env.Parse(f, args, 1); done {
		return code
	}
	if err := explainOne(env, *path, f.Arg(0), *asJSON); err != nil {
		code := exitStorage
		if errors.Is(err, explain.ErrNotFound) || errors.Is(err, explain.ErrAmbiguous) {
			code = exitUsage
		}
		return env.fail("explain", code, err)
	}
	return exitDone
}

func explainOne(env Env, path, what string, asJSON bool) error {
	number, err := strconv.ParseUint(what, 10, 64)
	if err != nil && what != "" {
		return explainContainer(env, path, what, asJSON)
	}
	page, err := explain.Last(path)
	if what != "" {
		page, err = explain.Tick(path, number)
		if errors.Is(err, explain.ErrNotFound) && explainContainer(env, path, what, asJSON) == nil {
			return nil // an id may consist of decimal digits only
		}
	}
	switch {
	case err != nil:
		return err
	case asJSON:
		return explain.JSON(env.Stdout, page)
	default:
		return explain.Table(env.Stdout, page)
	}
}

func explainContainer(env Env, path, who string, asJSON bool) error {
	story, err := explain.Container(path, who)
	switch {
	case err != nil:
		return err
	case asJSON:
		return explain.JSON(env.Stdout, story)
	default:
		return explain.StoryTable(env.Stdout, story)
	}
}
