package command

import (
	"cmp"
	"fmt"

	"gestor.local/manager/internal/explain"
	"gestor.local/manager/internal/replay"
)

// Replay decides every recorded tick again and compares the plans byte for byte.
func Replay(args []string, env Env) int {
	f := env.flags("replay", "[--json] [JOURNAL]",
		"Makes every decision of the journal (its folder, or one of its files) again and compares the plans byte for byte.\n"+
			"The exit code is 0 when all are the same, 1 when one differs.")
	asJSON := f.Bool("json", false, "print the report as JSON, with both plans of each difference")
	if code, done := env.parse(f, args, 1); done {
		return code
	}
	report, err := replay.Run(cmp.Or(f.Arg(0), env.Journal))
	if err != nil {
		return env.fail("replay", exitStorage, err)
	}
	if *asJSON {
		err = explain.JSON(env.Stdout, report)
	} else {
		err = printReport(env, report)
	}
	switch {
	case err != nil:
		return env.fail("replay", exitStorage, err)
	case len(report.Different) > 0:
		return exitDifferent
	default:
		return exitDone
	}
}

func printReport(env Env, r replay.Report) error {
	for _, d := range r.Different {
		fmt.Fprintf(env.Stdout, "tick %d, snapshot %d: %s\n", d.Tick, d.Sequence, d.What)
	}
	if r.NoPolicy > 0 {
		fmt.Fprintf(env.Stdout, "%d ticks were left out: their policy is no longer in the journal\n", r.NoPolicy)
	}
	if r.BadLines > 0 {
		fmt.Fprintf(env.Stdout, "%d damaged lines were left out\n", r.BadLines)
	}
	_, err := fmt.Fprintf(env.Stdout, "%d decisions made again: %d the same, %d different\n", r.Ticks, r.Same, len(r.Different))
	return err
}
