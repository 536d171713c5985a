package reason

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"gestor.local/contract"
	"gestor.local/manager/internal/rules/oracle/oracletest"
)

func task(inv *contract.Inventory, name, service string) {
	label(inv, name, contract.LabelSwarmService, service, contract.LabelSwarmTask, name)
}

func label(inv *contract.Inventory, name string, pairs ...string) {
	for i := range inv.Entries {
		for p := pairs; inv.Entries[i].Name == name && len(p) > 0; p = p[2:] {
			inv.Entries[i].Labels[p[0]] = p[1]
		}
	}
}

// sorted brings the inventory into the order in which the manager gives it.
func sorted(inv *contract.Inventory) {
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
			boxes := oracletest.Lows(tt.lows)
			for i := range tt.tasks {
				boxes = append(boxes, oracletest.Box{Name: fmt.Sprintf("t%d", i), Class: "low", CPU: 5, RAM: 10})
			}
			pop, inv := oracletest.Build(boxes...)
			sorted(&inv)
			for i, labels := range tt.tasks {
				label(&inv, fmt.Sprintf("t%d", i), labels...)
			}

			plan := decide(oracletest.Input{Policy: contract.DefaultPolicy(), Population: pop, Inventory: inv})
			v := verdictOf(t, plan, fmt.Sprintf("t%d", tt.who))
			if got := Text(v, plan, Inputs{Inventory: &inv}); got != tt.want {
				t.Errorf("\n got %s\nwant %s", got, tt.want)
			}
			if got := Text(v, plan, Inputs{}); got != fixedText(contract.ReasonElsewhere) {
				t.Errorf("without the labels: %s", got)
			}
		})
	}
}

func TestWordsWithoutPlaces(t *testing.T) {
	pop, inv := oracletest.Build(oracletest.Box{Name: "odd"}, oracletest.Box{Name: "done", Class: "low"})
	sorted(&inv)
	task(&inv, "odd", "web")
	task(&inv, "done", "job")
	inv.Entries[slices.IndexFunc(inv.Entries, func(e contract.Entry) bool { return e.Name == "done" })].State = contract.StateExited
	plan := decide(oracletest.Input{Policy: contract.DefaultPolicy(), Population: pop, Inventory: inv})
	for name, want := range map[string]string{
		"odd": "web has 1 replica of unknown class; never removed, swarm would start another", "done": "job has no living replica; never removed, swarm would start another",
	} {
		if got := Text(verdictOf(t, plan, name), plan, Inputs{Inventory: &inv}); got != want {
			t.Errorf("%s: %s", name, got)
		}
	}
}

func TestWordsInRankMode(t *testing.T) {
	in := oracletest.Input{Policy: contract.DefaultPolicy()}
	in.Policy.Classify = contract.ClassifyRank
	in.Population, in.Inventory = oracletest.Build(append(oracletest.Lows(4), oracletest.Box{Name: "t0", CPU: 5, RAM: 10}, oracletest.Box{Name: "t1", CPU: 6, RAM: 10})...)
	sorted(&in.Inventory)
	task(&in.Inventory, "t0", "web")
	task(&in.Inventory, "t1", "web")

	plan := decide(in)
	want := "web has 2 replicas for 1 place: docker service scale web=1"
	if got := Text(verdictOf(t, plan, "t0"), plan, Inputs{Inventory: &in.Inventory}); !strings.HasPrefix(got, want) {
		t.Errorf("%s, want %s", got, want)
	}
}

// The places of a class are given away once, and none is left while a workload has more replicas than places.
func TestSharesAddUp(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := oracletest.DrawInput(t)
		for i := range in.Inventory.Entries {
			if pairs := oracletest.DrawOrchestrated(t); len(pairs) > 0 {
				in.Inventory.Entries[i].Labels[pairs[0]] = pairs[1] + rapid.SampledFrom([]string{"", "2"}).Draw(t, "which")
			}
		}

		slices.SortFunc(in.Inventory.Entries, func(a, b contract.Entry) int { return strings.Compare(a.ID, b.ID) })
		plan := decide(in)
		type classSum struct{ replicas, places, over int }
		sums := map[contract.Class]*classSum{"low": {}, "high": {}, "unknown": {}}
		for _, s := range NewTexts(plan, Inputs{Inventory: &in.Inventory}).Shares {
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
