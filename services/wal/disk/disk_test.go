package disk_test

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"gestor.local/wal/disk"
	"gestor.local/wal/disk/disktest"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// both runs a test on the operating system's file system and on the one that tests use.
func both(t *testing.T, test func(t *testing.T, fsys disk.FS, dir string)) {
	t.Run("os", func(t *testing.T) { test(t, disk.OS{}, t.TempDir()) })
	t.Run("memory", func(t *testing.T) { test(t, disktest.NewMem(), "d") })
}

// Bytes are written over where they stand, although writes go to the end, and writes after it go there again.
func TestOverwrite(t *testing.T) {
	both(t, func(t *testing.T, fsys disk.FS, dir string) {
		f, err := fsys.Append(dir + "/a")
		must(t, err)
		defer f.Close()
		_, err = f.Write([]byte("one two"))
		must(t, err)

		must(t, f.Overwrite([]byte("ONE"), 0))
		_, err = f.Write([]byte(" three"))
		must(t, err)
		if got, err := disk.ReadFile(fsys, dir+"/a"); err != nil || string(got) != "ONE two three" {
			t.Errorf("%q, %v", got, err)
		}
	})
}

// The open file is the one that is written over, wherever its name leads to.
func TestOverwriteOfADeletedFile(t *testing.T) {
	both(t, func(t *testing.T, fsys disk.FS, dir string) {
		f, err := fsys.Append(dir + "/a")
		must(t, err)
		defer f.Close()
		_, err = f.Write([]byte("one"))
		must(t, err)
		must(t, fsys.Remove(dir+"/a"))
		must(t, disk.WriteFile(fsys, dir+"/a", []byte("two")))

		must(t, f.Overwrite([]byte("ONE"), 0))
		got := make([]byte, 3)
		if _, err := f.ReadAt(got, 0); err != nil || string(got) != "ONE" {
			t.Errorf("%q, %v", got, err)
		}
		if other, err := disk.ReadFile(fsys, dir+"/a"); err != nil || string(other) != "two" {
			t.Errorf("the other file holds %q, %v", other, err)
		}
	})
}

func TestInPlace(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(fsys disk.FS, name string) error
		want   error
	}{
		"nothing":  {func(disk.FS, string) error { return nil }, nil},
		"deleted":  {func(fsys disk.FS, name string) error { return fsys.Remove(name) }, fs.ErrNotExist},
		"replaced": {func(fsys disk.FS, name string) error { return disk.WriteFile(fsys, name, []byte("one")) }, disk.ErrReplaced},
		"longer": {func(fsys disk.FS, name string) error {
			f, err := fsys.Append(name)
			if err == nil {
				_, err = f.Write([]byte("!"))
			}
			return err
		}, disk.ErrResized},
	} {
		t.Run(name, func(t *testing.T) {
			both(t, func(t *testing.T, fsys disk.FS, dir string) {
				f, err := fsys.Append(dir + "/a")
				must(t, err)
				defer f.Close()
				_, err = f.Write([]byte("one"))
				must(t, err)
				must(t, tt.change(fsys, dir+"/a"))

				err = disk.InPlace(fsys, dir+"/a", f, 3)
				if !errors.Is(err, tt.want) || disk.NotInPlace(err) != (tt.want != nil) {
					t.Errorf("%v", err)
				}
				if err := disk.InPlace(fsys, dir+"/a", f, disk.AnySize); errors.Is(tt.want, disk.ErrResized) && err != nil {
					t.Errorf("whatever its size: %v", err)
				}
			})
		})
	}
}

// A folder in a file's place, and a file in a folder's, are answers too.
func TestInPlaceOfAnotherKind(t *testing.T) {
	dir := t.TempDir()
	must(t, os.Mkdir(dir+"/d", 0o700))
	f, err := disk.OS{}.Append(dir + "/d/a")
	must(t, err)
	defer f.Close()

	must(t, os.Remove(dir+"/d/a"))
	must(t, os.Mkdir(dir+"/d/a", 0o700))
	if err := disk.InPlace(disk.OS{}, dir+"/d/a", f, 0); !disk.NotInPlace(err) {
		t.Errorf("a folder: %v", err)
	}

	must(t, os.RemoveAll(dir+"/d"))
	must(t, os.WriteFile(dir+"/d", nil, 0o600))
	if err := disk.InPlace(disk.OS{}, dir+"/d/a", f, 0); !disk.NotInPlace(err) {
		t.Errorf("a file above it: %v", err)
	}
	if disk.NotInPlace(syscall.EIO) || disk.NotInPlace(fs.ErrPermission) {
		t.Error("an error of the disk is no answer")
	}
}

func TestModes(t *testing.T) {
	for _, tt := range []struct {
		fsys        disk.OS
		files, dirs fs.FileMode
	}{{disk.OS{}, 0o644, 0o755}, {disk.OS{Files: 0o600, Dirs: 0o700}, 0o600, 0o700}} {
		dir := filepath.Join(t.TempDir(), "d")
		must(t, tt.fsys.Mkdir(dir))
		must(t, disk.WriteFile(tt.fsys, dir+"/a", nil))
		lock, err := tt.fsys.Lock(dir + "/LOCK")
		must(t, err)
		must(t, lock.Close())

		// The umask may take bits away, hardly the owner's.
		for name, want := range map[string]fs.FileMode{"": tt.dirs, "/a": tt.files, "/LOCK": tt.files} {
			if info, err := os.Stat(dir + name); err != nil || info.Mode().Perm()&^want != 0 || info.Mode().Perm()&0o700 != want&0o700 {
				t.Errorf("%s has mode %v, want %v: %v", name, info.Mode().Perm(), want, err)
			}
		}
	}
}

// A lock is of the file, not of its name.
func TestLock(t *testing.T) {
	both(t, func(t *testing.T, fsys disk.FS, dir string) {
		first, err := fsys.Lock(dir + "/LOCK")
		must(t, err)
		if _, err := fsys.Lock(dir + "/LOCK"); !errors.Is(err, disk.ErrHeld) {
			t.Errorf("twice: %v", err)
		}
		must(t, disk.InPlace(fsys, dir+"/LOCK", first, disk.AnySize))

		must(t, fsys.Remove(dir+"/LOCK"))
		second, err := fsys.Lock(dir + "/LOCK")
		must(t, err)
		if err := disk.InPlace(fsys, dir+"/LOCK", first, disk.AnySize); !errors.Is(err, disk.ErrReplaced) {
			t.Errorf("replaced: %v", err)
		}

		must(t, errors.Join(first.Close(), second.Close()))
		again, err := fsys.Lock(dir + "/LOCK")
		must(t, err)
		must(t, again.Close())
	})
}

// Whatever fails, the name leads to the old content, and nothing is left beside it; a failed sync is told from the rest.
func TestReplaceFileFails(t *testing.T) {
	for _, op := range []string{"create", "write", "sync", "rename", "syncdir", "the writer"} {
		t.Run(op, func(t *testing.T) {
			m := disktest.NewMem()
			must(t, disk.WriteFile(m, "d/a", []byte("old")))
			m.Before = func(at, _ string) error {
				if at == op {
					return syscall.EIO
				}
				return nil
			}
			err := disk.ReplaceFile(m, "d/a", func(w io.Writer) error {
				if op == "the writer" {
					return syscall.EIO
				}
				_, err := w.Write([]byte("new"))
				return err
			})

			var unsynced *disk.SyncError
			isSync := errors.As(err, &unsynced)
			if !errors.Is(err, syscall.EIO) || isSync != (op == "sync" || op == "syncdir") || isSync && unsynced.Dir != (op == "syncdir") {
				t.Errorf("%v", err)
			}
			want := "old"
			if op == "syncdir" {
				want = "new"
			}
			if got, err := disk.ReadFile(m, "d/a"); err != nil || string(got) != want {
				t.Errorf("%q, %v", got, err)
			}
			if left, err := m.List("d"); err != nil || len(left) != 1 {
				t.Errorf("left: %v, %v", left, err)
			}
		})
	}
}

// After any power cut the name leads to all of one content, and never to one before the last that was answered.
func TestReplaceFileSurvivesPowerCuts(t *testing.T) {
	for seed := range uint64(200) {
		rng := rand.New(rand.NewPCG(seed, 1))
		m := disktest.NewMem()
		done := 0
		m.Before = func(op, _ string) error {
			text, err := disk.ReadFile(m.Crash(rng), "d/a")
			var n, again int
			if err == nil {
				_, err = fmt.Sscanf(string(text), "%d %d", &n, &again)
			}
			if err != nil && done > 0 || err == nil && (n != again || n < done) {
				t.Fatalf("seed %d, before %s: %q after %d: %v", seed, op, text, done, err)
			}
			return nil
		}
		for n := range 10 {
			must(t, disk.WriteFile(m, "d/a", fmt.Appendf(nil, "%d %d", n+1, n+1)))
			done = n + 1
		}
	}
}
