package rules

import (
	"fmt"
	"slices"
	"testing"

	"gestor.local/contract"
	"gestor.local/contract/policy2"
)

// host is a made-up host under one program: it makes the facts of each tick, carries out what the plan says and feeds it back.
type host struct {
	t       *testing.T
	p       *Program
	m       Memory
	f       Facts
	boxes   []*box
	plan    Plan
	last    *Facts
	log     []string // "ID STEP", of what was carried out
	dropped bool     // notices are not delivered
	idle    bool     // nothing is carried out
	netEach uint64   // how often the network counters are read at most, in microseconds of the boot clock
}

// box is one container of the host.
type box struct {
	Container
	created int64 // before the start of the test, in seconds
	cpu     uint64
	net     uint64 // bytes counted by now
	gone    bool
	starts  int
}

const startGUS = 1_700_000_000 * secondUS

func newHost(t *testing.T, policy policy2.Policy) *host {
	h := &host{t: t, p: New(policy)}
	h.f = Facts{
		BootID: "boot", BootUS: uint64(40 * dayUS), GUS: startGUS, WallUS: startGUS, BootGUS: startGUS - 40*dayUS, CPUs: 4,
		MemoryTotalKB: policy2.Known(uint64(16 << 20)), MemoryAvailableKB: policy2.Known(uint64(8 << 20)),
	}
	return h
}

// policyOf is the default policy that owns what has the label own, with these rules.
func policyOf(rules ...policy2.Rule) policy2.Policy {
	p := policy2.Default()
	p.Own = []policy2.Selector{{Label: &policy2.Label{Key: "own", Any: true}}}
	p.Rules = rules
	p.Budget = policy2.Budget([]policy2.Rate{{N: 1000}, {N: 1000, Span: policy2.Minute}, {N: 1000, Span: policy2.Hour}})
	p.Surprise = 100
	return p
}

// label is one that must have the value, or be there.
func label(key, value string) policy2.Selector {
	return policy2.Selector{Label: &policy2.Label{Key: key, Value: value, Any: value == ""}}
}

func ladder(steps ...policy2.Rung) policy2.Ladder { return steps }

func step(s policy2.Step) policy2.Rung { return policy2.Rung{Step: s} }

func after(d policy2.Duration, s policy2.Step) policy2.Rung { return policy2.Rung{Step: s, After: d} }

// id makes a full id of a short name, in the same order.
func id(name string) string { return fmt.Sprintf("%-64s", name) }

// add adds a running, own container that was created and started so long ago.
func (h *host) add(name string, age policy2.Duration, labels ...string) *box {
	b := &box{created: int64(age)}
	b.Identity = &policy2.Identity{
		ID: id(name), Name: name, Image: "image:1", Labels: map[string]string{"own": ""},
		Networks: policy2.Known([]string{"bridge"}), Socket: policy2.Known(false),
	}
	for i := 0; i+1 < len(labels); i += 2 {
		b.Labels[labels[i]] = labels[i+1]
	}
	b.InEngine, b.State, b.HasRow = true, contract.StateRunning, true
	b.CreatedWallUS = policy2.Known(h.f.WallUS - us(age))
	b.StartedAt, b.StartedWallUS = policy2.Known("start 0"), b.CreatedWallUS
	b.StartBootUS = policy2.Known(h.f.BootUS - uint64(us(age)))
	b.FinishedWallUS, b.Restarts = policy2.Known(int64(0)), policy2.Known(0)
	b.AutoRemove, b.AnonymousVolumes, b.NanoCPUs = policy2.Known(false), policy2.Known(0), policy2.Known(int64(0))
	b.NetworkMode, b.Processes = policy2.Known("bridge"), policy2.Known(3)
	b.RAMKB, b.WorkingSetKB = policy2.Known(uint64(4096)), policy2.Known(uint64(4096))
	b.VSZKB, b.RSSKB = policy2.Known(uint64(9000)), policy2.Known(uint64(4096))
	b.CPUUS, b.NetBytes = policy2.Known(uint64(0)), policy2.Known(uint64(0))
	h.boxes = append(h.boxes, b)
	return b
}

// inProject puts the container into a compose project.
func (b *box) inProject(project, service string, needs ...string) *box {
	b.Labels[contract.LabelProject], b.Labels[contract.LabelService], b.Labels[contract.LabelConfigHash] = project, service, "hash"
	for _, n := range needs {
		b.Labels[labelDependsOn] += n + ":service_started:false,"
	}
	return b
}

// end makes the container one that ended so long ago.
func (b *box) end(h *host, ago policy2.Duration) *box {
	b.State, b.HasRow = contract.StateExited, false
	b.FinishedWallUS = policy2.Known(h.f.WallUS - us(ago))
	return b
}

// start starts it anew, now.
func (b *box) start(h *host) {
	b.starts++
	b.State, b.HasRow = contract.StateRunning, true
	b.StartedAt, b.StartedWallUS = policy2.Known(fmt.Sprint("start ", b.starts)), policy2.Known(h.f.WallUS)
	b.StartBootUS = policy2.Known(h.f.BootUS)
}

// pass lets time pass without a tick.
func (h *host) pass(d policy2.Duration) {
	h.f.GUS += us(d)
	h.f.WallUS += us(d)
	h.f.BootUS += uint64(us(d))
}

// tick passes one tick and carries out its plan.
func (h *host) tick() Plan {
	h.pass(h.p.policy.Tick)
	h.f.Tick++
	h.f.Sequence++
	h.f.IntervalUS = uint64(h.p.tickUS)
	h.f.Containers = nil
	for _, b := range h.boxes {
		if !b.gone {
			if h.netEach == 0 || h.f.BootUS-b.NetBootUS >= h.netEach {
				b.NetBootUS, b.NetBytes.Value = h.f.BootUS, b.net
			}
			b.CPUUS = policy2.Fact[uint64]{Value: b.cpu * uint64(h.p.tickUS) / 1000, Known: b.CPUUS.Known}
			h.f.Containers = append(h.f.Containers, b.Container)
		}
	}
	slices.SortFunc(h.f.Containers, func(a, b Container) int { return cmpID(a.ID, b.ID) })

	facts := h.f
	h.last = &facts
	h.plan = Decide(h.p, h.m, &facts)
	h.m = Remember(h.p, h.m, &facts, h.plan, nil)
	if !h.idle {
		h.m = Remember(h.p, h.m, nil, Plan{}, h.carryOut())
	}
	return h.plan
}

// ticks passes so much time, tick by tick.
func (h *host) ticks(d policy2.Duration) {
	for n := int64(d / h.p.policy.Tick); n > 0; n-- {
		h.tick()
	}
}

func (h *host) box(id string) *box {
	for _, b := range h.boxes {
		if b.ID == id && !b.gone {
			return b
		}
	}
	h.t.Fatalf("no container %q", id)
	return nil
}

// carryOut does what the plan says, and says what happened.
func (h *host) carryOut() []Event {
	var events []Event
	for _, b := range h.plan.GiveBack {
		h.box(b.ID).NanoCPUs = policy2.Known(b.NanoCPUs)
		h.log = append(h.log, h.box(b.ID).Name+" back")
		events = append(events, h.event(EventGivenBack, b.ID, b.Rule, policy2.StepThrottle, 0))
	}
	if !h.dropped && h.plan.CarriesOut(policy2.StepWarn) {
		for _, n := range h.plan.Notices {
			for _, id := range n.Containers {
				if n.Kind != NoticeSurprise {
					h.log = append(h.log, h.box(id).Name+" warn")
				}
				if n.Kind == NoticeStep {
					events = append(events, h.event(EventDelivered, id, n.Hash, policy2.StepWarn, n.StepIndex))
				}
			}
		}
	}
	for _, v := range h.plan.Verdicts {
		events = append(events, h.act(v)...)
	}
	return events
}

func (h *host) event(kind EventKind, id, rule string, step policy2.Step, index int) Event {
	return Event{
		Kind: kind, Tick: h.f.Tick, GUS: h.f.GUS, ID: id, Rule: rule, Step: step, StepIndex: index,
		Outcome: contract.OutcomeDone, StartedAt: h.box(id).StartedAt.Value,
	}
}

func (h *host) act(v Verdict) []Event {
	var events []Event
	for _, n := range v.Passing {
		if n.Step == policy2.StepThrottle && h.plan.CarriesOut(n.Step) {
			events = append(events, h.throttle(v.ID, n.Rule, n.StepIndex, n.NanoCPUs, n.OldNanoCPUs)...)
		}
	}
	if !h.plan.CarriesOut(v.Step) || v.Step == policy2.StepWarn {
		return events
	}
	if v.Step == policy2.StepThrottle {
		return append(events, h.throttle(v.ID, v.Rule, v.StepIndex, v.NanoCPUs, v.OldNanoCPUs)...)
	}

	rule := ""
	if v.Rule >= 0 {
		rule = h.p.RuleHash(v.Rule)
	}
	b := h.box(v.ID)
	h.log = append(h.log, b.Name+" "+string(v.Step))
	events = append(events, h.event(EventIntent, v.ID, rule, v.Step, v.StepIndex), h.event(EventOutcome, v.ID, rule, v.Step, v.StepIndex))
	switch {
	case v.Step == policy2.StepRemove || b.AutoRemove.Value:
		b.gone = true
	case b.Alive():
		b.end(h, 0)
	}
	return events
}

func (h *host) throttle(id string, rule, index int, nano int64, old *int64) []Event {
	b := h.box(id)
	in := h.event(EventIntent, id, h.p.RuleHash(rule), policy2.StepThrottle, index)
	in.NanoCPUs, in.OldNanoCPUs = nano, b.NanoCPUs.Value
	if old != nil {
		in.OldNanoCPUs = *old
	}
	b.NanoCPUs = policy2.Known(nano)
	h.log = append(h.log, b.Name+" throttle")
	out := in
	out.Kind = EventOutcome
	return []Event{in, out}
}

// verdict is that of the container with the name.
func (h *host) verdict(name string) Verdict {
	for _, v := range h.plan.Verdicts {
		if v.Name == name {
			return v
		}
	}
	h.t.Fatalf("no verdict on %q", name)
	return Verdict{}
}
