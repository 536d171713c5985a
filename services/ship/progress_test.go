package ship

import (
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"testing/synctest"

	"gestor.local/contract"
	"gestor.local/ship/shiptest"
)

// wantProgress compares the figures of now.
func wantProgress(t *testing.T, s *Shipper, want Progress) {
	t.Helper()
	if got := s.Progress(); got != want {
		t.Errorf("progress %+v, want %+v", got, want)
	}
}

func TestProgressIsWhatTheLogServiceHasAnsweredFor(t *testing.T) {
	var service shiptest.Service
	server := httptest.NewServer(&service)
	defer server.Close()
	s := open(t, t.TempDir(), &service, func(c *Config) { c.URL, c.Client = server.URL, nil })
	wantProgress(t, s, Progress{})

	appendAll(t, s, launch(1), host(), launch(2))
	wantProgress(t, s, Progress{Given: 3})
	appendAll(t, s, host(), host())
	wantProgress(t, s, Progress{Given: 5})
	flush(t, s)
	wantProgress(t, s, Progress{Given: 5, Answered: 5})

	// Observations that wait are no events that wait.
	appendAll(t, s, host())
	wantProgress(t, s, Progress{Given: 6, Answered: 6})
	appendAll(t, s, launch(3))
	wantProgress(t, s, Progress{Given: 7, Answered: 6})
}

// Nothing counts that the log service did not answer for: refused with the request, lost on the way back, or answered by another.
func TestOnlyAnAnswerMakesProgress(t *testing.T) {
	for name, fault := range map[string]shiptest.Fault{
		"refused": shiptest.Status(http.StatusServiceUnavailable, ""), "full": shiptest.Status(http.StatusInsufficientStorage, ""),
		"a proxy": shiptest.Foreign(http.StatusBadRequest), "lost": shiptest.LostAnswer, "no answer of the log service": shiptest.Garbage,
	} {
		t.Run(name, func(t *testing.T) {
			var service shiptest.Service
			server := httptest.NewServer(&service)
			defer server.Close()
			s := open(t, t.TempDir(), &service, func(c *Config) { c.URL, c.Client = server.URL, nil })
			appendAll(t, s, launch(1), launch(2))

			service.Fail(fault)
			if _, err := s.next(t.Context()); err == nil {
				t.Fatal("the request succeeded")
			}
			wantProgress(t, s, Progress{Given: 2})
			flush(t, s)
			wantProgress(t, s, Progress{Given: 2, Answered: 2})
		})
	}
}

// A record that is refused for good has been answered for: by the log service, or by the spool that knows it would be.
func TestWhatIsInQuarantineIsAnsweredFor(t *testing.T) {
	service := shiptest.Service{Reject: func(r contract.Record) string {
		if b, ok := r.Body.(contract.LaunchBody); ok && b.Position == 1 {
			return "no"
		}
		return ""
	}}
	s := open(t, t.TempDir(), &service)
	appendAll(t, s, launch(1))
	flush(t, s)
	wantProgress(t, s, Progress{Given: 2, Answered: 2}) // and the report

	large := launch(3)
	large.Body = contract.LaunchBody{Run: "r", Position: 3, Outcome: contract.LaunchFailed, Reason: strings.Repeat("x", contract.MaxRecordBytes)}
	appendAll(t, s, large)
	wantProgress(t, s, Progress{Given: 4, Answered: 3}) // the report waits
	flush(t, s)
	wantProgress(t, s, Progress{Given: 4, Answered: 4})
}

// While events go ahead of observations, they are answered for by themselves.
func TestEventsThatGoAheadAreAnsweredFor(t *testing.T) {
	var service shiptest.Service
	s := open(t, t.TempDir(), &service)
	appendAll(t, s, host(), launch(1), host(), launch(2))
	service.Fail(shiptest.NoRoom, shiptest.NoRoom, shiptest.NoRoom)
	_, _ = s.next(t.Context())
	wantProgress(t, s, Progress{Given: 4, Answered: 1}) // the first is no event
	if _, err := s.next(t.Context()); err != nil {
		t.Fatal(err)
	}
	wantProgress(t, s, Progress{Given: 4, Answered: 4})
}

func TestProgressGoesOnAfterARestart(t *testing.T) {
	var service shiptest.Service
	dir := t.TempDir()
	s := open(t, dir, &service)
	appendAll(t, s, launch(1))
	flush(t, s)
	appendAll(t, s, launch(2), launch(3))
	s.spool.close() // dies

	s = open(t, dir, &service)
	wantProgress(t, s, Progress{Given: 3, Answered: 1})
	flush(t, s)
	wantProgress(t, s, Progress{Given: 3, Answered: 3})
	_ = s.Close()

	// The files are there still, and what they hold is sent once more.
	s = open(t, dir, &service)
	wantProgress(t, s, Progress{Given: 3, Answered: 3})
}

// Under another identity records keep their numbers: nothing is answered for that the log service took for others'.
func TestAnIdentityConflictIsNoAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var service shiptest.Service
		s := open(t, t.TempDir(), &service)
		appendAll(t, s, launch(1))
		run(t, s)
		older := copyOf(t, s.cfg.Dir)
		appendAll(t, s, launch(2), launch(3))
		run(t, s)
		_ = s.Close()

		s = open(t, older, &service)
		appendAll(t, s, launch(1002), launch(1003))
		for s.Stats().Conflicts == 0 {
			if n, err := s.next(t.Context()); n == 0 && err == nil {
				t.Fatal("no conflict was found")
			}
		}
		if p := s.Progress(); p.Answered > 1 {
			t.Errorf("progress %+v: what was taken for another's record is not answered for", p)
		}
		run(t, s)
		if p := s.Progress(); p.Answered != p.Given || p.Lost != 0 {
			t.Errorf("progress %+v at the end", p)
		}
		if got := positions(&service); got[len(got)-2] != 1002 || got[len(got)-1] != 1003 {
			t.Errorf("positions %v", got)
		}
	})
}

// Files that were moved hold what they held; what nobody can read any more is lost, not answered for.
func TestMovedFilesAreNoAnswer(t *testing.T) {
	var service shiptest.Service
	s := open(t, t.TempDir(), &service)
	appendAll(t, s, launch(1), launch(2))
	must(t, os.Remove(eventFile(s)))
	if err := s.Check(); err == nil {
		t.Fatal("the file was not missed")
	}
	wantProgress(t, s, Progress{Given: 3}) // with the report

	must(t, os.Truncate(eventFile(s), s.spool.events.segments[0].entries[1].off+10))
	flush(t, s)
	if p := s.Progress(); p.Answered != p.Given || p.Lost != 3 {
		t.Errorf("progress %+v, want all answered for but the one up to 3 that was lost", p)
	}
}
