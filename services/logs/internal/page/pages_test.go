package page

import (
	"context"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"gestor.local/contract"

	"gestor.local/logs/internal/chart"
	"gestor.local/logs/internal/chart/charttest"
	"gestor.local/logs/internal/query"
	"gestor.local/logs/internal/respond"
)

func aRecovery() *respond.Recovery {
	return respond.NewRecovery(zerolog.Nop(), prometheus.NewRegistry())
}

// memorySource is a RecordSource in memory. It counts the scans.
type memorySource struct {
	records []contract.Record
	now     time.Time
	sums    []chart.RollupRow
	scans   atomic.Int32
}

func (s *memorySource) Scan(ctx context.Context, f contract.Filter, order query.Order, fn func(contract.Record) error) error {
	s.scans.Add(1)
	list := s.records
	if order == query.Newest {
		list = slices.Clone(list)
		slices.Reverse(list)
	}

	for _, r := range list {
		if err := ctx.Err(); err != nil {
			return err
		}
		if !matchesFilter(f, r) {
			continue
		}
		if err := fn(r); err != nil {
			if err == query.ErrStop {
				return nil
			}
			return err
		}
	}
	return nil
}

func matchesFilter(f contract.Filter, r contract.Record) bool {
	sub, _ := contract.SubjectOf(r.Body)
	return (f.Since.IsZero() || !r.Time.Before(f.Since)) && (f.Until.IsZero() || r.Time.Before(f.Until)) &&
		(len(f.Kinds) == 0 || slices.Contains(f.Kinds, r.Kind)) && (len(f.Hosts) == 0 || slices.Contains(f.Hosts, r.Host)) &&
		(len(f.Classes) == 0 || slices.Contains(f.Classes, sub.Class)) &&
		(len(f.Containers) == 0 || slices.ContainsFunc(f.Containers, func(id string) bool { return strings.HasPrefix(sub.Container, id) }))
}

// Sums are those of the records, made as the store makes them.
func (s *memorySource) Sums(_ context.Context, step time.Duration, since, until time.Time) ([]chart.RollupRow, error) {
	return s.sums, nil
}

func (s *memorySource) Head() uint64   { return uint64(len(s.records)) }
func (s *memorySource) Now() time.Time { return s.now }

func epoch() time.Time { return time.Date(2026, 5, 4, 10, 0, 0, 0, time.UTC) }

// sampleRun is a quarter of an hour of records, read 4 s after its end.
func sampleRun(name func(int) string) *memorySource {
	records := charttest.Run{Start: epoch(), Length: 15 * time.Minute, Seed: 8, Name: name}.Records()
	return &memorySource{records: records, now: epoch().Add(15*time.Minute + 4*time.Second)}
}

// serve is the pages over a source, writing its files below the returned folder.
func serve(t *testing.T, s *memorySource) (http.Handler, string) {
	t.Helper()
	a, err := LoadAssets()
	if err != nil {
		t.Fatal(err)
	}
	d := Deps{DataDir: t.TempDir(), Version: "test", Recovery: aRecovery()}
	gin.SetMode(gin.TestMode)
	engine := gin.New()
	pages(d, a, s).Register(engine)
	return engine, d.DataDir
}

func ask(t *testing.T, h http.Handler, method, path string, header ...string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequest(method, path, nil)
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// get asks for a path and wants 200.
func get(t *testing.T, h http.Handler, path string, header ...string) *httptest.ResponseRecorder {
	t.Helper()
	w := ask(t, h, http.MethodGet, path, header...)
	if w.Code != http.StatusOK {
		t.Fatalf("GET %s: %d %s", path, w.Code, w.Body)
	}
	return w
}
