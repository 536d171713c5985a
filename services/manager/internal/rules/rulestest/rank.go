package rulestest

import "gestor.local/contract"

// Ranked is a row of the table of rank.yaml, whose policy is of version 1: one list, the lightest first.
type Ranked struct {
	Name     string
	CPU, RAM uint64 // milli-cores, MiB
	Verdict  string // as the page has it
	// Behind is the container on the other side of the cut, By the figure that decided between the two; "" where it stays.
	Behind string
	By     contract.Key
}

// Rank is the table of rank.yaml, in the order of the ranks.
func Rank() []Ranked {
	return []Ranked{
		{Name: "a", CPU: 0, RAM: 4, Verdict: contract.VerdictKeep},
		{Name: "b", CPU: 0, RAM: 6, Verdict: contract.VerdictKeep},
		{Name: "c", CPU: 12, RAM: 5, Verdict: contract.VerdictKeep},
		{Name: "d", CPU: 12, RAM: 64, Verdict: "remove: behind c by ram", Behind: "c", By: contract.KeyRAM},
		{Name: "e", CPU: 240, RAM: 5, Verdict: "remove: before f by cpu", Behind: "f", By: contract.KeyCPU},
		{Name: "f", CPU: 900, RAM: 7, Verdict: contract.VerdictKeep},
		{Name: "g", CPU: 1400, RAM: 7, Verdict: contract.VerdictKeep},
	}
}
