package segment

import (
	"cmp"
	"slices"
)

// Range is a closed range of producer sequence numbers, which begin at 1. As JSON it is [first, last].
type Range [2]uint64

// Ranges is a sorted set of numbers: what one producer has sent. A producer that never lost anything is one range.
type Ranges []Range

// Find returns the place of the first range that ends at n or later.
func (r Ranges) Find(n uint64) int {
	i, _ := slices.BinarySearchFunc(r, n, func(x Range, n uint64) int { return cmp.Compare(x[1], n) })
	return i
}

// Has says whether n is in the set.
func (r Ranges) Has(n uint64) bool {
	i := r.Find(n)
	return i < len(r) && r[i][0] <= n
}

// Joins says that n is in the range at place i, which Find gave, or beside it or the one before: Add makes no further range.
func (r Ranges) Joins(i int, n uint64) bool {
	return i < len(r) && r[i][0]-1 <= n || i > 0 && r[i-1][1] == n-1
}

// Add puts n into the set; false when it is there already.
func (r *Ranges) Add(n uint64) bool {
	s := *r
	if last := len(s) - 1; last >= 0 && s[last][1]+1 == n { // the usual case: the next one
		s[last][1] = n
		return true
	}

	i := s.Find(n)
	if i < len(s) && s[i][0] <= n {
		return false
	}

	touchesNext := i < len(s) && s[i][0] == n+1
	touchesPrevious := i > 0 && s[i-1][1] == n-1
	switch {
	case touchesNext && touchesPrevious:
		s[i-1][1] = s[i][1]
		*r = slices.Delete(s, i, i+1)
	case touchesNext:
		s[i][0] = n
	case touchesPrevious:
		s[i-1][1] = n
	default:
		*r = slices.Insert(s, i, Range{n, n})
	}
	return true
}

// Remove takes n out of the set.
func (r *Ranges) Remove(n uint64) {
	s := *r
	i := s.Find(n)
	if i == len(s) || s[i][0] > n {
		return
	}

	switch x := s[i]; {
	case x[0] == n && x[1] == n:
		*r = slices.Delete(s, i, i+1)
	case x[0] == n:
		s[i][0]++
	case x[1] == n:
		s[i][1]--
	default:
		s[i][1] = n - 1
		*r = slices.Insert(s, i+1, Range{n + 1, x[1]})
	}
}

// Sort makes a set of ranges in any order, which may overlap: to put many sets together, append them and sort once.
func (r *Ranges) Sort() {
	all := *r
	slices.SortFunc(all, func(a, b Range) int { return cmp.Compare(a[0], b[0]) })

	out := all[:0]
	for _, x := range all {
		if n := len(out); n > 0 && x[0]-1 <= out[n-1][1] {
			out[n-1][1] = max(out[n-1][1], x[1])
			continue
		}
		out = append(out, x)
	}
	*r = out
}

// Above leaves out the numbers up to n.
func (r *Ranges) Above(n uint64) {
	s := *r
	s = s[s.Find(n+1):]
	if len(s) > 0 && s[0][0] <= n {
		s[0][0] = n + 1
	}
	*r = s
}

// gathered is a set that is sorted only now and then: of numbers that are known to be new.
type gathered struct {
	ranges Ranges
	sorted int // ranges at the beginning that are in order
}

// add puts n into the set.
func (g *gathered) add(n uint64) {
	if last := len(g.ranges) - 1; last >= 0 && g.ranges[last][1]+1 == n { // the usual case: the next one
		g.ranges[last][1] = n
		return
	}
	if len(g.ranges) >= 2*g.sorted+1024 {
		g.sort()
	}
	g.ranges = append(g.ranges, Range{n, n})
}

// sort returns the set, in order.
func (g *gathered) sort() Ranges {
	g.ranges.Sort()
	g.sorted = len(g.ranges)
	return g.ranges
}

// Count is the size of the set.
func (r Ranges) Count() (n uint64) {
	for _, x := range r {
		n += x[1] - x[0] + 1
	}
	return n
}
