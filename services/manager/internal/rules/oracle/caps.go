package oracle

import (
	"cmp"
	"slices"
	"strings"

	"gestor.local/contract"
)

// applyCaps adds the young ones that the hard rule gives up, then limits the plan to its caps. It returns how many
// removals the plan wanted before the caps.
func applyCaps(p contract.Policy, pop contract.Population, ctx contract.Context, subjects []*subject, rankings []ranking) (wanted int) {
	budget := max(0, min(p.Caps.PerTick, p.Caps.PerMinute-ctx.RemovedLastMinute))
	over := farthestFirst(rankings)
	wanted = len(over)

	// The farthest from a place go first: a cap leaves those whose verdict a small change could turn.
	for i, s := range over {
		if i >= budget {
			s.remove, s.reason = false, contract.ReasonCapped
		}
	}
	over = over[:min(len(over), budget)]
	budget -= len(over)

	surplus := surplusYoung(p, pop, subjects, over)
	wanted += len(surplus)
	for i, s := range surplus {
		if i >= budget {
			s.reason = contract.ReasonYoung
			continue
		}
		s.remove = true
	}
	return wanted
}

// farthestFirst lists those without a place, furthest from a place first, so that a cap keeps those nearest to one.
func farthestFirst(rankings []ranking) []*subject {
	var over []*subject
	for _, c := range rankings {
		over = append(over, filter(c.list, func(s *subject) bool { return s.remove })...)
	}
	slices.SortFunc(over, func(a, b *subject) int {
		return cmp.Or(cmp.Compare(b.distance, a.distance), byClassRankID(a, b))
	})
	return over
}

// surplusYoung applies the hard rule: above young.max, and below the host's memory floor, the newest young ones are
// given up, only as many as it takes, and never one that its class needs to reach its number.
func surplusYoung(p contract.Policy, pop contract.Population, subjects, over []*subject) []*subject {
	young := filter(subjects, func(s *subject) bool { return s.young })
	slices.SortFunc(young, func(a, b *subject) int {
		return cmp.Or(cmp.Compare(b.member.StartUS, a.member.StartUS), strings.Compare(b.id, a.id))
	})

	tooMany := len(young) - p.Young.Max
	shortKB := shortfallKB(p, pop, over)
	classes := newMinAlive(p, subjects)

	// One that is given up counts against both: it is one fewer, and its memory comes back.
	var out []*subject
	for _, s := range young {
		switch {
		case tooMany <= 0 && shortKB <= 0:
			return out
		case !classes.tryRemove(s):
			continue
		case tooMany > 0:
			s.reason = contract.ReasonYoungFlood
		default:
			s.reason = contract.ReasonMemoryFloor
		}
		tooMany--
		shortKB -= ramKB(s)
		out = append(out, s)
	}
	return out
}

// shortfallKB is the memory that is missing under the floor once the removals that are already planned have freed
// theirs.
func shortfallKB(p contract.Policy, pop contract.Population, over []*subject) int64 {
	short := kb(p.Young.MemoryFloorKB) - kb(pop.Memory.AvailableKB)
	if p.Young.MemoryFloorKB == 0 || short <= 0 {
		return 0
	}
	for _, s := range over {
		short -= ramKB(s)
	}
	return short
}

func ramKB(s *subject) int64 { return kb(s.member.RAMKB) }

// maxKB is 4 PiB: beyond it a figure is nonsense, and sums of a million of them still fit.
const maxKB = 1 << 42

func kb(v uint64) int64 { return int64(min(v, maxKB)) }

// minAlive counts the living of each class against its number: the kept and the young. In rank mode there is one
// number.
type minAlive struct {
	alive, number map[contract.Class]int
}

func newMinAlive(p contract.Policy, subjects []*subject) minAlive {
	m := minAlive{
		alive:  map[contract.Class]int{},
		number: map[contract.Class]int{contract.ClassLow: p.Quota.Low, contract.ClassHigh: p.Quota.High},
	}

	rank := p.Classify == contract.ClassifyRank
	if rank {
		m.number = map[contract.Class]int{contract.ClassUnknown: p.Quota.Low + p.Quota.High}
	}

	for _, s := range subjects {
		switch {
		case s.remove || s.rank == 0 && !s.young:
		case rank:
			m.alive[contract.ClassUnknown]++
		default:
			m.alive[s.class]++
		}
	}
	return m
}

// tryRemove counts a young one as removed from its class if the class keeps its number without it. Young ones have no
// rank, so that in rank mode all of them are of unknown class.
func (m minAlive) tryRemove(s *subject) bool {
	if m.alive[s.class] <= m.number[s.class] {
		return false
	}
	m.alive[s.class]--
	return true
}
