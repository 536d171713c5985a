package store

import (
	"bytes"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"gestor.local/contract"

	"gestor.local/logs/internal/line"
	"gestor.local/wal/disk"
	"gestor.local/wal/disk/disktest"
)

// brittle is a disk whose files panic when they are written to, while it is told so.
type brittle struct {
	disk.FS
	breaks *atomic.Bool
}

type brittleFile struct {
	disk.File
	breaks *atomic.Bool
}

func (b brittle) Append(name string) (disk.File, error) {
	f, err := b.FS.Append(name)
	return brittleFile{f, b.breaks}, err
}

func (f brittleFile) Write(p []byte) (int, error) {
	n, err := f.File.Write(p)
	if f.breaks.Load() {
		panic("brittle")
	}
	return n, err
}

// A panic of the committer fails the requests of its group, of which nothing is stored, and nobody else's.
func TestAPanicFailsItsGroupAlone(t *testing.T) {
	breaks := new(atomic.Bool)
	var stack []byte
	s, err := Open(Config{
		Dir: "data", FS: brittle{disktest.NewMem(), breaks}, MinFree: 1,
		OnPanic: func(_ string, _ any, where []byte) { stack = where },
	})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	one := func(pseq uint64) error {
		records, err := s.ownRecord(contract.SystemBody{Event: "note", Level: contract.LevelInfo})
		if err != nil {
			t.Fatal(err)
		}
		records[0].PSeq = 1000 + pseq
		_, err = s.Append(t.Context(), records)
		return err
	}

	if err := one(1); err != nil {
		t.Fatal(err)
	}
	breaks.Store(true)
	if err := one(2); !errors.Is(err, errPanic) {
		t.Errorf("%v, want %v", err, errPanic)
	}
	breaks.Store(false)
	if err := one(2); err != nil {
		t.Errorf("sent again: %v", err)
	}

	if s.Head() != 2 || s.Err() != nil || s.counters.Duplicates.Load() > 0 {
		t.Errorf("head %d, %v, %d duplicates", s.Head(), s.Err(), s.counters.Duplicates.Load())
	}
	if s.counters.Panics.Load() != 1 || s.Conditions()[conditionInternal] == "" || !bytes.Contains(stack, []byte("brittleFile")) {
		t.Errorf("%d panics, conditions %v, stack %s", s.counters.Panics.Load(), s.Conditions(), stack)
	}
}

// freePanics is a disk that panics when it is asked for its room, while it is told so.
type freePanics struct {
	disk.FS
	breaks *atomic.Bool
}

func (d freePanics) Free(dir string) (uint64, error) {
	if d.breaks.Load() {
		panic("freePanics")
	}
	return d.FS.Free(dir)
}

// A panic of what the committer does beside the commits ends nothing.
func TestAPanicBesideTheCommitsEndsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		breaks := new(atomic.Bool)
		s, err := Open(Config{Dir: "data", FS: freePanics{disktest.NewMem(), breaks}, MinFree: 1})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		breaks.Store(true)
		time.Sleep(checkInterval + time.Second)
		breaks.Store(false)

		records, err := s.ownRecord(contract.SystemBody{Event: "note", Level: contract.LevelInfo})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Append(t.Context(), records); err != nil || s.Err() != nil {
			t.Errorf("%v, %v", err, s.Err())
		}
		if s.counters.Panics.Load() != 1 || s.Conditions()[conditionInternal] == "" {
			t.Errorf("%d panics, conditions %v", s.counters.Panics.Load(), s.Conditions())
		}
	})
}

// A record that cannot be summed is stored all the same.
func TestAPanicOfTheSumsIsNotTheRecords(t *testing.T) {
	s, err := Open(Config{Dir: "data", FS: disktest.NewMem(), MinFree: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	s.addTo(nil, &line.Record{Kind: contract.KindLaunch})
	if s.counters.Panics.Load() != 1 || s.Err() != nil {
		t.Errorf("%d panics, %v", s.counters.Panics.Load(), s.Err())
	}
}
