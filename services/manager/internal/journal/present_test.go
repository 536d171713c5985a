package journal

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gestor.local/contract"
)

// What takes a journal's files away while it is written to.
func vanishings() map[string]func(t *testing.T, j *Journal) {
	return map[string]func(t *testing.T, j *Journal){
		"the folder is deleted":  func(t *testing.T, j *Journal) { must(t, os.RemoveAll(j.dir)) },
		"the parent is deleted":  func(t *testing.T, j *Journal) { must(t, os.RemoveAll(filepath.Dir(j.dir))) },
		"the file is deleted":    func(t *testing.T, j *Journal) { must(t, os.Remove(j.active.Name())) },
		"the lock is deleted":    func(t *testing.T, j *Journal) { must(t, os.Remove(filepath.Join(j.dir, lockName))) },
		"the file is emptied":    func(t *testing.T, j *Journal) { must(t, os.Truncate(j.active.Name(), 0)) },
		"the file is cut":        func(t *testing.T, j *Journal) { must(t, os.Truncate(j.active.Name(), j.active.Size()-1)) },
		"the folder is moved":    func(t *testing.T, j *Journal) { must(t, os.Rename(j.dir, j.dir+"-old")) },
		"an older copy is there": olderCopy,
		"a folder is in its place": func(t *testing.T, j *Journal) {
			must(t, os.RemoveAll(j.dir))
			must(t, os.MkdirAll(j.dir, 0o700))
		},
	}
}

// olderCopy puts a copy of the journal's folder, as it is now, in the place of the folder.
func olderCopy(t *testing.T, j *Journal) {
	t.Helper()
	must(t, os.CopyFS(j.dir+"-copy", os.DirFS(j.dir)))
	must(t, os.RemoveAll(j.dir))
	must(t, os.Rename(j.dir+"-copy", j.dir))
}

func TestWhatVanishesWhileRunningIsBegunAnewAndToldOnce(t *testing.T) {
	for name, vanish := range vanishings() {
		t.Run(name, func(t *testing.T) {
			j, _ := open(t, filepath.Join(t.TempDir(), "state", "journal"), Options{})
			wrote(t)(j.Tick(tickOf(7, 2)))
			wrote(t)(j.Intent(intent("open", "c1"), intent("closed", "c2")))
			wrote(t)(j.Outcome(Outcome{ActionID: "closed", Outcome: contract.OutcomeDone}))
			must(t, j.Check())

			vanish(t, j)
			if err := j.Check(); !errors.Is(err, ErrMoved) || errors.Is(err, ErrFailed) {
				t.Fatalf("%v, want that the files were moved", err)
			}
			must(t, j.Check())
			wrote(t)(j.Intent(intent("next", "c3")))

			_, r := reopen(t, j)
			if diff := cmp.Diff([]string{"open", "next"}, ids(r.Open)); diff != "" {
				t.Error(diff)
			}
			if r.LastTick != 7 || len(r.RecentRemovals) != 3 {
				t.Errorf("recovered %+v", r)
			}
		})
	}
}

// A write is no less careful than a tick: what is acknowledged is in a file that the next start finds.
func TestNothingIsAcknowledgedThatOnlyADeletedFileHolds(t *testing.T) {
	for name, vanish := range vanishings() {
		t.Run(name, func(t *testing.T) {
			j, _ := open(t, filepath.Join(t.TempDir(), "state", "journal"), Options{})
			wrote(t)(j.Intent(intent("a", "c1")))
			vanish(t, j)
			wrote(t)(j.Intent(intent("b", "c2")))
			if err := j.Check(); !errors.Is(err, ErrMoved) {
				t.Errorf("%v, want that the files were moved", err)
			}
			if _, r := reopen(t, j); fmt.Sprint(ids(r.Open)) != "[a b]" {
				t.Errorf("open: %v", ids(r.Open))
			}
		})
	}
}

// Whoever lost its folder to another manager must not act beside it.
func TestAFolderThatSomebodyElseTookIsLeft(t *testing.T) {
	j, _ := open(t, t.TempDir(), Options{})
	must(t, os.RemoveAll(j.dir))
	other, _ := open(t, j.dir, Options{})
	if err := j.Check(); !errors.Is(err, ErrFailed) || !errors.Is(err, ErrLocked) {
		t.Errorf("%v, want a final error", err)
	}
	wrote(t)(other.Intent(intent("b", "c")))
}

// A journal that was put there and is ahead of this one has to be read before anything is written behind it.
func TestAnotherJournalInThePlaceIsReadByTheNextStart(t *testing.T) {
	ahead, _ := open(t, t.TempDir(), Options{SegmentBytes: 500})
	for n := range uint64(9) {
		wrote(t)(ahead.Tick(tickOf(n, 1)))
	}
	must(t, ahead.Close())
	j, _ := open(t, t.TempDir(), Options{})
	must(t, os.RemoveAll(j.dir))
	must(t, os.CopyFS(j.dir, os.DirFS(ahead.dir)))
	if err := j.Check(); !errors.Is(err, ErrFailed) {
		t.Errorf("%v, want a final error", err)
	}
}

// A folder that cannot be made again keeps the journal shut until it can.
func TestAJournalWaitsForItsFolder(t *testing.T) {
	state := filepath.Join(t.TempDir(), "state")
	j, _ := open(t, filepath.Join(state, "journal"), Options{})
	must(t, os.RemoveAll(state))
	must(t, os.WriteFile(state, nil, 0o600))
	for range 2 {
		if _, err := j.Intent(intent("a", "c")); !errors.Is(err, ErrMoved) || errors.Is(err, ErrFailed) {
			t.Fatalf("%v, want to wait", err)
		}
	}
	must(t, os.Remove(state))
	wrote(t)(j.Intent(intent("b", "c")))
	if _, r := reopen(t, j); fmt.Sprint(ids(r.Open)) != "[b]" {
		t.Errorf("open: %v", ids(r.Open))
	}
}
