// Package plan makes, writes and reads churn plans: which container is started when, decided before the first start.
// Making a plan is pure; the same seed, profile, images and window give the same bytes everywhere.
package plan

import (
	"errors"
	"fmt"
	"time"

	"gestor.local/contract"
	"gestor.local/generator/internal/draw"
	"gestor.local/generator/internal/profile"
)

// Version is the version of the plan document and of the way it is made; it changes when the same inputs would give
// other bytes.
const Version = 1

// MaxStarts bounds one plan: its file stays under 64 MiB.
const MaxStarts = 250_000

// Plan is a header and its starts in order of position.
type Plan struct {
	Header Header
	Starts []Start
}

// Header is the first line of a plan's file.
type Header struct {
	Version   int    `json:"gestor_plan"`
	Algorithm string `json:"algorithm"`
	// Seed is written in quotes: 64 bits are more than a JSON reader keeps.
	Seed    uint64          `json:"seed,string"`
	Profile profile.Profile `json:"profile"`
	Images  []profile.Image `json:"images"`
	// The window [FromUS, ToUS) of offsets from the beginning of the run.
	FromUS int64 `json:"from_us"`
	ToUS   int64 `json:"to_us"`
	Starts int   `json:"starts"`
	// SHA256 is over the whole file with this field empty.
	SHA256 string `json:"sha256"`
}

// Start is one line of a plan's file: one container.
type Start struct {
	Position uint64         `json:"position"` // from 1, over the whole run
	OffsetUS int64          `json:"offset_us"`
	Image    string         `json:"image"`
	Class    contract.Class `json:"class"`
	// Name is unique within the run; the run's id makes it unique on the host.
	Name   string `json:"name"`
	Memory string `json:"memory"`
	CPUs   string `json:"cpus"`
	PIDs   int    `json:"pids"`
	// LifetimeS is in seconds, 0 for ever.
	LifetimeS int64 `json:"lifetime_s"`
}

// Offset is the planned time from the beginning of the run.
func (s Start) Offset() time.Duration { return time.Duration(s.OffsetUS) * time.Microsecond }

// End is the end of the plan's window as an offset from the beginning of the run.
func (p Plan) End() time.Duration { return time.Duration(p.Header.ToUS) * time.Microsecond }

// ErrTooLong is wrapped by the error of a window with more than MaxStarts.
var ErrTooLong = errors.New("the window holds too many starts")

// Make plans the window [from, to) of a run: a longer run's plan is the plans of its windows one after the other. The
// profile must be valid for the images.
func Make(seed uint64, p profile.Profile, images []profile.Image, from, to time.Duration) (Plan, error) {
	made := Plan{Header: Header{
		Version: Version, Algorithm: draw.Algorithm, Seed: seed, Profile: p, Images: images,
		FromUS: from.Microseconds(), ToUS: to.Microseconds(),
	}}

	position := uint64(0)
	for offset := range p.Arrivals.Offsets(seed) {
		if offset >= to {
			break
		}
		position++
		if offset < from { // positions count from the beginning of the run
			continue
		}

		if len(made.Starts) == MaxStarts {
			return made, fmt.Errorf("make plan: %w: more than %d from %s to %s (plan a shorter time)", ErrTooLong, MaxStarts, from, to)
		}
		made.Starts = append(made.Starts, start(seed, position, offset, p, images))
	}

	made.Header.Starts = len(made.Starts)
	made.Header.SHA256 = made.hash()
	return made, nil
}

func start(seed, position uint64, offset time.Duration, p profile.Profile, images []profile.Image) Start {
	image, lifetime := p.Choose(seed, position, images)
	return Start{
		Position: position, OffsetUS: offset.Microseconds(),
		Image: image.Name, Class: image.Class,
		// 40 random bits beside the position: unique for certain, and no two seeds share their names.
		Name:   fmt.Sprintf("%s-%d-%010x", image.Name, position, draw.At(seed, "name", position).Uint64()>>24),
		Memory: image.Memory, CPUs: image.CPUs, PIDs: image.PIDs,
		LifetimeS: int64(lifetime / time.Second),
	}
}
