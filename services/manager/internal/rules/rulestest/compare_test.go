package rulestest_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"gestor.local/contract"
	"gestor.local/contract/policy2"
	"gestor.local/manager/internal/rules"
	"gestor.local/manager/internal/rules/rulestest"
)

// counts says how much a property has looked at.
type counts struct{ worlds, ticks, compared, steps int }

func (n *counts) log(t *testing.T) {
	t.Helper()
	t.Logf("%d worlds, %d ticks, %d comparisons, %d steps", n.worlds, n.ticks, n.compared, n.steps)
	const enough = 50 // worlds, of which surely some have what is compared, and steps
	if n.worlds >= enough && (n.compared == 0 || n.steps == 0) {
		t.Error("nothing was compared: the property says nothing")
	}
}

// harshness is the harshest step of each container in a plan, by its place among the steps. A guard that makes a step a notice
// counts as one on the ticks between its notices too.
func harshness(plan *rules.Plan) map[string]int {
	warning := []string{contract.ReasonElsewhere, rules.ReasonOwnGrew, rules.ReasonRmVolumes, rules.ReasonRmStop}
	out := make(map[string]int, len(plan.Verdicts))
	for _, v := range plan.Verdicts {
		harshest := slices.Index(policy2.Steps(), v.Step)
		if slices.Contains(warning, v.Guard) {
			harshest = max(harshest, slices.Index(policy2.Steps(), policy2.StepWarn))
		}
		for _, p := range v.Passing {
			harshest = max(harshest, slices.Index(policy2.Steps(), p.Step))
		}
		out[v.ID] = harshest
	}
	return out
}

// variant is another input for the same tick, of which the plan must be no harsher.
type variant struct {
	what    string
	program *rules.Program
	facts   rules.Facts
}

// neverHarsher lets drawn worlds live without a budget, and on many of their ticks compares the plan with that of a variant.
func neverHarsher(t *testing.T, vary func(rng *rand.Rand, tick *rulestest.Tick) (variant, bool)) {
	var n counts
	defer n.log(t)
	rapid.Check(t, func(rt *rapid.T) {
		w := drawWorld(rt, withoutBudget(drawPolicy(rt)), 4*hour)
		rng := drawn(rt, "variants").Rand
		n.worlds++

		w.OnTick = func(tick *rulestest.Tick) {
			n.ticks++
			for range 2 {
				v, ok := vary(rng, tick)
				if !ok {
					continue
				}
				n.compared++
				n.steps += compare(rt, tick, v)
			}
		}
		w.Run(4 * hour)
	})
}

// compare fails where the variant is harsher to anybody. It gives the number of steps of the plan.
func compare(t *rapid.T, tick *rulestest.Tick, v variant) (steps int) {
	plan := rules.Decide(v.program, tick.Before, &v.facts)
	was, is := harshness(&tick.Plan), harshness(&plan)
	for id, step := range was {
		if step > 0 {
			steps++
		}
		if is[id] > step {
			t.Fatalf("%s: %s is harsher to %s\nwas %s\nis  %s\n%s", rulestest.Moment(tick.At), v.what, nameOf(tick, id),
				verdictOf(&tick.Plan, id), verdictOf(&plan, id), describe(tick))
		}
	}
	return steps
}

func nameOf(tick *rulestest.Tick, id string) string {
	for _, c := range tick.Facts.Containers {
		if c.ID == id {
			return c.Name
		}
	}
	return id
}

func verdictOf(plan *rules.Plan, id string) string {
	for _, v := range plan.Verdicts {
		if v.ID == id {
			return line(v)
		}
	}
	return "no verdict"
}

// describe writes what a tick was decided by, and what was decided, for whoever looks for a fault.
func describe(tick *rulestest.Tick) string {
	var b strings.Builder
	policy := tick.Program.Policy()
	fmt.Fprintf(&b, "  own %s protect %s\n", line(policy.Own), line(policy.Protect))
	for _, r := range policy.Rules {
		fmt.Fprintf(&b, "  %s\n", line(r))
	}

	f := tick.Facts
	f.Containers = nil
	fmt.Fprintf(&b, "  %+v\n", f)
	for _, c := range tick.Facts.Containers {
		fmt.Fprintf(&b, "  %s %+v\n  %+v\n", c.State, *c.Identity, c)
	}
	for _, m := range tick.Before.Containers {
		fmt.Fprintf(&b, "  %s\n", line(m))
	}

	plan := tick.Plan
	fmt.Fprintf(&b, "  held %q notices %s give back %s\n", plan.Held, line(plan.Notices), line(plan.GiveBack))
	for _, v := range plan.Verdicts {
		fmt.Fprintf(&b, "  %s\n", line(v))
	}
	return b.String()
}

// line is the JSON of something, or why it has none.
func line(v any) string {
	out, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(out)
}

// TestUnknownIsNeverHarsher takes one fact of one container away, or one of the host.
func TestUnknownIsNeverHarsher(t *testing.T) {
	all := blurs()
	ttl := identity(func(id *policy2.Identity) {
		if _, ok := id.Labels["ttl"]; ok {
			labels := map[string]string{}
			for k, v := range id.Labels {
				labels[k] = v
			}
			labels["ttl"] = "soon"
			id.Labels = labels
		}
	})
	all = append(all, blurred{"the value of ttl", ttl})

	neverHarsher(t, func(rng *rand.Rand, tick *rulestest.Tick) (variant, bool) {
		v := variant{program: tick.Program, facts: tick.Facts}
		switch rng.IntN(16) {
		case 0:
			v.what, v.facts.ClockInDoubt = "a clock in doubt", true
		case 1:
			v.what, v.facts.MemoryTotalKB = "unknown memory of the host", policy2.Fact[uint64]{}
		default:
			if len(tick.Facts.Containers) == 0 {
				return v, false
			}
			i, blur := rng.IntN(len(tick.Facts.Containers)), all[rng.IntN(len(all))]
			v.what = "unknown: " + blur.name + " of " + tick.Facts.Containers[i].Name
			v.facts = changed(tick.Facts, i, blur.take)
		}
		return v, true
	})
}

// TestSparingAddsNoStep protects one container more, takes it from the own ones, or keeps it by a rule above all others.
func TestSparingAddsNoStep(t *testing.T) {
	spared := map[*rules.Program]*rules.Program{}
	neverHarsher(t, func(rng *rand.Rand, tick *rulestest.Tick) (variant, bool) {
		if len(tick.Facts.Containers) == 0 {
			return variant{}, false
		}
		i := rng.IntN(len(tick.Facts.Containers))
		c := &tick.Facts.Containers[i]
		v := variant{program: tick.Program}

		switch rng.IntN(3) {
		case 0:
			v.what, v.facts = "protecting "+c.Name, changed(tick.Facts, i, labelled("prot"))
		case 1:
			v.what, v.facts = "not owning "+c.Name, changed(tick.Facts, i, labelled("gestor.role"))
		default:
			// The program is another one, whose rules are known by the same hashes.
			if spared[tick.Program] == nil {
				p := *tick.Program.Policy()
				p.Rules = append([]policy2.Rule{{Name: "spared", Match: []policy2.Selector{{Name: []string{c.Name}}}, Do: ladder("keep")}}, p.Rules...)
				spared[tick.Program] = rules.New(p)
			}
			v.program = spared[tick.Program]
			v.what, v.facts = "a keep rule above", tick.Facts
		}
		return v, true
	})
}

func labelled(key string) func(*rules.Container) {
	return identity(func(id *policy2.Identity) {
		labels := map[string]string{key: "1"}
		for k, v := range id.Labels {
			labels[k] = v
		}
		id.Labels = labels
	})
}

// TestARuleMovedDownEndsNoMore moves one rule for containers below another: whom it stops or removes there, it does above too. A
// rule for projects may end more below: who is left out of a project, since a rule above ends it, is no reason to spare the rest.
func TestARuleMovedDownEndsNoMore(t *testing.T) {
	var n counts
	defer n.log(t)
	rapid.Check(t, func(rt *rapid.T) {
		d := drawn(rt, "moved")
		p := withoutBudget(drawPolicy(rt))
		if len(p.Rules) < 2 {
			p.Rules = append(p.Rules, d.rule(len(p.Rules)))
		}
		from := d.between(0, len(p.Rules)-2)
		to := d.between(from+1, len(p.Rules)-1)
		moved := p.Rules[from]
		if moved.Each == policy2.EachProject {
			rt.Skip("a rule for projects")
		}

		below := p
		below.Rules = slices.Insert(slices.Delete(slices.Clone(p.Rules), from, from+1), to, moved)
		other := rules.New(below)
		w := drawWorld(rt, p, 4*hour)
		n.worlds++
		w.OnTick = func(tick *rulestest.Tick) {
			n.ticks++
			n.compared++
			plan := rules.Decide(other, tick.Before, &tick.Facts)
			above := endedBy(&tick.Plan, moved.Name)
			n.steps += len(above)
			for id := range endedBy(&plan, moved.Name) {
				if !above[id] {
					rt.Fatalf("%s: rule %s, moved from %d to %d, ends %s there\nwas %s\nis  %s\n%s", rulestest.Moment(tick.At), moved.Name,
						from, to, nameOf(tick, id), verdictOf(&tick.Plan, id), verdictOf(&plan, id), describe(tick))
				}
			}
		}
		w.Run(4 * hour)
	})
}

// endedBy are the ids of those whom a rule stops or removes.
func endedBy(plan *rules.Plan, rule string) map[string]bool {
	out := map[string]bool{}
	for _, v := range plan.Verdicts {
		if v.Rule >= 0 && plan.Rules[v.Rule].Name == rule && (v.Step == policy2.StepStop || v.Step == policy2.StepRemove) {
			out[v.ID] = true
		}
	}
	return out
}
