package store_test

import (
	"errors"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"gestor.local/contract"

	"gestor.local/logs/internal/line"
	"gestor.local/logs/internal/query"
	"gestor.local/logs/internal/store"
	"gestor.local/wal/disk/disktest"
)

// What a start finds in files counts as stored only once it is durable: a process may have died before its sync, and a
// producer that sends it again is told that it is kept.
func TestADuplicateIsDurable(t *testing.T) {
	for _, op := range []string{"sync", "syncdir"} {
		t.Run(op, func(t *testing.T) {
			mem := disktest.NewMem()
			var fails atomic.Bool
			mem.Before = func(got, name string) error {
				if got == op && strings.Contains(name, "observations") && fails.Load() {
					return syscall.EIO
				}
				return nil
			}
			s, err := store.Open(smallConfig(mem))
			if err != nil {
				t.Fatal(err)
			}
			records := []line.Record{record(t, contract.KindContainer, 1)}
			fails.Store(true)
			if _, err := s.Append(t.Context(), records); !errors.Is(err, store.ErrFailed) {
				t.Fatalf("got %v", err)
			}
			_ = s.Close()
			fails.Store(false)
			if s, err = store.Open(smallConfig(mem)); err != nil {
				t.Fatal(err)
			}
			if _, err := s.Append(t.Context(), records); err != nil {
				t.Fatal(err)
			}
			for seed := range uint64(50) {
				after, err := store.Open(smallConfig(mem.Crash(rand.New(rand.NewPCG(seed, 1)))))
				if err != nil {
					t.Fatal(err)
				}
				if got := contents(t, after); got[1] == 0 {
					t.Fatalf("seed %d: answered as kept and lost: %v", seed, got)
				}
				_ = after.Close()
			}
			_ = s.Close()
		})
	}
}

// Free space that cannot be used must not make the store busy with telling so.
func TestNoRoomInSpiteOfFreeSpace(t *testing.T) {
	mem := disktest.NewMem()
	var full atomic.Bool
	mem.Before = func(op, _ string) error {
		if op == "write" && full.Load() {
			return syscall.EDQUOT
		}
		return nil
	}
	s, err := store.Open(smallConfig(mem))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	full.Store(true)
	for pseq := range uint64(10) {
		if _, err := s.Append(t.Context(), []line.Record{record(t, contract.KindContainer, pseq+1)}); !errors.Is(err, store.ErrFull) {
			t.Fatalf("got %v", err)
		}
	}
	time.Sleep(50 * time.Millisecond) // in which a loop would come round thousands of times
	if n := s.Counters().Commits.Load(); n > 30 {
		t.Errorf("%d commits for 10 requests", n)
	}
	if !s.Full() {
		t.Error("it is not said")
	}
	full.Store(false)
	appendOne(t, s, contract.KindContainer, 1)
	eventually(t, "it is over", func() bool { return !s.Full() })
}

// A plain file that could not be deleted after its seal takes no records behind files that came later.
func TestNumbersRiseFromFileToFile(t *testing.T) {
	mem := disktest.NewMem()
	var once atomic.Bool
	mem.Before = func(op, name string) error {
		if op == "remove" && strings.HasSuffix(name, "00000000000000000001.ndjson") && once.CompareAndSwap(false, true) {
			return syscall.EPERM
		}
		return nil
	}
	cfg := smallConfig(mem)
	cfg.SegmentBytes = 1
	s, err := store.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	for pseq := range uint64(3) {
		appendOne(t, s, contract.KindContainer, pseq+1)
	}
	eventually(t, "the later ones are sealed", func() bool { return s.Counters().Sealed.Load() >= 2 })
	_ = s.Close()
	cfg.SegmentBytes = 1 << 20
	if s, err = store.Open(cfg); err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	appendOne(t, s, contract.KindContainer, 4)
	if got := contents(t, s); len(got) != 4 { // it fails the test when numbers do not rise
		t.Errorf("stored %v", got)
	}
}

// What was deleted while there was no room for saying so is said afterwards.
func TestDeletionIsToldWhenThereIsRoom(t *testing.T) {
	mem := disktest.NewMem()
	cfg := smallConfig(mem)
	cfg.SegmentBytes = 1
	s, err := store.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	for pseq := range uint64(5) {
		appendOne(t, s, contract.KindContainer, pseq+1)
	}
	eventually(t, "all are sealed", func() bool { return s.Counters().Sealed.Load() >= 5 })
	_ = s.Close()
	cfg.Keep[store.Observations] = store.Retention{Age: 100 * 365 * 24 * time.Hour, Bytes: 1}
	mem.Space.Store(0)
	if s, err = store.Open(cfg); err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	eventually(t, "they are deleted", func() bool { return s.Counters().Removed.Load() >= 5 })
	mem.Space.Store(1 << 40)
	told := 0.0
	eventually(t, "all of it is told", func() bool {
		appendOne(t, s, contract.KindSystem, s.Head()+1000) // wakes the maintenance goroutine
		told = 0
		err := query.New(s).Scan(t.Context(), contract.Filter{Kinds: []contract.Kind{contract.KindSystem}}, query.Oldest, func(r contract.Record) error {
			if b := r.Body.(contract.SystemBody); b.Event == "retention" {
				told += b.Details["records"].(float64)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		return told >= 5
	})
	if told != 5 {
		t.Errorf("%v are told", told)
	}
}

// A record of the future, by a wrong clock, does not keep its file and all later ones for ever.
func TestARecordOfTheFutureExpires(t *testing.T) {
	var now atomic.Int64
	now.Store(1_700_000_000)
	s, err := store.Open(store.Config{Dir: t.TempDir(), MinFree: 1, SegmentBytes: 1, Now: func() time.Time { return time.Unix(now.Load(), 0) }})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	appendOne(t, s, contract.KindContainer, 2_000_000_000) // half a century later
	appendOne(t, s, contract.KindContainer, 1)
	eventually(t, "both are sealed", func() bool { return s.Counters().Sealed.Load() >= 2 })
	now.Add(8 * 24 * 3600)
	appendOne(t, s, contract.KindContainer, 700_000)
	eventually(t, "both are deleted", func() bool { return s.Counters().Removed.Load() == 2 })
}
