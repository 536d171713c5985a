package suite

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/docker/docker/api/types/events"
	"github.com/docker/docker/api/types/filters"

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

// Each service is killed in turn while the others go on. What was acknowledged stays, nothing comes twice, and the policy is met
// again: by the service that came back as by the others, which had to do without it.
func TestServicesThatAreKilledUnderChurn(t *testing.T) {
	soak(t)
	const rounds = 4
	s := start(t, "GESTOR_SEED=11", "GESTOR_INTERVAL=10s", "GESTOR_BATCH=5")
	s.filled(t)
	for round := range rounds {
		for _, role := range []string{contract.ProducerLogs, contract.ProducerManager, contract.ProducerGenerator} {
			before := s.logs.MustRecords(t)
			killed := s.service(t, role)
			if err := syscall.Kill(killed.PID, syscall.SIGKILL); err != nil {
				t.Fatalf("round %d: kill %s: %v", round, role, err)
			}
			s.recovers(t, time.Now(), before)
			if again := s.service(t, role); again.PID == killed.PID {
				t.Fatalf("round %d: %s is still process %d", round, role, again.PID)
			}
		}
	}
}

// An engine that is stopped ends its containers; one that is killed leaves them to the next, which ends them. Either way the
// services are back by themselves.
func TestTheSuiteIsBackAfterEveryEndOfTheEngine(t *testing.T) {
	soak(t)
	(&scenario.Compose{Project: "gestor-e2e-build", Root: scenario.Root(t)}).Run(t, 20*time.Minute, "build", "-q")
	second := scenario.NewPrivateEngine(t, "gestor/logs", "gestor/manager", "gestor/generator", "gestor/high-cpu", "gestor/high-ram",
		"gestor/low-idle", "gestor/low-pulse", "debian:trixie-slim")
	t.Setenv("DOCKER_HOST", second.Host)
	t.Setenv("GESTOR_IMAGES", "built")
	s := start(t, "GESTOR_SEED=13", "GESTOR_INTERVAL=10s", "GESTOR_BATCH=5", "GESTOR_DOCKER_SOCKET="+second.Socket)
	s.logs.Client = second.Client()

	s.filled(t)
	for _, end := range []struct {
		name string
		end  func(testing.TB)
	}{{"stopped", second.Stop}, {"killed", second.Kill}, {"killed again", second.Kill}} {
		t.Run(end.name, func(t *testing.T) {
			before := s.logs.MustRecords(t)
			end.end(t)
			second.Start(t)
			s.recovers(t, time.Now(), before)
		})
	}
}

// What the page says is what docker ps says, a second after something has happened. A moment in which more happens meanwhile says
// nothing about the page and is not counted.
func TestTheHeadlineIsWhatDockerPsSays(t *testing.T) {
	soak(t)
	const during, atLeast = 10 * time.Minute, 0.95
	s := start(t, "GESTOR_SEED=17", "GESTOR_INTERVAL=15s", "GESTOR_BATCH=5")
	s.filled(t)

	ctx, cancel := context.WithTimeout(t.Context(), during)
	defer cancel()
	happened, failed := s.engine.Client.Events(ctx, events.ListOptions{Filters: filters.NewArgs(
		filters.Arg("label", contract.LabelManaged+"=true"), filters.Arg("event", "start"), filters.Arg("event", "die"),
	)})

	samples, equal := 0, 0
	settled := time.NewTimer(0) // runs out a second after the last event
	<-settled.C
	for ctx.Err() == nil {
		select {
		case <-happened:
			settled.Reset(time.Second)

		case err := <-failed:
			if ctx.Err() == nil {
				t.Fatalf("the engine's events ended: %v", err)
			}
		case <-ctx.Done():

		case <-settled.C:
			page, engine := s.headline(t), s.alive(t)

			select {
			case <-happened:
				settled.Reset(time.Second)
				continue
			default:
			}

			if samples++; page == engine {
				equal++
			} else {
				t.Logf("%s: the page says %q, the engine %q", time.Now().UTC().Format(time.TimeOnly), page, engine)
			}
		}
	}
	t.Logf("%d of %d samples are equal", equal, samples)
	if samples < 20 || float64(equal) < atLeast*float64(samples) {
		t.Errorf("%d of %d samples are equal, want %.0f %% of at least 20", equal, samples, 100*atLeast)
	}
}

var headlinePattern = regexp.MustCompile(`<h1>[^<]*?(\d+ low, \d+ high)</h1>`)

// headline is what the page says about who lives.
func (s *running) headline(t *testing.T) string {
	t.Helper()
	page, err := s.logs.Get("/", "text/html")
	if err != nil {
		t.Fatal(err)
	}
	if m := headlinePattern.FindSubmatch(page); m != nil {
		return string(m[1])
	}
	return "nothing"
}

// alive says the same from the engine's list.
func (s *running) alive(t *testing.T) string {
	t.Helper()
	pop, err := s.managed(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%d low, %d high", len(pop[contract.ClassLow]), len(pop[contract.ClassHigh]))
}

// What fills the host stops when nobody governs it, and goes on when somebody does again.
func TestNothingIsStartedWithoutAManager(t *testing.T) {
	soak(t)
	s := start(t, "GESTOR_SEED=19", "GESTOR_INTERVAL=5s", "GESTOR_BATCH=1")
	last := func(outcome string) (at time.Time, reason string) {
		for _, r := range s.logs.MustRecords(t, contract.KindLaunch) {
			if b, ok := r.Body.(contract.LaunchBody); ok && b.Outcome == outcome {
				at, reason = r.Time, b.Reason
			}
		}
		return at, reason
	}
	scenario.Eventually(t, time.Minute, "containers are started", func() error {
		if at, _ := last(contract.LaunchStarted); at.IsZero() {
			return errors.New("none yet")
		}
		return nil
	})

	s.compose.Run(t, 2*time.Minute, "stop", "manager")
	scenario.Eventually(t, 3*time.Minute, "starts are held back", func() error {
		if _, reason := last(contract.LaunchDropped); reason != "gate_manager" {
			return fmt.Errorf("the last dropped start has the reason %q", reason)
		}
		return nil
	})
	closed := time.Now()
	scenario.Always(t, 30*time.Second, "nothing is started", func() error {
		if at, _ := last(contract.LaunchStarted); at.After(closed) {
			return fmt.Errorf("a container was started at %s", at)
		}
		return nil
	})

	s.compose.Run(t, 2*time.Minute, "start", "manager")
	scenario.Eventually(t, 2*time.Minute, "starts go on", func() error {
		if at, _ := last(contract.LaunchStarted); at.Before(closed) {
			return fmt.Errorf("the last start was at %s", at)
		}
		return nil
	})
}

// recovers waits until the suite governs again what was disturbed before a moment, and checks that no record was lost or doubled.
func (s *running) recovers(t *testing.T, disturbed time.Time, before []contract.Record) {
	t.Helper()
	scenario.Eventually(t, 3*time.Minute, "the manager ticks and the generator starts", func() error {
		records, err := s.logs.Records(contract.KindHost, contract.KindLaunch)
		if err != nil {
			return err
		}
		seen := map[contract.Kind]bool{}
		for _, r := range records {
			if b, launch := r.Body.(contract.LaunchBody); r.Time.After(disturbed) && (!launch || b.Outcome == contract.LaunchStarted) {
				seen[r.Kind] = true
			}
		}
		if len(seen) < 2 {
			return fmt.Errorf("since then there are only records of %v", seen)
		}
		return nil
	})
	s.filled(t)
	scenario.Eventually(t, judgedAfter+2*tick, "the policy is met", func() error { return s.quotaHolds(t.Context()) })
	scenario.Always(t, 2*tick, "the policy is met", func() error { return s.quotaHolds(t.Context()) })
	checkNothingLost(t, before, s.logs.MustRecords(t))
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
