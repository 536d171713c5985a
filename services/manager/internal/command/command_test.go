package command

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gestor.local/manager/internal/journal"
	"gestor.local/manager/internal/journal/journaltest"
	"gestor.local/manager/internal/policyfile"
	"gestor.local/manager/internal/rules"
	"gestor.local/program/cli"
)

// call runs a subcommand and returns its code and what it printed.
func call(command cli.Command, args ...string) (code int, out, errs string) {
	var stdout, stderr bytes.Buffer
	program := cli.Program{Name: "gestor-manager", Default: command, Commands: []cli.Command{command}, ListFlags: true, Fail: Fail}
	code = program.Run(context.Background(), append([]string{command.Name}, args...), &stdout, &stderr)
	return code, stdout.String(), stderr.String()
}

func withJournal(t *testing.T) Defaults {
	dir := t.TempDir()
	journaltest.Write(t, dir, 5, journal.Options{})
	return Defaults{Journal: dir, Logs: "http://logs.example:9080/"}
}

func TestExplain(t *testing.T) {
	e := withJournal(t)
	for _, c := range []struct {
		args []string
		code int
		says string
	}{
		{nil, 0, "tick 5, snapshot 105"},
		{[]string{"2"}, 0, "tick 2, snapshot 102"},
		{[]string{"--journal", e.Journal, "l4"}, 0, "l4, 4000"},
		{[]string{"4000000"}, 0, "l4, 4000"}, // digits only, but no tick
		{[]string{"--json", "l4"}, 0, `"chapters"`},
		{[]string{"--json"}, 0, `"containers"`},
		{[]string{"4"}, 0, "tick 4, snapshot 104"},
		{[]string{"0"}, 2, "tick 0: not in the journal"}, // no part of the name l0
		{[]string{"99"}, 2, "explain: tick 99: not in the journal, which reaches from tick 1 (2026-01-02T03:04:00Z) to tick 5 (2026-01-02T03:04:40Z); next: ask the log service"},
		{[]string{"nobody"}, 2, "curl -s 'http://logs.example:9080/v1/records?kind=launch,decision,action&q=nobody'"},
		{[]string{"l"}, 2, "more than one container answers to that: l0 (000000000000, last on tick 5), l1 ("},
		{[]string{"l4"}, 0, "removed by Gestor at 2026-01-02T03:04:40Z"},
		{[]string{"l4"}, 0, "Its whole life: http://logs.example:9080/containers/4000"},
		{[]string{""}, 2, "the argument is empty"},
		{[]string{strings.Repeat("n", 1<<20)}, 2, "container of 1048576 bytes: not in the journal, which reaches from"},
		{[]string{"--json", "nobody"}, 2, "next: ask the log service"},
		{[]string{"a", "b"}, 2, "one argument too many"},
		{[]string{"--wrong"}, 2, "usage: gestor-manager explain"},
		{[]string{"--journal", "/none"}, 5, "no such file or directory; next: name the folder"},
		{[]string{"--help"}, 0, "usage: gestor-manager explain"},
	} {
		code, out, errs := call(Explain(e), c.args...)
		if code != c.code || !strings.Contains(out+errs, c.says) || (c.code == 0) != (errs == "") {
			t.Errorf("explain %v: %d\n%s%s", c.args, code, out, errs)
		}
	}
}

func TestReplay(t *testing.T) {
	e := withJournal(t)
	if code, out, _ := call(Replay(e)); code != 0 || !strings.Contains(out, "5 decisions made again: 5 the same, 0 different") {
		t.Errorf("%d %s", code, out)
	}
	code, out, _ := call(Replay(Defaults{}), "--json", e.Journal)
	var report struct{ Ticks, Same int }
	if err := json.Unmarshal([]byte(out), &report); err != nil || code != 0 || report.Same != 5 {
		t.Errorf("%d %v %s", code, err, out)
	}
	files, _ := filepath.Glob(filepath.Join(e.Journal, "*.ndjson"))
	text, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(files[0], bytes.Replace(text, []byte(`"rank":4`), []byte(`"rank":9`), 1), 0o600); err != nil {
		t.Fatal(err)
	}
	if code, out, _ := call(Replay(e), files[0]); code != 1 || !strings.Contains(out, "1 different") || !strings.Contains(out, "tick 1, snapshot 101") {
		t.Errorf("%d %s", code, out)
	}
	if code, _, errs := call(Replay(Defaults{}), "/none"); code != 5 || errs == "" {
		t.Errorf("%d %s", code, errs)
	}
	if code, _, errs := call(Replay(Defaults{}), t.TempDir()); code != 5 || !strings.Contains(errs, "nothing to replay") {
		t.Errorf("an empty folder: %d %s", code, errs)
	}
	lines := bytes.SplitAfter(text, []byte{'\n'})
	if err := os.WriteFile(files[0], bytes.Join(append(lines[:4:4], lines[5:]...), nil), 0o600); err != nil {
		t.Fatal(err)
	}
	if code, out, _ := call(Replay(e)); code != 1 || !strings.Contains(out, "1 missing lines") {
		t.Errorf("a missing line: %d %s", code, out)
	}
}

// Journals with lines of version 2, alone and beside those of version 1: the same commands, the same codes.
func TestExplainAndReplayOfVersion2(t *testing.T) {
	dir := t.TempDir()
	j, _, err := journal.Open(dir, journal.Options{Version: journal.Version})
	if err != nil {
		t.Fatal(err)
	}
	load := journaltest.NewLoad(3)
	program, memory, name := rules.New(load.Policy), rules.Memory{}, ""
	for range 6 {
		f := load.Next()
		name = f.Containers[0].Name
		plan := rules.Decide(program, memory, f)
		if _, err := j.Decide(journal.Decision{Program: program, Memory: memory, Facts: f, Plan: &plan}); err != nil {
			t.Fatal(err)
		}
		memory = rules.Remember(program, memory, f, plan, nil)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}

	e := Defaults{Journal: dir, Logs: "http://logs.example:9080/"}
	want := func(command cli.Command, code int, says string, args ...string) {
		t.Helper()
		if got, out, errs := call(command, args...); got != code || !strings.Contains(out+errs, says) {
			t.Errorf("%s %v: %d\n%s%s", command.Name, args, got, out, errs)
		}
	}
	want(Explain(e), 0, "mode enforce, version 2, policy "+program.Hash())
	want(Explain(e), 0, `"verdicts": [`, "--json", "4")
	want(Explain(e), 0, "own        label gestor.managed = true", name)
	want(Explain(e), 0, `"explanation": {`, "--json", name)
	want(Explain(e), 2, "tick 7: not in the journal, which reaches from tick 1 (", "7")
	want(Explain(e), 2, "more than one container answers to that: project-0-web-0 (", "web")
	want(Replay(e), 0, "6 decisions made again: 6 the same, 0 different")

	journaltest.AppendVersion1(t, dir, 2)
	want(Explain(e), 0, "tick 2, snapshot 102")
	want(Explain(e), 0, "tick 6, snapshot ", "6")
	want(Replay(e), 0, "8 decisions made again: 8 the same, 0 different")

	files, err := filepath.Glob(filepath.Join(dir, "*.ndjson"))
	if err != nil || len(files) != 1 {
		t.Fatal(files, err)
	}
	text, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(files[0], bytes.Replace(text, []byte(`"facts":3,`), []byte(`"facts":4,`), 1), 0o600); err != nil {
		t.Fatal(err)
	}
	want(Replay(e), 1, "4 ticks were left out: a line that their facts depend on is missing or damaged\nthe journal is not whole: 1 missing lines, 1 of them damaged")
	want(Explain(e), 2, "tick 5: a line of the journal that its facts depend on is missing or damaged; next: ", "5")
}

func TestCheckPolicy(t *testing.T) {
	dir := t.TempDir()
	good, bad := filepath.Join(dir, "good.yaml"), filepath.Join(dir, "bad.yaml")
	if err := os.WriteFile(good, []byte("version: 1\nquota: {low: 4}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(bad, []byte("version: 1\nqota: 3\nmode: of\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if code, out, errs := call(CheckPolicy(Defaults{Policy: good})); code != 0 || errs != "" || !strings.Contains(out, "low: 4") || !strings.Contains(out, "high: 2") || !strings.Contains(out, "hash ") {
		t.Errorf("%d %s%s", code, out, errs)
	}
	if code, out, errs := call(CheckPolicy(Defaults{}), "--quiet", good); code != 0 || out+errs != "" {
		t.Errorf("%d %s%s", code, out, errs)
	}
	if code, out, errs := call(CheckPolicy(Defaults{}), bad); code != 2 || out != "" || !strings.Contains(errs, "line 2") || !strings.Contains(errs, "line 3") {
		t.Errorf("%d %s%s", code, out, errs)
	}
	if code, _, errs := call(CheckPolicy(Defaults{})); code != 2 || !strings.Contains(errs, "which file") {
		t.Errorf("%d %s", code, errs)
	}
}

func TestSimulate(t *testing.T) {
	code, out, errs := call(Simulate(), "--hours", "0.2", "--seed", "7", "--warmup", "0", "--classify", "rank", "--json")
	var results []struct {
		Seed, Warmup uint64
		Classify     string
		Ticks        int
	}
	if err := json.Unmarshal([]byte(out), &results); err != nil || code != 0 || len(results) != 1 || results[0].Seed != 7 ||
		results[0].Warmup != 0 || results[0].Classify != "rank" || results[0].Ticks != 71 {
		t.Errorf("%d %v %s%s", code, err, out, errs)
	}
	if code, out, _ := call(Simulate(), "--hours", "0.1", "--compare"); code != 0 || strings.Count(out, "\n") != 9 || !strings.Contains(out, "policy met") {
		t.Errorf("%d %s", code, out)
	}
	for _, wrong := range [][]string{{"--cpu", "x"}, {"--classify", "x"}, {"--policy", "/none"}, {"--hours", "0"}, {"--workload", "x"}, {"extra"}} {
		if code, _, errs := call(Simulate(), wrong...); code != 2 || errs == "" {
			t.Errorf("%v: %d %s", wrong, code, errs)
		}
	}
}

// A policy from a file, with one switch of it overridden on the command line.
func TestSimulateAPolicyFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "policy.yaml")
	if err := os.WriteFile(path, []byte("version: 1\nwarmup: 2\nclassify: rank\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, out, errs := call(Simulate(), "--hours", "0.1", "--policy", path, "--warmup", "0", "--json")
	if !strings.Contains(out, `"warmup": 0`) || !strings.Contains(out, `"classify": "rank"`) {
		t.Error(out, errs)
	}
}

// Of version 2 those policies are simulated that a synthetic host can hold against the truth.
func TestSimulateAPolicyFileOfVersion2(t *testing.T) {
	const path = "../../../../policy/policy.yaml"
	of := func(more ...string) (out string) {
		code, out, errs := call(Simulate(), append(more, "--hours", "0.5", "--warmup", "2", "--json")...)
		if code != 0 || len(out) < 100 {
			t.Errorf("%v: %d %s%s", more, code, errs, out)
		}
		return out
	}
	// It is the one without a file, and decides as that of version 1 does.
	if file := of("--policy", path); file != of() || file != of("--classify", "declared") {
		t.Errorf("%s\nand without the file\n%s", file, of())
	}
	for _, wrong := range []string{"--classify=rank", "--compare", "--cpu=lifetime"} {
		if code, out, errs := call(Simulate(), "--hours", "0.1", "--policy", path, wrong); code != 2 || out != "" || !strings.Contains(errs, "version") {
			t.Errorf("%s: %d %s%s", wrong, code, out, errs)
		}
	}
}

// A policy of version 2 is checked. Where it is not simulated the error names what shows its plan.
func TestAPolicyOfVersion2(t *testing.T) {
	path := filepath.Join(t.TempDir(), "policy.yaml")
	if err := os.WriteFile(path, []byte("version: 2\nown: [{label: team}]\nrules: [{name: old, when: {age: 90m}, do: stop}]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	d, err := policyfile.Load(path)
	if err != nil {
		t.Fatal(err)
	}

	code, out, errs := call(CheckPolicy(Defaults{}), path)
	for _, want := range []string{"# " + path + " is a valid policy, hash " + d.Hash() + "\n", "  - {name: old, when: {age: 1h30m}, do: stop}\n", "surprise: 30%\n"} {
		if code != 0 || !strings.Contains(out, want) {
			t.Errorf("no %q: %d %s%s", want, code, out, errs)
		}
	}

	if code, out, errs := call(Simulate(), "--policy", path); code != 2 || out != "" || !strings.Contains(errs, "policy-plan --policy FILE") {
		t.Errorf("%d %s%s", code, out, errs)
	}
}
