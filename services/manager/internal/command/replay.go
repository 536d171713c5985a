package command

import (
	"cmp"
	"context"
	"fmt"
	"io"

	"gestor.local/manager/internal/explain"
	"gestor.local/manager/internal/replay"
	"gestor.local/program/cli"
)

// Replay decides every recorded tick again and compares the plans.
func Replay(defaults Defaults) cli.Command {
	return cli.Command{
		Name: "replay", Arguments: "[--json] [JOURNAL]",
		Text: "Makes every decision of the journal (its folder, or one of its files) again and compares the plans: those of version 1\n" +
			"byte for byte, those of version 2 by their hashes. A copy will do; nothing is locked and nothing is written.\n" +
			"The exit code is 0 when all are the same and no line is missing, 1 when a decision differs or a line is missing,\n" +
			"5 when there is nothing to replay or it cannot be read.",
		Run: func(_ context.Context, inv *cli.Invocation) error { return replayCommand(inv, defaults.Journal) },
	}
}

func replayCommand(inv *cli.Invocation, path string) error {
	asJSON := inv.Flags.Bool("json", false, "print the report as JSON, with both plans of each difference")
	if err := inv.Parse(1); err != nil {
		return err
	}

	report, err := replay.Run(cmp.Or(inv.Flags.Arg(0), path))
	if err != nil {
		return cli.WithExitCode(exitStorage, err)
	}

	if *asJSON {
		err = explain.JSON(inv.Stdout, report)
	} else {
		err = printReport(inv.Stdout, report)
	}

	switch {
	case err != nil:
		return cli.WithExitCode(exitStorage, err)
	case len(report.Different) > 0, !report.Complete():
		return cli.Reported(exitDifferent)
	default:
		return nil
	}
}

func printReport(w io.Writer, r replay.Report) error {
	for _, d := range r.Different {
		where := fmt.Sprintf("tick %d, snapshot %d", d.Tick, d.Sequence)
		if d.Sequence == 0 { // what the rules remember after the tick, not its plan
			where = fmt.Sprintf("after tick %d", d.Tick)
		}
		fmt.Fprintf(w, "%s: %s\n", where, d.What)
	}

	leftOut := func(n int, what string) {
		if n > 0 {
			fmt.Fprintf(w, "%d %s\n", n, what)
		}
	}
	leftOut(r.NoPolicy, "ticks were left out: their policy is no longer in the journal")
	leftOut(r.Unread, "ticks were left out: a line that their facts depend on is missing or damaged")
	leftOut(r.Heads, "files begin with another memory of the rules than the lines before them come to")
	leftOut(r.Gaps, "times the manager wrote no facts for want of room: its memory is compared again from the next file on")

	if r.Missing > 0 || r.Repeated > 0 || r.BadLines > 0 {
		fmt.Fprintf(w, "the journal is not whole: %d missing lines, %d of them damaged, and %d that bear an earlier number\n",
			max(r.Missing, uint64(r.BadLines)), r.BadLines, r.Repeated) //nolint:gosec // a count
	}

	_, err := fmt.Fprintf(w, "%d decisions made again: %d the same, %d different\n", r.Ticks, r.Same, len(r.Different)-r.Heads)
	return err
}
