package manager

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/docker/docker/api/types/container"

	"gestor.local/contract"
	"gestor.local/e2e/scenario"
)

// agentsPolicy is that of policy/examples/agents.yaml for the containers of one test, with thresholds that are reached at once.
const agentsPolicy = `version: 2
mode: observe
tick: 2s
own: [{label: observe.own=%[1]s}]
protect: [{label: observe.keep}]
idle: {cpu: 50%%, net: 100}
rules:
  - {name: runaway, match: {label: observe.busy}, when: {cpu: 1%%, for: 10s}, do: throttle to 10%%}
  - {name: idle, match: {label: observe.quiet}, when: {idle: 1h}, do: [warn, {after: 15m, do: remove}]}
  - {name: one each, match: {label: observe.project}, each: container, keep: {newest: 1, per: label observe.project}, rest: remove}
  - {name: ended, when: {ended: 1d}, do: [warn, {after: 24h, do: remove}]}
budget: [10 per tick]
`

// The manager runs a policy of version 2 in mode observe on real containers: on every tick its records say what each rule would do,
// and why nothing of it is carried out; no container is touched.
func TestAPolicyOfVersion2IsObserved(t *testing.T) {
	s := newFixture(t)
	labels := func(more ...string) map[string]string {
		out := map[string]string{scenario.LabelTest: s.Name, "observe.own": s.Name}
		for _, key := range more {
			out[key] = "x"
		}
		return out
	}

	s.Run("busy", &container.Config{Image: s.Image, Cmd: []string{"1", "busy"}, Labels: labels("observe.busy")},
		&container.HostConfig{NetworkMode: "none", Resources: container.Resources{NanoCPUs: 200_000_000}})
	s.Spawn("quiet", labels("observe.quiet"), 1)
	s.Spawn("first", labels("observe.project"), 1)
	s.Spawn("second", labels("observe.project"), 1)
	s.Spawn("kept", labels("observe.project", "observe.keep"), 1)
	s.Spawn("stranger", map[string]string{scenario.LabelTest: s.Name}, 1)
	ended := s.Spawn("ended", labels(), 1)
	if err := s.Engine.Client.ContainerStop(s.Context(), ended, container.StopOptions{}); err != nil {
		t.Fatal(err)
	}
	before := s.details()

	p := s.StartManager("", s.NewPolicyFolder(fmt.Sprintf(agentsPolicy, s.Name)).Setting)

	want := map[string]string{
		"busy":     "runaway throttle, then -: no_rule (observe)",
		"quiet":    "- keep, then warn: no_rule ()",
		"first":    "one each remove, then -: over_quota (observe)",
		"second":   "one each keep, then -: within_quota ()",
		"kept":     "- keep, then -: protected ()",
		"stranger": "- keep, then -: not_owned ()",
		"ended":    "- keep, then warn: no_rule ()",
	}
	scenario.Eventually(t, 2*scenario.Soon, "the records say what each rule would do", func() error {
		last := s.lastOf()
		for name, words := range want {
			if got := rulingOf(last[s.FullName(name)]); got != words {
				return fmt.Errorf("%s: %q, want %q", name, got, words)
			}
		}
		return nil
	})
	p.Stop()

	if after := s.details(); !slices.Equal(before, after) {
		t.Errorf("containers before\n%v, after\n%v", before, after)
	}
	if e := s.lastOf()[s.FullName("ended")]; e.State != contract.StateExited || e.Why != contract.UnmeasuredNotRunning {
		t.Errorf("the one that has ended: %+v", e)
	}

	hosts, sentences := 0, 0
	for _, r := range s.spooled() {
		switch b := r.Body.(type) {
		case contract.ActionBody:
			t.Errorf("an action: %+v", b)
		case contract.HostBody:
			if hosts++; b.Held == "" || b.Mode != contract.ModeObserve || len(b.Classes) > 0 || b.Own != nil && *b.Own != 6 {
				t.Errorf("held %q in mode %s, %v own", b.Held, b.Mode, b.Own)
			}
		case contract.SystemBody:
			if b.Event == "policy" {
				sentences++
			}
		}
	}
	if hosts < 3 || sentences != 1 {
		t.Errorf("%d ticks and %d records of the rules", hosts, sentences)
	}
	if open := s.openIntents(); len(open) > 0 {
		t.Errorf("intents without an outcome: %v", open)
	}
}

// rulingOf is what a container's record says of the rules.
func rulingOf(b contract.ContainerBody) string {
	dash := func(word string) string {
		if word == "" {
			return "-"
		}
		return word
	}
	return fmt.Sprintf("%s %s, then %s: %s (%s)", dash(b.Rule), b.Step, dash(b.NextStep), b.Reason, b.Held)
}

// lastOf are the newest records of the containers by their names.
func (s suite) lastOf() map[string]contract.ContainerBody {
	out := map[string]contract.ContainerBody{}
	for _, r := range s.spooled() {
		if b, ok := r.Body.(contract.ContainerBody); ok {
			out[b.Name] = b
		}
	}
	return out
}

// spooled are the records that wait for the log service, in the order of their numbers. A last line that is being written is left
// out.
func (s suite) spooled() (records []contract.Record) {
	s.Helper()
	err := filepath.WalkDir(filepath.Join(s.State, "spool"), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		for line := range bytes.Lines(text) {
			var r contract.Record
			if bytes.HasPrefix(line, []byte(`{"v":1,"ts":`)) && r.UnmarshalJSON(line) == nil {
				records = append(records, r)
			}
		}
		return err
	})
	if err != nil && !os.IsNotExist(err) {
		s.Fatal(err)
	}
	slices.SortFunc(records, func(a, b contract.Record) int { return int(a.PSeq) - int(b.PSeq) })
	return records
}

// details are the test's containers with what somebody who acts on them would change.
func (s suite) details() (out []string) {
	s.Helper()
	for _, c := range s.Engine.MustList(s.TB, scenario.LabelTest+"="+s.Name) {
		one, err := s.Engine.Client.ContainerInspect(s.Context(), c.ID)
		if err != nil {
			s.Fatal(err)
		}
		out = append(out, fmt.Sprint(c.ID, one.State.Status, one.State.StartedAt, one.RestartCount, one.HostConfig.NanoCPUs))
	}
	slices.Sort(out)
	return out
}
