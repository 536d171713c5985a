package oracle

import (
	"cmp"
	"slices"
	"strings"

	"gestor.local/contract"
)

// subject is one container on its way to a verdict. entry or member is nil when the engine or the snapshot does not
// know it, or says two different things about it.
type subject struct {
	id     string
	entry  *contract.Entry
	member *contract.Member

	owned     bool
	elsewhere bool // an orchestrator keeps it
	young     bool
	class     contract.Class
	reason    string
	remove    bool

	// Set for those that compete for a place: the measures in ranking order, place in the list, and the cut.
	key       [measures]uint64
	rank, cut int
	distance  int // distance to the nearest place, 0 when it holds one
	neighbour *subject
	deciding  contract.Key
}

// eligible says whether the subject competes for a place: nothing spoke against it.
func (s *subject) eligible() bool { return s.reason == "" }

// join pairs the rows of the snapshot with the engine's entries by full id. An id that occurs twice on one side is
// believed on neither occasion: without an entry it is not owned, without a member not measured.
func join(pop contract.Population, inv contract.Inventory) []*subject {
	entries := byID(inv.Entries, func(e *contract.Entry) string { return e.ID })
	members := byID(pop.Members, func(m *contract.Member) string { return m.ID })
	all := make([]subject, 0, len(entries)+len(members)) // never grows: subjects point into it
	for len(entries) > 0 || len(members) > 0 {
		s := subject{id: smallest(entries, members), class: contract.ClassUnknown}
		s.entry, entries = takeSingle(entries, s.id)
		s.member, members = takeSingle(members, s.id)
		all = append(all, s)
	}
	subjects := make([]*subject, len(all))
	for i := range all {
		subjects[i] = &all[i]
	}
	return subjects
}

// withID is something and its id.
type withID[T any] struct {
	id string
	of *T
}

// byID lists pointers to the elements, sorted by id.
func byID[T any](list []T, id func(*T) string) []withID[T] {
	out := make([]withID[T], len(list))
	for i := range list {
		out[i] = withID[T]{id(&list[i]), &list[i]}
	}
	order := func(a, b withID[T]) int { return strings.Compare(a.id, b.id) }
	if !slices.IsSortedFunc(out, order) { // they are, as they come from the manager
		slices.SortFunc(out, order)
	}
	return out
}

func smallest(entries []withID[contract.Entry], members []withID[contract.Member]) string {
	switch {
	case len(members) == 0:
		return entries[0].id
	case len(entries) == 0:
		return members[0].id
	default:
		return min(entries[0].id, members[0].id)
	}
}

// takeSingle takes those with the id from the front of the list. It returns the single one, nil when there is none or
// more than one.
func takeSingle[T any](list []withID[T], id string) (one *T, rest []withID[T]) {
	n := 0
	for n < len(list) && list[n].id == id {
		n++
	}
	if n == 1 {
		one = list[0].of
	}
	return one, list[n:]
}

// byClassRankID is the order of a plan's verdicts.
func byClassRankID(a, b *subject) int {
	if c := cmp.Compare(classOrder(a.class), classOrder(b.class)); c != 0 {
		return c
	}
	if c := cmp.Compare(unrankedLast(a.rank), unrankedLast(b.rank)); c != 0 {
		return c
	}
	return strings.Compare(a.id, b.id)
}

func unrankedLast(rank int) uint { return uint(rank) - 1 } // 0 wraps to the largest

// classOrder is the order in which a plan lists the classes.
func classOrder(c contract.Class) int {
	switch c {
	case contract.ClassLow:
		return 0
	case contract.ClassHigh:
		return 1
	default:
		return 2
	}
}

// verdicts writes the subjects down, in their order. What a verdict points to is taken from two blocks.
func verdicts(subjects []*subject) []contract.Verdict {
	out := make([]contract.Verdict, len(subjects))
	figures := make([]contract.Measures, len(subjects))
	neighbours := make([]contract.Neighbour, len(subjects))
	for i, s := range subjects {
		v := &out[i]
		*v = contract.Verdict{
			ID: s.id, Class: s.class, Owned: s.owned, Young: s.young,
			Verdict: contract.VerdictKeep, Reason: s.reason, Rank: s.rank, Cut: s.cut, DecidingKey: s.deciding,
		}
		if s.remove {
			v.Verdict = contract.VerdictRemove
		}
		if s.entry != nil {
			v.Name, v.Image, v.StartedAt = s.entry.Name, s.entry.Image, s.entry.StartedAt
		}
		if s.member != nil {
			v.AgeUS, v.StartUS = s.member.AgeUS, s.member.StartUS
		}
		if s.member != nil && (s.member.Measured || s.rank > 0) {
			figures[i] = s.member.Measures
			v.Measures = &figures[i]
		}
		if n := s.neighbour; n != nil {
			neighbours[i] = contract.Neighbour{ID: n.id, Name: n.entry.Name, Rank: n.rank, Measures: n.member.Measures}
			v.Neighbour = &neighbours[i]
		}
	}
	return out
}
