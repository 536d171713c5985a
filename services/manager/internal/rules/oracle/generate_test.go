package oracle

import (
	"pgregory.net/rapid"

	"gestor.local/contract"
	"gestor.local/manager/internal/rules/oracle/oracletest"
)

// input is everything that Decide is given.
type input struct {
	p   contract.Policy
	pop contract.Population
	inv contract.Inventory
	ctx contract.Context
}

func (in input) decide() contract.Plan { return Decide(in.p, in.pop, in.inv, in.ctx) }

func inputOf(in oracletest.Input) input {
	return input{p: in.Policy, pop: in.Population, inv: in.Inventory, ctx: in.Context}
}

func drawInput(t *rapid.T) input { return inputOf(oracletest.DrawInput(t)) }

func shuffled(t *rapid.T, in input) input {
	in.pop.Members = rapid.Permutation(in.pop.Members).Draw(t, "members")
	in.inv.Entries = rapid.Permutation(in.inv.Entries).Draw(t, "entries")
	in.ctx.Leaving = rapid.Permutation(in.ctx.Leaving).Draw(t, "leaving")
	in.ctx.Stuck = rapid.Permutation(in.ctx.Stuck).Draw(t, "stuck")
	in.ctx.SuiteIDs = rapid.Permutation(in.ctx.SuiteIDs).Draw(t, "suite ids")
	in.ctx.FutileNames = rapid.Permutation(in.ctx.FutileNames).Draw(t, "futile")
	return in
}

func oneIn(t *rapid.T, n int, label string) bool { return rapid.IntRange(1, n).Draw(t, label) == 1 }
