package oracletest

import (
	"slices"

	"gestor.local/contract"
)

// GoldenInputs are those of the golden plans, by name.
func GoldenInputs() map[string]Input {
	return map[string]Input{
		"steady":  everyReason(func(*contract.Policy, *contract.Context) {}),
		"rank":    everyReason(func(p *contract.Policy, _ *contract.Context) { p.Classify = contract.ClassifyRank }),
		"capped":  everyReason(func(p *contract.Policy, _ *contract.Context) { p.Caps.PerTick = 1 }),
		"reload":  everyReason(func(_ *contract.Policy, c *contract.Context) { c.PolicyChanged = true }),
		"warmup0": everyReason(func(p *contract.Policy, _ *contract.Context) { p.Warmup = 0 }),
		"flood": everyReason(func(p *contract.Policy, _ *contract.Context) {
			p.Young.Max, p.Young.MemoryFloorKB = 2, 500_000
		}),
	}
}

// everyReason is a host with a container for nearly every reason there is.
func everyReason(change func(*contract.Policy, *contract.Context)) Input {
	boxes := append(append(Lows(6), Highs(4)...),
		Box{Name: "stranger", CPU: 900, RAM: 90_000}, Box{Name: "gestor-logs", Class: "low", CPU: 1, RAM: 900},
		Box{Name: "database", Class: "high", CPU: 300, RAM: 90_000}, Box{Name: "unknown", CPU: 5, RAM: 900},
		Box{Name: "paused", Class: "low", RAM: 900}, Box{Name: "leaving", Class: "low", CPU: 700, RAM: 900},
		Box{Name: "stuck", Class: "low", CPU: 700, RAM: 900}, Box{Name: "futile", Class: "low", CPU: 700, RAM: 900},
		Box{Name: "exited", Class: "low", RAM: 900}, Box{Name: "rowless", Class: "low", RAM: 900},
		Box{Name: "entryless", Class: "low", RAM: 900}, Box{Name: "odd", Class: "low", CPU: 1, RAM: 900},
		Box{Name: "new-1", Class: "low", RAM: 100_000, Age: 4}, Box{Name: "new-2", Class: "low", RAM: 100_000, Age: 3},
		Box{Name: "new-3", Class: "high", RAM: 100_000, Age: 2}, Box{Name: "new-4", Class: "low", RAM: 100_000, Age: 1})

	in := Input{Policy: contract.DefaultPolicy(), Context: contract.Context{
		Tick:    42,
		Leaving: []string{ID("leaving")}, Stuck: []string{ID("stuck")}, FutileNames: []string{"futile"},
	}}

	in.Population, in.Inventory = Build(boxes...)
	in.Population.Memory = contract.Memory{TotalKB: 1 << 21, AvailableKB: 350_000}

	in.Policy.Protect.Names = []string{"database"}
	for i := range boxes {
		e, m := &in.Inventory.Entries[i], &in.Population.Members[i]
		switch boxes[i].Name {
		case "stranger":
			e.Labels = nil
		case "gestor-logs":
			e.Labels[contract.LabelRole], e.Labels[contract.LabelConfigHash] = "logs", "1"
		case "paused":
			e.State = contract.StatePaused
		case "exited":
			e.State = "exited"

		case "odd":
			m.Measured, m.Why = false, contract.UnmeasuredImpossible
		case "new-1", "new-2", "new-3", "new-4":
			m.Measured, m.Why, m.SeenTicks = false, contract.UnmeasuredBaseline, 1
		}
	}

	in.Population.Members = slices.DeleteFunc(in.Population.Members, func(m contract.Member) bool { return m.ID == ID("rowless") })
	in.Inventory.Entries = slices.DeleteFunc(in.Inventory.Entries, func(e contract.Entry) bool { return e.ID == ID("entryless") })
	change(&in.Policy, &in.Context)
	return in
}
