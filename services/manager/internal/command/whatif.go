package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	"gestor.local/contract/policy2"
	"gestor.local/manager/internal/policyfile"
	"gestor.local/manager/internal/whatif"
	"gestor.local/program/cli"
)

// WhatIf tells what another policy would have done, from the journal.
func WhatIf(defaults Defaults) cli.Command {
	return cli.Command{
		Name: "whatif", Arguments: "--policy FILE [--from T] [--to T] [--json] [--journal PATH]",
		Text: "Replays the journal (its folder, or one of its files) as if the policy of FILE, - for the standard input, had been in force,\n" +
			"approved and in mode enforce, and compares the steps that it takes with those that were taken. A copy will do; nothing\n" +
			"is locked and nothing is written. The first difference of a container is exact; what follows is conditional.\n" +
			"T is an RFC 3339 time, 2006-01-02 15:04 on this clock, Unix seconds, or a duration before now such as 24h or 7d.\n" +
			"The exit code is 0 when there is no difference, 10 when there is one, 2 when the policy or the time is wrong,\n" +
			"5 when there is nothing to replay or it cannot be read.",
		Run: func(_ context.Context, inv *cli.Invocation) error { return whatIfCommand(inv, defaults) },
	}
}

func whatIfCommand(inv *cli.Invocation, defaults Defaults) error {
	asJSON := inv.Flags.Bool("json", false, "print JSON instead of a table")
	path := inv.Flags.String("journal", defaults.Journal, "the journal's folder, or one of its files")
	policy := inv.Flags.String("policy", "", "which policy is asked for: a file, - for the standard input")
	from := inv.Flags.String("from", "", "begin at this time; without it at the beginning of the journal")
	to := inv.Flags.String("to", "", "end at this time; without it at the end of the journal")
	if err := inv.Parse(0); err != nil {
		return err
	}

	o, err := whatIfOptions(*policy, *from, *to, defaults.Input)
	if err != nil {
		return cli.WithExitCode(exitUsage, err)
	}
	o.Progress = func(at time.Time) { fmt.Fprintf(inv.Stderr, "whatif: %s\n", at.Format(time.RFC3339)) }

	report, err := whatif.Run(*path, o)
	switch {
	case errors.Is(err, whatif.ErrRange):
		return cli.WithExitCode(exitUsage, err)
	case err != nil:
		return cli.WithExitCode(exitStorage, err)
	}

	if err := write(inv.Stdout, report, *asJSON, nil); err != nil {
		return cli.WithExitCode(exitStorage, err)
	}
	if report.Different > 0 {
		return cli.Reported(exitOtherwise)
	}
	return nil
}

func whatIfOptions(policy, from, to string, input io.Reader) (o whatif.Options, err error) {
	if policy == "" {
		return o, errors.New("which policy? (whatif --policy policy/host.yaml)")
	}
	if o.Policy, err = loadWhatIf(policy, input); err != nil {
		return o, err
	}

	now := time.Now()
	if o.From, err = momentOf("--from", from, now); err != nil {
		return o, err
	}
	if o.To, err = momentOf("--to", to, now); err != nil {
		return o, err
	}
	if !o.From.IsZero() && !o.To.IsZero() && !o.From.Before(o.To) {
		return o, fmt.Errorf("--from %s is not before --to %s: nothing lies between (swap them)", o.From.UTC().Format(time.RFC3339), o.To.UTC().Format(time.RFC3339))
	}
	return o, nil
}

// loadWhatIf reads the policy that is asked for.
func loadWhatIf(path string, input io.Reader) (policy2.Policy, error) {
	d, err := policyfile.LoadFrom(path, input)
	if err != nil {
		return policy2.Policy{}, err
	}
	if d.V2 == nil {
		return policy2.Policy{}, fmt.Errorf("policy %s is of version 1, which reads figures that the facts of the journal do not have "+
			"(write it as version 2: docs/policy.md)", path)
	}
	return *d.V2, nil
}

// momentOf reads a time as the other commands take it.
func momentOf(option, text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05", "2006-01-02 15:04:05", "2006-01-02T15:04", "2006-01-02 15:04", time.DateOnly} {
		if t, err := time.ParseInLocation(layout, text, now.Location()); err == nil {
			return t, nil
		}
	}
	if n, err := strconv.ParseInt(text, 10, 64); err == nil && n > 0 {
		return time.Unix(n, 0), nil
	}
	if d, err := policy2.ParseDuration(text); err == nil && d > 0 {
		return now.Add(-time.Duration(d) * time.Second), nil
	}
	return time.Time{}, fmt.Errorf("%s: %q is no time (such as 2026-11-30T12:00:00Z, \"2026-11-30 12:00\", or 7d for seven days ago)", option, text)
}
