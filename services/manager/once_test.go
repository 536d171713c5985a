package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"gestor.local/contract"
)

// pair is an engine with two containers, made one after the other, that are the suite's and run without a process.
type pair struct {
	mu    sync.Mutex
	asked []string // whatever changes something
	state map[string]string
	ended map[string]string
}

func newPair(t *testing.T) (p *pair, address string) {
	t.Helper()
	p = &pair{state: map[string]string{}, ended: map[string]string{}}
	for i := range 2 {
		p.state[pairID(i)], p.ended[pairID(i)] = contract.StateRunning, "0001-01-01T00:00:00Z"
	}
	s := httptest.NewServer(p)
	t.Cleanup(s.Close)
	return p, "tcp://" + strings.TrimPrefix(s.URL, "http://")
}

// pairID is the id of the older one, 0, or of the newer one.
func pairID(i int) string { return strings.Repeat(fmt.Sprint(i+1), 64) }

// created is an hour ago and half an hour ago.
func (p *pair) created(i int) time.Time {
	return time.Now().UTC().Truncate(time.Hour).Add(time.Duration(i-2) * 30 * time.Minute)
}

func (p *pair) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	w.Header().Set("Api-Version", "1.41")
	w.Header().Set("Content-Type", contract.MediaJSON)

	_, path, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/v"), "/")
	parts := strings.Split(path, "/")
	switch {
	case strings.HasPrefix(r.URL.Path, "/v1.99/"):
		w.WriteHeader(http.StatusBadRequest)
		_, _ = w.Write([]byte(`{"message":"client version 1.99 is too new. Maximum supported API version is 1.41"}`))
	case path == "info":
		_, _ = w.Write([]byte(`{"Name":"fakehost"}`))
	case path == "containers/json":
		p.list(w)
	case len(parts) < 2 || p.state[parts[1]] == "":
		w.WriteHeader(http.StatusNotFound)
		_, _ = w.Write([]byte(`{"message":"No such container"}`))
	case r.Method == http.MethodGet:
		p.inspect(w, parts[1])
	default:
		p.asked = append(p.asked, r.Method+" "+strings.Replace(path, parts[1], "older", 1))
		p.change(parts[1], r.Method)
		w.WriteHeader(http.StatusNoContent)
	}
}

// changes are the calls so far that change something.
func (p *pair) changes() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.asked)
}

func (p *pair) list(w http.ResponseWriter) {
	rows := []map[string]any{}
	for i := range 2 {
		if id := pairID(i); p.state[id] != "" {
			rows = append(rows, map[string]any{
				"Id": id, "Names": []string{"/" + pairName(i)}, "Image": "web", "State": p.state[id], "Created": p.created(i).Unix(), "Labels": pairLabels(),
			})
		}
	}
	_ = json.NewEncoder(w).Encode(rows)
}

func (p *pair) inspect(w http.ResponseWriter, id string) {
	i := int(id[0] - '1')
	created := p.created(i).Format(time.RFC3339Nano)
	_ = json.NewEncoder(w).Encode(map[string]any{
		"Id": id, "Name": "/" + pairName(i), "Created": created, "Mounts": []any{},
		"State":      map[string]any{"Status": p.state[id], "Running": p.state[id] == contract.StateRunning, "StartedAt": created, "FinishedAt": p.ended[id]},
		"Config":     map[string]any{"Image": "web", "Labels": pairLabels()},
		"HostConfig": map[string]any{"NetworkMode": "none", "RestartPolicy": map[string]any{"Name": "no"}},
	})
}

func (p *pair) change(id, method string) {
	if method == http.MethodDelete {
		delete(p.state, id)
		return
	}
	p.state[id], p.ended[id] = contract.StateExited, time.Now().UTC().Format(time.RFC3339Nano)
}

func pairName(i int) string { return [...]string{"older", "newer"}[i] }

func pairLabels() map[string]string {
	return map[string]string{contract.LabelManaged: "true", contract.LabelSuite: "s"}
}

// oncePolicy sets the environment for a policy of version 2 with these lines.
func oncePolicy(t *testing.T, engine, lines string) (state string) {
	t.Helper()
	clearEnv(t)
	folder := t.TempDir()
	path := filepath.Join(folder, "policy.yaml")
	if err := os.WriteFile(path, []byte("version: 2\ntick: 1s\n"+lines), 0o600); err != nil {
		t.Fatal(err)
	}
	state = filepath.Join(folder, "state")
	for name, value := range map[string]string{
		"GESTOR_ENGINE": engine, "GESTOR_STATE": state, "GESTOR_SOURCE": "procfs", "GESTOR_SUITE": "s", "GESTOR_POLICY": path,
	} {
		t.Setenv(name, value)
	}
	return state
}

// onceAnswer is what once says in JSON: the plan document, or what the journal has of it.
type onceAnswer struct {
	V        int
	Held     string
	Verdicts []struct {
		Name, Step string
		Next       *struct{ Step string }
		Actions    []struct{ Action, Outcome string }
	}
}

func callOnce(t *testing.T, args ...string) onceAnswer {
	t.Helper()
	var stdout, stderr bytes.Buffer
	if code := dispatch(context.Background(), append([]string{"once", "--json"}, args...), &stdout, &stderr); code != exitDone {
		t.Fatalf("code %d: %s", code, stderr.String())
	}
	var out onceAnswer
	if err := json.Unmarshal(stdout.Bytes(), &out); err != nil {
		t.Fatalf("%v: %s", err, stdout.String())
	}
	return out
}

// Under a policy of version 2 the step that is due is taken, and no other: what comes later waits for a later run, which knows of it.
func TestOnceTakesTheStepThatIsDue(t *testing.T) {
	engine, address := newPair(t)
	state := oncePolicy(t, address, "rules:\n  - {name: newest, each: container, keep: {newest: 1}, rest: [stop, {after: 1h, do: remove}]}\n")

	shadow := callOnce(t, "--shadow")
	if len(engine.changes()) != 0 || shadow.V != 2 || shadow.Verdicts[1].Name != "older" || shadow.Verdicts[1].Step != "stop" || shadow.Held != "" {
		t.Errorf("a shadow asked for %q: %+v", engine.changes(), shadow)
	}
	if _, err := os.Stat(state); !os.IsNotExist(err) {
		t.Errorf("a shadow has a state: %v", err)
	}

	first := callOnce(t)
	if want := "POST containers/older/stop"; len(engine.changes()) != 1 || engine.changes()[0] != want {
		t.Errorf("asked for %q, want %s alone", engine.changes(), want)
	}
	if v := first.Verdicts[1]; v.Name != "older" || v.Step != "stop" || len(v.Actions) != 1 || v.Actions[0].Outcome != contract.OutcomeDone {
		t.Errorf("%+v", first)
	}

	second := callOnce(t)
	if len(engine.changes()) != 1 {
		t.Errorf("the wait has not passed, and it asked for %q", engine.changes()[1:])
	}
	found := false
	for _, v := range second.Verdicts {
		found = found || v.Name == "older" && v.Step == "keep" && v.Next != nil && v.Next.Step == "remove"
	}
	if !found {
		t.Errorf("the second run does not know of the first: %+v", second)
	}
}

// Nobody has approved the policy: once shows what it would do, and does nothing.
func TestOnceAsksForTheApproval(t *testing.T) {
	engine, address := newPair(t)
	oncePolicy(t, address, "own: [{name: older}, {name: newer}]\nrules:\n  - {name: newest, each: container, keep: {newest: 1}, rest: remove}\n")
	if out := callOnce(t); out.Held != "unapproved" || len(engine.changes()) != 0 || len(out.Verdicts) < 2 || out.Verdicts[1].Step != "remove" {
		t.Errorf("asked for %q: %+v", engine.changes(), out)
	}
}
