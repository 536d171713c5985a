package store

import (
	"gestor.local/logs/internal/line"
	"gestor.local/logs/internal/segment"
)

// dedupe remembers every record ever stored: for each producer the ranges of its numbers. A producer that sends in
// order and loses nothing costs one range, however long it lives.
type dedupe struct {
	producers map[line.Identity]*segment.Ranges
	last      line.Identity // of the record before, who mostly has the next as well
	its       *segment.Ranges
}

func newDedupe() dedupe { return dedupe{producers: map[line.Identity]*segment.Ranges{}} }

func (d *dedupe) of(id line.Identity) *segment.Ranges {
	if d.its != nil && d.last == id {
		return d.its
	}
	r := d.producers[id]
	if r == nil {
		r = &segment.Ranges{}
		d.producers[id] = r
	}
	d.last, d.its = id, r
	return r
}

// add notes a record; false when it was stored before.
func (d *dedupe) add(id line.Identity, pseq uint64) bool { return d.of(id).Add(pseq) }

func (d *dedupe) remove(id line.Identity, pseq uint64) { d.of(id).Remove(pseq) }

// gather notes what is read from the disk; settle is to be called after it and before anything else.
func (d *dedupe) gather(id line.Identity, ranges segment.Ranges) {
	r := d.of(id)
	*r = append(*r, ranges...)
}

func (d *dedupe) settle() {
	for _, r := range d.producers {
		r.Sort()
	}
}
