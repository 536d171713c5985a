package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"gestor.local/contract"
	"gestor.local/contract/policy2"
	"gestor.local/manager/internal/approval"
	"gestor.local/manager/internal/facts"
	"gestor.local/manager/internal/journal"
	"gestor.local/manager/internal/journal/journaltest"
	"gestor.local/manager/internal/rules"
)

// The state of the manager that runs is what its port says of it; where it says nothing of the clock, that is in doubt.
func TestManagerState(t *testing.T) {
	for name, test := range map[string]struct {
		status int
		body   string
		want   *approval.Manager // nil is an error
	}{
		"ready": {
			200, `{"status":"ready","policy":"ab","gates":[],"snapshots":7,"version_2":{"policy":"ab","clock_in_doubt":false}}`,
			&approval.Manager{Status: "ready", Policy: "ab", Gates: []string{}, Snapshots: 7},
		},
		"gated": {
			503, `{"status":"degraded","policy":"ab","gates":["interval"],"snapshots":2,"conditions":[]}`,
			&approval.Manager{Status: "degraded", Policy: "ab", Gates: []string{"interval"}, Snapshots: 2, ClockInDoubt: true},
		},
		"in doubt": {
			200, `{"status":"ready","policy":"ab","gates":[],"snapshots":7,"version_2":{"clock_in_doubt":true}}`,
			&approval.Manager{Status: "ready", Policy: "ab", Gates: []string{}, Snapshots: 7, ClockInDoubt: true},
		},
		"somebody else": {200, "<html>", nil},
	} {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != contract.PathReady {
				t.Errorf("%s: asked for %s", name, r.URL.Path)
			}
			w.WriteHeader(test.status)
			_, _ = io.WriteString(w, test.body)
		}))
		got, err := managerState(t.Context(), config{Ops: strings.TrimPrefix(s.URL, "http://")})
		s.Close()
		if diff := cmp.Diff(test.want, got); diff != "" || (err == nil) != (test.want != nil) {
			t.Errorf("%s: %v %s", name, err, diff)
		}
	}

	if _, err := managerState(t.Context(), config{Ops: "127.0.0.1:1"}); err == nil {
		t.Error("nobody answers, and no error")
	}
}

// A plan begins where the manager is, whose journal is only read.
func TestPlanRemembersWhatTheManagerHasSeen(t *testing.T) {
	load := journaltest.NewLoad(3)
	cfg := config{State: t.TempDir()}
	blank := planner{components: &components{cfg: cfg}}
	if o := blank.recall(); blank.last != 0 || o.Clock != (facts.Clock{}) || o.Before != nil {
		t.Errorf("without a journal: %+v", o)
	}

	j, _, err := journal.Open(journalDir(cfg), journal.Options{Version: 2})
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	program := rules.New(load.Policy)
	var memory rules.Memory
	for range 5 {
		f := load.Next()
		plan := rules.Decide(program, memory, f)
		if _, err := j.Decide(journal.Decision{Program: program, Memory: memory, Facts: f, Plan: &plan}); err != nil {
			t.Fatal(err)
		}
		memory = rules.Remember(program, memory, f, plan, nil)
	}

	p := planner{components: &components{cfg: cfg}}
	o := p.recall()
	if diff := cmp.Diff(memory, p.memory, cmpopts.IgnoreUnexported(rules.Memory{}, rules.ContainerMemory{})); diff != "" || p.last != 5 {
		t.Errorf("tick %d, memory (-want +got):\n%s", p.last, diff)
	}
	if len(o.Before) != 3 || o.Clock.BootID == "" || o.Clock.LastGUS != memory.GUS {
		t.Errorf("%+v", o)
	}
}

// The plan is one of the tick that the manager runs with: GESTOR_TICK counts, and the mode stays the file's.
func TestPlanPolicyHasTheTickOfTheEnvironment(t *testing.T) {
	path := filepath.Join(t.TempDir(), "host.yaml")
	if err := os.WriteFile(path, []byte("version: 2\nmode: enforce\ntick: 5s\n"), 0o600); err != nil {
		t.Fatal(err)
	}

	for name, test := range map[string]struct {
		tick    time.Duration
		want    policy2.Duration
		refused bool
	}{
		"the file's": {0, 5, false}, "the environment's": {2 * time.Second, 2, false},
		"no whole seconds": {1500 * time.Millisecond, 0, true}, "out of bounds": {100 * time.Hour, 0, true},
	} {
		cfg := config{Tick: test.tick, DryRun: true}
		p, err := planPolicy(cfg, path)
		if (err != nil) != test.refused || err == nil && (p.Tick != test.want || p.Mode != contract.ModeEnforce) {
			t.Errorf("%s: tick %s, mode %s, %v", name, p.Tick, p.Mode, err)
		}

		// As the manager has it.
		cfg.Policy = path
		if d, _, err := cfg.document(); (err != nil) != test.refused || err == nil && d.V2.Tick != p.Tick {
			t.Errorf("%s: the manager has %+v, %v", name, d.V2, err)
		}
	}
}
