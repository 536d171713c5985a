package engine_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"gestor.local/contract"
	"gestor.local/contract/policy2"
	"gestor.local/manager/internal/engine"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var id = strings.Repeat("ab", 32)

// daemon answers like an engine of API 1.41: the path after the version decides.
type daemon struct {
	t       *testing.T
	answers map[string]func(http.ResponseWriter, *http.Request)
	mu      sync.Mutex
	seen    []string
}

func (d *daemon) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/_ping" {
		w.Header().Set("Api-Version", "1.41")
		return
	}
	path := r.Method + " " + strings.TrimPrefix(r.URL.Path, "/v1.41")
	if r.URL.RawQuery != "" {
		path += "?" + r.URL.RawQuery
	}
	d.mu.Lock()
	d.seen = append(d.seen, path)
	d.mu.Unlock()
	answer, ok := d.answers[r.Method+" "+strings.TrimPrefix(r.URL.Path, "/v1.41")]
	if !ok {
		d.t.Errorf("unexpected %s", path)
		w.WriteHeader(http.StatusTeapot)
		return
	}
	answer(w, r)
}

// says answers with a status and the message of an engine's error.
func says(status int, message string) func(http.ResponseWriter, *http.Request) {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(map[string]string{"message": message})
	}
}

func body(text string) func(http.ResponseWriter, *http.Request) {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, text)
	}
}

func connect(t *testing.T, answers map[string]func(http.ResponseWriter, *http.Request)) (*engine.Client, *daemon) {
	t.Helper()
	d := &daemon{t: t, answers: answers}
	server := httptest.NewServer(d)
	c, err := engine.Open("tcp://" + strings.TrimPrefix(server.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}

	t.Cleanup(func() {
		_ = c.Close()
		server.Close()
	})
	return c, d
}

func TestKindsOfErrors(t *testing.T) {
	// The texts are those of daemon/kill.go and daemon/delete.go of Docker 20.10 to 28.
	tests := []struct {
		name   string
		status int
		text   string
		want   engine.Kind
	}{
		{"no such container", 404, "No such container: " + id, engine.KindGone},
		{"not running", 409, "Cannot kill container: x: Container x is not running", engine.KindNotRunning},
		{"being removed", 409, "removal of container x is already in progress", engine.KindRemoving},
		{"marked for removal", 409, "Container x is marked for removal and cannot be \"update\".", engine.KindRemoving},
		{"another conflict", 409, "You cannot remove a running container", engine.KindOther},
		{"no exit event", 500, "Cannot kill container: x: tried to kill container, but did not receive an exit event", engine.KindServer},
		{"bad gateway of a proxy", 502, "bad gateway", engine.KindServer},
		{"unavailable", 503, "unavailable", engine.KindServer},
		{"bad request", 400, "invalid signal", engine.KindOther},
		{"forbidden by a socket proxy", 403, "forbidden", engine.KindOther},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c, _ := connect(t, map[string]func(http.ResponseWriter, *http.Request){
				"POST /containers/" + id + "/kill": says(tt.status, tt.text),
			})
			err := c.Kill(context.Background(), id)
			if got := engine.KindOf(err); got != tt.want {
				t.Errorf("kind %s, want %s (%v)", got, tt.want, err)
			}
			if !strings.HasPrefix(err.Error(), "engine kill abababababab: ") {
				t.Errorf("message %q", err)
			}
		})
	}
}

func TestAnAnswerThatIsTooLateOrNeverCameIsDoubtful(t *testing.T) {
	release := make(chan struct{})
	defer close(release)
	c, _ := connect(t, map[string]func(http.ResponseWriter, *http.Request){
		"POST /containers/" + id + "/kill": func(http.ResponseWriter, *http.Request) { <-release },
		"DELETE /containers/" + id: func(w http.ResponseWriter, _ *http.Request) {
			conn, _, err := w.(http.Hijacker).Hijack()
			if err == nil {
				conn.Close()
			}
		},
	})
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	if kind := engine.KindOf(c.Kill(ctx, id)); kind != engine.KindTimeout || !kind.Indeterminate() || !kind.EngineFault() {
		t.Errorf("time-out: kind %s", kind)
	}
	if kind := engine.KindOf(c.Remove(context.Background(), id)); !kind.Indeterminate() {
		t.Errorf("connection broken: kind %s, want a doubtful one", kind)
	}
}

func TestNobodyListens(t *testing.T) {
	c, err := engine.Open("unix:///nonexistent/docker.sock")
	if err != nil {
		t.Fatal(err)
	}

	defer c.Close()
	if _, err := c.Name(context.Background()); engine.KindOf(err) != engine.KindUnreachable {
		t.Errorf("%v: kind %s", err, engine.KindOf(err))
	}
	if _, err := engine.Open("nonsense"); err == nil || !strings.Contains(err.Error(), "GESTOR_ENGINE") {
		t.Errorf("open: %v", err)
	}
}

func TestStrangersAreOfKindOther(t *testing.T) {
	if got := engine.KindOf(errors.New("x")); got != engine.KindOther {
		t.Errorf("kind %s", got)
	}
	if got := engine.KindOf(nil); got != engine.KindNone {
		t.Errorf("kind of nil: %s", got)
	}
}

func TestListIsSortedAndNamesAreOwn(t *testing.T) {
	c, d := connect(t, map[string]func(http.ResponseWriter, *http.Request){
		"GET /containers/json": body(`[
			{"Id":"bb","Names":["/other/alias","/web"],"Image":"docker.io/team/i:latest","Labels":{"gestor.managed":"true"},"State":"running","Created":5},
			{"Id":"aa","Names":[],"Image":"j","State":"exited"}]`),
	})
	got, err := c.List(context.Background())
	if err != nil {
		t.Fatal(err)
	}

	want := contract.Inventory{Entries: []contract.Entry{
		{ID: "aa", Image: "j", State: "exited"},
		{ID: "bb", Name: "web", Image: "team/i", Labels: map[string]string{"gestor.managed": "true"}, State: "running", CreatedUnix: 5},
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if _, err := c.ListOwned(context.Background()); err != nil {
		t.Fatal(err)
	}
	if last := d.seen[len(d.seen)-1]; !strings.Contains(last, "all=1") || !strings.Contains(last, "gestor.managed%3Dtrue") {
		t.Errorf("asked for %s", last)
	}
}

func TestLook(t *testing.T) {
	c, _ := connect(t, map[string]func(http.ResponseWriter, *http.Request){
		"GET /containers/" + id + "/json": body(`{"Id":"` + id + `","Name":"/web","Created":"2025-12-31T23:00:00.5Z",
			"Path":"/secret","Args":["secret"],"State":{"Status":"paused","Running":true,"Paused":true,
			"StartedAt":"2026-01-01T00:00:00Z","FinishedAt":"0001-01-01T00:00:00Z","ExitCode":3,"Pid":4711},"RestartCount":7,
			"Mounts":[{"Type":"volume","Name":"` + id + `","Source":"/v","RW":true},{"Type":"volume","Name":"data"},{"Type":"bind","Source":"/x"}],
			"HostConfig":{"NanoCpus":500000000,"RestartPolicy":{"Name":"always"},"AutoRemove":true,"NetworkMode":"shop_default"},
			"NetworkSettings":{"Networks":{"shop_default":{},"bridge":null}},
			"Image":"sha256:0011","Config":{"Image":"docker.io/team/i:latest","StopTimeout":33,"Labels":{"a":"b"},
			"Env":["PASSWORD=secret"],"Cmd":["secret"]}}`),
	})
	got, err := c.Inspect(context.Background(), id)
	want := engine.ContainerState{
		ID: id, Name: "web", Image: "team/i", Reference: "docker.io/team/i:latest", Labels: map[string]string{"a": "b"},
		CreatedAt: "2025-12-31T23:00:00.5Z", StartedAt: "2026-01-01T00:00:00Z", FinishedAt: "0001-01-01T00:00:00Z",
		State: "paused", Running: true, PID: 4711,
		RestartPolicy: "always", AutoRemove: true, CPU: engine.CPULimit{NanoCPUs: 500_000_000}, StopTimeout: 33 * time.Second,
		NetworkMode: "shop_default", Networks: []string{"bridge", "shop_default"},
		Mounts: []policy2.Mount{
			{Type: "volume", Name: id, Source: "/v", Writable: true}, {Type: "volume", Name: "data"}, {Type: "bind", Source: "/x"},
		},
		AnonymousVolumes: 1, RestartCount: 7, ExitCode: 3,
	}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	if text := fmt.Sprintf("%+v", got); strings.Contains(text, "secret") {
		t.Errorf("what it runs and with which settings is kept: %s", text)
	}
}

func TestWhatAnInspectionLeavesOut(t *testing.T) {
	c, _ := connect(t, map[string]func(http.ResponseWriter, *http.Request){
		"GET /containers/" + id + "/json": body(`{"Id":"` + id + `","Name":"/web"}`),
	})
	got, err := c.Inspect(context.Background(), id)
	want := engine.ContainerState{ID: id, Name: "web", StopTimeout: 10 * time.Second}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
}

// A container may bear the id of another as its name: once that one is gone the engine answers with the one that bears it.
func TestANameLikeAnIDIsNoAnswer(t *testing.T) {
	other := strings.Repeat("cd", 32)
	c, _ := connect(t, map[string]func(http.ResponseWriter, *http.Request){
		"GET /containers/" + id + "/json": body(`{"Id":"` + other + `","Name":"/` + id + `","State":{"Status":"running"}}`),
	})
	got, err := c.Inspect(context.Background(), id)
	if engine.KindOf(err) != engine.KindGone || got.ID != "" {
		t.Errorf("%+v %v", got, err)
	}
}

// Labels have no bound, and the memory of the manager has: what is too large is no answer, and what helps is said.
func TestAnAnswerWithoutEndIsNotRead(t *testing.T) {
	const row = 1 << 20
	var written atomic.Int64
	c, _ := connect(t, map[string]func(http.ResponseWriter, *http.Request){
		"GET /containers/json": func(w http.ResponseWriter, _ *http.Request) {
			label := strings.Repeat("x", row)
			for n := range 1000 {
				k, err := fmt.Fprintf(w, `%c{"Id":"%064x","Labels":{"a":"%s"}}`, "[,"[min(n, 1)], n, label)
				if written.Add(int64(k)); err != nil {
					return
				}
			}
		},
	})
	inv, err := c.List(context.Background())
	if engine.KindOf(err) != engine.KindOther || len(inv.Entries) > 0 || !strings.Contains(engine.Advice(err), "such large labels") {
		t.Errorf("%d entries, %v: %q", len(inv.Entries), err, engine.Advice(err))
	}
	if n := written.Load(); n > 100*row {
		t.Errorf("%d bytes were taken", n)
	}
}

func TestAStopTimeoutOfAnySizeIsLong(t *testing.T) {
	c, _ := connect(t, map[string]func(http.ResponseWriter, *http.Request){
		"GET /containers/" + id + "/json": body(`{"Id":"` + id + `","Config":{"StopTimeout":18446744074}}`), // of seconds; in ns 0.3 s too many
	})
	if got, err := c.Inspect(context.Background(), id); err != nil || got.StopTimeout < time.Hour {
		t.Errorf("%s %v", got.StopTimeout, err)
	}
}

func TestMutatingCallsSayWhatTheyMean(t *testing.T) {
	ok := func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }
	updates := ""
	c, d := connect(t, map[string]func(http.ResponseWriter, *http.Request){
		"POST /containers/" + id + "/kill": ok, "POST /containers/" + id + "/stop": says(http.StatusNotModified, ""),
		"DELETE /containers/" + id: ok,
		"GET /version":             body(versionOfDocker),
		"POST /containers/" + id + "/update": func(w http.ResponseWriter, r *http.Request) {
			text, err := io.ReadAll(r.Body)
			if err != nil {
				t.Error(err)
			}
			updates = string(text)
			body(`{}`)(w, r)
		},
	})
	ctx := context.Background()
	for _, err := range []error{c.Kill(ctx, id), c.Stop(ctx, id, 1500*time.Millisecond), c.Remove(ctx, id), c.SetCPU(ctx, id, engine.CPULimit{})} {
		if err != nil {
			t.Error(err)
		}
	}
	want := []string{
		"POST /containers/" + id + "/kill?signal=SIGKILL", "POST /containers/" + id + "/stop?t=2",
		"DELETE /containers/" + id + "?force=1", "GET /version", "POST /containers/" + id + "/update",
	}
	if diff := cmp.Diff(want, d.seen); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if !strings.Contains(updates, `"RestartPolicy":{"Name":"","MaximumRetryCount":0}`) {
		t.Errorf("sent %s, want no restart policy", updates)
	}
	if !strings.Contains(updates, `"CpuQuota":-1`) {
		t.Errorf("no limit is sent as %s, want a quota of -1: 0 would change nothing", updates)
	}
}

func TestThrottledNeverRaisesALimitAndKeepsItsForm(t *testing.T) {
	tests := []struct {
		name       string
		limit      engine.CPULimit
		millicores uint64
		want       engine.CPULimit
	}{
		{"none", engine.CPULimit{}, 100, engine.CPULimit{QuotaUS: 10_000}},
		{"cpus", engine.CPULimit{NanoCPUs: 500_000_000}, 100, engine.CPULimit{NanoCPUs: 100_000_000}},
		{"cpus already lower", engine.CPULimit{NanoCPUs: 50_000_000}, 100, engine.CPULimit{NanoCPUs: 50_000_000}},
		{"quota", engine.CPULimit{QuotaUS: 200_000, PeriodUS: 200_000}, 100, engine.CPULimit{QuotaUS: 20_000, PeriodUS: 200_000}},
		{"quota already lower", engine.CPULimit{QuotaUS: 5_000}, 100, engine.CPULimit{QuotaUS: 5_000}},
		{"less than the kernel takes", engine.CPULimit{}, 1, engine.CPULimit{QuotaUS: 1_000}},
	}

	for _, tt := range tests {
		if got := tt.limit.Throttled(tt.millicores); got != tt.want {
			t.Errorf("%s: %+v, want %+v", tt.name, got, tt.want)
		}
	}
}

// An engine is upgraded or put back while the manager runs: the version that was agreed on is refused from then on.
func TestAnotherVersionIsAgreedOnWhenTheEngineChanges(t *testing.T) {
	var version atomic.Value
	version.Store("1.41")
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		now := version.Load().(string)
		switch {
		case r.URL.Path == "/_ping":
			w.Header().Set("Api-Version", now)
		case strings.HasPrefix(r.URL.Path, "/v"+now+"/"):
			body("[]")(w, r)
		case now == "1.44":
			says(400, "client version 1.41 is too old. Minimum supported API version is 1.44, please upgrade your client to a newer version")(w, r)
		default:
			says(400, "client version 1.44 is too new. Maximum supported API version is "+now)(w, r)
		}
	}))
	defer server.Close()
	c, err := engine.Open("tcp://" + strings.TrimPrefix(server.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}

	defer c.Close()
	for _, v := range []string{"1.41", "1.44", "1.40"} {
		version.Store(v)
		_, first := c.List(context.Background())
		if v != "1.41" && engine.KindOf(first) != engine.KindVersion {
			t.Errorf("%s: the first call says %v", v, first)
		}
		if _, err := c.List(context.Background()); err != nil {
			t.Errorf("%s: the second call says %v", v, err)
		}
	}
}

func TestAVersionThatTheEnvironmentDemandsAndTheEngineDoesNotSpeakIsNamed(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(says(400, "client version 1.99 is too new. Maximum supported API version is 1.41")))
	defer server.Close()
	t.Setenv("DOCKER_API_VERSION", "1.99")
	c, err := engine.Open("tcp://" + strings.TrimPrefix(server.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}

	defer c.Close()
	_, err = c.List(context.Background())
	if engine.KindOf(err) != engine.KindVersion || !strings.Contains(engine.Advice(err), "unset DOCKER_API_VERSION") {
		t.Errorf("%s: %v", engine.KindOf(err), err)
	}
}

func TestWhatIsNoVersionIsNotAsked(t *testing.T) {
	t.Setenv("DOCKER_API_VERSION", "latest")
	if _, err := engine.Open("tcp://127.0.0.1:1"); err == nil || !strings.Contains(err.Error(), `DOCKER_API_VERSION="latest"`) {
		t.Error(err)
	}
}

func TestOnlyAConnectionThatWasNotMadeIsRefused(t *testing.T) {
	dir := t.TempDir()
	listen := func(name string) (string, net.Listener) {
		l, err := net.Listen("unix", filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}

		return l.Addr().String(), l
	}
	stale, gone := listen("stale")
	gone.(*net.UnixListener).SetUnlinkOnClose(false)
	gone.Close()
	slow, l := listen("slow")
	defer l.Close()
	closed := filepath.Join(dir, "closed")
	if err := os.Mkdir(closed, 0); err != nil {
		t.Fatal(err)
	}
	type test struct {
		name, socket string
		want         bool
		advice       string
	}
	tests := []test{
		{"missing", filepath.Join(dir, "missing"), true, "start the Docker engine"},
		{"stale", stale, true, "start the Docker engine"},
		{"slow", slow, false, "too slowly"},
	}
	if os.Getuid() != 0 { // root may
		tests = append(tests, test{"not allowed", filepath.Join(closed, "s"), false, "let this user"})
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c, err := engine.Open("unix://" + tt.socket)
			if err != nil {
				t.Fatal(err)
			}

			defer c.Close()
			ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
			defer cancel()
			if _, err := c.List(ctx); engine.ConnectionRefused(err) != tt.want || !strings.Contains(engine.Advice(err), tt.advice) {
				t.Errorf("%s (%v): refused %t; %s", engine.KindOf(err), err, !tt.want, engine.Advice(err))
			}
		})
	}
}

// The size is asked for, and is unknown where the answer is of somebody else or has none.
func TestSize(t *testing.T) {
	for answer, want := range map[string]int64{
		`{"Id": "` + id + `", "SizeRw": 3435973837, "SizeRootFs": 9}`: 3435973837,
		`{"Id": "` + id + `", "SizeRw": 0}`:                           0,
		`{"Id": "` + id + `"}`:                                        -1,
		`{"Id": "other", "SizeRw": 7}`:                                -1,
		`{}`:                                                          -1,
	} {
		c, d := connect(t, map[string]func(http.ResponseWriter, *http.Request){"GET /containers/" + id + "/json": body(answer)})
		got, ok, err := c.Size(t.Context(), id)
		if err != nil || ok != (want >= 0) || ok && got != want {
			t.Errorf("%s: %d %v %v", answer, got, ok, err)
		}
		if asked := d.seen[len(d.seen)-1]; asked != "GET /containers/"+id+"/json?size=1" {
			t.Errorf("asked %s", asked)
		}
	}

	c, _ := connect(t, map[string]func(http.ResponseWriter, *http.Request){
		"GET /containers/" + id + "/json": says(404, "No such container: "+id),
	})
	if _, _, err := c.Size(t.Context(), id); engine.KindOf(err) != engine.KindGone {
		t.Errorf("%v", err)
	}
}
