package oracle

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"gestor.local/contract"
	"gestor.local/manager/internal/rules/oracle/oracletest"
)

// task makes an owned container of the scene a task of a swarm service.
func task(inv *contract.Inventory, name, service string) {
	label(inv, name, contract.LabelSwarmService, service, contract.LabelSwarmTask, name)
}

func label(inv *contract.Inventory, name string, pairs ...string) {
	for i := range inv.Entries {
		if inv.Entries[i].Name == name {
			for ; len(pairs) > 0; pairs = pairs[2:] {
				inv.Entries[i].Labels[pairs[0]] = pairs[1]
			}
		}
	}
}

func TestTasksStayAndCostNobodyAPlace(t *testing.T) {
	pop, inv := buildInput(append(lows(5), box{name: "t1", class: "low", cpu: 1, ram: 10}, box{name: "t2", class: "low", cpu: 900, ram: 10})...)
	sorted(&pop, &inv)
	task(&inv, "t1", "web")
	task(&inv, "t2", "web")
	plan := decideDefault(pop, inv)
	wantRemoved(t, plan, "l3", "l4") // as without the tasks, the lightest of all among them
	wantKept(t, plan, "t1", contract.ReasonElsewhere)
	wantKept(t, plan, "t2", contract.ReasonElsewhere)

	if c := plan.Counts[0]; c.Owned != 7 || c.Eligible != 5 || c.ManagedElsewhere != 2 || c.Deficit != 0 || c.Removals != 2 {
		t.Errorf("%+v", c)
	}
	if v := verdictOf(t, plan, "t1"); v.Rank != 0 || !v.Owned {
		t.Errorf("%+v", v)
	}
}

func TestTasksTakeThePlacesThatAreLeft(t *testing.T) {
	pop, inv := buildInput(append(lows(1), box{name: "t1", class: "low"}, box{name: "t2", class: "low"})...)
	sorted(&pop, &inv)
	task(&inv, "t1", "web")
	if c := decideDefault(pop, inv).Counts[0]; c.Deficit != 0 || c.ManagedElsewhere != 1 {
		t.Errorf("one of three low ones is a task: %+v", c)
	}
	task(&inv, "t2", "web")
	inv.Entries[slices.IndexFunc(inv.Entries, func(e contract.Entry) bool { return e.Name == "t2" })].State = contract.StateExited
	if c := decideDefault(pop, inv).Counts[0]; c.Deficit != 1 || c.ManagedElsewhere != 1 {
		t.Errorf("a task that has ended holds no place: %+v", c)
	}
}

// Whom no plan can remove does not make a plan look smaller than it is.
func TestTasksDoNotHideASurprise(t *testing.T) {
	boxes := lows(60)
	for i := range 100 {
		boxes = append(boxes, box{name: fmt.Sprintf("t%d", i), class: "low", ram: 5000})
	}
	pop, inv := buildInput(boxes...)
	sorted(&pop, &inv)
	for i := range 100 {
		task(&inv, fmt.Sprintf("t%d", i), "web")
	}

	if !decideDefault(pop, inv).Surprise {
		t.Error("57 of 60 that can be removed are no surprise beside a hundred tasks")
	}
}

func TestProtectedIsSaidBeforeManagedElsewhere(t *testing.T) {
	pop, inv := buildInput(box{name: "t1", class: "low"}, box{name: "t2", class: "low"})
	task(&inv, "t1", "web")
	label(&inv, "t2", contract.LabelSystemdUnit, "db.service")
	p := contract.DefaultPolicy()
	p.Protect.Labels = []string{contract.LabelSwarmService + "=web"}
	plan := Decide(p, pop, inv, contract.Context{})
	wantKept(t, plan, "t1", contract.ReasonProtected)
	wantKept(t, plan, "t2", contract.ReasonElsewhere)
}

// sorted brings the scene into the order in which the manager gives it.
func sorted(pop *contract.Population, inv *contract.Inventory) {
	slices.SortFunc(pop.Members, func(a, b contract.Member) int { return strings.Compare(a.ID, b.ID) })
	slices.SortFunc(inv.Entries, func(a, b contract.Entry) int { return strings.Compare(a.ID, b.ID) })
}

// In rank mode all compete in one list, so that tasks share the places of both classes.
func TestTasksInRankMode(t *testing.T) {
	pop, inv := buildInput(append(lows(4), box{name: "t0", cpu: 5, ram: 10}, box{name: "t1", cpu: 6, ram: 10})...)
	sorted(&pop, &inv)
	task(&inv, "t0", "web")
	task(&inv, "t1", "web")
	p := contract.DefaultPolicy()
	p.Classify = contract.ClassifyRank
	plan := Decide(p, pop, inv, contract.Context{})
	wantRemoved(t, plan)
}

// Whatever the population: no plan, nor that of the suite's end, removes what an orchestrator keeps, and with it there the
// others fare as without it, but for what sums over all of them.
func TestNoPlanRemovesWhatAnOrchestratorKeeps(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := drawInput(t)
		in.p.Young.MemoryFloorKB = 0
		kept := map[string]bool{}
		for i := range in.inv.Entries {
			e := &in.inv.Entries[i]
			for pairs := oracletest.DrawOrchestrated(t); len(pairs) > 0; pairs = pairs[2:] {
				e.Labels[pairs[0]], kept[e.ID] = pairs[1], true
			}
			if oneIn(t, 3, "owner") {
				e.Labels[contract.LabelOwner] = ownerContainer + id("gone")
			}
		}

		plan := in.decide()
		for _, p := range []contract.Plan{plan, Orphans(in.p, in.inv, in.ctx)} {
			for _, v := range p.Verdicts {
				if kept[v.ID] && v.Verdict != contract.VerdictKeep {
					t.Fatalf("%s is %s (%s)", v.Name, v.Verdict, v.Reason)
				}
			}
		}

		without := in
		without.inv.Entries = slices.DeleteFunc(slices.Clone(in.inv.Entries), func(e contract.Entry) bool { return kept[e.ID] })
		without.pop.Members = slices.DeleteFunc(slices.Clone(in.pop.Members), func(m contract.Member) bool { return kept[m.ID] })
		if got, want := removed(plan), removed(without.decide()); !slices.Equal(got, want) {
			t.Fatalf("removes %v, without those of orchestrators %v", got, want)
		}
	})
}
