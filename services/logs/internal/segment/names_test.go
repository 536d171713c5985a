package segment

import (
	"fmt"
	"testing"
)

// A set of names never denies one that is there, whatever part of it is asked for, and seldom affirms another.
func TestNames(t *testing.T) {
	containers := map[string][]int32{"short": nil, "seed-12": nil}
	for i := range 1000 {
		containers[fmt.Sprintf("%08x%056d", i*7919, i)] = nil
	}
	n := namesOf(containers)
	for id := range containers {
		for _, length := range []int{1, 4, 11, 12, 13, 40, 64} {
			if asked := id[:min(length, len(id))]; !n.mayHave([]string{"000000000000nobody", asked}) {
				t.Errorf("%s is denied, asked for as %s", id, asked)
			}
		}
	}
	wrong := 0
	for i := range 1000 {
		if n.mayHave([]string{fmt.Sprintf("%08x%056d", i*7919+1, i)}) {
			wrong++
		}
	}
	if wrong > 5 {
		t.Errorf("%d of 1000 others are affirmed", wrong)
	}
	if !n.mayHave(nil) || !names(nil).mayHave(nil) {
		t.Error("a question about no container in particular is denied")
	}
	if names(nil).mayHave([]string{"71fa559c210d"}) {
		t.Error("the empty set affirms a name")
	}
}
