package ship

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gestor.local/contract"
	"gestor.local/ship/shiptest"
)

// eventFile is the file that the spool writes events to.
func eventFile(s *Shipper) string {
	segments := s.spool.events.segments
	return segments[len(segments)-1].file.Name()
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// olderCopy puts a copy of the spool's folder, as it is now, in the place of the folder.
func olderCopy(t *testing.T, dir string) {
	t.Helper()
	must(t, os.CopyFS(dir+"-copy", os.DirFS(dir)))
	must(t, os.RemoveAll(dir))
	must(t, os.Rename(dir+"-copy", dir))
}

func TestDeletedFilesAreWrittenAgain(t *testing.T) {
	for name, vanish := range map[string]func(t *testing.T, s *Shipper){
		"the folder":            func(t *testing.T, s *Shipper) { must(t, os.RemoveAll(s.cfg.Dir)) },
		"the parent":            func(t *testing.T, s *Shipper) { must(t, os.RemoveAll(filepath.Dir(s.cfg.Dir))) },
		"the events":            func(t *testing.T, s *Shipper) { must(t, os.Remove(eventFile(s))) },
		"the state":             func(t *testing.T, s *Shipper) { must(t, os.Remove(filepath.Join(s.cfg.Dir, stateFile))) },
		"the lock":              func(t *testing.T, s *Shipper) { must(t, os.Remove(filepath.Join(s.cfg.Dir, lockFile))) },
		"for another":           func(t *testing.T, s *Shipper) { must(t, os.Rename(s.cfg.Dir, s.cfg.Dir+"-old")) },
		"for a copy of its own": func(t *testing.T, s *Shipper) { olderCopy(t, s.cfg.Dir) },
		"with something written": func(t *testing.T, s *Shipper) {
			must(t, os.WriteFile(eventFile(s)+".new", nil, 0o600))
			must(t, os.Rename(eventFile(s)+".new", eventFile(s)))
		},
	} {
		t.Run(name, func(t *testing.T) {
			var service shiptest.Service
			s := open(t, filepath.Join(t.TempDir(), "state", "spool"), &service)
			appendAll(t, s, launch(1), host(), launch(2))
			must(t, s.Check())

			vanish(t, s)
			if err := s.Check(); !errors.Is(err, ErrMoved) || errors.Is(err, ErrFailed) {
				t.Fatalf("%v, want that the files were moved", err)
			}
			must(t, s.Check())
			appendAll(t, s, launch(3))

			s.spool.close() // dies
			s = open(t, s.cfg.Dir, &service)
			appendAll(t, s, launch(4))
			flush(t, s)
			if diff := cmp.Diff([]uint64{1, 2, 3, 4}, positions(&service)); diff != "" {
				t.Errorf("positions (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff([]string{EventMoved}, systemEvents(&service)); diff != "" {
				t.Errorf("reports (-want +got):\n%s", diff)
			}
		})
	}
}

// What nobody can read any more is said to be lost, not to have arrived.
func TestWhatCannotBeReadIsNotSaidToHaveArrived(t *testing.T) {
	var service shiptest.Service
	s := open(t, t.TempDir(), &service)
	appendAll(t, s, launch(1), launch(2), launch(3))
	must(t, os.Truncate(eventFile(s), s.spool.events.segments[0].entries[1].off+10))
	flush(t, s)
	if diff := cmp.Diff([]uint64{1}, positions(&service)); diff != "" {
		t.Errorf("positions (-want +got):\n%s", diff)
	}
	if st := s.Stats(); st.Delivered != 2 {
		t.Errorf("%d delivered, want the one that was left and the report", st.Delivered)
	}
	for _, r := range service.Records() {
		if body, ok := r.Body.(contract.SystemBody); ok && (body.Details["lost"] != 2.0 || body.Details["first_pseq"] != 2.0) {
			t.Errorf("report %+v", body)
		}
	}
}

// What is lost is said also when the rest can only be written again later.
func TestWhatIsLostIsSaidWhenTheRestIsSaved(t *testing.T) {
	var service shiptest.Service
	s := open(t, t.TempDir(), &service)
	appendAll(t, s, launch(1), launch(2), host())
	must(t, os.Truncate(eventFile(s), 10))
	observations := s.spool.observations.segments[0].file.Name()
	must(t, os.Remove(observations))
	inTheWay := filepath.Join(observations+".tmp", "in the way")
	must(t, os.MkdirAll(inTheWay, 0o700))
	if err := s.Check(); !errors.Is(err, ErrMoved) || errors.Is(err, ErrFailed) {
		t.Fatalf("%v, want to wait", err)
	}

	must(t, os.RemoveAll(filepath.Dir(inTheWay)))
	flush(t, s)
	if diff := cmp.Diff([]string{EventMoved}, systemEvents(&service)); diff != "" {
		t.Errorf("reports (-want +got):\n%s", diff)
	}
	for _, r := range service.Records() {
		if body, ok := r.Body.(contract.SystemBody); ok && body.Details["lost"] != 2.0 {
			t.Errorf("report %+v", body)
		}
	}
}

// A record is taken only when it is in a file that the next start finds.
func TestNothingIsTakenThatOnlyADeletedFileHolds(t *testing.T) {
	var service shiptest.Service
	dir := filepath.Join(t.TempDir(), "spool")
	s := open(t, dir, &service)
	appendAll(t, s, launch(1))
	must(t, os.RemoveAll(dir))
	appendAll(t, s, launch(2))
	s.spool.close() // dies
	s = open(t, dir, &service)
	flush(t, s)
	if diff := cmp.Diff([]uint64{1, 2}, positions(&service)); diff != "" {
		t.Errorf("positions (-want +got):\n%s", diff)
	}
}

// A spool whose folder another process has taken ends: two must not give the same numbers.
func TestAFolderThatSomebodyElseTookIsLeft(t *testing.T) {
	var service shiptest.Service
	dir := filepath.Join(t.TempDir(), "spool")
	s := open(t, dir, &service)
	must(t, os.RemoveAll(dir))
	other := open(t, dir, &service)
	if err := s.Append(launch(1)); !errors.Is(err, ErrFailed) {
		t.Errorf("%v, want a final error", err)
	}
	appendAll(t, other, launch(2))
}

func TestASpoolWaitsForItsFolder(t *testing.T) {
	var service shiptest.Service
	state := filepath.Join(t.TempDir(), "state")
	s := open(t, filepath.Join(state, "spool"), &service)
	appendAll(t, s, launch(1))
	must(t, os.RemoveAll(state))
	must(t, os.WriteFile(state, nil, 0o600))
	if err := s.Append(launch(2)); !errors.Is(err, ErrMoved) || errors.Is(err, ErrFailed) {
		t.Fatalf("%v, want to wait", err)
	}
	must(t, os.Remove(state))
	flush(t, s)
	if diff := cmp.Diff([]uint64{1}, positions(&service)); diff != "" {
		t.Errorf("positions (-want +got):\n%s", diff)
	}
}
