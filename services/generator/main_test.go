package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gestor.local/contract"
	"gestor.local/generator/internal/churn"
	"gestor.local/generator/internal/containers"
	"gestor.local/generator/internal/plan"
	"gestor.local/ship"
	"gestor.local/ship/shiptest"
)

// call runs a command in this process.
func call(t *testing.T, arguments ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	code = command(t.Context(), arguments, &out, &errs)
	return code, out.String(), errs.String()
}

// scripts makes a folder with doubles of the two scripts, which keep containers as files in a folder, and sets up the
// environment for it.
func scripts(t *testing.T) (dir string) {
	t.Helper()
	clearEnv(t)
	dir = t.TempDir()
	real, err := filepath.Abs("../../scripts/launch-container.sh")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(real); err != nil {
		t.Skipf("the wrapper is not beside this module: %v", err)
	}
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/bash\nset -eu\ncd \""+dir+"/containers\"\n"+text), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, "containers"), 0o700); err != nil {
		t.Fatal(err)
	}
	write("launch-container.sh", `
[ "$1" != --images ] || exec `+real+` --images
while [ "$1" != -- ]; do case $1 in --run) run=$2 ;; --seq) seq=$2 ;; --owner) owner=$2 ;; --suite) suite=$2 ;; esac; shift 2; done
[ ! -e ../refuse ] || exit 5
id=$(printf '%s' "$run$seq" | sha256sum | cut -c1-64)
printf '%s\t%s\t%s\t%s\tlow\t%s\t%s\t%s\trunning\tname\n' "$id" "$suite" "$run" "$seq" "$2" 99999999999 "$owner" >"$id"
echo "$id"`)
	write("managed-containers.sh", `
case $1 in
  engine) [ ! -e ../version ] || { echo 'unset it' >&2; exit 6; }; [ ! -e ../away ] || exit 4; printf 'host\t1\n' ;;
  running) ;;
  list) cat /dev/null * 2>/dev/null | { if [ $# -eq 3 ]; then grep -P "\t$3\t" || true; else cat; fi } ;;
  remove) shift; rm -f -- "$@"; echo $# ;;
  watch) exec sleep 600 ;;
esac`)
	t.Setenv("GESTOR_SCRIPTS", dir)
	t.Setenv("GESTOR_STATE", filepath.Join(dir, "state"))
	t.Setenv("GESTOR_LOGS_URL", "http://127.0.0.1:1")
	t.Setenv("GESTOR_OPS", "127.0.0.1:0")
	return dir
}

func containersLeft(t *testing.T, dir string) int {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join(dir, "containers"))
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

func TestPlanPrintsTheSameBytesForTheSameSeed(t *testing.T) {
	scripts(t)
	_, a, _ := call(t, "plan", "--seed", "42", "--for", "10m")
	code, b, _ := call(t, "plan", "--seed", "42", "--for", "10m")
	if a != b || code != exitDone || strings.Count(a, "\n") != 201 {
		t.Errorf("exit %d, %d lines", code, strings.Count(a, "\n"))
	}
	_, c, _ := call(t, "plan", "--seed", "43", "--for", "10m")
	if a == c {
		t.Error("another seed gives the same plan")
	}
	if p, err := plan.Read(strings.NewReader(a)); err != nil || p.Header.Seed != 42 {
		t.Errorf("%v", err)
	}
}

func TestRunCarriesAPlanOutDrainsAndReports(t *testing.T) {
	dir := scripts(t)
	_, text, _ := call(t, "plan", "--seed", "1", "--batch", "6", "--interval", "1s", "--for", "2s")
	file := filepath.Join(dir, "plan.ndjson")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	var logs shiptest.Service
	server := httptest.NewServer(&logs)
	defer server.Close()
	t.Setenv("GESTOR_LOGS_URL", server.URL)
	t.Setenv("GESTOR_MIN_FREE_MIB", "0") // whatever the host has: nothing real is started
	code, out, stderr := call(t, "run", "--plan", file, "--strict")
	if code != exitDone {
		t.Fatalf("exit %d: %s\n%s", code, stderr, out)
	}
	if n := containersLeft(t, dir); n != 0 {
		t.Errorf("%d containers were left", n)
	}
	var kinds []string
	for _, r := range logs.Records() {
		switch body := r.Body.(type) {
		case contract.SystemBody:
			kinds = append(kinds, body.Event)
		case contract.LaunchBody:
			kinds = append(kinds, body.Outcome)
		}
	}
	want := append(append([]string{"start"}, slices.Repeat([]string{contract.LaunchStarted}, 12)...), "stop")
	if diff := cmp.Diff(want, kinds); diff != "" {
		t.Errorf("records (-want +got):\n%s", diff)
	}
	text = ""
	for _, r := range logs.Records() {
		line, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		text += string(line) + "\n"
	}
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if code, out, stderr := call(t, "plan", "--replay", file); code != exitDone || strings.Count(out, "\n") != 13 {
		t.Errorf("replay: exit %d, %d lines: %s", code, strings.Count(out, "\n"), stderr)
	}
	code, table, _ := call(t, "report")
	if flat := strings.Join(strings.Fields(table), " "); code != exitDone || !strings.Contains(flat, "planned 12 started 12 failed 0 dropped 0") {
		t.Errorf("exit %d, report\n%s", code, table)
	}
}

func TestRunSaysWhyItCannotBegin(t *testing.T) {
	dir := scripts(t)
	file := filepath.Join(dir, "plan.ndjson")
	if err := os.WriteFile(file, []byte("{}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	blocked := filepath.Join(dir, "file")
	if err := os.WriteFile(blocked, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		set  map[string]string
		args []string
		want int
	}{
		"unknown command":   {nil, []string{"dance"}, exitConfig},
		"too much":          {nil, []string{"settings", "all"}, exitConfig},
		"too much again":    {nil, []string{"version", "-v"}, exitConfig},
		"unknown flag":      {nil, []string{"run", "--fast"}, exitConfig},
		"unknown profile":   {nil, []string{"run", "--profile", "nosuch"}, exitConfig},
		"a damaged plan":    {nil, []string{"run", "--plan", file}, exitConfig},
		"no such plan":      {nil, []string{"run", "--plan", "/nosuch"}, exitConfig},
		"no scripts":        {map[string]string{"GESTOR_SCRIPTS": "/nosuch"}, []string{"plan"}, exitConfig},
		"a state in a file": {map[string]string{"GESTOR_STATE": blocked + "/x"}, []string{"run"}, exitStorage},
		"a bad address":     {map[string]string{"GESTOR_OPS": "nonsense"}, []string{"run"}, exitConfig},
		"no report yet":     {nil, []string{"report"}, exitStorage},
		"nobody to ask":     {map[string]string{"GESTOR_OPS": "127.0.0.1:1"}, []string{"healthcheck"}, exitOther},
	} {
		t.Run(name, func(t *testing.T) {
			for key, value := range test.set {
				t.Setenv(key, value)
			}
			if code, _, stderr := call(t, test.args...); code != test.want || stderr == "" {
				t.Errorf("exit %d, want %d: %s", code, test.want, stderr)
			}
		})
	}
}

func TestDownRemovesARun(t *testing.T) {
	dir := scripts(t)
	for i := range 3 {
		line := fmt.Sprintf("%064d\tgestor\trun%d\t1\tlow\tlow-idle\t1\t\trunning\tname\n", i, i)
		if err := os.WriteFile(filepath.Join(dir, "containers", fmt.Sprintf("%064d", i)), []byte(line), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if code, out, stderr := call(t, "down", "--run", "run1"); code != exitDone || !strings.Contains(out, "removed 1") || containersLeft(t, dir) != 2 {
		t.Errorf("exit %d, %d left: %s%s", code, containersLeft(t, dir), out, stderr)
	}
	if code, out, stderr := call(t, "down"); code != exitDone || !strings.Contains(out, "removed 2") || containersLeft(t, dir) != 0 {
		t.Errorf("expired leases: exit %d, %d left: %s%s", code, containersLeft(t, dir), out, stderr)
	}
}

func TestHelpAndVersion(t *testing.T) {
	clearEnv(t)
	for _, arguments := range [][]string{{"--help"}, {"run", "--help"}, {"plan", "-h"}, {"down", "--help"}, {"help"}} {
		if code, out, _ := call(t, arguments...); code != exitDone || !strings.HasPrefix(out, "usage:") || !strings.Contains(out, "GESTOR_SEED") {
			t.Errorf("%v: exit %d: %s", arguments, code, out)
		}
	}
	if code, out, _ := call(t, "settings"); code != exitDone || !strings.HasPrefix(out, "  GESTOR_PROFILE ") {
		t.Errorf("settings: code %d, said %q", code, out)
	}
	for _, argument := range []string{"version", "--version"} {
		if code, out, _ := call(t, argument); code != exitDone || out != "gestor-generator "+contract.Version+"\n" {
			t.Errorf("%s: %d %s", argument, code, out)
		}
	}
}

func TestExitCodesTellTheCause(t *testing.T) {
	for _, test := range []struct {
		err  error
		want int
	}{
		{nil, exitDone},
		{errors.New("x"), exitOther},
		{errConfig, exitConfig},
		{containers.ErrEngine, exitEngine},
		{ship.ErrFailed, exitStorage},
		{fmt.Errorf("next part of the plan: %w", plan.ErrWrite), exitStorage},
		{errors.Join(errLeft, containers.ErrEngine), exitLeft},
		{errors.Join(fmt.Errorf("list: %w", churn.ErrEngineLost), errLeft, containers.ErrEngine), exitEngine},
		{containers.ErrVersion, exitConfig},
		{errStrict, exitStrict},
	} {
		if got := exitCode(test.err); got != test.want {
			t.Errorf("%v gives %d, want %d", test.err, got, test.want)
		}
	}
}

// A version that the engine does not speak is not spoken later either.
func TestAWrongVersionOfTheEnginesInterfaceEndsAtOnce(t *testing.T) {
	dir := scripts(t)
	if err := os.WriteFile(filepath.Join(dir, "version"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if code, out, stderr := call(t, "run"); code != exitConfig || !strings.Contains(stderr, "unset it") || strings.Contains(out, "waiting") {
		t.Errorf("exit %d: %s%s", code, stderr, out)
	}
}

// A run that is told to stop while it still waits for the engine has left nothing behind: that is no failure.
func TestStoppedBeforeTheRunBegins(t *testing.T) {
	dir := scripts(t)
	if err := os.WriteFile(filepath.Join(dir, "away"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(200*time.Millisecond, cancel)
	var out, stderr bytes.Buffer
	if code := command(ctx, []string{"run"}, &out, &stderr); code != exitDone || !strings.Contains(out.String(), "stopped before") {
		t.Errorf("exit %d: %s%s", code, &stderr, &out)
	}
}

func TestPruneKeepsTheNewest(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a[1]")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	for i := range 5 {
		path := filepath.Join(dir, fmt.Sprintf("plan-%d.ndjson", i))
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		when := time.Unix(int64(1000-i), 0)
		if err := os.Chtimes(path, when, when); err != nil {
			t.Fatal(err)
		}
	}
	if err := prune(dir, 2); err != nil {
		t.Fatal(err)
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) != 2 || left[0].Name() != "plan-0.ndjson" {
		t.Errorf("left %v (%v)", left, err)
	}
}
