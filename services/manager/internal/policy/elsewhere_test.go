package policy

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"gestor.local/contract"
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

func TestWordsOnWorkloads(t *testing.T) {
	swarm := func(service string) []string { return []string{contract.LabelSwarmService, service} }
	for name, tt := range map[string]struct {
		lows  int        // that compete
		tasks [][]string // labels of each
		who   int        // whose words
		want  string
	}{
		"five for three": {
			0,
			[][]string{swarm("web"), swarm("web"), swarm("web"), swarm("web"), swarm("web")},
			0,
			"web has 5 replicas for 3 places: docker service scale web=3, and as many more as other nodes run; never removed, swarm would start another",
		},
		"others hold two": {
			2,
			[][]string{swarm("web"), swarm("web")},
			1,
			"web has 2 replicas for 1 place: docker service scale web=1, and as many more as other nodes run; never removed, swarm would start another",
		},
		"others hold all and more": {
			5,
			[][]string{swarm("web")},
			0,
			"web has 1 replica for 0 places: docker service scale web=0, and as many more as other nodes run; never removed, swarm would start another",
		},
		"enough places": {1, [][]string{swarm("web"), swarm("web")}, 0, "web has 2 replicas and 2 places; never removed, swarm would start another"},
		"the larger gives first": {
			0,
			[][]string{swarm("web"), swarm("web"), swarm("web"), swarm("web"), swarm("api"), swarm("api")},
			0,
			"web has 4 replicas for 1 place: docker service scale web=1, and as many more as other nodes run; never removed, swarm would start another",
		},
		"the smaller keeps": {
			0,
			[][]string{swarm("web"), swarm("web"), swarm("web"), swarm("web"), swarm("api"), swarm("api")},
			4,
			"api has 2 replicas and 2 places; never removed, swarm would start another",
		},
		"no name": {
			3,
			[][]string{{contract.LabelSwarmTask, "x"}},
			0,
			"a service has 1 replica for 0 places: docker service scale SERVICE=0, and as many more as other nodes run; never removed, swarm would start another",
		},
		"a hostile name": {
			3,
			[][]string{swarm("web; rm -rf /\n")},
			0,
			"web; rm -rf /\uFFFD has 1 replica for 0 places: docker service scale SERVICE=0, and as many more as other nodes run; never removed, swarm would start another",
		},
		"an option for a name": {
			3,
			[][]string{swarm("--detach")},
			0,
			"--detach has 1 replica for 0 places: docker service scale SERVICE=0, and as many more as other nodes run; never removed, swarm would start another",
		},
		"kubernetes": {
			2,
			[][]string{
				{contract.LabelPod, "web-5d9", contract.LabelPodNamespace, "shop", contract.LabelPodContainer, "app"},
				{contract.LabelPod, "web-7f1", contract.LabelPodNamespace, "shop", contract.LabelPodContainer, "app"},
			},
			0,
			"shop/app has 2 pods for 1 place: kubectl --namespace shop scale --replicas=1 OWNER, and as many more as other nodes run" +
				" (kubectl --namespace shop describe pod web-5d9 names the owner); never removed, Kubernetes would start another",
		},
		"nomad with extra labels": {
			3,
			[][]string{{contract.LabelNomadAlloc, "a1", contract.LabelNomadNamespace, "ns", contract.LabelNomadJob, "shop", contract.LabelNomadGroup, "web"}},
			0,
			"shop/web has 1 allocation for 0 places: nomad job scale -namespace=ns shop web 0, and as many more as other nodes run; never removed, Nomad would start another",
		},
		"nomad": {
			3,
			[][]string{{contract.LabelNomadAlloc, "a1"}},
			0,
			"Nomad's allocation a1 has 1 container for 0 places: nomad job scale JOB, by one less (nomad alloc status a1 names the job); never removed, Nomad would start another",
		},
		"a unit": {
			3,
			[][]string{{contract.LabelSystemdUnit, `my\x2dweb@1.service`}},
			0,
			`my\x2dweb@1.service has 1 container for 0 places: systemctl stop 'my\x2dweb@1.service'; never removed, systemd would start another`,
		},
		"units, the first of them keep": {
			1,
			[][]string{{contract.LabelSystemdUnit, "c.service"}, {contract.LabelSystemdUnit, "a.service"}, {contract.LabelSystemdUnit, "b.service"}},
			0,
			"c.service has 1 container for 0 places: systemctl stop c.service; never removed, systemd would start another",
		},
	} {
		t.Run(name, func(t *testing.T) {
			boxes := lows(tt.lows)
			for i := range tt.tasks {
				boxes = append(boxes, box{name: fmt.Sprintf("t%d", i), class: "low", cpu: 5, ram: 10})
			}
			pop, inv := buildInput(boxes...)
			sorted(&pop, &inv)
			for i, labels := range tt.tasks {
				label(&inv, fmt.Sprintf("t%d", i), labels...)
			}

			trimmed := Trim(contract.DefaultPolicy(), inv)
			plan := decideDefault(pop, inv)
			v := verdictOf(t, plan, fmt.Sprintf("t%d", tt.who))
			if got := Text(v, plan, Inputs{Inventory: &trimmed}); got != tt.want {
				t.Errorf("\n got %s\nwant %s", got, tt.want)
			}
			if got := Text(v, plan, Inputs{}); got != fixedText(contract.ReasonElsewhere) {
				t.Errorf("without the labels: %s", got)
			}
		})
	}
}

func TestWordsWithoutPlaces(t *testing.T) {
	pop, inv := buildInput(box{name: "odd"}, box{name: "done", class: "low"})
	sorted(&pop, &inv)
	task(&inv, "odd", "web")
	task(&inv, "done", "job")
	inv.Entries[slices.IndexFunc(inv.Entries, func(e contract.Entry) bool { return e.Name == "done" })].State = contract.StateExited
	plan := decideDefault(pop, inv)
	for name, want := range map[string]string{
		"odd": "web has 1 replica of unknown class; never removed, swarm would start another", "done": "job has no living replica; never removed, swarm would start another",
	} {
		if got := Text(verdictOf(t, plan, name), plan, Inputs{Inventory: &inv}); got != want {
			t.Errorf("%s: %s", name, got)
		}
	}
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
	want := "web has 2 replicas for 1 place: docker service scale web=1"
	if got := Text(verdictOf(t, plan, "t0"), plan, Inputs{Inventory: &inv}); !strings.HasPrefix(got, want) {
		t.Errorf("%s, want %s", got, want)
	}
}

// orchestrated draws the labels of an orchestrator, or none.
func orchestrated(t *rapid.T) []string {
	return rapid.SampledFrom([][]string{
		nil,
		{contract.LabelSwarmService, "web"},
		{contract.LabelSwarmTask, ""},
		{contract.LabelPod, "web-1"},
		{contract.LabelPodUID, "u"},
		{contract.LabelNomadAlloc, "a"},
		{contract.LabelSystemdUnit, "web.service"},
	}).Draw(t, "orchestrator")
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
			for pairs := orchestrated(t); len(pairs) > 0; pairs = pairs[2:] {
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

// The places of a class are given away once, and none is left while a workload has more replicas than places.
func TestSharesAddUp(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := drawInput(t)
		for i := range in.inv.Entries {
			if pairs := orchestrated(t); len(pairs) > 0 {
				in.inv.Entries[i].Labels[pairs[0]] = pairs[1] + rapid.SampledFrom([]string{"", "2"}).Draw(t, "which")
			}
		}

		slices.SortFunc(in.inv.Entries, func(a, b contract.Entry) int { return strings.Compare(a.ID, b.ID) })
		plan := in.decide()
		type classSum struct{ replicas, places, over int }
		sums := map[contract.Class]*classSum{"low": {}, "high": {}, "unknown": {}}
		for _, s := range NewTexts(plan, Inputs{Inventory: &in.inv}).Shares {
			sum := sums[s.Class]
			sum.replicas, sum.places, sum.over = sum.replicas+s.Replicas, sum.places+s.Places, sum.over+max(0, s.Replicas-s.Places)
			if s.Places > s.Replicas {
				t.Fatalf("%+v", s)
			}
		}

		for _, c := range plan.Counts {
			sum := sums[c.Class]
			if sum.replicas != c.ManagedElsewhere || sum.places != min(sum.replicas, freePlaces(plan, c.Class)) {
				t.Fatalf("%+v, shares %+v", c, *sum)
			}
		}
	})
}
