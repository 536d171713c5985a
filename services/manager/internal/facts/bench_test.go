package facts_test

import (
	"testing"

	"gestor.local/contract/policy2"
	"gestor.local/manager/internal/facts"
)

// A tick of a thousand containers of which nothing changes.
func BenchmarkFacts(b *testing.B) {
	h := newHost()
	for n := range 1000 {
		h.add(n + 1)
	}
	h.next()
	inv := h.inventory()
	snap, pop := h.reading()

	b.ReportAllocs()
	for b.Loop() {
		h.Observe(inv, snap)
		h.Inspected(nil)
		h.Counted(snap, pop, func(*policy2.Identity) bool { return true })
		h.Facts(facts.Tick{Clocks: h.read(), Population: pop, Snapshot: snap, Inventory: inv, Network: h.counts})
	}
}
