package engine_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gestor.local/contract"
	"gestor.local/manager/internal/engine"
)

// answer is what podman 4.3.1 (root, runc, cgroup v1) said to a call, with ID in place of the container's.
type answer struct {
	When, Call, Type, Body string
	Status                 int
}

func (a answer) write(w http.ResponseWriter, _ *http.Request) {
	if a.Type != "" {
		w.Header().Set("Content-Type", a.Type)
	}
	w.WriteHeader(a.Status)
	_, _ = io.WriteString(w, strings.ReplaceAll(a.Body, "ID", id))
}

func recording(t *testing.T, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "podman-4.3.1", name))
	if err != nil {
		t.Fatal(err)
	}

	return text
}

func answersOfPodman(t *testing.T) map[string]answer {
	t.Helper()
	var all []answer
	if err := json.Unmarshal(recording(t, "answers.json"), &all); err != nil {
		t.Fatal(err)
	}
	byCall := make(map[string]answer, len(all))
	for _, a := range all {
		byCall[a.When+" "+a.Call] = a
	}
	return byCall
}

func TestKindsOfWhatPodmanSays(t *testing.T) {
	ctx := context.Background()
	look := func(c *engine.Client) error { _, err := c.Inspect(ctx, id); return err }
	kill := func(c *engine.Client) error { return c.Kill(ctx, id) }
	stop := func(c *engine.Client) error { return c.Stop(ctx, id, time.Second) }
	remove := func(c *engine.Client) error { return c.Remove(ctx, id) }
	throttle := func(c *engine.Client) error { return c.SetCPU(ctx, id, engine.CPULimit{QuotaUS: 10_000}) }
	tests := []struct {
		answer string
		call   func(*engine.Client) error
		want   engine.Kind
	}{
		{"running POST /containers/ID/update", throttle, engine.KindUnsupported},
		{"exited POST /containers/ID/update", throttle, engine.KindUnsupported},
		{"gone POST /containers/ID/update", throttle, engine.KindUnsupported}, // it went after the inspection
		{"exited POST /containers/ID/kill", kill, engine.KindNotRunning},
		{"created POST /containers/ID/kill", kill, engine.KindNotRunning},
		{"paused POST /containers/ID/kill", kill, engine.KindNone},
		{"exited POST /containers/ID/stop", stop, engine.KindNone},
		{"paused POST /containers/ID/stop", stop, engine.KindNotRunning}, // the next look sees that it is paused
		{"running DELETE /containers/ID", remove, engine.KindOther},
		{"paused DELETE /containers/ID", remove, engine.KindOther},
		{"exited DELETE /containers/ID", remove, engine.KindNone},
		{"gone GET /containers/ID/json", look, engine.KindGone},
		{"gone POST /containers/ID/kill", kill, engine.KindGone},
		{"gone POST /containers/ID/stop", stop, engine.KindGone},
		{"gone DELETE /containers/ID", remove, engine.KindGone},
	}
	answers := answersOfPodman(t)
	for _, tt := range tests {
		t.Run(tt.answer, func(t *testing.T) {
			a, recorded := answers[tt.answer]
			if !recorded {
				t.Fatal("not recorded")
			}
			_, route, _ := strings.Cut(tt.answer, " ")
			c, _ := connect(t, map[string]func(http.ResponseWriter, *http.Request){
				"GET /version":                      body(versionOfPodman), // before an update, like the inspection
				"GET /containers/" + id + "/json":   body(string(recording(t, "inspect.json"))),
				strings.ReplaceAll(route, "ID", id): a.write,
			})
			err := tt.call(c)
			if got := engine.KindOf(err); got != tt.want {
				t.Errorf("kind %s, want %s (%v)", got, tt.want, err)
			}
			if engine.KindOf(err).EngineFault() {
				t.Errorf("counts as a fault of the engine: %v", err)
			}
		})
	}
}

// What podman 5.6 says (pkg/api/handlers/compat, libpod/container_api.go), and what could not be recorded of 4.3.
func TestKindsOfOtherTextsOfPodman(t *testing.T) {
	improper := ": container state improper"
	tests := []struct {
		name, op string
		status   int
		text     string
		want     engine.Kind
	}{
		{"kill of a stopped one, podman 5", "kill", 409, "can only kill running containers. x is in state exited" + improper, engine.KindNotRunning},
		{"kill that came too late", "kill", 500, "container state improper: exited", engine.KindNotRunning},
		{"kill whose wait found nothing", "kill", 500, `no container with name or ID "x" found: no such container`, engine.KindVanished},
		{"kill of one that was removed meanwhile", "kill", 500, "container x is not valid: container has already been removed", engine.KindVanished},
		{"stop of one that ends", "stop", 500, "can only stop created or running containers. x is in state stopped" + improper, engine.KindNotRunning},
		{"update of one that is being removed", "update", 500, "updating container: container x is being removed, cannot update" + improper, engine.KindRemoving},
		{"remove of one with a session", "remove", 500, "cannot remove container x as it has active exec sessions" + improper, engine.KindOther},
		{"a runtime that failed", "kill", 500, "sending signal to container x: exit status 1", engine.KindServer},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			routes := everyRoute(says(tt.status, tt.text))
			if tt.op == "update" {
				routes["GET /containers/"+id+"/json"] = body(string(recording(t, "inspect.json")))
			}
			c, _ := connect(t, routes)
			err := everyCall(c)[tt.op]()
			if got := engine.KindOf(err); got != tt.want {
				t.Errorf("kind %s, want %s (%v)", got, tt.want, err)
			}
		})
	}
}

func everyRoute(a func(http.ResponseWriter, *http.Request)) map[string]func(http.ResponseWriter, *http.Request) {
	return map[string]func(http.ResponseWriter, *http.Request){
		"GET /version": a, "GET /info": a, "GET /containers/json": a, "GET /containers/" + id + "/json": a, "DELETE /containers/" + id: a,
		"POST /containers/" + id + "/kill": a, "POST /containers/" + id + "/stop": a, "POST /containers/" + id + "/update": a,
	}
}

// everyCall is all that the manager asks of an engine, by the name in the errors.
func everyCall(c *engine.Client) map[string]func() error {
	ctx := context.Background()
	return map[string]func() error{
		"info":   func() error { _, err := c.Name(ctx); return err },
		"list":   func() error { _, err := c.List(ctx); return err },
		"look":   func() error { _, err := c.Inspect(ctx, id); return err },
		"kill":   func() error { return c.Kill(ctx, id) },
		"stop":   func() error { return c.Stop(ctx, id, time.Second) },
		"remove": func() error { return c.Remove(ctx, id) },
		"update": func() error { return c.SetCPU(ctx, id, engine.CPULimit{QuotaUS: 10_000}) },
	}
}

func TestACallThatTheEngineLacksIsNoContainerThatIsGone(t *testing.T) {
	plain := func(status int, text string) func(http.ResponseWriter, *http.Request) {
		return answer{Status: status, Type: "text/plain; charset=utf-8", Body: text}.write
	}

	for name, a := range map[string]func(http.ResponseWriter, *http.Request){
		"podman, no such route":        plain(404, "Not Found\n"),
		"podman, no such method":       plain(405, "Method Not Allowed\n"),
		"Docker, no such route":        says(404, "page not found"),
		"a proxy without a word":       plain(404, ""),
		"a proxy, no such method":      plain(405, ""),
		"an engine that does not":      says(501, "not implemented"),
		"a proxy that does not either": plain(501, ""),
	} {
		t.Run(name, func(t *testing.T) {
			c, _ := connect(t, everyRoute(a))
			for op, call := range everyCall(c) {
				err := call()
				if kind := engine.KindOf(err); kind != engine.KindUnsupported || kind.EngineFault() || kind.Indeterminate() {
					t.Errorf("%s: kind %s (%v)", op, kind, err)
				}
				if engine.Advice(err) == "" {
					t.Errorf("%s: no next step", op)
				}
			}
		})
	}
}

func TestContainersOfPodman(t *testing.T) {
	c, _ := connect(t, map[string]func(http.ResponseWriter, *http.Request){"GET /containers/json": body(string(recording(t, "list.json")))})
	inv, err := c.List(context.Background())
	if err != nil || len(inv.Entries) != 1 {
		t.Fatalf("%v: %+v", err, inv)
	}
	e := inv.Entries[0]
	if e.Image != "gestor/low-idle" || e.Name != "low-idle-1" || e.State != contract.StateRunning || !contract.IsContainerID(e.ID) {
		t.Errorf("listed as %+v", e)
	}

	c, _ = connect(t, map[string]func(http.ResponseWriter, *http.Request){
		"GET /containers/" + e.ID + "/json": body(string(recording(t, "inspect.json"))),
	})
	v, err := c.Inspect(context.Background(), e.ID)
	if err != nil || v.Image != e.Image || v.Name != e.Name || v.State != e.State || !v.Running || v.RestartPolicy != "no" {
		t.Errorf("%v: inspected as %+v", err, v)
	}
	for _, text := range []string{v.CreatedAt, v.StartedAt, v.FinishedAt} {
		if _, err := time.Parse(time.RFC3339Nano, text); err != nil {
			t.Error(err)
		}
	}
	if v.NetworkMode != "none" || v.StopTimeout != 0 || v.Reference != "localhost/gestor/low-idle:latest" {
		t.Errorf("network mode %q, a stop waits %s, of %q", v.NetworkMode, v.StopTimeout, v.Reference)
	}
}

// inspectionAs is a recorded inspection of a container with the id.
func inspectionAs(t *testing.T, id, name string) string {
	t.Helper()
	text := recording(t, name)
	var head struct{ ID string }
	if err := json.Unmarshal(text, &head); err != nil || head.ID == "" {
		t.Fatalf("%s: %v, id %q", name, err, head.ID)
	}
	return strings.ReplaceAll(string(text), head.ID, id)
}

// One that is told to stop and has not stopped yet is in use until it has.
func TestOneThatIsBeingStoppedStillRuns(t *testing.T) {
	c, _ := connect(t, map[string]func(http.ResponseWriter, *http.Request){
		"GET /containers/json":            body(string(recording(t, "list-stopping.json"))),
		"GET /containers/" + id + "/json": body(inspectionAs(t, id, "inspect-stopping.json")),
	})
	inv, err := c.List(context.Background())
	if err != nil || inv.Entries[0].State != contract.StateRunning {
		t.Errorf("%v: listed as %q", err, inv.Entries[0].State)
	}
	v, err := c.Inspect(context.Background(), id)
	if err != nil || v.State != contract.StateRunning || !v.Running {
		t.Errorf("%v: inspected as %q, running %t", err, v.State, v.Running)
	}
}

// With --cpus podman tells NanoCpus and CpuQuota. Docker refuses both together, and podman does not read NanoCpus.
func TestALimitThatIsToldInBothFormsIsSentInOne(t *testing.T) {
	var sent []map[string]any
	c, _ := connect(t, map[string]func(http.ResponseWriter, *http.Request){
		"GET /version":                    body(versionOfPodman),
		"GET /containers/" + id + "/json": body(inspectionAs(t, id, "inspect.json")),
		"POST /containers/" + id + "/update": func(w http.ResponseWriter, r *http.Request) {
			var limits map[string]any
			if err := json.NewDecoder(r.Body).Decode(&limits); err != nil {
				t.Error(err)
			}
			sent = append(sent, limits)
			body(`{}`)(w, r)
		},
	})
	v, err := c.Inspect(context.Background(), id)
	if want := (engine.CPULimit{QuotaUS: 25_000, PeriodUS: 100_000}); err != nil || v.CPU != want {
		t.Fatalf("%v: read as %+v, want %+v", err, v.CPU, want)
	}

	old := engine.CPULimit{NanoCPUs: 250_000_000, QuotaUS: 25_000, PeriodUS: 100_000} // from an earlier release's journal
	for _, limit := range []engine.CPULimit{v.CPU.Throttled(100), v.CPU, old.Throttled(100), old} {
		if err := c.SetCPU(context.Background(), id, limit); err != nil {
			t.Fatal(err)
		}
	}
	quotas := make([]any, len(sent))
	for i, limits := range sent {
		quotas[i] = limits["CpuQuota"]
		if limits["NanoCpus"] != 0.0 || limits["CpuPeriod"] != 100_000.0 {
			t.Errorf("sent NanoCpus %v, CpuPeriod %v", limits["NanoCpus"], limits["CpuPeriod"])
		}
	}
	if diff := cmp.Diff([]any{10_000.0, 25_000.0, 10_000.0, 25_000.0}, quotas); diff != "" {
		t.Errorf("quotas (-want +got):\n%s", diff)
	}
}

// What podman and Docker say of themselves, as far as it is read.
const (
	versionOfPodman = `{"Version":"5.6.0","Components":[{"Name":"Podman Engine","Version":"5.6.0"},{"Name":"Conmon","Version":"2.1.6"}]}`
	versionOfDocker = `{"Version":"28.2.2","Components":[{"Name":"Engine","Version":"28.2.2"},{"Name":"containerd","Version":"1.7.24"}]}`
)

// Podman 5.6 reads an update without a restart policy as one that takes it away. To Docker it says nothing about it: a
// policy that was read before and is sent would put back what somebody changed meanwhile.
func TestALimitIsChangedWithoutChangingTheRestartPolicy(t *testing.T) {
	const none = `{"Name":"","MaximumRetryCount":0}`
	const always, retries = `{"Name":"always","MaximumRetryCount":0}`, `{"Name":"on-failure","MaximumRetryCount":4}`
	for _, tt := range []struct {
		engine       string
		version      func(http.ResponseWriter, *http.Request)
		policy, want string
	}{
		{"podman", body(versionOfPodman), always, always},
		{"podman", body(versionOfPodman), retries, retries},
		{"podman", body(versionOfPodman), `{"Name":"no","MaximumRetryCount":0}`, none},
		{"Docker", body(versionOfDocker), always, none},
		{"Docker", body(versionOfDocker), retries, none},
		{"one that does not tell", says(http.StatusForbidden, "filtered"), always, always},
	} {
		var sent struct{ RestartPolicy json.RawMessage }
		c, _ := connect(t, map[string]func(http.ResponseWriter, *http.Request){
			"GET /version":                    tt.version,
			"GET /containers/" + id + "/json": body(`{"Id":"` + id + `","HostConfig":{"RestartPolicy":` + tt.policy + `}}`),
			"POST /containers/" + id + "/update": func(w http.ResponseWriter, r *http.Request) {
				if err := json.NewDecoder(r.Body).Decode(&sent); err != nil {
					t.Error(err)
				}
				body(`{}`)(w, r)
			},
		})
		if err := c.SetCPU(context.Background(), id, engine.CPULimit{QuotaUS: 10_000}); err != nil || string(sent.RestartPolicy) != tt.want {
			t.Errorf("%s on %s: %v, sent %s, want %s", tt.policy, tt.engine, err, sent.RestartPolicy, tt.want)
		}
	}
}

func TestALimitOfAContainerThatIsGone(t *testing.T) {
	c, _ := connect(t, map[string]func(http.ResponseWriter, *http.Request){
		"GET /version":                    body(versionOfPodman),
		"GET /containers/" + id + "/json": answersOfPodman(t)["gone GET /containers/ID/json"].write,
	})
	if err := c.SetCPU(context.Background(), id, engine.CPULimit{}); engine.KindOf(err) != engine.KindGone {
		t.Errorf("kind %s: %v", engine.KindOf(err), err)
	}
}

func TestNoLimitAsPodmanTellsItAfterOneWasLifted(t *testing.T) {
	c, _ := connect(t, map[string]func(http.ResponseWriter, *http.Request){
		"GET /containers/" + id + "/json": body(`{"Id":"` + id + `","HostConfig":{"NanoCpus":-10000,"CpuQuota":-1,"CpuPeriod":100000}}`),
	})
	v, err := c.Inspect(context.Background(), id)
	if want := (engine.CPULimit{QuotaUS: -1, PeriodUS: 100_000}); err != nil || v.CPU != want {
		t.Errorf("%v: %+v, want %+v", err, v.CPU, want)
	}
	if want := (engine.CPULimit{QuotaUS: 10_000, PeriodUS: 100_000}); v.CPU.Throttled(100) != want {
		t.Errorf("throttled to %+v, want %+v", v.CPU.Throttled(100), want)
	}
}
