// Package oracletest makes inputs of decisions under policies of version 1: single ticks, and histories of many.
package oracletest

import (
	"fmt"

	"gestor.local/contract"
)

// Box is a container as the tests describe it: one line a container.
type Box struct {
	Name     string
	Class    contract.Class
	CPU, RAM uint64 // milli-cores, KB
	Age      uint64 // seconds; 0 is a minute
}

const secondUS = 1_000_000

// NowUS is the time of the snapshot of Build, since boot.
const NowUS = 1000 * secondUS

// ID is the full id of the container with this name, of up to 32 bytes.
func ID(name string) string { return fmt.Sprintf("%064x", name)[:64] }

// Build makes the inputs of a tick: owned, running, mature and measured, unless a test changes them.
func Build(boxes ...Box) (contract.Population, contract.Inventory) {
	pop := contract.Population{Sequence: 7, MonotonicUS: NowUS, IntervalUS: 10 * secondUS, CPUs: 4}
	var inv contract.Inventory
	for _, b := range boxes {
		age := b.Age
		if age == 0 {
			age = 60
		}

		pop.Members = append(pop.Members, contract.Member{
			ID: ID(b.Name), StartUS: NowUS - age*secondUS, SeenTicks: 2 + int(age/10), AgeUS: age * secondUS, Measured: true,
			Measures: contract.Measures{CPUMillicores: b.CPU, RAMKB: b.RAM, VSZKB: 2 * b.RAM, RSSKB: b.RAM},
		})

		labels := map[string]string{contract.LabelManaged: "true"}
		if b.Class != "" {
			labels[contract.LabelClass] = string(b.Class)
		}
		inv.Entries = append(inv.Entries, contract.Entry{
			ID: ID(b.Name), Name: b.Name, Image: "gestor/x", Labels: labels, State: contract.StateRunning, StartedAt: "2026-01-02T03:04:05Z",
		})
	}
	return pop, inv
}

// Lows makes n low containers with rising CPU.
func Lows(n int) []Box {
	boxes := make([]Box, n)
	for i := range boxes {
		boxes[i] = Box{Name: fmt.Sprintf("l%d", i), Class: contract.ClassLow, CPU: uint64(10 * i), RAM: 5000}
	}
	return boxes
}

// Highs makes n high containers with falling CPU.
func Highs(n int) []Box {
	boxes := make([]Box, n)
	for i := range boxes {
		boxes[i] = Box{Name: fmt.Sprintf("h%d", i), Class: contract.ClassHigh, CPU: uint64(1000 - 10*i), RAM: 5000}
	}
	return boxes
}
