package journal

import (
	"bufio"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"gestor.local/contract"
)

// childDir tells the test binary that it is the writer of TestKilledWriter, and where to write.
const childDir = "GESTOR_TEST_JOURNAL"

// TestKilledWriter kills a writing process at any moment, many times over on the same journal: what it was told to be
// written is there, nothing is half there, no number is missing or given twice.
func TestKilledWriter(t *testing.T) {
	if dir := os.Getenv(childDir); dir != "" {
		writeUntilKilled(dir)
	}
	rounds := 5
	if os.Getenv("GESTOR_SOAK") == "1" {
		rounds = 300
	}
	dir := t.TempDir()
	begun, ended := map[string]bool{}, map[string]bool{} // as the writer was told
	for round := range rounds {
		killed(t, dir, round, begun, ended)
		j, r, err := Open(dir, Options{SegmentBytes: 10_000, MaxBytes: 1 << 30})
		if err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		open := map[string]bool{}
		for _, i := range r.Open {
			open[i.ActionID] = true
		}
		for id := range begun {
			if !open[id] && !ended[id] && !endedOnDisk(t, dir, id) {
				t.Errorf("round %d: intent %s was acknowledged and is lost", round, id)
			}
			if open[id] && ended[id] {
				t.Errorf("round %d: the outcome of %s was acknowledged and is lost", round, id)
			}
		}
		for _, i := range r.Open { // closed, so that the next round begins with none
			wrote(t)(j.Outcome(Outcome{ActionID: i.ActionID, Outcome: contract.OutcomeDone, Recovered: true}))
			ended[i.ActionID] = true
		}
		must(t, j.Close())
	}
	if len(begun) < rounds {
		t.Errorf("only %d intents in %d rounds", len(begun), rounds)
	}
	dense(t, dir)
}

// killed lets a writer run for a moment, kills it and notes what it was told.
func killed(t *testing.T, dir string, round int, begun, ended map[string]bool) {
	t.Helper()
	child := exec.Command(os.Args[0], "-test.run=^TestKilledWriter$")
	child.Env = append(os.Environ(), childDir+"="+dir, fmt.Sprintf("GESTOR_TEST_ROUND=%d", round))
	out, err := child.StdoutPipe()
	must(t, err)
	must(t, child.Start())
	lines := bufio.NewScanner(out)
	for n, stop := 0, 1+rand.IntN(60); lines.Scan(); n++ {
		verb, id, _ := strings.Cut(lines.Text(), " ")
		switch verb {
		case "begun":
			begun[id] = true
		case "ended":
			ended[id] = true
		case "failed":
			t.Errorf("round %d: %s", round, id)
		}
		if n == stop {
			time.Sleep(time.Duration(rand.IntN(2000)) * time.Microsecond) // into the middle of a write
			must(t, child.Process.Kill())
		}
	}
	var exit *exec.ExitError
	if err := child.Wait(); !errors.As(err, &exit) {
		t.Fatalf("the writer ended by itself: %v", err)
	}
}

// writeUntilKilled is the child. It prints what the journal acknowledged.
func writeUntilKilled(dir string) {
	j, _, err := Open(dir, Options{SegmentBytes: 10_000, MaxBytes: 1 << 30})
	for n := 0; err == nil; n++ {
		id := fmt.Sprintf("%s-%d", os.Getenv("GESTOR_TEST_ROUND"), n)
		if _, err = j.Intent(intent(id, "c")); err == nil {
			fmt.Println("begun", id)
		}
		if err == nil && n%2 == 0 {
			if _, err = j.Outcome(Outcome{ActionID: id, Outcome: contract.OutcomeDone}); err == nil {
				fmt.Println("ended", id)
			}
		}
	}
	fmt.Println("failed", err)
	os.Exit(1)
}

// endedOnDisk finds an outcome that was written but not acknowledged any more.
func endedOnDisk(t *testing.T, dir, id string) (found bool) {
	_, err := Scan(dir, func(e Entry) error {
		found = found || e.Outcome != nil && e.Outcome.ActionID == id
		return nil
	})
	must(t, err)
	return found
}

// dense checks that the numbers of all entries rise by one, carried ones included.
func dense(t *testing.T, dir string) {
	t.Helper()
	var last uint64
	stats, err := Scan(dir, func(e Entry) error {
		if e.Seq != last+1 {
			t.Errorf("entry %d follows entry %d", e.Seq, last)
		}
		last = e.Seq
		return nil
	})
	must(t, err)
	if stats.BadLines != 0 || stats.TornBytes != 0 {
		t.Errorf("%+v", stats)
	}
}
