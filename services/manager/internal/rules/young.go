package rules

import (
	"cmp"
	"slices"
	"strings"

	"gestor.local/contract"
	"gestor.local/contract/policy2"
)

// surplusYoung applies the hard rule: above young.max, and below the host's memory floor, the newest young ones are given up,
// only as many as it takes, and never one that its group needs to reach its number of places.
func (t *tick) surplusYoung() []int {
	var young []int
	for i := range t.all {
		if s := &t.all[i]; s.standing == contract.ReasonYoung && s.alive {
			young = append(young, i)
		}
	}
	tooMany := len(young) - t.p.policy.Young.Max
	short := t.shortKB()
	if tooMany <= 0 && short <= 0 {
		return nil
	}

	slices.SortFunc(young, func(a, b int) int {
		x, y := t.all[a].c, t.all[b].c
		return cmp.Or(cmp.Compare(y.StartBootUS.Value, x.StartBootUS.Value), strings.Compare(y.ID, x.ID))
	})
	floors := t.floors(young)

	// One that is given up counts against both: it is one fewer, and its memory comes back.
	var out []int
	for _, i := range young {
		s := &t.all[i]
		switch {
		case tooMany <= 0 && short <= 0:
			return out
		case !t.mayGiveUp(s) || !floors.take(t, s):
			continue
		case tooMany > 0:
			s.d.reason = contract.ReasonYoungFlood
		default:
			s.d.reason = contract.ReasonMemoryFloor
		}
		tooMany--
		short -= kb(s.c.RAMKB.Value)
		out = append(out, i)
	}
	return out
}

// shortKB is the memory that is missing under the floor once what is planned already has freed its own.
func (t *tick) shortKB() int64 {
	floor := t.p.policy.Young.MemoryFloorKB
	if floor == 0 || !t.f.MemoryAvailableKB.Known {
		return 0
	}

	short := kb(floor) - kb(t.f.MemoryAvailableKB.Value)
	for i := range t.all {
		if t.isLeaving(i) {
			short -= kb(t.all[i].c.RAMKB.Value)
		}
	}
	return short
}

// maxKB is 4 PiB: beyond it a figure is nonsense, and sums of a million of them still fit.
const maxKB = 1 << 42

func kb(v uint64) int64 { return int64(min(v, maxKB)) }

// mayGiveUp says that no guard stands before its removal, which no rule asks for.
func (t *tick) mayGiveUp(s *subject) bool {
	if !t.p.guards() {
		return true
	}
	grown := t.hasGrown() && t.isNewlyOwn(s) == policy2.True
	return !s.who.elsewhere && losesVolumesOf(s) == policy2.False && !grown && len(t.neededBy(s)) == 0
}

// floors counts the living of each group against its places.
type floors map[floorKey]*floor

type floorKey struct {
	rule  int
	group string
}

type floor struct{ alive, places int }

func (t *tick) floors(young []int) floors {
	out := floors{}
	at := func(key floorKey) *floor {
		f, ok := out[key]
		if !ok {
			f = &floor{places: t.p.rules[key.rule].places()}
			out[key] = f
		}
		return f
	}

	for i := range t.all {
		if s := &t.all[i]; s.d.rank > 0 && !t.isLeaving(i) {
			at(floorKey{s.d.rule, s.d.group}).alive++
		}
	}
	for _, i := range young {
		if key, ok := t.contest(&t.all[i]); ok {
			at(key).alive++
		}
	}
	return out
}

// contest is the first group in which the container would compete by itself.
func (t *tick) contest(s *subject) (floorKey, bool) {
	for i := range t.p.rules {
		r := &t.p.rules[i]
		if !r.keeps || r.project || s.who.matches[i] != policy2.True {
			continue
		}
		if !r.hasPer() {
			return floorKey{rule: i}, true
		}
		if g := s.who.group[r.per]; g.Known && g.Value != "" {
			return floorKey{i, g.Value}, true
		}
	}
	return floorKey{}, false
}

// take counts a young one as removed, if its group keeps its number without it.
func (f floors) take(t *tick, s *subject) bool {
	key, ok := t.contest(s)
	if !ok {
		return true
	}
	if f[key].alive <= f[key].places {
		return false
	}
	f[key].alive--
	return true
}
