package oracle

import (
	"fmt"
	"testing"

	"gestor.local/contract"
)

// crowd makes n containers with figures that differ, as a busy host has them.
func crowd(n int) (contract.Population, contract.Inventory) {
	boxes := make([]box, n)
	for i := range boxes {
		class := contract.ClassLow
		if i%2 == 0 {
			class = contract.ClassHigh
		}
		boxes[i] = box{name: fmt.Sprintf("crowd-%d", i), class: class, cpu: uint64(i*7919) % 1000, ram: uint64(i*104729) % 200_000}
	}

	pop, inv := buildInput(boxes...)
	for i := range pop.Members {
		pop.Members[i].Processes = 10
	}
	return pop, inv
}

// BenchmarkDecide: 1,000 containers are to take less than 2 ms, and the cost is to grow in proportion. The processes of
// a container are summed up before the decision, which does not depend on their number.
func BenchmarkDecide(b *testing.B) {
	for _, n := range []int{10, 100, 1000, 10_000} {
		b.Run(fmt.Sprintf("containers=%d", n), func(b *testing.B) {
			pop, inv := crowd(n)
			p := contract.DefaultPolicy()
			b.ReportAllocs()
			for b.Loop() {
				Decide(p, pop, inv, contract.Context{})
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/container")
		})
	}
}
