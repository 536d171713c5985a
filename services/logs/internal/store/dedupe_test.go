package store

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"gestor.local/logs/internal/line"
	"gestor.local/logs/internal/segment"
)

// told is what was answered for a record.
type told struct {
	id   line.Identity
	pseq uint64
}

// dedupeModel remembers everything, and what a commit has added.
type dedupeModel struct {
	*rapid.T
	dedupe dedupe
	stored map[told]uint64 // → sequence number
	next   uint64
	oldest uint64 // sequence numbers below are deleted
}

// commit adds records in one commit, which may fail to be written.
func (m *dedupeModel) commit(records []told, written bool) {
	if !m.dedupe.hasSpace(len(records) * sizeOf(records[0].id)) {
		m.dedupe.evictDeleted(streamSeqs{m.oldest, m.oldest})
	}
	added := map[told]bool{}
	for _, r := range records {
		if m.dedupe.known(r.id) == nil && !m.dedupe.hasSpace(sizeOf(r.id)) {
			continue // has to wait
		}
		isNew, refused := m.dedupe.add(r.id, r.pseq)
		seq, before := m.stored[r]
		switch {
		case refused != "" && isNew:
			m.Fatalf("%v is new and refused", r)
		case refused != "":
		case isNew && (before && seq >= m.oldest || added[r]):
			m.Fatalf("%v would be stored twice", r)
		case !isNew && !before && !added[r]:
			m.Fatalf("%v is taken for a duplicate and is lost", r)
		}
		if isNew {
			added[r] = true
		}
	}
	for r := range added {
		if !written {
			m.dedupe.remove(r.id, r.pseq)
			continue
		}
		m.next++
		m.stored[r] = m.next
		m.dedupe.stored(r.id, Observations, m.next)
	}
	m.dedupe.committed()
}

func (m *dedupeModel) bounded() {
	names, ranges := 0, 0
	for id, s := range m.dedupe.senders {
		names += sizeOf(id)
		ranges += len(s.numbers)
		if len(s.numbers) > m.dedupe.limits.most {
			m.Fatalf("%d ranges of one sender", len(s.numbers))
		}
	}
	if names != m.dedupe.names || ranges != m.dedupe.ranges {
		m.Fatalf("counted %d bytes and %d ranges, there are %d and %d", m.dedupe.names, m.dedupe.ranges, names, ranges)
	}
	if names > m.dedupe.limits.names {
		m.Fatalf("%d bytes of names", names)
	}
}

// restart makes the memory anew from what is written down and from the records.
func (m *dedupeModel) restart() {
	again := newDedupe()
	again.limits = m.dedupe.limits
	for _, p := range m.dedupe.list() {
		again.addUnsorted(p, streamSeqs{})
	}
	for r, seq := range m.stored {
		if seq >= m.oldest {
			again.addUnsorted(segment.ProducerRange{Identity: r.id, Ranges: segment.Ranges{{r.pseq, r.pseq}}}, streamSeqs{seq})
		}
	}
	if lost := again.sort(); lost > 0 {
		m.Fatalf("%d senders are lost by a restart", lost)
	}
	m.dedupe = again
}

// Whatever numbers are sent in whatever order, by however many senders, a stored record is not stored again and a new one is
// not taken for a duplicate; what cannot be told is refused, and the memory keeps its bounds.
func TestNoDuplicateAndNoLossWithinBounds(t *testing.T) {
	ids := make([]line.Identity, 8)
	for i := range ids {
		ids[i] = line.Identity{Host: "h", Boot: fmt.Sprint("b", i), Producer: "p"}
	}
	rapid.Check(t, func(t *rapid.T) {
		m := &dedupeModel{T: t, dedupe: newDedupe(), stored: map[told]uint64{}}
		m.dedupe.limits = dedupeLimits{names: 5 * sizeOf(ids[0]), ranges: 12, most: 4, least: 2}
		record := rapid.Custom(func(t *rapid.T) told {
			return told{rapid.SampledFrom(ids).Draw(t, "sender"), rapid.Uint64Range(1, 40).Draw(t, "pseq")}
		})
		for range rapid.IntRange(1, 40).Draw(t, "commits") {
			m.commit(rapid.SliceOfN(record, 1, 8).Draw(t, "records"), rapid.IntRange(0, 4).Draw(t, "written") > 0)
			m.bounded()
			switch rapid.IntRange(0, 9).Draw(t, "then") {
			case 0:
				m.oldest = max(m.oldest, m.next/2)
			case 1:
				m.restart()
				m.bounded()
			}
		}
	})
}

// The work for a record does not grow with what its sender has sent before.
func TestSparseNumbersCostBoundedWork(t *testing.T) {
	const records = 200_000
	for name, pseq := range map[string]func(i uint64) uint64{
		"rising":   func(i uint64) uint64 { return 2*i + 1 },
		"falling":  func(i uint64) uint64 { return 2 * (records - i) },
		"folded":   func(i uint64) uint64 { return 2 * (records + (i%2)*i + (i+1)%2*(records-i)) },
		"shuffled": func(i uint64) uint64 { return 2*(i*7919%records) + 1 },
	} {
		t.Run(name, func(t *testing.T) {
			d := newDedupe()
			id := line.Identity{Host: "h", Boot: "b", Producer: "p"}
			for i := range uint64(records) {
				d.add(id, pseq(i))
				if i%1000 == 999 {
					d.committed()
				}
			}
			most := uint64(d.limits.most)
			if n := len(d.senders[id].numbers); uint64(n) > most {
				t.Errorf("%d ranges are kept", n)
			}
			if d.moved > 2*most*records {
				t.Errorf("%d ranges were moved for %d records", d.moved, records)
			}
		})
	}
}

// A sender that only rises is never refused, however many numbers it leaves out.
func TestRisingNumbersAreTaken(t *testing.T) {
	d := newDedupe()
	id := line.Identity{Host: "h", Boot: "b", Producer: "p"}
	for i := range uint64(3 * d.limits.most) {
		if isNew, refused := d.add(id, 10*i+1); !isNew {
			t.Fatalf("number %d: %s", 10*i+1, refused)
		}
		d.committed()
	}
	if isNew, refused := d.add(id, 5); isNew || refused == "" {
		t.Error("a number of which nothing is known any more is taken for one that is stored, or for a new one")
	}
	if isNew, refused := d.add(id, 10*uint64(3*d.limits.most-1)+1); isNew || refused != "" {
		t.Error("the newest number is no duplicate")
	}
}
