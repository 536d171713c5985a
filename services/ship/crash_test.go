package ship

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strconv"
	"testing"
	"time"

	"gestor.local/contract"
	"gestor.local/ship/shiptest"
)

// Environment of the process that is killed.
const (
	crashDir  = "SHIP_TEST_CRASH_DIR"
	crashURL  = "SHIP_TEST_CRASH_URL"
	crashFrom = "SHIP_TEST_CRASH_FROM"
)

// TestMain lets the test's own program be the producer that is killed.
func TestMain(m *testing.M) {
	if os.Getenv(crashDir) != "" {
		fmt.Fprintln(os.Stderr, produce())
		os.Exit(1)
	}
	os.Setenv("NO_PROXY", "")
	os.Setenv("HTTP_PROXY", "http://127.0.0.1:1") // nobody listens there; read once, by the first request of the process
	os.Exit(m.Run())
}

// produce appends records without end and prints the position of each that Append took.
func produce() error {
	position, err := strconv.ParseUint(os.Getenv(crashFrom), 10, 64)
	if err != nil {
		return err
	}
	s, err := Open(Config{
		Dir: os.Getenv(crashDir), URL: os.Getenv(crashURL), Producer: contract.ProducerManager, Host: "h", Boot: "b", MaxBytes: MinMaxBytes,
	})
	if err != nil {
		return err
	}
	go func() { _ = s.Run(context.Background()) }()
	for {
		if err := s.Append(host(), launch(position), host()); err != nil {
			continue // full: the log service is slow, and what was not taken is not promised
		}
		fmt.Println(position)
		position++
	}
}

// kill starts a producer, kills it at a random moment and returns the last position it was promised.
func kill(t *testing.T, dir, url string, from uint64) (last uint64) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), crashDir+"="+dir, crashURL+"="+url, crashFrom+"="+strconv.FormatUint(from, 10))
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	last = from - 1
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if last == from-1 { // it is at work: the moment of its death is random from here on
			time.AfterFunc(rand.N(150*time.Millisecond), func() { _ = cmd.Process.Kill() })
		}
		if n, err := strconv.ParseUint(lines.Text(), 10, 64); err == nil {
			last = n
		}
	}
	_ = cmd.Wait() // killed
	return last
}

// A process that is killed with SIGKILL, again and again, under a log service that misbehaves: every record whose
// Append returned arrives exactly once.
func TestKilledProducersLoseNothing(t *testing.T) {
	rounds := 4
	if os.Getenv("GESTOR_SOAK") == "1" {
		rounds = 200
	}
	var service shiptest.Service
	server := httptest.NewServer(&service)
	defer server.Close()
	dir := t.TempDir()
	promised := map[uint64]bool{}
	next := uint64(1)
	for range rounds {
		service.Fail(shiptest.LostAnswer, shiptest.Status(http.StatusServiceUnavailable, ""))
		last := kill(t, dir, server.URL, next)
		for ; next <= last; next++ {
			promised[next] = true
		}
		next++ // one more may have been kept without a word
	}
	s := open(t, dir, &service)
	flush(t, s)
	arrived := map[uint64]int{}
	for _, position := range positions(&service) {
		arrived[position]++
	}
	for position := range promised {
		if arrived[position] != 1 {
			t.Errorf("position %d arrived %d times", position, arrived[position])
		}
	}
	for position, n := range arrived {
		if n > 1 {
			t.Errorf("position %d arrived %d times", position, n)
		}
	}
	if len(promised) < rounds {
		t.Errorf("only %d records in %d rounds: nothing was tested", len(promised), rounds)
	}
	t.Logf("%d records promised in %d lives, %d requests", len(promised), rounds, service.Requests())
}
