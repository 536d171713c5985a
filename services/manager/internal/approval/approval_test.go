package approval_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gestor.local/contract"
	"gestor.local/contract/policy2"
	"gestor.local/manager/internal/approval"
	"gestor.local/manager/internal/planview"
	"gestor.local/manager/internal/rules"
)

var update = flag.Bool("update", false, "write the golden files")

const path = "/etc/gestor/host.yaml"

func now() time.Time { return time.Date(2026, 11, 30, 16, 53, 20, 0, time.UTC) }

// policy warns what is idle, and stops what runs away and what is old at once.
func policy() policy2.Policy {
	p := policy2.Default()
	p.Own = []policy2.Selector{{Label: &policy2.Label{Key: "team", Any: true}}}
	p.Protect = []policy2.Selector{{Image: []string{"redis*"}}, {Name: []string{"db-*", "pg-*"}}}
	p.Rules = []policy2.Rule{
		{Name: "bombs", When: policy2.Conditions{Processes: 500, For: 30}, Do: policy2.Ladder{{Step: policy2.StepStop}}},
		{
			Name: "stale", When: policy2.Conditions{Age: 3 * policy2.Day},
			Do: policy2.Ladder{{Step: policy2.StepWarn}, {Step: policy2.StepStop, After: policy2.Day}, {Step: policy2.StepRemove, After: 4 * policy2.Day}},
		},
	}
	return p
}

// view is the first plan of that policy on a host of five containers: one old, one young, one protected, one of another owner, and one
// of which little is known.
func view() planview.View {
	const day = int64(24 * time.Hour / time.Microsecond)
	wall := now().UnixMicro()
	f := &rules.Facts{Tick: 2, BootID: "b", BootUS: uint64(90 * day), GUS: wall, BootGUS: wall - 90*day, WallUS: wall, IntervalUS: 10_000_000}
	add := func(id byte, name, image, state string, age int64, team bool) *rules.Container {
		c := rules.Container{
			Identity: &policy2.Identity{ID: strings.Repeat(string('a'+id), 64), Name: name, Image: image, Labels: map[string]string{}},
			InEngine: true, State: state, CreatedWallUS: policy2.Known(wall - age), AnonymousVolumes: policy2.Known(0),
			StartedAt: policy2.Known("then"), StartedWallUS: policy2.Known(wall - age), Restarts: policy2.Known(0), FinishedWallUS: policy2.Known(int64(0)),
			AutoRemove: policy2.Known(false), RestartPolicy: policy2.Known("no"), NetworkMode: policy2.Known("bridge"),
		}
		c.Socket, c.Networks = policy2.Known(false), policy2.Known([]string{"bridge"})
		if team {
			c.Labels["team"] = "a"
		}
		if state == contract.StateRunning {
			c.HasRow, c.Processes, c.StartBootUS = true, policy2.Known(1), policy2.Known(f.BootUS-uint64(age))
		}
		f.Containers = append(f.Containers, c)
		return &f.Containers[len(f.Containers)-1]
	}
	add(0, "web-1", "acme/web:3", contract.StateRunning, 5*day+3723_000_000, true).AnonymousVolumes = policy2.Known(1)
	add(1, "web-2", "acme/web:4", contract.StateRunning, 2*day, true)
	add(2, "cache", "bitnami/redis:7", contract.StateRunning, 5*day, true)
	add(3, "other", "acme/web:3", contract.StateRunning, 50*day, false)
	last := add(4, "a\x1b[2J", "", contract.StateExited, day/2, true)
	last.CreatedWallUS, last.AnonymousVolumes = policy2.Fact[int64]{}, policy2.Fact[int]{}

	p := policy()
	program := rules.New(p)
	var m rules.Memory
	for range 2 { // who is new is not judged before the second
		f.InForce = rules.Approval(p, nil)
		plan := rules.Decide(program, m, f)
		m = rules.Remember(program, m, f, plan, nil)
	}
	return planview.View{Path: path, Host: "builder", Source: contract.SourceProcfs, Policy: p, Facts: f, Plan: rules.Decide(program, m, f)}
}

func manager() *approval.Manager {
	return &approval.Manager{Status: "degraded", Policy: policy().Hash(), Snapshots: 3}
}

// review is one that was handed from one process to another.
func review(t *testing.T, change func(*approval.Review)) approval.Review {
	t.Helper()
	v := view()
	r := approval.NewReview(v, map[string]int64{v.Facts.Containers[0].ID: 3_435_973_837, v.Facts.Containers[1].ID: 0}, manager())
	if change != nil {
		change(&r)
	}
	text, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	read, err := approval.Read(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return read
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", name, diff)
	}
}

func TestWhatAPersonSees(t *testing.T) {
	p := policy()
	var out bytes.Buffer
	if err := review(t, nil).Write(&out, p); err != nil {
		t.Fatal(err)
	}
	golden(t, "review.txt", out.String())
	const begins = "counted from this plan's first reading on"
	if !strings.Contains(out.String(), begins) {
		t.Errorf("a rule with for, and no memory: %q is missing", begins)
	}
	out.Reset()
	if err := review(t, func(r *approval.Review) { r.Remembered = true }).Write(&out, p); err != nil || strings.Contains(out.String(), begins) {
		t.Errorf("with a memory: %v %s", err, out.String())
	}
	if strings.ContainsRune(out.String(), '\x1b') {
		t.Error("what a stranger named his container with reaches the terminal")
	}

	out.Reset()
	if err := review(t, nil).WriteSizes(&out); err != nil {
		t.Fatal(err)
	}
	golden(t, "sizes.txt", out.String())

	// Of nothing, too, and of a plan that is held at first.
	out.Reset()
	p.Mode, p.Rules, p.Protect, p.Surprise = contract.ModeObserve, nil, nil, 30
	empty := review(t, func(r *approval.Review) {
		r.OwnContainers, r.Own, r.Now, r.Next, r.Protects = []approval.OwnContainer{}, 0, nil, nil, nil
		r.Wanted, r.Living = 2, 6
	})
	if err := empty.Write(&out, p); err != nil {
		t.Fatal(err)
	}
	golden(t, "nothing.txt", out.String())
}

func TestDryRunIsSaid(t *testing.T) {
	for held, want := range map[string]bool{contract.HeldObserve: true, rules.HeldUnapproved: false} {
		var out bytes.Buffer
		r := review(t, func(r *approval.Review) { r.Held = held })
		if err := r.Write(&out, policy()); err != nil || strings.Contains(out.String(), "GESTOR_DRY_RUN IS SET") != want {
			t.Errorf("%s: %v %s", held, err, out.String())
		}
	}
}

func TestSurprise(t *testing.T) {
	p := policy() // 30 %
	for _, test := range []struct {
		wanted, living int
		held           bool
	}{{1, 1, false}, {2, 2, true}, {3, 10, false}, {4, 10, true}, {2, 0, true}} {
		var out bytes.Buffer
		r := review(t, func(r *approval.Review) { r.Wanted, r.Living = test.wanted, test.living })
		if err := r.Write(&out, p); err != nil || strings.Contains(out.String(), "begin 10 minutes later") != test.held {
			t.Errorf("%+v: %v %s", test, err, out.String())
		}
	}
}

func TestRefusals(t *testing.T) {
	own := policy2.Default()
	other := policy()
	other.Surprise = 50
	for name, test := range map[string]struct {
		policy policy2.Policy
		change func(*approval.Review)
		want   []string // what the error says; none is no error
	}{
		"none":                     {policy(), nil, nil},
		"another mode is the same": {func() policy2.Policy { p := policy(); p.Mode = contract.ModeObserve; return p }(), nil, nil},
		"no approval is needed":    {own, nil, []string{"needs no approval"}},
		"the file has changed":     {other, nil, []string{"the plan is of policy " + policy().Hash(), other.Hash(), "scripts/gestor reload"}},
		"the plan is of another":   {policy(), func(r *approval.Review) { r.PolicyHash = other.Hash() }, []string{"the plan is of policy " + other.Hash()}},
		"nobody manages":           {policy(), func(r *approval.Review) { r.Manager = nil }, []string{"no manager answered", "make up"}},
		"it has only started":      {policy(), func(r *approval.Review) { r.Manager = &approval.Manager{Status: "starting"} }, []string{"only started"}},
		"the manager runs another": {
			policy(), func(r *approval.Review) { r.Manager.Policy = other.Hash() }, []string{"the manager runs policy " + other.Hash(), "scripts/gestor reload"},
		},
		"it stands still": {policy(), func(r *approval.Review) { r.Manager.Status = "stalled" }, []string{"does not tick"}},
		"gates":           {policy(), func(r *approval.Review) { r.Manager.Gates = []string{"interval", "bad_rows"} }, []string{"closed: interval, bad_rows"}},
		"too few snapshots": {
			policy(), func(r *approval.Review) { r.Manager.Snapshots = 2 }, []string{"accepted 2 snapshots", "some ticks (10s) later"},
		},
		"the manager's clock is in doubt": {policy(), func(r *approval.Review) { r.Manager.ClockInDoubt = true }, []string{"the clock is in doubt"}},
		"the plan's clock is in doubt":    {policy(), func(r *approval.Review) { r.ClockInDoubt = true }, []string{"the clock is in doubt"}},
		"it is old":                       {policy(), func(r *approval.Review) { r.At = r.At.Add(-61 * time.Minute) }, []string{"2026-11-30 15:52:20 UTC"}},
		"all at once": {
			policy(), func(r *approval.Review) {
				r.Manager.Gates, r.Manager.Snapshots, r.ClockInDoubt = []string{"journal"}, 0, true
			},
			[]string{"closed: journal", "accepted 0 snapshots", "the clock is in doubt"},
		},
	} {
		err := review(t, test.change).Check(test.policy, path, now())
		if (err == nil) != (test.want == nil) {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for _, want := range test.want {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v does not say %q", name, err, want)
			}
		}

		// What cannot be approved has no document, whatever is confirmed.
		if _, err := review(t, test.change).Document(test.policy, path, "ana", 4, now()); (err == nil) != (test.want == nil) {
			t.Errorf("%s: a document: %v", name, err)
		}
	}
}

func TestDocument(t *testing.T) {
	p := policy()
	a, err := review(t, nil).Document(p, path, "ana@builder", 4, now())
	if err != nil {
		t.Fatal(err)
	}
	text, err := a.Text()
	if err != nil {
		t.Fatal(err)
	}
	read, err := policy2.ParseApproved(text)
	if err != nil || !read.Approves(p) || read.OwnCount != 4 || read.Who != "ana@builder" || !read.Time.Equal(now()) {
		t.Errorf("%+v %v", read, err)
	}

	for _, n := range []int{-1, 0, 3, 5} {
		if _, err := review(t, nil).Document(p, path, "ana", n, now()); err == nil || !strings.Contains(err.Error(), "which is 4") {
			t.Errorf("%d: %v", n, err)
		}
	}
	if _, err := review(t, nil).Document(p, path, " ", 4, now()); err == nil || !strings.Contains(err.Error(), "--who") {
		t.Errorf("of nobody: %v", err)
	}
}

func TestReadRefusesWhatIsNoReview(t *testing.T) {
	plan, err := json.Marshal(view().Plan)
	if err != nil {
		t.Fatal(err)
	}
	v := view()
	r := approval.NewReview(v, nil, nil)
	r.Own++
	miscounted, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}

	for text, want := range map[string]string{
		"": "there is no plan", "null": "lists the own containers", "{": "is no plan", "[]": "is no plan", "hello": "is no plan",
		string(plan):       "lists the own containers", // of policy-plan --json without --sizes
		string(miscounted): "counts 5 own containers and lists 4",
		`{"v":1,"own_containers":[],"policy_hash":"x"}`: "lists the own containers",
	} {
		_, err := approval.Read(strings.NewReader(text))
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "policy-plan --sizes --json") {
			t.Errorf("%.40q: %v", text, err)
		}
	}
}

type full struct{ room int }

func (f *full) Write(p []byte) (int, error) {
	if len(p) > f.room {
		return 0, errors.New("disk full")
	}
	f.room -= len(p)
	return len(p), nil
}

// Nobody approves what he was shown half of.
func TestWriteSaysThatItWasNotWritten(t *testing.T) {
	r := review(t, nil)
	if err := r.Write(&full{}, policy()); err == nil {
		t.Error("no error")
	}
	if err := r.WriteSizes(&full{}); err == nil {
		t.Error("no error of the sizes")
	}
}
