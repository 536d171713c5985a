package facts

import (
	"slices"
	"strings"

	"gestor.local/contract"
	"gestor.local/contract/policy2"
	"gestor.local/manager/internal/engine"
	"gestor.local/manager/internal/rules"
	"gestor.local/manager/internal/source/netdev"
)

// Options configure a Builder.
type Options struct {
	// Socket is the path of the engine's socket on the host, "" where it is not known.
	Socket string
	// Clock is the governed clock as it was left, the zero value without one.
	Clock Clock
	// Before are the containers of the last facts of an earlier run: what they were called stays known.
	Before []rules.Container
}

// Builder makes facts, tick after tick. It is not safe for concurrent use.
type Builder struct {
	socket string
	clock  Clock
	// read is the last reading that the clock took in, raisedUS what came of it.
	read     Reading
	raisedUS int64
	known    map[string]*known   // by container id, of the last list
	named    map[string][]string // names of an earlier run, of those that were not listed yet
	rounds   uint64              // calls of Observe
}

// Tick is what was read on one tick, beside what the builder was told already.
type Tick struct {
	Number uint64
	Clocks Reading
	// Population and Snapshot are nil on a tick without an accepted reading.
	Population *contract.Population
	Snapshot   *contract.Snapshot
	Inventory  contract.Inventory
	// Network are the counts of those that Counted asked for.
	Network map[string]netdev.Count

	Suite                  policy2.Suite
	Leaving, Stuck, Futile []string
}

// New makes a builder.
func New(o Options) *Builder {
	b := &Builder{socket: o.Socket, clock: o.Clock, known: make(map[string]*known), named: make(map[string][]string)}
	for i := range o.Before {
		if c := &o.Before[i]; c.Identity != nil && c.Name != "" {
			b.named[c.ID] = append(slices.Clip(c.PastNames), c.Name)
		}
	}
	return b
}

// Clock is the governed clock after the last facts.
func (b *Builder) Clock() Clock { return b.clock }

// maxUnseen is how many containers are inspected on one tick although nothing changed that can be seen: a loop of restarts costs
// one inspection a tick, many of them cost no more than these.
const maxUnseen = 20

// Observe takes in a list and the snapshot of the tick, nil without one, and returns whom to inspect, the most needed first. It
// may be asked again on the same tick, when another list was taken.
func (b *Builder) Observe(inv contract.Inventory, snap *contract.Snapshot) []string {
	b.rounds++
	starts := make(map[string]uint64)
	if snap != nil {
		for i := range snap.Containers {
			starts[snap.Containers[i].ID] = snap.Containers[i].StartUS
		}
	}

	now := make(map[string]*known, len(inv.Entries))
	var ask []*known
	for _, e := range inv.Entries {
		k := b.known[e.ID]
		if k == nil {
			k = &known{identity: &policy2.Identity{ID: e.ID, PastNames: b.earlierNames(e)}}
		}

		k.observe(e)
		if snap != nil {
			k.observeStart(starts[e.ID])
		}

		now[e.ID] = k
		if !k.fresh || k.changesUnseen() {
			ask = append(ask, k)
		}
	}
	b.known = now
	return b.choose(ask)
}

// choose orders those that are to be inspected, and leaves out of those that may change unseen whose turn it is not.
func (b *Builder) choose(ask []*known) []string {
	slices.SortFunc(ask, byNeed)
	ids, unseen := make([]string, 0, len(ask)), 0
	for _, k := range ask {
		if k.fresh {
			if unseen++; unseen > maxUnseen {
				continue // its turn comes
			}
		}

		k.asked, k.fresh = b.rounds, false // until it is answered for
		k.failures++
		ids = append(ids, k.entry.ID)
	}
	return ids
}

// earlierNames are the names that a container had in an earlier run, without that of now where all are known.
func (b *Builder) earlierNames(e contract.Entry) []string {
	names := b.named[e.ID]
	delete(b.named, e.ID)
	if len(names) >= policy2.MostPastNames {
		return names[:policy2.MostPastNames]
	}
	return slices.DeleteFunc(names, func(name string) bool { return name == e.Name })
}

// Inspected takes in what came of the inspections that Observe asked for, if any. Of whom there is no answer all is unknown that
// may change within a life.
func (b *Builder) Inspected(states map[string]engine.ContainerState) {
	for id, state := range states {
		if k := b.known[id]; k != nil {
			k.inspected, k.fresh, k.life, k.failures = inspectedFrom(state, b.socket), true, true, 0
		}
	}
	for _, k := range b.known {
		k.identify()
	}
}

// Recheck has the containers inspected on the next tick although nothing changed that can be seen from outside.
func (b *Builder) Recheck(ids ...string) {
	for _, id := range ids {
		if k := b.known[id]; k != nil {
			k.fresh = false
		}
	}
}

// Facts are those of the tick. The builder must have observed its inventory; a second inventory of the tick gives the second facts.
func (b *Builder) Facts(t Tick) rules.Facts {
	if t.Clocks != b.read { // else these are the same tick's again
		b.read = t.Clocks
		b.clock, b.raisedUS = b.clock.Advance(t.Clocks)
	}

	f := rules.Facts{
		Tick: t.Number, BootID: t.Clocks.BootID, BootUS: t.Clocks.BootUS, WallUS: t.Clocks.WallUS,
		GUS: b.clock.LastGUS, BootGUS: b.clock.BootGUS, RaisedUS: b.raisedUS, ClockInDoubt: b.clock.InDoubt,
		Suite: t.Suite, Leaving: sorted(t.Leaving), Stuck: sorted(t.Stuck), Futile: sorted(t.Futile),
	}

	if p := t.Population; p != nil {
		f.Sequence, f.IntervalUS, f.CPUs = p.Sequence, p.IntervalUS, p.CPUs
		if p.Memory.TotalKB > 0 {
			f.MemoryTotalKB, f.MemoryAvailableKB = policy2.Known(p.Memory.TotalKB), policy2.Known(p.Memory.AvailableKB)
		}
	}

	f.Containers = make([]rules.Container, 0, len(t.Inventory.Entries))
	rows := rowsOf(t.Snapshot, t.Population)
	for _, e := range t.Inventory.Entries {
		if k := b.known[e.ID]; k != nil {
			f.Containers = append(f.Containers, b.container(k, rows[e.ID], t))
		}
	}

	f.Containers = append(f.Containers, notInEngine(b.known, rows)...)
	slices.SortFunc(f.Containers, func(a, b rules.Container) int { return strings.Compare(a.ID, b.ID) })
	return f
}

func sorted(words []string) []string {
	words = slices.Clone(words)
	slices.Sort(words)
	return words
}

// container is what is known of one that the engine lists.
func (b *Builder) container(k *known, r row, t Tick) rules.Container {
	c := rules.Container{Identity: k.identity, InEngine: true, State: k.entry.State}

	i := &k.inspected
	if k.life {
		c.CreatedWallUS, c.AutoRemove, c.NetworkMode = i.createdUS, i.autoRemove, b.networkMode(k)
		c.AnonymousVolumes = policy2.Fact[int]{Value: i.mounts.Value.AnonymousVolumes, Known: i.mounts.Known}
	}
	if k.fresh {
		c.StartedAt, c.StartedWallUS, c.FinishedWallUS = textFact(i.startedAt), i.startedUS, i.finishedUS
		c.Restarts, c.RestartPolicy, c.NanoCPUs = policy2.Known(i.restarts), textFact(i.restartPolicy), i.nanoCPUs
	}

	if k.owns(r) {
		addRow(&c, r)
	}
	b.addNetwork(&c, k, t)
	return c
}

func textFact(s string) policy2.Fact[string] { return policy2.Fact[string]{Value: s, Known: s != ""} }

// notInEngine are the containers that the snapshot has and the list has not: known by their id alone.
func notInEngine(listed map[string]*known, rows map[string]row) []rules.Container {
	var strangers []rules.Container
	for id, r := range rows {
		if listed[id] != nil {
			continue
		}

		c := rules.Container{Identity: &policy2.Identity{ID: id}}
		if !r.untrusted() {
			addRow(&c, r)
		}
		strangers = append(strangers, c)
	}
	return strangers
}
