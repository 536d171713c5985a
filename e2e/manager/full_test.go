package manager

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/events"
	"golang.org/x/sys/unix"

	"gestor.local/e2e/scenario"
)

// ladderPolicy takes whatever is due down step by step.
const ladderPolicy = `version: 2
tick: 1s
surprise: 100%
rules:
  - name: step by step
    when: {expired: foreign.ttl}
    do: [throttle to 10%, {after: 10s, do: stop}, {after: 10s, do: remove}]
`

// The disk of the manager's state is filled while containers are on their way down a ladder: first until its facts find no room, then,
// in the middle of the stops, to the last byte; the manager is killed and started again there. When there is room again the ladder
// goes on where it was: no step is skipped, and none is taken twice.
func TestADiskIsFilledWhileALadderRuns(t *testing.T) {
	h := newFixture(t)
	disk := h.smallDisk()
	w := newSuiteHost(h.Suite)
	names := []string{"one", "two", "three"}
	for _, name := range names {
		w.start(name, guest{labels: map[string]string{"foreign.ttl": "1s"}, limited: true, slow: 6 * time.Second, edit: stopTimeout(60)})
	}
	w.start("stays", guest{limited: true})
	stays, ends := w.states("stays"), watchEnds(h)

	taken := &intents{h, map[string]bool{}, map[string][]string{}}

	folder := h.NewPolicyFolder(ladderPolicy)
	start := func() *scenario.Manager {
		return h.StartManager("", folder.Setting, "GESTOR_MIN_FREE=8MiB", "GESTOR_SPOOL_BYTES=1MiB")
	}
	p := start()
	for _, name := range names {
		w.awaitLimit(name+" is throttled", name, 100)
	}

	// Facts want 8 MiB, actions are carried out down to 2 MiB.
	disk.fill(5 << 20)
	scenario.Eventually(t, scenario.Soon, "facts find no room", func() error {
		if !strings.Contains(p.Output(), "There is no room for the facts in the journal") {
			return errors.New("the condition journal_short has not begun")
		}
		return nil
	})
	scenario.Eventually(t, scenario.Soon, "all are told to stop all the same", func() error {
		for id, steps := range taken.look() {
			if len(steps) < 2 {
				return fmt.Errorf("%s of %.12s", steps, id)
			}
		}
		return nil
	})

	scenario.Eventually(t, scenario.Soon, "the gate of the journal is closed", func() error {
		disk.fill(0)
		return journalIsClosed(p)
	})
	for _, name := range names {
		w.awaitExited(name)
	}
	p.WaitTicks(15) // by the clock all removals are due
	stopped := w.states()

	p.Kill()
	p = start()
	scenario.Eventually(t, scenario.Soon, "the gate of the journal is closed in the next run", func() error { return journalIsClosed(p) })
	p.WaitTicks(3)
	w.unchanged("on a full disk", stopped)

	disk.empty()
	w.awaitGone(names...)
	p.Stop()
	w.unchanged("in the end", stays)

	for _, name := range names {
		if got, want := taken.look()[w.ids[name]], []string{"throttle", "stop", "remove"}; !slices.Equal(got, want) {
			t.Errorf("%s: steps %v, want %v", name, got, want)
		}
		end, err := ends.of(h.FullName(name))
		if err != nil || end.told[events.ActionKill] != 1 || end.told[events.ActionDestroy] != 1 || end.exitCode != "0" {
			t.Errorf("%s: the engine told %+v, %v", name, end, err)
		}
	}
	if open := h.openIntents(); len(open) > 0 {
		t.Errorf("intents without an outcome: %v", open)
	}
}

func journalIsClosed(p *scenario.Manager) error {
	r, err := p.Ready()
	if err == nil && !slices.Contains(r.Gates, "journal") {
		err = fmt.Errorf("gates %v", r.Gates)
	}
	return err
}

// intents are those that the journal had when it was looked at: for want of room it gives up its older files.
type intents struct {
	suite
	seen  map[string]bool     // by action id
	steps map[string][]string // by container, in order
}

// look reads the journal. Intents that a new file repeats are the same ones, and giving a limit back is no step. A last line that is
// being written is no line yet.
func (i *intents) look() map[string][]string {
	i.Helper()
	files, err := filepath.Glob(filepath.Join(i.State, "journal", "*.ndjson"))
	if err != nil || len(files) == 0 {
		i.Fatalf("no journal in %s: %v", i.State, err)
	}

	for _, path := range files {
		text, err := os.ReadFile(path)
		if err != nil && !os.IsNotExist(err) {
			i.Fatal(err)
		}
		for line := range bytes.Lines(text) {
			var e struct {
				Intent *struct {
					ActionID        string `json:"action_id"`
					Container, Step string
				}
			}
			if !bytes.HasSuffix(line, []byte("\n")) {
				continue
			}
			if err := json.Unmarshal(line, &e); err != nil {
				i.Fatalf("%s: %v", path, err)
			}
			if in := e.Intent; in != nil && in.Step != "" && !i.seen[in.ActionID] {
				i.seen[in.ActionID] = true
				i.steps[in.Container] = append(i.steps[in.Container], in.Step)
			}
		}
	}
	return i.steps
}

// smallDisk is a disk of 24 MiB that can be filled. The suite's state is on it.
type smallDisk struct {
	suite
	filler string
}

// smallDisk mounts one where the suite's state is to be. It skips the test where that cannot be done.
func (h suite) smallDisk() *smallDisk {
	h.Helper()
	if os.Getuid() != 0 {
		h.Skip("mounting a small tmpfs needs root")
	}
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", "size=24m", "gestor-test", h.State).CombinedOutput(); err != nil {
		h.Skipf("no tmpfs can be mounted here: %v: %s", err, out)
	}

	state := h.State
	h.Cleanup(func() {
		if err := unix.Unmount(state, unix.MNT_DETACH); err != nil { // a manager that was killed may not have ended yet
			h.Errorf("clean up: %v", err)
		}
	})
	return &smallDisk{suite: h, filler: filepath.Join(state, "filler")}
}

// fill leaves so many bytes free.
func (d *smallDisk) fill(left uint64) {
	d.Helper()
	f, err := os.OpenFile(d.filler, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		d.Fatal(err)
	}
	defer f.Close()

	page := make([]byte, os.Getpagesize())
	for {
		var s unix.Statfs_t
		if err := unix.Statfs(d.State, &s); err != nil {
			d.Fatal(err)
		}
		if s.Bavail*uint64(s.Bsize) <= left { //nolint:gosec // not negative
			return
		}
		if _, err := f.Write(page); err != nil && !errors.Is(err, unix.ENOSPC) {
			d.Fatal(err)
		}
	}
}

// empty makes room again.
func (d *smallDisk) empty() {
	d.Helper()
	if err := os.Remove(d.filler); err != nil {
		d.Fatal(err)
	}
}
