package rules

import (
	cmp2 "cmp"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"gestor.local/contract"
	"gestor.local/contract/policy2"
)

// drawRule draws a rule out of everything that a rule may have.
func drawRule(rng *rand.Rand, i int) policy2.Rule {
	pick := func(list ...policy2.Ladder) policy2.Ladder { return list[rng.IntN(len(list))] }
	steps := pick(
		ladder(step(policy2.StepKeep)), ladder(warnStep), ladder(throttleStep), ladder(stopStep), ladder(removeStep),
		ladder(warnStep, after(minute, policy2.StepStop), after(minute, policy2.StepRemove)),
		ladder(throttleStep, after(minute, policy2.StepRemove)),
	)
	var c policy2.Conditions
	for range rng.IntN(3) {
		switch rng.IntN(7) {
		case 0:
			c.Age = policy2.Duration(1+rng.IntN(120)) * minute
		case 1:
			c.Idle = policy2.Duration(1+rng.IntN(5)) * minute
		case 2:
			c.CPU, c.For = policy2.Percent(1000*(1+rng.IntN(20))), policy2.Duration(rng.IntN(2)*30)
		case 3:
			c.Processes = 1 + rng.IntN(6)
		case 4:
			c.Ended = policy2.Duration(1+rng.IntN(120)) * minute
		case 5:
			c.Expired = "ttl"
		case 6:
			c.RAM = policy2.Memory{Percent: policy2.Percent(1 + rng.IntN(3))}
		}
	}

	r := policy2.Rule{Name: fmt.Sprint("rule ", i)}
	if rng.IntN(2) == 0 {
		r.Match = []policy2.Selector{label("a", ""), {Name: []string{"c1*"}}}[rng.IntN(2):][:1]
	}
	if rng.IntN(3) == 0 {
		r.Each = policy2.EachProject
	}
	if steps[0].Step == policy2.StepKeep || rng.IntN(2) == 0 {
		r.When, r.Do = c, steps
		return r
	}
	if r.Each == policy2.EachUnset {
		r.Each = policy2.EachContainer
	}
	r.Keep = policy2.Keep{
		Order:  []policy2.Order{policy2.Newest, policy2.Oldest, policy2.Lightest, policy2.Heaviest}[rng.IntN(4)],
		Places: 1 + rng.IntN(3),
	}
	if rng.IntN(2) == 0 {
		r.Keep.Per = policy2.Per{By: policy2.ByLabel, Label: "a"}
	}
	r.RestWhen, r.Rest = c, steps
	return r
}

// drawHost draws a policy and a host under it.
func drawHost(rt *rapid.T, t *testing.T) (*host, *rand.Rand) {
	rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(rt, "seed"), 1))
	var list []policy2.Rule
	for i := range 1 + rng.IntN(6) {
		list = append(list, drawRule(rng, i))
	}
	p := policyOf(list...)
	p.Protect = []policy2.Selector{label("protected", "")}
	p.Budget = policy2.Budget([]policy2.Rate{{N: 1 + rng.IntN(9)}, {N: 20, Span: minute}, {N: 30, Span: hour}})
	p.Young = contract.Young{Max: rng.IntN(20), MemoryFloorKB: uint64(rng.IntN(2)) * 9 << 20}

	h := newHost(t, p)
	h.f.InForce = InForce{NeedsApproval: rng.IntN(2) == 0, Approved: true, OwnCount: rng.IntN(9)}
	for i := range 1 + rng.IntN(14) {
		h.draw(rng, i)
	}
	return h, rng
}

func (h *host) draw(rng *rand.Rand, i int) {
	b := h.add(fmt.Sprint("c", i), policy2.Duration(rng.IntN(180))*minute)
	one := func(n int) bool { return rng.IntN(n) == 0 }
	for _, l := range [][2]string{{"a", fmt.Sprint(rng.IntN(2))}, {"ttl", []string{"1h", "soon"}[i%2]}, {"protected", ""}} {
		if one(4) {
			b.Labels[l[0]] = l[1]
		}
	}
	if one(9) {
		delete(b.Labels, "own")
	}
	if one(2) {
		b.inProject(fmt.Sprint("p", rng.IntN(3)), fmt.Sprint("s", i), fmt.Sprint("s", rng.IntN(14)))
	}
	switch rng.IntN(9) {
	case 0:
		b.end(h, policy2.Duration(rng.IntN(180))*minute)
	case 1:
		b.State = contract.StatePaused
	case 2:
		b.NetworkMode = policy2.Known("container:c" + fmt.Sprint(rng.IntN(14)))
	case 3:
		b.NetBytes = policy2.Fact[uint64]{}
	case 4:
		b.AutoRemove, b.AnonymousVolumes = policy2.Known(true), policy2.Known(rng.IntN(2))
	case 5:
		b.CPUUS, b.RAMKB = policy2.Fact[uint64]{}, policy2.Fact[uint64]{}
	}
	b.cpu, b.Processes = uint64(rng.IntN(3)*1000), policy2.Known(rng.IntN(9))
	b.RAMKB.Value = uint64(rng.IntN(1 << 20))
}

// happen lets something happen between two ticks.
func (h *host) happen(rng *rand.Rand) {
	b := h.boxes[rng.IntN(len(h.boxes))]
	switch rng.IntN(8) {
	case 0:
		b.cpu = uint64(rng.IntN(3) * 1000)
	case 1:
		if !b.Alive() {
			b.start(h)
		}
	case 2:
		h.pass(policy2.Duration(rng.IntN(600)))
	case 3:
		h.f.InForce.Approved = rng.IntN(4) > 0
	case 4:
		h.draw(rng, len(h.boxes))
	}
}

// encoded is a value as it is kept, by which two are compared.
func encoded(rt *rapid.T, v any) string {
	text, err := json.MarshalIndent(v, "", " ")
	if err != nil {
		rt.Fatal(err)
	}
	return string(text)
}

// TestOrderAndPointersDoNotMatter: another order of the containers, other pointers to equal identities, a program that has seen
// nothing and a memory that was written down and read again give the same plan and the same memory, and so does a second call.
func TestOrderAndPointersDoNotMatter(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		h, rng := drawHost(rt, t)
		for range 30 {
			h.happen(rng)
			before := h.m
			plan := h.tick()

			other := h.facts()
			for i := range other.Containers {
				same := *other.Containers[i].Identity
				other.Containers[i].Identity = &same
			}
			rng.Shuffle(len(other.Containers), func(i, j int) {
				other.Containers[i], other.Containers[j] = other.Containers[j], other.Containers[i]
			})
			var again Memory
			if err := json.Unmarshal([]byte(encoded(rt, before)), &again); err != nil {
				rt.Fatal(err)
			}
			program := New(h.p.policy)
			for range 2 {
				if d := cmp.Diff(encoded(rt, plan), encoded(rt, Decide(program, again, &other))); d != "" {
					rt.Fatalf("the plan differs:\n%s", d)
				}
			}
			one, two := Remember(h.p, before, h.last, plan, nil), Remember(program, again, &other, Plan{}, nil)
			if d := cmp.Diff(encoded(rt, one), encoded(rt, two)); d != "" {
				rt.Fatalf("the memory differs:\n%s", d)
			}
		}
	})
}

// TestEveryContainerIsAccountedFor: each has one verdict, in order; nobody who is unowned, protected or not ready has a step; what
// is taken fits the budget.
func TestEveryContainerIsAccountedFor(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		h, rng := drawHost(rt, t)
		for range 30 {
			h.happen(rng)
			plan := h.tick()
			var ids []string
			for i, v := range plan.Verdicts {
				ids = append(ids, v.ID)
				if v.Standing != StandingReady && v.Step != policy2.StepKeep && v.Reason != contract.ReasonYoungFlood &&
					v.Reason != contract.ReasonMemoryFloor {
					rt.Fatalf("%s is %s: %s", v.Name, v.Standing, v.Step)
				}
				if i > 0 && last(plan.Verdicts[i-1].Rule+1) > last(v.Rule+1) {
					rt.Fatalf("verdict %d is out of order", i)
				}
			}

			slices.Sort(ids)
			if want := len(h.last.Containers); len(slices.Compact(ids)) != want {
				rt.Fatalf("%d verdicts on %d containers", len(ids), want)
			}
			h.checkBudget(rt)
		}
	})
}

// checkBudget: what counted on this tick is within its rate, or is one project that is larger.
func (h *host) checkBudget(rt *rapid.T) {
	counted, units := 0, map[string]bool{}
	for _, e := range h.m.Spent {
		if e.Tick == h.f.Tick {
			counted += e.N
		}
	}
	for _, v := range h.plan.Verdicts {
		if severityOf(v.Step) >= stops {
			units[cmp2.Or(v.Project, v.ID)] = true
		}
	}
	if rate := h.p.policy.Budget[0]; counted > rate.N && len(units) > 1 {
		rt.Fatalf("%d of %d units counted on one tick, of %d", counted, len(units), rate.N)
	}
}

// TestMemoryIsAValue: neither Decide nor Remember changes the memory that it is given.
func TestMemoryIsAValue(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		h, rng := drawHost(rt, t)
		for range 20 {
			h.happen(rng)
			before := h.m
			text := encoded(rt, before)
			h.tick()
			if d := cmp.Diff(text, encoded(rt, before)); d != "" {
				rt.Fatalf("the memory was changed:\n%s", d)
			}
		}
	})
}

// facts are those of the last tick, in a list of their own.
func (h *host) facts() Facts {
	f := *h.last
	f.Containers = slices.Clone(f.Containers)
	return f
}

// TestPlansAreValues: what was decided and explained stays as it is while the program decides on, and a plan that is not its last any more
// leaves the same memory.
func TestPlansAreValues(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		h, rng := drawHost(rt, t)
		for range 20 {
			h.happen(rng)
			before := h.m
			h.tick()
			if len(h.last.Containers) == 0 {
				return
			}

			plan, explained := Decide(h.p, before, h.last), Explain(h.p, before, h.last)
			after := encoded(rt, Remember(h.p, before, h.last, plan, nil))
			said := func() string {
				trace, ok := explained.Of(h.last.Containers[0].ID)
				return encoded(rt, []any{plan, trace, ok})
			}
			text := said()

			none := Facts{BootID: "boot", Tick: 1, Containers: h.facts().Containers[1:]}
			Decide(h.p, Memory{}, &none)
			if d := cmp.Diff(text, said()); d != "" {
				rt.Fatalf("the plan or its explanation was changed:\n%s", d)
			}
			if d := cmp.Diff(after, encoded(rt, Remember(h.p, before, h.last, plan, nil))); d != "" {
				rt.Fatalf("the memory that it leaves differs:\n%s", d)
			}
		}
	})
}
