package store_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gestor.local/logs/internal/line"
	"gestor.local/logs/internal/rollup"
	"gestor.local/logs/internal/store"
)

// named makes a container record whose image, class and container are its own.
func named(t *testing.T, pseq uint64) line.Record {
	t.Helper()
	var rec line.Record
	text := fmt.Sprintf(`{"v":1,"ts":%q,"kind":"container","host":"h","boot":"b","producer":"p","pseq":%d,"container":"c%d",`+
		`"image":"image-%d","class":"class-%d","owned":true,"measured":true,"ram_kb":3}`,
		time.Unix(1_700_000_000+int64(pseq), 0).UTC().Format(time.RFC3339), pseq, pseq, pseq, pseq)
	if _, _, err := line.NewParser().Next([]byte(text), nil, &rec); err != nil {
		t.Fatal(err)
	}
	return rec
}

// Names that are new with every record are told, and their sums take no more room than the records.
func TestManyNamesTakeLittleRoom(t *testing.T) {
	const records = 20_000
	cfg := store.Config{Dir: t.TempDir(), MinFree: 1, SegmentBytes: 1 << 20, Fsync: store.FsyncNever, Keep: store.Keep{
		store.Observations: {Age: 100 * 365 * 24 * time.Hour, Bytes: 1 << 40}, store.Events: {Age: 100 * 365 * 24 * time.Hour},
	}, KeepRollups: [3]time.Duration{1 << 62, 1 << 62, 1 << 62}}
	s, err := store.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	told := false
	for pseq := uint64(1); pseq <= records; {
		var batch []line.Record
		for range 1000 {
			batch = append(batch, named(t, pseq))
			pseq++
		}
		if _, err := s.Append(t.Context(), batch); err != nil {
			t.Fatal(err)
		}
		told = told || strings.Contains(s.Conditions()["names"], "class, image")
	}
	eventually(t, "files are sealed", func() bool { return s.Counters().Sealed.Load() >= 2 })

	var total uint64
	s.Rollup(0, time.Unix(0, 0), time.Unix(1<<40, 0), func(k rollup.Key, r *rollup.Row) {
		if k.By == rollup.ByImage {
			r.Each(func(metric string, v rollup.Value) {
				if metric == "ram_kb" {
					total += v.Sum
				}
			})
		}
	})
	if total != 3*records {
		t.Errorf("the sums are %d of %d", total, 3*records)
	}
	if sums, stored := size(t, cfg.Dir+"/rollup"), int64(s.Counters().Bytes[store.Observations].Load()); sums > stored {
		t.Errorf("%d bytes of sums for %d of records", sums, stored)
	}
	if !told {
		t.Error("it is not said")
	}
}

// size is the bytes of the files below a folder.
func size(t *testing.T, dir string) (bytes int64) {
	t.Helper()
	files, err := filepath.Glob(dir + "/*/*")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range files {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		bytes += info.Size()
	}
	return bytes
}
