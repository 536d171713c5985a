package command

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gestor.local/manager/internal/journal"
	"gestor.local/manager/internal/journal/journaltest"
	"gestor.local/manager/internal/policyfile"
	"gestor.local/manager/internal/rules/rulestest"
	"gestor.local/manager/internal/whatif"
)

const examples = "../../../../policy/examples/"

// agentsJournal is that of a host on which agents leave containers behind, under policy/examples/agents.yaml, for four hours.
func agentsJournal(t *testing.T) Defaults {
	t.Helper()
	d, err := policyfile.Load(examples + "agents.yaml")
	if err != nil {
		t.Fatal(err)
	}

	w := rulestest.New(*d.V2, -time.Hour)
	for i, quiet := range []time.Duration{20, 45, 90, 160, 210} {
		end := quiet * time.Minute
		w.Add(rulestest.Container{
			Name: fmt.Sprintf("mcp-fetch-%d", i+1), Image: "mcp/fetch", Created: -30 * time.Minute, Rm: i == 2,
			CPU: rulestest.Between[int64](-time.Hour, end, 50, 0),
		})
	}
	w.Add(rulestest.Container{
		Name: "agent-build", Image: "node:22", Labels: map[string]string{"agent.project": "shop"}, Created: -20 * time.Minute,
		CPU: rulestest.Between[int64](30*time.Minute, 70*time.Minute, 2000, 300),
	})
	w.ManagerDown(100*time.Minute, 112*time.Minute)

	dir := t.TempDir()
	j, _, err := journal.Open(dir, journal.Options{Version: 2, Now: func() time.Time { return time.Unix(1_796_126_400, 0) }})
	if err != nil {
		t.Fatal(err)
	}
	recorder := journaltest.Recorder{Journal: j}
	w.OnTick = func(tick *rulestest.Tick) {
		if err := recorder.Tick(tick); err != nil {
			t.Fatal(err)
		}
	}
	w.Run(3 * time.Hour)
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	return Defaults{Journal: dir}
}

// TestDocumentedWhatIf: the page shows what the command says.
func TestDocumentedWhatIf(t *testing.T) {
	e := agentsJournal(t)
	page := readText(t, filepath.Join("..", "..", "..", "..", "docs", "own-host.md"))
	asked := filepath.Join(t.TempDir(), "shorter.yaml")
	_, policy, _ := strings.Cut(page, "shorter.yaml\n```yaml\n")
	policy, _, _ = strings.Cut(policy, "```")
	if err := os.WriteFile(asked, []byte(policy), 0o600); err != nil {
		t.Fatal(err)
	}

	code, out, errs := call(WhatIf(e), "--policy", asked)
	if code != 10 || errs != "" || !strings.Contains(page, "```text\n"+out+"```\n") {
		t.Errorf("%d %s\n%s", code, errs, out)
	}
}

func TestWhatIf(t *testing.T) {
	e := agentsJournal(t)
	folder := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	none := file("none.yaml", "version: 2\nown: []\n")
	const empty = "nothing lies between"

	for _, c := range []struct {
		args []string
		code int
		says string
	}{
		{[]string{"--policy", examples + "agents.yaml"}, 0, "0 of 5 containers with a step differ; 0 kept longer; 0.0 container-hours saved"},
		{[]string{"--policy", examples + "agents.yaml", "--from", "2026-12-01T13:00:00Z"}, 0, " from 2026-12-01 13:00:00 to "},
		{[]string{"--policy", none}, 10, "3 kept longer"},
		{[]string{"--policy", none, "--json", "--to", "2026-12-01T14:00:00Z"}, 10, `"kept_longer": 2`},
		{nil, 2, "which policy?"},
		{[]string{"--policy", folder + "/absent.yaml"}, 2, "no such file"},
		{[]string{"--policy", file("bad.yaml", "version: 2\nrules: [{name: x, do: kill}]\n")}, 2, `"kill" is not a step`},
		{[]string{"--policy", file("one.yaml", "version: 1\n")}, 2, "is of version 1"},
		{[]string{"--policy", none, "--from", "yesterday"}, 2, `"yesterday" is no time (such as `},
		{[]string{"--policy", none, "--from", "2026-12-01", "--to", "2026-11-01"}, 2, empty},
		{[]string{"--policy", none, "--from", "1h", "--to", "2h"}, 2, empty},
		{[]string{"--policy", none, "--from", "2030-01-01"}, 2, "the journal has them from 2026-12-01T11:00:10Z to 2026-12-01T15:00:00Z"},
		{[]string{"--policy", none, "--journal", folder + "/none"}, 5, "next: name the folder"},
		{[]string{"--policy", none, "--journal", none}, 5, "there is nothing to replay"},
		{[]string{"--policy", none, "--journal", withJournal(t).Journal}, 5, "version 1"},
	} {
		code, out, errs := call(WhatIf(e), c.args...)
		if code != c.code || !strings.Contains(out+errs, c.says) || (c.code == 2 || c.code == 5) != (errs != "") {
			t.Errorf("whatif %v: %d\n%s%s", c.args, code, out, errs)
		}
	}

	e.Input = strings.NewReader("version: 2\nown: []\n")
	code, out, errs := call(WhatIf(e), "--policy", "-", "--json")
	var report whatif.Report
	if err := json.Unmarshal([]byte(out), &report); err != nil || code != 10 || report.KeptLonger != 3 {
		t.Errorf("%d %v\n%s%s", code, err, out, errs)
	}
}
