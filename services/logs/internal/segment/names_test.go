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
	n := NewCache().newFilter(containers)
	for id := range containers {
		for _, length := range []int{1, 4, 11, 12, 13, 40, 64} {
			if asked := id[:min(length, len(id))]; !n.mayContain([]string{"000000000000nobody", asked}) {
				t.Errorf("%s is denied, asked for as %s", id, asked)
			}
		}
	}
	wrong := 0
	for i := range 1000 {
		if n.mayContain([]string{fmt.Sprintf("%08x%056d", i*7919+1, i)}) {
			wrong++
		}
	}
	if wrong > 5 {
		t.Errorf("%d of 1000 others are affirmed", wrong)
	}
	if !n.mayContain(nil) || !(idFilter{}).mayContain(nil) {
		t.Error("a question about no container in particular is denied")
	}
	if (idFilter{}).mayContain([]string{"71fa559c210d"}) {
		t.Error("the empty set affirms a name")
	}
}

// What all files keep of their containers is bounded, and where it is not kept nobody is denied.
func TestNamesKeepWithinBounds(t *testing.T) {
	few, many := map[string][]int32{}, map[string][]int32{}
	for i := range maxNames + 1 {
		many[fmt.Sprintf("%012x", i)] = nil
		if i < maxNames {
			few[fmt.Sprintf("%012x", i)] = nil
		}
	}
	c := NewCache()
	if n := c.newFilter(many); len(n.hashes) > 0 || !n.mayContain([]string{"000000000001"}) {
		t.Error("too many names of one file are kept or denied")
	}
	var kept []idFilter
	for range 2 * maxNamesOfAll / maxNames {
		n := c.newFilter(few)
		if !n.mayContain([]string{"000000000001"}) {
			t.Fatal("a name is denied")
		}
		kept = append(kept, n)
	}
	if c.hashes > maxNamesOfAll {
		t.Errorf("%d hashes are kept", c.hashes)
	}
	for _, n := range kept {
		c.release(n)
	}
	if c.hashes != 0 {
		t.Errorf("%d hashes are counted of none", c.hashes)
	}
}

// Indexes are kept by their bytes.
func TestCachedIndexesKeepWithinBounds(t *testing.T) {
	c := NewCache()
	for i := range 200 {
		x := newIndex()
		for j := range 1000 + i {
			x.Containers[fmt.Sprintf("%064x", j)] = []int32{0, 1}
		}
		c.add(fmt.Sprint(i), x)
	}
	total := 0
	for _, x := range c.index {
		total += x.weight()
	}
	if total != c.bytes || total > cachedBytes || len(c.index) < 10 || len(c.index) != len(c.order) {
		t.Errorf("%d bytes in %d indexes, counted %d", total, len(c.index), c.bytes)
	}
	if c.index["199"] == nil {
		t.Error("the newest is not kept")
	}
}
