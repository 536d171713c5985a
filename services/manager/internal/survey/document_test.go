package survey_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"gestor.local/contract"
	"gestor.local/contract/policy2"
	"gestor.local/manager/internal/explain"
	"gestor.local/manager/internal/policyfile"
	"gestor.local/manager/internal/survey"
)

var update = flag.Bool("update", false, "write the golden files anew")

// leaking is a host that leaks in every way.
func leaking() survey.Reading {
	test := map[string]string{"org.testcontainers": "true"}
	boxes := []box{
		{name: "web", cpuUS: 900_000},
		{name: "job-1", image: "acme/job:1", state: exited, ended: 30 * time.Hour, restart: "no"},
		{name: "job-2", image: "acme/job:2", state: exited, ended: 3 * time.Hour, restart: "no"},
		{name: "migrate", image: "acme/shop:9", state: exited, ended: 90 * time.Minute, restart: "no"},
		{name: "shop", image: "acme/shop:9", cpuUS: 900_000},
		{name: "db", image: "postgres:17", state: exited, ended: 30 * time.Hour, restart: "no", mounts: named},
		{name: "scratch", state: exited, ended: 30 * time.Hour, restart: "no", mounts: anonymous},
		{name: "typo", state: created, restart: "no"},
		{name: "api", state: contract.StateRestarting},
		{name: "silly_euler", restart: "no", unlimited: true},
		{name: "unmeasured", unlimited: true, unmeasured: true},
		{name: "tc-redis", image: "redis:8", restart: "no", labels: test},
		{name: "tc-postgres", image: "postgres:17", restart: "no", labels: test, mounts: anonymous},
		{name: "branch-7-web-1", created: 100 * time.Hour, restart: "no", labels: compose("branch-7")},
		{name: "branch-7-db-1", created: 100 * time.Hour, restart: "no", labels: compose("branch-7"), mounts: named},
		{name: "portainer", mounts: socket},
		{name: "gestor-manager-1", labels: map[string]string{contract.LabelRole: "manager"}},
		{name: "slow", dark: true},
	}
	r := reading(boxes...)
	r.Missing = []string{"CPU and memory of some: the engine\nwas slow"}
	return r
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil { //nolint:gosec // a test's
			t.Fatal(err)
		}
	}

	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s (-want +got, -update writes it):\n%s", path, diff)
	}
}

func TestDocuments(t *testing.T) {
	for name, r := range map[string]survey.Reading{"leaking": leaking(), "empty": reading()} {
		s := survey.New(r)
		var table, yaml, document bytes.Buffer
		for _, err := range []error{s.Table(&table), s.YAML(&yaml), explain.JSON(&document, s)} {
			if err != nil {
				t.Fatal(err)
			}
		}
		golden(t, name+".txt", table.Bytes())
		golden(t, name+".yaml", yaml.Bytes())
		golden(t, name+".json", document.Bytes())

		for line := range strings.Lines(table.String()) {
			if utf8.RuneCountInString(strings.TrimSuffix(line, "\n")) > 100 {
				t.Errorf("wider than 100 columns: %s", line)
			}
		}
	}
}

// write writes the policy of a survey to a file, as it stands or with all that is proposed in force.
func write(t interface {
	Fatal(...any)
}, folder string, s survey.Survey, uncommented bool,
) (path string) {
	var b bytes.Buffer
	if err := s.YAML(&b); err != nil {
		t.Fatal(err)
	}
	text := b.Bytes()
	if uncommented {
		text = regexp.MustCompile(`(?m)^  #`).ReplaceAll(text, []byte("  "))
	}

	path = filepath.Join(folder, "host.yaml")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// As it is written the policy owns nobody; uncommented it is the one that is proposed.
func TestTheWrittenPolicy(t *testing.T) {
	s := survey.New(leaking())
	d, err := policyfile.Load(write(t, t.TempDir(), s, false))
	if err != nil || d.V2 == nil || len(d.V2.Own) != 0 || len(d.V2.Rules) != 0 {
		t.Fatalf("%v: %+v", err, d.V2)
	}

	d, err = policyfile.Load(write(t, t.TempDir(), s, true))
	if err != nil {
		t.Fatal(err)
	}
	want, got := canonical(t, s.Policy()), canonical(t, *d.V2)
	if diff := cmp.Diff(want, got); diff != "" || len(d.V2.Rules) != 7 {
		t.Errorf("%d rules (-want +got):\n%s", len(d.V2.Rules), diff)
	}
}

func canonical(t interface {
	Fatal(...any)
}, p policy2.Policy,
) string {
	text, err := json.MarshalIndent(p, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// Whatever a host is like: what is proposed is a valid policy, read as it was meant; every rule begins with a warning, takes no volume,
// and, but for the one that only tells of memory, speaks of nobody who is parked or at work as meant.
func TestWhatIsProposed(t *testing.T) {
	folder := t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		var boxes []box
		for n := range rapid.IntRange(0, 12).Draw(t, "containers") {
			boxes = append(boxes, draw(t, n))
		}
		r := reading(boxes...)
		s := survey.New(r)

		p := s.Policy()
		if problems := p.Validate(); len(problems) > 0 {
			t.Fatalf("not valid: %v", problems)
		}
		d, err := policyfile.Load(write(t, folder, s, true))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(canonical(t, p), canonical(t, *d.V2)); diff != "" {
			t.Fatalf("read otherwise than it was meant:\n%s", diff)
		}

		for _, rule := range p.Rules {
			if rule.Do[0].Step != policy2.StepWarn || rule.Volumes != "" || rule.Rm != "" {
				t.Fatalf("rule %+v", rule)
			}
			checkReach(t, &r, &s, &p, rule)
		}
	})
}

func checkReach(t *rapid.T, r *survey.Reading, s *survey.Survey, p *policy2.Policy, rule policy2.Rule) {
	for i := range r.Facts.Containers {
		c := &r.Facts.Containers[i]
		if _, own := p.Owns(c.Identity, r.Facts.Suite); !own || p.MatchesAny(rule.Match, c.Identity) == policy2.False {
			continue
		}

		if _, swarm := c.Labels[contract.LabelSwarmTask]; swarm || c.Labels[contract.LabelManaged] != "" {
			t.Fatalf("rule %q speaks of %s, which was left out", rule.Name, c.Name)
		}

		parked := slices.ContainsFunc(s.Parked, func(parked survey.Parked) bool { return parked.ID == c.ID })
		if parked && rule.Name != "memory" {
			t.Fatalf("rule %q speaks of %s, which is parked", rule.Name, c.Name)
		}
		if state, ok := r.States[c.ID]; ok && rule.Do.Has(policy2.StepRemove) && (len(state.Mounts) > 0 || state.RestartPolicy != "no") {
			t.Fatalf("rule %q would remove %s, with restart policy %s and %d mounts", rule.Name, c.Name, state.RestartPolicy, len(state.Mounts))
		}
	}
}

// draw is any container, of few images, labels and projects, so that they are alike in some and differ in others.
func draw(t *rapid.T, n int) box {
	pick := func(name string, from ...string) string { return rapid.SampledFrom(from).Draw(t, name) }
	ago := func(name string) time.Duration {
		return rapid.SampledFrom([]time.Duration{time.Minute, 2 * time.Hour, 50 * time.Hour, 200 * time.Hour}).Draw(t, name)
	}
	b := box{
		name: fmt.Sprintf("c%d", n), image: pick("image", "acme/web:1", "acme/job", "postgres:17", "moby/buildkit", strings.Repeat("ab", 32)),
		state:   pick("state", contract.StateRunning, contract.StateRunning, exited, created, contract.StateRestarting, contract.StatePaused, contract.StateDead),
		created: ago("created"), restart: pick("restart", "no", "no", "always"),
		unlimited: rapid.Bool().Draw(t, "unlimited"), unmeasured: rapid.Bool().Draw(t, "unmeasured"),
		mounts: rapid.SampledFrom([][]policy2.Mount{nil, nil, named, anonymous, bind, socket}).Draw(t, "mounts"),
		labels: rapid.SampledFrom([]map[string]string{
			nil,
			{"org.testcontainers": "true"},
			compose("shop"), compose("gestor"), compose("*"), compose("a\"\nown: [{name: c*}]\n#"),
			{contract.LabelManaged: "true"},
			{contract.LabelSwarmTask: "x"},
		}).Draw(t, "labels"),
		dark: rapid.IntRange(0, 9).Draw(t, "dark") == 0,
	}
	if contract.StateEnded(b.state) {
		b.ended = ago("ended")
	}
	return b
}

// A label may hold anything: nothing of it becomes a line of the policy, or a selector of more than itself.
func TestHostileNames(t *testing.T) {
	old := 100 * time.Hour
	s := survey.New(reading(
		box{name: "a", created: old, restart: "no", labels: compose("*")},
		box{name: "b", created: old, restart: "no", labels: compose("x\nown: [{name: web}]\n#\x1b[2J")},
	))
	if len(s.Kinds) != 1 || s.Kinds[0].Rule != nil || s.Kinds[0].Why == "" {
		t.Fatalf("%+v", s.Kinds)
	}

	d, err := policyfile.Load(write(t, t.TempDir(), s, true))
	if err != nil || len(d.V2.Own) != 0 || len(d.V2.Rules) != 0 {
		t.Errorf("%v: %+v", err, d.V2)
	}
}
