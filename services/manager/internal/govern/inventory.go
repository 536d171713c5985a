package govern

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"gestor.local/contract"
	"gestor.local/manager/internal/engine"
	"gestor.local/manager/internal/govern/actuator"
)

// listInventory takes the engine's inventory right after the snapshot and finds out who is who.
func (o *observer) listInventory(ctx context.Context, t *tick) {
	t.engineUntil = time.Now().Add(o.readTimeout())
	ctx, cancel := context.WithDeadline(ctx, t.engineUntil)
	defer cancel()

	inv, err := o.engine.List(ctx)
	o.countRefusals(err)
	if err != nil {
		t.failures = append(t.failures, gateFailure{gate: GateInventory, why: err.Error(), next: engine.Advice(err)})
		return
	}
	inv.Host = o.host
	o.complete(ctx, t, inv)
	t.inv = &inv

	o.checkRows(t)
	o.countPaused(t)

	ids, failure := o.suite.resolve(inv)
	o.suiteIDs, t.suiteIDs = ids, ids
	if failure != nil {
		t.failures = append(t.failures, *failure)
	}

	var fresh []string
	if t.futile, fresh = o.respawns.observe(t.at, inv, o.loop.policy.Act.FutileAfter); len(fresh) > 0 {
		o.reporter.tickEvent(t, "breaker", contract.LevelError,
			"removing these is pointless, they come back each time: "+strings.Join(fresh, ", "),
			map[string]any{"breaker": "futility", "names": fresh})
	}
}

// countRefusals counts the ticks in a row on which no connection to the engine was made. In a container the socket is a
// mount of the file that was there at its start: when the engine makes a new one only a restart of the container mounts
// that, and until then every connection to the old one is refused (docs/adr/0024).
func (o *observer) countRefusals(err error) {
	if !engine.ConnectionRefused(err) {
		o.refusals = 0
		return
	}

	o.refusals++
	if o.suite.ManagerID != "" && o.refusals >= o.loop.policy.Gates.AlarmAfter {
		o.stopper.stop(fmt.Errorf("%w on %d ticks in a row: %w; if it was restarted its socket is another one, which a restart of this container mounts", ErrEngineUnreachable, o.refusals, err))
	}
}

// containerInfo is what inspections gave of one container, known from its first sight to its end.
type containerInfo struct {
	// image is what it was created with, "" while the engine has given no name of it.
	image string
	// startedAt is when the engine started it, "" when that is not known; startUS is the start of its oldest process
	// then.
	startedAt string
	startUS   uint64
	// pid is the first process of that start, 0 when the engine has none running.
	pid      int
	restarts restartHistory
}

// startTolerance is how far the two readers may differ about the start of one process: procfs counts it in clock ticks
// (proc_pid_stat(5), field 22) of 10 ms. No container starts again within that time.
const startTolerance = 20 * time.Millisecond

// startedWith says whether the engine was asked about the start that the oldest process of now belongs to.
func (c containerInfo) startedWith(startUS uint64) bool {
	apart := max(c.startUS, startUS) - min(c.startUS, startUS)
	return c.startedAt != "" && apart <= micros(startTolerance)
}

// seen is what is known of a container after it was listed with this image and read with this start of its oldest
// process, 0 when it was not read.
func (c containerInfo) seen(image string, startUS uint64) containerInfo {
	if c.image == "" && !isImageID(image) {
		c.image = image
	}
	if startUS > 0 && !c.startedWith(startUS) {
		c.startedAt, c.startUS, c.pid = "", startUS, 0
	}
	return c
}

// runsIn says whether the row has the process that the engine names as the container's first.
func (c containerInfo) runsIn(row *contract.Container) bool {
	if row == nil || c.pid == 0 {
		return false
	}
	for n := range row.Processes {
		if row.Processes[n].PID == c.pid {
			return true
		}
	}
	return false
}

// maxRestarting is how many containers between two starts are inspected on one tick.
const maxRestarting = 20

// complete gives every entry the image that its container was created with, and every governed one that was seen the
// time of its start. The engine is asked only about what is new, was started again or is about to be, or is listed by
// the id of its image since the tag moved on. Without a reading nobody is asked: nothing is decided then, and whoever
// was known stays known.
func (o *observer) complete(ctx context.Context, t *tick, inv contract.Inventory) {
	known := make(map[string]containerInfo, len(inv.Entries))
	var ask []*contract.Entry
	t.inspected = make(map[string]engine.ContainerState)
	restarting := 0
	for i := range inv.Entries {
		e := &inv.Entries[i]
		startUS := startOf(t.pop, e.ID)
		info := o.containers[e.ID].seen(e.Image, startUS)
		known[e.ID] = info

		governed := contract.Governed(e.Labels, o.suite.Name)

		// The cgroup of one that is being made has a process before the engine names it, and it is the same one
		// afterwards.
		startUnknown := info.startedAt == "" || info.pid == 0 && e.State == contract.StateRunning

		// A loop of restarts costs one inspection a tick, many of them cost no more than maxRestarting.
		betweenStarts := governed && t.pop != nil && e.State == contract.StateRestarting && restarting < maxRestarting
		if betweenStarts {
			restarting++
		}
		if betweenStarts || governed && startUS > 0 && startUnknown || info.image == "" && t.pop != nil {
			ask = append(ask, e)
		}
	}

	for i, state := range inspectAll(ctx, o.engine, ask) {
		if state.ID == "" {
			continue // asked again on the next tick
		}
		t.inspected[ask[i].ID] = state

		info := known[ask[i].ID]
		info.image, info.restarts = cmp.Or(state.Image, info.image), info.restarts.add(t.at, state)
		if info.startUS > 0 { // its oldest process was seen: of this start
			info.startedAt, info.pid = state.StartedAt, state.PID
		}
		known[ask[i].ID] = info
	}

	for i := range inv.Entries {
		e := &inv.Entries[i]
		info := known[e.ID]
		e.Image = cmp.Or(info.image, e.Image)
		if contract.Governed(e.Labels, o.suite.Name) {
			e.StartedAt = info.startedAt
		}
	}
	o.containers = known
}

// startOf is the start of the container's oldest process, 0 when it was not seen.
func startOf(p *contract.Population, id string) uint64 {
	if m := p.Member(id); m != nil {
		return m.StartUS
	}
	return 0
}

// isImageID says that a list names an image by its id instead of by the name that the container was created with.
func isImageID(image string) bool { return image == "" || strings.HasPrefix(image, "sha256:") }

// maxInspects is how many containers are inspected at a time: enough to hide the engine's latency, few enough not to
// load it.
const maxInspects = 4

// inspectAll inspects each of the entries. The state of one that cannot be inspected is empty: an order about a
// container whose start is not known is refused by the check of its preconditions.
func inspectAll(ctx context.Context, i actuator.Inspector, entries []*contract.Entry) []engine.ContainerState {
	states := make([]engine.ContainerState, len(entries)) // each worker writes its own
	var group errgroup.Group
	group.SetLimit(maxInspects)
	for n, e := range entries {
		group.Go(func() error {
			if state, err := i.Inspect(ctx, e.ID); err == nil {
				states[n] = state
			}
			return nil
		})
	}

	_ = group.Wait() // none of them fails
	return states
}

// crashLoops names the containers in a loop with how often they were started again and how they ended, "" when there
// are none.
func (o *observer) crashLoops(t *tick) string {
	var loops []string
	for _, id := range slices.Sorted(maps.Keys(o.containers)) {
		info := o.containers[id]
		if info.restarts.isLooping(t.at) {
			loops = append(loops, fmt.Sprintf("%s (%s)", namesOf(t.inv, []string{id}), &info.restarts))
		}
	}
	return shortened(loops)
}
