package wal

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path"
	"strings"
	"syscall"
	"testing"

	"gestor.local/wal/disk"
	"gestor.local/wal/disk/disktest"
)

// names are those of the tests' log.
var names = Names{Prefix: "events-", Ext: ".ndjson"}

func lineOf(n int) string { return fmt.Sprintf("%d:%d\n", n, n*7) }

// checker is a log's owner: lines are "<number>:<sum>", the numbers rise. Ended lines that are bad are added to bad.
func checker(last *int, bad *[]Span) Check {
	return func(offset int64, line []byte, ended bool) (Verdict, error) {
		if ended && len(bytes.Trim(line, " ")) == 0 {
			return Blank, nil
		}

		var n, sum int
		_, err := fmt.Sscanf(string(line), "%d:%d", &n, &sum)
		if err != nil || !ended || n <= *last || string(line)+"\n" != lineOf(n) {
			if ended && bad != nil {
				*bad = append(*bad, Span{offset, int64(len(line)) + 1})
			}
			return Bad, nil
		}
		*last = n
		return Good, nil
	}
}

// written is a file of a fresh disk with the text.
func written(t *testing.T, text string) (*disktest.Mem, *File) {
	t.Helper()
	m := disktest.NewMem()
	if err := disk.WriteFile(m, "d/a", []byte(text)); err != nil {
		t.Fatal(err)
	}
	f, err := Open(m, "d/a")
	if err != nil {
		t.Fatal(err)
	}
	return m, f
}

func textOf(t *testing.T, fsys disk.FS, name string) string {
	t.Helper()
	text, err := disk.ReadFile(fsys, name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func nothing([]byte) error { return nil }

// The owners cut at the last good line, or at the last newline with the bad lines blanked.
func TestRepair(t *testing.T) {
	const text = "1:7\nbad\n2:14\n  \n3:21\nbad2\ntorn"
	for name, tt := range map[string]struct {
		end        func(Result) int64
		blank      bool
		want, tail string
	}{
		"behind the last good line": {
			end: func(r Result) int64 { return r.Good }, want: "1:7\nbad\n2:14\n  \n3:21\n", tail: "bad2\ntorn",
		},
		"in place": {
			end: func(r Result) int64 { return r.Ended }, blank: true, want: "1:7\n   \n2:14\n  \n3:21\n    \n", tail: "torn",
		},
	} {
		t.Run(name, func(t *testing.T) {
			m, f := written(t, text)
			last := 0
			var bad []Span
			found, err := Scan(f.Reader(), 8, checker(&last, &bad))
			if err != nil {
				t.Fatal(err)
			}
			if found.Lines != 3 || found.BadLines != 1 || found.BadBytes != 4 || found.Torn() != 9 {
				t.Errorf("found %+v", found)
			}

			var saved string
			cut, err := f.CutTail(tt.end(found), func(tail []byte) error { saved = string(tail); return nil })
			if err != nil || !cut || saved != tt.tail {
				t.Fatalf("cut %v, saved %q: %v", cut, saved, err)
			}
			if tt.blank {
				if err := f.Blank(bad...); err != nil {
					t.Fatal(err)
				}
			}
			if got := textOf(t, m, "d/a"); got != tt.want || f.Size() != int64(len(got)) {
				t.Errorf("the file holds %q", got)
			}
		})
	}
}

// A line that is longer than any record comes in pieces, of which none counts as ended.
func TestScanLongLines(t *testing.T) {
	long := strings.Repeat("x", 200<<10)
	var pieces []int
	found, err := Scan(strings.NewReader("1:7\n"+long+"\n2:14\n"), 100<<10, func(_ int64, line []byte, ended bool) (Verdict, error) {
		if !ended {
			pieces = append(pieces, len(line))
			return Bad, nil
		}
		if bytes.HasPrefix(line, []byte("x")) {
			return Bad, nil
		}
		return Good, nil
	})
	if err != nil || found.Lines != 2 || found.BadBytes != int64(len(long)+1) || found.Torn() != 0 {
		t.Errorf("found %+v: %v", found, err)
	}
	if len(pieces) != 1 || pieces[0] < 100<<10 {
		t.Errorf("pieces of %v bytes", pieces)
	}
}

// An error of the disk or of the owner ends the scan with what was found before it.
func TestScanStops(t *testing.T) {
	m, f := written(t, "1:7\n2:14\n3:21\n")
	stop := errors.New("stop")
	found, err := Scan(f.Reader(), 64, func(offset int64, _ []byte, _ bool) (Verdict, error) {
		if offset == 4 {
			return Good, stop
		}
		return Good, nil
	})
	if !errors.Is(err, stop) || found.Lines != 2 || found.Good != 9 {
		t.Errorf("stopped: %+v, %v", found, err)
	}

	m.Reading = func(op, _ string) error {
		if op == "read" {
			return syscall.EIO
		}
		return nil
	}
	last := 0
	if found, err := Scan(f.Reader(), 64, checker(&last, nil)); !errors.Is(err, syscall.EIO) || found.Lines != 0 {
		t.Errorf("unreadable: %+v, %v", found, err)
	}
}

// A tail goes only once its copy is stored, and never from a file that may only be read.
func TestCutTailKeepsWhatIsNotSaved(t *testing.T) {
	m, f := written(t, "1:7\nto")
	if cut, err := f.CutTail(4, func([]byte) error { return syscall.ENOSPC }); cut || !disk.NoSpace(err) {
		t.Errorf("cut %v: %v", cut, err)
	}

	fixed, err := OpenReadOnly(m, "d/a")
	if err != nil {
		t.Fatal(err)
	}
	saved := ""
	cut, err := fixed.CutTail(4, func(tail []byte) error { saved = string(tail); return nil })
	if cut || err != nil || saved != "to" {
		t.Errorf("read only: cut %v, saved %q: %v", cut, saved, err)
	}
	if err := fixed.Append([]byte(lineOf(2))); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("read only: %v", err)
	}
	if got := textOf(t, m, "d/a"); got != "1:7\nto" {
		t.Errorf("the file holds %q", got)
	}
}

// failing makes every operation of a kind fail.
func failing(m *disktest.Mem, ops ...string) {
	m.Before = func(op, _ string) error {
		for _, one := range ops {
			if op == one {
				return errors.Join(syscall.EIO, disktest.ErrShort)
			}
		}
		return nil
	}
}

func TestHalfAWriteIsTakenBack(t *testing.T) {
	m, f := written(t, "1:7\n")
	failing(m, "write")
	if err := f.Append([]byte(lineOf(2))); !errors.Is(err, syscall.EIO) || errors.Is(err, ErrBroken) {
		t.Errorf("%v", err)
	}
	if got := textOf(t, m, "d/a"); got != "1:7\n" {
		t.Errorf("the file holds %q", got)
	}

	failing(m, "write", "truncate")
	for range 2 {
		if err := f.Append([]byte(lineOf(2))); !errors.Is(err, ErrBroken) || !errors.Is(err, syscall.EIO) {
			t.Errorf("not taken back: %v", err)
		}
		m.Before = nil
	}
}

func TestFailedSyncIsFinal(t *testing.T) {
	for _, op := range []string{"sync", "syncdir"} {
		t.Run(op, func(t *testing.T) {
			m := disktest.NewMem()
			f, err := Create(m, "d/a")
			if err != nil {
				t.Fatal(err)
			}
			if err := f.Append([]byte(lineOf(1))); err != nil {
				t.Fatal(err)
			}

			failing(m, op)
			for range 2 {
				if err := f.Sync(); !errors.Is(err, ErrBroken) {
					t.Errorf("%v", err)
				}
				m.Before = nil
			}
			if err := f.Append([]byte(lineOf(2))); !errors.Is(err, ErrBroken) {
				t.Errorf("append: %v", err)
			}
		})
	}
}

func TestRollback(t *testing.T) {
	m, f := written(t, "1:7\n")
	if err := f.Append([]byte(lineOf(2))); err != nil {
		t.Fatal(err)
	}
	if err := f.Rollback(4); err != nil || f.Size() != 4 {
		t.Fatalf("%d bytes: %v", f.Size(), err)
	}
	if after := m.Crash(rand.New(rand.NewPCG(1, 1))); textOf(t, after, "d/a") != "1:7\n" {
		t.Error("what was taken back is there after a power cut")
	}

	m.Before = func(op, _ string) error { return fmt.Errorf("%s of a file that needs none", op) }
	if err := f.Rollback(4); err != nil {
		t.Errorf("nothing to take back: %v", err)
	}
	if err := f.Rollback(5); !errors.Is(err, ErrBroken) || !errors.Is(err, disk.ErrResized) {
		t.Errorf("shorter than it was: %v", err)
	}
}

func TestCreateTakesNoFileOfOthers(t *testing.T) {
	m, _ := written(t, "1:7\n")
	if _, err := Create(m, "d/a"); !errors.Is(err, fs.ErrExist) {
		t.Errorf("%v", err)
	}
}

func TestOverwriteStaysWithinTheFile(t *testing.T) {
	_, f := written(t, "1:7\n")
	if err := f.Overwrite([]byte("22"), 3); err == nil {
		t.Error("the file would have become longer")
	}
}

// A file that begins with a head is there with all of it or not at all; an error that leaves it says so.
func TestCreateWithFails(t *testing.T) {
	for _, tt := range []struct {
		op     string
		broken bool
	}{{"create", false}, {"write", false}, {"sync", false}, {"rename", false}, {"syncdir", true}} {
		t.Run(tt.op, func(t *testing.T) {
			m := disktest.NewMem()
			failing(m, tt.op)
			if _, err := CreateWith(m, "d/a", []byte(lineOf(1))); !errors.Is(err, syscall.EIO) || errors.Is(err, ErrBroken) != tt.broken {
				t.Errorf("%v", err)
			}
			_, err := m.Stat("d/a")
			if there := err == nil; there != tt.broken {
				t.Errorf("the file is there: %v", there)
			}
		})
	}
}

// A file that was made and cannot be opened is removed again.
func TestCreateWithThatCannotBeOpened(t *testing.T) {
	for _, stuck := range []bool{false, true} {
		m := disktest.NewMem()
		m.Reading = func(op, name string) error {
			if op == "append" && name == "d/a" {
				return syscall.EMFILE
			}
			return nil
		}
		if stuck {
			failing(m, "remove")
		}
		if _, err := CreateWith(m, "d/a", []byte(lineOf(1))); !errors.Is(err, syscall.EMFILE) || errors.Is(err, ErrBroken) != stuck {
			t.Errorf("%v", err)
		}
	}
}

func TestNames(t *testing.T) {
	for name, want := range map[string]uint64{
		"events-00000000000000000007.ndjson": 7, "events-18446744073709551615.ndjson": 1<<64 - 1,
		"events-7.ndjson": 0, "events-00000000000000000007.ndjson.gz": 0, "observations-00000000000000000007.ndjson": 0,
		"events-+0000000000000000007.ndjson": 0, "events-.ndjson": 0,
	} {
		if first, ok := names.First(name); ok != (want > 0) || ok && first != want {
			t.Errorf("%s: %d, %v", name, first, ok)
		}
	}
	if got := names.Select([]string{names.Of(20), "LOCK", names.Of(3)}); fmt.Sprint(got) != "[3 20]" {
		t.Errorf("%v", got)
	}
}

// crash is a disk after a power cut, and how many lines a Sync had answered for by then.
type crash struct {
	disk   *disktest.Mem
	synced int
}

// What Sync answered for is there after any power cut, in order; what is there is whole, and more can be appended.
func TestPowerCut(t *testing.T) {
	runs := 400
	if os.Getenv("GESTOR_SOAK") == "1" {
		runs = 20_000
	}
	for seed := range uint64(runs) {
		for i, c := range appendUntilCut(t, rand.New(rand.NewPCG(seed, 1))) {
			if !recovers(t, c) {
				t.Fatalf("seed %d, crash %d", seed, i)
			}
		}
	}
}

// appendUntilCut writes files of some lines each, on a disk that writes short at times, and returns what power cuts left.
func appendUntilCut(t *testing.T, rng *rand.Rand) (crashes []crash) {
	m := disktest.NewMem()
	synced := 0
	m.Before = func(op, _ string) error {
		if rng.IntN(6) == 0 {
			crashes = append(crashes, crash{m.Crash(rng), synced})
		}
		if op == "write" && rng.IntN(9) == 0 {
			return disktest.ErrShort
		}
		return nil
	}

	var f *File
	for n := 0; n < 40; {
		var text []byte
		more := 1 + rng.IntN(4)
		for i := range more {
			text = append(text, lineOf(n+i+1)...)
		}

		var err error
		switch {
		case f == nil, f.Size() > 120 && rng.IntN(2) == 0: // empty, its name durable before the next file's lines are
			if f != nil {
				err = f.Sync()
			}
			if err == nil {
				f, err = Create(m, path.Join("d", names.Of(uint64(n+1))))
			}
		case f.Size() > 120: // with a head
			if err = f.Sync(); err != nil {
				break
			}
			var next *File
			if next, err = CreateWith(m, path.Join("d", names.Of(uint64(n+1))), text); err == nil {
				f, n = next, n+more
				synced = n
			}
		default:
			if err = f.Append(text); err == nil {
				n += more
			}
		}
		if err == nil && rng.IntN(2) == 0 {
			if err = f.Sync(); err == nil {
				synced = n
			}
		}
		if err != nil && !errors.Is(err, disktest.ErrShort) {
			t.Fatal(err)
		}
	}
	return crashes
}

// recovers reads what a power cut left and appends to it.
func recovers(t *testing.T, c crash) bool {
	firsts, err := names.List(c.disk, "d")
	if err != nil {
		t.Fatal(err)
	}
	last, lines := 0, 0
	var f *File
	for _, first := range firsts {
		if f, err = Open(c.disk, path.Join("d", names.Of(first))); err != nil {
			t.Fatal(err)
		}
		found, err := Scan(f.Reader(), 64, checker(&last, nil))
		if err != nil {
			t.Fatal(err)
		}
		lines += found.Lines
		if _, err := f.CutTail(found.Good, nothing); err != nil {
			t.Fatal(err)
		}
	}
	if lines < c.synced || last < c.synced {
		t.Errorf("%d lines up to %d, and %d were synced", lines, last, c.synced)
		return false
	}
	if f == nil {
		return true
	}

	if err := errors.Join(f.Append([]byte(lineOf(last+1))), f.Sync()); err != nil {
		t.Fatal(err)
	}
	after := 0
	found, err := Scan(f.Reader(), 64, checker(&after, nil))
	return err == nil && found.Torn() == 0 && after == last+1
}
