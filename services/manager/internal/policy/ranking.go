package policy

import (
	"slices"

	"gestor.local/contract"
)

// contest is one ranked list and its places: the first head and the last tail of it stay.
type contest struct {
	list       []*subject
	head, tail int
}

// hold ranks all eligible subjects and marks those without a place for removal. With declared classes there is one
// contest a class; in rank mode a single ascending list whose lightest and heaviest stay.
func hold(p contract.Policy, subjects []*subject) []contest {
	var contests []contest
	if p.Classify == contract.ClassifyRank {
		c := contest{list: those(subjects, (*subject).eligible), head: p.Quota.Low, tail: p.Quota.High}
		contests = append(contests, c.rank(p, lighter))
		c.classify()
	} else {
		low := contest{list: those(subjects, eligibleOf(contract.ClassLow)), head: p.Quota.Low}
		high := contest{list: those(subjects, eligibleOf(contract.ClassHigh)), head: p.Quota.High}
		contests = append(contests, low.rank(p, lighter), high.rank(p, heavier))
	}
	for _, c := range contests {
		c.cut(p)
	}
	return contests
}

func eligibleOf(class contract.Class) func(*subject) bool {
	return func(s *subject) bool { return s.eligible() && s.class == class }
}

func those(subjects []*subject, want func(*subject) bool) []*subject {
	var out []*subject
	for _, s := range subjects {
		if want(s) {
			out = append(out, s)
		}
	}
	return out
}

// rank sorts the list and numbers it from 1.
func (c contest) rank(p contract.Policy, order func(a, b *subject) int) contest {
	for _, s := range c.list {
		s.key = keys(p, s.member.Measures)
	}
	slices.SortFunc(c.list, order)
	for i, s := range c.list {
		s.rank = i + 1
	}
	return c
}

// classify calls the lower half of a rank-mode list low and the upper half high, moved just so far that every place is
// of its own class. It is how the original code split its list.
func (c contest) classify() {
	n := len(c.list)
	low := min(max(n/2, c.head), n)
	if n > c.head+c.tail {
		low = min(low, n-c.tail)
	}
	for i, s := range c.list {
		s.class = contract.ClassLow
		if i >= low {
			s.class = contract.ClassHigh
		}
	}
}

// cut gives the places away, writes down where the cut is and who came closest to it from the other side.
func (c contest) cut(p contract.Policy) {
	upper := max(c.head, len(c.list)-c.tail) // the first index of the tail
	for i, s := range c.list {
		s.cut = c.head
		s.reason = contract.ReasonWithinQuota
		switch {
		case i >= c.head && i >= upper:
			s.cut = upper + 1
			s.rival = c.at(upper-1, c.head, upper)
		case i < c.head:
			s.rival = c.at(c.head, c.head, upper)
		default:
			s.reason, s.remove = contract.ReasonOverQuota, true
			s.excess = i - c.head + 1
			s.rival = c.at(c.head-1, 0, c.head)
			if above := upper - i; c.tail > 0 && (above < s.excess || s.rival == nil) {
				s.excess, s.rival = above, c.at(upper, upper, len(c.list))
			}
		}
		if s.rival != nil {
			s.deciding = deciding(p, s, s.rival)
		}
	}
}

// at is the subject at index i, nil outside [from, to) and outside the list.
func (c contest) at(i, from, to int) *subject {
	if i < from || i >= to || i >= len(c.list) {
		return nil
	}
	return c.list[i]
}
