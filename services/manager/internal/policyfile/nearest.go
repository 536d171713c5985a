package policyfile

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// nearest says which key was probably meant, or all of them when none is near.
func nearest(key string, fields map[string]int) string {
	best, distance := "", 1+allowed(len(key))
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		if n := edits(strings.ToLower(key), name); n < distance {
			best, distance = name, n
		}
	}
	if best == "" {
		return "one of: " + strings.Join(slices.Sorted(maps.Keys(fields)), ", ")
	}
	return fmt.Sprintf("did you mean %s?", best)
}

// allowed is how many letters may be wrong before a word is another one: two letters that changed places count twice.
func allowed(length int) int {
	if length <= 3 {
		return 1
	}
	return max(2, length/3)
}

// edits is the Levenshtein distance in bytes: insertions, deletions and substitutions that turn a into b.
func edits(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			substitute := diagonal
			if a[i] != b[j] {
				substitute++
			}
			diagonal = row[j+1]
			row[j+1] = min(substitute, row[j]+1, diagonal+1)
		}
	}
	return row[len(b)]
}
