package rules

import "slices"

// dependantsFirst puts the nodes into sets: of those that need each other in a circle one set, of any other one of its own. neededBy lists
// the nodes that need one, by their index. A set comes behind those that need one of it, else they come in the order of the nodes. Within
// a set the order is that of the nodes, too. It is Tarjan's algorithm (Depth-first search and linear graph algorithms, 1972).
func dependantsFirst(nodes int, neededBy func(i int) []int) (sets [][]int) {
	found := make([]int, nodes) // when each was found, from 1
	low := make([]int, nodes)   // the first found that is reached from it, 0 once its set is known
	var stack []int
	count := 0

	var visit func(i int)
	visit = func(i int) {
		count++
		found[i], low[i] = count, count
		stack = append(stack, i)
		for _, by := range neededBy(i) {
			if found[by] == 0 {
				visit(by)
			}
			if low[by] > 0 {
				low[i] = min(low[i], low[by])
			}
		}
		if low[i] < found[i] {
			return
		}

		at := slices.Index(stack, i)
		set := slices.Clone(stack[at:])
		stack = stack[:at]
		slices.Sort(set)
		for _, one := range set {
			low[one] = 0
		}
		sets = append(sets, set)
	}
	for i := range nodes {
		if found[i] == 0 {
			visit(i)
		}
	}
	return sets
}

// dependants are those that run and surely need the container. Sorted.
func (t *tick) dependants(s *subject) []int {
	return slices.DeleteFunc(t.neededBy(s), func(by int) bool {
		a := &t.all[by]
		service := s.who.service != "" && a.who.project == s.who.project && has(a.who.needs, s.who.service)
		return !service && !sharesNetwork(a.c.NetworkMode.Value, s.c.Identity)
	})
}

// findCircles finds those that go on this tick and need each other in a circle: none of them has to go before the others, and so they go
// in the order of their ids, as one.
func (t *tick) findCircles() {
	leaving, at := []int(nil), map[int]int{}
	for i := range t.all {
		if t.isLeaving(i) {
			at[i] = len(leaving)
			leaving = append(leaving, i)
		}
	}

	sets := dependantsFirst(len(leaving), func(k int) (by []int) {
		for _, i := range t.dependants(&t.all[leaving[k]]) {
			if n, ok := at[i]; ok {
				by = append(by, n)
			}
		}
		return by
	})
	for _, set := range sets {
		if len(set) == 1 {
			continue
		}
		circle := make([]int, len(set))
		for k, n := range set {
			circle[k] = leaving[n]
		}
		for _, i := range circle {
			if t.circles == nil {
				t.circles = map[int][]int{}
			}
			t.circles[i] = circle
		}
	}
}

// after lists those that go on this tick as well and have to be gone first: who needs the container, or another one of its circle, and who
// is before it in that.
func (t *tick) after(s *subject) (before []int) {
	circle := t.circles[s.at]
	for _, i := range circle {
		if i < s.at {
			before = append(before, i)
		}
	}
	if circle == nil {
		circle = s.alone()
	}

	for _, i := range circle {
		for _, by := range t.dependants(&t.all[i]) {
			if t.isLeaving(by) && !slices.Contains(circle, by) {
				before = append(before, by)
			}
		}
	}
	slices.Sort(before)
	return slices.Compact(before)
}

// idsOf are the ids of containers.
func (t *tick) idsOf(list []int) (ids []string) {
	for _, i := range list {
		ids = append(ids, t.all[i].c.ID)
	}
	return ids
}
