package govern

import (
	"context"
	"slices"
	"strings"
	"sync"

	"gestor.local/contract"
	"gestor.local/manager/internal/engine"
)

// lookers is how many containers are inspected at a time: enough to hide the engine's latency, few enough not to load it.
const lookers = 4

// identity remembers when the engine started a container, for as long as its oldest process stays the same.
type identity struct {
	startUS   uint64
	state     string
	startedAt string
}

// identify takes the engine's inventory right after the snapshot and finds out who is who.
func (g *Governor) identify(ctx context.Context, t *tick) {
	ctx, cancel := context.WithTimeout(ctx, g.patience())
	defer cancel()
	inv, err := g.Engine.List(ctx)
	if err != nil {
		t.fail(GateInventory, err.Error())
		return
	}
	inv.Host = g.Host
	g.startTimes(ctx, t, inv)
	t.inv = &inv
	ids, why := g.Self.resolve(inv)
	g.suiteIDs = ids
	if why != "" {
		t.fail(GateSuite, why)
	}
	var fresh []string
	if t.futile, fresh = g.futility.look(t.at, inv, g.Policy.Act.FutileAfter); len(fresh) > 0 {
		g.tickEvent(t, "breaker", levelError, "removing these is pointless, they come back each time: "+strings.Join(fresh, ", "),
			map[string]any{"breaker": "futility", "names": fresh})
	}
}

// startTimes fills in when the engine started each owned container that runs. Only new or restarted ones are asked for.
func (g *Governor) startTimes(ctx context.Context, t *tick, inv contract.Inventory) {
	known := make(map[string]identity, len(g.identities))
	var ask []*contract.Entry
	for i := range inv.Entries {
		e := &inv.Entries[i]
		if !contract.Owned(e.Labels, g.Self.Suite) || e.State == "created" {
			continue
		}
		now := identity{startUS: startOf(t.pop, e.ID), state: e.State}
		old, ok := g.identities[e.ID]
		if ok && old.startUS == now.startUS && old.state == now.state {
			e.StartedAt, known[e.ID] = old.startedAt, old
			continue
		}
		known[e.ID] = now
		ask = append(ask, e)
	}
	inspect(ctx, g.Engine, ask)
	for _, e := range ask {
		if e.StartedAt == "" {
			delete(known, e.ID)
			continue
		}
		i := known[e.ID]
		i.startedAt = e.StartedAt
		known[e.ID] = i
	}
	g.identities = known
}

// inspect fills in StartedAt where the engine tells it. One that stays empty will be refused by the last look.
func inspect(ctx context.Context, l looker, entries []*contract.Entry) {
	var wg sync.WaitGroup
	slots := make(chan struct{}, lookers)
	for _, e := range entries {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			if view, err := l.Look(ctx, e.ID); engine.KindOf(err) == engine.KindNone {
				e.StartedAt = view.StartedAt
			}
		})
	}
	wg.Wait()
}

// startOf is the start of the container's oldest process, 0 when it was not seen.
func startOf(p *contract.Population, id string) uint64 {
	if m := memberOf(p, id); m != nil {
		return m.StartUS
	}
	return 0
}

func memberOf(p *contract.Population, id string) *contract.Member {
	if p == nil {
		return nil
	}
	i, ok := slices.BinarySearchFunc(p.Members, id, func(m contract.Member, id string) int { return strings.Compare(m.ID, id) })
	if !ok {
		return nil
	}
	return &p.Members[i]
}

func entryOf(inv *contract.Inventory, id string) *contract.Entry {
	if inv == nil {
		return nil
	}
	i, ok := slices.BinarySearchFunc(inv.Entries, id, func(e contract.Entry, id string) int { return strings.Compare(e.ID, id) })
	if !ok {
		return nil
	}
	return &inv.Entries[i]
}
