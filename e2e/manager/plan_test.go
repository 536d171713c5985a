package manager

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/docker/docker/api/types/container"

	"gestor.local/e2e/scenario"
)

// planned is what the test reads of a plan document.
type planned struct {
	V        int    `json:"v"`
	Held     string `json:"held"`
	Own      int    `json:"own"`
	Verdicts []struct {
		ID       string `json:"id"`
		Name     string `json:"name"`
		Standing string `json:"standing"`
		Step     string `json:"step"`
		Reason   string `json:"reason"`
	} `json:"verdicts"`
}

// runPlan writes the policy, asks for its plan, and returns what was printed to stdout with the exit code.
func (s suite) runPlan(policy string, args ...string) (stdout string, code int) {
	s.Helper()
	out, said, code := s.Command(nil, append([]string{"plan", "--policy", s.NewPolicyFolder(policy).Path}, args...)...)
	if code != 0 {
		s.Logf("it said: %s", said)
	}
	return string(out), code
}

// A plan on real containers: of the own ones the older of two would go; who is protected, mounts the engine's socket or is nobody's
// own is not touched, and neither is anybody else, nor the state.
func TestPlanOfOtherPeoplesContainersTouchesNothing(t *testing.T) {
	s := newFixture(t)
	labels := func(more ...string) map[string]string {
		out := map[string]string{scenario.LabelTest: s.Name}
		for _, key := range more {
			out[key] = s.Name
		}
		return out
	}

	ids := map[string]string{}
	for _, name := range []string{"first", "second"} {
		ids[name] = s.Spawn(name, labels("plan.own"), 1)
	}
	ids["kept"] = s.Spawn("kept", labels("plan.own", "plan.keep"), 1)
	ids["stranger"] = s.Spawn("stranger", labels(), 1)
	ids["socket"] = s.Spawn("socket", labels("plan.own"), 1, func(h *container.HostConfig) {
		h.Binds = []string{"/var/run/docker.sock:/engine.sock:ro"}
	})
	want := map[string]string{
		"first": "ready remove", "second": "ready keep", "kept": "protected keep", "stranger": "not_owned keep", "socket": "not_owned keep",
	}

	before := s.states()
	policy := fmt.Sprintf(`version: 2
tick: 2s
own: [{label: plan.own=%[1]s}]
protect: [{label: plan.keep=%[1]s}]
rules:
  - {name: one, each: container, keep: {newest: 1}, rest: remove}
`, s.Name)
	text, code := s.runPlan(policy, "--json")
	if code != 10 {
		t.Errorf("exit code %d, want 10: something is to be done", code)
	}

	var plan planned
	if err := json.Unmarshal([]byte(text), &plan); err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	if plan.V != 2 || plan.Held != "unapproved" || plan.Own != 3 {
		t.Errorf("version %d, held %q, %d own; want 2, unapproved, 3", plan.V, plan.Held, plan.Own)
	}
	for name, standing := range want {
		got := "missing"
		for _, v := range plan.Verdicts {
			if v.ID == ids[name] {
				got = v.Standing + " " + v.Step
			}
		}
		if got != standing {
			t.Errorf("%s is %s, want %s", name, got, standing)
		}
	}

	table, _ := s.runPlan(policy)
	for _, words := range []string{"REMOVE  " + s.FullName("first") + "  one", "held: unapproved", "no selector of own matches it: it mounts the engine's socket"} {
		if !strings.Contains(table, words) {
			t.Errorf("the table lacks %q:\n%s", words, table)
		}
	}

	if after := s.states(); !slices.Equal(before, after) {
		t.Errorf("containers before %v, after %v", before, after)
	}
	if left, err := os.ReadDir(s.State); err != nil || len(left) > 0 {
		t.Errorf("the state has %v, %v", left, err)
	}
}

// states are the test's containers with their states.
func (s suite) states() (out []string) {
	for _, c := range s.Engine.MustList(s.TB, scenario.LabelTest+"="+s.Name) {
		out = append(out, c.ID+" "+c.State)
	}
	slices.Sort(out)
	return out
}

// Where nothing is to be done the exit code says so, and of version 1 the command that shows its plan.
func TestPlanWithoutAnythingToDo(t *testing.T) {
	s := newFixture(t)
	text, code := s.runPlan("version: 2\ntick: 1s\nown: []\nrules: [{name: old, when: {age: 1m}, do: remove}]\n")
	if code != 0 || !strings.Contains(text, "0 of them own") {
		t.Errorf("exit code %d, want 0:\n%s", code, text)
	}
	if text, code := s.runPlan("version: 1\n"); code != 2 || text != "" {
		t.Errorf("exit code %d, want 2:\n%s", code, text)
	}
}
