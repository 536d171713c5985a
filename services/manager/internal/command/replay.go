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
			"A copy will do; nothing is locked and nothing is written.\n"+
			"The exit code is 0 when all are the same and no line is missing, 1 when a decision differs or a line is missing,\n"+
			"5 when there is nothing to replay or it cannot be read.")
	asJSON := f.Bool("json", false, "print the report as JSON, with both plans of each difference")
	if code, done := env.Parse(f, args, 1); done {
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
	case len(report.Different) > 0, !report.Complete():
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
	if !r.Complete() {
		fmt.Fprintf(env.Stdout, "the journal is not whole: %d missing lines, %d of them damaged, and %d that bear an earlier number\n",
			max(r.Missing, uint64(r.BadLines)), r.BadLines, r.Repeated) //nolint:gosec // a count
	}
	_, err := fmt.Fprintf(env.Stdout, "%d decisions made again: %d the same, %d different\n", r.Ticks, r.Same, len(r.Different))
	return err
}
