package segment

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// What is gathered is the set of what was added, and two rising rows of numbers in turn take little room.
func TestGatheredNumbers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var g gathered
		want := Ranges{}
		for range rapid.IntRange(1, 5000).Draw(t, "count") {
			if n := rapid.Uint64Range(1, 1<<14).Draw(t, "n"); want.Add(n) {
				g.add(n)
			}
		}
		if got := g.sort(); !slices.Equal(got, want) {
			t.Fatalf("got %v, want %v", got, want)
		}
	})
	var g gathered
	for i := range uint64(100_000) {
		g.add(i + 1)
		g.add(1<<40 + i)
	}
	if len(g.ranges) > 2048 {
		t.Errorf("%d ranges for two rows of numbers", len(g.ranges))
	}
}
