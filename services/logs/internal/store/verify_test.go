package store_test

import (
	"strings"
	"testing"
	"time"

	"gestor.local/contract"

	"gestor.local/logs/internal/store"
	"gestor.local/wal/disk"
)

// busy is a disk on which something happens whenever a file is opened for reading.
type busy struct {
	disk.OS
	happens func()
}

func (b busy) Open(name string) (disk.File, error) {
	b.happens()
	return b.OS.Open(name)
}

// Beside a service that stores, seals and deletes there is nothing to find.
func TestVerifyBesideTheService(t *testing.T) {
	const century = 100 * 365 * 24 * time.Hour
	for name, bytes := range map[string]int64{"everything is kept": 1 << 40, "nearly everything is deleted": 1000} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			s, err := store.Open(store.Config{Dir: dir, MinFree: 1, SegmentBytes: 1, Keep: store.Keep{
				store.Observations: {Age: century, Bytes: bytes}, store.Events: {Age: century, Bytes: bytes},
			}})
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			pseq, sealed := uint64(0), uint64(0)
			oneMore := func() {
				for _, kind := range []contract.Kind{contract.KindDecision, contract.KindContainer} {
					pseq++
					appendOne(t, s, kind, pseq)
				}
				eventually(t, "one more is sealed", func() bool { return s.Counters().Sealed.Load() > sealed })
				sealed = s.Counters().Sealed.Load()
			}
			for range 8 {
				oneMore()
			}
			report, err := store.Verify(busy{happens: oneMore}, dir)
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range report.Findings {
				if !strings.Contains(f.What, "no whole line") { // the one that is being written
					t.Error(f)
				}
			}
			if len(report.Missing) > 0 || report.Records == 0 {
				t.Errorf("%d records, missing %v", report.Records, report.Missing)
			}
		})
	}
}
