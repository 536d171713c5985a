package rules

import (
	"slices"

	"gestor.local/contract/policy2"
)

// Explained is a decision that can be asked how it came to its verdicts.
type Explained struct {
	// Spending is what each rate of the budget had taken before.
	Spending []Spending
	tick     *tick
}

// Trace is how the rules came to their verdict on one container.
type Trace struct {
	// Answers are those of the rules that were read for it, in their order; none where it cannot be judged.
	Answers []Answer
	// Memory is what was known of it from earlier ticks, and what this one adds to that.
	Memory ContainerMemory
}

// Answer is what one rule says of one container.
type Answer struct {
	Rule int // index in the policy
	// Match says whether the rule speaks of it, Holds whether its conditions hold. Of a project they are about all its containers that
	// no rule above ends, and Others says that others than this one are among them.
	Match, Holds policy2.Truth
	Others       bool
	// Read are the figures of this container that the conditions compare.
	Read []Reading
	// HoldsAtGUS is when the conditions will hold, in G, if what does not follow from time alone stays: 0 when they do, or will
	// not, or the rule does not speak of it.
	HoldsAtGUS int64
	// Done is how many steps of the rule's ladder are done, Stopped says that one of them ended it, and Throttled that it owes a limit.
	Done               int
	Stopped, Throttled bool
}

// Spending is what one rate of the budget allows, and what of that is taken.
type Spending struct {
	policy2.Rate
	Used int
}

// Explain makes the decision that Decide makes of the same arguments once more, for those who explain it.
func Explain(p *Program, memory Memory, facts *Facts) *Explained {
	t := run(p, &memory, facts, &scratch{})
	e := &Explained{tick: t}
	spent := t.spending()
	for k, rate := range spent.rates {
		e.Spending = append(e.Spending, Spending{rate, spent.used[k]})
	}
	return e
}

// Of traces the verdict on the container with this id; ok is false where the facts have none.
func (e *Explained) Of(id string) (trace Trace, ok bool) {
	t := e.tick
	at, ok := slices.BinarySearchFunc(t.all, id, func(s subject, id string) int { return cmpID(s.c.ID, id) })
	if !ok {
		return Trace{}, false
	}
	return Trace{Answers: t.answers(&t.all[at]), Memory: *t.all[at].mem}, true
}

// answers are those of the rules that were read for a container.
func (t *tick) answers(s *subject) (out []Answer) {
	if s.standing != StandingReady {
		return nil
	}
	for i := range t.p.rules {
		out = append(out, t.answer(&t.p.rules[i], s))
		if i == s.d.rule {
			break // reading ends here
		}
	}
	return out
}

// answer asks a rule once more, after all were read.
func (t *tick) answer(r *rule, s *subject) Answer {
	members := t.membersFor(r, s)
	a := Answer{Rule: r.index, Match: t.matches(r, members), Others: len(members) > 1}
	a.Holds = t.holds(r, members)
	a.Read, _ = t.readingsOf(r, s, nil)

	if m := s.memory(r); m != nil {
		a.Done, a.Stopped, a.Throttled = m.Done, m.Stopped, m.Throttle != nil
	}
	if at, ok := t.holdsAt(r, members); ok && at > t.f.GUS && a.Match != policy2.False && a.Holds != policy2.True {
		a.HoldsAtGUS = at
	}
	return a
}

// membersFor are the containers that the rule judges together with this one.
func (t *tick) membersFor(r *rule, s *subject) []int {
	if !r.project || s.unit < 0 {
		return s.alone()
	}

	endedAbove := func(i int) bool { return i != s.at && t.isLeaving(i) && t.all[i].d.rule < r.index }
	return slices.DeleteFunc(slices.Clone(t.projects[s.unit].members), endedAbove)
}
