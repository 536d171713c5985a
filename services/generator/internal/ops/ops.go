// Package ops serves what an operator asks a running generator: health, metrics and the report.
package ops

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"gestor.local/contract"
	"gestor.local/generator/internal/report"
	"gestor.local/ship"
)

// Server answers from two functions, each safe for any goroutine.
type Server struct {
	Report func() report.Report
	Spool  func() ship.Stats
	// Hosts are further names that the port is asked under (contract.HostAllowed).
	Hosts contract.HostNames
}

// Handler serves /healthz (the process answers), /readyz (starts are not held back), /version,
// /metrics and /report.
func (s Server) Handler() http.Handler {
	registry := prometheus.NewRegistry()
	registry.MustRegister(collector{s})

	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("GET /readyz", s.ready)
	mux.HandleFunc("GET "+contract.PathVersion, func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, http.StatusOK, map[string]string{"service": "gestor-generator", "version": contract.Version})
	})
	mux.HandleFunc("GET /report", func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, http.StatusOK, s.Report()) })
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))

	return s.checkHost(rejectParameters(mux))
}

// rejectParameters refuses any parameter: nothing here takes one, and the answer would look like one to what was asked.
func rejectParameters(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, bad := contract.ParseQueryOf(r.URL.RawQuery); len(bad) > 0 {
			writeProblem(w, http.StatusBadRequest, "the query string is wrong", bad...)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// checkHost refuses a request under a name that a site of somebody else may have given this machine's address.
func (s Server) checkHost(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !contract.HostAllowed(r.Host, s.Hosts) {
			writeProblem(w, http.StatusMisdirectedRequest, contract.HostRefused)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func writeProblem(w http.ResponseWriter, code int, detail string, fields ...contract.FieldError) {
	w.Header().Set("Content-Type", contract.MediaProblem)
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(contract.ErrorBody{ // the client may be gone
		Type: "about:blank", Title: http.StatusText(code), Status: code, Detail: detail, Errors: fields,
	})
}

// readiness is the answer of /readyz.
type readiness struct {
	Ready bool   `json:"ready"`
	Gate  string `json:"gate,omitempty"`
	Ended string `json:"ended,omitempty"`
	Alive int    `json:"alive"`
	// LogService is its last error, "" while it takes records.
	LogService   string `json:"log_service,omitempty"`
	SpoolRecords int    `json:"spool_records"`
}

func (s Server) ready(w http.ResponseWriter, _ *http.Request) {
	r, spool := s.Report(), s.Spool()

	answer := readiness{
		Ready: r.Gate == "" && r.Ended == "", Gate: r.Gate, Ended: r.Ended, Alive: r.Alive,
		LogService: spool.LastError, SpoolRecords: spool.Records,
	}

	status := http.StatusOK
	if !answer.Ready {
		status = http.StatusServiceUnavailable
	}
	writeJSON(w, status, answer)
}

func writeJSON(w http.ResponseWriter, status int, value any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(value) // the client may be gone
}

// Serve answers on the listener until ctx ends; then it returns nil.
func (s Server) Serve(ctx context.Context, l net.Listener) error {
	server := &http.Server{
		Handler: s.Handler(), ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second,
		WriteTimeout: 10 * time.Second, IdleTimeout: time.Minute, MaxHeaderBytes: 16 << 10,
	}

	stop := context.AfterFunc(ctx, func() { _ = server.Close() })
	defer stop()

	if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve %s: %w", l.Addr(), err)
	}
	return nil
}
