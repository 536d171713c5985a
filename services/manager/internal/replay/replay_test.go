package replay

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
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

// edited replays a journal whose only file was edited.
func edited(t *testing.T, edit func(lines []string) []string) (Report, error) {
	t.Helper()
	dir := t.TempDir()
	journaltest.Write(t, dir, 6, journal.Options{})
	files, err := filepath.Glob(filepath.Join(dir, "*.ndjson"))
	if err != nil || len(files) != 1 {
		t.Fatal(files, err)
	}

	text, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	lines := edit(strings.SplitAfter(string(text), "\n"))
	if err := os.WriteFile(files[0], []byte(strings.Join(lines, "")), 0o600); err != nil {
		t.Fatal(err)
	}
	return Run(dir)
}

func TestReplaySeesWhatIsMissing(t *testing.T) {
	for name, tt := range map[string]struct {
		edit              func(lines []string) []string
		missing, repeated uint64
		bad               int
	}{
		"nothing":          {func(l []string) []string { return l }, 0, 0, 0},
		"one line":         {func(l []string) []string { return slices.Delete(l, 5, 6) }, 1, 0, 0},
		"several lines":    {func(l []string) []string { return slices.Delete(slices.Delete(l, 20, 22), 5, 8) }, 5, 0, 0},
		"a damaged line":   {func(l []string) []string { l[5] = "damaged\n"; return l }, 1, 0, 1},
		"the first lines":  {func(l []string) []string { return slices.Delete(l, 0, 1) }, 0, 0, 0}, // as the retention does
		"a line twice":     {func(l []string) []string { return slices.Insert(l, 6, l[5]) }, 0, 1, 0},
		"a torn last line": {func(l []string) []string { return append(l, `{"v":1,"seq":`) }, 0, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			r, err := edited(t, tt.edit)
			if err != nil || r.Missing != tt.missing || r.Repeated != tt.repeated || r.BadLines != tt.bad {
				t.Errorf("%+v %v", r, err)
			}
			if whole := tt.missing+tt.repeated == 0 && tt.bad == 0; r.Complete() != whole {
				t.Errorf("whole: %t, want %t", r.Complete(), whole)
			}
		})
	}
}

// A segment in the middle that was deleted is missing; those that the retention deletes are not.
func TestReplaySeesAMissingFile(t *testing.T) {
	dir := t.TempDir()
	journaltest.Write(t, dir, 40, journal.Options{SegmentBytes: 20_000})
	files, err := filepath.Glob(filepath.Join(dir, "*.gz"))
	if err != nil || len(files) < 4 {
		t.Fatal(files, err)
	}

	for _, tt := range []struct {
		gone  string
		whole bool
	}{{files[0], true}, {files[2], false}} {
		if err := os.Remove(tt.gone); err != nil {
			t.Fatal(err)
		}
		if r, err := Run(dir); err != nil || r.Complete() != tt.whole || r.Same != r.Ticks {
			t.Errorf("without %s: %+v %v", tt.gone, r, err)
		}
	}
}

func TestReplayOfNothingIsAnError(t *testing.T) {
	for name, edit := range map[string]func(lines []string) []string{
		"an empty file": func([]string) []string { return nil },
		"no decision":   func(l []string) []string { return l[:2] },
		"no policy":     func(l []string) []string { return slices.Delete(l, 1, 2) },
		"garbage":       func([]string) []string { return []string{"garbage\n"} },
	} {
		if r, err := edited(t, edit); !errors.Is(err, ErrNoDecisions) {
			t.Errorf("%s: %+v %v", name, r, err)
		}
	}
	if _, err := Run(t.TempDir()); !errors.Is(err, ErrNoDecisions) {
		t.Errorf("an empty folder: %v", err)
	}
}

func TestReplayOfALaterVersionIsAnError(t *testing.T) {
	_, err := edited(t, func(l []string) []string {
		for i := range l {
			l[i] = strings.Replace(l[i], `"v":1`, `"v":3`, 1)
		}
		return l
	})
	if later := (*journal.VersionError)(nil); !errors.As(err, &later) || !strings.Contains(err.Error(), "version 3") {
		t.Errorf("%v, want one that names the version", err)
	}
}

// A copy needs no lock, no right to write, and no owner; nor does a journal that a manager writes to.
func TestReplayOfACopyThatCannotBeWritten(t *testing.T) {
	dir := t.TempDir()
	journaltest.Write(t, dir, 5, journal.Options{})
	running, _, err := journal.Open(dir, journal.Options{})
	if err != nil {
		t.Fatal(err)
	}

	defer running.Close()
	if r, err := Run(dir); err != nil || r.Same != 5 {
		t.Errorf("beside a manager: %+v %v", r, err)
	}

	to := filepath.Join(t.TempDir(), "copy")
	if err := os.CopyFS(to, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(to, "LOCK")); err != nil {
		t.Fatal(err)
	}

	names, err := os.ReadDir(to)
	if err != nil {
		t.Fatal(err)
	}

	for _, n := range names {
		if err := os.Chmod(filepath.Join(to, n.Name()), 0o444); err != nil {
			t.Fatal(err)
		}
	}

	if err := os.Chmod(to, 0o555); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = os.Chmod(to, 0o700) }()
	if r, err := Run(to); err != nil || r.Same != 5 || !r.Complete() {
		t.Errorf("a copy: %+v %v", r, err)
	}

	after, err := os.ReadDir(to)
	if err != nil || len(after) != len(names) {
		t.Errorf("%d files after the replay, %d before (%v)", len(after), len(names), err)
	}
}
