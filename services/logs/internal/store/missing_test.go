package store_test

import (
	"errors"
	"io/fs"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"gestor.local/contract"

	"gestor.local/logs/internal/line"
	"gestor.local/logs/internal/query"
	"gestor.local/logs/internal/store"
	"gestor.local/wal/disk"
	"gestor.local/wal/disk/disktest"
)

const (
	firstFile  = "d/records/observations/00000000000000000001"
	aMoment    = time.Second // in a bubble: until everybody waits
	someLooks  = 25 * time.Second
	farRecords = 900_000 // numbers of senders' records that tests add afterwards
)

// filledDisk is a store with two sealed files of observations and one that takes records, closed: the records 1 to 3.
func filledDisk(t *testing.T) (*disktest.Mem, store.Config) {
	t.Helper()
	mem := disktest.NewMem()
	cfg := smallConfig(mem)
	cfg.SegmentBytes = 1
	s := opened(t, cfg)
	for pseq := range uint64(2) {
		appendOne(t, s, contract.KindContainer, pseq+1)
		time.Sleep(aMoment)
	}
	closed(t, s)
	cfg.SegmentBytes = 1 << 20
	s = opened(t, cfg)
	appendOne(t, s, contract.KindContainer, 3)
	closed(t, s)
	return mem, cfg
}

func opened(t *testing.T, cfg store.Config) *store.Store {
	t.Helper()
	s, err := store.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func closed(t *testing.T, s *store.Store) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

// told counts the service's own records of each event.
func told(t *testing.T, s *store.Store) map[string]int {
	t.Helper()
	out := map[string]int{}
	err := query.New(s).Scan(t.Context(), contract.Filter{Kinds: []contract.Kind{contract.KindSystem}}, query.Oldest, func(r contract.Record) error {
		if r.Producer == contract.ProducerLogs {
			out[r.Body.(contract.SystemBody).Event]++
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func wantContents(t *testing.T, s *store.Store, pseqs ...uint64) {
	t.Helper()
	got := contents(t, s)
	for _, pseq := range pseqs {
		if got[pseq] == 0 {
			t.Errorf("record %d is not there: %v", pseq, got)
		}
	}
	if len(got) != len(pseqs) {
		t.Errorf("%v are there, want %v", got, pseqs)
	}
}

// faults is a disk's reading that fails where it is told to.
type faults struct {
	mu   sync.Mutex
	fail func(op, name string) error
}

func (f *faults) set(fail func(op, name string) error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fail = fail
}

func (f *faults) reading(op, name string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.fail == nil {
		return nil
	}
	return f.fail(op, name)
}

// on fails some operations on the files whose names contain a text.
func on(ops, text string, err error) func(op, name string) error {
	return func(op, name string) error {
		if strings.Contains(ops, op) && strings.Contains(name, text) {
			return err
		}
		return nil
	}
}

// Whatever cannot be read, the store starts, says so, serves everything else, takes records, and takes back in what can be read
// again.
func TestWhatCannotBeReadIsLeftOut(t *testing.T) {
	const active = "observations/00000000000000000003.ndjson" // plain
	for name, c := range map[string]struct {
		fail      func(op, name string) error
		missing   uint64 // the record that cannot be had
		condition string
		event     string
	}{
		"a sealed file":          {on("open", "0001.ndjson.gz", syscall.EACCES), 1, "missing", "segment_unreadable"},
		"a sealed file, EIO":     {on("open", "0002.ndjson.gz", syscall.EIO), 2, "missing", "segment_unreadable"},
		"the growing file":       {on("append open", active, syscall.EACCES), 3, "missing", "segment_unreadable"},
		"a growing file, EIO":    {on("read", active, syscall.EIO), 3, "damaged", "damage"},
		"an index":               {on("open", ".idx.json", syscall.EACCES), 0, "", ""},
		"the folder of the sums": {on("list open append", "rollup", syscall.EACCES), 0, "rollup", ""},
		"the identities":         {on("open", "identities.json", syscall.EACCES), 0, "", "identities_lost"},
		"the list":               {on("open", "segments.json", syscall.EACCES), 0, "", "damage"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				mem, cfg := filledDisk(t)
				var disk faults
				disk.set(c.fail)
				mem.Reading = disk.reading
				s := opened(t, cfg)
				time.Sleep(aMoment)
				if text := s.Conditions()[c.condition]; c.condition != "" && text == "" {
					t.Errorf("conditions %v, want %s", s.Conditions(), c.condition)
				}
				appendOne(t, s, contract.KindContainer, farRecords)
				time.Sleep(aMoment)
				want := []uint64{farRecords}
				for _, pseq := range []uint64{1, 2, 3} {
					if pseq != c.missing {
						want = append(want, pseq)
					}
				}
				wantContents(t, s, want...)
				if c.event != "" && told(t, s)[c.event] != 1 {
					t.Errorf("recorded %v, want %s", told(t, s), c.event)
				}

				disk.set(nil)
				time.Sleep(2 * time.Minute)
				if c.condition == "damaged" { // the start looks again
					closed(t, s)
					s = opened(t, cfg)
				}
				wantContents(t, s, 1, 2, 3, farRecords)
				if len(s.Conditions()) > 0 {
					t.Errorf("still: %v", s.Conditions())
				}
				closed(t, s)
			})
		})
	}
}

// Sums whose files can be neither read nor written are of all records all the same, each counted once, also when the store
// starts again, and when the files can be written.
func TestSumsThatCannotBeWrittenAnswerFromMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mem := disktest.NewMem()
		cfg := smallConfig(mem)
		cfg.SegmentBytes = 1
		s := opened(t, cfg)
		for pseq := range uint64(3) {
			if _, err := s.Append(t.Context(), []line.Record{measured(t, pseq+1)}); err != nil {
				t.Fatal(err)
			}
			time.Sleep(aMoment)
		}
		want := sums(t, s)
		if n := countOf(want); n != 3 {
			t.Fatalf("the sums hold %d records", n)
		}

		var disk faults
		mem.Reading = disk.reading
		for _, broken := range []string{"rollup", "rollup/1m", "rollup/10m", "rollup/1h"} {
			disk.set(on("list open append", broken, syscall.EACCES))
			closed(t, s)
			s = opened(t, cfg)
			time.Sleep(aMoment)
			if diff := cmp.Diff(want, sums(t, s)); diff != "" || s.Conditions()["rollup"] == "" {
				t.Errorf("%s: %s, conditions %v", broken, diff, s.Conditions())
			}

			disk.set(nil)
			time.Sleep(2 * time.Minute)
			if diff := cmp.Diff(want, sums(t, s)); diff != "" || len(s.Conditions()) > 0 {
				t.Errorf("%s, mended: %s, conditions %v", broken, diff, s.Conditions())
			}
		}
		closed(t, s)
	})
}

// measured is a record that sums hold.
func measured(t *testing.T, pseq uint64) line.Record {
	t.Helper()
	rec := record(t, contract.KindContainer, pseq)
	text := `{"v":1,"ts":"` + rec.Time.Format(time.RFC3339) + `",` + string(rec.Body) +
		`,"owned":true,"measured":true,"cpu_millicores":7,"class":"low","image":"i"}`
	if _, _, err := line.NewParser().Next([]byte(text), nil, &rec); err != nil {
		t.Fatal(err)
	}
	return rec
}

// A file that may only be read is served, takes no records, and is sealed.
func TestAReadOnlyFileIsServed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mem, cfg := filledDisk(t)
		mem.Reading = func(op, name string) error {
			if op == "append" && strings.HasSuffix(name, "observations/00000000000000000003.ndjson") {
				return syscall.EACCES
			}
			return nil
		}
		s := opened(t, cfg)
		appendOne(t, s, contract.KindContainer, farRecords)
		time.Sleep(someLooks)
		wantContents(t, s, 1, 2, 3, farRecords)
		if told(t, s)["read_only"] != 1 || len(s.Conditions()) > 0 {
			t.Errorf("recorded %v, conditions %v", told(t, s), s.Conditions())
		}
		if _, err := mem.Stat("d/records/observations/00000000000000000003.ndjson.gz"); err != nil {
			t.Error(err)
		}
		closed(t, s)
	})
}

// A record that was sent again is a duplicate although the file that it is in cannot be read: its index can.
func TestWhatIsLeftOutStaysADuplicate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mem, cfg := filledDisk(t)
		mem.Reading = on("open", "0001.ndjson.gz", syscall.EACCES)
		s := opened(t, cfg)
		if r := appendOne(t, s, contract.KindContainer, 1); r.Duplicates != 1 {
			t.Errorf("%+v", r)
		}
		closed(t, s)
	})
}

// A folder in the place of a file costs that file alone.
func TestAFolderInAFilesPlace(t *testing.T) {
	for _, ext := range []string{".ndjson.gz", ".ndjson", ".idx.json", ".ndjson.gz.tmp"} {
		t.Run(ext, func(t *testing.T) {
			dir := t.TempDir()
			fill(t, dir, 1000)
			path := dir + "/records/observations/00000000000000000001" + ext
			if err := os.RemoveAll(path); err != nil {
				t.Fatal(err)
			}
			if err := os.MkdirAll(path+"/inside", 0o755); err != nil {
				t.Fatal(err)
			}
			if report, err := store.Verify(disk.OS{}, dir); err != nil || report.Files < 3 || ext != ".ndjson.gz.tmp" && report.OK() {
				t.Errorf("verify: %+v, %v", report, err)
			}
			s := opened(t, diskConfig(dir))
			before := len(contents(t, s))
			if before < 700 || ext != ".ndjson.gz" && before < 1000 {
				t.Errorf("%d of 1000 records are left", before)
			}
			appendOne(t, s, contract.KindContainer, farRecords)
			closed(t, s)
			if _, err := os.Stat(path + "/inside"); err != nil {
				t.Errorf("somebody's folder is gone: %v", err)
			}
		})
	}
}

// A file that vanishes, is emptied or replaced under the running service is noticed within a minute, everything else is
// served, and it is taken back in when it is there again.
func TestAFileThatChangesIsNoticed(t *testing.T) {
	const path = firstFile + ".ndjson.gz"
	replace := func(text string) func(*testing.T, *disktest.Mem) {
		return func(t *testing.T, mem *disktest.Mem) { write(t, mem, path, []byte(text)) }
	}
	for name, change := range map[string]func(*testing.T, *disktest.Mem){
		"vanishes": func(t *testing.T, mem *disktest.Mem) {
			if err := mem.Remove(path); err != nil {
				t.Fatal(err)
			}
		},
		"is emptied": replace(""), "is replaced": replace("something else"),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				mem, cfg := filledDisk(t)
				content, err := disk.ReadFile(mem, path)
				if err != nil {
					t.Fatal(err)
				}
				s := opened(t, cfg)
				time.Sleep(someLooks)
				if len(s.Conditions()) > 0 {
					t.Fatalf("before: %v", s.Conditions())
				}
				change(t, mem)
				time.Sleep(someLooks)
				wantContents(t, s, 2, 3)
				if len(s.Conditions()) == 0 {
					t.Error("it is not noticed")
				}
				if events := told(t, s); events["segment_missing"]+events["segment_unreadable"] != 1 {
					t.Errorf("recorded %v", events)
				}
				write(t, mem, path, content)
				time.Sleep(someLooks)
				wantContents(t, s, 1, 2, 3)
				closed(t, s)
			})
		})
	}
}

func write(t *testing.T, mem *disktest.Mem, path string, content []byte) {
	t.Helper()
	file, err := mem.Create(path)
	if err == nil {
		_, err = file.Write(content)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// A sealed file that is touched, or brought back from a copy, is the same.
func TestACopyIsTheSame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mem, cfg := filledDisk(t)
		s := opened(t, cfg)
		content, err := disk.ReadFile(mem, firstFile+".ndjson.gz")
		if err != nil {
			t.Fatal(err)
		}
		if err := mem.Remove(firstFile + ".ndjson.gz"); err != nil {
			t.Fatal(err)
		}
		write(t, mem, firstFile+".ndjson.gz", content)
		time.Sleep(someLooks)
		wantContents(t, s, 1, 2, 3)
		if len(s.Conditions()) > 0 || told(t, s)["segment_unreadable"] > 0 {
			t.Errorf("%v, %v", s.Conditions(), told(t, s))
		}
		closed(t, s)
	})
}

// What is answered as durable is found by the next start, whatever happened to the file that is written, and what was in it
// before is written again where it can be.
func TestDurableMeansAtItsPlace(t *testing.T) {
	const path = "d/records/observations/00000000000000000003.ndjson"
	for name, c := range map[string]struct {
		change func(*testing.T, *disktest.Mem)
		left   []uint64
	}{
		"deleted": {func(t *testing.T, mem *disktest.Mem) {
			if err := mem.Remove(path); err != nil {
				t.Fatal(err)
			}
		}, []uint64{1, 2, 3, farRecords, farRecords + 1}},
		"replaced": {func(t *testing.T, mem *disktest.Mem) {
			if err := mem.Remove(path); err != nil {
				t.Fatal(err)
			}
			write(t, mem, path, []byte("something else\n"))
		}, []uint64{1, 2, 3, farRecords, farRecords + 1}},
		"emptied": {func(t *testing.T, mem *disktest.Mem) { write(t, mem, path, nil) }, []uint64{1, 2, farRecords, farRecords + 1}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				mem, cfg := filledDisk(t)
				s := opened(t, cfg)
				c.change(t, mem)
				if r := appendOne(t, s, contract.KindContainer, farRecords); !r.Durable {
					t.Error("not durable")
				}
				appendOne(t, s, contract.KindContainer, farRecords+1)
				time.Sleep(someLooks)
				if told(t, s)["segment_replaced"] != 1 {
					t.Errorf("recorded %v", told(t, s))
				}
				closed(t, s)
				s = opened(t, cfg)
				wantContents(t, s, c.left...)
				closed(t, s)
			})
		})
	}
}

// After the data folder was emptied nothing is answered as durable: the store fails, and a restart begins anew.
func TestAnEmptiedFolderIsFinal(t *testing.T) {
	dir := t.TempDir()
	s := opened(t, store.Config{Dir: dir, MinFree: 1})
	appendOne(t, s, contract.KindContainer, 1)
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if err := os.RemoveAll(dir + "/" + e.Name()); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.Append(t.Context(), []line.Record{record(t, contract.KindContainer, 2)}); !errors.Is(err, store.ErrFailed) {
		t.Errorf("answered %v", err)
	}
	<-s.Failure()
	_ = s.Close()
	s = opened(t, store.Config{Dir: dir, MinFree: 1})
	if r := appendOne(t, s, contract.KindContainer, 2); !r.Durable || r.Duplicates > 0 {
		t.Errorf("%+v", r)
	}
	closed(t, s)
}

// A folder of records that is deleted while the service runs is made again.
func TestADeletedFolderIsMadeAgain(t *testing.T) {
	dir := t.TempDir()
	s := opened(t, store.Config{Dir: dir, MinFree: 1})
	appendOne(t, s, contract.KindContainer, 1)
	if err := os.RemoveAll(dir + "/records"); err != nil {
		t.Fatal(err)
	}
	if r := appendOne(t, s, contract.KindContainer, 2); !r.Durable {
		t.Error("not durable")
	}
	eventually(t, "the open file is written again", func() bool { return s.Counters().Sealed.Load() == 1 })
	closed(t, s)
	s = opened(t, store.Config{Dir: dir, MinFree: 1})
	wantContents(t, s, 1, 2)
	closed(t, s)
}

// A start tells what is gone since the service stopped, and gives no number again.
func TestAStartTellsWhatIsGone(t *testing.T) {
	const active = "d/records/observations/00000000000000000003.ndjson"
	for name, c := range map[string]struct {
		change func(*testing.T, *disktest.Mem)
		event  string
		left   []uint64
	}{
		"a sealed file": {func(t *testing.T, mem *disktest.Mem) {
			if err := errors.Join(mem.Remove(firstFile+".ndjson.gz"), mem.Remove(firstFile+".idx.json")); err != nil {
				t.Fatal(err)
			}
		}, "segment_missing", []uint64{2, 3, 4, 5}},
		"the growing file": {func(t *testing.T, mem *disktest.Mem) {
			if err := mem.Remove(active); err != nil {
				t.Fatal(err)
			}
		}, "segment_missing", []uint64{1, 2}},
		"two lines of the growing file": {func(t *testing.T, mem *disktest.Mem) {
			content, err := disk.ReadFile(mem, active)
			if err != nil {
				t.Fatal(err)
			}
			lines := strings.SplitAfter(string(content), "\n")
			write(t, mem, active, []byte(lines[0]))
		}, "segment_cut", []uint64{1, 2, 3}},
		"nothing": {func(*testing.T, *disktest.Mem) {}, "", []uint64{1, 2, 3, 4, 5}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				mem, cfg := filledDisk(t)
				s := opened(t, cfg)
				appendOne(t, s, contract.KindContainer, 4)
				appendOne(t, s, contract.KindContainer, 5)
				head := s.Head()
				closed(t, s)
				c.change(t, mem)

				for range 2 { // told once, said until it is there again
					s = opened(t, cfg)
					time.Sleep(aMoment)
					wantContents(t, s, c.left...)
					events := told(t, s)
					if n := events["segment_missing"] + events["segment_cut"]; c.event != "" && (n != 1 || events[c.event] != 1) || c.event == "" && n > 0 {
						t.Errorf("recorded %v", events)
					}
					if c.event == "segment_missing" && s.Conditions()["missing"] == "" {
						t.Errorf("conditions %v", s.Conditions())
					}
					closed(t, s)
				}
				s = opened(t, cfg)
				if r := appendOne(t, s, contract.KindContainer, farRecords); r.First <= head {
					t.Errorf("number %d is given again", r.First)
				}
				closed(t, s)
			})
		})
	}
}

// Files of a later version are left alone.
func TestALaterFormatIsRefused(t *testing.T) {
	for text, refused := range map[string]bool{
		"{\"format\":2,\"store\":\"x\"}\n": true, "{\"create\":1}\n{\"format\":3}\n": true, "{\"format\":1}\n": false, "nothing\n": false,
	} {
		mem := disktest.NewMem()
		write(t, mem, "d/records/MANIFEST", []byte(text))
		s, err := store.Open(smallConfig(mem))
		if errors.Is(err, store.ErrFormat) != refused || (err != nil) != refused {
			t.Errorf("%q: %v", text, err)
		}
		if err == nil {
			closed(t, s)
		} else if !strings.Contains(err.Error(), "MANIFEST") {
			t.Errorf("%v", err)
		}
	}
}

// A lock that cannot be opened is not one that another process has.
func TestAnUnreadableLockIsNotHeld(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(dir+"/LOCK", 0o755); err != nil {
		t.Fatal(err)
	}
	_, err := store.Open(store.Config{Dir: dir})
	if err == nil || errors.Is(err, store.ErrLocked) || !strings.Contains(err.Error(), dir+"/LOCK") {
		t.Errorf("%v", err)
	}
	if _, err := os.Stat(dir + "/records"); !errors.Is(err, fs.ErrNotExist) {
		t.Error("something was done without the lock")
	}
}
