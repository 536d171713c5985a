package survey

import (
	"slices"
	"strings"
	"time"

	"gestor.local/contract"
	"gestor.local/contract/policy2"
	"gestor.local/manager/internal/engine"
	"gestor.local/manager/internal/rules"
)

// host is the containers of a host, and what was found so far.
type host struct {
	Reading
	all      []*container
	projects map[string][]*container
	running  int
	leftOut  LeftOut
	unknown  []string

	found  []*finding
	parked []Parked
}

// container is one of the host as the survey sees it.
type container struct {
	*rules.Container
	before     *rules.Container // of the first reading, nil where it was not there
	inspection engine.ContainerState
	// candidate says that a policy may own it, and that enough is known of it to judge it.
	candidate bool
	tool      *tool // nil for none
	// never says that no policy may own it, whatever becomes known of it.
	never bool
	// taken says that it was found already, but for the kinds that come on top of another.
	taken bool
}

// finding is one kind with its members, in the making.
type finding struct {
	kind    KindName
	tool    *tool
	members []*container
}

// everybody owns whoever a policy may own at all: what it does not own no policy of a person's could.
var everybody = policy2.Policy{Own: []policy2.Selector{{Name: []string{"*"}}}} //nolint:gochecknoglobals // a constant

// look sorts the containers of a reading into those that may be judged and the others.
func look(r Reading) *host {
	h := &host{Reading: r, projects: make(map[string][]*container)}
	before := make(map[string]*rules.Container, len(r.Before.Containers))
	for i := range r.Before.Containers {
		before[r.Before.Containers[i].ID] = &r.Before.Containers[i]
	}

	for i := range r.Facts.Containers {
		f := &r.Facts.Containers[i]
		if !f.InEngine { // known by its id alone
			continue
		}
		state, inspected := r.States[f.ID]
		c := &container{Container: f, inspection: state, before: before[f.ID], tool: toolOf(f.Identity)}
		h.all = append(h.all, c)
		if f.State == contract.StateRunning {
			h.running++
		}

		if project := f.Project(); project != "" {
			h.projects[project] = append(h.projects[project], c)
		}
		h.screen(c, inspected)
	}
	return h
}

// screen says whether a container may be judged. What is never own is never a leak: the same function says so that the rules ask.
func (h *host) screen(c *container, inspected bool) {
	_, own := everybody.Owns(c.Identity, h.Facts.Suite)
	_, builtIn := everybody.Protects(c.Identity, h.Facts.Suite)
	_, orchestrated := contract.WorkloadOf(c.Labels)

	c.never = builtIn || c.Socket.Value
	switch {
	case builtIn || c.Labels[contract.LabelManaged] == "true":
		h.leftOut.Gestor++
	case !inspected || !c.Socket.Known || !c.AutoRemove.Known: // the last two where mounts or configuration were left out
		h.unknown = append(h.unknown, c.displayName())
	case c.Socket.Value:
		h.leftOut.Socket++
	case orchestrated:
		h.leftOut.Orchestrator++
	case !own:
		h.leftOut.Nameless++
	default:
		c.candidate = true
	}
}

func (c *container) displayName() string {
	if name := c.Name; name != "" {
		return contract.Printable(name)
	}
	return contract.Shorten(c.ID, 12)
}

func (c *container) runs() bool { return c.State == contract.StateRunning }

// since is how long ago a time on the wall was; ok is false where it is not known. A clock that was set back gives 0.
func (h *host) since(wall policy2.Fact[int64]) (age time.Duration, ok bool) {
	if !wall.Known || wall.Value == 0 {
		return 0, false
	}
	return time.Duration(max(h.Facts.WallUS-wall.Value, 0)) * time.Microsecond, true
}

// age is since its end where it has ended, else since its creation.
func (h *host) age(c *container) (time.Duration, bool) {
	if contract.StateEnded(c.State) {
		return h.since(c.FinishedWallUS)
	}
	return h.since(c.CreatedWallUS)
}

// isOld says whether something of that age counts.
func (h *host) isOld(age time.Duration, known bool, byDefault time.Duration) bool {
	if h.OlderThan > 0 {
		byDefault = h.OlderThan
	}
	return known && age >= byDefault
}

// restarts says whether it is brought back without end: by its restart policy, and as the condition of a rule has it.
func (h *host) restarts(c *container) bool {
	// Between two starts podman says that it has ended, or was created: what it counts is right whatever it says.
	b := c.before
	grew := b != nil && b.Restarts.Known && c.Restarts.Known && c.Restarts.Value > b.Restarts.Value
	if grew || c.State == contract.StateRestarting {
		return true
	}
	if !c.runs() || !c.Restarts.Known {
		return false
	}

	run, known := h.since(c.StartedWallUS)
	atMost := time.Duration(loop.Within/policy2.Duration(loop.Count)) * time.Second
	return known && c.Restarts.Value >= loop.Count && run < atMost
}

// idles says whether it did nothing between the two readings, as a rule counts it by default; no where that is not known.
func (h *host) idles(c *container) bool {
	cpu, known := h.millicores(c)
	net, counted := h.traffic(c)
	idle := policy2.Default().Idle
	return known && counted && cpu.of(idle.CPU) && net <= int64(float64(idle.Net)*h.Apart.Seconds())
}

// share is CPU time over an interval, in microseconds.
type share struct{ us, intervalUS uint64 }

// of says whether it is at most this share of a core.
func (s share) of(p policy2.Percent) bool { return s.us*10_000 <= s.intervalUS*uint64(max(p, 0)) }

func (h *host) millicores(c *container) (share, bool) {
	s := share{us: c.CPUUS.Value, intervalUS: h.Facts.IntervalUS}
	return s, c.CPUUS.Known && s.intervalUS > 0
}

// traffic is its bytes between the two readings.
func (h *host) traffic(c *container) (bytes int64, known bool) {
	if c.before == nil || !c.before.NetBytes.Known || !c.NetBytes.Known || c.NetBytes.Value < c.before.NetBytes.Value {
		return 0, false
	}
	return int64(c.NetBytes.Value - c.before.NetBytes.Value), true //nolint:gosec // of a few seconds
}

// hasRestartPolicy says whether the engine brings it back: who asks for that means it to stay.
func (c *container) hasRestartPolicy() bool {
	policy := c.inspection.RestartPolicy
	return policy != "" && policy != "no"
}

// holds says what it would leave or lose where it was removed, and whether it is meant to come back.
func (c *container) holds() (why []ParkedWord) {
	if c.hasRestartPolicy() {
		why = append(why, ParkedRestart)
	}
	counts := policy2.CountMounts(c.inspection.Mounts, "")
	if counts.NamedVolumes > 0 {
		why = append(why, ParkedNamed)
	}
	if counts.AnonymousVolumes > 0 {
		why = append(why, ParkedAnonymous)
	}
	if slices.ContainsFunc(c.inspection.Mounts, func(m policy2.Mount) bool { return m.Type == policy2.MountBind }) {
		why = append(why, ParkedBind)
	}
	return why
}

// held is what it holds.
func (h *host) held(c *container) Held {
	held := Held{AnonymousVolumes: policy2.CountMounts(c.inspection.Mounts, "").AnonymousVolumes}
	if !contract.StateAlive(c.State) {
		if bytes, ok := h.Layers[c.ID]; ok {
			held.LayerBytes = &bytes
		} else {
			held.LayerUnknown = 1
		}
		return held
	}

	if s, ok := h.millicores(c); ok {
		held.CPUMillicores = new(s.us * 1000 / s.intervalUS)
	} else {
		held.CPUUnknown = 1
	}
	if c.RAMKB.Known {
		held.MemoryKB = &c.RAMKB.Value
	} else {
		held.MemoryUnknown = 1
	}
	return held
}

// byName orders containers as people look for them.
func byName(a, b *container) int {
	if order := strings.Compare(a.Name, b.Name); order != 0 {
		return order
	}
	return strings.Compare(a.ID, b.ID)
}
