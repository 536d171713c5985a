package rules

import (
	"cmp"
	"slices"
	"strings"

	"gestor.local/contract"
	"gestor.local/contract/policy2"
)

// place is where a unit stands in the order of its group.
type place struct {
	rank, cut int
	group     string
	distance  int // from the nearest place, 0 for who holds one
	neighbour *subject
	key       string
}

// competitor is a unit that competes for a place, with what orders it.
type competitor struct {
	u       unit
	group   string
	figures [figures]uint64 // in buckets
	start   uint64
	created int64
	name    string // id, or the project's name
}

// figures is the number of those that rank.
const figures = 4

// readKeep gives places: those without one are judged as by any rule.
func (t *tick) readKeep(r *rule) {
	all := t.room.competitors[:0]
	t.eachUnit(r, func(members []int) {
		u, ok := t.unitOf(r, members)
		if !ok {
			return
		}
		if st := t.stageOf(r, &u); st.stopped != policy2.False {
			t.judge(r, &u, nil)
			return
		}
		all = append(all, competitor{})
		if !t.compete(r, &u, &all[len(all)-1]) {
			all = all[:len(all)-1]
		}
	})

	t.room.competitors = all
	for _, c := range t.room.contestsOf(all) {
		slices.SortFunc(c.order, func(a, b *competitor) int {
			if c := compareFigures(r, a, b); c != 0 {
				return c
			}
			return strings.Compare(a.name, b.name)
		})
		t.cut(r, c.order)
	}
}

// contest is one group with those that compete in it.
type contest struct {
	group string
	order []*competitor
}

// contestsOf are the groups of the competitors, in the order of their names.
func (room *scratch) contestsOf(all []competitor) []contest {
	if room.contestOf == nil {
		room.contestOf = map[string]int{}
	}
	clear(room.contestOf)

	list := room.contests[:0]
	for i := range all {
		group := all[i].group
		at, ok := room.contestOf[group]
		if !ok {
			at = len(list)
			room.contestOf[group] = at
			list = slices.Grow(list, 1)[:at+1] // with the room of an earlier one
			list[at].group, list[at].order = group, list[at].order[:0]
		}
		list[at].order = append(list[at].order, &all[i])
	}

	room.contests = list
	slices.SortFunc(list, func(a, b contest) int { return strings.Compare(a.group, b.group) })
	return list
}

// compete says whether the unit competes, and by what. Of whom that cannot be said, or who cannot be ranked, the rule may keep it.
func (t *tick) compete(r *rule, u *unit, c *competitor) bool {
	runs := func(i int) bool { return t.all[i].runs }
	group, grouped := t.groupOf(r, u)
	if !slices.ContainsFunc(u.members, runs) || grouped == groupNone {
		return false
	}
	if u.match == policy2.Unknown || u.gentlest != harshest {
		t.mayKeep(r, u)
		return false
	}

	// One that is spared competes with nobody: else protecting one member would cost the others their place.
	if u.spares != nobody {
		t.mark(r, u, markWaits)
		t.spare(r, u)
		return false
	}
	if grouped == groupDiffers {
		return false
	}
	if grouped == groupUnknown || !t.rank(r, u, c) {
		t.mayKeep(r, u)
		return false
	}
	c.group = group
	return true
}

func (t *tick) mayKeep(r *rule, u *unit) {
	t.mark(r, u, markWaits)
	t.mayDecide(r, u, keeps)
}

// grouped says whether a unit has a group.
type grouped int8

const (
	groupKnown   grouped = iota
	groupNone            // no member has one
	groupDiffers         // members have different ones
	groupUnknown
)

// groupOf is the group of the unit: the one of those members that have one, if they agree.
func (t *tick) groupOf(r *rule, u *unit) (group string, g grouped) {
	if !r.hasPer() {
		return "", groupKnown
	}

	g = groupNone
	for _, i := range u.members {
		of := t.all[i].who.group[r.per]
		switch {
		case !of.Known:
			return "", groupUnknown
		case of.Value == "" || of.Value == group:
		case group != "":
			g = groupDiffers
		default:
			group, g = of.Value, groupKnown
		}
	}
	return group, g
}

// rank fills in what orders the unit, and is false where a figure is missing.
func (t *tick) rank(r *rule, u *unit, c *competitor) bool {
	first := &t.all[u.members[0]]
	*c = competitor{u: *u, name: first.c.ID, created: t.created(u)}
	if u.project {
		c.name = first.who.project
	}

	byAge := r.Keep.Order == policy2.Newest || r.Keep.Order == policy2.Oldest
	for _, i := range u.members {
		s := &t.all[i]
		switch {
		case !s.c.CreatedWallUS.Known && (byAge || u.project):
			return false
		case byAge || !s.runs:
		case !t.addFigures(s, &c.figures):
			return false
		}
	}
	for i := range min(figures, len(t.p.policy.Rank)) {
		c.figures[i] = t.bucket(i, c.figures[i])
	}
	if !u.project {
		c.start = first.c.StartBootUS.Value
	}
	return true
}

// addFigures adds what ranks a container, in the order of the policy.
func (t *tick) addFigures(s *subject, sum *[figures]uint64) bool {
	if t.p.v1 != nil {
		*sum = t.p.v1.figures(s.c.Member)
		return true
	}

	cpu, ram := s.cpuUS, s.ramKB
	vsz, rss := t.warm(s, s.c.VSZKB), t.warm(s, s.c.RSSKB)
	if !cpu.Known || !ram.Known || !vsz.Known || !rss.Known {
		return false
	}

	const perMilli = 1000
	for i, key := range t.p.policy.Rank {
		if i == figures {
			break
		}
		switch key {
		case contract.KeyCPU:
			sum[i] += min(cpu.Value, maxFigure) * perMilli / t.f.IntervalUS
		case contract.KeyRAM:
			sum[i] += min(ram.Value, maxFigure)
		case contract.KeyVSZ:
			sum[i] += min(vsz.Value, maxFigure)
		case contract.KeyRSS:
			sum[i] += min(rss.Value, maxFigure)
		}
	}
	return true
}

// bucket rounds a figure, so that noise does not turn a decision: only CPU and RAM have a width.
func (t *tick) bucket(i int, v uint64) uint64 {
	width := uint64(1)
	switch t.p.policy.Rank[i] {
	case contract.KeyCPU:
		width = t.p.policy.Buckets.CPUMillicores
	case contract.KeyRAM:
		width = t.p.policy.Buckets.RAMKB
	}

	return Bucket(v, width)
}

// Bucket counts the buckets of the width that are nearest to v. Limits are round numbers, so that figures crowd around them: a
// container held to 250 milli-cores is measured at 249 and at 251, and no edge of a bucket may lie there.
func Bucket(v, width uint64) uint64 {
	width = max(1, width)
	count := v / width
	if v%width >= width-width/2 {
		count++
	}
	return count
}

// compareFigures orders within a group: who comes first has a place. 0 means that only the name decides.
func compareFigures(r *rule, a, b *competitor) int {
	switch r.Keep.Order {
	case policy2.Newest:
		return cmp.Compare(b.created, a.created)
	case policy2.Oldest:
		return cmp.Compare(a.created, b.created)
	}

	for i := range figures {
		c := cmp.Compare(a.figures[i], b.figures[i])
		if r.Keep.Order == policy2.Heaviest {
			c = -c
		}
		if c != 0 {
			return c
		}
	}
	if a.u.project || b.u.project {
		return cmp.Compare(a.created, b.created)
	}
	return cmp.Compare(a.start, b.start)
}

// decidingKey is the first key in which two competitors differ.
func (t *tick) decidingKey(r *rule, a, b *competitor) string {
	if r.Keep.Order == policy2.Lightest || r.Keep.Order == policy2.Heaviest {
		for i := range min(figures, len(t.p.policy.Rank)) {
			if a.figures[i] != b.figures[i] {
				return string(t.p.policy.Rank[i])
			}
		}
	}
	if compareFigures(r, a, b) != 0 {
		return string(contract.KeyAge)
	}
	return string(contract.KeyID)
}

// cut gives the places of one group, which is in order, and judges the others.
func (t *tick) cut(r *rule, group []*competitor) {
	places := min(r.Keep.Places, len(group))
	upper := max(places, len(group)-r.tail) // the first of the places at the other end
	t.groups = append(t.groups, GroupCount{
		Rule: r.index, Group: group[0].group, Places: r.places(), Held: places + len(group) - upper, Over: upper - places,
	})

	at := new(place) // who is judged copies it
	for i, c := range group {
		*at = place{rank: i + 1, cut: r.Keep.Places, group: c.group}
		nearest := nearestAcross(i, places, upper, len(group))
		if i >= places && i < upper {
			at.distance = max(i-nearest, nearest-i)
		}
		if i >= upper {
			at.cut = upper + 1
		}
		if nearest >= 0 && nearest < len(group) {
			at.neighbour = &t.all[group[nearest].u.members[0]]
			at.key = t.decidingKey(r, c, group[nearest])
		}

		if i < places || i >= upper {
			t.counts[r.index].Holds += t.open(&c.u)
			t.decide(r, &c.u, decision{step: policy2.StepKeep, reason: contract.ReasonWithinQuota}, at)
			continue
		}
		t.judge(r, &c.u, at)
	}
}

// nearestAcross is the index of the nearest one across a cut: of one with a place the nearest without, of one without the nearest
// with a place. The first places of n hold one, and those from upper on. Outside of the list there is none.
func nearestAcross(i, places, upper, n int) int {
	switch {
	case i < places && places < upper:
		return places
	case i >= upper && places < upper:
		return upper - 1
	case i < places || i >= upper:
		return n // all have a place
	}

	// Without a place: the nearer end counts, the first one where both are as far.
	first, second := places-1, upper
	if second < n && (first < 0 || second-i < i-first) {
		return second
	}
	return first
}

// countYoung counts those that will compete once they have been seen for long enough.
func (t *tick) countYoung() {
	for i := range t.all {
		s := &t.all[i]
		if s.standing != contract.ReasonYoung {
			continue
		}
		key, ok := t.contest(s)
		for k := range t.groups {
			if g := &t.groups[k]; ok && g.Rule == key.rule && g.Group == key.group {
				g.Young++
			}
		}
	}
}
