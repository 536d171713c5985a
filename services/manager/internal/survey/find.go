package survey

import (
	"maps"
	"slices"
	"time"

	"gestor.local/contract"
)

// KindName is a way to leak.
type KindName string

// Kinds.
const (
	KindRestarting       KindName = "restarting"        // restarting again and again
	KindTool             KindName = "tool"              // of a test, a build, an agent
	KindProject          KindName = "project"           // a compose project older than 3 days
	KindEnded            KindName = "ended"             // for over an hour
	KindCreated          KindName = "created"           // never started
	KindIdle             KindName = "idle"              // without a restart policy, and nothing to do
	KindAnonymousVolumes KindName = "anonymous_volumes" // of those that have ended
	KindNoMemoryLimit    KindName = "no_memory_limit"
)

// find looks for all kinds. A container counts in the first that it is of, in this order, so that one rule at most is proposed for it;
// the last two come on top.
func (h *host) find() {
	h.findRestarting()
	h.findTools()
	h.findProjects()
	h.findSingles()
	h.findVolumes()
	h.findUnlimited()
}

// add makes a kind of those that are in it, if any, and takes them.
func (h *host) add(kind KindName, t *tool, members []*container) {
	if len(members) == 0 {
		return
	}
	slices.SortFunc(members, byName)
	for _, c := range members {
		c.taken = true
	}
	h.found = append(h.found, &finding{kind: kind, tool: t, members: members})
}

// each returns the candidates that were not found yet and of which is holds.
func (h *host) each(is func(*container) bool) (list []*container) {
	for _, c := range h.all {
		if c.candidate && !c.taken && is(c) {
			list = append(list, c)
		}
	}
	return list
}

// park takes those out that no rule is for, and returns the others.
func (h *host) park(kind KindName, list []*container, why func(*container) []ParkedWord) (others []*container) {
	for _, c := range list {
		words := why(c)
		if len(words) == 0 {
			others = append(others, c)
			continue
		}
		c.taken = true
		h.parked = append(h.parked, Parked{ID: c.ID, Name: c.displayName(), Kind: kind, Why: words})
	}
	return others
}

func (h *host) findRestarting() { h.add(KindRestarting, nil, h.each(h.restarts)) }

// findTools counts what tools have left behind. One that runs with a restart policy is meant to stay, as a builder is.
func (h *host) findTools() {
	for _, t := range tools {
		list := h.each(func(c *container) bool {
			age, known := h.age(c)
			return c.tool == t && (c.runs() || notRunning(c)) && h.isOld(age, known, leftoverAge)
		})
		h.add(KindTool, t, h.park(KindTool, list, h.whyParked))
	}
}

// notRunning says whether it ran and does not any more, or never did.
func notRunning(c *container) bool {
	return contract.StateEnded(c.State) || c.State == contract.StateCreated
}

func isAlive(c *container) bool { return contract.StateAlive(c.State) }

// whyParked says why no rule is to be proposed for a container that might be left over: of those that do not run all that they hold, of
// those that run their restart policy.
func (h *host) whyParked(c *container) []ParkedWord {
	if !notRunning(c) {
		if c.hasRestartPolicy() {
			return []ParkedWord{ParkedRestart}
		}
		return nil
	}

	why := c.holds()
	others := h.projects[c.Project()]
	if slices.ContainsFunc(others, isAlive) {
		why = append(why, ParkedProjectRuns)
	}
	return why
}

// findProjects counts compose projects as wholes. One of which a part cannot be own, or was found otherwise, is not judged: its rule
// would spare it.
func (h *host) findProjects() {
	var members []*container
	for _, name := range slices.Sorted(maps.Keys(h.projects)) {
		project := h.projects[name]
		whole := !slices.ContainsFunc(project, func(c *container) bool { return !c.candidate || c.taken })
		if !whole || !h.isOldProject(project) {
			continue
		}

		// One member that is meant to stay, or to come back, keeps the others: a web server is nothing without its database.
		if why := whyProjectParked(project); why != nil {
			h.park(KindProject, project, why)
			continue
		}
		members = append(members, project...)
	}
	h.add(KindProject, nil, members)
}

// isOldProject asks for the youngest, as a rule for projects does.
func (h *host) isOldProject(project []*container) bool {
	return !slices.ContainsFunc(project, func(c *container) bool {
		age, known := h.since(c.CreatedWallUS)
		return !h.isOld(age, known, projectAge)
	})
}

// whyProjectParked is nil for a project that is left over. What runs holds its volumes for what it does; of a project that has ended
// they are what is left of it.
func whyProjectParked(project []*container) func(*container) []ParkedWord {
	if slices.ContainsFunc(project, (*container).hasRestartPolicy) {
		return func(*container) []ParkedWord { return []ParkedWord{ParkedRestart} }
	}
	alive := slices.ContainsFunc(project, isAlive)
	holds := slices.ContainsFunc(project, func(c *container) bool { return len(c.holds()) > 0 })
	if alive || !holds {
		return nil
	}

	return func(c *container) []ParkedWord { return c.holds() }
}

func (h *host) findSingles() {
	h.addParked(KindEnded, func(c *container) bool {
		age, known := h.since(c.FinishedWallUS)
		return contract.StateEnded(c.State) && h.isOld(age, known, leftoverAge)
	})
	h.addParked(KindCreated, func(c *container) bool {
		age, known := h.since(c.CreatedWallUS)
		return c.State == contract.StateCreated && h.isOld(age, known, leftoverAge)
	})
	h.add(KindIdle, nil, h.each(func(c *container) bool {
		run, known := h.since(c.StartedWallUS)
		return c.runs() && !c.hasRestartPolicy() && h.isOld(run, known, leftoverAge) && h.idles(c)
	}))
}

func (h *host) addParked(kind KindName, is func(*container) bool) {
	h.add(kind, nil, h.park(kind, h.each(is), h.whyParked))
}

// findVolumes counts those too that are parked: that is what parks them.
func (h *host) findVolumes() {
	h.addOnTop(KindAnonymousVolumes, func(c *container) bool {
		age, known := h.age(c)
		return contract.StateEnded(c.State) && h.isOld(age, known, leftoverAge) && h.held(c).AnonymousVolumes > 0
	})
}

func (h *host) findUnlimited() {
	h.addOnTop(KindNoMemoryLimit, func(c *container) bool {
		return c.runs() && c.inspection.MemoryLimit == 0
	})
}

func (h *host) addOnTop(kind KindName, is func(*container) bool) {
	var members []*container
	for _, c := range h.all {
		if c.candidate && is(c) {
			members = append(members, c)
		}
	}
	if len(members) > 0 {
		slices.SortFunc(members, byName)
		h.found = append(h.found, &finding{kind: kind, members: members})
	}
}

// kind makes the document of a finding.
func (h *host) kind(f *finding) Kind {
	k := Kind{Kind: f.kind, Count: len(f.members), Members: make([]Member, 0, len(f.members))}
	if f.tool != nil {
		k.Tool = f.tool.name
	}

	projects := make(map[string]bool)
	for _, c := range f.members {
		age, _ := h.age(c)
		seconds := int64(age / time.Second)
		m := Member{ID: c.ID, Name: c.displayName(), Image: c.Image, Project: c.Project(), State: c.State, AgeSeconds: seconds, Held: h.held(c)}
		k.Members = append(k.Members, m)
		k.OldestSeconds = max(k.OldestSeconds, seconds)
		k.Held.add(m.Held)
		projects[m.Project] = true
	}

	if f.kind == KindProject {
		k.Count = len(projects)
	}
	h.propose(f, &k)
	return k
}
