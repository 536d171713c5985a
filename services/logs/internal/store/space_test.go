package store_test

import (
	"errors"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"gestor.local/contract"

	"gestor.local/logs/internal/line"
	"gestor.local/logs/internal/store"
	"gestor.local/wal/disk/disktest"
)

// A disk that fills is full once, however often a little room is made and used again, and has room once.
func TestADiskThatFillsIsFullOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const reserve = 64 << 20
		mem := disktest.NewMem()
		cfg := smallConfig(mem)
		cfg.MinFree = reserve
		s := opened(t, cfg)
		pseq := uint64(0)
		for _, free := range []uint64{
			reserve + 1<<20, reserve - 1<<10, reserve + 1<<10, reserve - 1<<10, reserve + 4<<20, reserve - 1<<10, reserve + 7<<20,
			reserve - 1<<10, 2 * reserve,
		} {
			mem.Space.Store(free)
			for range 3 {
				pseq++
				_, err := s.Append(t.Context(), []line.Record{record(t, contract.KindContainer, pseq)})
				if err != nil && !errors.Is(err, store.ErrFull) {
					t.Fatal(err)
				}
				time.Sleep(5 * time.Second)
			}
		}
		if s.Full() {
			t.Error("it is full with twice the reserve")
		}
		if events := told(t, s); events["disk_full"] != 1 || events["disk_resumed"] != 1 {
			t.Errorf("recorded %v", events)
		}
		closed(t, s)
	})
}

// A full disk is known before anybody writes: at the start, and while the service runs.
func TestAFullDiskIsKnownWithoutAWrite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mem := disktest.NewMem()
		mem.Space.Store(1 << 20)
		s := opened(t, smallConfig(mem))
		if !s.Full() {
			t.Error("not at the start")
		}
		mem.Space.Store(1 << 40)
		time.Sleep(someLooks)
		if s.Full() {
			t.Error("still, with room")
		}
		mem.Space.Store(1 << 20)
		time.Sleep(someLooks)
		if !s.Full() {
			t.Error("not while it runs")
		}
		closed(t, s)
	})
}

// What the service finds on a full disk is recorded when there is room: the torn end of a file, and that the disk was full.
func TestWhatAFullDiskKeptFromBeingToldIsToldLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mem, cfg := filledDisk(t)
		file, err := mem.Append("d/records/observations/00000000000000000003.ndjson")
		if err == nil {
			_, err = file.Write([]byte(`{"v":1,"seq":77,"to`))
		}
		if err != nil {
			t.Fatal(err)
		}
		var full atomic.Bool
		full.Store(true)
		mem.Before = func(op, _ string) error {
			if full.Load() && op == "write" {
				return syscall.ENOSPC
			}
			return nil
		}
		s := opened(t, cfg)
		time.Sleep(someLooks)
		if events := told(t, s); events["torn_tail"] > 0 {
			t.Fatalf("recorded %v without room", events)
		}
		full.Store(false)
		time.Sleep(someLooks)
		if events := told(t, s); events["torn_tail"] != 1 || events["disk_full"] != 1 || events["disk_resumed"] != 1 {
			t.Errorf("recorded %v", events)
		}
		if s.Full() {
			t.Error("still full")
		}
		closed(t, s)
	})
}

// Records are kept for their time from their receipt on, whatever they say of their own.
func TestRetentionGoesByReceipt(t *testing.T) {
	for name, withoutIndex := range map[string]bool{"sealed": false, "sealed, the index made again": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				mem := disktest.NewMem()
				cfg := store.Config{Dir: "d", FS: mem, SegmentBytes: 1, MinFree: 1}
				cfg.Keep[store.Observations] = store.Retention{Age: 3 * time.Hour}
				s := opened(t, cfg)
				var rec line.Record
				text := `{"v":1,"ts":"1970-01-01T00:00:00Z","kind":"container","host":"h","boot":"b","producer":"p","pseq":1,"container":"c"}`
				if _, _, err := line.NewParser().Next([]byte(text), nil, &rec); err != nil {
					t.Fatal(err)
				}
				if r, err := s.Append(t.Context(), []line.Record{rec}); err != nil || !r.Durable {
					t.Fatalf("%+v, %v", r, err)
				}
				time.Sleep(someLooks)
				if s.Counters().Sealed.Load() != 1 {
					t.Fatal("it is not sealed")
				}
				if withoutIndex {
					closed(t, s)
					if err := mem.Remove(firstFile + ".idx.json"); err != nil {
						t.Fatal(err)
					}
					s = opened(t, cfg)
				}
				time.Sleep(2 * time.Hour)
				wantContents(t, s, 1)
				time.Sleep(2 * time.Hour)
				wantContents(t, s)
				closed(t, s)
			})
		})
	}
}

// A sender of a new name has to wait when the names that are stored take all the room, and the condition says so.
func TestManySendersWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := opened(t, smallConfig(disktest.NewMem()))
		var err error
		for boot := 0; err == nil; {
			var batch []line.Record
			for range 5000 {
				boot++
				rec := record(t, contract.KindSystem, 1)
				rec.Identity = line.Identity{Host: strings.Repeat("h", 250), Boot: strings.Repeat("b", 240) + time.Duration(boot).String(), Producer: "p"}
				batch = append(batch, rec)
			}
			_, err = s.Append(t.Context(), batch)
			if boot > 1_000_000 {
				t.Fatal("there is no bound")
			}
		}
		if !errors.Is(err, store.ErrMany) || s.Conditions()["senders"] == "" {
			t.Errorf("%v, %v", err, s.Conditions())
		}
		first := record(t, contract.KindSystem, 2)
		first.Identity = line.Identity{Host: strings.Repeat("h", 250), Boot: strings.Repeat("b", 240) + "1ns", Producer: "p"}
		if r, err := s.Append(t.Context(), []line.Record{first}); err != nil || r.Accepted != 1 {
			t.Errorf("a known sender: %+v, %v", r, err)
		}
		closed(t, s)
	})
}
