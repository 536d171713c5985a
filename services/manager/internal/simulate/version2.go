package simulate

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"gestor.local/contract"
	"gestor.local/contract/policy2"
	"gestor.local/manager/internal/rules"
)

// ErrRule says that a policy of version 2 has a rule that a synthetic host cannot hold against the truth.
var ErrRule = errors.New("a synthetic host knows places by use alone: each: container with keep: {lightest: N} for class low or " +
	"keep: {heaviest: N} for class high, and rest: remove; policy-plan --policy FILE shows what the policy would do with the containers of this host")

// decider makes the decisions of a run under a policy of version 2.
type decider struct {
	program    *rules.Program
	memory     rules.Memory
	identities map[string]*policy2.Identity
}

// settings is what a policy of version 2 says of all but the rules, as one of version 1, with as many places as its rules give. The
// error wraps ErrRule.
func settings(p *policy2.Policy) (contract.Policy, error) {
	out := contract.DefaultPolicy()
	out.Tick = contract.Duration(time.Duration(p.Tick) * time.Second)
	out.Quota, out.Warmup, out.Buckets, out.Act.Parallel = contract.Quota{}, p.Warmup, p.Buckets, p.Act.Parallel

	for i := range p.Rules {
		r := &p.Rules[i]
		switch {
		case isContest(r, policy2.Lightest, contract.ClassLow) && out.Quota.Low == 0:
			out.Quota.Low = r.Keep.Places
		case isContest(r, policy2.Heaviest, contract.ClassHigh) && out.Quota.High == 0:
			out.Quota.High = r.Keep.Places
		default:
			return out, fmt.Errorf("rule %q: %w", r.Name, ErrRule)
		}
	}
	return out, nil
}

// isContest says that the rule gives places of a class by use, and removes whoever has none.
func isContest(r *policy2.Rule, order policy2.Order, class contract.Class) bool {
	return len(r.Match) == 1 && r.Match[0].Values() == string(class) && slices.Equal(r.Match[0].Class, []contract.Class{class}) &&
		r.Each == policy2.EachContainer && r.Keep == policy2.Keep{Order: order, Places: r.Keep.Places} &&
		r.RestWhen == policy2.Conditions{} && slices.Equal(r.Rest, policy2.Ladder{{Step: policy2.StepRemove}})
}

// decide makes one plan, remembers it with the removals that it begins, and says whether it is carried out.
func (d *decider) decide(f *rules.Facts) (rulings []ruling, execute bool) {
	plan := rules.Decide(d.program, d.memory, f)
	d.memory = rules.Remember(d.program, d.memory, f, plan, nil)

	var begun []rules.Event
	execute, rulings = plan.CarriesOut(policy2.StepRemove), make([]ruling, len(plan.Verdicts))
	for i := range plan.Verdicts {
		v := &plan.Verdicts[i]
		rulings[i] = ruling{v.ID, v.Reason, v.Rank, v.Step == policy2.StepRemove}
		if rulings[i].removed && execute {
			begun = append(begun, d.intent(f, v))
		}
	}
	d.memory = rules.Remember(d.program, d.memory, nil, rules.Plan{}, begun)
	return rulings, execute
}

// intent is the beginning of a removal, by a rule or of one that is too young for them.
func (d *decider) intent(f *rules.Facts, v *rules.Verdict) rules.Event {
	e := rules.Event{Kind: rules.EventIntent, Tick: f.Tick, GUS: f.GUS, ID: v.ID, Step: v.Step, StepIndex: v.StepIndex, StartedAt: v.StartedAt}
	if v.Rule >= 0 {
		e.Rule = d.program.RuleHash(v.Rule)
	}
	return e
}

// epochUS is the time on the wall, and the governed one, at which the synthetic host boots: 1 January 2026, in microseconds.
const epochUS = 1_767_225_600_000_000

// facts are what the manager would read of the host. Inspections never fail here, and nobody has a network.
func (d *decider) facts(h *host, tick uint64, pop *contract.Population, leaving []string) rules.Facts {
	f := rules.Facts{
		Tick: tick, Sequence: pop.Sequence, BootID: pop.BootID, BootUS: h.nowUS, IntervalUS: pop.IntervalUS, CPUs: pop.CPUs,
		GUS: wall(h.nowUS), BootGUS: epochUS, WallUS: wall(h.nowUS),
		MemoryTotalKB: policy2.Known(pop.Memory.TotalKB), MemoryAvailableKB: policy2.Known(pop.Memory.AvailableKB), Leaving: leaving,
	}
	if pop.Baseline {
		f.InForce.Gates = []string{"new_baseline"}
	}

	identities := make(map[string]*policy2.Identity, len(h.living))
	for _, c := range h.living {
		id := d.identities[c.id]
		if id == nil {
			e := c.entry()
			id = &policy2.Identity{
				ID: e.ID, Name: e.Name, Image: e.Image, Labels: e.Labels, Networks: policy2.Known([]string{}), Socket: policy2.Known(false),
			}
		}
		identities[c.id] = id
		f.Containers = append(f.Containers, c.facts(id, pop.Member(c.id)))
	}
	d.identities = identities
	return f
}

// wall is a time since the boot on the wall.
func wall(us uint64) int64 { return epochUS + int64(us) } //nolint:gosec // hours

func (c *container) facts(id *policy2.Identity, m *contract.Member) rules.Container {
	out := rules.Container{
		Identity: id, InEngine: true, State: contract.StateRunning,
		CreatedWallUS: policy2.Known(wall(c.startUS)), StartedAt: policy2.Known(time.UnixMicro(wall(c.startUS)).UTC().Format(time.RFC3339Nano)),
		StartedWallUS: policy2.Known(wall(c.startUS)), FinishedWallUS: policy2.Known(int64(0)), Restarts: policy2.Known(0),
		RestartPolicy: policy2.Known("no"), AutoRemove: policy2.Known(false), AnonymousVolumes: policy2.Known(0),
		NetworkMode: policy2.Known("none"), NanoCPUs: policy2.Known(int64(c.kind.limitMC) * int64(time.Millisecond)), //nolint:gosec // some cores
	}
	if m == nil {
		return out
	}

	out.HasRow, out.StartBootUS, out.Processes = true, policy2.Known(m.StartUS), policy2.Known(m.Processes)
	out.RAMKB, out.VSZKB, out.RSSKB = policy2.Known(m.RAMKB), policy2.Known(m.VSZKB), policy2.Known(m.RSSKB)
	out.CPUTotalUS = policy2.Known(c.cpuUS)
	if m.Measured {
		out.CPUUS = policy2.Known(m.CPUUS)
	}
	return out
}
