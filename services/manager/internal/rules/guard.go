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

// guardOf is the first guard that applies to any member of the unit. One whose fact is unknown applies.
func (t *tick) guardOf(r *rule, u *unit, step policy2.Step) guard {
	s := severityOf(step)
	if s < throttles {
		return guard{}
	}

	of := func(applies func(s *subject) bool) bool {
		return slices.ContainsFunc(u.members, func(i int) bool { return applies(&t.all[i]) })
	}
	ends := s >= stops
	spillsVolumes := ends && r.Volumes != policy2.VolumesAnonymous
	isRemovedByStop := s == stops && !r.steps.Has(policy2.StepRemove) && r.Rm != policy2.RmRemove
	switch {
	case of(func(s *subject) bool { return s.who.elsewhere }):
		return guard{name: contract.ReasonElsewhere}
	case t.hasGrown() && of(t.isNewlyOwn):
		return guard{name: ReasonOwnGrew}
	case spillsVolumes && of(mayLoseVolumes):
		return guard{name: ReasonRmVolumes}
	case isRemovedByStop && of(mayAutoRemove):
		return guard{name: ReasonRmStop}
	case ends && r.conditions.Age != 0 && of(t.isJustStarted):
		return guard{name: ReasonJustStarted, waits: true}
	default:
		return guard{}
	}
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

func mayAutoRemove(s *subject) bool { return !s.c.AutoRemove.Known || s.c.AutoRemove.Value }

func mayLoseVolumes(s *subject) bool {
	return mayAutoRemove(s) && (!s.c.AnonymousVolumes.Known || s.c.AnonymousVolumes.Value > 0)
}

// Bounds of the guard just_started: for how long after a start, and how long after its creation a start is not the first.
const (
	justStartedUS = 10 * minuteUS
	firstStartUS  = minuteUS
)

// isJustStarted says that somebody started it a short time ago, though it is older.
func (t *tick) isJustStarted(s *subject) bool {
	start := &s.mem.Start
	if s.c.State == contract.StateCreated {
		return false
	}
	if !s.c.StartedAt.Known || !s.c.Restarts.Known || !s.c.StartedWallUS.Known {
		return true
	}
	if start.ByEngine || start.GUS == 0 || t.f.GUS-start.GUS >= justStartedUS {
		return false
	}
	return !s.mem.born() || s.mem.Born == BornSight || start.GUS-s.mem.BornGUS > firstStartUS
}

// hasGrown says that many more are own than at the approval.
func (t *tick) hasGrown() bool {
	in := &t.f.InForce
	const few = 10
	return in.NeedsApproval && in.Approved && t.own > max(2*in.OwnCount, in.OwnCount+few)
}

func (t *tick) isNewlyOwn(s *subject) bool {
	return s.mem.OwnSinceGUS == 0 || s.mem.OwnSinceGUS > t.f.InForce.ApprovedGUS
}

// isGuardDue says that the guard has not been told of within a day.
func (t *tick) isGuardDue(r *rule, u *unit, name string) bool {
	for _, i := range u.members {
		m := t.all[i].memory(r)
		if m == nil || m.Guard != name || t.f.GUS-m.GuardGUS >= noticeUS {
			return true
		}
	}
	return false
}

// soften makes a warning of the step, or lets it wait.
func (t *tick) soften(r *rule, u *unit, g guard, d *decision) {
	d.step, d.reason, d.guard, d.by = policy2.StepKeep, g.name, g.name, g.by
	if !g.waits && t.isGuardDue(r, u, g.name) {
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
		if !s.c.Alive() {
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

// findNeeded adds to those who wait everybody who is to be stopped or removed while one that needs him stays. It says whether
// there was one.
func (t *tick) findNeeded() bool {
	found := false
	for _, a := range t.acts {
		for _, i := range a.members {
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
	}
	return found
}
