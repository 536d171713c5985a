package command

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"gestor.local/contract/policy2"
	"gestor.local/manager/internal/approval"
	"gestor.local/manager/internal/planview"
	"gestor.local/manager/internal/policyfile"
	"gestor.local/program/cli"
)

// Approval makes the document by which a person approves a policy, from a plan of the running manager.
func Approval(defaults Defaults) cli.Command {
	return cli.Command{
		Name: "approval", Arguments: "[--needed | --show | --who NAME --own-count N] [FILE]",
		Text: "Prints the document that approves the policy in FILE. People use make approve, which writes it.\n" +
			"It reads a plan of the running manager on its standard input, as policy-plan --sizes --json prints it,\n" +
			"and needs neither the manager's state nor the engine. It refuses when the plan is of another policy than\n" +
			"FILE, when the manager runs another one, while a gate is closed or the clock is in doubt, before the\n" +
			"manager has accepted 3 snapshots, when the plan is over an hour old, and when N is not the number of own\n" +
			"containers in the plan.\n" +
			"With --show it prints instead what a person is to see first; with --needed, and without a plan, whether the\n" +
			"policy needs approval: the exit code is then 0 when it does not, and 10 when it does, approved or not.\n" +
			"The exit code is 1 when it refuses, 2 when FILE is no good policy.",
		Run: func(_ context.Context, inv *cli.Invocation) error { return approve(inv, defaults) },
	}
}

func approve(inv *cli.Invocation, defaults Defaults) error {
	needed := inv.Flags.Bool("needed", false, "say whether the policy needs approval")
	show := inv.Flags.Bool("show", false, "print what a person is to see before he approves the policy")
	who := inv.Flags.String("who", "", "who approves it")
	ownCount := inv.Flags.Int("own-count", -1, "how many own containers there are, as that person has confirmed")
	if err := inv.Parse(1); err != nil {
		return err
	}

	path := cmp.Or(inv.Flags.Arg(0), defaults.Policy)
	if path == "" {
		return cli.WithExitCode(exitUsage, errors.New("which file? (approval policy.yaml)"))
	}
	d, err := policyfile.Load(path)
	if err != nil {
		return cli.WithExitCode(exitUsage, err)
	}

	switch {
	case *needed:
		return writeNeed(inv.Stdout, d, path)
	case d.V2 == nil:
		return cli.WithExitCode(exitRefused, fmt.Errorf("policy %s is of version 1, which needs no approval", path))
	}

	review, err := approval.Read(defaults.Input)
	switch {
	case err != nil:
		return cli.WithExitCode(exitRefused, err)

	case *show:
		if err := review.Check(*d.V2, path, time.Now()); err != nil {
			return cli.WithExitCode(exitRefused, err)
		}
		return review.Write(inv.Stdout, *d.V2)
	default:
		return writeApproved(inv.Stdout, review, *d.V2, path, *who, *ownCount)
	}
}

// writeNeed says whether the policy needs approval, and whether the document beside it gives it.
func writeNeed(w io.Writer, d policyfile.Document, path string) error {
	lines, need := []string{"It is of version 1, and needs no approval."}, false
	if d.V2 != nil {
		lines, need = approvalLines(*d.V2, policyfile.ApprovedPath(path)), d.V2.NeedsApproval()
	}

	fmt.Fprintf(w, "Policy %s, hash %s.\n", path, d.Hash())
	for _, line := range lines {
		if _, err := io.WriteString(w, planview.Wrap("", "", line)); err != nil {
			return cli.WithExitCode(exitStorage, err)
		}
	}
	if need {
		return cli.Reported(exitNeeded)
	}
	return nil
}

func writeApproved(w io.Writer, review approval.Review, p policy2.Policy, path, who string, ownCount int) error {
	document, err := review.Document(p, path, who, ownCount, time.Now())
	if err != nil {
		return cli.WithExitCode(exitRefused, err)
	}

	text, err := document.Text()
	if err != nil {
		return err
	}
	if _, err := w.Write(text); err != nil {
		return cli.WithExitCode(exitStorage, err)
	}
	return nil
}
