package rules

import (
	"slices"

	"gestor.local/contract"
	"gestor.local/contract/policy2"
)

// Decide makes the plan of one tick. memory is that of the tick before, with everything that has happened since.
func Decide(p *Program, memory Memory, facts *Facts) Plan {
	return run(p, &memory, facts, &p.scratch).plan()
}

// run reads the rules, again while somebody is found who has to wait for another: whoever stays may spare a project.
func run(p *Program, m *Memory, f *Facts, room *scratch) *tick {
	m = m.raised(f)
	var waiting map[int]string
	for {
		t := newTick(p, m, f, waiting, room)
		t.countOwn()
		t.read()
		if t.findNeeded() {
			waiting = t.waiting
			continue
		}

		t.countYoung()
		t.applyBudget()
		t.findCircles()
		t.restrain()
		t.settle()
		return t
	}
}

// countOwn counts the own containers, and those of them that live.
func (t *tick) countOwn() {
	for i := range t.all {
		s := &t.all[i]
		if !s.who.own {
			continue
		}
		t.own++
		// Whom no plan can remove does not make one look smaller.
		if s.alive && s.standing != contract.ReasonElsewhere {
			t.living++
		}
	}
}

// plan writes the tick down.
func (t *tick) plan() Plan {
	order := t.inOrder()
	verdicts, pointed := take(&t.room.verdicts, len(order)), pointed{}
	for k, i := range order {
		t.verdict(&t.all[i], &verdicts[k], &pointed)
	}
	return Plan{
		V: PlanVersion, Tick: t.f.Tick, Sequence: t.f.Sequence, PolicyHash: t.p.hash, Mode: t.p.policy.Mode, Held: t.held,
		Own: t.own, Living: t.living, Wanted: t.wanted,
		Rules: t.counts, Groups: t.groups, Verdicts: verdicts,
		Notices: t.notices(), GiveBack: t.back, Changed: t.limitsChanged(),
		tick: t,
	}
}

// ThrottleOrder is a limit to be set on this tick, by a rule that decides over life or by one that does not.
type ThrottleOrder struct {
	ID, StartedAt string
	Rule          int // index in Rules
	StepIndex     int
	// NanoCPUs is the limit to set, in billionths of a core; OldNanoCPUs the one to give back later, nil for the one of now.
	NanoCPUs    int64
	OldNanoCPUs *int64
}

// Throttles lists the limits that the plan sets, whether or not it is carried out.
func (p *Plan) Throttles() []ThrottleOrder {
	var out []ThrottleOrder
	for i := range p.Verdicts {
		v := &p.Verdicts[i]
		if v.Step == policy2.StepThrottle {
			out = append(out, ThrottleOrder{v.ID, v.StartedAt, v.Rule, v.StepIndex, v.NanoCPUs, v.OldNanoCPUs})
		}
		for _, n := range v.Passing {
			if n.Step == policy2.StepThrottle {
				out = append(out, ThrottleOrder{v.ID, v.StartedAt, n.Rule, n.StepIndex, n.NanoCPUs, n.OldNanoCPUs})
			}
		}
	}
	return out
}

// last sorts 0 behind all others.
func last(n int) uint { return uint(n) - 1 }

// inOrder are the indexes of the containers as the plan lists them: by rule and rank, those without one last, and by id.
func (t *tick) inOrder() []int {
	const rankBits, atBits = 28, 28 // a quarter of a billion containers; rules are 100 at most
	keys := slices.Grow(t.room.keys[:0], len(t.all))
	for i := range t.all {
		rule, rank := last(t.all[i].d.rule+1), last(t.all[i].d.rank)
		keys = append(keys, uint64(rule)<<(rankBits+atBits)|uint64(rank)&(1<<rankBits-1)<<atBits|uint64(i))
	}
	slices.Sort(keys)

	order := slices.Grow(t.room.order[:0], len(keys))
	for _, key := range keys {
		order = append(order, int(key&(1<<atBits-1)))
	}
	t.room.keys, t.room.order = keys, order
	return order
}

// pointed are blocks that verdicts point into: the plan keeps them, and they are few.
type pointed struct {
	next       []Next
	neighbours []Neighbour
	readings   []Reading
}

// into puts a value into a block, and begins another one when that is full: what was put there before stays where it is.
func into[T any](block *[]T, v T) *T {
	const size = 64
	if len(*block) == cap(*block) {
		*block = make([]T, 0, size)
	}
	*block = append(*block, v)
	return &(*block)[len(*block)-1]
}

func (t *tick) limitsChanged() []string {
	var ids []string
	for i := range t.all {
		if t.all[i].limitChanged {
			ids = append(ids, t.all[i].c.ID)
		}
	}
	return ids
}

// verdict writes one container down, into an empty one.
func (t *tick) verdict(s *subject, v *Verdict, blocks *pointed) {
	d := &s.d
	v.ID, v.Name, v.Image, v.Project, v.Standing = s.c.ID, s.c.Name, s.c.Image, s.who.project, s.standing
	v.Rule, v.Step, v.Reason, v.StepIndex, v.Steps = d.rule, d.step, d.reason, d.index, d.steps
	v.Doubt, v.Passing, v.StartedAt = s.doubt, s.passing, s.c.StartedAt.Value
	v.Rank, v.Cut, v.Group, v.DecidingKey = d.rank, d.cut, d.group, d.key
	v.Guard, v.By, v.NanoCPUs, v.OldNanoCPUs = d.guard, d.by, d.nano, d.old
	v.UntilGUS = s.soon.fromGUS
	if n := d.neighbour; n != nil {
		v.Neighbour = into(&blocks.neighbours, Neighbour{ID: n.c.ID, Name: n.c.Name, Rank: n.d.rank})
	}
	if next := s.soon.before(t, d.next); next.Step != "" {
		v.Next = into(&blocks.next, next)
	}
	v.Read, blocks.readings = t.readings(s, blocks.readings)

	if v.Step == "" {
		v.Step = policy2.StepKeep
	}
	switch {
	case v.Reason != "":
	case s.standing != StandingReady:
		v.Reason = s.standing
	case s.finished:
		v.Reason = ReasonFinished
	default:
		v.Reason = ReasonNoRule
	}

	if severityOf(v.Step) >= stops {
		v.After, v.Circle = t.idsOf(t.after(s)), t.idsOf(t.circles[s.at])
		v.Passing = slices.DeleteFunc(v.Passing, func(n Passing) bool { return n.Step != policy2.StepKeep })
	}
}

// warnIndex is which step of a ladder the warning is: nothing is gentler. Of a project some may be further than others.
const warnIndex = 1

// notices lists what is told: one for a unit.
func (t *tick) notices() []Notice {
	out := slices.Grow([]Notice(nil), t.asking)
	if t.hold != nil && !t.hold.Over {
		out = append(out, t.surpriseNotice())
	}
	for i := range t.all {
		s := &t.all[i]
		if s.asks {
			out = t.tellSteps(out, s)
		}
		if s.told != "" {
			hash := t.p.rules[s.toldBy].hash
			out = t.tell(out, s, Notice{Kind: NoticeGuard, Rule: s.toldBy, Hash: hash, Guard: s.told, SinceGUS: t.f.GUS})
		}
	}
	return out
}

// tellSteps adds what the rules ask to tell of a container.
func (t *tick) tellSteps(all []Notice, s *subject) []Notice {
	for k := range s.mem.Rules {
		if m := &s.mem.Rules[k]; m.rule != noRule && m.AskedGUS != 0 {
			all = t.tell(all, s, Notice{Kind: NoticeStep, Rule: m.rule, Hash: m.Hash, StepIndex: warnIndex, SinceGUS: m.AskedGUS})
		}
	}
	return all
}

// tell adds a container to the notice of its project, or a notice.
func (t *tick) tell(all []Notice, s *subject, n Notice) []Notice {
	if t.p.rules[n.Rule].project {
		n.Project = s.who.project
	}
	for i := range all {
		o := &all[i]
		if n.Project != "" && o.Kind == n.Kind && o.Rule == n.Rule && o.Project == n.Project {
			o.Containers = append(o.Containers, s.c.ID)
			o.SinceGUS = min(o.SinceGUS, n.SinceGUS)
			return all
		}
	}

	n.Containers = []string{s.c.ID}
	if r := &t.p.rules[n.Rule]; n.Kind == NoticeStep && n.StepIndex < len(r.steps) {
		u := unit{members: s.alone(), project: n.Project != "", spares: nobody, gentlest: s.gentlest}
		n.Next = t.nextStep(r, &u, n.StepIndex, t.f.GUS+us(r.steps[n.StepIndex].After)).orNil()
	}
	return append(all, n)
}

func (t *tick) surpriseNotice() Notice {
	n := Notice{Kind: NoticeSurprise, Rule: noRule, SinceGUS: t.hold.SinceGUS}
	n.Next = &Next{GUS: t.hold.SinceGUS + surpriseUS, Rule: noRule}
	for i := range t.all {
		if t.isLeaving(i) {
			n.Containers = append(n.Containers, t.all[i].c.ID)
		}
	}
	return n
}
