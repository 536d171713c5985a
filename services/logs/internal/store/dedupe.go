package store

import (
	"gestor.local/logs/internal/line"
	"gestor.local/logs/internal/segment"
)

// dedupe remembers every record ever stored: for each producer the ranges of its numbers. A producer that sends in
// order and loses nothing costs one range, however long it lives.
type dedupe map[line.Identity]*segment.Ranges

func (d dedupe) of(id line.Identity) *segment.Ranges {
	r := d[id]
	if r == nil {
		r = &segment.Ranges{}
		d[id] = r
	}
	return r
}

// add notes a record; false when it was stored before.
func (d dedupe) add(id line.Identity, pseq uint64) bool { return d.of(id).Add(pseq) }

func (d dedupe) remove(id line.Identity, pseq uint64) { d.of(id).Remove(pseq) }

func (d dedupe) merge(id line.Identity, ranges segment.Ranges) { d.of(id).Merge(ranges) }
