package explain

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gestor.local/contract/policy2"
	"gestor.local/manager/internal/journal"
	"gestor.local/manager/internal/journal/journaltest"
	"gestor.local/manager/internal/policyfile"
	"gestor.local/manager/internal/rules/rulestest"
)

const (
	hour = time.Hour
	day  = 24 * hour
)

// policyOf reads a policy of version 2.
func policyOf(t *testing.T, text string) policy2.Policy {
	t.Helper()
	path := t.TempDir() + "/policy.yaml"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	d, err := policyfile.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	return *d.V2
}

// record writes what a simulated host goes through into a journal of version 2.
func record(t *testing.T, dir string, w *rulestest.World, until time.Duration) {
	t.Helper()
	now := time.Time{}
	j, _, err := journal.Open(dir, journal.Options{Version: 2, SegmentBytes: 60_000, Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}

	recorder := journaltest.Recorder{Journal: j}
	w.OnTick = func(tick *rulestest.Tick) {
		now = time.UnixMicro(tick.Facts.WallUS).UTC()
		if err := recorder.Tick(tick); err != nil {
			t.Fatal(err)
		}
	}
	w.Run(until)
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
}

const previews = `version: 2
own: [{label: preview.branch}]
rules:
  - {name: main stays, match: {label: preview.branch=main}, do: keep}
  - name: stale
    each: project
    keep: {newest: 2, per: label preview.branch}
    rest_when: {age: 3d}
    rest: [warn, {after: 24h, do: stop}, {after: 4d, do: remove}]
budget: [10 per tick, 20 per 1h]
tick: 1m
`

func previewsWorld(t *testing.T) *rulestest.World {
	w := rulestest.New(policyOf(t, previews), -5*time.Minute)
	w.ApprovedAt = -time.Minute
	for _, p := range []struct {
		project, branch string
		age             time.Duration
	}{{"m-1", "main", 30 * day}, {"a-1", "a", 10 * day}, {"a-2", "a", 8 * day}, {"a-3", "a", 5 * day}, {"a-4", "a", day}, {"c-1", "c", 60 * hour}, {"c-2", "c", day}, {"c-3", "c", hour}} {
		labels := map[string]string{"preview.branch": p.branch, "app.token": "secret"}
		w.Add(rulestest.Container{Name: p.project + "-web", Image: "registry.example/acme/web:pr-7", Project: p.project, Service: "web", DependsOn: []string{"db"}, Labels: labels, Created: -p.age})
	}
	return w
}

const mixedHost = `version: 2
own: [{label: team}]
protect: [{image: redis*}, {label: keep}]
rules:
  - {name: idle, match: {image: mcp/*}, when: {idle: 15m}, do: [warn, {after: 15m, do: remove}]}
  - {name: hogs, when: {cpu: 150%, for: 5m}, do: throttle to 50%}
  - {name: bombs, when: {processes: 500, for: 30s}, do: stop}
  - {name: old, match: {name: "job-*"}, when: {age: 3h}, do: [warn, {after: 1h, do: stop}, {after: 1h, do: remove}]}
  - {name: ended, when: {ended: 2h}, do: remove}
idle: {cpu: 0.1%, net: 100}
surprise: 100%
`

func hostWorld(t *testing.T) *rulestest.World {
	w := rulestest.New(policyOf(t, mixedHost), -hour)
	own := map[string]string{"team": "a", "secret.key": "x"}
	keep := map[string]string{"team": "a", "keep": ""}
	exited := -90 * time.Minute
	w.Add(
		rulestest.Container{Name: "mcp-time", Image: "mcp/time", Labels: own, Rm: true, Created: -hour, CPU: rulestest.ActiveAt(-20 * time.Minute)},
		rulestest.Container{Name: "mcp-scan", Image: "mcp/scan", Labels: own, Network: "host", Created: -5 * hour, CPU: rulestest.ActiveAt()},
		rulestest.Container{Name: "hog", Image: "agent", Labels: own, Created: -hour, CPU: rulestest.Always[int64](1800)},
		rulestest.Container{Name: "bomb", Image: "agent", Labels: own, Rm: true, Created: -hour, Processes: rulestest.Always(900)},
		rulestest.Container{Name: "job-1", Image: "job", Labels: own, Created: -4 * hour},
		rulestest.Container{Name: "job-2", Image: "job", Labels: own, Created: -2 * hour},
		rulestest.Container{Name: "left", Image: "job", Labels: own, Created: -4 * hour, State: "exited", Finished: exited},
		rulestest.Container{Name: "cache", Image: "bitnami/redis:7", Labels: own, Created: -4 * hour},
		rulestest.Container{Name: "kept", Image: "job", Labels: keep, Created: -4 * hour},
		rulestest.Container{Name: "other", Image: "nginx", Created: -4 * hour},
	)
	return w
}

// cornersWorld has who is spared, needed, in doubt, unknown or too new.
func cornersWorld(t *testing.T) *rulestest.World {
	w := rulestest.New(policyOf(t, `version: 2
own: [{label: team}, {name: "named-*"}]
protect: [{label: keep}]
rules:
  - {name: by image, match: [{image: mcp/*}, {network: back}], when: {age: 1h}, do: stop}
  - {name: idle, match: {label: idle}, when: {idle: 1h}, do: [warn, {after: 1h, do: stop}]}
  - {name: ttl, match: {label: ttl}, when: {expired: ttl}, do: remove}
  - {name: hogs, when: {cpu: 150%, for: 5m}, do: throttle to 50%}
  - {name: jobs, match: {project: "*"}, each: project, when: {age: 2h}, do: [stop, {after: 1h, do: remove}]}
  - {name: old, match: [{name: "named-*"}, {label: old}, {label: idle}], when: {age: 3h}, do: remove}
  - {name: two, match: {label: group}, each: container, keep: {lightest: 2, per: label group}, rest: stop}
surprise: 100%
`), -hour)
	labels := func(more ...string) map[string]string {
		out := map[string]string{"team": "a"}
		for _, key := range more {
			out[key] = "x"
		}
		return out
	}
	started := 55 * time.Second
	w.Add(
		rulestest.Container{Name: "by-id", Image: "sha256:" + strings.Repeat("9f2c01ab", 8), Labels: labels("old"), Created: -4 * hour},
		rulestest.Container{Name: "p-web", Image: "job", Project: "p", Service: "web", Labels: labels(), Created: -4 * hour},
		rulestest.Container{Name: "p-db", Image: "job", Project: "p", Service: "db", Labels: labels("keep"), Created: -4 * hour},
		rulestest.Container{Name: "q-web", Image: "job", Project: "q", Service: "web", Labels: labels(), Created: -4 * hour},
		rulestest.Container{Name: "q-job", Image: "job", Project: "q", Service: "job", Labels: labels(), Created: -90 * time.Minute},
		rulestest.Container{Name: "named-1", Image: "job", Created: -4 * hour, Started: &started, State: ""},
		rulestest.Container{Name: "named-2", Image: "job", Created: -150 * time.Minute},
		rulestest.Container{Name: "net", Image: "mcp/net", Labels: labels(), Created: -4 * hour},
		rulestest.Container{Name: "user", Image: "job", Labels: labels("keep"), Network: "container:net", Created: -4 * hour},
		rulestest.Container{Name: "host-net", Image: "job", Labels: labels("idle"), Network: "host", Created: -4 * hour, CPU: rulestest.Always[int64](2000)},
		rulestest.Container{Name: "soon", Image: "job", Labels: map[string]string{"team": "a", "ttl": "soon"}, Created: -4 * hour},
		rulestest.Container{Name: "g-1", Image: "job", Labels: labels("group"), Created: -hour, CPU: rulestest.Always[int64](10)},
		rulestest.Container{Name: "g-2", Image: "job", Labels: labels("group"), Created: -hour, CPU: rulestest.Always[int64](200)},
		rulestest.Container{Name: "g-3", Image: "job", Labels: labels("group"), Created: -hour, CPU: rulestest.Always[int64](90)},
		rulestest.Container{Name: "new", Image: "mcp/new", Labels: labels(), Created: 55 * time.Second},
		rulestest.Container{Name: "paused", Image: "job", Labels: labels(), Created: -4 * hour},
	)
	w.At(-30*time.Minute, func() { w.Pause("paused") })
	return w
}

// crowdWorld has more to stop at once than the policy expects.
func crowdWorld(t *testing.T) *rulestest.World {
	w := rulestest.New(policyOf(t, `version: 2
own: [{label: team}]
rules: [{name: old, when: {age: 3h}, do: [stop, {after: 1h, do: remove}]}]
`), -hour)
	for i := range 6 {
		w.Add(rulestest.Container{Name: fmt.Sprintf("c%d", i), Image: "job", Labels: map[string]string{"team": "a"}, Created: -2 * hour})
	}
	return w
}

var update = flag.Bool("update", false, "write the golden files")

// golden compares with a file of testdata.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", name, diff)
	}
}

// world is a simulated host whose journal is explained at a moment.
type world struct {
	make  func(*testing.T) *rulestest.World
	set   func(*rulestest.World)
	until time.Duration
}

func (w world) journal(t *testing.T) Journal {
	t.Helper()
	dir, host := t.TempDir(), w.make(t)
	if w.set != nil {
		w.set(host)
	}
	record(t, dir, host, w.until)
	return at(dir)
}

// worlds are those that are explained, by the name of their golden files.
func worlds() map[string]world {
	return map[string]world{
		"previews":   {previewsWorld, nil, 21 * hour},
		"unapproved": {previewsWorld, func(w *rulestest.World) { w.At(20*hour, w.Revoke) }, 21 * hour},
		"gated":      {previewsWorld, func(w *rulestest.World) { w.ManagerDown(20*hour, 21*hour) }, 21 * hour},
		"host":       {hostWorld, nil, 20 * time.Minute},
		"hog":        {hostWorld, nil, 7 * hour}, // given back after six hours, and throttled anew
		"surprise":   {crowdWorld, nil, hour + 2*time.Minute},
		"capped":     {crowdWorld, nil, hour + 10*time.Minute},
		"corners":    {cornersWorld, nil, time.Minute},
	}
}

// TestExplainOfAContainer: what people read of each kind of verdict.
func TestExplainOfAContainer(t *testing.T) {
	containers := map[string][]string{
		"previews": {"a-2-web", "a-4-web", "m-1-web", "c-1-web"}, "unapproved": {"a-2-web"}, "gated": {"a-2-web"},
		"host": {"mcp-time", "mcp-scan", "hog", "bomb", "job-1", "job-2", "left", "cache", "other"}, "hog": {"hog"},
		"surprise": {"c0", "c1"}, "capped": {"c0", "c1"},
		"corners": {
			"by-id", "p-web", "p-db", "q-web", "named-1", "named-2", "net", "host-net", "soon", "g-1", "g-2", "new", "paused",
		},
	}
	for name, of := range worlds() {
		t.Run(name, func(t *testing.T) {
			j := of.journal(t)
			var b bytes.Buffer
			for _, who := range containers[name] {
				h, err := j.Container(who)
				if err != nil {
					t.Fatal(err)
				}
				if err := h.Table(&b); err != nil {
					t.Fatal(err)
				}
				b.WriteString("\n--\n")
			}
			golden(t, name+".txt", b.Bytes())
		})
	}
}

// TestExplainOfATick: every verdict by rule, what holds it, what is told and what was done.
func TestExplainOfATick(t *testing.T) {
	for name, of := range worlds() {
		t.Run(name, func(t *testing.T) {
			j := of.journal(t)
			report, err := j.Last()
			if err != nil {
				t.Fatal(err)
			}
			last := report.(RulesReport)
			golden(t, "tick-"+name+".txt", []byte(table(t, last)))

			// Each tick can be had by its number, and is the same.
			again, err := j.Tick(last.Tick)
			if err != nil || table(t, again) != table(t, last) {
				t.Errorf("%v: tick %d is another by its number:\n%s", err, last.Tick, table(t, again))
			}
			if first, err := j.Tick(1); err != nil || first.(RulesReport).Tick != 1 {
				t.Errorf("the first tick: %v %+v", err, first)
			}
		})
	}
}

// TestExplainAsJSON: the same for machines.
func TestExplainAsJSON(t *testing.T) {
	j := worlds()["previews"].journal(t)
	h, err := j.Container("a-2-web")
	if err != nil {
		t.Fatal(err)
	}
	report, err := j.Last()
	if err != nil {
		t.Fatal(err)
	}

	for name, document := range map[string]any{"container.json": h, "tick.json": report} {
		var b bytes.Buffer
		if err := JSON(&b, document); err != nil {
			t.Fatal(err)
		}
		golden(t, name, b.Bytes())
	}
}
