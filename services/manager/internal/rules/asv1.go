package rules

import (
	"cmp"
	"slices"
	"sort"
	"strings"

	"gestor.local/contract"
	"gestor.local/contract/policy2"
)

// FactsOfV1 are the facts that a policy of version 1 reads: what was measured, who is who, and what the manager kept. An id that
// occurs twice on one side is believed on neither occasion: without an entry it is not own, without a row it is not measured.
// Whatever version 1 does not read is unknown. The facts share the members and the labels with what they are made of.
func FactsOfV1(pop contract.Population, inv contract.Inventory, ctx contract.Context) Facts {
	return factsOfV1(pop, inv, ctx, &roomV1{})
}

// roomV1 is room for facts of version 1, which nobody keeps once the plan is made.
type roomV1 struct {
	entries    []withID[contract.Entry]
	members    []withID[contract.Member]
	identities []policy2.Identity
	containers []Container
}

func factsOfV1(pop contract.Population, inv contract.Inventory, ctx contract.Context, room *roomV1) Facts {
	f := Facts{
		Tick: ctx.Tick, Sequence: pop.Sequence, IntervalUS: pop.IntervalUS, CPUs: pop.CPUs,
		MemoryTotalKB: policy2.Known(pop.Memory.TotalKB), MemoryAvailableKB: policy2.Known(pop.Memory.AvailableKB),
		Suite:   policy2.Suite{Name: ctx.Suite, IDs: slices.Sorted(slices.Values(ctx.SuiteIDs))},
		Leaving: slices.Sorted(slices.Values(ctx.Leaving)), Stuck: slices.Sorted(slices.Values(ctx.Stuck)),
		Futile: slices.Sorted(slices.Values(ctx.FutileNames)),
	}

	room.entries = byID(room.entries[:0], inv.Entries, func(e *contract.Entry) string { return e.ID })
	room.members = byID(room.members[:0], pop.Members, func(m *contract.Member) string { return m.ID })
	entries, members := room.entries, room.members

	n := max(len(entries), len(members))
	f.Containers = take(&room.containers, n)[:0]
	identities := take(&room.identities, n)[:0]
	for len(entries) > 0 || len(members) > 0 {
		id := smallestID(entries, members)

		var entry *contract.Entry
		var member *contract.Member
		entry, entries = takeSingle(entries, id)
		member, members = takeSingle(members, id)

		if len(identities) == cap(identities) { // it must not grow: containers point into it
			identities = make([]policy2.Identity, 0, n)
		}
		identities = append(identities, policy2.Identity{ID: id})
		f.Containers = append(f.Containers, containerOfV1(&identities[len(identities)-1], entry, member))
	}
	room.containers, room.identities = f.Containers, identities
	return f
}

func containerOfV1(id *policy2.Identity, e *contract.Entry, m *contract.Member) Container {
	c := Container{Identity: id, Member: m}
	if e != nil {
		c.Name, c.Image, c.Labels = e.Name, e.Image, e.Labels
		c.InEngine, c.State, c.StartedAt = true, e.State, policy2.Fact[string]{Value: e.StartedAt, Known: e.StartedAt != ""}
	}
	if m != nil {
		c.HasRow, c.Frozen, c.StartBootUS = true, m.Frozen, policy2.Known(m.StartUS)
		c.RAMKB, c.VSZKB, c.RSSKB = policy2.Known(m.RAMKB), policy2.Known(m.VSZKB), policy2.Known(m.RSSKB)
	}
	return c
}

// withID is something and its id.
type withID[T any] struct {
	id string
	of *T
}

// byID lists pointers to the elements, sorted by id.
func byID[T any](out []withID[T], list []T, id func(*T) string) []withID[T] {
	out = slices.Grow(out, len(list))
	for i := range list {
		out = append(out, withID[T]{id(&list[i]), &list[i]})
	}
	order := func(a, b withID[T]) int { return strings.Compare(a.id, b.id) }
	if !slices.IsSortedFunc(out, order) { // they are, as they come from the manager
		slices.SortFunc(out, order)
	}
	return out
}

func smallestID(entries []withID[contract.Entry], members []withID[contract.Member]) string {
	switch {
	case len(members) == 0:
		return entries[0].id
	case len(entries) == 0:
		return members[0].id
	default:
		return min(entries[0].id, members[0].id)
	}
}

// takeSingle takes those with the id from the front of the list. It returns the single one, nil when there is none or more than one.
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

// MemoryOfV1 is as much memory as the manager of version 1 keeps: how many removals of the last minute count against the budget,
// whether the policy is another than that of the last plan, and whether the last plan was a surprise.
func MemoryOfV1(ctx contract.Context) Memory {
	m := Memory{Spent: []Spent{{Tick: ctx.Tick - 1, N: ctx.RemovedLastMinute}}}
	if ctx.PolicyChanged {
		m.PolicyHash = "changed"
	}
	if ctx.SurpriseSeen {
		m.Surprise = &Surprise{Over: true}
	}
	return m
}

// DecideV1 makes the plan of one tick under the policy of version 1 that the program was compiled of. It is a pure function of that
// policy and of what it is given: a recorded decision can be made again, byte for byte.
func DecideV1(p *Program, pop contract.Population, inv contract.Inventory, ctx contract.Context) contract.Plan {
	facts := factsOfV1(pop, inv, ctx, &p.scratch.v1)
	memory := MemoryOfV1(ctx)
	t := run(p, &memory, &facts, &p.scratch)
	plan := t.plan()
	p.scratch.verdicts, p.scratch.now = plan.Verdicts, t.now // nothing of the plan of version 1 is theirs
	return AsV1(p, &facts, plan)
}

// AsV1 is the plan as a plan of version 1, of a program that Compile made and of facts that FactsOfV1 made.
func AsV1(p *Program, f *Facts, plan Plan) contract.Plan {
	v := newViewV1(p.v1, f, &plan)
	for _, row := range v.inOrder(&plan) {
		v.add(row)
	}
	for i := range v.counts {
		c := &v.counts[i]
		c.Deficit = max(0, c.Quota-c.Eligible-c.ManagedElsewhere)
	}

	return contract.Plan{
		Tick: plan.Tick, Sequence: plan.Sequence, PolicyHash: plan.PolicyHash, Mode: p.v1.Mode, Classify: p.v1.Classify,
		Counts: v.counts, Surprise: plan.Held != "", Verdicts: v.verdicts,
	}
}

// ClassOrder is the order in which a plan of version 1 lists the classes.
func ClassOrder(c contract.Class) int {
	switch c {
	case contract.ClassLow:
		return 0
	case contract.ClassHigh:
		return 1
	default:
		return 2
	}
}

// viewV1 reads a plan as one of version 1, verdict by verdict.
type viewV1 struct {
	v1     *version1
	facts  *Facts
	ranked int // how many compete in the list of rank mode

	verdicts []contract.Verdict
	counts   []contract.ClassCount
	// What verdicts point to is taken from two blocks.
	measures   []contract.Measures
	neighbours []contract.Neighbour
}

func newViewV1(v1 *version1, f *Facts, plan *Plan) *viewV1 {
	n := len(plan.Verdicts)
	v := &viewV1{
		v1: v1, facts: f, verdicts: make([]contract.Verdict, 0, n),
		measures: make([]contract.Measures, n), neighbours: make([]contract.Neighbour, n),
		counts: []contract.ClassCount{
			{Class: contract.ClassLow, Quota: v1.Quota.Low}, {Class: contract.ClassHigh, Quota: v1.Quota.High}, {Class: contract.ClassUnknown},
		},
	}

	for i := range plan.Verdicts {
		v.ranked = max(v.ranked, plan.Verdicts[i].Rank)
	}
	return v
}

func (v *viewV1) container(id string) *Container {
	all := v.facts.Containers
	i := sort.Search(len(all), func(i int) bool { return all[i].ID >= id })
	if i == len(all) || all[i].ID != id {
		return &Container{Identity: &policy2.Identity{ID: id}}
	}
	return &all[i]
}

// rowV1 is a verdict with what it is about.
type rowV1 struct {
	*Verdict
	c     *Container
	class contract.Class
	place int // the class's in the order
}

// inOrder are the verdicts in the order of version 1: by class, rank (unranked last) and id.
func (v *viewV1) inOrder(plan *Plan) []rowV1 {
	rows := make([]rowV1, len(plan.Verdicts))
	for i := range plan.Verdicts {
		of := &plan.Verdicts[i]
		c := v.container(of.ID)
		class := v.class(c, of.Rank)
		rows[i] = rowV1{of, c, class, ClassOrder(class)}
	}

	slices.SortFunc(rows, func(a, b rowV1) int {
		switch {
		case a.place != b.place:
			return cmp.Compare(a.place, b.place)
		case a.Rank != b.Rank:
			return cmp.Compare(last(a.Rank), last(b.Rank))
		default:
			return strings.Compare(a.ID, b.ID)
		}
	})
	return rows
}

// add writes a verdict down, and counts it.
func (v *viewV1) add(of rowV1) {
	i := len(v.verdicts)
	v.verdicts = append(v.verdicts, contract.Verdict{
		ID: of.ID, Name: of.Name, Image: of.Image, Class: of.class, Owned: of.IsOwn(),
		Verdict: contract.VerdictKeep, Reason: of.Reason, Rank: of.Rank, Cut: of.Cut,
		Young: of.Standing == contract.ReasonYoung, StartedAt: of.StartedAt, DecidingKey: contract.Key(of.DecidingKey),
	})
	out := &v.verdicts[i]

	if of.Step == policy2.StepRemove {
		out.Verdict = contract.VerdictRemove
	}

	if m := of.c.Member; m != nil {
		out.AgeUS, out.StartUS = m.AgeUS, m.StartUS
		if m.Measured || of.Rank > 0 {
			v.measures[i] = m.Measures
			out.Measures = &v.measures[i]
		}
	}

	if n := of.Neighbour; n != nil {
		v.neighbours[i] = contract.Neighbour{ID: n.ID, Name: n.Name, Rank: n.Rank, Measures: v.container(n.ID).Member.Measures}
		out.Neighbour = &v.neighbours[i]
	}
	v.count(out, of.c.Alive())
}

// class is the declared one. In rank mode it is that of the rank: the lower half of the list is low and the upper half high, moved just
// so far that every place is of its own class.
func (v *viewV1) class(c *Container, rank int) contract.Class {
	if !v.v1.rank || rank == 0 {
		return v.v1.classOf(c.Identity)
	}

	low := min(max(v.ranked/2, v.v1.Quota.Low), v.ranked)
	if v.ranked > v.v1.Quota.Low+v.v1.Quota.High {
		low = min(low, v.ranked-v.v1.Quota.High)
	}
	if rank <= low {
		return contract.ClassLow
	}
	return contract.ClassHigh
}

// count counts a verdict in the population of its class.
func (v *viewV1) count(one *contract.Verdict, alive bool) {
	c := &v.counts[ClassOrder(one.Class)]
	c.Owned += count01(one.Owned && alive)
	c.ManagedElsewhere += count01(one.Reason == contract.ReasonElsewhere && alive)
	c.Eligible += count01(one.Rank > 0)
	c.Removals += count01(one.Verdict == contract.VerdictRemove)
	c.OverCapped += count01(one.Reason == contract.ReasonCapped)
}

func count01(yes bool) int {
	if yes {
		return 1
	}
	return 0
}
