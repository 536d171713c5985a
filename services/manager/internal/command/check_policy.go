package command

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"gestor.local/contract"
	"gestor.local/contract/policy2"
	"gestor.local/manager/internal/planview"
	"gestor.local/manager/internal/policyfile"
	"gestor.local/manager/internal/scope"
	"gestor.local/program/cli"
)

// CheckPolicy validates a policy file, and prints the effective policy and what it means.
func CheckPolicy(defaults Defaults) cli.Command {
	return cli.Command{
		Name: "check-policy", Arguments: "[--host] [--quiet] [--strict] [FILE]",
		Text: "Checks a policy and prints it as the manager understands it, defaults filled in, with its hash.\n" +
			"Of version 2 it says each rule as a sentence, whether the policy needs approval, and warnings;\n" +
			"with --host it asks the engine once, and warns of what this host makes of the policy, too,\n" +
			"and of a webhook (GESTOR_NOTIFY_URL) that cannot be reached.\n" +
			"Every problem is reported at once. The exit code is 0 when there is none, 2 otherwise; with\n" +
			"--strict a warning is a problem too.",
		Run: func(ctx context.Context, inv *cli.Invocation) error { return checkPolicy(ctx, inv, defaults) },
	}
}

func checkPolicy(ctx context.Context, inv *cli.Invocation, defaults Defaults) error {
	host := inv.Flags.Bool("host", false, "ask the engine once for the containers of this host")
	quiet := inv.Flags.Bool("quiet", false, "print nothing when the policy is good")
	strict := inv.Flags.Bool("strict", false, "a warning is a problem")
	if err := inv.Parse(1); err != nil {
		return err
	}

	path := cmp.Or(inv.Flags.Arg(0), defaults.Policy)
	if path == "" {
		return cli.WithExitCode(exitUsage, errors.New("which file? (check-policy policy.yaml)"))
	}

	d, err := policyfile.Load(path)
	if err != nil {
		return cli.WithExitCode(exitUsage, err)
	}
	warnings := warningsOf(d)
	if *host && d.V2 != nil {
		facts, err := defaults.Host(ctx)
		if err != nil {
			return err
		}
		warnings = append(warnings, scope.Warnings(*d.V2, facts)...)
		if defaults.Webhook != nil {
			if why := defaults.Webhook(ctx); why != "" {
				warnings = append(warnings, "the URL cannot be reached: "+why)
			}
		}
	}

	if !*quiet {
		if err := printPolicy(inv.Stdout, path, d, warnings); err != nil {
			return cli.WithExitCode(exitStorage, err)
		}
	}
	if *strict && len(warnings) > 0 {
		return cli.WithExitCode(exitUsage, fmt.Errorf("policy %s:\n%s", path, strings.Join(warnings, "\n")))
	}
	return nil
}

// warningsOf is none for a policy of version 1, whose errors say all.
func warningsOf(d policyfile.Document) []string {
	if d.V2 == nil {
		return nil
	}
	return d.V2.Warnings()
}

// printPolicy writes the effective policy as a document that is the same policy: what else is said stands in comments.
func printPolicy(w io.Writer, path string, d policyfile.Document, warnings []string) error {
	text, err := policyfile.Format(d)
	if err != nil {
		return err
	}

	var meaning strings.Builder
	if d.V2 != nil {
		writeMeaning(&meaning, *d.V2, policyfile.ApprovedPath(path), warnings)
	}
	_, err = fmt.Fprintf(w, "# %s is a valid policy, hash %s\n%s%s", path, d.Hash(), text, meaning.String())
	return err
}

// writeMeaning writes, as comments, each rule as a sentence, whether the policy needs approval, and what looks wrong.
func writeMeaning(b *strings.Builder, p policy2.Policy, approval string, warnings []string) {
	b.WriteString("\n# The rules, read from the top:\n")
	if len(p.Rules) == 0 {
		b.WriteString("#   none: everything is kept\n")
	}
	for i, rule := range p.Rules {
		writeItem(b, fmt.Sprintf("  %d ", i+1), rule.Sentence(p))
	}

	b.WriteString("#\n")
	for _, line := range approvalLines(p, approval) {
		writeItem(b, "", line)
	}

	if len(warnings) > 0 {
		b.WriteString("#\n# Warnings:\n")
	}
	for _, warning := range warnings {
		writeItem(b, "  - ", warning)
	}
}

// approvalLines say whether the policy needs approval, and whether the document beside it gives it.
func approvalLines(p policy2.Policy, path string) []string {
	if len(p.Own) == 0 {
		return []string{"It needs no approval: it owns nothing."}
	}
	if !p.NeedsApproval() {
		return []string{"It needs no approval: it touches nothing but what Gestor started."}
	}
	const needs = "It needs approval, and observes until then: it may touch containers that Gestor did not start."

	approved, err := policyfile.LoadApproved(path)
	switch {
	case err != nil:
		return []string{needs, err.Error()}

	case approved == nil:
		return []string{needs}

	case approved.Approves(p):
		return []string{fmt.Sprintf("It is approved: by %s on %s, with %d own containers (%s).", approved.Who,
			approved.Time.UTC().Format("2006-01-02 15:04 UTC"), approved.OwnCount, path)}

	default:
		out := []string{needs, fmt.Sprintf("%s approves another policy, hash %s:", path, approved.Hash)}
		for _, difference := range approved.Differences(p) {
			out = append(out, "- "+difference)
		}
		return out
	}
}

// writeItem writes one text behind its mark as comment, wrapped between words; its further lines stand under the text.
func writeItem(b *strings.Builder, mark, text string) {
	b.WriteString(planview.Wrap("# ", mark, contract.Printable(text)))
}
