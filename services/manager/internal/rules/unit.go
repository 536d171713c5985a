package rules

import (
	"cmp"
	"slices"
	"strings"

	"gestor.local/contract/policy2"
)

func cmpID(a, b string) int { return strings.Compare(a, b) }

// findProjects lists the compose projects of the host, where a rule counts them.
func (t *tick) findProjects() {
	if !slices.ContainsFunc(t.p.rules, func(r rule) bool { return r.project }) {
		return
	}

	var of []int
	for i := range t.all {
		if t.all[i].who.project != "" {
			of = append(of, i)
		}
	}
	slices.SortFunc(of, func(a, b int) int {
		return cmp.Or(strings.Compare(t.all[a].who.project, t.all[b].who.project), a-b)
	})

	for len(of) > 0 {
		name, n := t.all[of[0]].who.project, 1
		for n < len(of) && t.all[of[n]].who.project == name {
			n++
		}
		for _, i := range of[:n] {
			t.all[i].unit = len(t.projects)
		}
		t.projects = append(t.projects, project{name: name, members: of[:n:n]})
		of = of[n:]
	}
}

// eachUnit goes through the units that the rule judges.
func (t *tick) eachUnit(r *rule, do func(members []int)) {
	for i := range t.all {
		if s := &t.all[i]; !r.project || s.unit < 0 {
			do(s.alone())
		}
	}
	if !r.project {
		return
	}
	for i := range t.projects {
		do(t.projects[i].members)
	}
}

// matches says whether the rule speaks of the unit, which it does when it speaks of every member. Of one who may leave the unit
// before this rule a no counts as unknown.
func (t *tick) matches(r *rule, members []int) policy2.Truth {
	all := policy2.True
	for _, i := range members {
		s := &t.all[i]
		answer := s.who.matches[r.index]
		if answer == policy2.False && s.leaves && len(members) > 1 {
			answer = policy2.Unknown
		}
		if all = and(all, answer); all == policy2.False {
			break
		}
	}
	return all
}

// alone is the unit of the container by itself.
func (s *subject) alone() []int { return s.self[:] }

// memory is what the rule remembers of the container, nil for nothing. It must not be written to.
func (s *subject) memory(r *rule) *RuleMemory {
	i, ok := s.search(r)
	if !ok {
		return nil
	}
	return &s.mem.Rules[i]
}

func (s *subject) search(r *rule) (i int, ok bool) {
	list := s.mem.Rules
	low, high := 0, len(list)
	for low < high {
		mid := (low + high) / 2
		if list[mid].rule < r.index {
			low = mid + 1
		} else {
			high = mid
		}
	}
	return low, low < len(list) && list[low].rule == r.index
}

// change is memory to be written to: the slice of the memory before is left as it is.
func (s *subject) change(r *rule) *RuleMemory {
	s.own()
	i, ok := s.search(r)
	if !ok {
		s.mem.Rules = slices.Insert(s.mem.Rules, i, RuleMemory{Hash: r.hash, rule: r.index})
	}
	return &s.mem.Rules[i]
}

// own makes the slice of memories the subject's own.
func (s *subject) own() {
	if !s.owned {
		s.mem.Rules = slices.Clone(s.mem.Rules)
		s.owned = true
	}
}
