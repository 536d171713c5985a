package suite

import (
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"gestor.local/contract"
	"gestor.local/e2e/scenario"
)

// soak skips a test that takes many minutes unless they were asked for.
func soak(t *testing.T) {
	t.Helper()
	if os.Getenv("GESTOR_SOAK") != "1" {
		t.Skip("takes many minutes: GESTOR_SOAK=1 runs it (make soak)")
	}
}

// filled waits until the generator has given the policy something to do in both classes.
func (s *running) filled(t *testing.T) {
	t.Helper()
	scenario.Eventually(t, 4*batch, "both classes are over their quota", func() error {
		pop, err := s.managed(t.Context())
		if err == nil && (len(pop[contract.ClassLow]) <= quotaLow || len(pop[contract.ClassHigh]) <= quotaHigh) {
			err = fmt.Errorf("low %d, high %d", len(pop[contract.ClassLow]), len(pop[contract.ClassHigh]))
		}
		return err
	})
}

// The load that a host is in when it needs its governor most: more runnable processes than any reading likes, and a
// container with a thousand more to list. None of it is the suite's, so that none of it goes away.
func TestThePolicyIsMetBesideABusyHost(t *testing.T) {
	soak(t)
	s := start(t, "GESTOR_SEED=7")
	const sleepers, busy = 1000, 40
	s.strain(t, "sleepers", fmt.Sprintf("for i in $(seq %d); do sleep 1d & done; wait", sleepers), "--pids-limit", strconv.Itoa(sleepers+8))
	for i := range busy {
		s.strain(t, "busy-"+strconv.Itoa(i), "while :; do :; done", "--cpus", "1")
	}

	s.filled(t)
	scenario.Eventually(t, judgedAfter, "the policy is met under the load", func() error { return s.quotaHolds(t.Context()) })
	scenario.Always(t, 4*batch, "the policy is met under the load", func() error { return s.quotaHolds(t.Context()) })
}

// strain starts a container that the suite does not own and that goes with the test.
func (s *running) strain(t *testing.T, name, script string, options ...string) {
	t.Helper()
	name = s.compose.Project + "-" + name
	arguments := append([]string{"run", "-d", "--name", name, "--network", "none", "--label", "gestor.test=suite"}, options...)
	arguments = append(arguments, "--entrypoint", "bash", "debian:trixie-slim", "-c", script)
	t.Cleanup(func() { _ = exec.Command("docker", "rm", "-f", name).Run() })
	if out, err := exec.Command("docker", arguments...).CombinedOutput(); err != nil {
		t.Fatalf("start %s: %v: %s", name, err, strings.TrimSpace(string(out)))
	}
}
