package generator

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gestor.local/contract"
)

func TestTheSameSeedTwiceIsTheSameChurn(t *testing.T) {
	s := newFixture(t)
	var plans, fingerprints, images []string
	for range 2 {
		if code := s.start("--seed", "99", "--batch", "3", "--interval", "2s", "--for", "3s", "--strict").wait(t); code != 0 {
			t.Fatalf("exit %d", code)
		}
		r := s.report()
		if r.Planned != 6 || r.Started != 6 || r.Alive != 0 || r.Deaths["drained"] != 6 {
			t.Errorf("report %+v", r)
		}
		fingerprints = append(fingerprints, r.Fingerprint)
	}

	// What was planned, what was started, and in which order: each is the same in both runs.
	for _, run := range s.launches() {
		var order strings.Builder
		for position := uint64(1); position <= 6; position++ {
			body := run[position]
			order.WriteString(body.Image + " " + string(body.Class) + " " + body.Outcome + "\n")
		}
		images = append(images, order.String())
	}

	files, _ := filepath.Glob(filepath.Join(s.state, "plan-*.ndjson"))
	for _, path := range files {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		plans = append(plans, string(text))
	}

	for what, pair := range map[string][]string{"plans": plans, "reports": fingerprints, "images": images} {
		if len(pair) != 2 || pair[0] != pair[1] {
			t.Errorf("the %s differ:\n%s", what, cmp.Diff(pair[:1], pair[1:]))
		}
	}
	if left := s.containers(); len(left) > 0 {
		t.Errorf("%d containers were left", len(left))
	}
}

// After kill -9 at any moment the next start ends what was left, and touches nothing else.
func TestWhatAKilledGeneratorLeftIsSweptAndNothingElse(t *testing.T) {
	s := newFixture(t)
	stranger := strings.TrimSpace(run(t, "docker", "run", "--detach", "--name", s.suite+"-stranger", "--label", "gestor.test=generator", "--network", "none", "gestor/low-idle"))
	other := strings.TrimSpace(run(t, filepath.Join(root, "scripts", "launch-container.sh"), "--suite", s.suite+"-other", "--lease", "1", "low-idle"))
	byHand := strings.TrimSpace(run(t, filepath.Join(root, "scripts", "launch-container.sh"), "--suite", s.suite, "low-idle"))
	t.Cleanup(func() { run(t, "docker", "rm", "--force", stranger, other, byHand) })

	rounds := 3
	if os.Getenv("GESTOR_SOAK") == "1" {
		rounds = 25
	}
	known := s.runs()
	for round := range rounds {
		g := s.start("--batch", "3", "--interval", "1s")
		eventually(t, "a container of this generator", func() bool { return s.newRun(known) })
		time.Sleep(rand.N(3 * time.Second)) // the moment is random, what follows does not depend on it
		if err := g.cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		if code := g.wait(t); code != 128+int(syscall.SIGKILL) {
			t.Fatalf("round %d: the generator ended by itself with %d:\n%s", round, code, g.said)
		}
	}

	// A wrapper outlives its generator; what it makes after the sweep at the start is found by a later one only.
	eventually(t, "no wrapper is under way", func() bool { return !s.wrapperRuns() })

	g := s.start("--batch", "1", "--interval", "1h")
	eventually(t, "a container of the last generator", func() bool { return s.newRun(known) })
	if now := s.containers(); len(now) != 2 {
		t.Errorf("there are %v, want the one started by hand and one of the new run: the sweep comes before it", now)
	}
	if err := g.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if code := g.wait(t); code != 0 {
		t.Errorf("exit %d after SIGTERM:\n%s", code, g.said)
	}

	if left := s.containers(); len(left) != 1 || left[0] != byHand {
		t.Errorf("left are %v, want only the one started by hand", left)
	}
	for name, id := range map[string]string{"stranger": stranger, "other suite's": other} {
		if state := run(t, "docker", "inspect", "--format", "{{.State.Running}}", id); strings.TrimSpace(state) != "true" {
			t.Errorf("the %s container was touched", name)
		}
	}

	swept := 0
	for _, r := range s.logs.Records() {
		if body, ok := r.Body.(contract.SystemBody); ok && body.Event == "swept" {
			swept++
		}
	}
	if swept == 0 {
		t.Error("the sweep was not recorded")
	}
}

func TestAnEngineThatRefusesEveryThirdStart(t *testing.T) {
	s := newFixture(t)
	s.extra = []string{"DOCKER_HOST=unix://" + refuseEveryThirdStart(t), "GESTOR_PARALLEL=2"}
	g := s.start("--seed", "3", "--batch", "4", "--interval", "2s", "--for", "5s", "--strict")
	if code := g.wait(t); code != 7 {
		t.Errorf("exit %d, want 7 for failed starts under --strict:\n%s", code, g.said)
	}

	r := s.report()
	if r.Planned != 12 || r.Started != 8 || r.Failed["refused"] != 4 || len(r.Dropped) != 0 {
		t.Errorf("report %+v", r)
	}
	for run, launches := range s.launches() {
		failed := 0
		for position, body := range launches {
			if body.Outcome == contract.LaunchFailed {
				failed++
				if !strings.HasPrefix(body.Reason, "refused: ") {
					t.Errorf("position %d: reason %q", position, body.Reason)
				}
			}
		}
		if len(launches) != 12 || failed != 4 {
			t.Errorf("run %s: %d records, %d failed", run, len(launches), failed)
		}
	}
	if left := s.containers(); len(left) > 0 {
		t.Errorf("%d containers were left", len(left))
	}
}
