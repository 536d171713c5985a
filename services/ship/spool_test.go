package ship

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gestor.local/contract"
	"gestor.local/ship/shiptest"
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
		t.Errorf("%d of %d precious records arrived", got, observations/100)
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

func TestSpoolFullOfPreciousRecordsRefuses(t *testing.T) {
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

func TestTornTailIsCutKeptAndReported(t *testing.T) {
	var service shiptest.Service
	dir := t.TempDir()
	s := open(t, dir, &service)
	appendAll(t, s, launch(1), launch(2))
	_ = s.Close()
	path := eventsFile(t, dir)
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
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

func TestFailedSyncIsFinal(t *testing.T) {
	var service shiptest.Service
	s := open(t, t.TempDir(), &service)
	appendAll(t, s, launch(1))
	_ = s.spool.events.segments[0].file.Close() // writing and syncing now fail
	if err := s.Append(launch(2)); !errors.Is(err, ErrFailed) {
		t.Fatalf("append on a broken file: %v", err)
	}
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
