package journal

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gestor.local/contract"

	"gestor.local/manager/internal/rules"
	"gestor.local/wal/disk"
	"gestor.local/wal/disk/disktest"
)

func open(t *testing.T, dir string, opts Options) (*Journal, Recovery) {
	t.Helper()
	j, r, err := Open(dir, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { j.Close() })
	return j, r
}

func reopen(t *testing.T, j *Journal) (*Journal, Recovery) {
	t.Helper()
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	return open(t, j.dir, j.opts)
}

// wrote is must for what returns a number too.
func wrote(t *testing.T) func(uint64, error) {
	t.Helper()
	return func(_ uint64, err error) {
		t.Helper()
		must(t, err)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func intent(id, container string) Intent {
	return Intent{ActionID: id, Subject: contract.Subject{Container: container}, Action: contract.ActionRemove, Tick: 1}
}

func ids(intents []Intent) []string {
	var out []string
	for _, i := range intents {
		out = append(out, i.ActionID)
	}
	return out
}

func TestOpenIntentsAreFoundAgain(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	j, r := open(t, t.TempDir(), Options{Now: func() time.Time { return now }})
	if diff := cmp.Diff(Recovery{}, r); diff != "" {
		t.Fatalf("a new journal recovers something: %s", diff)
	}
	wrote(t)(j.Intent(intent("a", "c1"), intent("b", "c2"), intent("c", "c3")))
	wrote(t)(j.Outcome(Outcome{ActionID: "b", Outcome: contract.OutcomeDone}, Outcome{ActionID: "c", Outcome: contract.OutcomeUnknown}))
	_, r = reopen(t, j)
	if diff := cmp.Diff([]string{"a", "c"}, ids(r.Open)); diff != "" {
		t.Error(diff)
	}
	if len(r.RecentRemovals) != 3 {
		t.Errorf("%d removals of the last minute, want 3", len(r.RecentRemovals))
	}
}

func tickOf(n uint64, containers int) (contract.Policy, Tick, contract.Plan) {
	p := contract.DefaultPolicy()
	t := Tick{Context: contract.Context{Tick: n}, DataAgeUS: 5, Gates: []string{"baseline"}}
	for i := range containers {
		id := strings.Repeat(string(rune('a'+i%6)), 64)
		t.Inventory.Entries = append(t.Inventory.Entries, contract.Entry{ID: id, Name: "<&>", Labels: map[string]string{"stranger": "secret", contract.LabelManaged: "true"}})
	}
	return p, t, rules.DecideV1(rules.Compile(p), t.Population, t.Inventory, t.Context)
}

func entriesOf(t *testing.T, path string) ([]Entry, Stats) {
	t.Helper()
	var all []Entry
	stats, err := Scan(path, func(e Entry) error { all = append(all, e); return nil })
	must(t, err)
	return all, stats
}

// entriesIn is entriesOf for a folder of another file system.
func entriesIn(t *testing.T, fsys disk.FS, dir string) (all []Entry, stats Stats) {
	t.Helper()
	files, err := segments(fsys, dir)
	must(t, err)
	stats, err = reader{fsys: fsys, visit: func(e Entry) error { all = append(all, e); return nil }}.files(paths(files))
	must(t, err)
	return all, stats
}

func TestTickIsWrittenWithItsPolicyAndReadBack(t *testing.T) {
	j, _ := open(t, t.TempDir(), Options{})
	p, in, plan := tickOf(7, 1)
	wrote(t)(j.Tick(p, in, plan))
	wrote(t)(j.Tick(p, in, plan))
	p.Quota.Low++
	plan = rules.DecideV1(rules.Compile(p), in.Population, in.Inventory, in.Context)
	wrote(t)(j.Tick(p, in, plan))
	all, _ := entriesOf(t, j.dir)
	var kinds string
	for i, e := range all {
		if e.Seq != uint64(i+1) {
			t.Errorf("entry %d has number %d", i, e.Seq)
		}
		switch {
		case e.Head != nil:
			kinds += "h"
		case e.Policy != nil:
			kinds += "p"
		case e.Tick != nil:
			kinds += "t"
		}
	}
	if kinds != "hpttpt" {
		t.Errorf("kinds %s", kinds)
	}
	last := all[len(all)-1].Tick
	got, err := last.Decoded()
	must(t, err)
	if diff := cmp.Diff(plan, got); diff != "" {
		t.Error(diff)
	}
	if written, _ := json.Marshal(plan); string(written) != string(last.Plan) {
		t.Errorf("plan %s was written as %s", written, last.Plan)
	}
	if labels := last.Inventory.Entries[0].Labels; labels["stranger"] != "" || labels[contract.LabelManaged] != "true" {
		t.Errorf("labels %v", labels)
	}
}

// TestEveryTornTail cuts the file everywhere around the line ends and here and there between: what was whole is found, the rest is put aside, and writing goes on.
func TestEveryTornTail(t *testing.T) {
	whole, _ := open(t, t.TempDir(), Options{})
	wrote(t)(whole.Intent(intent("a", "c1")))
	wrote(t)(whole.Intent(intent("b", "c2")))
	wrote(t)(whole.Outcome(Outcome{ActionID: "a", Outcome: contract.OutcomeDone}))
	text, err := os.ReadFile(whole.active.Name())
	must(t, err)
	for cut := range len(text) {
		if around := text[max(0, cut-3):min(len(text), cut+3)]; cut%101 != 0 && !bytes.Contains(around, []byte{'\n'}) {
			continue // every cut costs a few syncs
		}
		dir := t.TempDir()
		must(t, os.WriteFile(filepath.Join(dir, filepath.Base(whole.active.Name())), text[:cut], 0o600))
		j, r := open(t, dir, Options{})
		lines := strings.Count(string(text[:cut]), "\n")
		wantOpen := [][]string{nil, nil, {"a"}, {"a", "b"}}[lines]
		if diff := cmp.Diff(wantOpen, ids(r.Open)); diff != "" {
			t.Fatalf("cut at %d: %s", cut, diff)
		}
		torn := cut - 1 - strings.LastIndex(string(text[:cut]), "\n")
		if r.TornBytes != int64(torn) || (torn > 0) != (r.TornCopy != "") {
			t.Fatalf("cut at %d: %+v, want %d torn bytes", cut, r, torn)
		}
		if torn > 0 {
			aside, err := os.ReadFile(r.TornCopy)
			must(t, err)
			if string(aside) != string(text[cut-torn:cut]) {
				t.Fatalf("cut at %d: put aside %q", cut, aside)
			}
		}
		wrote(t)(j.Intent(intent("z", "c9")))
		if _, stats := entriesOf(t, dir); stats.BadLines != 0 || stats.TornBytes != 0 {
			t.Fatalf("cut at %d: after repair %+v", cut, stats)
		}
		must(t, j.Close())
	}
}

// refusingCopies is a disk that takes no copy of a torn tail.
type refusingCopies struct {
	disk.OS
	cause error
}

func (r refusingCopies) Create(name string) (disk.File, error) {
	if strings.HasPrefix(filepath.Base(name), tornPrefix) {
		return nil, &os.PathError{Op: "write", Path: name, Err: r.cause}
	}
	return r.OS.Create(name)
}

// TestTornTailOnAFullDisk: the copy of the tail finds no room on the disk that tore it.
func TestTornTailOnAFullDisk(t *testing.T) {
	tear := func() (dir string, whole int64) {
		j, _ := open(t, t.TempDir(), Options{})
		wrote(t)(j.Intent(intent("a", "c1")))
		path, size := j.active.Name(), j.active.Size()
		must(t, j.Close())
		f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
		must(t, err)
		_, err = f.WriteString(`{"v":1,"seq":`)
		must(t, errors.Join(err, f.Close()))
		return filepath.Dir(path), size
	}
	refusing := func(cause error) Options {
		return Options{FS: refusingCopies{disk.OS{Files: 0o600, Dirs: 0o700}, cause}}
	}
	for _, cause := range []error{syscall.ENOSPC, syscall.EDQUOT, syscall.EFBIG} {
		dir, whole := tear()
		j, r := open(t, dir, refusing(cause))
		if r.TornBytes != 13 || r.TornCopy != "" || j.active.Size() != whole {
			t.Errorf("%v: %+v, %d bytes left; want 13 torn, no copy, %d left", cause, r, j.active.Size(), whole)
		}
		wrote(t)(j.Intent(intent("b", "c2")))
		if _, stats := entriesOf(t, dir); stats.BadLines != 0 || stats.TornBytes != 0 {
			t.Errorf("%v: after repair %+v", cause, stats)
		}
		must(t, j.Close())
	}
	dir, _ := tear()
	if _, _, err := Open(dir, refusing(syscall.EIO)); !errors.Is(err, syscall.EIO) {
		t.Errorf("a disk that fails: %v", err)
	}
}

// TestEveryDamagedByte: a flipped byte hides its own line only.
func TestEveryDamagedByte(t *testing.T) {
	whole, _ := open(t, t.TempDir(), Options{})
	wrote(t)(whole.Intent(intent("a", "c1")))
	wrote(t)(whole.Intent(intent("b", "c2")))
	wrote(t)(whole.Intent(intent("c", "c3")))
	text, err := os.ReadFile(whole.active.Name())
	must(t, err)
	for at := range len(text) - 1 {
		spoilt := slices.Clone(text)
		spoilt[at] = 0
		n := 0
		stats, err := reader{visit: func(Entry) error { n++; return nil }}.lines(bytes.NewReader(spoilt))
		must(t, err)
		if whole := 4; n < whole-2 || n > whole-1 || stats.Entries != n {
			t.Fatalf("byte %d: %d entries are left", at, n)
		}
	}
}

func TestRotationLosesNothingThatIsOpen(t *testing.T) {
	j, _ := open(t, t.TempDir(), Options{SegmentBytes: 2000, MaxBytes: 4000})
	throttle := intent("t", "c-throttled")
	throttle.Action, throttle.Undo = contract.ActionThrottle, &Undo{CPUQuota: 50_000, CPUPeriod: 100_000}
	wrote(t)(j.Intent(intent("open", "c-open"), throttle))
	wrote(t)(j.Outcome(Outcome{ActionID: "t", Outcome: contract.OutcomeDone}))
	for n := range uint64(15) {
		wrote(t)(j.Tick(tickOf(n, 3)))
		id := fmt.Sprint("closed ", n)
		wrote(t)(j.Intent(intent(id, "c")))
		wrote(t)(j.Outcome(Outcome{ActionID: id, Outcome: contract.OutcomeDone}))
	}
	if size := j.Size(); size > 4000+2*2500 {
		t.Errorf("the journal holds %d bytes", size)
	}
	again, r := reopen(t, j)
	if diff := cmp.Diff([]string{"open"}, ids(r.Open)); diff != "" {
		t.Error(diff)
	}
	if len(r.Throttled) != 1 || r.Throttled[0].Undo == nil || r.Throttled[0].Undo.CPUQuota != 50_000 {
		t.Errorf("throttled: %+v", r.Throttled)
	}
	if r.LastTick != 14 || r.PolicyHash != contract.DefaultPolicy().Hash() {
		t.Errorf("%+v", r)
	}
	wrote(t)(again.Outcome(Outcome{ActionID: "open", Outcome: contract.OutcomeAlreadyGone, Recovered: true}))
	unthrottle := intent("u", "c-throttled")
	unthrottle.Action = contract.ActionUnthrottle
	wrote(t)(again.Intent(unthrottle))
	wrote(t)(again.Outcome(Outcome{ActionID: "u", Outcome: contract.OutcomeDone}))
	if _, r = reopen(t, again); len(r.Open)+len(r.Throttled) != 0 {
		t.Errorf("still open: %+v", r)
	}
}

func TestAThrottleEndsWithItsContainer(t *testing.T) {
	for outcome, over := range map[string]bool{
		contract.OutcomeDone: true, contract.OutcomeAlreadyStopped: true, contract.OutcomeAlreadyGone: true,
		contract.OutcomeRefused: false, contract.OutcomeFailed: false, contract.OutcomeUnknown: false,
	} {
		j, _ := open(t, t.TempDir(), Options{})
		throttle := intent("t", "c")
		throttle.Action, throttle.Undo = contract.ActionThrottle, &Undo{CPUQuota: 50_000, CPUPeriod: 100_000}
		wrote(t)(j.Intent(throttle, intent("r", "c")))
		wrote(t)(j.Outcome(Outcome{ActionID: "t", Outcome: contract.OutcomeDone}, Outcome{ActionID: "r", Outcome: outcome}))
		if _, r := reopen(t, j); (len(r.Throttled) == 0) != over {
			t.Errorf("removal %s: %+v", outcome, r.Throttled)
		}
	}
}

// Where a throttle left the limit as it was nothing is owed: not by it, nor by the one whose place it took.
func TestAThrottleThatChangedNothingOwesNothing(t *testing.T) {
	j, _ := open(t, t.TempDir(), Options{})
	throttle := func(id string, to int64) Intent {
		i := intent(id, "c")
		i.Action, i.Undo, i.GUS, i.OldNanoCPUs, i.NanoCPUs = contract.ActionThrottle, &Undo{NanoCPUs: 1e9}, 1, 1e9, to
		return i
	}
	wrote(t)(j.Intent(throttle("a", 1e8)))
	wrote(t)(j.Outcome(Outcome{ActionID: "a", Outcome: contract.OutcomeDone}))
	j, r := reopen(t, j)
	if len(r.Throttled) != 1 {
		t.Fatalf("throttled: %+v", r.Throttled)
	}

	wrote(t)(j.Intent(throttle("b", 1e9)))
	wrote(t)(j.Outcome(Outcome{ActionID: "b", Outcome: contract.OutcomeDone}))
	if _, r := reopen(t, j); len(r.Throttled)+len(r.Open) != 0 {
		t.Errorf("still owed: %+v", r)
	}
}

func TestEverySegmentCanBeReplayedAlone(t *testing.T) {
	j, _ := open(t, t.TempDir(), Options{SegmentBytes: 3000})
	for n := range uint64(30) {
		wrote(t)(j.Tick(tickOf(n, 3)))
	}
	files, err := segments(disk.OS{}, j.dir)
	must(t, err)
	if len(files) < 3 || !files[0].sealed || files[len(files)-1].sealed {
		t.Fatalf("segments: %+v", files)
	}
	for _, f := range files[1:] {
		entries, _ := entriesOf(t, f.path)
		if entries[0].Head == nil || entries[1].Policy == nil || !entries[1].Carried {
			t.Errorf("%s begins with %+v", f.path, entries[0])
		}
	}
}

func TestCapsOfTheMinuteSurviveARotationAndARestart(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	j, _ := open(t, t.TempDir(), Options{SegmentBytes: 500, Now: func() time.Time { return now }})
	wrote(t)(j.Intent(intent("old", "c")))
	now = now.Add(59 * time.Second)
	wrote(t)(j.Intent(intent("new", "c")))
	wrote(t)(j.Tick(tickOf(1, 3))) // rotates
	now = now.Add(time.Second)
	if _, r := reopen(t, j); len(r.RecentRemovals) != 1 {
		t.Errorf("%d removals of the last minute, want the one that is younger", len(r.RecentRemovals))
	}
}

// TestAClockSetBackHoldsTheCapsForAMinuteOnly: removals that seem to lie in the future count as if they were of now.
func TestAClockSetBackHoldsTheCapsForAMinuteOnly(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	j, _ := open(t, t.TempDir(), Options{Now: func() time.Time { return now }})
	wrote(t)(j.Intent(intent("a", "c")))
	now = now.Add(-time.Hour)
	_, r := reopen(t, j)
	if len(r.RecentRemovals) != 1 || r.RecentRemovals[0].After(now) {
		t.Errorf("removals at %v, now is %v", r.RecentRemovals, now)
	}
}

func TestSecondManagerIsRefused(t *testing.T) {
	j, _ := open(t, t.TempDir(), Options{})
	if _, _, err := Open(j.dir, Options{}); !errors.Is(err, ErrLocked) {
		t.Errorf("%v", err)
	}
	reopen(t, j)
}

func TestCrashBetweenTheStepsOfARotation(t *testing.T) {
	dir := t.TempDir()
	j, _ := open(t, dir, Options{})
	wrote(t)(j.Intent(intent("a", "c1")))
	must(t, j.Close())
	first := j.active.Name()
	must(t, seal(disk.OS{}, segmentFile{path: first}))                                       // sealed, and …
	must(t, os.WriteFile(first, []byte("half removed"), 0o600))                              // … the plain one not removed yet
	must(t, os.WriteFile(filepath.Join(dir, segmentName(9)+partSuffix), []byte("{"), 0o600)) // the next one half written
	j, r := open(t, dir, Options{})
	if diff := cmp.Diff([]string{"a"}, ids(r.Open)); diff != "" {
		t.Error(diff)
	}
	wrote(t)(j.Intent(intent("b", "c2")))
	left, err := os.ReadDir(dir)
	must(t, err)
	for _, f := range left {
		if f.Name() == filepath.Base(first) || strings.HasSuffix(f.Name(), partSuffix) {
			t.Errorf("%s is left over", f.Name())
		}
	}
}

// inMemory is a journal on a disk that can fail.
func inMemory(t *testing.T) (*Journal, *disktest.Mem) {
	t.Helper()
	m := disktest.NewMem()
	j, _ := open(t, "j", Options{FS: m})
	return j, m
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

func TestFullDiskRefusesWholeAndRecovers(t *testing.T) {
	j, m := inMemory(t)
	wrote(t)(j.Intent(intent("a", "c1")))
	for _, cause := range []error{syscall.ENOSPC, errors.Join(syscall.ENOSPC, disktest.ErrShort)} { // nothing, or a half
		failing(m, cause, "write")
		_, err := j.Intent(intent("b", "c2"))
		var typed *Error
		if !errors.Is(err, syscall.ENOSPC) || errors.Is(err, ErrFailed) || !errors.As(err, &typed) || typed.Op != "write" {
			t.Fatalf("%v", err)
		}
		m.Before = nil
		if _, stats := entriesIn(t, m, j.dir); stats.TornBytes != 0 {
			t.Fatalf("a part of a line is left: %+v", stats)
		}
	}
	must(t, j.Err())
	wrote(t)(j.Intent(intent("c", "c3")))
	if _, r := reopen(t, j); fmt.Sprint(ids(r.Open)) != "[a c]" {
		t.Errorf("open: %v", ids(r.Open))
	}
}

func TestFailedSyncIsFinal(t *testing.T) {
	j, m := inMemory(t)
	failing(m, syscall.EIO, "sync")
	if _, err := j.Intent(intent("a", "c1")); !errors.Is(err, ErrFailed) {
		t.Fatalf("%v", err)
	}
	m.Before = nil
	if _, err := j.Intent(intent("b", "c2")); !errors.Is(err, ErrFailed) || !errors.Is(j.Err(), ErrFailed) {
		t.Fatalf("after a failed sync: %v", err)
	}
}

func TestLineThatCannotBeTakenBackIsFinal(t *testing.T) {
	j, m := inMemory(t)
	failing(m, errors.Join(syscall.ENOSPC, disktest.ErrShort), "write", "truncate")
	if _, err := j.Intent(intent("a", "c1")); !errors.Is(err, ErrFailed) || !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("%v", err)
	}
}

// A new file of which nobody knows whether a power cut leaves it would hide what goes on in the old one.
func TestNewFileWhoseNameIsNotSyncedIsFinal(t *testing.T) {
	j, m := inMemory(t)
	j.opts.SegmentBytes = 1
	wrote(t)(j.Intent(intent("a", "c1")))
	failing(m, syscall.EIO, "syncdir")
	if _, err := j.Intent(intent("b", "c2")); !errors.Is(err, ErrFailed) || !errors.Is(err, syscall.EIO) {
		t.Fatalf("%v", err)
	}
	m.Before = nil
	if _, err := j.Intent(intent("c", "c3")); !errors.Is(err, ErrFailed) {
		t.Fatalf("after it: %v", err)
	}
}

func TestClosedJournalTakesNothing(t *testing.T) {
	j, _ := open(t, t.TempDir(), Options{})
	must(t, j.Close())
	must(t, j.Close())
	if _, err := j.Tick(tickOf(1, 1)); !errors.Is(err, ErrClosed) {
		t.Errorf("%v", err)
	}
	if _, err := j.Intent(Intent{}); err == nil {
		t.Error("an intent without an id was taken")
	}
}

func TestConcurrentIntents(t *testing.T) {
	j, _ := open(t, t.TempDir(), Options{SegmentBytes: 1000})
	var group sync.WaitGroup
	for w := range 8 {
		group.Go(func() {
			for n := range 8 {
				id := fmt.Sprint(w, "-", n)
				_, err := j.Intent(intent(id, id))
				if err == nil && n%2 == 0 {
					_, err = j.Outcome(Outcome{ActionID: id, Outcome: contract.OutcomeDone})
				}
				if err != nil {
					t.Error("not written")
				}
			}
		})
	}
	group.Wait()
	if got := len(j.OpenIntents()); got != 32 {
		t.Errorf("%d open, want 32", got)
	}
	if _, r := reopen(t, j); len(r.Open) != 32 || r.BadLines != 0 {
		t.Errorf("%d open after a restart, %d bad lines", len(r.Open), r.BadLines)
	}
}

func TestDamagedHeadMakesRecoveryReadEverything(t *testing.T) {
	j, _ := open(t, t.TempDir(), Options{SegmentBytes: 600})
	wrote(t)(j.Intent(intent("kept", "c1")))
	for n := range uint64(4) {
		wrote(t)(j.Tick(tickOf(n, 2)))
	}
	must(t, j.Close())
	text, err := os.ReadFile(j.active.Name())
	must(t, err)
	lines := strings.SplitAfter(string(text), "\n")
	for i, line := range lines {
		if strings.Contains(line, `"kept"`) {
			lines[i] = strings.Repeat("#", len(line)-1) + "\n"
		}
	}
	must(t, os.WriteFile(j.active.Name(), []byte(strings.Join(lines, "")), 0o600))
	if _, r, err := Open(j.dir, Options{}); err != nil || fmt.Sprint(ids(r.Open)) != "[kept]" || r.BadLines == 0 {
		t.Errorf("%v %+v", err, r)
	}
}

// TestDamagedSealedSegments: compressed text that went bad hides its own segment at most, and never keeps a manager from
// starting.
func TestDamagedSealedSegments(t *testing.T) {
	j, _ := open(t, t.TempDir(), Options{SegmentBytes: 3000})
	wrote(t)(j.Intent(intent("kept", "c1")))
	for n := range uint64(12) {
		wrote(t)(j.Tick(tickOf(n, 3)))
	}
	must(t, j.Close())
	files, err := segments(disk.OS{}, j.dir)
	must(t, err)
	all, _ := entriesOf(t, j.dir)
	whole, err := os.ReadFile(files[1].path)
	must(t, err)
	for _, spoil := range []func([]byte) []byte{
		func([]byte) []byte { return nil },
		func([]byte) []byte { return []byte("not compressed") },
		func(b []byte) []byte { return b[:len(b)/2] },
		func(b []byte) []byte { b[len(b)/2] ^= 0xff; return b },
		func(b []byte) []byte { b[len(b)-5] ^= 0xff; return b }, // the checksum
	} {
		must(t, os.WriteFile(files[1].path, spoil(slices.Clone(whole)), 0o600))
		left, _ := entriesOf(t, j.dir)
		if len(left) < len(all)-12 || left[len(left)-1].Seq != all[len(all)-1].Seq {
			t.Errorf("%d of %d entries are left", len(left), len(all))
		}
		again, r, err := Open(j.dir, j.opts)
		if err != nil || fmt.Sprint(ids(r.Open)) != "[kept]" {
			t.Fatalf("%v %+v", err, r)
		}
		must(t, again.Close())
	}
}

// TestEmptyNewestSegment: a file system that lost the newest file's contents does not make an open intent forgotten.
func TestEmptyNewestSegment(t *testing.T) {
	j, _ := open(t, t.TempDir(), Options{SegmentBytes: 3000})
	wrote(t)(j.Intent(intent("kept", "c1")))
	for n := range uint64(6) {
		wrote(t)(j.Tick(tickOf(n, 3)))
	}
	must(t, j.Close())
	must(t, os.Truncate(j.active.Name(), 0))
	again, r := open(t, j.dir, j.opts)
	if fmt.Sprint(ids(r.Open)) != "[kept]" {
		t.Errorf("%+v", r)
	}
	wrote(t)(again.Intent(intent("next", "c2")))
	if _, r = reopen(t, again); fmt.Sprint(ids(r.Open)) != "[kept next]" {
		t.Errorf("%+v", r)
	}
}

// FuzzScan: no text may crash a reader, and what it counts is what it was given.
func FuzzScan(f *testing.F) {
	f.Add([]byte(`{"v":1,"seq":1,"at":"2026-01-02T03:04:05Z","head":{"last_tick":0}}` + "\n"))
	f.Add([]byte("{}\n\n\x00\n{\"v\":1,\"seq\":18446744073709551615}"))
	f.Fuzz(func(t *testing.T, text []byte) {
		n := 0
		stats, err := reader{visit: func(Entry) error { n++; return nil }}.lines(bytes.NewReader(text))
		if later := (*VersionError)(nil); errors.As(err, &later) && later.Version > entryVersion {
			return
		}
		if err != nil || stats.Entries != n || stats.goodBytes+stats.TornBytes != int64(len(text)) {
			t.Fatalf("%+v, %d visited, %d bytes: %v", stats, n, len(text), err)
		}
	})
}

func TestScanWhereParsesOnlyWhatIsWanted(t *testing.T) {
	j, _ := open(t, t.TempDir(), Options{SegmentBytes: 900})
	for n := range 9 {
		wrote(t)(j.Intent(intent(fmt.Sprint("a-", n), fmt.Sprint("c", n))))
	}
	all, full := entriesOf(t, j.dir)
	var seen []string
	stats, err := ScanWhere(j.dir, func(line []byte) bool { return bytes.Contains(line, []byte("a-7")) }, func(e Entry) error {
		if !e.Carried {
			seen = append(seen, e.Intent.ActionID)
		}
		return nil
	})
	if err != nil || fmt.Sprint(seen) != "[a-7]" || stats != full || len(all) != full.Entries {
		t.Errorf("%v: saw %v, %+v instead of %+v", err, seen, stats, full)
	}
}

// What a later manager wrote is neither damage nor a torn tail: nothing is cut off, nobody goes on behind it.
func TestLinesOfALaterVersionStopEveryReader(t *testing.T) {
	for name, line := range map[string]string{
		"the same fields":  `{"v":3,"seq":99,"at":"2026-01-02T03:04:05Z","head":{"last_tick":0}}`,
		"another type":     `{"v":3,"seq":99,"tick":[1,2]}`,
		"with a check sum": `{"v":3,"seq":99,"verdict":{},"crc":"0123abcd"}`,
	} {
		t.Run(name, func(t *testing.T) {
			j, _ := open(t, t.TempDir(), Options{})
			wrote(t)(j.Intent(intent("a", "c")))
			must(t, j.Close())
			text, err := os.ReadFile(j.active.Name())
			must(t, err)
			text = append(text, line+"\n"...)
			must(t, os.WriteFile(j.active.Name(), text, 0o600))

			var later *VersionError
			if _, _, err := Open(j.dir, Options{}); !errors.As(err, &later) {
				t.Errorf("opened: %v", err)
			}
			if _, err := Scan(j.dir, func(Entry) error { return nil }); !errors.As(err, &later) {
				t.Errorf("read: %v", err)
			}
			if left, err := os.ReadFile(j.active.Name()); err != nil || !bytes.Equal(left, text) {
				t.Errorf("the file was changed (%v)", err)
			}
		})
	}
}

// A file that is sealed between the listing and the reading is read under its new name.
func TestAFileThatWasSealedMeanwhileIsRead(t *testing.T) {
	j, _ := open(t, t.TempDir(), Options{SegmentBytes: 900})
	wrote(t)(j.Intent(intent("a", "c")))
	listed := j.active.Name()
	for n := range uint64(3) {
		wrote(t)(j.Tick(tickOf(n, 2)))
	}
	if _, err := os.Stat(listed); !errors.Is(err, os.ErrNotExist) {
		t.Fatal("nothing was sealed")
	}
	if stats, err := (reader{visit: func(Entry) error { return nil }}).fileOrSealed(listed); err != nil || stats.Entries != 2 {
		t.Errorf("%+v %v, want the head and the intent", stats, err)
	}
}

// What strangers wrote on a container is left out also where the plan was made without it, and the caller's list stays as it was.
func TestLabelsOfTheShadowAreTrimmed(t *testing.T) {
	j, _ := open(t, t.TempDir(), Options{})
	p, in, plan := tickOf(1, 1)
	labels := map[string]string{contract.LabelManaged: "true", "note": "secret"}
	in.Shadow = []Shadowed{{Tick: 1, Class: contract.ClassLow, Entry: contract.Entry{ID: "a", Labels: labels}}}
	_, err := j.Tick(p, in, plan)
	must(t, err)

	all, _ := entriesOf(t, j.dir)
	got := all[len(all)-1].Tick.Shadow
	if len(got) != 1 || len(got[0].Entry.Labels) != 1 || got[0].Entry.Labels[contract.LabelManaged] != "true" {
		t.Errorf("%+v", got)
	}
	if len(in.Shadow[0].Entry.Labels) != 2 {
		t.Error("the caller's labels are gone")
	}
}
