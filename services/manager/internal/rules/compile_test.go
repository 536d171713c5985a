package rules

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gestor.local/contract"
	"gestor.local/contract/policy2"
)

// What a file of version 1 says in the words of version 2.
func TestCompiledPolicy(t *testing.T) {
	v1 := contract.DefaultPolicy()
	v1.Mode, v1.Tick = contract.ModeShadow, contract.Duration(1500*time.Millisecond)
	v1.Protect = contract.Protect{Names: []string{"db"}, Labels: []string{"keep", "team=a"}}
	v1.Act.Ladder = []contract.Rung{contract.RungThrottle, contract.RungKill, contract.RungRemove}

	want := policy2.Default()
	want.Tick = 2 * policy2.Second
	want.Protect = []policy2.Selector{{Name: []string{"db"}}, label("keep", ""), label("team", "a")}
	want.Rules = []policy2.Rule{
		{
			Name: "low", Match: []policy2.Selector{{Class: []contract.Class{"low"}}}, Each: policy2.EachContainer,
			Keep: policy2.Keep{Order: policy2.Lightest, Places: 3}, Rest: ladder(step(policy2.StepRemove)),
		},
		{
			Name: "high", Match: []policy2.Selector{{Class: []contract.Class{"high"}}}, Each: policy2.EachContainer,
			Keep: policy2.Keep{Order: policy2.Heaviest, Places: 2}, Rest: ladder(step(policy2.StepRemove)),
		},
	}
	want.Budget = []policy2.Rate{{N: 20}, {N: 60, Span: policy2.Minute}}
	want.Surprise, want.Young.Max, want.Images = 90, 30, v1.Images
	want.Act.Calls = []contract.Rung{contract.RungKill, contract.RungRemove}

	p := Compile(v1)
	if diff := cmp.Diff(want, *p.Policy()); diff != "" {
		t.Error(diff)
	}
	if p.Hash() != v1.Hash() {
		t.Errorf("its hash is %s, that of the file %s", p.Hash(), v1.Hash())
	}

	if err := p.Policy().Validate(); err != nil {
		t.Errorf("it is no valid policy of version 2: %v", err)
	}
}

// In rank mode one rule has places at both ends, which no document can write.
func TestCompiledRankMode(t *testing.T) {
	v1 := contract.DefaultPolicy()
	v1.Classify = contract.ClassifyRank
	p := Compile(v1)

	if len(p.rules) != 1 || p.rules[0].Keep.Places != 3 || p.rules[0].tail != 2 || p.rules[0].Match != nil {
		t.Errorf("rules %+v", p.rules)
	}
}

// What version 1 does not read changes nothing: a fact that a guard of version 2 would read, or what is remembered of containers.
func TestVersionOneReadsNoMore(t *testing.T) {
	v1 := contract.DefaultPolicy()
	v1.Quota.Low = 0
	inv := contract.Inventory{Entries: []contract.Entry{{
		ID: "a", Name: "a", State: contract.StateRunning,
		Labels: map[string]string{contract.LabelManaged: "true", contract.LabelClass: "low"},
	}}}
	pop := contract.Population{Members: []contract.Member{{ID: "a", SeenTicks: 9, AgeUS: 1 << 40, Measured: true}}}

	for name, change := range map[string]func(f *Facts, m *Memory){
		"nothing": func(*Facts, *Memory) {},
		"--rm and an anonymous volume": func(f *Facts, _ *Memory) {
			f.Containers[0].AutoRemove, f.Containers[0].AnonymousVolumes = policy2.Known(true), policy2.Known(1)
		},
		"a socket":      func(f *Facts, _ *Memory) { f.Containers[0].Socket = policy2.Known(true) },
		"a past name":   func(_ *Facts, m *Memory) { m.Containers = []ContainerMemory{{ID: "a", Names: []string{"db"}}} },
		"a clock":       func(f *Facts, _ *Memory) { f.BootUS, f.GUS, f.ClockInDoubt = 1<<40, 1<<40, true },
		"no CPU figure": func(f *Facts, _ *Memory) { f.IntervalUS, f.Containers[0].CPUUS = 0, policy2.Fact[uint64]{} },
	} {
		v1.Protect.Names = []string{"db"}
		p, f, m := Compile(v1), FactsOfV1(pop, inv, contract.Context{}), MemoryOfV1(contract.Context{})
		change(&f, &m)
		plan := AsV1(p, &f, Decide(p, m, &f))
		if v := plan.Verdicts[0]; v.Verdict != contract.VerdictRemove || v.Reason != contract.ReasonOverQuota {
			t.Errorf("%s: %s (%s)", name, v.Verdict, v.Reason)
		}
	}
}
