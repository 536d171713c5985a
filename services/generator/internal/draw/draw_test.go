package draw

import (
	"math"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// The words were computed with sha256sum, outside this program.
func TestWordsAreThoseOfTheDocumentedAlgorithm(t *testing.T) {
	s := At(7, "image", 1)
	if got, want := []uint64{s.Uint64(), s.Uint64()}, []uint64{0xa4a2c59d4c6cdd7e, 0xf4e52ccd10c82994}; !slices.Equal(got, want) {
		t.Errorf("words %#x, want %#x", got, want)
	}
}

func TestChoicesStandAlone(t *testing.T) {
	words := map[uint64]bool{}
	for _, seed := range []uint64{0, 1, math.MaxUint64} {
		for _, dimension := range []string{"image", "imag", "e"} {
			for position := range uint64(100) {
				words[At(seed, dimension, position).Uint64()] = true
			}
		}
	}
	if len(words) != 900 {
		t.Errorf("%d different first words of 900", len(words))
	}
}

func TestBelowIsEven(t *testing.T) {
	const n, draws = 7, 70_000
	var counts [n]int
	s := At(1, "test", 1)
	for range draws {
		counts[s.Below(n)]++
	}
	// Chi-squared with 6 degrees of freedom is under 22.5 in 999 of 1000 cases; the seed is fixed.
	chi := 0.0
	for _, c := range counts {
		d := float64(c) - draws/n
		chi += d * d / (draws / n)
	}
	if chi > 22.5 {
		t.Errorf("chi-squared %.1f for %v", chi, counts)
	}
}

func TestBoundsHold(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := At(rapid.Uint64().Draw(t, "seed"), "test", 1)
		n := rapid.Uint64Min(1).Draw(t, "n")
		if got := s.Below(n); got >= n {
			t.Fatalf("Below(%d) = %d", n, got)
		}
		low := time.Duration(rapid.Int64Range(0, 1e15).Draw(t, "low"))
		high := low + time.Duration(rapid.Int64Range(0, 1e15).Draw(t, "more"))
		if got := s.Between(low, high); got < low.Truncate(time.Microsecond) || got > high {
			t.Fatalf("Between(%s, %s) = %s", low, high, got)
		}
		weights := rapid.SliceOfN(rapid.Uint64Range(0, 1e6), 1, 8).Draw(t, "weights")
		weights = append(weights, 1)
		if i := s.Weighted(weights); weights[i] == 0 {
			t.Fatalf("Weighted(%v) = %d, which has no weight", weights, i)
		}
	})
}

func TestLog2AgreesWithFloatingPoint(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		word := rapid.Uint64Min(1).Draw(t, "word")
		got := float64(log2(word)) / (1 << 32)
		if want := math.Log2(float64(word)); math.Abs(got-want) > 1e-8 {
			t.Fatalf("log2(%d) = %.12f, want %.12f", word, got, want)
		}
	})
}

func TestExponentialHasItsMeanAndTail(t *testing.T) {
	const draws = 50_000
	mean := 3 * time.Second
	s := At(2, "test", 1)
	sum, over := time.Duration(0), 0
	for range draws {
		d := s.Exponential(mean)
		if d < 0 {
			t.Fatalf("negative duration %s", d)
		}
		sum += d
		if d > 2*mean {
			over++
		}
	}
	// The mean of n draws spreads by mean/sqrt(n); five times that is never seen by chance.
	if got := sum / draws; (got - mean).Abs() > mean*5/223 {
		t.Errorf("mean %s, want %s", got, mean)
	}
	want := math.Exp(-2) * draws
	if math.Abs(float64(over)-want) > 5*math.Sqrt(want) {
		t.Errorf("%d of %d draws over twice the mean, want about %.0f", over, draws, want)
	}
}
