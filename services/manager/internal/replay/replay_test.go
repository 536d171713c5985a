package replay

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gestor.local/manager/internal/journal"
	"gestor.local/manager/internal/journal/journaltest"
)

func TestReplayGivesTheSameBytes(t *testing.T) {
	dir := t.TempDir()
	journaltest.Write(t, dir, 40, journal.Options{SegmentBytes: 20_000})
	report, err := Run(dir)
	if err != nil || report.Ticks != 40 || report.Same != 40 || len(report.Different)+report.NoPolicy+report.BadLines != 0 {
		t.Fatalf("%v: %+v", err, report)
	}
	sealed, err := filepath.Glob(filepath.Join(dir, "*.gz"))
	if err != nil || len(sealed) == 0 {
		t.Fatalf("no sealed segment: %v", err)
	}
	if one, err := Run(sealed[len(sealed)-1]); err != nil || one.Ticks == 0 || one.Same != one.Ticks {
		t.Errorf("one segment alone: %v %+v", err, one)
	}
}

func TestReplayFindsAPlanThatWasTamperedWith(t *testing.T) {
	dir := t.TempDir()
	journaltest.Write(t, dir, 3, journal.Options{})
	files, err := filepath.Glob(filepath.Join(dir, "*.ndjson"))
	if err != nil || len(files) != 1 {
		t.Fatal(files, err)
	}
	text, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	spoilt := bytes.Replace(text, []byte(`"verdict":"remove","reason":"over_quota"`), []byte(`"verdict":"keep","reason":"protected"`), 1)
	if bytes.Equal(spoilt, text) {
		t.Fatal("nothing to spoil")
	}
	if err := os.WriteFile(files[0], spoilt, 0o600); err != nil {
		t.Fatal(err)
	}
	report, err := Run(dir)
	if err != nil || report.Same != 2 || len(report.Different) != 1 {
		t.Fatalf("%v %+v", err, report)
	}
	if d := report.Different[0]; d.Tick != 1 || !strings.Contains(d.What, "was keep (protected)") {
		t.Errorf("%+v", d)
	}
}

func TestReplayOfNothing(t *testing.T) {
	if _, err := Run(filepath.Join(t.TempDir(), "none")); err == nil {
		t.Error("a journal that is not there was replayed")
	}
}
