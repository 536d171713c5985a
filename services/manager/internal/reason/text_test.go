package reason

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"gestor.local/contract"
	"gestor.local/manager/internal/rules"
	"gestor.local/manager/internal/rules/oracle/oracletest"
)

// decide makes the plan of which the words are asked.
func decide(in oracletest.Input) contract.Plan {
	return rules.DecideV1(rules.Compile(in.Policy), in.Population, in.Inventory, in.Context)
}

func verdictOf(t *testing.T, plan contract.Plan, name string) contract.Verdict {
	t.Helper()
	i := slices.IndexFunc(plan.Verdicts, func(v contract.Verdict) bool { return v.ID == oracletest.ID(name) })
	if i < 0 {
		t.Fatalf("no verdict on %s", name)
	}
	return plan.Verdicts[i]
}

func TestATextSaysWhatDecided(t *testing.T) {
	in := oracletest.Input{Policy: contract.DefaultPolicy()}
	in.Population, in.Inventory = oracletest.Build(
		oracletest.Box{Name: "l1", Class: "low", CPU: 50, RAM: 9000}, oracletest.Box{Name: "l2", Class: "low", CPU: 10, RAM: 9000},
		oracletest.Box{Name: "l3", Class: "low", CPU: 30, RAM: 9000}, oracletest.Box{Name: "l4", Class: "low", CPU: 20, RAM: 9000})
	plan := decide(in)

	want := "rank 4 of 4 low, lightest first: 3 stay; behind l3 (rank 3) by cpu: 50m against 30m"
	if got := Text(verdictOf(t, plan, "l1"), plan, Inputs{}); got != want {
		t.Errorf("\n got %s\nwant %s", got, want)
	}
}

// The texts that people read name the rank and the neighbour of everyone who competed.
func TestTextNamesTheNumbers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		plan := decide(oracletest.DrawInput(t))
		for _, v := range plan.Verdicts {
			said := Text(v, plan, Inputs{})
			if said == "" || said == v.Reason {
				t.Fatalf("no words for %s", v.Reason)
			}
			if v.Neighbour != nil && !strings.Contains(said, v.Neighbour.Name) {
				t.Fatalf("%q does not name %s", said, v.Neighbour.Name)
			}
		}
	})
}

// A key that comes late decides only where all before it tie, and two figures that differ can tie.
func TestATextNamesTheKeysThatTied(t *testing.T) {
	figures := func(cpu, ram, vsz, rss uint64) contract.Measures {
		return contract.Measures{CPUMillicores: cpu, RAMKB: ram, VSZKB: vsz, RSSKB: rss}
	}
	ramFirst := []contract.Key{contract.KeyRAM, contract.KeyCPU, contract.KeyVSZ, contract.KeyRSS}
	tests := []struct {
		name        string
		kept, leave contract.Measures
		older       uint64 // by how many seconds the kept one is
		rank        []contract.Key
		want        string
	}{
		{"the first key decides", figures(10, 9000, 5, 5), figures(50, 9000, 5, 5), 0, nil, "cpu: 50m against 10m"},
		{"the same figures", figures(10, 9000, 5, 5), figures(10, 9000, 6, 5), 0, nil, "vsz: 6 KB against 5 KB, since cpu and ram tie"},
		{
			"figures in one bucket", figures(9, 9000, 5, 5), figures(13, 9100, 5, 7), 0, nil,
			"rss: 7 KB against 5 KB, since cpu (13m and 9m, in buckets of 10m), ram (9100 KB and 9000 KB, in buckets of 1024 KB) and vsz tie",
		},
		{"the policy's own order", figures(10, 9000, 5, 5), figures(50, 9000, 5, 5), 0, ramFirst, "cpu: 50m against 10m, since ram ties"},
		{"age", figures(10, 9000, 5, 5), figures(10, 9000, 5, 5), 9, nil, "age, since cpu, ram, vsz and rss tie"},
		{"id", figures(10, 9000, 5, 5), figures(10, 9000, 5, 5), 0, nil, "id, since cpu, ram, vsz, rss and age tie"},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			pop, inv := oracletest.Build(oracletest.Box{Name: "a", Class: "low", Age: 60 + tt.older}, oracletest.Box{Name: "b", Class: "low", Age: 60})
			pop.Members[0].Measures, pop.Members[1].Measures = tt.kept, tt.leave
			p := contract.DefaultPolicy()
			p.Quota.Low = 1
			if tt.rank != nil {
				p.Rank = tt.rank
			}

			plan := decide(oracletest.Input{Policy: p, Population: pop, Inventory: inv})
			if got := Text(verdictOf(t, plan, "b"), plan, Inputs{Policy: &p}); !strings.HasSuffix(got, "; behind a (rank 1) by "+tt.want) {
				t.Errorf("got  %s\nwant … %s", got, tt.want)
			}
		})
	}
}

func TestATextQuotesABadClassLabel(t *testing.T) {
	in := oracletest.Input{Policy: contract.DefaultPolicy()}
	in.Population, in.Inventory = oracletest.Build(oracletest.Lows(5)...)
	in.Inventory.Entries[4].Labels[contract.LabelClass] = "LOW"
	plan := decide(in)
	if said := Text(verdictOf(t, plan, "l4"), plan, Inputs{Inventory: &in.Inventory}); !strings.Contains(said, `"LOW"`) || !strings.Contains(said, "low and high") {
		t.Errorf("said of it: %s", said)
	}

	in.Inventory.Entries[4].Labels[contract.LabelClass] = strings.Repeat("x", 1<<20)
	if said := Text(verdictOf(t, plan, "l4"), plan, Inputs{Inventory: &in.Inventory}); len(said) > 300 {
		t.Errorf("a long label makes a text of %d bytes", len(said))
	}
	if said := Text(verdictOf(t, plan, "l4"), plan, Inputs{}); !strings.Contains(said, "nor the image map") {
		t.Errorf("said without its labels: %s", said)
	}
}

// Whoever asks why a container is left alone learns what it carries and what it would have to.
func TestATextSaysWhoseContainerWasWanted(t *testing.T) {
	managed, suite := contract.LabelManaged, contract.LabelSuite
	tests := []struct {
		name   string
		labels map[string]string
		suite  string
		want   string
	}{
		{"no label", nil, "gestor", "it carries no gestor.managed and no gestor.suite, this manager governs what carries gestor.managed=true and gestor.suite=gestor"},
		{"another suite", map[string]string{managed: "true", suite: "other"}, "gestor", "it carries gestor.managed=true and gestor.suite=other, this manager governs what carries gestor.managed=true and gestor.suite=gestor"},
		{"no suite", map[string]string{managed: "true"}, "gestor", "it carries gestor.managed=true and no gestor.suite, this"},
		{"another word", map[string]string{managed: "yes"}, "", "it carries gestor.managed=yes, this manager governs what carries gestor.managed=true"},
		{"a label that talks", map[string]string{managed: "true", suite: "gestor, this is ours"}, "gestor", `gestor.suite="gestor, this is ours", this manager`},
		{"a long label", map[string]string{managed: "true", suite: strings.Repeat("x", 1<<20)}, "gestor", `gestor.suite="` + strings.Repeat("x", 100) + `"…, this`},
		{"an empty label", map[string]string{managed: "true", suite: ""}, "gestor", `gestor.suite="", this manager`},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			pop, inv := oracletest.Build(oracletest.Box{Name: "a", Class: "low", CPU: 1, RAM: 900})
			inv.Entries[0].Labels = tt.labels
			plan := decide(oracletest.Input{Policy: contract.DefaultPolicy(), Population: pop, Inventory: inv, Context: contract.Context{Suite: tt.suite}})
			v := verdictOf(t, plan, "a")
			if v.Reason != contract.ReasonNotOwned {
				t.Fatalf("%+v", v)
			}

			if got := Text(v, plan, Inputs{Inventory: &inv, Suite: tt.suite}); !strings.Contains(got, tt.want) {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

func BenchmarkText(b *testing.B) {
	in := oracletest.Input{Policy: contract.DefaultPolicy()}
	in.Population, in.Inventory = oracletest.Build(append(oracletest.Lows(500), oracletest.Highs(500)...)...)
	plan := decide(in)
	for b.Loop() {
		for _, v := range plan.Verdicts {
			Text(v, plan, Inputs{})
		}
	}
}
