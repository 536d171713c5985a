package ops_test

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"gestor.local/contract"
	"gestor.local/manager/internal/explain"
	"gestor.local/manager/internal/govern"
	"gestor.local/manager/internal/govern/actuator"
	"gestor.local/manager/internal/journal"
	"gestor.local/manager/internal/ops"
)

// report is a tick with a plan, a removal and, if any are named, failing gates.
func report(gates ...string) *govern.Report {
	r := &govern.Report{
		Tick: 7, At: time.Now(), Mode: contract.ModeEnforce, Policy: contract.DefaultPolicy(), Source: "procfs", Gates: gates,
		Breaker: govern.BreakerClosed, Skipped: 2,
		Plan: &contract.Plan{
			Counts: []contract.ClassCount{{Class: contract.ClassLow, Owned: 4, Quota: 3, Removals: 1}, {Class: contract.ClassHigh, Quota: 2, Deficit: 2}},
			Verdicts: []contract.Verdict{
				{ID: "a", Owned: true, Class: contract.ClassLow, Reason: contract.ReasonWithinQuota},
				{ID: "b", Owned: true, Class: contract.ClassLow, Reason: contract.ReasonOverQuota},
				{ID: "c", Class: contract.ClassUnknown, Reason: contract.ReasonNotOwned},
			},
		},
		Timings: contract.Timings{ReadUS: 1500, DataAgeUS: 250_000},
	}
	r.Classes = r.Plan.Counts

	for _, g := range gates {
		r.Conditions = append(r.Conditions, govern.Condition{Name: g, Title: "t", Text: "x; next: y", Severity: govern.SeverityDegraded, Gate: true})
	}
	return r
}

func server(t *testing.T, journalDir string, reports ...*govern.Report) *httptest.Server {
	t.Helper()
	registry, health := prometheus.NewRegistry(), &ops.Health{}
	metrics := ops.NewMetrics(registry, "test")
	for _, r := range reports {
		health.OnTick(r)
		metrics.OnTick(r)
	}

	metrics.OnAction(govern.ActionResult{Result: actuator.Result{Outcome: contract.OutcomeDone, Took: time.Second}, Verb: contract.ActionRemove})
	s := httptest.NewServer(ops.Handler{Health: health, Metrics: registry, Journal: explain.Journal{Path: journalDir, Logs: "http://127.0.0.1:8080"}, Version: "test"}.Mux())
	t.Cleanup(s.Close)
	return s
}

func get(t *testing.T, url string) (int, string, http.Header) {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(text), resp.Header
}

func TestOnlyItsOwnNamesAreAnswered(t *testing.T) {
	h := ops.Handler{Health: &ops.Health{}, Metrics: prometheus.NewRegistry(), Journal: explain.Journal{Path: t.TempDir()}, Hosts: []string{"gestor.example"}}
	for host, refused := range map[string]bool{"evil.example": true, "127.0.0.1.evil.example:8081": true, "manager:8081": false, "gestor.example": false} {
		for _, request := range []string{"GET /healthz", "GET /readyz", "GET /conditions", "GET /explain", "GET /metrics", "GET /version", "POST /reload"} {
			method, path, _ := strings.Cut(request, " ")
			w, r := httptest.NewRecorder(), httptest.NewRequest(method, path, nil)
			r.Host = host
			h.Mux().ServeHTTP(w, r)
			if got := w.Code == http.StatusMisdirectedRequest; got != refused {
				t.Errorf("%s under %s: %d %s", request, host, w.Code, w.Body)
			}
		}
	}
}

func TestConflictsAreCountedOnce(t *testing.T) {
	registry := prometheus.NewRegistry()
	metrics := ops.NewMetrics(registry, "test")
	for _, n := range []uint64{0, 3, 3, 5} {
		r := report()
		r.Spool.Conflicts = n
		metrics.OnTick(r)
	}

	want := "# HELP gestor_identity_conflicts_total Records sent again under a new identity, since somebody else had used their numbers.\n" +
		"# TYPE gestor_identity_conflicts_total counter\ngestor_identity_conflicts_total 5\n"
	if err := testutil.GatherAndCompare(registry, strings.NewReader(want), "gestor_identity_conflicts_total"); err != nil {
		t.Error(err)
	}
}

func TestMetricNamesAreWellFormed(t *testing.T) {
	registry := prometheus.NewRegistry()
	metrics := ops.NewMetrics(registry, "test")
	metrics.OnTick(report(govern.GateNoSource))
	metrics.OnAction(govern.ActionResult{Result: actuator.Result{Outcome: contract.OutcomeDone}, Verb: contract.ActionRemove})
	problems, err := testutil.GatherAndLint(registry)
	if err != nil {
		t.Fatal(err)
	}

	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
}

func TestMetricsSayWhatTheTickSaid(t *testing.T) {
	before, now := report(govern.GateNoSource), report()
	now.Shadow = []journal.Shadowed{{Class: contract.ClassLow}}
	before.Conditions = append(before.Conditions, govern.Condition{Name: govern.ConditionEnded})
	now.Conditions = append(now.Conditions, govern.Condition{Name: govern.ConditionPaused})
	s := server(t, t.TempDir(), before, now)
	_, text, _ := get(t, s.URL+contract.PathMetrics)
	for _, line := range []string{
		`gestor_population_containers{class="low",state="over_quota"} 1`,
		`gestor_population_containers{class="low",state="within_quota"} 1`,
		`gestor_population_containers{class="low",state="shadow_removed"} 1`,
		`gestor_deficit_containers{class="high"} 2`,
		`gestor_plan_containers{class="low"} 1`,
		`gestor_action_outcomes_total{action="remove",outcome="done"} 1`,
		`gestor_action_outcomes_total{action="remove",outcome="failed"} 0`,
		`gestor_gated_ticks_total{gate="no_source"} 1`,
		`gestor_gate_failing{gate="no_source"} 0`,
		`gestor_condition_active{condition="paused"} 1`,
		`gestor_condition_active{condition="ended"} 0`,
		`gestor_ticks_total{gated="true"} 1`,
		`gestor_skipped_ticks_total 4`,
		`gestor_breaker_state{state="closed"} 1`,
		`gestor_data_age_seconds 0.25`,
		`gestor_build_info{version="test"} 1`,
	} {
		if !strings.Contains(text, "\n"+line+"\n") {
			t.Errorf("no line %q", line)
		}
	}

	if strings.Contains(text, "not_owned") {
		t.Error("a stranger is counted as population")
	}
}

func TestReadinessFollowsTheConditions(t *testing.T) {
	tests := []struct {
		name    string
		reports []*govern.Report
		code    int
		status  string
	}{
		{"before the first tick", nil, http.StatusServiceUnavailable, "starting"},
		{"a good tick", []*govern.Report{report()}, http.StatusOK, "ready"},
		{"degraded", []*govern.Report{report(govern.GateInventory)}, http.StatusServiceUnavailable, "degraded"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := server(t, t.TempDir(), tt.reports...)
			code, text, _ := get(t, s.URL+contract.PathReady)
			var got struct {
				Status     string
				Conditions []govern.Condition
			}

			if err := json.Unmarshal([]byte(text), &got); err != nil {
				t.Fatal(err)
			}
			if code != tt.code || got.Status != tt.status {
				t.Errorf("%d %s", code, text)
			}
			if code, _, _ := get(t, s.URL+contract.PathHealth); code != http.StatusOK {
				t.Errorf("health: %d", code)
			}

			code, text, _ = get(t, s.URL+ops.PathConditions)
			var conditions []govern.Condition
			if err := json.Unmarshal([]byte(text), &conditions); err != nil || code != http.StatusOK {
				t.Errorf("conditions: %d %s", code, text)
			}
			if !slices.Equal(conditions, got.Conditions) {
				t.Errorf("conditions differ: %s", text)
			}
		})
	}
}

func TestALoopThatStandsStillIsNotAlive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		health := &ops.Health{}
		health.OnTick(report())
		handler := ops.Handler{Health: health, Metrics: prometheus.NewRegistry()}.Mux()
		ask := func(path string) int {
			w := httptest.NewRecorder()
			handler.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "http://127.0.0.1:8081"+path, http.NoBody))
			return w.Code
		}

		time.Sleep(39 * time.Second)
		if code := ask(contract.PathHealth); code != http.StatusOK {
			t.Errorf("after less than four ticks: %d", code)
		}
		time.Sleep(2 * time.Second)
		for _, path := range []string{contract.PathHealth, contract.PathReady} {
			if code := ask(path); code != http.StatusServiceUnavailable {
				t.Errorf("%s after more than four ticks: %d", path, code)
			}
		}
	})
}

func TestExplain(t *testing.T) {
	dir := t.TempDir()
	j, _, err := journal.Open(dir, journal.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	id := strings.Repeat("ab", 32)
	p := contract.DefaultPolicy()
	entry := journal.Tick{Context: contract.Context{Tick: 9}}

	plan := contract.Plan{Tick: 9, Sequence: 3, PolicyHash: p.Hash(), Verdicts: []contract.Verdict{
		{ID: id, Name: "web", Class: contract.ClassLow, Verdict: contract.VerdictKeep, Reason: contract.ReasonYoung},
		{ID: strings.Repeat("cd", 32), Name: "twice", Class: contract.ClassLow, Verdict: contract.VerdictKeep, Reason: contract.ReasonYoung},
		{ID: strings.Repeat("ef", 32), Name: "twig", Class: contract.ClassLow, Verdict: contract.VerdictKeep, Reason: contract.ReasonYoung},
	}}

	if _, err := j.Tick(p, entry, plan); err != nil {
		t.Fatal(err)
	}
	s := server(t, dir, report())
	tests := []struct {
		query, media string
		code         int
		want         string
	}{
		{"", contract.MediaJSON, http.StatusOK, `"tick":9`},
		{"?tick=9", contract.MediaJSON, http.StatusOK, `"name":"web"`},
		{"?container=web", contract.MediaJSON, http.StatusOK, id},
		{"?container=web&format=text", "text/plain; charset=utf-8", http.StatusOK, "young"},
		{"?tick=10", contract.MediaProblem, http.StatusNotFound, "not in the journal"},
		{"?tick=soon", contract.MediaProblem, http.StatusBadRequest, "number"},
		{"?container=eb", contract.MediaJSON, http.StatusOK, id},
		{"?container=nobody", contract.MediaProblem, http.StatusNotFound, "next: ask the log service, which keeps more: curl -s 'http://127.0.0.1:8080/v1/records?kind=launch,decision,action&q=nobody'"},
		{"?container=twi", contract.MediaProblem, http.StatusConflict, "twice (cdcdcdcdcdcd, last on tick 9), twig (efefefefefef, last on tick 9)"},
		{"?container=web;format=text", contract.MediaProblem, http.StatusBadRequest, `"field":"container"`},
		{"?tick=%", contract.MediaProblem, http.StatusBadRequest, `"field":"tick"`},
		{"?tick=", contract.MediaProblem, http.StatusBadRequest, `"field":"tick"`},
		{"?tick=9&tick=10", contract.MediaProblem, http.StatusBadRequest, `"field":"tick"`},
		{"?tick=9&container=web", contract.MediaProblem, http.StatusBadRequest, `"field":"tick"`},
		{"?name=web", contract.MediaProblem, http.StatusBadRequest, `"field":"name"`},
		{"?format=csv", contract.MediaProblem, http.StatusBadRequest, `"field":"format"`},
	}

	for _, tt := range tests {
		code, text, header := get(t, s.URL+ops.PathExplain+tt.query)
		if code != tt.code || header.Get("Content-Type") != tt.media || !strings.Contains(text, tt.want) {
			t.Errorf("%q: %d %s %s", tt.query, code, header.Get("Content-Type"), text)
		}
	}
}

// A parameter that nothing reads would make the answer one to another question.
func TestNoPathTakesWhatItDoesNotRead(t *testing.T) {
	s := server(t, t.TempDir(), report())
	for _, path := range []string{contract.PathHealth, contract.PathReady, ops.PathConditions, contract.PathVersion, contract.PathMetrics} {
		if code, text, _ := get(t, s.URL+path+"?nope=1"); code != http.StatusBadRequest || !strings.Contains(text, `"field":"nope"`) {
			t.Errorf("%s: %d %s", path, code, text)
		}
	}
}

func TestOnlyReading(t *testing.T) {
	s := server(t, t.TempDir(), report())
	resp, err := http.Post(s.URL+ops.PathExplain, contract.MediaJSON, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("POST: %s", resp.Status)
	}
}

// The first report under a longer tick comes after that tick, not after the one before.
func TestALongerTickIsNoStandstill(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		health := &ops.Health{}
		health.OnTick(report())
		handler := ops.Handler{Health: health, Metrics: prometheus.NewRegistry()}.Mux()
		ask := func() int {
			w := httptest.NewRecorder()
			handler.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "http://127.0.0.1:8081"+contract.PathHealth, http.NoBody))
			return w.Code
		}

		time.Sleep(5 * time.Second)
		p := contract.DefaultPolicy()
		p.Tick = contract.Duration(time.Minute)
		health.OnPolicy(p)
		time.Sleep(59 * time.Second)
		if code := ask(); code != http.StatusOK {
			t.Errorf("before the first of the longer ticks: %d", code)
		}

		time.Sleep(4 * time.Minute)
		if code := ask(); code != http.StatusServiceUnavailable {
			t.Errorf("after more than four of them: %d", code)
		}
	})
}

func TestReadinessSaysHowLongAgoTheLoopTicked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		health := &ops.Health{}
		handler := ops.Handler{Health: health, Metrics: prometheus.NewRegistry()}.Mux()
		age := func() *float64 {
			w := httptest.NewRecorder()
			handler.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "http://127.0.0.1:8081"+contract.PathReady, http.NoBody))
			var got struct {
				LastTickAgeS *float64 `json:"last_tick_age_s"`
			}
			if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
				t.Fatal(err)
			}
			return got.LastTickAgeS
		}

		if got := age(); got != nil {
			t.Errorf("%v s before the first tick", *got)
		}
		health.OnTick(report())
		time.Sleep(90 * time.Second) // synctest's time
		health.OnPolicy(contract.DefaultPolicy())

		if got := age(); got == nil || *got != 90 {
			t.Errorf("90 s after a tick: %v", got)
		}
	})
}

func TestAReloadIsTakenFromTheSameMachineOnly(t *testing.T) {
	local := &net.TCPAddr{IP: net.IPv4(10, 0, 0, 5), Port: 8081}
	tests := []struct {
		name, from string
		header     [2]string
		refused    string
		code       int
	}{
		{"the same container", "127.0.0.1:5000", [2]string{}, "", http.StatusOK},
		{"over IPv6", "[::1]:5000", [2]string{}, "", http.StatusOK},
		{"a port bound to one address", "10.0.0.5:5000", [2]string{}, "", http.StatusOK},
		{"a bad file", "127.0.0.1:5000", [2]string{}, "line 3", http.StatusUnprocessableEntity},
		{"a neighbour on the network", "10.0.0.6:5000", [2]string{}, "", http.StatusForbidden},
		{"a page in a browser", "127.0.0.1:5000", [2]string{"Origin", "https://evil.example"}, "", http.StatusForbidden},
		{"a link in a browser", "127.0.0.1:5000", [2]string{"Sec-Fetch-Site", "cross-site"}, "", http.StatusForbidden},
		{"no address", "", [2]string{}, "", http.StatusForbidden},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			asked := false
			h := ops.Handler{Health: &ops.Health{}, Metrics: prometheus.NewRegistry(), Reload: func(context.Context) (govern.ReloadResult, error) {
				asked = true
				return govern.ReloadResult{Policy: "abc", Refused: tt.refused}, nil
			}}

			r := httptest.NewRequest(http.MethodPost, "http://127.0.0.1:8081"+ops.PathReload, http.NoBody)
			r = r.WithContext(context.WithValue(r.Context(), http.LocalAddrContextKey, local))
			r.RemoteAddr = tt.from
			if tt.header[0] != "" {
				r.Header.Set(tt.header[0], tt.header[1])
			}
			w := httptest.NewRecorder()
			h.Mux().ServeHTTP(w, r)

			if w.Code != tt.code || asked != (tt.code != http.StatusForbidden) || !strings.Contains(w.Body.String(), tt.refused) {
				t.Errorf("code %d, want %d; asked %t: %s", w.Code, tt.code, asked, w.Body)
			}
		})
	}
}
