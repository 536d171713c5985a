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

// defaultBudget is sorted by span, that of a tick first.
func defaultBudget() []Rate {
	return []Rate{{N: 5}, {N: 30, Span: Minute}, {N: 30, Span: Hour}}
}
