package store

import (
	"testing"
	"testing/synctest"
	"time"

	"gestor.local/contract"

	"gestor.local/wal/disk/disktest"
)

// While files wait to be sealed records are refused, and some may wait for ever, since the disk cannot read them: retention
// deletes them all the same, and records are taken again.
func TestRetentionGoesOnWhileRecordsAreRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, err := Open(Config{Dir: "data", FS: disktest.NewMem(), MinFree: 1, SegmentBytes: 1, Keep: Keep{Events: {Age: time.Hour}}})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		one := func() error {
			records, err := s.ownRecord(contract.SystemBody{Event: "note", Level: contract.LevelInfo})
			if err != nil {
				t.Fatal(err)
			}
			_, err = s.Append(t.Context(), records)
			return err
		}
		if err := one(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * checkInterval)

		s.unsealed.Store(maxUnsealed + 1)
		time.Sleep(2 * time.Hour)
		if n := s.counters.Removed.Load(); n == 0 {
			t.Error("nothing was deleted")
		}
		if err := one(); err != nil {
			t.Error(err)
		}
	})
}
