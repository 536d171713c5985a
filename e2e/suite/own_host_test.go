package suite

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"gestor.local/contract"
	"gestor.local/e2e/scenario"
)

// ownHost is the form of the suite that make govern starts, beside containers that Gestor did not start.
type ownHost struct {
	*running
	policy string            // path of host.yaml
	guests string            // the label that they carry
	states map[string]string // of each of them by name: what must stay
}

// TestOwnHost looks at a host as make govern leaves it. Without a policy, and under one that owns nobody, nothing is touched; under one that
// owns containers of others nothing is, either, before somebody has approved it, and that is said.
func TestOwnHost(t *testing.T) {
	if testing.Short() {
		t.Skip("takes minutes: left out by -short")
	}
	folder := t.TempDir()
	h := &ownHost{policy: filepath.Join(folder, "host.yaml"), guests: "own-host.test=" + strconv.Itoa(os.Getpid())}
	h.startGuests(t)
	h.running = startFiles(t, []string{"compose.host.yaml"}, "GESTOR_POLICY_DIR="+folder, "GESTOR_TICK=2s", "GESTOR_SEED=1")

	if out := h.compose.Run(t, time.Minute, "ps", "--all", "--quiet", "generator"); strings.TrimSpace(out) != "" {
		t.Errorf("there is a generator: %s", out)
	}
	h.untouched(t, ready{Mode: "observe", Own: 0, Condition: "no_policy"})

	h.write(t, "own: []\nrules:\n  - {name: all, do: stop}\n")
	h.untouched(t, ready{Mode: "enforce", Own: 0})

	h.write(t, fmt.Sprintf("own: [{label: %s}]\nrules:\n  - {name: all, do: stop}\n", h.guests))
	h.untouched(t, ready{Mode: "enforce", Own: len(h.states), Held: "unapproved", Condition: "unapproved"})
	h.checkSaid(t)

	if actions := h.logs.MustRecords(t, contract.KindAction); len(actions) > 0 {
		t.Errorf("actions are recorded: %+v", actions)
	}
}

// startGuests runs what is on the host: two that run, and one that has ended.
func (h *ownHost) startGuests(t *testing.T) {
	t.Helper()
	for _, command := range []string{"sleep 3600", "sleep 3601", "true"} {
		name := fmt.Sprintf("own-host-e2e-%d-%d", os.Getpid(), len(h.states))
		t.Cleanup(func() { _ = exec.Command("docker", "rm", "-f", name).Run() })
		arguments := append([]string{"run", "-d", "--name", name, "--pull", "never", "--network", "none", "--label", h.guests, "debian:trixie-slim"},
			strings.Fields(command)...)
		if out, err := exec.Command("docker", arguments...).CombinedOutput(); err != nil {
			t.Fatalf("start %s: %v: %s", name, err, out)
		}
		if h.states == nil {
			h.states = map[string]string{}
		}
		h.states[name] = ""
	}
	scenario.Eventually(t, time.Minute, "one of them has ended", func() error {
		ended := 0
		for name := range h.states {
			h.states[name] = h.look(t, name)
			if strings.Contains(h.states[name], "exited") {
				ended++
			}
		}
		if ended != 1 {
			return fmt.Errorf("%v", h.states)
		}
		return nil
	})
}

// look is what Gestor could change of a container.
func (h *ownHost) look(t *testing.T, name string) string {
	t.Helper()
	const format = "{{.Id}} {{.State.Status}} {{.State.StartedAt}} {{.State.Paused}} {{json .HostConfig.NanoCpus}} {{json .HostConfig.CpuQuota}}"
	out, err := exec.Command("docker", "inspect", "--format", format, name).CombinedOutput()
	if err != nil {
		t.Fatalf("inspect %s: %v: %s", name, err, out)
	}
	return strings.TrimSpace(string(out))
}

// write puts a policy into place as a whole.
func (h *ownHost) write(t *testing.T, text string) {
	t.Helper()
	next := h.policy + ".new"
	err := errors.Join(os.WriteFile(next, []byte("version: 2\n"+text), 0o644), os.Rename(next, h.policy)) //nolint:gosec // the manager is another user
	if err != nil {
		t.Fatal(err)
	}
}

// ready is what the manager says of its policy. Held and Condition are "" where nothing of that kind is to be said.
type ready struct {
	Mode      string
	Own       int
	Held      string
	Condition string
}

// state asks the manager. A hold of one tick, after a change, is waited for.
func (h *ownHost) state() (r ready, tick uint64, err error) {
	text, err := scenario.Logs{URL: h.opsURL}.Get(contract.PathReady, "application/json")
	if err != nil {
		return r, 0, err
	}
	var answer struct {
		Tick       uint64 `json:"tick"`
		Mode       string `json:"mode"`
		Conditions []struct {
			Name string `json:"name"`
		} `json:"conditions"`
		Version2 *struct {
			Own  int    `json:"own"`
			Held string `json:"held"`
		} `json:"version_2"`
	}
	if err := json.Unmarshal(text, &answer); err != nil {
		return r, 0, err
	}
	if answer.Version2 == nil {
		return r, 0, fmt.Errorf("there is no plan yet: %s", text)
	}

	r = ready{Mode: answer.Mode, Own: answer.Version2.Own}
	if answer.Version2.Held == "unapproved" {
		r.Held = answer.Version2.Held
	}
	for _, c := range answer.Conditions {
		if c.Name == "no_policy" || c.Name == "unapproved" {
			r.Condition = c.Name
		}
	}
	return r, answer.Tick, nil
}

// untouched waits until the manager says this of its policy, and for four ticks more, and compares the containers with what they were.
func (h *ownHost) untouched(t *testing.T, want ready) {
	t.Helper()
	var since uint64
	scenario.Eventually(t, scenario.Soon, fmt.Sprintf("the manager says %+v, for four ticks", want), func() error {
		got, tick, err := h.state()
		switch {
		case err != nil:
			return err
		case got != want:
			since = 0
			return fmt.Errorf("it says %+v", got)
		case since == 0:
			since = tick
		}
		if tick < since+4 {
			return fmt.Errorf("tick %d, since %d", tick, since)
		}
		return nil
	})
	for name, before := range h.states {
		if now := h.look(t, name); now != before {
			t.Errorf("%+v: %s is %s, and was %s", want, name, now, before)
		}
	}
}

// checkSaid looks for the hold, and for what ends it, on the page and in the plan.
func (h *ownHost) checkSaid(t *testing.T) {
	t.Helper()
	line := fmt.Sprintf("%d own containers. Held (unapproved): 2 to stop of those that run.", len(h.states))
	scenario.Eventually(t, time.Minute, "the page says what is held, and what helps", func() error {
		page, err := h.logs.Get("/", "text/html")
		if err == nil && (!strings.Contains(string(page), line) || !strings.Contains(string(page), "<code>make approve</code>")) {
			err = fmt.Errorf("no %q on the page", line)
		}
		return err
	})

	plan, err := h.compose.Try(2*time.Minute, "exec", "-T", "manager", "/gestor-manager", "policy-plan")
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 10 || !strings.Contains(plan, "unapproved") {
		t.Errorf("policy-plan: %v\n%s", err, plan)
	}
}
