package store_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"gestor.local/contract"

	"gestor.local/logs/internal/line"
	"gestor.local/logs/internal/query"
	"gestor.local/logs/internal/store"
	"gestor.local/wal/disk"
	"gestor.local/wal/disk/disktest"
)

// record is a small record with a unique number.
func record(t testing.TB, kind contract.Kind, pseq uint64) line.Record {
	t.Helper()
	text := fmt.Sprintf(`{"v":1,"ts":%q,"kind":%q,"host":"h","boot":"b","producer":"p","pseq":%d,"container":"c%d","event":"e"}`,
		time.Unix(int64(1_700_000_000+pseq), 0).UTC().Format(time.RFC3339), kind, pseq, pseq%7)
	var rec line.Record
	if _, _, err := line.NewParser().Next([]byte(text), nil, &rec); err != nil {
		t.Fatal(err)
	}
	return rec
}

func kindOf(rng *rand.Rand) contract.Kind {
	if rng.IntN(3) == 0 {
		return contract.KindSystem
	}
	return contract.KindContainer
}

// moment is what a crash left and what had been promised by then.
type moment struct {
	disk  *disktest.Mem
	acked map[uint64]uint64 // pseq → lowest seq of its answer
	op    string
}

// crasher cuts the power at random operations while a workload runs; the workload itself does not notice.
type crasher struct {
	mu      sync.Mutex
	rng     *rand.Rand
	acked   map[uint64]uint64
	moments []moment
	odds    int
}

func (c *crasher) before(m *disktest.Mem) func(op, name string) error {
	return func(op, name string) error {
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.rng.IntN(c.odds) == 0 {
			acked := map[uint64]uint64{}
			for k, v := range c.acked {
				acked[k] = v
			}
			c.moments = append(c.moments, moment{m.Crash(c.rng), acked, op + " " + name})
		}
		return nil
	}
}

func smallConfig(m *disktest.Mem) store.Config {
	return store.Config{Dir: "d", FS: m, SegmentBytes: 2 << 10, Keep: store.Keep{
		store.Observations: {Age: 100 * 365 * 24 * time.Hour}, store.Events: {Age: 100 * 365 * 24 * time.Hour},
	}}
}

// Nothing that was answered is lost, nothing is stored twice and every line is whole, wherever the power is cut.
func TestPowerCut(t *testing.T) {
	runs := 60
	if os.Getenv("GESTOR_SOAK") == "1" {
		runs = 3000
	}
	total := 0
	for run := range runs {
		total += powerCuts(t, uint64(run))
		if t.Failed() {
			t.Fatalf("seed %d", run)
		}
	}
	if total < 10*runs {
		t.Errorf("only %d crash points in %d runs", total, runs)
	}
	t.Logf("%d crash points", total)
}

func powerCuts(t *testing.T, seed uint64) int {
	c := &crasher{rng: rand.New(rand.NewPCG(seed, 1)), acked: map[uint64]uint64{}, odds: 8}
	mem := disktest.NewMem()
	mem.Before = c.before(mem)
	s, err := store.Open(smallConfig(mem))
	if err != nil {
		t.Fatal(err)
	}
	var work sync.WaitGroup
	for writer := range uint64(3) {
		rng := rand.New(rand.NewPCG(seed, 2+writer))
		work.Go(func() {
			next := writer*1000 + 1
			for range 12 {
				var batch []line.Record
				for range 1 + rng.IntN(5) {
					batch = append(batch, record(t, kindOf(rng), next))
					next++
				}
				result, err := s.Append(context.Background(), batch)
				if err != nil || result.Accepted != len(batch) {
					t.Errorf("append: %+v, %v", result, err)
					return
				}
				c.mu.Lock()
				for _, rec := range batch {
					c.acked[rec.PSeq] = result.First
				}
				c.mu.Unlock()
			}
		})
	}
	work.Wait()
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	for i, m := range c.moments {
		if !surviving(t, m, rand.New(rand.NewPCG(seed, uint64(i)))) {
			t.Errorf("crash %d of seed %d, before %s", i, seed, m.op)
		}
	}
	return len(c.moments)
}

// surviving opens what a crash left, checks it, and sends everything again.
func surviving(t *testing.T, m moment, rng *rand.Rand) bool {
	s, err := store.Open(smallConfig(m.disk))
	if err != nil {
		t.Errorf("open: %v", err)
		return false
	}
	defer s.Close()
	stored := contents(t, s)
	ok := !t.Failed()
	for pseq, first := range m.acked {
		seq, found := stored[pseq]
		if !found || seq < first {
			t.Errorf("pseq %d was answered with %d and is now %d (%v)", pseq, first, seq, found)
			ok = false
		}
	}
	var again []line.Record
	for pseq := range stored {
		again = append(again, record(t, kindOf(rng), pseq))
	}
	again = append(again, record(t, contract.KindSystem, 999_999))
	result, err := s.Append(context.Background(), again)
	if err != nil || result.Accepted != 1 || result.Duplicates != len(stored) {
		t.Errorf("sent again: %+v, %v; want 1 new and %d duplicates", result, err, len(stored))
		return false
	}
	return ok && len(contents(t, s)) == len(stored)+1 && !t.Failed()
}

// contents reads everything and checks that numbers rise and that no record is there twice.
func contents(t *testing.T, s *store.Store) map[uint64]uint64 {
	t.Helper()
	out := map[uint64]uint64{}
	last := uint64(0)
	err := query.New(s).Scan(context.Background(), contract.Filter{}, query.Oldest, func(r contract.Record) error {
		if r.Seq <= last {
			t.Errorf("seq %d after %d", r.Seq, last)
		}
		last = r.Seq
		if r.Producer == contract.ProducerLogs {
			return nil
		}
		if other, twice := out[r.PSeq]; twice {
			t.Errorf("pseq %d has the numbers %d and %d", r.PSeq, other, r.Seq)
		}
		out[r.PSeq] = r.Seq
		return nil
	})
	if err != nil {
		t.Errorf("scan: %v", err)
	}
	return out
}

// A full disk refuses the whole group and leaves nothing of it; when there is room the same records are taken.
func TestFullDiskRefusesAndResumes(t *testing.T) {
	for _, fault := range []error{syscall.ENOSPC, disktest.ErrShort} {
		t.Run(fault.Error(), func(t *testing.T) {
			mem := disktest.NewMem()
			s, err := store.Open(smallConfig(mem))
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			if _, err := s.Append(t.Context(), []line.Record{record(t, contract.KindSystem, 1), record(t, contract.KindContainer, 2)}); err != nil {
				t.Fatal(err)
			}
			writes := 0
			mem.Before = func(op, _ string) error {
				if op == "write" {
					writes++
				}
				if op == "write" && writes == 2 { // the second stream of the group
					return errors.Join(fault, syscall.ENOSPC)
				}
				return nil
			}
			batch := []line.Record{record(t, contract.KindSystem, 3), record(t, contract.KindContainer, 4)}
			if _, err := s.Append(t.Context(), batch); !errors.Is(err, store.ErrFull) {
				t.Fatalf("got %v", err)
			}
			if got := contents(t, s); len(got) != 2 {
				t.Fatalf("stored %v", got)
			}
			result, err := s.Append(t.Context(), batch)
			if err != nil || result.Accepted != 2 {
				t.Fatalf("%+v, %v", result, err)
			}
			if got := contents(t, s); len(got) != 4 || s.Full() {
				t.Errorf("stored %v, full %v", got, s.Full())
			}
		})
	}
}

// A torn end on a full disk, where its copy has no room: the store starts and can be read, and cuts it when there is room.
func TestTornTailOnAFullDisk(t *testing.T) {
	const torn = `{"v":1,"seq":77,"to`
	for _, before := range []int{0, 3} { // records before the torn one
		t.Run(fmt.Sprint(before), func(t *testing.T) {
			mem := disktest.NewMem()
			cfg := smallConfig(mem)
			first := uint64(1)
			s, err := store.Open(cfg)
			if err != nil {
				t.Fatal(err)
			}
			for range before {
				appendOne(t, s, contract.KindContainer, first)
				first++
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			file, err := mem.Append(cfg.Dir + "/records/observations/00000000000000000001.ndjson")
			if err == nil {
				_, err = file.Write([]byte(torn))
			}
			if err != nil {
				t.Fatal(err)
			}
			var full atomic.Bool
			full.Store(true)
			mem.Space.Store(0)
			mem.Before = func(op, _ string) error {
				if full.Load() && (op == "write" || op == "create") {
					return syscall.ENOSPC
				}
				return nil
			}
			cfg.SegmentBytes = 1 // each further record wakes the maintenance goroutine
			if s, err = store.Open(cfg); err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			if got := contents(t, s); len(got) != before {
				t.Errorf("stored %v", got)
			}
			if _, err := s.Append(t.Context(), []line.Record{record(t, contract.KindContainer, first)}); !errors.Is(err, store.ErrFull) {
				t.Errorf("without room: %v", err)
			}
			full.Store(false)
			mem.Space.Store(1 << 40)
			for range 2 {
				appendOne(t, s, contract.KindContainer, first)
				first++
			}
			eventually(t, "the torn file is sealed, and the two", func() bool { return s.Counters().Sealed.Load() >= 3 })
			if got := contents(t, s); len(got) != before+2 {
				t.Errorf("stored %v", got)
			}
			aside, err := mem.List(cfg.Dir + "/quarantine")
			if err != nil || len(aside) != 1 {
				t.Fatalf("aside: %v, %v", aside, err)
			}
			if text, err := disk.ReadFile(mem, cfg.Dir+"/quarantine/"+aside[0]); err != nil || string(text) != torn {
				t.Errorf("aside: %s, %v", text, err)
			}
			if report, err := store.Verify(mem, cfg.Dir); err != nil || len(report.Findings) > 0 {
				t.Errorf("%+v, %v", report, err)
			}
		})
	}
}

// Below the reserve observations are refused and events are not.
func TestReserveIsForEvents(t *testing.T) {
	mem := disktest.NewMem()
	cfg := smallConfig(mem)
	cfg.MinFree = 64 << 20
	s, err := store.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	mem.Space.Store(32 << 20)
	if _, err := s.Append(t.Context(), []line.Record{record(t, contract.KindContainer, 1)}); !errors.Is(err, store.ErrFull) {
		t.Errorf("observation: %v", err)
	}
	if _, err := s.Append(t.Context(), []line.Record{record(t, contract.KindSystem, 2)}); err != nil {
		t.Errorf("event: %v", err)
	}
	mem.Space.Store(8 << 20)
	if _, err := s.Append(t.Context(), []line.Record{record(t, contract.KindSystem, 3)}); !errors.Is(err, store.ErrFull) {
		t.Errorf("event without room: %v", err)
	}
	mem.Space.Store(1 << 30)
	if _, err := s.Append(t.Context(), []line.Record{record(t, contract.KindContainer, 1)}); err != nil {
		t.Errorf("with room again: %v", err)
	}
}

// After a failed sync nothing is written any more, and the next start tells what the disk really holds.
func TestFailedSyncIsFinal(t *testing.T) {
	mem := disktest.NewMem()
	s, err := store.Open(smallConfig(mem))
	if err != nil {
		t.Fatal(err)
	}
	mem.Before = func(op, _ string) error {
		if op == "sync" {
			return syscall.EIO
		}
		return nil
	}
	if _, err := s.Append(t.Context(), []line.Record{record(t, contract.KindSystem, 1)}); !errors.Is(err, store.ErrFailed) {
		t.Fatalf("got %v", err)
	}
	mem.Before = nil
	if _, err := s.Append(t.Context(), []line.Record{record(t, contract.KindSystem, 2)}); !errors.Is(err, store.ErrFailed) {
		t.Errorf("after the failure: %v", err)
	}
	select {
	case <-s.Failure():
	default:
		t.Error("the failure is not announced")
	}
	s.Close()
	if got := contents(t, s); len(got) != 0 {
		t.Errorf("shown although never synced: %v", got)
	}
}

func TestOneStoreAtATime(t *testing.T) {
	dir := t.TempDir()
	s, err := store.Open(store.Config{Dir: dir, MinFree: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if _, err := store.Open(store.Config{Dir: dir}); !errors.Is(err, store.ErrLocked) {
		t.Errorf("second store: %v", err)
	}
	if b, err := fs.ReadFile(os.DirFS(dir), "LOCK"); err != nil || string(b) != strconv.Itoa(os.Getpid()) {
		t.Errorf("LOCK holds %q, %v", b, err)
	}
}
