package oracle

import (
	"fmt"
	"testing"

	"gestor.local/contract"
	"gestor.local/manager/internal/rules/oracle/oracletest"
)

// box is a container as the tests describe it: one line a container.
type box struct {
	name     string
	class    contract.Class
	cpu, ram uint64
	age      uint64 // seconds
}

const (
	second = 1_000_000 // µs
	now    = oracletest.NowUS
)

func id(name string) string { return oracletest.ID(name) }

// buildInput makes the inputs of a tick: owned, running, mature and measured, unless a test changes them.
func buildInput(boxes ...box) (contract.Population, contract.Inventory) {
	all := make([]oracletest.Box, len(boxes))
	for i, b := range boxes {
		all[i] = oracletest.Box{Name: b.name, Class: b.class, CPU: b.cpu, RAM: b.ram, Age: b.age}
	}
	return oracletest.Build(all...)
}

// removed lists the names the plan removes, in the plan's order.
func removed(plan contract.Plan) []string {
	var names []string
	for _, v := range plan.Verdicts {
		if v.Verdict == contract.VerdictRemove {
			names = append(names, v.Name)
		}
	}
	return names
}

func verdictOf(t *testing.T, plan contract.Plan, name string) contract.Verdict {
	t.Helper()
	for _, v := range plan.Verdicts {
		if v.ID == id(name) {
			return v
		}
	}
	t.Fatalf("no verdict on %s", name)
	return contract.Verdict{}
}

func TestDecideKeepsTheLightestLowAndTheHeaviestHigh(t *testing.T) {
	pop, inv := buildInput(
		box{name: "l1", class: "low", cpu: 50, ram: 9000},
		box{name: "l2", class: "low", cpu: 10, ram: 9000},
		box{name: "l3", class: "low", cpu: 30, ram: 9000},
		box{name: "l4", class: "low", cpu: 20, ram: 9000},
		box{name: "h1", class: "high", cpu: 500, ram: 9000},
		box{name: "h2", class: "high", cpu: 900, ram: 9000},
		box{name: "h3", class: "high", cpu: 700, ram: 9000},
	)

	plan := Decide(contract.DefaultPolicy(), pop, inv, contract.Context{Tick: 3})
	if got := fmt.Sprint(removed(plan)); got != "[l1 h1]" {
		t.Fatalf("removed %s", got)
	}
	v := verdictOf(t, plan, "l1")
	if v.Rank != 4 || v.Cut != 3 || v.Neighbour.Name != "l3" || v.DecidingKey != contract.KeyCPU {
		t.Errorf("verdict on l1: %+v", v)
	}
	if plan.Tick != 3 || plan.Sequence != 7 || plan.Surprise {
		t.Errorf("plan %+v", plan)
	}
}
