package ship

import (
	"fmt"
	"net/http"
	"os"
	"testing"
	"testing/synctest"

	"pgregory.net/rapid"

	"gestor.local/contract"
	"gestor.local/ship/shiptest"
)

// step is one thing that happens to a producer.
type step struct {
	Action                 string
	Precious, Observations int
	Fault                  int
}

var faults = []shiptest.Fault{
	shiptest.Status(http.StatusServiceUnavailable, ""),
	shiptest.Status(http.StatusTooManyRequests, "2"),
	shiptest.Status(http.StatusRequestEntityTooLarge, ""),
	shiptest.LostAnswer,
	shiptest.Garbage,
}

func drawStep(t *rapid.T) step {
	return step{
		Action:       rapid.SampledFrom([]string{"tick", "tick", "tick", "fault", "send", "die"}).Draw(t, "action"),
		Precious:     rapid.IntRange(0, 3).Draw(t, "precious"),
		Observations: rapid.IntRange(0, 200).Draw(t, "observations"),
		Fault:        rapid.IntRange(0, len(faults)-1).Draw(t, "fault"),
	}
}

// Whatever the log service does and wherever the process dies, every precious record that Append took arrives exactly
// once and in order, and no observation arrives twice.
func TestEveryPreciousRecordArrivesExactlyOnce(t *testing.T) {
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
	s := open(t, dir, &service, small)
	taken := uint64(0)
	for _, step := range steps {
		switch step.Action {
		case "tick":
			var records []contract.Record
			for range step.Precious {
				taken++
				records = append(records, launch(taken))
			}
			for range step.Observations {
				records = append(records, host())
			}
			if err := s.Append(records...); err != nil {
				return err
			}
		case "fault":
			service.Fail(faults[step.Fault])
		case "send":
			_, _ = s.next(t.Context()) // one request, whatever becomes of it
		case "die": // nothing is closed in order; the lock goes with the process
			s.spool.close()
			s = open(t, dir, &service, small)
		}
	}
	if err := s.Flush(t.Context()); err != nil {
		return err
	}
	_ = s.Close()
	return inOrderOnce(positions(&service), taken)
}

func inOrderOnce(got []uint64, taken uint64) error {
	if uint64(len(got)) != taken {
		return fmt.Errorf("%d precious records arrived of %d", len(got), taken)
	}
	for i, position := range got {
		if position != uint64(i+1) {
			return fmt.Errorf("position %d arrived in place %d", position, i+1)
		}
	}
	return nil
}
