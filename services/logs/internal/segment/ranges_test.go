package segment_test

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

	"gestor.local/logs/internal/segment"
)

// Ranges behaves as a set of numbers, in any order of adding and removing, and stays sorted and disjoint.
func TestRangesAreASet(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		set := map[uint64]bool{}
		var r, other segment.Ranges
		for range rapid.IntRange(0, 200).Draw(t, "steps") {
			n := rapid.Uint64Range(1, 60).Draw(t, "n")
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
		r.Merge(other)
		for n := range uint64(62) {
			if want := set[n] || other.Has(n); r.Has(n) != want {
				t.Fatalf("%d in %v: want %v", n, r, want)
			}
		}
		if !slices.IsSortedFunc(r, func(a, b segment.Range) int { return int(a[1]+1) - int(b[0]) }) {
			t.Fatalf("not sorted and apart: %v", r)
		}
	})
}
