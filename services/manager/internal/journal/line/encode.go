package line

import (
	"slices"
	"strings"

	"gestor.local/contract/policy2"
	"gestor.local/manager/internal/rules"
)

// SetLabels says which values of labels are written from now on. Between two lines of one segment it must not change.
func (t *Table) SetLabels(l Labels) { t.labels = l }

// Labels are those last set.
func (t *Table) Labels() Labels { return t.labels }

// AppendFacts writes the members of a facts line that says what has changed, without braces, and takes the facts over. look is 2
// for those of a second look at the same tick. Of a container that stands twice in the facts nothing is believed: it is written
// as one that is known by its id alone.
func (t *Table) AppendFacts(to []byte, f *rules.Facts, look int) []byte {
	t.before, t.host = t.host, hostOf(f)
	t.host.keep(&t.before)
	t.compare(t.sorted(f.Containers), t.host.bootUS-t.before.bootUS)

	o := object{text: to}
	o.tick("facts", look, &t.host)
	o.uint("sequence", t.host.sequence)
	o.uint("boot_us", t.host.bootUS)
	appendChanged(&o, t.ofHost.list, &t.before, &t.host)
	o.rows("births", t.births)
	o.rows("exits", t.exits)
	o.rows("rows", t.rows)
	return o.text
}

// AppendAll writes the members of the head's facts: the facts line that makes the table of an empty one. The containers are
// numbered anew.
func (t *Table) AppendAll(to []byte) []byte {
	o := object{text: to}
	o.tick("facts", 1, &t.host)
	o.uint("sequence", t.host.sequence)
	o.uint("boot_us", t.host.bootUS)
	appendChanged(&o, t.ofHost.list, &host{}, &t.host)

	t.births, t.at = t.births[:0], t.at[:0]
	for i := range t.slots {
		s := &t.slots[i]
		s.n, s.said = i, said{}
		t.birth(s)
		t.at = append(t.at, i)
	}

	o.rows("births", t.births)
	return o.text
}

// tick begins a line of a tick.
func (o *object) tick(kind string, look int, h *host) {
	o.uint(kind, h.tick)
	if look > 1 {
		o.int("look", int64(look))
	}
}

// rows writes a list, each entry of which begins with a comma; nothing where it is empty.
func (o *object) rows(key string, list []byte) {
	if len(list) > 0 {
		o.list(key)
		o.text = append(o.text, list[1:]...)
		o.endList()
	}
}

func appendChanged[T any](o *object, fields []field[T], before, now *T) {
	for i := range fields {
		f := &fields[i]
		if !f.same(before, now) {
			o.key(f.key)
			o.text = f.write(o.text, now)
		}
	}
}

// sorted are the containers by id, each once.
func (t *Table) sorted(list []rules.Container) []rules.Container {
	if t.isInOrder(list) {
		return list
	}

	order := func(a, b rules.Container) int { return strings.Compare(a.ID, b.ID) }
	list = slices.Clone(list)
	slices.SortStableFunc(list, order)
	kept := list[:0]
	for _, c := range list {
		if n := len(kept); n > 0 && kept[n-1].ID == c.ID {
			kept[n-1] = rules.Container{Identity: &policy2.Identity{ID: c.ID}}
			continue
		}
		kept = append(kept, c)
	}

	return kept
}

// isInOrder says that every container has a greater id than the one before. Those of the table do: where they have the same identities
// nothing of these is looked at.
func (t *Table) isInOrder(list []rules.Container) bool {
	i := 0
	for i < min(len(list), len(t.slots)) && list[i].Identity == t.slots[i].c.Identity {
		i++
	}
	for i = max(i, 1); i < len(list); i++ {
		if list[i-1].ID >= list[i].ID {
			return false
		}
	}
	return true
}

// isSame says that both are about one container.
func isSame(a, b *rules.Container) bool { return a.Identity == b.Identity || a.ID == b.ID }

// compare writes births, exits and rows, and takes the containers over.
func (t *Table) compare(now []rules.Container, passedUS uint64) {
	t.births, t.exits, t.rows = t.births[:0], t.exits[:0], t.rows[:0]
	i, k := 0, 0
	for i < len(t.slots) && k < len(now) && isSame(&t.slots[i].c, &now[k]) {
		t.row(&t.slots[i], &now[k], passedUS)
		i, k = i+1, k+1
	}

	if i == len(t.slots) && k == len(now) {
		return // as on nearly every tick
	}

	// Somebody came or went: the slots are put together anew.
	next := append(t.spare[:0], t.slots[:i]...)
	for i < len(t.slots) || k < len(now) {
		switch {
		case k == len(now) || i < len(t.slots) && t.slots[i].c.ID < now[k].ID:
			t.exits = append(t.exits, ',')
			t.exits = appendInt(t.exits, t.slots[i].n)
			i++

		case i == len(t.slots) || t.slots[i].c.ID > now[k].ID:
			next = append(next, slot{n: len(t.at), c: now[k], m: memberOf(now[k].Member)})
			next[len(next)-1].c.Member = nil
			t.at = append(t.at, 0)
			t.birth(&next[len(next)-1])
			k++

		default:
			next = append(next, t.slots[i])
			t.row(&next[len(next)-1], &now[k], passedUS)
			i, k = i+1, k+1
		}
	}

	clear(t.slots)
	t.spare, t.slots = t.slots, next
	t.number()
}

// birth writes all that is known of a container that was not there before.
func (t *Table) birth(s *slot) {
	o := object{text: append(t.births, `,{`...)}
	o.int("n", int64(s.n))
	o.string("id", s.c.ID)
	t.changed(&o, &t.noContainer, &s.c)
	if s.m.is {
		t.noMember = member{}
		t.changedMember(&o, &t.noMember, &s.m, &s.c)
	}

	o.close()
	t.births = o.text
}

// row writes what has changed of a container, if anything.
func (t *Table) row(s *slot, now *rules.Container, passedUS uint64) {
	t.foresee(s, now.CPUUS, passedUS)
	if s.c == *now && !s.m.is {
		return // without a member, or it would differ
	}

	o := object{text: append(t.rows, `,{`...)}
	o.int("n", int64(s.n))
	length := len(o.text)
	t.changed(&o, &s.c, now)
	if s.m.is || now.Member != nil {
		t.member = memberOf(now.Member)
		if s.m != t.member {
			t.changedMember(&o, &s.m, &t.member, &s.c)
		}
		s.m = t.member
	}

	s.c = *now
	s.c.Member = nil
	if len(o.text) > length {
		o.close()
		t.rows = o.text
	}
}

func (t *Table) changed(o *object, before, now *rules.Container) {
	if before.Identity != now.Identity {
		appendChanged(o, t.ofIdentity.list, before.Identity, now.Identity)
		if !t.labels.same(before.Labels, now.Labels) {
			o.key("labels")
			o.text = t.labels.write(o.text, now.Labels)
		}
	}

	appendChanged(o, t.ofContainer.list, before, now)

	if !sameFact(before.CPUTotalUS, now.CPUTotalUS) {
		o.key("cpu_total_us")
		o.text = appendFact(o.text, now.CPUTotalUS, appendUint)
	}

	if before.NetBootUS != now.NetBootUS {
		o.int("net_age_us", int64(t.host.bootUS-now.NetBootUS))
	}
}

// changedMember writes what has changed of a container's member, which before is changed by.
func (t *Table) changedMember(o *object, before, now *member, c *rules.Container) {
	o.key("member")
	if !now.is {
		o.text = append(o.text, "null"...)
		return
	}

	before.begin(c)
	o.open()
	appendChanged(o, t.ofMember.list, before, now)
	o.close()
}
