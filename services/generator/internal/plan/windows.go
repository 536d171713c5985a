package plan

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"gestor.local/generator/internal/profile"
	"gestor.local/wal/disk"
)

// ErrWrite is wrapped by the error of a plan that could not be written to disk.
var ErrWrite = errors.New("the plan could not be kept (is the state's volume full?)")

// Windower makes a run's plan window by window, each of them written to disk before it is returned. Make a new one for each
// run and fill every field.
type Windower struct {
	Seed    uint64
	Profile profile.Profile
	Images  []profile.Image
	// Length of a window, and of the whole run; 0 is a run without end.
	Length, For time.Duration
	// Dir and Run name the files: plan-<run>-<number>.ndjson. Retain is how many of this run stay.
	Dir, Run string
	Retain   int

	made int
}

// Next makes the next window and writes it; ok is false at the end of the run.
func (w *Windower) Next() (p Plan, ok bool, err error) {
	from := time.Duration(w.made) * w.Length
	to := from + w.Length
	if w.For > 0 {
		to = min(to, w.For)
	}
	if from >= to {
		return Plan{}, false, nil
	}

	if p, err = Make(w.Seed, w.Profile, w.Images, from, to); err != nil {
		return p, false, err
	}
	w.made++

	if w.made > w.Retain {
		_ = os.Remove(w.file(w.made - w.Retain)) // one more file is no harm
	}

	// On disk before any of its starts: after a crash, the plan shows what was meant to run.
	if err := p.Save(w.file(w.made)); err != nil {
		return p, true, fmt.Errorf("%w: %w", ErrWrite, err)
	}
	return p, true, nil
}

func (w *Windower) file(number int) string {
	return filepath.Join(w.Dir, fmt.Sprintf("plan-%s-%04d.ndjson", w.Run, number))
}

// Save writes the plan to a file that is whole or not there, also after a power cut.
func (p Plan) Save(path string) error {
	err := disk.ReplaceFile(disk.OS{}, path, func(w io.Writer) error {
		_, err := p.WriteTo(w)
		return err
	})
	if err != nil {
		return fmt.Errorf("save plan: %w", err)
	}
	return nil
}

// Single is a plan that was read from a file: one window.
type Single struct {
	Plan     Plan
	returned bool
}

// Next returns the plan once.
func (s *Single) Next() (Plan, bool, error) {
	if s.returned {
		return Plan{}, false, nil
	}
	s.returned = true
	return s.Plan, true, nil
}
