package web_test

import (
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"gestor.local/contract"

	"gestor.local/logs/internal/query"
	"gestor.local/logs/internal/store"
	"gestor.local/logs/internal/web"
)

// BenchmarkIngest stores batches of 100 container records through the whole handler, synced to the disk.
func BenchmarkIngest(b *testing.B) {
	s, err := store.Open(store.Config{Dir: b.TempDir(), MinFree: 1})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	h := web.New(web.Deps{Store: s, Query: query.New(s), Log: zerolog.Nop(), Metrics: prometheus.NewRegistry()})
	kb := uint64(1)
	pseq := 0
	for b.Loop() {
		b.StopTimer()
		var body strings.Builder
		for i := range 100 {
			pseq++
			body.WriteString(bodyLine(b, pseq, start.Add(time.Duration(pseq)*time.Second), contract.ContainerBody{
				Subject: contract.Subject{Container: fmt.Sprintf("%064d", i), Name: "high-cpu-1", Image: "gestor/high-cpu", Class: contract.ClassHigh},
				Owned:   true, State: "running", Measured: true, MemoryKB: &kb, Processes: 2, Threads: 3, Command: "stress-ng",
				Measures: contract.Measures{CPUMillicores: uint64(i), RAMKB: 1000, VSZKB: 2000, RSSKB: 3000},
			}))
		}
		req := httptest.NewRequest("POST", "/v1/records", strings.NewReader(body.String()))
		req.Host = "127.0.0.1:8080"
		req.Header.Set("Content-Type", contract.MediaNDJSON)
		w := httptest.NewRecorder()
		b.StartTimer()
		h.ServeHTTP(w, req)
		if w.Code != 200 {
			b.Fatal(w.Code, w.Body)
		}
	}
	b.ReportMetric(float64(pseq)/b.Elapsed().Seconds(), "records/s")
}
