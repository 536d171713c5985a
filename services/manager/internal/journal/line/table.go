package line

import (
	"slices"
	"strings"

	"gestor.local/contract/policy2"
	"gestor.local/manager/internal/rules"
)

// Table is what the lines of a segment so far say: the host and every container, each under its number. The next line is written,
// and read, as the changes to it. It is for one goroutine at a time.
type Table struct {
	labels       Labels
	namesOnly    bool
	host, before host
	// slots are sorted by id, spare is what they lay in before, at is the index of a number in them, -1 for one that is gone.
	slots, spare []slot
	at           []int
	order        []int // where the containers of the last plan's verdicts are, which are mostly those of the next

	rows, births, exits []byte   // of the line that is being written
	texts               [][]byte // the rows of the line that is being read, by where their containers are
	hash                planHasher
	ofHost              fields[host]
	ofIdentity          fields[policy2.Identity]
	ofContainer         fields[rules.Container]
	ofMember            fields[member]

	// One container at a time, while it is written.
	noContainer      rules.Container
	noMember, member member
}

// NamesOnly is a table for those who ask for names, numbers and clocks alone, which are a small part of the work: of a container it has
// its identity, and all else as it was when the container was born or last changed its name.
func NamesOnly() *Table {
	t := NewTable()
	t.namesOnly = true
	return t
}

// slot is one container.
type slot struct {
	n    int
	c    rules.Container // without Member
	m    member
	said said
}

// NewTable is that of a segment without lines.
func NewTable() *Table {
	return &Table{
		ofHost: hostFields(), ofIdentity: identityFields(), ofContainer: containerFields(), ofMember: memberFields(),
		noContainer: rules.Container{Identity: &policy2.Identity{}},
	}
}

// Reset forgets everything: another segment begins.
func (t *Table) Reset() {
	t.host = host{}
	clear(t.slots)
	t.slots, t.at = t.slots[:0], t.at[:0]
}

// Tick is the number of the last tick, 0 before the first.
func (t *Table) Tick() uint64 { return t.host.tick }

// WallUS is the wall clock on the last tick, in microseconds since the epoch.
func (t *Table) WallUS() int64 { return t.host.wallLessGUS + t.host.gLessBootUS + int64(t.host.bootUS) }

// Empty says that there is no container.
func (t *Table) Empty() bool { return len(t.slots) == 0 }

// Facts are those of the last line. They share nothing with the table but identities, which stay the same pointers while nothing
// of them changes.
func (t *Table) Facts() (f rules.Facts) {
	t.FactsInto(&f)
	return f
}

// FactsInto is Facts for one tick after the other: the containers take the place of those that f has.
func (t *Table) FactsInto(f *rules.Facts) {
	all := slices.Grow(f.Containers[:0], len(t.slots))[:len(t.slots)]
	for i := range t.slots {
		all[i] = t.slots[i].c
		all[i].Member = t.slots[i].m.pointer()
	}
	*f = t.host.facts()
	f.Containers = all
}

// Withheld lists the labels of a container of which the line has the key alone. Sorted.
func (t *Table) Withheld(id string) []string {
	if i, ok := t.find(id); ok {
		return t.slots[i].c.Withheld
	}
	return nil
}

// Number is the number of a container, -1 for one that is not there.
func (t *Table) Number(id string) int {
	if i, ok := t.find(id); ok {
		return t.slots[i].n
	}
	return -1
}

// ID is the id of the container with a number, "" for one that is not there.
func (t *Table) ID(number int) string {
	if number < 0 || number >= len(t.at) || t.at[number] < 0 {
		return ""
	}
	return t.slots[t.at[number]].c.ID
}

func (t *Table) find(id string) (int, bool) {
	return slices.BinarySearchFunc(t.slots, id, func(s slot, id string) int { return strings.Compare(s.c.ID, id) })
}

// foresee changes a container into what the next line has if nothing happens: its counter of CPU time goes on by that of the
// interval, and its network is read as long before the tick as before. On a second look at a tick no time has passed.
func (t *Table) foresee(s *slot, cpu policy2.Fact[uint64], passedUS uint64) {
	if passedUS == 0 {
		return
	}

	if s.c.CPUTotalUS.Known && cpu.Known {
		s.c.CPUTotalUS.Value += cpu.Value
	}

	if s.c.NetBootUS != 0 {
		s.c.NetBootUS += passedUS
	}

	s.m.foresee(t.host.intervalUS)
}

// number lists where the numbers are.
func (t *Table) number() {
	for n := range t.at {
		t.at[n] = -1
	}
	for i := range t.slots {
		t.at[t.slots[i].n] = i
	}
}
