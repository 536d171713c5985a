package query_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"gestor.local/contract"

	"gestor.local/logs/internal/line"
	"gestor.local/logs/internal/query"
	"gestor.local/logs/internal/store"
)

// sealed makes a store of sealed files: 100,000 records of 50 containers, one tick every 10 s.
func sealed(b *testing.B) *store.Store {
	b.Helper()
	s, err := store.Open(store.Config{Dir: b.TempDir(), MinFree: 1, SegmentBytes: 32 << 20, Fsync: store.FsyncNever, Keep: store.Keep{
		store.Observations: {Age: 100 * 365 * 24 * time.Hour, Bytes: 1 << 40}, store.Events: {Age: 100 * 365 * 24 * time.Hour, Bytes: 1 << 40},
	}})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { s.Close() })
	parser, rng := line.NewParser(), rand.New(rand.NewPCG(1, 1))
	var received time.Time
	for n := 1; n <= 100_000; {
		var batch []line.Record
		received = time.Unix(1_700_000_000+int64(n/50*10), 0).UTC()
		for i := range 50 {
			text := fmt.Sprintf(`{"v":1,"ts":%q,"kind":"container","host":"node1","boot":"5a7e8a0c-91d3-4f7e-b6a4-0b9f3c1d2e3f","source":"module",`+
				`"producer":"manager","pseq":%d,"tick":%d,"container":"%08x%056d","name":"high-cpu-%d","image":"gestor/high-cpu","class":"high",`+
				`"owned":true,"state":"running","measured":true,"cpu_millicores":%d,"ram_kb":%d,"vsz_kb":%d,"rss_kb":%d,"memory_permille":%d,`+
				`"cpu_permille":%d,"processes":2,"threads":3,"age_us":%d,"rank":%d,"verdict":"keep","reason":"within_quota","pid":%d,"command":"stress-ng"}`,
				received.Format(time.RFC3339), n, n/50, i*7919, i, i, rng.IntN(1000), 10_000+rng.IntN(400), 30_000+i*17, 11_000+rng.IntN(400), i, rng.IntN(1000),
				n/50*10_000_000, i%5+1, 1000+i)
			var rec line.Record
			if _, _, err := parser.Next([]byte(text), nil, &rec); err != nil {
				b.Fatal(err)
			}
			batch = append(batch, rec)
			n++
		}
		if _, err := s.Append(b.Context(), batch); err != nil {
			b.Fatal(err)
		}
	}
	for deadline := time.Now().Add(time.Minute); s.Counters().Sealed.Load() < 1; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			b.Fatal("nothing is sealed")
		}
	}
	return s
}

// BenchmarkSealed reads the newest 1,000 records of a sealed file, or of one container in it.
func BenchmarkSealed(b *testing.B) {
	s := sealed(b)
	engine := query.New(s)
	for name, f := range map[string]contract.Filter{"container": {Containers: []string{fmt.Sprintf("%08x", 7*7919)}}, "all": {}} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				n := 0
				err := engine.Lines(b.Context(), query.Query{Filter: f, Order: query.Newest, Before: 48_000}, func(query.Line) error {
					if n++; n == 1000 {
						return query.ErrStop
					}
					return nil
				})
				if err != nil || n < 900 {
					b.Fatal(n, err)
				}
			}
		})
	}
}

// BenchmarkContainers counts the containers of 100,000 records, and the median of their CPU.
func BenchmarkContainers(b *testing.B) {
	s := sealed(b)
	engine := query.New(s)
	since := time.Unix(1_700_000_000, 0)
	b.Run("list", func(b *testing.B) {
		for b.Loop() {
			if all, err := engine.Containers(b.Context(), contract.Filter{Since: since}, "cpu"); err != nil || len(all) != 50 {
				b.Fatal(len(all), err)
			}
		}
	})
	b.Run("median", func(b *testing.B) {
		for b.Loop() {
			_, err := engine.Series(b.Context(), query.SeriesQuery{
				Metric: "cpu_millicores", By: "class", Since: since, Until: since.Add(24 * time.Hour), Step: time.Hour, Quantile: 0.5,
			})
			if err != nil {
				b.Fatal(err)
			}
		}
	})
}
