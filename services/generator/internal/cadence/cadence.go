// Package cadence computes when containers are started: arrival processes as pure functions of a specification and a seed.
// All arithmetic is on whole microseconds.
package cadence

import (
	"fmt"
	"iter"
	"math/big"
	"slices"
	"time"

	"gestor.local/contract"
	"gestor.local/generator/internal/draw"
)

// Kind is an arrival process.
type Kind string

// Arrival processes. All begin with a start at offset 0, except Poisson, whose first gap is drawn like the others.
const (
	Batches Kind = "batches" // Count together, each Every
	Rate    Kind = "rate"    // Count in each Every, evenly spaced
	Poisson Kind = "poisson" // Count in each Every on average, exponential gaps
	Ramp    Kind = "ramp"    // the rate goes evenly from Count to To in each Every during Over, and stays there
)

// Kinds lists every kind.
func Kinds() []Kind { return []Kind{Batches, Rate, Poisson, Ramp} }

// Limits of a specification. They keep the arithmetic in range and a plan in memory.
const (
	MaxCount = 10_000
	MinEvery = time.Second
	MaxEvery = 24 * time.Hour
	MaxOver  = 30 * 24 * time.Hour
)

// Spec is an arrival process with its figures.
type Spec struct {
	Kind  Kind   `json:"kind" yaml:"kind"`
	Count uint64 `json:"count" yaml:"count"`
	Every Span   `json:"every" yaml:"every"`
	To    uint64 `json:"to,omitempty" yaml:"to"`
	Over  Span   `json:"over,omitzero" yaml:"over"`
}

// Span is a duration that is written as Go writes it: 30s, 1m30s.
type Span time.Duration

// MarshalText implements encoding.TextMarshaler.
func (s Span) MarshalText() ([]byte, error) { return []byte(time.Duration(s).String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (s *Span) UnmarshalText(text []byte) error {
	d, err := time.ParseDuration(string(text))
	*s = Span(d)
	return err
}

// Validate adds everything that is wrong with the specification; where is its path.
func (s Spec) Validate(where string, p *contract.Problems) {
	if !slices.Contains(Kinds(), s.Kind) {
		p.Add(where+".kind", fmt.Sprintf("%q is none of %v", s.Kind, Kinds()))
		return
	}

	if s.Count > MaxCount || s.Count == 0 && s.Kind != Ramp {
		p.Add(where+".count", fmt.Sprintf("%d is not from 1 to %d", s.Count, MaxCount))
	}
	s.Every.validate(where+".every", MaxEvery, p)

	if s.Kind != Ramp {
		if s.To != 0 || s.Over != 0 {
			p.Add(where, "to and over belong to a ramp only")
		}
		return
	}

	if s.To > MaxCount || s.To+s.Count == 0 {
		p.Add(where+".to", fmt.Sprintf("%d is over %d, or nothing ever starts", s.To, MaxCount))
	}
	s.Over.validate(where+".over", MaxOver, p)
}

func (s Span) validate(where string, longest time.Duration, p *contract.Problems) {
	if d := time.Duration(s); d < MinEvery || d > longest || d%time.Microsecond != 0 {
		p.Add(where, fmt.Sprintf("%s is not from %s to %s in whole microseconds", d, MinEvery, longest))
	}
}

// Offsets yields the offset of each start from the beginning of the run, never decreasing. The sequence has an end
// only for a ramp that goes down to 0. The specification must be valid.
func (s Spec) Offsets(seed uint64) iter.Seq[time.Duration] {
	every := time.Duration(s.Every).Microseconds()

	// Multiplied before they are divided: no rounding adds up.
	switch s.Kind {
	case Poisson:
		return poisson(seed, time.Duration(s.Every)/time.Duration(s.Count))
	case Ramp:
		return ramp(int64(s.Count), int64(s.To), every, time.Duration(s.Over).Microseconds())
	case Batches:
		return spaced(func(i int64) int64 { return i / int64(s.Count) * every })
	default:
		return spaced(func(i int64) int64 { return i * every / int64(s.Count) })
	}
}

// spaced yields at(0), at(1) … microseconds.
func spaced(at func(i int64) int64) iter.Seq[time.Duration] {
	return func(yield func(time.Duration) bool) {
		for i := int64(0); yield(time.Duration(at(i)) * time.Microsecond); i++ {
		}
	}
}

func poisson(seed uint64, mean time.Duration) iter.Seq[time.Duration] {
	return func(yield func(time.Duration) bool) {
		at := time.Duration(0)
		for position := uint64(1); ; position++ {
			at += draw.At(seed, "arrival", position).Exponential(mean)
			if !yield(at.Truncate(time.Microsecond)) {
				return
			}
		}
	}
}

// ramp yields, for i from 0, the first microsecond at which i starts are due. With rates a and b in each e
// microseconds and the ramp's length l, the number due at t is (a·t + (b-a)·t²/2l)/e up to l, and grows by b/e after it.
// Multiplied by 2·l·e all of it is whole numbers, of up to 90 bits.
func ramp(a, b, e, l int64) iter.Seq[time.Duration] {
	due := func(t int64) *big.Int {
		linear := new(big.Int).Mul(big.NewInt(2*a), new(big.Int).Mul(big.NewInt(l), big.NewInt(t)))
		square := new(big.Int).Mul(big.NewInt(b-a), new(big.Int).Mul(big.NewInt(t), big.NewInt(t)))
		return linear.Add(linear, square)
	}

	unit := new(big.Int).Mul(big.NewInt(2*l), big.NewInt(e))
	atEnd := due(l)

	return func(yield func(time.Duration) bool) {
		target, from := new(big.Int), int64(0)
		for ; ; target.Add(target, unit) {
			if target.Cmp(atEnd) <= 0 {
				from = firstDue(due, target, from, l)
			} else if b == 0 {
				return
			} else {
				rest := new(big.Int).Sub(target, atEnd)
				perMicrosecond := new(big.Int).Mul(big.NewInt(2*l), big.NewInt(b))
				rest.Add(rest, perMicrosecond).Sub(rest, big.NewInt(1)).Div(rest, perMicrosecond) // rounded up
				from = l + rest.Int64()
			}

			if !yield(time.Duration(from) * time.Microsecond) {
				return
			}
		}
	}
}

// firstDue is the smallest t from low to high with due(t) not under target; due must not decrease.
func firstDue(due func(int64) *big.Int, target *big.Int, low, high int64) int64 {
	for low < high {
		if middle := low + (high-low)/2; due(middle).Cmp(target) >= 0 {
			high = middle
		} else {
			low = middle + 1
		}
	}
	return low
}
