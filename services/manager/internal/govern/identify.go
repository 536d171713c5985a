package govern

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"gestor.local/contract"
	"gestor.local/manager/internal/engine"
)

// lookers is how many containers are inspected at a time: enough to hide the engine's latency, few enough not to load it.
const lookers = 4

// identity is what the engine told of one container, known from its first sight to its end.
type identity struct {
	// image is what it was created with, "" while the engine has told no name of it.
	image string
	// startedAt is when the engine started it, "" when that is not known; startUS is the start of its oldest process then.
	startedAt string
	startUS   uint64
	// pid is the first process of that start, 0 when the engine has none running.
	pid      int
	restarts restarts
}

// startTolerance is how far the two readers may differ about the start of one process: procfs counts it in clock ticks
// (proc_pid_stat(5), field 22) of 10 ms. No container starts again within that time.
const startTolerance = 20 * time.Millisecond

// startedWith says whether the engine was asked about the start that the oldest process of now belongs to.
func (i identity) startedWith(startUS uint64) bool {
	apart := max(i.startUS, startUS) - min(i.startUS, startUS)
	return i.startedAt != "" && apart <= micros(startTolerance)
}

// identify takes the engine's inventory right after the snapshot and finds out who is who.
func (g *Governor) identify(ctx context.Context, t *tick) {
	ctx, cancel := context.WithTimeout(ctx, g.patience())
	defer cancel()
	inv, err := g.Engine.List(ctx)
	g.noteRefusal(err)
	if err != nil {
		t.findings = append(t.findings, finding{gate: GateInventory, why: err.Error(), next: engine.Advice(err)})
		return
	}
	inv.Host = g.Host
	g.know(ctx, t, inv)
	t.inv = &inv
	g.join(t)
	ids, trouble := g.Suite.resolve(inv)
	g.suiteIDs = ids
	if trouble != nil {
		t.findings = append(t.findings, *trouble)
	}
	var fresh []string
	if t.futile, fresh = g.futility.look(t.at, inv, g.Policy.Act.FutileAfter); len(fresh) > 0 {
		g.tickEvent(t, "breaker", levelError, "removing these is pointless, they come back each time: "+strings.Join(fresh, ", "),
			map[string]any{"breaker": "futility", "names": fresh})
	}
}

// noteRefusal counts the ticks in a row on which no connection to the engine was made. In a container the socket is a mount of
// the file that was there at its start: when the engine makes a new one only a restart of the container mounts that, and
// until then every connection to the old one is refused (docs/adr/0024).
func (g *Governor) noteRefusal(err error) {
	if !engine.Refused(err) {
		g.refusals = 0
		return
	}
	g.refusals++
	if g.Suite.ManagerID != "" && g.refusals >= g.Policy.Gates.AlarmAfter && g.fatal == nil {
		g.fatal = fmt.Errorf("%w on %d ticks in a row: %w; if it was restarted its socket is another one, which a restart of this container mounts", ErrEngineUnreachable, g.refusals, err)
	}
}

// know gives every entry the image that its container was created with, and every governed one that was seen the time of its
// start. The engine is asked only about what is new, was started again or is about to be, or is listed by the id of its image
// since the tag moved on. Without a reading nobody is asked: nothing is decided then, and whoever was known stays known.
func (g *Governor) know(ctx context.Context, t *tick, inv contract.Inventory) {
	known := make(map[string]identity, len(inv.Entries))
	var ask []*contract.Entry
	restarting := 0
	for i := range inv.Entries {
		e := &inv.Entries[i]
		who := g.identities[e.ID]
		startUS := startOf(t.pop, e.ID)
		if who.image == "" && !isImageID(e.Image) {
			who.image = e.Image
		}
		if startUS > 0 && !who.startedWith(startUS) {
			who.startedAt, who.startUS, who.pid = "", startUS, 0
		}
		known[e.ID] = who
		governed := contract.Governed(e.Labels, g.Suite.Name)
		// The cgroup of one that is being made has a process before the engine names it, and it is the same one afterwards.
		unnamed := who.startedAt == "" || who.pid == 0 && e.State == contract.StateRunning
		fresh := governed && startUS > 0 && unnamed
		between := governed && t.pop != nil && e.State == contract.StateRestarting && restarting < mostRestarting
		if between {
			restarting++ // a loop costs one inspection a tick, many cost no more than this
		}
		if fresh || between || who.image == "" && t.pop != nil {
			ask = append(ask, e)
		}
	}

	for i, view := range inspect(ctx, g.Engine, ask) {
		if view.ID == "" {
			continue // asked again on the next tick
		}
		who := known[ask[i].ID]
		who.image, who.restarts = cmp.Or(view.Image, who.image), who.restarts.note(t.at, view)
		if who.startUS > 0 { // its oldest process was seen: of this start
			who.startedAt, who.pid = view.StartedAt, view.PID
		}
		known[ask[i].ID] = who
	}

	for i := range inv.Entries {
		e := &inv.Entries[i]
		who := known[e.ID]
		e.Image = cmp.Or(who.image, e.Image)
		if contract.Governed(e.Labels, g.Suite.Name) {
			e.StartedAt = who.startedAt
		}
	}
	g.identities = known
}

// isImageID says that a list tells an image by its id instead of by the name that the container was created with.
func isImageID(image string) bool { return image == "" || strings.HasPrefix(image, "sha256:") }

// inspect asks the engine about each of the entries. The view of one that it does not tell is empty: an order about a
// container whose start is not known is refused by the last look.
func inspect(ctx context.Context, l looker, entries []*contract.Entry) []engine.ContainerState {
	var wg sync.WaitGroup
	views := make([]engine.ContainerState, len(entries))
	slots := make(chan struct{}, lookers)
	for i, e := range entries {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			if view, err := l.Inspect(ctx, e.ID); err == nil {
				views[i] = view
			}
		})
	}
	wg.Wait()
	return views
}

// startOf is the start of the container's oldest process, 0 when it was not seen.
func startOf(p *contract.Population, id string) uint64 {
	if m := p.Member(id); m != nil {
		return m.StartUS
	}
	return 0
}
