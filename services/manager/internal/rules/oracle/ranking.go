package oracle

import (
	"cmp"
	"slices"
	"strings"

	"gestor.local/contract"
)

// ranking is one ranked list and its places: the first head and the last tail of it stay.
type ranking struct {
	list       []*subject
	head, tail int
}

// rankAndCut ranks all eligible subjects and marks those without a place for removal. With declared classes there is
// one ranking a class; in rank mode a single ascending list whose lightest and heaviest stay.
func rankAndCut(p contract.Policy, subjects []*subject) []ranking {
	var rankings []ranking
	if p.Classify == contract.ClassifyRank {
		all := ranking{list: filter(subjects, (*subject).eligible), head: p.Quota.Low, tail: p.Quota.High}
		rankings = append(rankings, all.rank(p, lighter))
		all.classify()
	} else {
		low := ranking{list: filter(subjects, eligibleOf(contract.ClassLow)), head: p.Quota.Low}
		high := ranking{list: filter(subjects, eligibleOf(contract.ClassHigh)), head: p.Quota.High}
		rankings = append(rankings, low.rank(p, lighter), high.rank(p, heavier))
	}

	for _, c := range rankings {
		c.cut(p)
	}
	return rankings
}

func eligibleOf(class contract.Class) func(*subject) bool {
	return func(s *subject) bool { return s.eligible() && s.class == class }
}

func filter(subjects []*subject, match func(*subject) bool) []*subject {
	var out []*subject
	for _, s := range subjects {
		if match(s) {
			out = append(out, s)
		}
	}
	return out
}

// rank sorts the list and numbers it from 1.
func (r ranking) rank(p contract.Policy, order func(a, b *subject) int) ranking {
	for _, s := range r.list {
		s.key = keys(p, s.member.Measures)
	}
	slices.SortFunc(r.list, order)
	for i, s := range r.list {
		s.rank = i + 1
	}
	return r
}

// classify calls the lower half of a rank-mode list low and the upper half high, moved just so far that every place is
// of its own class. It is how the original code split its list.
func (r ranking) classify() {
	n := len(r.list)
	low := min(max(n/2, r.head), n)
	if n > r.head+r.tail {
		low = min(low, n-r.tail)
	}

	for i, s := range r.list {
		s.class = contract.ClassLow
		if i >= low {
			s.class = contract.ClassHigh
		}
	}
}

// cut assigns the places, and notes where the cut is and which subject is nearest to it on the other side.
func (r ranking) cut(p contract.Policy) {
	upper := max(r.head, len(r.list)-r.tail) // the first index of the tail
	for i, s := range r.list {
		s.cut = r.head
		s.reason = contract.ReasonWithinQuota
		switch {
		case i >= r.head && i >= upper:
			s.cut = upper + 1
			s.neighbour = r.at(upper-1, r.head, upper)

		case i < r.head:
			s.neighbour = r.at(r.head, r.head, upper)

		// Without a place: of the two cuts of a list in rank mode the nearer one counts.
		default:
			s.reason, s.remove = contract.ReasonOverQuota, true
			s.distance = i - r.head + 1
			s.neighbour = r.at(r.head-1, 0, r.head)
			if above := upper - i; r.tail > 0 && (above < s.distance || s.neighbour == nil) {
				s.distance, s.neighbour = above, r.at(upper, upper, len(r.list))
			}
		}

		if s.neighbour != nil {
			s.deciding = deciding(p, s, s.neighbour)
		}
	}
}

// at is the subject at index i, nil outside [from, to) and outside the list.
func (r ranking) at(i, from, to int) *subject {
	if i < from || i >= to || i >= len(r.list) {
		return nil
	}
	return r.list[i]
}

// measures is the number of figures that rank a container.
const measures = 4

// keys puts the four measures in the order of the policy. CPU and RAM are rounded to buckets: noise below half a bucket
// around a round figure cannot turn a decision, and no hidden state is needed for it.
func keys(p contract.Policy, m contract.Measures) (out [measures]uint64) {
	for i, k := range p.Rank {
		if i == measures {
			break
		}
		switch k {
		case contract.KeyCPU:
			out[i] = bucket(m.CPUMillicores, p.Buckets.CPUMillicores)
		case contract.KeyRAM:
			out[i] = bucket(m.RAMKB, p.Buckets.RAMKB)
		case contract.KeyVSZ:
			out[i] = m.VSZKB
		case contract.KeyRSS:
			out[i] = m.RSSKB
		}
	}
	return out
}

// bucket counts the buckets of the width that are nearest to v. Limits are round numbers, so that figures crowd around
// them: a container held to 250 milli-cores is measured at 249 and at 251, and no edge of a bucket may lie there.
func bucket(v, width uint64) uint64 {
	width = max(1, width)
	count := v / width
	if v%width >= width-width/2 {
		count++
	}
	return count
}

// lighter orders by the measures ascending, then the older first, then the smaller id: a total order on distinct ids.
func lighter(a, b *subject) int {
	if c := compareKeys(a, b); c != 0 {
		return c
	}
	return older(a, b)
}

// heavier orders by the measures descending; age and id stay as they are, so that of two equals the older survives in
// either class.
func heavier(a, b *subject) int {
	if c := compareKeys(b, a); c != 0 {
		return c
	}
	return older(a, b)
}

func compareKeys(a, b *subject) int {
	for i := range a.key {
		if c := cmp.Compare(a.key[i], b.key[i]); c != 0 {
			return c
		}
	}
	return 0
}

func older(a, b *subject) int {
	if c := cmp.Compare(a.member.StartUS, b.member.StartUS); c != 0 {
		return c
	}
	return strings.Compare(a.id, b.id)
}

// deciding is the first key in which two subjects differ.
func deciding(p contract.Policy, a, b *subject) contract.Key {
	for i := range a.key {
		if a.key[i] != b.key[i] {
			return p.Rank[i]
		}
	}
	if a.member.StartUS != b.member.StartUS {
		return contract.KeyAge
	}
	return contract.KeyID
}
