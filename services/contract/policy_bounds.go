package contract

import (
	"fmt"
	"slices"
	"strings"
)

// hint appends a problem with a way out of it.
func (p *Problems) hint(where, what, hint string) {
	*p = append(*p, Problem{Where: where, What: what, Hint: hint})
}

func oneOf[T ~string](out *Problems, where string, got T, allowed ...T) {
	if slices.Contains(allowed, got) {
		return
	}
	words := make([]string, len(allowed))
	for i, a := range allowed {
		words[i] = string(a)
	}
	out.hint(where, fmt.Sprintf("%q is not known", string(got)), "one of: "+strings.Join(words, ", "))
}

func within[T int | ~int64](out *Problems, where string, got, low, high T) {
	if got < low || got > high {
		out.hint(where, fmt.Sprintf("%v is out of range", got), fmt.Sprintf("from %v to %v", low, high))
	}
}

func atLeast[T int | uint64](out *Problems, where string, got, low T, unit string) {
	if got < low {
		out.hint(where, fmt.Sprintf("must be at least %d", low), unit)
	}
}
