package store_test

import (
	"fmt"
	"os"
	"testing"
	"time"

	"gestor.local/logs/internal/line"
	"gestor.local/logs/internal/store"
)

// BenchmarkOpen opens a store whose last file, of 64 MiB, has to be read from end to end: the start after a crash.
func BenchmarkOpen(b *testing.B) {
	cfg := store.Config{Dir: b.TempDir(), MinFree: 1, Fsync: store.FsyncNever, SegmentBytes: 1 << 30}
	s, err := store.Open(cfg)
	if err != nil {
		b.Fatal(err)
	}
	parser := line.NewParser()
	for n := 1; s.Counters().Bytes[store.Observations].Load() < 64<<20; {
		var batch []line.Record
		for i := range 50 {
			text := fmt.Sprintf(`{"v":1,"ts":%q,"kind":"container","host":"node1","boot":"5a7e8a0c-91d3-4f7e-b6a4-0b9f3c1d2e3f","source":"module",`+
				`"producer":"manager","pseq":%d,"tick":%d,"container":"%064d","name":"high-cpu-%d","image":"gestor/high-cpu","class":"high",`+
				`"owned":true,"state":"running","measured":true,"cpu_millicores":%d,"ram_kb":%d,"vsz_kb":30000,"rss_kb":11000,"memory_permille":%d,`+
				`"cpu_permille":500,"processes":2,"threads":3,"age_us":%d,"rank":1,"verdict":"keep","reason":"within_quota","pid":%d,"command":"stress-ng"}`,
				time.Unix(1_700_000_000+int64(n/50*10), 0).UTC().Format(time.RFC3339), n, n/50, i, i, n%1000, 10_000+n%400, i, n*1000, 1000+i)
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
	head := s.Head()
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
	b.SetBytes(64 << 20)
	for b.Loop() {
		s, err := store.Open(cfg)
		if err != nil || s.Head() != head {
			b.Fatal(head, err)
		}
		b.StopTimer()
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
	}
	if left, err := os.ReadDir(cfg.Dir + "/quarantine"); err == nil {
		b.Fatalf("%d files are quarantined", len(left))
	}
}
