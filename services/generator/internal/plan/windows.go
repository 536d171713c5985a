package plan

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"gestor.local/generator/internal/profile"
)

// ErrKeep is wrapped by the error of a plan that could not be written to disk.
var ErrKeep = errors.New("the plan could not be kept (is the state's volume full?)")

// Maker gives a run's plan window by window, each of them written to disk before it is given. Make a new one for each
// run and fill every field.
type Maker struct {
	Seed    uint64
	Profile profile.Profile
	Images  []profile.Image
	// Length of a window, and of the whole run; 0 is a run without end.
	Length, For time.Duration
	// Dir and Run name the files: plan-<run>-<number>.ndjson. Keep is how many of this run stay.
	Dir, Run string
	Keep     int

	made int
}

// Next makes and keeps the next window; ok is false at the end of the run.
func (m *Maker) Next() (p Plan, ok bool, err error) {
	from := time.Duration(m.made) * m.Length
	to := from + m.Length
	if m.For > 0 {
		to = min(to, m.For)
	}
	if from >= to {
		return Plan{}, false, nil
	}
	if p, err = Make(m.Seed, m.Profile, m.Images, from, to); err != nil {
		return p, false, err
	}
	m.made++
	if m.made > m.Keep {
		_ = os.Remove(m.file(m.made - m.Keep)) // one more file is no harm
	}
	if err := p.Save(m.file(m.made)); err != nil {
		return p, true, fmt.Errorf("%w: %w", ErrKeep, err)
	}
	return p, true, nil
}

func (m *Maker) file(number int) string {
	return filepath.Join(m.Dir, fmt.Sprintf("plan-%s-%04d.ndjson", m.Run, number))
}

// Save writes the plan to a file that is whole or not there, also after a power cut.
func (p Plan) Save(path string) error {
	f, err := os.Create(path + ".tmp")
	if err != nil {
		return fmt.Errorf("save plan: %w", err)
	}
	if _, err = p.WriteTo(f); err == nil {
		err = f.Sync()
	}
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err == nil {
		err = os.Rename(path+".tmp", path)
	}
	if err != nil {
		return fmt.Errorf("save plan: %w", err)
	}
	return nil
}

// Whole is a plan that was read from a file: one window.
type Whole struct {
	Plan  Plan
	given bool
}

// Next gives the plan once.
func (w *Whole) Next() (Plan, bool, error) {
	if w.given {
		return Plan{}, false, nil
	}
	w.given = true
	return w.Plan, true, nil
}
