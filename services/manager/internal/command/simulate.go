package command

import (
	"context"
	"flag"
	"fmt"

	"gestor.local/contract"
	"gestor.local/contract/policy2"
	"gestor.local/manager/internal/explain"
	"gestor.local/manager/internal/policyfile"
	"gestor.local/manager/internal/simulate"
	"gestor.local/program/cli"
)

// Simulate runs a policy against a synthetic host and prints how it did.
func Simulate() cli.Command {
	return cli.Command{
		Name: "simulate", Arguments: "[--seed N] [--hours H] [--compare] [OPTION…]",
		Text: "Runs the decision code against a synthetic host in simulated time and prints how often the policy was met, how far\n" +
			"the population overshot, how long a batch took to settle, and how many were wrongly kept or removed by the truth.\n" +
			"The same options give the same figures on any machine. Of policies of version 2 it takes those whose rules give places\n" +
			"to the lightest of class low and to the heaviest of class high, and remove the others.",
		Run: simulateCommand,
	}
}

func simulateCommand(_ context.Context, inv *cli.Invocation) error {
	o := simulate.DefaultOptions()
	policyPath, compare, asJSON := simulateFlags(inv.Flags, &o)
	if err := inv.Parse(0); err != nil {
		return err
	}

	// What was set on the command line wins over the policy.
	if err := withPolicy(inv.Flags, &o, *policyPath, *compare); err != nil {
		return cli.WithExitCode(exitUsage, err)
	}
	if problems := o.Policy.Validate(); problems != nil {
		return cli.WithExitCode(exitUsage, problems)
	}

	results, err := simulated(o, *compare)
	switch {
	case err != nil:
		return cli.WithExitCode(exitUsage, err)
	case *asJSON:
		return cli.WithExitCode(exitStorage, explain.JSON(inv.Stdout, results))
	default:
		return cli.WithExitCode(exitStorage, simulate.Table(inv.Stdout, results))
	}
}

func simulated(o simulate.Options, compare bool) ([]simulate.Result, error) {
	if compare {
		return simulate.Compare(o)
	}
	r, err := simulate.Run(o)
	return []simulate.Result{r}, err
}

// withPolicy puts the policy of the file in force, of either version, and without a file the default: that of version 1, which decides
// alike, where a switch is of that version.
func withPolicy(f *flag.FlagSet, o *simulate.Options, path string, compare bool) error {
	d := policyfile.Document{V2: new(policy2.Shipped())}
	if path != "" {
		var err error
		if d, err = policyfile.Load(path); err != nil {
			return err
		}
	} else if compare || o.CPU != simulate.CPUInterval || isSet(f, "classify") {
		return nil
	}

	if d.V1 != nil {
		o.Policy = withFlags(f, *o, *d.V1)
		return nil
	}

	if isSet(f, "classify") {
		return fmt.Errorf("--classify is a switch of version 1, and policy %s is of version 2 (leave it out)", path)
	}
	o.Version2 = d.V2
	if isSet(f, "warmup") {
		d.V2.Warmup = o.Policy.Warmup
	}
	return d.V2.Validate().Err()
}

// isSet says whether the flag stands on the command line.
func isSet(f *flag.FlagSet, name string) (is bool) {
	f.Visit(func(set *flag.Flag) { is = is || set.Name == name })
	return is
}

// withFlags lays what was set on the command line over the policy of a file.
func withFlags(f *flag.FlagSet, o simulate.Options, p contract.Policy) contract.Policy {
	if isSet(f, "warmup") {
		p.Warmup = o.Policy.Warmup
	}
	if isSet(f, "classify") {
		p.Classify = o.Policy.Classify
	}
	return p
}

// simulateFlags binds the options to flags.
func simulateFlags(f *flag.FlagSet, o *simulate.Options) (policyPath *string, compare, asJSON *bool) {
	f.Uint64Var(&o.Seed, "seed", o.Seed, "of everything random")
	f.Float64Var(&o.Hours, "hours", o.Hours, "of simulated time")
	f.StringVar(&o.CPU, "cpu", o.CPU, "figure to rank by: interval, or lifetime as the original code did")
	f.StringVar(&o.Workload, "workload", o.Workload, "what the images consume: gestor, seed, or fading (gestor that goes idle)")

	f.IntVar(&o.CPUs, "cpus", o.CPUs, "of the host")
	f.IntVar(&o.Batch, "batch", o.Batch, "containers started at a time")
	f.DurationVar(&o.Interval, "interval", o.Interval, "between batches")
	f.DurationVar(&o.Spread, "spread", o.Spread, "in which a batch is started")
	f.DurationVar(&o.Phase, "phase", o.Phase, "from a batch to the next tick; negative draws another one every hour")
	f.DurationVar(&o.Lifetime, "lifetime", o.Lifetime, "after which a container ends by itself, 0 = never")

	f.IntVar(&o.Policy.Warmup, "warmup", o.Policy.Warmup, "overrides the policy's")
	f.Func("classify", "overrides the policy's: declared or rank", func(s string) error {
		o.Policy.Classify = contract.Classify(s)
		return nil
	})

	policyPath = f.String("policy", "", "policy file (default: the built-in policy; with --compare, --classify or another --cpu as one of version 1)")
	compare = f.Bool("compare", false, "also run what each switch back to the original behaviour does")
	asJSON = f.Bool("json", false, "print JSON instead of a table")
	return policyPath, compare, asJSON
}
