package ship

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"testing/synctest"

	"pgregory.net/rapid"

	"gestor.local/contract"
	"gestor.local/ship/shiptest"
)

// step is one thing that happens to a producer.
type step struct {
	Action                string
	Durable, Observations int
	Fault, Times          int
}

var faults = []func(*refusals) shiptest.Fault{
	func(*refusals) shiptest.Fault { return shiptest.Status(http.StatusServiceUnavailable, "") },
	func(*refusals) shiptest.Fault { return shiptest.Status(http.StatusTooManyRequests, "2") },
	func(r *refusals) shiptest.Fault { return r.rejectContent },
	func(*refusals) shiptest.Fault { return shiptest.Foreign(http.StatusBadRequest) },
	func(*refusals) shiptest.Fault { return shiptest.NoRoom },
	func(*refusals) shiptest.Fault { return shiptest.LostAnswer },
	func(*refusals) shiptest.Fault { return shiptest.Garbage },
}

// refusals holds the positions of the launch records that were refused alone: those a producer may give up.
type refusals struct{ alone map[uint64]bool }

// rejectContent is a fault that blames the request for what is in it.
func (f *refusals) rejectContent(_ *shiptest.Service, w http.ResponseWriter, r *http.Request) {
	text, _ := io.ReadAll(r.Body)
	if position, ok := launched(text); ok && bytes.Count(text, []byte("\n")) == 1 {
		f.alone[position] = true
	}
	shiptest.Problem(w, http.StatusRequestEntityTooLarge)
}

// launched is the position in a line that is a launch record.
func launched(text []byte) (position uint64, ok bool) {
	var record contract.Record
	if json.Unmarshal(text, &record) != nil {
		return 0, false
	}
	body, ok := record.Body.(contract.LaunchBody)
	return body.Position, ok
}

func drawStep(t *rapid.T) step {
	return step{
		Action:       rapid.SampledFrom([]string{"tick", "tick", "tick", "fault", "send", "die", "volume"}).Draw(t, "action"),
		Durable:      rapid.IntRange(0, 3).Draw(t, "durable"),
		Observations: rapid.OneOf(rapid.Just(0), rapid.IntRange(0, 200)).Draw(t, "observations"),
		Fault:        rapid.IntRange(0, len(faults)-1).Draw(t, "fault"),
		Times:        rapid.SampledFrom([]int{1, 2, 10}).Draw(t, "times"), // 10 halve any batch down to one record
	}
}

// Whatever the log service does and wherever the process dies, every durable record that Append took arrives, once
// and in order; or it was refused when it was sent alone, and lies in the quarantine.
func TestEveryDurableRecordArrivesOnceOrIsQuarantined(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		steps := rapid.SliceOfN(rapid.Custom(drawStep), 1, 25).Draw(rt, "steps")
		dir, err := os.MkdirTemp(t.TempDir(), "spool")
		if err != nil {
			rt.Fatal(err)
		}
		var failure error // a bubble's goroutine must not end the property itself
		synctest.Test(t, func(t *testing.T) { failure = live(t, dir, steps) })
		if failure != nil {
			rt.Fatal(failure)
		}
	})
}

// live plays the steps and then lets the spool run dry.
func live(t *testing.T, dir string, steps []step) error {
	var service shiptest.Service
	refused := &refusals{alone: map[uint64]bool{}}
	s := open(t, dir, &service, small)
	taken, full := uint64(0), false
	for _, step := range steps {
		switch step.Action {
		case "tick":
			var records []contract.Record
			for range step.Durable {
				taken++
				records = append(records, launch(taken))
			}
			for range step.Observations {
				records = append(records, host())
			}
			if err := s.Append(records...); err != nil {
				if !full { // nothing of the call may be kept
					return err
				}
				taken -= uint64(step.Durable)
			}
		case "fault":
			for range step.Times {
				service.Fail(faults[step.Fault](refused))
			}
		case "send":
			_, _ = s.next(t.Context()) // one request, whatever becomes of it
		case "die": // nothing is closed in order; the lock goes with the process
			s.spool.close()
			s = open(t, dir, &service, small)
		case "volume": // fills up, or has room again: only the state cannot be written
			full = !full
			blockState(t, dir, full)
		}
	}
	blockState(t, dir, false)
	if err := s.Flush(t.Context()); err != nil {
		return err
	}
	_ = s.Close()
	quarantined, err := quarantined(dir)
	if err != nil {
		return err
	}
	return errors.Join(inOrderOnce(positions(&service)), everyFate(positions(&service), quarantined, refused.alone, taken))
}

// blockState makes the state unwritable, as a full volume does.
func blockState(t *testing.T, dir string, block bool) {
	t.Helper()
	path := filepath.Join(dir, stateFile+".tmp")
	if err := os.RemoveAll(path); err != nil {
		t.Error(err)
	}
	if !block {
		return
	}
	if err := os.Mkdir(path, 0o750); err != nil {
		t.Error(err)
	}
}

// quarantined is the set of positions in the quarantine.
func quarantined(dir string) (map[uint64]bool, error) {
	quarantined := map[uint64]bool{}
	text, err := os.ReadFile(filepath.Join(dir, quarantineFile))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	return quarantined, launchesIn(text, quarantined)
}

// launchesIn adds the positions that entries of a quarantine hold.
func launchesIn(text []byte, quarantined map[uint64]bool) error {
	for entry := range bytes.Lines(text) {
		var given struct{ Text string }
		if err := json.Unmarshal(entry, &given); err != nil {
			return fmt.Errorf("quarantine: %w", err)
		}
		if position, ok := launched([]byte(given.Text)); ok {
			quarantined[position] = true
		}
	}
	return nil
}

func inOrderOnce(got []uint64) error {
	for i := 1; i < len(got); i++ {
		if got[i] <= got[i-1] {
			return fmt.Errorf("position %d arrived after %d", got[i], got[i-1])
		}
	}
	return nil
}

// everyFate checks that each position arrived or was put into quarantine, and that none was put into quarantine without
// having been refused alone. Both may be true: a record whose answer was lost is sent again, and that may be refused.
func everyFate(got []uint64, quarantined, refused map[uint64]bool, taken uint64) error {
	for position := uint64(1); position <= taken; position++ {
		arrived := slices.Contains(got, position)
		if !arrived && !quarantined[position] {
			return fmt.Errorf("position %d of %d is lost: %d arrived, %d put into quarantine", position, taken, len(got), len(quarantined))
		}
		if quarantined[position] && !refused[position] {
			return fmt.Errorf("position %d was put into quarantine and never refused alone", position)
		}
	}
	return nil
}
