package ops

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"gestor.local/contract"
	"gestor.local/generator/internal/report"
	"gestor.local/ship"
)

func server(r report.Report, spool ship.Stats) Server {
	return Server{Report: func() report.Report { return r }, Spool: func() ship.Stats { return spool }}
}

func get(t *testing.T, s Server, path string) (int, string) {
	t.Helper()
	w := httptest.NewRecorder()
	r := httptest.NewRequest(http.MethodGet, path, nil)
	r.Host = "127.0.0.1:8082"
	s.Handler().ServeHTTP(w, r)
	body, err := io.ReadAll(w.Body)
	if err != nil {
		t.Fatal(err)
	}
	return w.Code, string(body)
}

func TestAnswers(t *testing.T) {
	well := server(report.Report{Run: "r1", Alive: 4}, ship.Stats{Records: 7})
	held := server(report.Report{Gate: "memory"}, ship.Stats{LastError: "refused"})
	for _, test := range []struct {
		name   string
		server Server
		path   string
		status int
		part   string
	}{
		{"healthy", well, "/healthz", 200, "ok"},
		{"healthy though held back", held, "/healthz", 200, "ok"},
		{"ready", well, "/readyz", 200, `"ready":true`},
		{"not ready while held back", held, "/readyz", 503, `"gate":"memory"`},
		{"log service's error", held, "/readyz", 503, `"log_service":"refused"`},
		{"report", well, "/report", 200, `"run":"r1"`},
		{"metrics", well, "/metrics", 200, "gestor_generator_alive_containers 4"},
		{"version", well, "/version", 200, `"version":"` + contract.Version + `"`},
		{"nothing else", well, "/", 404, ""},
		{"no parameter is taken", well, "/report?run=r0", 400, `"field":"run"`},
		{"none that cannot be read", well, "/readyz?a=1;b=%", 400, `"field":"a"`},
	} {
		t.Run(test.name, func(t *testing.T) {
			status, body := get(t, test.server, test.path)
			if status != test.status || !strings.Contains(body, test.part) {
				t.Errorf("%d %s", status, body)
			}
		})
	}
}

func TestOnlyItsOwnNamesAreAnswered(t *testing.T) {
	s := server(report.Report{}, ship.Stats{})
	s.Hosts = []string{"gestor.example"}
	for host, status := range map[string]int{"evil.example": 421, "generator:8082": 200, "gestor.example": 200} {
		for _, path := range []string{"/healthz", "/readyz", "/metrics", "/report", "/version"} {
			w, r := httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, path, nil)
			r.Host = host
			s.Handler().ServeHTTP(w, r)
			if w.Code != status {
				t.Errorf("%s%s: %d %s", host, path, w.Code, w.Body)
			}
		}
	}
}

func TestMetricsFollowTheRules(t *testing.T) {
	full := server(report.Report{
		Images: map[string]report.Image{"low-idle": {Planned: 3, Started: 2}}, Failed: map[string]uint64{"engine": 1},
		Dropped: map[string]uint64{"late": 1}, Deaths: map[string]uint64{"killed": 1}, Gate: "memory",
	}, ship.Stats{})
	problems, err := testutil.CollectAndLint(collector{full})
	if err != nil || len(problems) > 0 {
		t.Errorf("%v %v", problems, err)
	}
	if n := testutil.CollectAndCount(collector{full}); n != 12 {
		t.Errorf("%d metrics, want 12", n)
	}
}
