package segment_test

import (
	"math"
	"testing"

	"pgregory.net/rapid"

	"gestor.local/logs/internal/segment"
)

// Ranges behaves as a set of numbers, in any order of adding and removing, and stays sorted and disjoint.
func TestRangesAreASet(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		set := map[uint64]bool{}
		low := rapid.SampledFrom([]uint64{1, math.MaxUint64 - 59}).Draw(t, "low") // at both ends of what a number may be
		var r, other segment.Ranges
		for range rapid.IntRange(0, 200).Draw(t, "steps") {
			n := low + rapid.Uint64Range(0, 59).Draw(t, "n")
			switch rapid.IntRange(0, 4).Draw(t, "op") {
			case 0:
				r.Remove(n)
				delete(set, n)
			case 1:
				other.Add(n)
			default:
				if r.Add(n) == set[n] {
					t.Fatalf("add %d to %v", n, r)
				}
				set[n] = true
			}
		}
		r = append(r, other...)
		r.Sort()
		for i := range uint64(60) {
			n := low + i
			if want := set[n] || other.Has(n); r.Has(n) != want {
				t.Fatalf("%d in %v: want %v", n, r, want)
			}
		}
		for i := range r {
			if r[i][1] < r[i][0] || i > 0 && r[i][0]-1 <= r[i-1][1] {
				t.Fatalf("not sorted and apart: %v", r)
			}
		}
	})
}
