package rules

import (
	"slices"
	"strings"

	"gestor.local/contract"
	"gestor.local/contract/policy2"
)

// guard is what softens a step: it becomes a warning, or waits. The zero value softens nothing.
type guard struct {
	name  string
	by    string // id of the container that stands behind it
	waits bool
}

// guardOf is the first guard that applies to any member of the unit. One whose fact is unknown applies, but for a guard behind it
// that softens more.
func (t *tick) guardOf(r *rule, u *unit, step policy2.Step) guard {
	s := severityOf(step)
	if s < throttles || s == stops && !t.lives(u) || !t.p.guards() {
		return guard{}
	}

	g, sure := t.warnGuard(r, u, s)
	if sure || s < stops {
		return g
	}
	if r.conditions.Age != 0 && t.ofUnit(u, t.isJustStarted) == policy2.True {
		return guard{name: ReasonJustStarted, waits: true}
	}
	if needed := t.neededGuard(u); needed.name != "" {
		return needed
	}
	if g.name != "" {
		t.unsure = append(t.unsure, u.members)
	}
	return g
}

// warnGuard is the first guard that makes a warning of the step; sure says that its fact is known.
func (t *tick) warnGuard(r *rule, u *unit, s severity) (g guard, sure bool) {
	if t.ofUnit(u, isElsewhere) == policy2.True {
		return guard{name: contract.ReasonElsewhere}, true
	}
	if t.hasGrown() && t.ofUnit(u, t.isNewlyOwn) == policy2.True {
		return guard{name: ReasonOwnGrew}, true
	}

	// A stop does nothing to what has ended, and so it deletes nothing with it.
	ends := func(ask func(s *subject) policy2.Truth) func(s *subject) policy2.Truth {
		return func(m *subject) policy2.Truth { return and(truth(s > stops || m.alive), ask(m)) }
	}
	losesVolumes, isRemoved := policy2.False, policy2.False
	if s >= stops && r.Volumes != policy2.VolumesAnonymous {
		losesVolumes = t.ofUnit(u, ends(losesVolumesOf))
	}
	if s == stops && !r.steps.Has(policy2.StepRemove) && r.Rm != policy2.RmRemove {
		isRemoved = t.ofUnit(u, ends(removesItself))
	}
	sure = losesVolumes == policy2.True || isRemoved == policy2.True
	switch {
	case losesVolumes == policy2.True, losesVolumes == policy2.Unknown && isRemoved != policy2.True:
		return guard{name: ReasonRmVolumes}, sure
	case isRemoved != policy2.False:
		return guard{name: ReasonRmStop}, sure
	default:
		return guard{}, false
	}
}

// ofUnit is true where it is of any member, else unknown where it is of one.
func (t *tick) ofUnit(u *unit, ask func(s *subject) policy2.Truth) policy2.Truth {
	any := policy2.False
	for _, i := range u.members {
		switch ask(&t.all[i]) {
		case policy2.True:
			return policy2.True
		case policy2.Unknown:
			any = policy2.Unknown
		}
	}
	return any
}

// neededGuard is the guard of a unit of which a member is needed by a container that stays.
func (t *tick) neededGuard(u *unit) guard {
	for _, i := range u.members {
		if by, ok := t.waiting[i]; ok {
			return guard{name: ReasonNeeded, by: by, waits: true}
		}
	}
	return guard{}
}

func isElsewhere(s *subject) policy2.Truth { return truth(s.who.elsewhere) }

// removesItself: the engine removes it when it ends.
func removesItself(s *subject) policy2.Truth {
	if !s.c.AutoRemove.Known {
		return policy2.Unknown
	}
	return truth(s.c.AutoRemove.Value)
}

// losesVolumesOf: the engine deletes its anonymous volumes with it.
func losesVolumesOf(s *subject) policy2.Truth {
	has := truth(s.c.AnonymousVolumes.Value > 0)
	if !s.c.AnonymousVolumes.Known {
		has = policy2.Unknown
	}
	return and(removesItself(s), has)
}

// Bounds of the guard just_started: for how long after a start, and how long after its creation a start is not the first.
const (
	justStartedUS = 10 * minuteUS
	firstStartUS  = minuteUS
)

// isJustStarted says that somebody started it a short time ago, though it is older. What cannot be known counts as true.
func (t *tick) isJustStarted(s *subject) policy2.Truth {
	start := &s.mem.Start
	switch {
	case s.c.State == contract.StateCreated:
		return policy2.False
	case !s.c.StartedAt.Known || !s.c.Restarts.Known || !s.c.StartedWallUS.Known:
		return policy2.True
	case start.ByEngine || start.GUS == 0 || t.f.GUS-start.GUS >= justStartedUS:
		return policy2.False
	default:
		return truth(!s.mem.born() || s.mem.Born == BornSight || start.GUS-s.mem.BornGUS > firstStartUS)
	}
}

// hasGrown says that many more are own than at the approval.
func (t *tick) hasGrown() bool { return t.f.InForce.HasGrown(t.own) }

// approvedGUS is G at the approval in force, fixed when that is first seen: its document has the wall clock's time, which may be ahead of
// G, or wrong. It is never later than that first sight.
func (t *tick) approvedGUS() int64 {
	in := &t.f.InForce
	if t.m.ApprovedGUS != 0 && t.m.ApprovedWallUS == in.ApprovedWallUS {
		return t.m.ApprovedGUS
	}
	return min(in.ApprovedGUS-(t.f.WallUS-t.f.GUS), t.f.GUS)
}

func (t *tick) isNewlyOwn(s *subject) policy2.Truth {
	return truth(s.mem.OwnSinceGUS == 0 || s.mem.OwnSinceGUS > t.approvedGUS())
}

// isGuardDue says that no guard of the rule has been told of within a day. Another one than the last does not count: it may only
// have been seen since a fact is unknown.
func (t *tick) isGuardDue(r *rule, u *unit) bool {
	for _, i := range u.members {
		m := t.all[i].memory(r)
		if m == nil || m.Guard == "" || t.f.GUS-m.GuardGUS >= noticeUS {
			return true
		}
	}
	return false
}

// soften makes a warning of the step, or lets it wait.
func (t *tick) soften(r *rule, u *unit, g guard, d *decision) {
	d.step, d.reason, d.guard, d.by = policy2.StepKeep, g.name, g.name, g.by
	if !g.waits && t.isGuardDue(r, u) {
		d.step = policy2.StepWarn
	}
}

// needs says who needs whom: by service of a project, and by a shared network namespace.
type needs struct {
	services map[string][]int // by "project/service"
	networks map[string][]int // by id, its first 12 digits, or name
	unknown  []int            // whose network mode is unknown: they may need anybody
}

// idDigits is how many digits of an id people write.
const idDigits = 12

func (t *tick) needIndex() *needs {
	if t.needs != nil {
		return t.needs
	}

	n := &needs{services: map[string][]int{}, networks: map[string][]int{}}
	for i := range t.all {
		s := &t.all[i]
		if !s.alive {
			continue
		}

		for _, service := range s.who.needs {
			key := s.who.project + "/" + service
			n.services[key] = append(n.services[key], i)
		}
		if !s.c.NetworkMode.Known {
			n.unknown = append(n.unknown, i)
		} else if of, ok := strings.CutPrefix(s.c.NetworkMode.Value, "container:"); ok {
			n.networks[of] = append(n.networks[of], i)
		}
	}
	t.needs = n
	return n
}

// neededBy lists those that run and need the container, itself left out.
func (t *tick) neededBy(s *subject) []int {
	if !t.p.guards() {
		return nil
	}

	n := t.needIndex()
	var out []int
	if s.who.service != "" {
		out = append(out, n.services[s.who.project+"/"+s.who.service]...)
	}
	out = append(out, n.networks[s.c.ID]...)
	if len(s.c.ID) > idDigits {
		out = append(out, n.networks[s.c.ID[:idDigits]]...)
	}
	if s.c.Name != "" {
		out = append(out, n.networks[s.c.Name]...)
	}

	out = append(out, n.unknown...)
	slices.Sort(out)
	return slices.DeleteFunc(slices.Compact(out), func(i int) bool { return i == s.at })
}

// isNeededByOthers says that a running container outside of the unit may need a member of it.
func (t *tick) isNeededByOthers(u *unit) bool {
	for _, i := range u.members {
		for _, by := range t.neededBy(&t.all[i]) {
			if !slices.Contains(u.members, by) && !t.isLeaving(by) {
				return true
			}
		}
	}
	return false
}

// findNeeded adds to those who wait everybody who is to be stopped or removed, or is only warned since a guard may apply, while one
// that needs him stays. It says whether there was one.
func (t *tick) findNeeded() bool {
	found := false
	for _, a := range t.acts {
		found = t.findNeededOf(a.members) || found
	}
	for _, members := range t.unsure {
		found = t.findNeededOf(members) || found
	}
	return found
}

func (t *tick) findNeededOf(members []int) bool {
	found := false
	for _, i := range members {
		for _, by := range t.neededBy(&t.all[i]) {
			if t.isLeaving(by) {
				continue
			}
			if t.waiting == nil {
				t.waiting = map[int]string{}
			}
			if _, ok := t.waiting[i]; !ok {
				t.waiting[i], found = t.all[by].c.ID, true
			}
		}
	}
	return found
}
