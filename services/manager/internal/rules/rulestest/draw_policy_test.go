package rulestest_test

import (
	"math/rand/v2"
	"slices"

	"pgregory.net/rapid"

	"gestor.local/contract"
	"gestor.local/contract/policy2"
)

// draw draws from a source of its own, in which all values are equally likely: rapid prefers the extremes, and a world of those is
// one in which nothing happens. What rapid draws, and makes smaller when a property fails, are the seeds and how many they are.
type draw struct{ *rand.Rand }

// drawn is a source from a seed of rapid's.
func drawn(t *rapid.T, label string) draw {
	return draw{rand.New(rand.NewPCG(rapid.Uint64().Draw(t, label), 1))}
}

// drawnList are as many sources, one for each thing of a kind.
func drawnList(t *rapid.T, least, most int, label string) []draw {
	var out []draw
	for i, seed := range rapid.SliceOfN(rapid.Uint64(), least, most).Draw(t, label) {
		out = append(out, draw{rand.New(rand.NewPCG(seed, uint64(i)))})
	}
	return out
}

// oneIn is true once in n times.
func (d draw) oneIn(n int) bool { return d.IntN(n) == 0 }

func (d draw) between(from, to int) int { return from + d.IntN(to-from+1) }

func pick[T any](d draw, words ...T) T { return words[d.IntN(len(words))] }

// unbounded is a budget that never bites, of every span that has a default.
func unbounded() []policy2.Rate {
	return []policy2.Rate{{N: 10_000}, {N: 10_000, Span: policy2.Minute}, {N: 10_000, Span: policy2.Hour}}
}

// drawPolicy draws a valid policy whose times are those of some hours. Its tick is a minute, so that a day is not many ticks.
func drawPolicy(t *rapid.T) policy2.Policy {
	d := drawn(t, "policy")
	p := policy2.Default()
	p.Tick = policy2.Minute
	p.Own = d.own()
	p.Protect = []policy2.Selector{label("prot")}
	if d.oneIn(3) {
		p.Protect = append(p.Protect, pick(d,
			policy2.Selector{Image: []string{"redis*"}}, policy2.Selector{Name: []string{"c9*"}},
			policy2.Selector{Network: []string{"back"}}, policy2.Selector{Project: []string{"q"}},
			policy2.Selector{Class: []contract.Class{"db"}},
		))
	}

	for i, d := range drawnList(t, 1, 5, "rules") {
		p.Rules = append(p.Rules, d.rule(i))
	}
	p.Idle = pick(d, p.Idle, policy2.Idle{}, policy2.Idle{CPU: 100, Net: 1000})
	d.Shuffle(len(p.Rank), func(i, j int) { p.Rank[i], p.Rank[j] = p.Rank[j], p.Rank[i] })
	p.Buckets = pick(d, p.Buckets, contract.Buckets{CPUMillicores: 1, RAMKB: 1})
	p.Warmup = pick(d, 1, 1, 1, 0, 2)
	p.Images = map[string]contract.Class{"redis": "db", "mcp/x": "low"}
	p.Act.ThrottleMillicores = pick[uint64](d, 100, 500)

	p.Budget = policy2.Budget([]policy2.Rate{{N: d.between(1, 4)}, {N: d.between(4, 8), Span: policy2.Hour}})
	p.Surprise = pick(d, 30, 50, 100)
	if d.oneIn(8) {
		p.Young = contract.Young{Max: d.between(1, 3)}
	}
	return p
}

// own draws whom a policy owns: mostly all that a drawn world has and that is not a stranger on purpose.
func (d draw) own() []policy2.Selector {
	if d.oneIn(6) {
		return []policy2.Selector{label(contract.LabelManaged + "=true")}
	}

	own := []policy2.Selector{label("own")}
	if d.oneIn(4) {
		own = append(own, pick(d,
			policy2.Selector{Image: []string{"mcp/*"}}, policy2.Selector{Name: []string{"c*"}},
			policy2.Selector{Label: label("a").Label, Socket: true}, policy2.Selector{Project: []string{"p*"}},
		))
	}
	return own
}

// rule draws a rule of any kind.
func (d draw) rule(i int) policy2.Rule {
	r := policy2.Rule{Name: "r" + string(rune('0'+i))}
	if d.oneIn(2) {
		r.Match = []policy2.Selector{d.selector()}
		if d.oneIn(5) {
			r.Match = append(r.Match, d.selector())
		}
	}

	r.Each = pick(d, policy2.EachUnset, policy2.EachContainer, policy2.EachProject)
	steps := d.ladder()
	if d.oneIn(3) && !steps.Has(policy2.StepKeep) {
		d.keep(&r)
		r.RestWhen, r.Rest = d.conditions(steps), steps
		if r.RestWhen.Ended != 0 { // keep counts those that run
			r.RestWhen = policy2.Conditions{Age: r.RestWhen.Ended}
		}
	} else {
		r.When, r.Do = d.conditions(steps), steps
	}

	if steps.Has(policy2.StepThrottle) {
		r.Calm = pick(d, policy2.DefaultCalm, policy2.Minute, policy2.Hour)
	}
	if steps.Has(policy2.StepRemove) && d.oneIn(3) {
		r.Volumes = policy2.VolumesAnonymous
	}
	if steps.Has(policy2.StepStop) && !steps.Has(policy2.StepRemove) && d.oneIn(3) {
		r.Rm = policy2.RmRemove
	}
	return r
}

func (d draw) keep(r *policy2.Rule) {
	if r.Each == policy2.EachUnset {
		r.Each = policy2.EachContainer
	}
	r.Keep = policy2.Keep{
		Order: pick(d, policy2.Newest, policy2.Oldest, policy2.Lightest, policy2.Heaviest), Places: d.between(1, 3),
		Per: pick(d, policy2.Per{}, policy2.Per{By: policy2.ByLabel, Label: "a"}, policy2.Per{By: policy2.ByImage},
			policy2.Per{By: policy2.ByClass}, policy2.Per{By: policy2.ByProject}),
	}
	if r.Each == policy2.EachProject && r.Keep.Per.By == policy2.ByProject {
		r.Keep.Per = policy2.Per{}
	}
}

// selector draws one with a key or two, that fits some containers of a drawn world and not others.
func (d draw) selector() policy2.Selector {
	s := pick(d,
		label("a"), label("a=x"), label("b"), policy2.Selector{Labels: []policy2.Label{*label("a").Label, *label("b").Label}},
		policy2.Selector{Name: []string{"c1*", "c2"}}, policy2.Selector{Image: []string{"mcp/*"}}, policy2.Selector{Image: []string{"redis:7"}},
		policy2.Selector{Project: []string{"p*"}}, policy2.Selector{Project: []string{"q"}},
		policy2.Selector{Network: []string{"front"}}, policy2.Selector{Class: []contract.Class{"low"}},
	)
	if d.oneIn(5) {
		s.Name = []string{"c*"}
	}
	return s
}

func (d draw) duration() policy2.Duration {
	return pick(d, policy2.Minute, 5*policy2.Minute, 20*policy2.Minute, 20*policy2.Minute, policy2.Hour)
}

// ladder draws one step or some, each harsher than the one before.
func (d draw) ladder() policy2.Ladder {
	if d.oneIn(8) {
		return ladder("keep")
	}

	var out policy2.Ladder
	throttle := pick(d, "", "", "throttle to 50%", "throttle")
	for _, text := range []string{pick(d, "warn", ""), throttle, pick(d, "stop", ""), pick(d, "remove", "")} {
		if text == "" {
			continue
		}
		rung := ladder(text)[0]
		if len(out) > 0 {
			rung.After = d.duration()
		}
		out = append(out, rung)
	}
	if len(out) == 0 {
		return ladder(pick(d, "warn", "throttle", "stop", "remove"))
	}
	return out
}

// conditions draws conditions that may stand beside these steps: what lasts by itself takes no for, what measures a moment needs
// it before it decides over life.
func (d draw) conditions(steps policy2.Ladder) policy2.Conditions {
	var c policy2.Conditions
	canEnd := !steps.Has(policy2.StepStop) && !steps.Has(policy2.StepThrottle)
	switch kind := d.between(-2, 9); {
	case kind <= 0:
		return c
	case kind == 1 && canEnd:
		c.Ended = d.duration()
		if d.oneIn(3) {
			c.Age = d.duration()
		}
		return c
	case kind <= 4:
		c.Age = d.duration()
	case kind == 5:
		c.Expired = "ttl"
	case kind <= 7:
		c.Idle = pick(d, policy2.Minute, 5*policy2.Minute, 20*policy2.Minute)
	}

	lasting := c != (policy2.Conditions{})
	if !lasting || d.oneIn(4) {
		d.moments(&c)
	}
	if measures := c.CPU != 0 || !c.RAM.IsZero() || !c.Restarts.IsZero(); measures || c.Processes != 0 {
		if !lasting && (measures || d.oneIn(2)) {
			c.For = pick(d, policy2.Minute, 3*policy2.Minute, 10*policy2.Minute)
		}
		if lasting && measures && steps.Decides() && !steps.Has(policy2.StepKeep) {
			c.For = 3 * policy2.Minute
			c.Age, c.Expired, c.Idle = 0, "", 0
		}
	}
	return c
}

// moments draws conditions on figures of the moment.
func (d draw) moments(c *policy2.Conditions) {
	if d.oneIn(3) {
		c.CPU = pick[policy2.Percent](d, 1000, 5000, 15000)
	}
	if d.oneIn(6) {
		c.RAM = pick(d, policy2.Memory{Size: 64 << 20}, policy2.Memory{Percent: 100})
	}
	if d.oneIn(6) {
		c.Processes = d.between(2, 9)
	}
	if d.oneIn(8) {
		c.Restarts = policy2.Restarts{Count: d.between(1, 4), Within: pick(d, policy2.Minute, 10*policy2.Minute, policy2.Hour)}
	}
}

// withoutBudget lets all that the rules want be done.
func withoutBudget(p policy2.Policy) policy2.Policy {
	p.Budget = unbounded()
	p.Surprise = 100
	p.Young = contract.Young{Max: 10_000}
	p.Rules = slices.Clone(p.Rules)
	return p
}
