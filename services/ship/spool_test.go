package ship

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"gestor.local/contract"
	"gestor.local/ship/shiptest"
	"gestor.local/wal/disk/disktest"
)

func small(c *Config) { c.MaxBytes = MinMaxBytes }

func TestFullSpoolDropsOldestObservationsAndSaysHowMany(t *testing.T) {
	var service shiptest.Service
	s := open(t, t.TempDir(), &service, small)
	const observations = 4000 // about 400 bytes each: six times the spool
	for i := range uint64(observations) {
		appendAll(t, s, host())
		if i%100 == 0 {
			appendAll(t, s, launch(i/100))
		}
	}
	if st := s.Stats(); st.Bytes > MinMaxBytes {
		t.Errorf("%d bytes in a spool of %d", st.Bytes, MinMaxBytes)
	}
	dropped := s.Stats().Dropped
	flush(t, s)

	if got := len(positions(&service)); got != observations/100 {
		t.Errorf("%d of %d durable records arrived", got, observations/100)
	}
	kept, reported, newest := uint64(0), uint64(0), uint64(0)
	for _, r := range service.Records() {
		switch body := r.Body.(type) {
		case contract.HostBody:
			kept++
			newest = r.PSeq
		case contract.SystemBody:
			reported += uint64(body.Details["records"].(float64))
		}
	}
	if dropped == 0 || kept+dropped != observations || reported != dropped {
		t.Errorf("of %d observations %d arrived and %d were dropped; %d were reported as dropped", observations, kept, dropped, reported)
	}
	if newest < observations {
		t.Errorf("the newest observation kept has pseq %d: the oldest should have gone first", newest)
	}
}

func TestSpoolFullOfDurableRecordsRefuses(t *testing.T) {
	var service shiptest.Service
	s := open(t, t.TempDir(), &service, small)
	accepted, full := uint64(0), (*FullError)(nil)
	for {
		if err := s.Append(launch(accepted + 1)); err != nil {
			if !errors.As(err, &full) {
				t.Fatal(err)
			}
			break
		}
		accepted++
	}
	if err := s.Append(host(), host()); err != nil {
		t.Errorf("observations must be dropped, not refused: %v", err)
	}
	if got := s.Stats().Dropped; got != 2 {
		t.Errorf("%d observations dropped, want 2", got)
	}
	flush(t, s)
	if got := uint64(len(positions(&service))); got != accepted {
		t.Errorf("%d of %d accepted records arrived", got, accepted)
	}
	if diff := cmp.Diff([]string{EventDropped}, systemEvents(&service)); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
	appendAll(t, s, launch(accepted+1))
}

// twoLaunches leaves a spool with two launch records and returns its events file.
func twoLaunches(t *testing.T, dir string, service *shiptest.Service) (path string, text []byte) {
	t.Helper()
	s := open(t, dir, service)
	appendAll(t, s, launch(1), launch(2))
	_ = s.Close()
	path = eventsFile(t, dir)
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return path, text
}

func TestTornTailIsCutKeptAndReported(t *testing.T) {
	var service shiptest.Service
	dir := t.TempDir()
	path, text := twoLaunches(t, dir, &service)
	lines := strings.SplitAfter(string(text), "\n")
	for cut := 1; cut < len(lines[1]); cut += 17 {
		t.Run(fmt.Sprint(cut), func(t *testing.T) {
			var service shiptest.Service
			dir := t.TempDir()
			tail := "not a record\n" + lines[1][:cut]
			if err := os.WriteFile(filepath.Join(dir, filepath.Base(path)), []byte(lines[0]+tail), 0o640); err != nil {
				t.Fatal(err)
			}
			s := open(t, dir, &service)
			appendAll(t, s, launch(3))
			flush(t, s)
			if diff := cmp.Diff([]uint64{1, 3}, positions(&service)); diff != "" {
				t.Errorf("positions (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff([]string{EventDamaged}, systemEvents(&service)); diff != "" {
				t.Errorf("events (-want +got):\n%s", diff)
			}
			kept, err := os.ReadFile(filepath.Join(dir, "quarantine.ndjson"))
			if err != nil || strings.Count(string(kept), "\n") != 2 {
				t.Errorf("quarantine holds %q (%v)", kept, err)
			}
		})
	}
}

func eventsFile(t *testing.T, dir string) string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, "events-*.ndjson"))
	if err != nil || len(paths) != 1 {
		t.Fatalf("want one events file, got %v (%v)", paths, err)
	}
	return paths[0]
}

// inMemory is a spool on a disk that can fail.
func inMemory(t *testing.T, service *shiptest.Service) (*Shipper, *disktest.Mem) {
	t.Helper()
	m := disktest.NewMem()
	return open(t, "spool", service, func(c *Config) { c.FS = m }), m
}

// failing makes operations of a disk fail.
func failing(m *disktest.Mem, cause error, ops ...string) {
	m.Before = func(op, _ string) error {
		if slices.Contains(ops, op) {
			return cause
		}
		return nil
	}
}

// A full disk refuses the whole call and takes the next one when there is room.
func TestFullDiskRefusesAndResumes(t *testing.T) {
	for _, cause := range []error{syscall.ENOSPC, errors.Join(syscall.ENOSPC, disktest.ErrShort)} { // nothing, or a half
		var service shiptest.Service
		s, m := inMemory(t, &service)
		appendAll(t, s, launch(1))
		failing(m, cause, "write")
		if err := s.Append(launch(2), launch(3)); !errors.Is(err, syscall.ENOSPC) || errors.Is(err, ErrFailed) {
			t.Fatalf("%v", err)
		}
		m.Before = nil
		appendAll(t, s, launch(4))
		flush(t, s)
		if diff := cmp.Diff([]uint64{1, 4}, positions(&service)); diff != "" {
			t.Errorf("positions (-want +got):\n%s", diff)
		}
	}
}

func TestFailedSyncIsFinal(t *testing.T) {
	for _, op := range []string{"sync", "syncdir"} {
		t.Run(op, func(t *testing.T) {
			m := disktest.NewMem()
			s := open(t, "spool", new(shiptest.Service), func(c *Config) { c.FS = m })
			failing(m, syscall.EIO, op)
			for range 2 {
				if err := s.Append(launch(1)); !errors.Is(err, ErrFailed) {
					t.Errorf("%v", err)
				}
				m.Before = nil
			}
		})
	}
}

func TestHalfAWriteThatStaysIsFinal(t *testing.T) {
	var service shiptest.Service
	s, m := inMemory(t, &service)
	appendAll(t, s, launch(1))
	failing(m, errors.Join(syscall.EIO, disktest.ErrShort), "write", "truncate")
	if err := s.Append(launch(2)); !errors.Is(err, ErrFailed) {
		t.Fatalf("append on a broken file: %v", err)
	}
	m.Before = nil
	if err := s.Append(host()); !errors.Is(err, ErrFailed) {
		t.Errorf("the failure was forgotten: %v", err)
	}
	if err := s.Run(t.Context()); !errors.Is(err, ErrFailed) {
		t.Errorf("Run on a failed spool: %v", err)
	}
}

// A number that the log service may have seen is not given again, although the spool has nothing left that carries it.
func TestANumberOutlivesItsRecord(t *testing.T) {
	var service shiptest.Service
	dir := t.TempDir()
	s := open(t, dir, &service, small)
	appendAll(t, s, host())
	service.Fail(shiptest.LostAnswer)
	if _, err := s.next(t.Context()); err == nil {
		t.Fatal("the answer was to be lost")
	}
	var full *FullError
	if err := s.Append(slices.Repeat([]contract.Record{launch(1)}, 5000)...); !errors.As(err, &full) {
		t.Fatalf("%v, want no room", err)
	}
	if got := s.Stats().Dropped; got != 1 {
		t.Fatalf("%d observations dropped, want the one that was sent", got)
	}
	s.spool.close() // dies
	s = open(t, dir, &service, small)
	appendAll(t, s, launch(7))
	flush(t, s)
	if diff := cmp.Diff([]uint64{7}, positions(&service)); diff != "" {
		t.Errorf("arrived (-want +got):\n%s", diff)
	}
}

// A volume on which the state cannot be written makes the spool wait, not fail.
func TestStateThatCannotBeWrittenIsTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		service := shiptest.Service{Reject: func(r contract.Record) string {
			if r.PSeq == 1 {
				return "not the first"
			}
			return ""
		}}
		dir := t.TempDir()
		s := open(t, dir, &service)
		blockState(t, dir, true)
		appendAll(t, s, launch(1), launch(2))
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- s.Run(ctx) }()
		time.Sleep(10 * time.Second)
		if st := s.Stats(); st.Records < 2 || !strings.Contains(st.LastError, "mark records as delivered") {
			t.Errorf("stats while the state cannot be written: %+v", st)
		}
		blockState(t, dir, false)
		time.Sleep(2 * backoffLongest)
		if st := s.Stats(); st.Records != 0 || st.LastError != "" || st.Quarantined != 1 {
			t.Errorf("stats afterwards: %+v", st)
		}
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run returned %v", err)
		}
		if got := systemEvents(&service); len(got) != 1 {
			t.Errorf("the one rejected record was reported %d times", len(got))
		}
	})
}

// What was delivered gives its space back even while the state cannot be written: the state may need just that space.
func TestDeliveredFilesMakeRoomForTheState(t *testing.T) {
	var service shiptest.Service
	dir := t.TempDir()
	s := open(t, dir, &service, small)
	for i := range uint64(900) {
		appendAll(t, s, launch(i+1))
	}
	before := s.spool.bytes()
	blockState(t, dir, true)
	if _, err := s.next(t.Context()); err == nil || errors.Is(err, ErrFailed) {
		t.Fatalf("%v, want an error that is not final", err)
	}
	if after := s.spool.bytes(); after > before/2 {
		t.Errorf("%d bytes on disk after the delivery of %d", after, before)
	}
	s.spool.close() // dies, with the old state
	s = open(t, dir, &service, small)
	appendAll(t, s, launch(901))
	blockState(t, dir, false)
	flush(t, s)
	if err := inOrderOnce(positions(&service)); err != nil || len(positions(&service)) != 901 {
		t.Errorf("%d of 901 arrived: %v", len(positions(&service)), err)
	}
}

// A state whose sync failed may or may not be on disk: that is final.
func TestFailedSyncOfTheStateIsFinal(t *testing.T) {
	var service shiptest.Service
	s, m := inMemory(t, &service)
	appendAll(t, s, launch(1))
	failing(m, syscall.EIO, "sync")
	if _, err := s.next(t.Context()); !errors.Is(err, ErrFailed) {
		t.Errorf("%v, want a final error", err)
	}
}

// While the log service has no room for observations the durable records go ahead of them; the observations are kept,
// also over a restart, and arrive when there is room.
func TestDurableRecordsDoNotWaitBehindObservations(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var service shiptest.Service
		dir := t.TempDir()
		s := open(t, dir, &service)
		for range 50 {
			service.Fail(shiptest.NoRoom)
		}
		appendAll(t, s, host(), launch(1), host(), launch(2))
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- s.Run(ctx) }()
		time.Sleep(5 * time.Second)
		appendAll(t, s, launch(3))
		time.Sleep(2 * backoffLongest)
		if diff := cmp.Diff([]uint64{1, 2, 3}, positions(&service)); diff != "" {
			t.Errorf("arrived while there is no room (-want +got):\n%s", diff)
		}
		if st := s.Stats(); st.Records != 2 || !strings.Contains(st.LastError, "507") {
			t.Errorf("stats while observations wait: %+v", st)
		}
		cancel()
		<-done
		s.spool.close() // dies
		s = open(t, dir, &service)
		appendAll(t, s, launch(4))
		flush(t, s)
		var got []uint64
		for _, r := range service.Records() {
			got = append(got, r.PSeq)
		}
		if diff := cmp.Diff([]uint64{2, 4, 5, 1, 3, 6}, got); diff != "" && !slices.Equal(got, []uint64{2, 4, 5, 6, 1, 3}) {
			t.Errorf("arrived in the end (-want +got):\n%s", diff)
		}
		if st := s.Stats(); st.Records != 0 || st.LastError != "" {
			t.Errorf("stats in the end: %+v", st)
		}
	})
}

// What could not be read is put into quarantine and reported once, however often the spool is opened.
func TestDamageIsReportedOnce(t *testing.T) {
	var service shiptest.Service
	dir := t.TempDir()
	path, text := twoLaunches(t, dir, &service)
	first, second, _ := strings.Cut(string(text), "\n")
	if err := os.WriteFile(path, []byte(first+"\nnot a record\n"+second+"{torn"+strings.Repeat(".", 4096)), 0o640); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		_ = open(t, dir, &service).Close()
	}
	flush(t, open(t, dir, &service))
	if diff := cmp.Diff([]uint64{1, 2}, positions(&service)); diff != "" {
		t.Errorf("positions (-want +got):\n%s", diff)
	}
	if got := systemEvents(&service); len(got) != 1 {
		t.Errorf("reported %d times, want once", len(got))
	}
	kept, err := os.ReadFile(filepath.Join(dir, "quarantine.ndjson"))
	if err != nil || strings.Count(string(kept), "\n") != 2 {
		t.Errorf("quarantine holds %q (%v)", kept, err)
	}
}

func TestQuarantineStaysSmall(t *testing.T) {
	dir := t.TempDir()
	zeros := make([]byte, 2<<20) // what a power cut may leave of a file; in JSON each of them takes six bytes
	if err := os.WriteFile(filepath.Join(dir, "events-00000000000000000001.ndjson"), zeros, 0o640); err != nil {
		t.Fatal(err)
	}
	s := open(t, dir, new(shiptest.Service))
	for range 5 {
		if err := s.spool.quarantine.add(zeros, "test"); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"quarantine.ndjson", "quarantine.old.ndjson"} {
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil || len(text) > quarantineBytes || !strings.Contains(string(text), `"bytes":2097152`) {
			t.Errorf("%s has %d bytes, want at most %d (%v)", name, len(text), quarantineBytes, err)
		}
	}
}

func TestFolderMayHaveAnyName(t *testing.T) {
	var service shiptest.Service
	dir := filepath.Join(t.TempDir(), "a[1]*?\\")
	s := open(t, dir, &service)
	appendAll(t, s, launch(1))
	_ = s.Close()
	s = open(t, dir, &service)
	flush(t, s)
	if diff := cmp.Diff([]uint64{1}, positions(&service)); diff != "" {
		t.Errorf("positions (-want +got):\n%s", diff)
	}
}

// What a producer's journal has told the spool is known after any end: with the records on disk, delivered, and deleted.
func TestHowFarTheJournalWasToldOutlivesTheRecords(t *testing.T) {
	var service shiptest.Service
	marked := func(r contract.Record, line uint64) contract.Record {
		r.JournalSeq = line
		return r
	}
	want := func(s *Shipper, all, observations uint64) {
		t.Helper()
		if a, o := s.Journalled(); a != all || o != observations {
			t.Errorf("told up to %d, observations up to %d; want %d and %d", a, o, all, observations)
		}
	}
	dir := t.TempDir()
	s := open(t, dir, &service)
	want(s, 0, 0)
	appendAll(t, s, marked(launch(1), 7), launch(2), marked(host(), 5), marked(launch(3), 6))
	want(s, 7, 5)

	s.spool.close() // dies
	s = open(t, dir, &service)
	want(s, 7, 5)
	flush(t, s)
	s.spool.close()
	for _, st := range s.spool.streams() {
		for _, seg := range st.segments {
			must(t, os.Remove(seg.file.Name()))
		}
	}
	s = open(t, dir, &service)
	want(s, 7, 5)

	appendAll(t, s, marked(launch(4), 9))
	path := eventsFile(t, dir)
	s.spool.close()
	text, err := os.ReadFile(path)
	must(t, err)
	must(t, os.WriteFile(path, text[:len(text)-1], 0o600)) // torn: it was never taken
	s = open(t, dir, &service)
	want(s, 7, 5)
}
