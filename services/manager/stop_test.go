package main

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"gestor.local/contract"
	"gestor.local/manager/internal/engine/enginetest"
	"gestor.local/manager/internal/govern"
	"gestor.local/manager/internal/journal"
	"gestor.local/manager/internal/source"
	"gestor.local/program/cli"
	"gestor.local/ship"
)

// failedJournal is one whose disk failed for good.
type failedJournal struct{}

func (failedJournal) Check() error { return journal.ErrFailed }
func (failedJournal) Tick(contract.Policy, journal.Tick, contract.Plan) (uint64, error) {
	return 0, journal.ErrFailed
}
func (failedJournal) NoPlan(journal.NoPlan) error                { return journal.ErrFailed }
func (failedJournal) Intent(...journal.Intent) (uint64, error)   { return 0, journal.ErrFailed }
func (failedJournal) Outcome(...journal.Outcome) (uint64, error) { return 0, journal.ErrFailed }
func (failedJournal) Size() int64                                { return 0 }
func (failedJournal) Decide(journal.Decision) (uint64, error)    { return 0, journal.ErrFailed }
func (failedJournal) Approve(json.RawMessage) error              { return journal.ErrFailed }
func (failedJournal) Short() bool                                { return false }

// shut is a reader that sees nothing.
type shut struct{}

func (shut) Read(context.Context) (source.Reading, error) {
	return source.Reading{}, errors.New("nothing to be seen")
}

func TestAFailedJournalEndsTheRunAsStorage(t *testing.T) {
	spool, err := ship.Open(ship.Config{
		Dir: t.TempDir(), URL: "http://127.0.0.1:1", Producer: contract.ProducerManager, Host: "h", Boot: "b", MaxBytes: ship.MinMaxBytes,
		Log: func(string, error) {},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer spool.Close()
	kept, _, err := journal.Open(t.TempDir(), journal.Options{Version: journal.Version})
	if err != nil {
		t.Fatal(err)
	}
	defer kept.Close()
	open := journal.Intent{ActionID: "1", Subject: contract.Subject{Container: strings.Repeat("a", 64)}, Action: contract.ActionThrottle, Undo: &journal.Undo{}}
	governor := govern.New(govern.Options{
		Policy: contract.DefaultPolicy(), Reader: shut{}, Engine: enginetest.New(), Journal: failedJournal{}, Spool: spool,
		Recovered: journal.Recovery{Open: []journal.Intent{open}}, Boottime: boottime, Log: zerolog.Nop(),
	})
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{ReadHeaderTimeout: time.Second}
	err = runActors(context.Background(), zerolog.Nop(), &components{spool: spool, journal: kept}, governor, server, listener, nil)
	if code := cli.ExitCode(err); code != exitStorage || !errors.Is(err, journal.ErrFailed) {
		t.Errorf("code %d (%v), want %d", code, err, exitStorage)
	}
}

// startsHere tells the test binary that it is the manager of TestASignalToReloadDoesNotEndTheStart.
const startsHere = "MANAGER_TEST_STARTS"

// TestASignalToReloadDoesNotEndTheStart sends SIGHUP to a manager that waits for the log service, and then stops it.
func TestASignalToReloadDoesNotEndTheStart(t *testing.T) {
	if os.Getenv(startsHere) != "" {
		os.Args = os.Args[:1] // the others are those of a test
		main()
	}
	clearEnv(t)
	asked := make(chan struct{}, 100)
	logs := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == contract.PathReady {
			asked <- struct{}{}
			<-r.Context().Done() // one that answers is not waited for
		}
		w.WriteHeader(http.StatusServiceUnavailable)
	}))
	defer logs.Close()
	out := &output{}
	child := startManager(t, out, map[string]string{
		"GESTOR_ENGINE": newDaemon(t), "GESTOR_LOGS_URL": logs.URL, "GESTOR_LOGS_WAIT": "1m", "GESTOR_FLUSH": "1ms",
		"GESTOR_STATE": t.TempDir(), "GESTOR_OPS": freeAddress(t), "GESTOR_SOURCE": "procfs", "GESTOR_SUITE": "s",
	})
	select {
	case <-asked:
	case <-time.After(time.Minute):
		t.Fatalf("the manager does not ask for the log service: %s", out.String())
	}
	for _, s := range []os.Signal{syscall.SIGHUP, syscall.SIGTERM} {
		if err := child.Process.Signal(s); err != nil {
			t.Fatal(err)
		}
		time.Sleep(200 * time.Millisecond) // the second must not overtake the first
	}
	if err := child.Wait(); err != nil {
		t.Errorf("the manager ended with %v: %s", err, out.String())
	}
}

// The full host is the one that has to be governed: what its log service lacks is no reason to wait, and the health check
// would end the start before.
func TestALogServiceThatAnswersIsNotWaitedFor(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	asked := 0
	logs := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if asked++; asked > 1 {
			cancel()
		}
		w.WriteHeader(http.StatusServiceUnavailable)
	}))
	defer logs.Close()

	p := components{cfg: config{LogsURL: logs.URL, LogsWait: time.Hour}, log: zerolog.Nop()}
	p.awaitLogs(ctx)
	if asked != 1 {
		t.Errorf("it asked %d times", asked)
	}
}

// startManager runs this test binary as a manager.
func startManager(t *testing.T, out *output, env map[string]string) *exec.Cmd {
	t.Helper()
	child := exec.Command(os.Args[0], "-test.run=^TestASignalToReloadDoesNotEndTheStart$")
	child.Env = append(os.Environ(), startsHere+"=1")
	for name, value := range env {
		child.Env = append(child.Env, name+"="+value)
	}
	child.Stdout, child.Stderr = out, out
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = child.Process.Kill() }) // it has ended unless the test failed
	return child
}
