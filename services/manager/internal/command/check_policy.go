package command

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"

	"gestor.local/manager/internal/policyfile"
	"gestor.local/program/cli"
)

// CheckPolicy validates a policy file and prints the effective policy.
func CheckPolicy(defaults Defaults) cli.Command {
	return cli.Command{
		Name: "check-policy", Arguments: "[--quiet] [FILE]",
		Text: "Checks a policy and prints it as the manager understands it, defaults filled in, with its hash.\n" +
			"Every problem is reported at once. The exit code is 0 when there is none, 2 otherwise.",
		Run: func(_ context.Context, inv *cli.Invocation) error { return checkPolicy(inv, defaults.Policy) },
	}
}

func checkPolicy(inv *cli.Invocation, path string) error {
	quiet := inv.Flags.Bool("quiet", false, "print nothing when the policy is good")
	if err := inv.Parse(1); err != nil {
		return err
	}

	path = cmp.Or(inv.Flags.Arg(0), path)
	if path == "" {
		return cli.WithExitCode(exitUsage, errors.New("which file? (check-policy policy.yaml)"))
	}

	d, err := policyfile.Load(path)
	if err != nil {
		return cli.WithExitCode(exitUsage, err)
	}
	if *quiet {
		return nil
	}
	return cli.WithExitCode(exitStorage, printPolicy(inv.Stdout, path, d))
}

func printPolicy(w io.Writer, path string, d policyfile.Document) error {
	text, err := policyfile.Format(d)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "# %s is a valid policy, hash %s\n%s", path, d.Hash(), text)
	return err
}
