package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gestor.local/contract"
	"gestor.local/manager/internal/approval"
)

// The state of the manager that runs is what its port says of it; where it says nothing of the clock, that is in doubt.
func TestManagerState(t *testing.T) {
	for name, test := range map[string]struct {
		status int
		body   string
		want   *approval.Manager // nil is an error
	}{
		"ready": {
			200, `{"status":"ready","policy":"ab","gates":[],"snapshots":7,"version_2":{"policy":"ab","clock_in_doubt":false}}`,
			&approval.Manager{Status: "ready", Policy: "ab", Gates: []string{}, Snapshots: 7},
		},
		"gated": {
			503, `{"status":"degraded","policy":"ab","gates":["interval"],"snapshots":2,"conditions":[]}`,
			&approval.Manager{Status: "degraded", Policy: "ab", Gates: []string{"interval"}, Snapshots: 2, ClockInDoubt: true},
		},
		"in doubt": {
			200, `{"status":"ready","policy":"ab","gates":[],"snapshots":7,"version_2":{"clock_in_doubt":true}}`,
			&approval.Manager{Status: "ready", Policy: "ab", Gates: []string{}, Snapshots: 7, ClockInDoubt: true},
		},
		"somebody else": {200, "<html>", nil},
	} {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != contract.PathReady {
				t.Errorf("%s: asked for %s", name, r.URL.Path)
			}
			w.WriteHeader(test.status)
			_, _ = io.WriteString(w, test.body)
		}))
		got, err := managerState(t.Context(), config{Ops: strings.TrimPrefix(s.URL, "http://")})
		s.Close()
		if diff := cmp.Diff(test.want, got); diff != "" || (err == nil) != (test.want != nil) {
			t.Errorf("%s: %v %s", name, err, diff)
		}
	}

	if _, err := managerState(t.Context(), config{Ops: "127.0.0.1:1"}); err == nil {
		t.Error("nobody answers, and no error")
	}
}
