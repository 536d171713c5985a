package policy2

import "gestor.local/contract"

// Default is a policy in which every key but version is left out: Gestor's own containers, no rule, and so nothing that is
// done. Every call makes a new one, which shares nothing with others.
func Default() Policy {
	return Policy{
		Version: Version,
		Mode:    contract.ModeEnforce,
		Tick:    10 * Second,

		Own:     []Selector{{Label: &Label{Key: contract.LabelManaged, Value: "true"}}},
		Protect: []Selector{},
		Rules:   []Rule{},

		Budget:   defaultBudget(),
		Surprise: 30,
		Idle:     Idle{CPU: percent / 10, Net: 100},

		Rank:    []contract.Key{contract.KeyCPU, contract.KeyRAM, contract.KeyVSZ, contract.KeyRSS},
		Buckets: contract.Buckets{CPUMillicores: 10, RAMKB: 1024},
		Warmup:  1,
		Gates:   contract.DefaultPolicy().Gates,
		Young:   contract.Young{Max: 10_000},
		Images:  map[string]contract.Class{},
		Act: Act{
			Calls: []contract.Rung{contract.RungStop, contract.RungRemove},
			Grace: 5 * Second, ThrottleMillicores: 100, Parallel: 4, Deadline: 20 * Second,
			StuckAfter: 3, BreakerAfter: 5, FutileAfter: 3,
		},
	}
}

// Shipped is the policy of policy/policy.yaml, which is in force as well where no file is given: of what Gestor's generator started the
// 3 lightest of class low and the 2 heaviest of class high stay. It decides as the default of version 1 does, and has its figures from
// there. Every call makes a new one, which shares nothing with others.
func Shipped() Policy {
	p, v1 := Default(), contract.DefaultPolicy()
	contest := func(class contract.Class, order Order, places int) Rule {
		return Rule{
			Name: string(class), Match: []Selector{{Class: []contract.Class{class}}}, Each: EachContainer,
			Keep: Keep{Order: order, Places: places}, Rest: Ladder{{Step: StepRemove}},
		}
	}
	p.Rules = []Rule{contest(contract.ClassLow, Lightest, v1.Quota.Low), contest(contract.ClassHigh, Heaviest, v1.Quota.High)}

	// Version 1 has no span of an hour: this one cannot be reached.
	p.Budget = []Rate{{N: v1.Caps.PerTick}, {N: v1.Caps.PerMinute, Span: Minute}, {N: 60 * v1.Caps.PerMinute, Span: Hour}}
	p.Surprise, p.Young, p.Images, p.Act.Calls = v1.Caps.MaxPlanPercent, v1.Young, v1.Images, v1.Act.Ladder
	return p
}

// None is the policy where there is none: it owns nobody, and is observed. Every call makes a new one, which shares nothing with others.
func None() Policy {
	p := Default()
	p.Own, p.Mode = []Selector{}, contract.ModeObserve
	return p
}

// defaultBudget is sorted by span, that of a tick first.
func defaultBudget() []Rate {
	return []Rate{{N: 5}, {N: 30, Span: Minute}, {N: 30, Span: Hour}}
}
