package ship

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"gestor.local/contract"
	"gestor.local/ship/shiptest"
)

func open(t *testing.T, dir string, service *shiptest.Service, change ...func(*Config)) *Shipper {
	t.Helper()
	cfg := Config{
		Dir: dir, URL: "http://logs.test", Producer: contract.ProducerGenerator, Host: "h", Boot: "b",
		Client: service.Client(),
	}
	for _, f := range change {
		f(&cfg)
	}
	s, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() }) // some tests close it themselves
	return s
}

func launch(position uint64) contract.Record {
	return contract.NewRecord(time.Now(), 0, "", contract.LaunchBody{Run: "r", Position: position, Outcome: contract.LaunchStarted})
}

func host() contract.Record {
	return contract.NewRecord(time.Now(), 1, contract.SourceProcfs, contract.HostBody{CPUs: 2})
}

func appendAll(t *testing.T, s *Shipper, records ...contract.Record) {
	t.Helper()
	for _, r := range records {
		if err := s.Append(r); err != nil {
			t.Fatal(err)
		}
	}
}

func flush(t *testing.T, s *Shipper) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := s.Flush(ctx); err != nil {
		t.Fatal(err)
	}
}

// positions lists the plan positions of the launch records that arrived, in order of arrival.
func positions(service *shiptest.Service) (got []uint64) {
	for _, r := range service.Records() {
		if body, ok := r.Body.(contract.LaunchBody); ok {
			got = append(got, body.Position)
		}
	}
	return got
}

func systemEvents(service *shiptest.Service) (got []string) {
	for _, r := range service.Records() {
		if body, ok := r.Body.(contract.SystemBody); ok {
			got = append(got, body.Event)
		}
	}
	return got
}

func TestRecordsArriveInOrderWithTheirIdentity(t *testing.T) {
	var service shiptest.Service
	server := httptest.NewServer(&service)
	defer server.Close()
	s := open(t, t.TempDir(), &service, func(c *Config) { c.URL, c.Client = server.URL+"/", nil })
	appendAll(t, s, launch(1), host(), launch(2))
	flush(t, s)

	got := service.Records()
	if len(got) != 3 {
		t.Fatalf("%d records arrived, want 3", len(got))
	}
	for i, r := range got {
		if r.PSeq != uint64(i+1) || r.Host != "h" || r.Producer != contract.ProducerGenerator || !strings.HasPrefix(r.Boot, "b.") || len(r.Boot) != 10 {
			t.Errorf("record %d has identity %s %s %s %d", i, r.Host, r.Boot, r.Producer, r.PSeq)
		}
	}
	st := s.Stats()
	if st.Records != 0 || st.Bytes != 0 || st.Delivered != 3 || st.LastSuccess.IsZero() || st.LastError != "" ||
		st.LastSync != shiptest.SyncUS*time.Microsecond {
		t.Errorf("stats after delivery: %+v", st)
	}
}

func TestSequenceContinuesOverRestartsAndNeverRepeats(t *testing.T) {
	var service shiptest.Service
	dir := t.TempDir()
	for run := range uint64(3) {
		s := open(t, dir, &service)
		appendAll(t, s, launch(2*run+1), launch(2*run+2))
		if run != 1 { // the second run's records stay on disk for the third
			flush(t, s)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	var pseqs []uint64
	for _, r := range service.Records() {
		pseqs = append(pseqs, r.PSeq)
	}
	if diff := cmp.Diff([]uint64{1, 2, 3, 4, 5, 6}, pseqs); diff != "" {
		t.Errorf("pseq (-want +got):\n%s", diff)
	}
}

func TestLostFolderMakesAnotherIdentity(t *testing.T) {
	var service shiptest.Service
	dir := filepath.Join(t.TempDir(), "spool")
	for range 2 {
		s := open(t, dir, &service)
		appendAll(t, s, launch(1))
		flush(t, s)
		_ = s.Close()
		if err := os.RemoveAll(dir); err != nil {
			t.Fatal(err)
		}
	}
	got := service.Records()
	if len(got) != 2 || got[0].PSeq != got[1].PSeq || got[0].Boot == got[1].Boot {
		t.Errorf("want two records told apart by boot alone, got %+v", got)
	}
}

func TestFaultsOfTheLogService(t *testing.T) {
	for name, fault := range map[string]shiptest.Fault{
		"unavailable":      shiptest.Status(http.StatusServiceUnavailable, ""),
		"too many":         shiptest.Status(http.StatusTooManyRequests, "3"),
		"disk full":        shiptest.Status(http.StatusInsufficientStorage, ""),
		"unauthorised":     shiptest.Status(http.StatusUnauthorized, ""),
		"answer lost":      shiptest.LostAnswer,
		"nonsense answer":  shiptest.Garbage,
		"refused as whole": shiptest.Status(http.StatusRequestEntityTooLarge, ""),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var service shiptest.Service
				service.Fail(fault, fault)
				s := open(t, t.TempDir(), &service)
				appendAll(t, s, launch(1), launch(2), launch(3), launch(4))
				flush(t, s)
				if diff := cmp.Diff([]uint64{1, 2, 3, 4}, positions(&service)); diff != "" {
					t.Errorf("positions (-want +got):\n%s", diff)
				}
			})
		})
	}
}

// Tokens are made anew beside a running sender: it sends the new one by itself.
func TestANewTokenNeedsNoRestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var service shiptest.Service
		var sent []string
		note := func(next shiptest.Fault) shiptest.Fault {
			return func(s *shiptest.Service, w http.ResponseWriter, r *http.Request) {
				sent = append(sent, r.Header.Get("Authorization"))
				next(s, w, r)
			}
		}
		service.Fail(note(shiptest.Status(http.StatusUnauthorized, "")), note((*shiptest.Service).ServeHTTP))
		answers := []func() (string, error){
			func() (string, error) { return "old", nil },
			func() (string, error) { return "", os.ErrNotExist }, // just being replaced
			func() (string, error) { return "new", nil },
		}
		s := open(t, t.TempDir(), &service, func(c *Config) {
			c.Token = func() (string, error) {
				now := answers[0]
				answers = answers[min(1, len(answers)-1):]
				return now()
			}
		})
		appendAll(t, s, launch(1))
		flush(t, s)
		if diff := cmp.Diff([]uint64{1}, positions(&service)); diff != "" {
			t.Errorf("positions (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff([]string{"Bearer old", "Bearer new"}, sent); diff != "" {
			t.Errorf("tokens (-want +got):\n%s", diff)
		}
	})
}

// A status that blames the request counts only when the log service itself gives it. From anybody else (a proxy, a TLS
// port spoken to without TLS) it means that the log service is away, and nothing is given up.
func TestRefusalsOfOthersGiveNothingUp(t *testing.T) {
	for name, answer := range map[string]http.HandlerFunc{
		"plain text": func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "Client sent an HTTP request", 400) },
		"no type":    func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusRequestEntityTooLarge) },
		"JSON":       func(w http.ResponseWriter, _ *http.Request) { problem(w, contract.MediaJSON, 422, `{"status":422}`) },
		"no document": func(w http.ResponseWriter, _ *http.Request) {
			problem(w, contract.MediaProblem, 400, "<html>")
		},
		"another status": func(w http.ResponseWriter, _ *http.Request) {
			problem(w, contract.MediaProblem, 400, `{"title":"Bad Gateway","status":502}`)
		},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(answer)
			defer server.Close()
			s := open(t, t.TempDir(), new(shiptest.Service), func(c *Config) { c.URL, c.Client = server.URL, nil })
			appendAll(t, s, launch(1), launch(2), launch(3))
			ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
			defer cancel()
			if err := s.Flush(ctx); err == nil {
				t.Error("Flush says that all has arrived")
			}
			if st := s.Stats(); st.Records != 3 || st.Quarantined != 0 || st.Failures != 1 || !strings.Contains(st.LastError, "other than the log service") {
				t.Errorf("stats after a foreign refusal: %+v", st)
			}
		})
	}
}

func problem(w http.ResponseWriter, media string, status int, text string) {
	w.Header().Set("Content-Type", media)
	w.WriteHeader(status)
	_, _ = w.Write([]byte(text))
}

func TestRunBacksOffAndHonoursRetryAfter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var service shiptest.Service
		for range 4 {
			service.Fail(shiptest.Status(http.StatusServiceUnavailable, ""))
		}
		service.Fail(shiptest.Status(http.StatusTooManyRequests, "120"))
		s := open(t, t.TempDir(), &service)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- s.Run(ctx) }()
		appendAll(t, s, launch(1))

		time.Sleep(100 * time.Second) // 0.5 + 1 + 2 + 4 s at the most, then 120 s
		if got := service.Requests(); got != 5 {
			t.Errorf("%d requests in the first 100 s, want 5", got)
		}
		if st := s.Stats(); st.Failures != 5 || !strings.Contains(st.LastError, "429") || st.OldestAge < 90*time.Second {
			t.Errorf("stats while refused: %+v", st)
		}
		time.Sleep(30 * time.Second)
		if got := positions(&service); len(got) != 1 {
			t.Errorf("arrived after the wait: %v", got)
		}
		appendAll(t, s, launch(2)) // Run must wake without a timer
		synctest.Wait()
		if got := positions(&service); len(got) != 2 {
			t.Errorf("arrived after the second append: %v", got)
		}
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run returned %v at the end of its context", err)
		}
	})
}

func TestFlushReturnsWhatKeptItWhenTimeIsUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var service shiptest.Service
		for range 100 {
			service.Fail(shiptest.Status(http.StatusServiceUnavailable, ""))
		}
		s := open(t, t.TempDir(), &service)
		appendAll(t, s, launch(1))
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		err := s.Flush(ctx)
		if err == nil || !strings.Contains(err.Error(), "1 records stay on disk") {
			t.Errorf("Flush returned %v", err)
		}
		if got := s.Stats().Records; got != 1 {
			t.Errorf("%d records in the spool, want 1", got)
		}
	})
}

func TestRejectedRecordIsPutAsideOnceAndTheRestArrives(t *testing.T) {
	service := shiptest.Service{Reject: func(r contract.Record) string {
		if body, ok := r.Body.(contract.LaunchBody); ok && body.Position == 2 {
			return "position 2 is not to my taste"
		}
		return ""
	}}
	dir := t.TempDir()
	s := open(t, dir, &service)
	appendAll(t, s, launch(1), launch(2), launch(3))
	flush(t, s)
	if diff := cmp.Diff([]uint64{1, 3}, positions(&service)); diff != "" {
		t.Errorf("positions (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{EventQuarantined}, systemEvents(&service)); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
	text, err := os.ReadFile(filepath.Join(dir, "quarantine.ndjson"))
	if err != nil {
		t.Fatal(err)
	}
	if strings.Count(string(text), "\n") != 1 || !strings.Contains(string(text), "not to my taste") {
		t.Errorf("quarantine holds %s", text)
	}
}

func TestOneRecordToBlameForARefusedRequestIsFound(t *testing.T) {
	var service shiptest.Service
	poison := func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body := new(strings.Builder)
			_ = r.Write(body) // the request as text; its body is needed twice
			if strings.Contains(body.String(), `"position":37,`) {
				shiptest.Problem(w, http.StatusUnprocessableEntity)
				return
			}
			_, text, _ := strings.Cut(body.String(), "\r\n\r\n")
			again := httptest.NewRequest(http.MethodPost, contract.PathRecords, strings.NewReader(text))
			next.ServeHTTP(w, again)
		})
	}
	server := httptest.NewServer(poison(&service))
	defer server.Close()
	s := open(t, t.TempDir(), &service, func(c *Config) { c.URL, c.Client = server.URL, nil })
	var all []contract.Record
	for i := range uint64(100) {
		all = append(all, launch(i+1))
	}
	if err := s.Append(all...); err != nil {
		t.Fatal(err)
	}
	flush(t, s)
	if got := positions(&service); len(got) != 99 {
		t.Errorf("%d of 99 good records arrived", len(got))
	}
	if got := s.Stats().Quarantined; got != 1 {
		t.Errorf("%d records in quarantine, want 1", got)
	}
}

func TestInvalidAndOversizeRecordsDoNotTakeOthersWithThem(t *testing.T) {
	var service shiptest.Service
	s := open(t, t.TempDir(), &service)
	huge := launch(2)
	huge.Body = contract.LaunchBody{Run: strings.Repeat("x", contract.MaxRecordBytes), Position: 2}
	nameless := contract.NewRecord(time.Now(), 0, "", contract.SystemBody{})
	if err := s.Append(launch(1), huge, nameless, launch(3)); err != nil {
		t.Fatal(err)
	}
	flush(t, s)
	if diff := cmp.Diff([]uint64{1, 3}, positions(&service)); diff != "" {
		t.Errorf("positions (-want +got):\n%s", diff)
	}
	if got := s.Stats().Quarantined; got != 2 {
		t.Errorf("%d records in quarantine, want 2", got)
	}
}

func TestOpenRefusesWhatCannotWork(t *testing.T) {
	if _, err := Open(Config{URL: "logs:8080", MaxBytes: 1}); err == nil {
		t.Error("an empty configuration was accepted")
	} else {
		for _, want := range []string{"Dir", "Producer", "Host", "Boot", "URL", "MaxBytes"} {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s is missing in %q", want, err)
			}
		}
	}
	var service shiptest.Service
	dir := t.TempDir()
	s := open(t, dir, &service)
	if _, err := Open(s.cfg); err == nil || !strings.Contains(err.Error(), "another process") {
		t.Errorf("a second owner of the folder was met with %v", err)
	}
	_ = s.Close()
	if err := s.Append(launch(1)); !errors.Is(err, ErrFailed) {
		t.Errorf("append after close: %v", err)
	}
}

// A request that is broken off because its sender stops says nothing about the log service.
func TestAStopIsNoFailureOfTheLogService(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var service shiptest.Service
		said := 0
		s := open(t, t.TempDir(), &service, func(c *Config) { c.Log = func(string, error) { said++ } })
		ctx, cancel := context.WithCancel(t.Context())
		service.Fail(func(*shiptest.Service, http.ResponseWriter, *http.Request) { cancel(); panic(http.ErrAbortHandler) })
		appendAll(t, s, launch(1))
		if err := s.Run(ctx); err != nil {
			t.Fatal(err)
		}
		if st := s.Stats(); st.LastError != "" || st.Failures != 0 || said != 0 {
			t.Errorf("%d things said, stats %+v", said, st)
		}
		flush(t, s)
		if diff := cmp.Diff([]uint64{1}, positions(&service)); diff != "" {
			t.Errorf("positions (-want +got):\n%s", diff)
		}
	})
}

// Only who finds the lock taken speaks of another process.
func TestAFolderThatCannotBeUsedIsToldByItsCause(t *testing.T) {
	for name, tt := range map[string]struct {
		arrange func(t *testing.T, dir string)
		another bool
	}{
		"taken":                     {func(t *testing.T, dir string) { open(t, dir, new(shiptest.Service)) }, true},
		"the lock cannot be opened": {func(t *testing.T, dir string) { must(t, os.MkdirAll(filepath.Join(dir, lockFile), 0o700)) }, false},
		"a file is in its place":    {func(t *testing.T, dir string) { must(t, os.WriteFile(dir, nil, 0o600)) }, false},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "spool")
			tt.arrange(t, dir)
			_, err := Open(Config{Dir: dir, URL: "http://logs.test", Producer: "p", Host: "h", Boot: "b"})
			if err == nil {
				t.Fatal("opened")
			}
			if another := strings.Contains(err.Error(), "another process"); another != tt.another || another == strings.Contains(err.Error(), "may this user write") {
				t.Errorf("%v", err)
			}
		})
	}
}
