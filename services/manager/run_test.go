package main

import (
	"bytes"
	"context"
	"encoding/json"
	"net"
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
	"gestor.local/manager/internal/journal"
	"gestor.local/ship/shiptest"
)

// newDaemon is an engine that has no containers; it returns its address.
func newDaemon(t *testing.T) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Api-Version", "1.41")
		w.Header().Set("Content-Type", contract.MediaJSON)
		switch {
		case strings.HasPrefix(r.URL.Path, "/v1.99/"):
			w.WriteHeader(http.StatusBadRequest)
			_, _ = w.Write([]byte(`{"message":"client version 1.99 is too new. Maximum supported API version is 1.41"}`))
		case strings.HasSuffix(r.URL.Path, "/info"):
			_, _ = w.Write([]byte(`{"Name":"fakehost"}`))
		case strings.HasSuffix(r.URL.Path, "/containers/json"):
			_, _ = w.Write([]byte(`[]`))
		}
	}))
	t.Cleanup(s.Close)
	return "tcp://" + strings.TrimPrefix(s.URL, "http://")
}

// logService is the log service of these tests: it also remembers what else it was asked, in order.
type logService struct {
	shiptest.Service
	mu    sync.Mutex
	asked []string
}

func (l *logService) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	l.mu.Lock()
	l.asked = append(l.asked, r.Method+" "+r.URL.Path)
	l.mu.Unlock()
	switch r.URL.Path {
	case contract.PathReady:
	case contract.PathCharts:
		w.WriteHeader(http.StatusCreated)
	default:
		l.Service.ServeHTTP(w, r)
	}
}

// output takes what a run prints and is read while it goes on.
type output struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}

func TestRunFromStartToTheLastRequest(t *testing.T) {
	clearEnv(t)
	logs := &logService{}
	server := httptest.NewServer(logs)
	defer server.Close()
	ops := freeAddress(t)
	for name, value := range map[string]string{
		"GESTOR_ENGINE": newDaemon(t), "GESTOR_LOGS_URL": server.URL, "GESTOR_STATE": t.TempDir(), "GESTOR_OPS": ops,
		"GESTOR_SOURCE": "procfs", "GESTOR_SUITE": "s", "GESTOR_TICK": "1s", "GESTOR_NOTIFY_URL": server.URL + "/hook",
	} {
		t.Setenv(name, value)
	}
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	var out output
	ended := make(chan int, 1)
	go func() { ended <- dispatch(ctx, []string{"run"}, &out, &out) }()
	eventually(t, "the manager says that it is ready", func() bool { return get(ctx, "http://"+ops+contract.PathReady) == nil })
	if code := dispatch(ctx, []string{"healthcheck", "--ready"}, &out, &out); code != exitDone {
		t.Errorf("healthcheck: code %d", code)
	}
	stop()
	select {
	case code := <-ended:
		if code != exitDone {
			t.Errorf("code %d", code)
		}
	case <-time.After(time.Minute):
		t.Fatal("the manager does not stop")
	}
	var events []string
	for _, r := range logs.Records() {
		if b, ok := r.Body.(contract.SystemBody); ok {
			events = append(events, b.Event)
		}
		if r.Host != "fakehost" || r.Producer != contract.ProducerManager {
			t.Fatalf("record %+v", r)
		}
	}
	if len(events) == 0 || events[0] != "start" || events[len(events)-1] != "stop" {
		t.Errorf("events %v, want start first and stop last", events)
	}
	if first, last := logs.asked[0], logs.asked[len(logs.asked)-1]; first != "GET "+contract.PathReady || last != "POST "+contract.PathCharts {
		t.Errorf("first %q, last %q of %v", first, last, logs.asked)
	}
	steps := []string{"acting has stopped", "flush records", "ask for the charts", "close journal", "close spool", "close engine"}
	var at []int
	for _, s := range steps {
		at = append(at, strings.Index(out.String(), s))
	}
	if at[0] < 0 || !slices.IsSorted(at) {
		t.Errorf("teardown is not in the reverse order of the start: %v\n%s", at, out.String())
	}
}

func TestABusyPortStopsTheStart(t *testing.T) {
	clearEnv(t)
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for name, value := range map[string]string{
		"GESTOR_ENGINE": newDaemon(t), "GESTOR_LOGS_URL": "http://127.0.0.1:1", "GESTOR_LOGS_WAIT": "0s", "GESTOR_FLUSH": "1ms",
		"GESTOR_STATE": t.TempDir(), "GESTOR_OPS": taken.Addr().String(), "GESTOR_SOURCE": "procfs", "GESTOR_SUITE": "s",
	} {
		t.Setenv(name, value)
	}
	var out output
	if code := dispatch(context.Background(), []string{"run"}, &out, &out); code != exitConfig || !strings.Contains(out.String(), "choose an address with a free port") {
		t.Errorf("code %d: %s", code, out.String())
	}
	if strings.Contains(out.String(), "acting has stopped") {
		t.Error("it governed before it knew that it cannot be asked")
	}
}

// An address that cannot be used is said before anything is begun, and nothing of it: it is a secret.
func TestAWebhookThatCannotBeUsedStopsTheStart(t *testing.T) {
	folder := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	good := write("good", "https://hook.test/s3cret\n")

	for name, test := range map[string]struct {
		settings map[string]string
		want     string
	}{
		"no address":       {map[string]string{"GESTOR_NOTIFY_URL": "hook.test/s3cret"}, "GESTOR_NOTIFY_URL is not an address (want https://…)"},
		"both":             {map[string]string{"GESTOR_NOTIFY_URL": "https://hook.test/s3cret", "GESTOR_NOTIFY_URL_FILE": good}, "are both set: one of them is enough"},
		"no file":          {map[string]string{"GESTOR_NOTIFY_URL_FILE": "/nonexistent"}, "read GESTOR_NOTIFY_URL_FILE: open /nonexistent: no such file"},
		"no address in it": {map[string]string{"GESTOR_NOTIFY_URL_FILE": write("bad", "s3cret")}, "GESTOR_NOTIFY_URL_FILE holds no address (want https://…)"},
		"no authorities": {
			map[string]string{"GESTOR_NOTIFY_URL_FILE": good, "GESTOR_CA_FILE": write("ca", "s3cret")}, "GESTOR_CA_FILE holds no certificate: it has to be a PEM file",
		},
	} {
		t.Run(name, func(t *testing.T) {
			clearEnv(t)
			for name, value := range test.settings {
				t.Setenv(name, value)
			}
			t.Setenv("GESTOR_SUITE", "s")
			t.Setenv("GESTOR_STATE", filepath.Join(folder, "state"))

			var out output
			code := dispatch(context.Background(), []string{"run"}, &out, &out)
			if text := out.String(); code != exitConfig || !strings.Contains(text, test.want) || strings.Contains(text, "s3cret") {
				t.Errorf("code %d: %s", code, text)
			}
			if _, err := os.Stat(filepath.Join(folder, "state")); !os.IsNotExist(err) {
				t.Error("it has begun to keep a state")
			}
		})
	}
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// eventually waits for a state, a minute at most.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !holds(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s: not so within a minute", what)
		}
	}
}

func TestOnceDecidesOnceAndShadowLeavesNothingBehind(t *testing.T) {
	file := filepath.Join(t.TempDir(), "policy.yaml")
	writePolicy(t, file, "version: 1\n")
	// A plan of version 2 is the same one, whoever only looks at it.
	t.Run("the default policy", func(t *testing.T) { onceAndShadow(t, "", "enforce") })
	t.Run("version 1", func(t *testing.T) { onceAndShadow(t, file, "shadow") })
}

// onceAndShadow decides under a policy, and only shows it: as a plan of this mode.
func onceAndShadow(t *testing.T, policy, shadow string) {
	clearEnv(t)
	state := t.TempDir()
	for name, value := range map[string]string{
		"GESTOR_ENGINE": newDaemon(t), "GESTOR_STATE": state, "GESTOR_SOURCE": "procfs", "GESTOR_SUITE": "s", "GESTOR_TICK": "1s", "GESTOR_POLICY": policy,
	} {
		t.Setenv(name, value)
	}
	var page struct {
		Mode  string
		Gates []string
	}
	for _, tt := range []struct {
		args []string
		mode string
		left bool
	}{
		{[]string{"once", "--shadow", "--json"}, shadow, false},
		{[]string{"once", "--json"}, "enforce", true},
	} {
		var stdout, stderr bytes.Buffer
		if code := dispatch(context.Background(), tt.args, &stdout, &stderr); code != exitDone {
			t.Fatalf("%v: code %d: %s", tt.args, code, stderr.String())
		}
		if err := json.Unmarshal(stdout.Bytes(), &page); err != nil || page.Mode != tt.mode || len(page.Gates) != 0 {
			t.Errorf("%v: %v, %+v", tt.args, err, page)
		}
		files, err := os.ReadDir(state)
		if err != nil || (len(files) > 0) != tt.left {
			t.Errorf("%v left %v (%v)", tt.args, files, err)
		}
	}
}

// The record says what was found: nothing was copied aside of lines that are damaged in the middle.
func TestWhatWasFoundInTheJournalIsToldAsItIs(t *testing.T) {
	for _, tt := range []struct {
		found journal.Recovery
		says  string
	}{
		{journal.Recovery{TornBytes: 9, TornCopy: "x"}, "copied aside"},
		{journal.Recovery{TornBytes: 9}, "without a copy"},
		{journal.Recovery{BadLines: 2}, "damaged lines; they are left out"},
	} {
		body := tornRecord(tt.found).Body.(contract.SystemBody)
		if !strings.Contains(body.Message, tt.says) {
			t.Errorf("%+v: %s", tt.found, body.Message)
		}
	}
}
