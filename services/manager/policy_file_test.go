package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gestor.local/contract"
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
		{"gone", func() { os.Remove(path) }, false, true, "no such file"},
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

func touch(t *testing.T, path string) {
	t.Helper()
	if err := os.Chtimes(path, time.Time{}, time.Unix(1, 0)); err != nil {
		t.Fatal(err)
	}
}

// Without a file there is nothing to look at, and a policy that the environment spoils is refused like a bad file.
func TestTheDefaultPolicyStays(t *testing.T) {
	file := newPolicyFile(config{Suite: "s"})
	if _, changed := file.Poll(false); changed {
		t.Error("changed")
	}
	if r, changed := file.Poll(true); !changed || r.Err != nil || r.Policy.Hash() != contract.DefaultPolicy().Hash() {
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
		{"version: 2\n", exitConfig, "valid, but of version 2, which this release checks (check-policy FILE)"},
		{"version: 1\n", exitDone, "(mode enforce)"},
	} {
		writePolicy(t, path, step.text)
		if code := reload(); code != step.code || !strings.Contains(said.String(), step.says) {
			t.Errorf("%q: code %d, %s", step.text, code, said.String())
		}
	}
}
