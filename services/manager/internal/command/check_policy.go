package command

import (
	"cmp"
	"errors"
	"fmt"

	"gestor.local/contract"

	"gestor.local/manager/internal/policyfile"
)

// CheckPolicy validates a policy file and prints the effective policy.
func CheckPolicy(args []string, env Env) int {
	f := env.flags("check-policy", "[--quiet] [FILE]",
		"Checks a policy and prints it as the manager understands it, defaults filled in, with its hash.\n"+
			"Every problem is reported at once. The exit code is 0 when there is none, 2 otherwise.")
	quiet := f.Bool("quiet", false, "print nothing when the policy is good")
	if code, done := env.Parse(f, args, 1); done {
		return code
	}
	path := cmp.Or(f.Arg(0), env.Policy)
	if path == "" {
		return env.fail("check-policy", exitUsage, errors.New("which file? (check-policy policy.yaml)"))
	}
	p, err := policyfile.Load(path)
	if err != nil {
		return env.fail("check-policy", exitUsage, err)
	}
	if *quiet {
		return exitDone
	}
	if err := printPolicy(env, path, p); err != nil {
		return env.fail("check-policy", exitStorage, err)
	}
	return exitDone
}

func printPolicy(env Env, path string, p contract.Policy) error {
	text, err := policyfile.Format(p)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(env.Stdout, "# %s is a valid policy, hash %s\n%s", path, p.Hash(), text)
	return err
}
