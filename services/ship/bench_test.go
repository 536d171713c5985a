package ship

import (
	"context"
	"testing"
	"time"

	"gestor.local/contract"
	"gestor.local/ship/shiptest"
)

// A tick of a busy host: 200 containers observed, a dozen durable records, one sync.
func BenchmarkAppendTick(b *testing.B) {
	var service shiptest.Service
	s, err := Open(Config{Dir: b.TempDir(), URL: "http://logs.test", Producer: "p", Host: "h", Boot: "b", Client: service.Client()})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	var tick []contract.Record
	for range 200 {
		tick = append(tick, host())
	}
	for i := range uint64(12) {
		tick = append(tick, launch(i))
	}
	b.ReportAllocs()
	for b.Loop() {
		if err := s.Append(tick...); err != nil {
			b.Fatal(err)
		}
		if s.Stats().Records > 50_000 {
			b.StopTimer()
			ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
			if err := s.Flush(ctx); err != nil {
				b.Fatal(err)
			}
			cancel()
			b.StartTimer()
		}
	}
	b.ReportMetric(float64(b.N*len(tick))/b.Elapsed().Seconds(), "records/s")
}
