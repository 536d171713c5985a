package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gestor.local/contract"
	"gestor.local/contract/policy2"
	"gestor.local/manager/internal/govern"
	"gestor.local/manager/internal/policyfile"
)

// writePolicy replaces the file as most editors do: a new one is put in the old one's place.
func writePolicy(t *testing.T, path, text string) {
	t.Helper()
	next := path + ".new"
	if err := os.WriteFile(next, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(next, path); err != nil {
		t.Fatal(err)
	}
}

func TestThePolicyFileIsReadAgainWhenItIsAnother(t *testing.T) {
	path := filepath.Join(t.TempDir(), "policy.yaml")
	writePolicy(t, path, "version: 1\n")
	file := newPolicyFile(config{Policy: path, Suite: "s"})
	steps := []struct {
		name    string
		change  func()
		anew    bool
		changed bool
		err     string
	}{
		{"as it was", func() {}, false, false, ""},
		{"looked at anew", func() {}, true, true, ""},
		{"replaced", func() { writePolicy(t, path, "version: 1\nmode: shadow\n") }, false, true, ""},
		{"as it was then", func() {}, false, false, ""},
		{"replaced by one of the same size", func() { writePolicy(t, path, "version: 1\nmode: shadox\n") }, false, true, "mode"},
		{"still bad", func() {}, false, false, ""},
		{"touched", func() { touch(t, path) }, false, true, "mode"},
		{"gone", func() { os.Remove(path) }, false, true, ""},
		{"still gone", func() {}, false, false, ""},
		{"back", func() { writePolicy(t, path, "version: 1\n") }, false, true, ""},
	}
	for _, step := range steps {
		step.change()
		r, changed := file.Poll(step.anew)
		if changed != step.changed || (r.Err == nil) != (step.err == "") {
			t.Fatalf("%s: changed %t, %v", step.name, changed, r.Err)
		}
		if r.Err != nil && !strings.Contains(r.Err.Error(), step.err) {
			t.Errorf("%s: %v", step.name, r.Err)
		}
	}
}

// Where no file is, at the start or later, nobody is own and nothing is carried out; a bad file is refused, and no missing one.
func TestWithoutThePolicysFileNobodyIsTouched(t *testing.T) {
	path := filepath.Join(t.TempDir(), "host.yaml")
	file := newPolicyFile(config{Policy: path, Suite: "s"})
	missing := func(r govern.PolicyUpdate, want bool) {
		t.Helper()
		v := r.Version2
		if v == nil || (v.Missing == path) != want || v.Missing == "" && want {
			t.Fatalf("missing %t: %+v", want, r)
		}
		if want && (r.Err != nil || len(v.Policy.Own) != 0 || v.Policy.Mode != contract.ModeObserve || v.Policy.NeedsApproval()) {
			t.Errorf("%+v", r)
		}
	}
	poll := func() govern.PolicyUpdate {
		t.Helper()
		r, changed := file.Poll(false)
		if !changed {
			t.Fatal("no change was seen")
		}
		return r
	}

	missing(file.read(), true)
	writePolicy(t, path, "version: 2\nmode: on\n")
	if r := poll(); r.Err == nil {
		t.Fatalf("a bad file: %+v", r)
	} else {
		missing(r, false) // it is there
	}
	writePolicy(t, path, "version: 2\nown: []\n")
	r := poll()
	missing(r, false)
	if r.Version2.Policy.Mode != contract.ModeEnforce {
		t.Errorf("%+v", r.Version2)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	missing(poll(), true)
	writePolicy(t, path, "version: 1\n")
	if r := poll(); r.Err != nil || r.Version2 != nil {
		t.Errorf("%+v", r)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	missing(poll(), true)
}

func touch(t *testing.T, path string) {
	t.Helper()
	if err := os.Chtimes(path, time.Time{}, time.Unix(1, 0)); err != nil {
		t.Fatal(err)
	}
}

// Without a file there is nothing to look at, also where an approval of whatever policy happens to be in the working directory.
func TestTheDefaultPolicyStays(t *testing.T) {
	t.Chdir(t.TempDir())
	writePolicy(t, "approved.json", "{")
	file := newPolicyFile(config{Suite: "s"})
	if _, changed := file.Poll(false); changed {
		t.Error("changed")
	}
	if r, changed := file.Poll(true); !changed || r.Err != nil || r.Version2 == nil || r.Version2.Policy.Hash() != policy2.Shipped().Hash() || r.Version2.Approved != nil {
		t.Errorf("%t %+v", changed, r)
	}
}

func TestReloadSaysWhetherThePolicyWasTaken(t *testing.T) {
	clearEnv(t)
	path := filepath.Join(t.TempDir(), "policy.yaml")
	writePolicy(t, path, "version: 1\n")
	for name, value := range map[string]string{
		"GESTOR_ENGINE": newDaemon(t), "GESTOR_LOGS_URL": "http://127.0.0.1:1", "GESTOR_LOGS_WAIT": "0s", "GESTOR_FLUSH": "1ms",
		"GESTOR_STATE": t.TempDir(), "GESTOR_OPS": freeAddress(t), "GESTOR_SOURCE": "procfs", "GESTOR_SUITE": "s", "GESTOR_POLICY": path, "GESTOR_TICK": "1h",
	} {
		t.Setenv(name, value)
	}
	ctx, stop := context.WithCancel(context.Background())
	var out output
	ended := make(chan int, 1)
	go func() { ended <- dispatch(ctx, []string{"run"}, &out, &out) }()
	defer func() { stop(); <-ended }()
	var said output
	reload := func() int {
		said = output{}
		return dispatch(ctx, []string{"reload"}, &said, &said)
	}
	eventually(t, "the manager answers", func() bool { return reload() == exitDone })

	for _, step := range []struct {
		text string
		code int
		says string
	}{
		{"version: 1\nmode: observe\n", exitDone, "(mode observe); its first plan is only shown"},
		{"version: 1\nmode: observe\n", exitDone, "as before"},
		{"version: 1\nquota: {low: -1}\n", exitConfig, "quota.low"},
		{"", exitConfig, "stays in force (mode observe)"},
		{"version: 2\n", exitDone, "(mode enforce); its first plan is only shown"},
		{"version: 2\ntick: 2h\n", exitConfig, "stays in force (mode enforce)"},
		{"version: 2\n", exitDone, "as before"},
		{"version: 1\n", exitDone, "(mode enforce)"},
	} {
		writePolicy(t, path, step.text)
		if code := reload(); code != step.code || !strings.Contains(said.String(), step.says) {
			t.Errorf("%q: code %d, %s", step.text, code, said.String())
		}
	}
}

// Under a policy of version 2 the approval beside it is looked at as well, also while the policy's own file is bad.
func TestTheApprovalIsLookedAtBesideAPolicyOfVersion2(t *testing.T) {
	path := filepath.Join(t.TempDir(), "policy.yaml")
	approved := policyfile.ApprovedPath(path)
	const text = "version: 2\nown: [{label: a}]\n"
	writePolicy(t, path, text)
	file := newPolicyFile(config{Policy: path, Suite: "s"})
	first := file.read()
	if first.Err != nil || first.Version2 == nil || first.Version2.Approved != nil || first.Version2.ApprovalError != "" {
		t.Fatalf("at first: %+v", first)
	}

	document, err := policy2.NewApproved(first.Version2.Policy, time.Unix(1, 0), "ada", 3).Text()
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		name                    string
		change                  func()
		changed, approved, torn bool
		err                     string
	}{
		{"as it was", func() {}, false, false, false, ""},
		{"approved", func() { writePolicy(t, approved, string(document)) }, true, true, false, ""},
		{"as it was then", func() {}, false, false, false, ""},
		{"an approval that cannot be read", func() { writePolicy(t, approved, "{") }, true, false, true, ""},
		{"approved again", func() { writePolicy(t, approved, string(document)) }, true, true, false, ""},
		{"a bad policy", func() { writePolicy(t, path, "version: 2\nmode: on\n") }, true, true, false, "mode"},
		{"the approval is taken back meanwhile", func() { os.Remove(approved) }, true, false, false, "mode"},
		{"put right", func() { writePolicy(t, path, text) }, true, false, false, ""},
	} {
		step.change()
		r, changed := file.Poll(false)
		if changed != step.changed || (r.Err == nil) != (step.err == "") {
			t.Fatalf("%s: changed %t, %v", step.name, changed, r.Err)
		}
		if !changed {
			continue
		}
		v := r.Version2
		if v == nil || (v.Approved != nil) != step.approved || (v.ApprovalError != "") != step.torn || len(v.Policy.Own) != 1 {
			t.Errorf("%s: %+v", step.name, v)
		}
	}

	writePolicy(t, path, "version: 1\n")
	if r, changed := file.Poll(false); !changed || r.Version2 != nil {
		t.Errorf("a policy of version 1: %+v", r)
	}
	writePolicy(t, approved, string(document))
	if _, changed := file.Poll(false); changed {
		t.Error("under version 1 the approval was looked at")
	}
}

func TestTheEnvironmentOverridesAPolicyOfVersion2(t *testing.T) {
	path := filepath.Join(t.TempDir(), "policy.yaml")
	writePolicy(t, path, "version: 2\n")
	for name, test := range map[string]struct {
		cfg  config
		mode contract.Mode
		tick policy2.Duration
		err  string
	}{
		"nothing":              {config{}, contract.ModeEnforce, 10, ""},
		"dry run":              {config{DryRun: true}, contract.ModeObserve, 10, ""},
		"tick":                 {config{Tick: 3 * time.Second}, contract.ModeEnforce, 3, ""},
		"a tick of no seconds": {config{Tick: 1500 * time.Millisecond}, "", 0, "whole seconds"},
		"a tick too long":      {config{Tick: 2 * time.Hour}, "", 0, "GESTOR_TICK=2h0m0s"},
	} {
		test.cfg.Policy = path
		d, _, err := test.cfg.document()
		switch {
		case test.err != "":
			if err == nil || !strings.Contains(err.Error(), test.err) {
				t.Errorf("%s: %v", name, err)
			}
		case err != nil || d.V2.Mode != test.mode || d.V2.Tick != test.tick:
			t.Errorf("%s: %+v, %v", name, d.V2, err)
		}
	}
}
