package rulestest_test

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"pgregory.net/rapid"

	"gestor.local/contract"
	"gestor.local/contract/policy2"
	"gestor.local/manager/internal/rules"
	"gestor.local/manager/internal/rules/rulestest"
)

// When a drawn world is looked at: from half an hour before T.
const drawnFrom = -30 * minute

// drawWorld draws a host for the policy, and what happens to it until a moment. Its manager looks at it from drawnFrom on.
func drawWorld(t *rapid.T, p policy2.Policy, until time.Duration) *rulestest.World {
	d := drawn(t, "world")
	w := rulestest.New(p, drawnFrom)
	w.ApprovedAt = drawnFrom + pick(d, 0, 5*minute, 20*minute)
	w.CPUs = pick(d, 1, 8)
	w.MemoryKB = pick[uint64](d, 1<<20, 16<<20)
	if d.oneIn(4) {
		w.Suite = policy2.Suite{Name: "mine", Project: "suite"}
	}

	for i, d := range drawnList(t, 1, 9, "containers") {
		w.Add(d.container(i, until))
	}
	for i, d := range drawnList(t, 0, 4, "happenings") {
		d.happening(w, until, i == 0)
	}

	if d.oneIn(3) {
		down := d.span(until)
		lost := pick(d, "c1", "c2", "")
		w.Undelivered = func(name string, at time.Duration) bool { return down(at) && (lost == "" || name == lost) }
	}
	if d.oneIn(4) {
		w.EngineDown = d.span(until)
	}
	if d.oneIn(3) {
		crashes, lines, acted := d.faulty(1, until), d.between(1, 3), d.oneIn(2)
		w.CrashOn = func(at time.Duration) *rulestest.Crash {
			if !crashes(at) {
				return nil
			}
			return &rulestest.Crash{Lines: lines, Acted: acted}
		}
	}
	return w
}

// moment draws one between the first look and the end, in whole seconds.
func (d draw) moment(until time.Duration) time.Duration {
	return drawnFrom + time.Duration(d.between(0, int((until-drawnFrom)/time.Second)))*time.Second
}

// span draws a time of up to an hour.
func (d draw) span(until time.Duration) func(time.Duration) bool {
	from := d.moment(until)
	to := from + time.Duration(d.between(1, 60))*minute
	return func(at time.Duration) bool { return at >= from && at < to }
}

// faulty draws the ticks of a fault that one in so many has.
func (d draw) faulty(odds int, until time.Duration) func(time.Duration) bool {
	if !d.oneIn(odds) {
		return func(time.Duration) bool { return false }
	}
	if d.oneIn(2) {
		return d.span(until)
	}
	every := time.Duration(d.between(2, 9)) * minute
	return func(at time.Duration) bool { return at%every == 0 }
}

// container draws one of a world: c0, c1 and so on.
func (d draw) container(i int, until time.Duration) rulestest.Container {
	c := rulestest.Container{
		Name: fmt.Sprintf("c%d", i), Image: pick(d, "mcp/x", "redis:7", "registry.example/acme/web:1", "sha256:9f2c01ab"+zeros),
		Labels: d.labels(), Networks: pick(d, nil, []string{"front"}, []string{"back"}, []string{"front", "back"}),
		Rm: d.oneIn(4), Restart: pick(d, "", "", "always", "unless-stopped"), Socket: d.oneIn(25),
		Network: pick(d, "", "", "", "host", "none", "container:c0"),
	}
	if d.oneIn(3) {
		c.Anonymous = d.between(1, 2)
	}
	if d.oneIn(2) {
		c.Project, c.Service = pick(d, "p1", "p2", "q"), fmt.Sprintf("s%d", i)
		if i > 0 && d.oneIn(2) {
			c.DependsOn = []string{fmt.Sprintf("s%d", d.between(0, i-1))}
		}
	}

	d.life(&c, until)
	d.figures(&c)
	d.faults(&c, until)
	return c
}

func (d draw) labels() map[string]string {
	labels := map[string]string{}
	set := func(odds int, key string, values ...string) {
		if d.between(1, 100) <= odds {
			labels[key] = pick(d, values...)
		}
	}

	if d.between(1, 100) <= 93 {
		labels["own"], labels[contract.LabelManaged], labels[contract.LabelSuite] = "", "true", pick(d, "mine", "mine", "other")
	}
	set(60, "a", "x", "y", "")
	set(40, "b", "")
	set(40, "ttl", "20m", "2h", "soon")
	set(5, "prot", "")
	set(3, contract.LabelRole, "logs")
	set(4, contract.LabelSwarmTask, "1")
	set(20, contract.LabelClass, "low", "db")
	return labels
}

// life draws when it was made, how it is found, and how it runs.
func (d draw) life(c *rulestest.Container, until time.Duration) {
	c.Created = pick(d, -day, -3*hour, -hour, -45*minute, -20*minute, 10*minute, hour) + time.Duration(d.between(0, 300))*time.Second
	switch d.between(0, 14) {
	case 0:
		c.State, c.Finished = contract.StateExited, c.Created+time.Duration(d.between(1, 600))*time.Second
	case 1:
		c.State = contract.StateCreated
	case 2:
		started := max(c.Created, c.Created+time.Duration(d.between(0, 3600))*time.Second)
		c.Started = &started
	case 3:
		c.State = contract.StatePaused
	}

	switch d.between(0, 6) {
	case 0: // it ends once
		length := d.moment(until) - c.Created
		c.Run = func(n int) time.Duration {
			if n == 0 {
				return max(length, time.Second)
			}
			return 0
		}
	case 1: // it crashes from some moment on
		well, short := d.moment(until)-c.Created, time.Duration(d.between(2, 200))*time.Second
		c.Run = func(n int) time.Duration {
			if n == 0 {
				return max(well, time.Second)
			}
			return short
		}
	}
}

// figures draws what it uses: mostly one of two values, by turns of some minutes.
func (d draw) figures(c *rulestest.Container) {
	turn := time.Duration(d.between(1, 90)) * minute
	cpu, busy := pick[int64](d, 0, 0, 5, 600, 2000), pick[int64](d, 0, 5, 600, 2000)
	net, traffic := pick[int64](d, 0, 0, 50, 5000), pick[int64](d, 0, 50, 5000)
	processes, more := d.between(1, 9), d.between(1, 9)
	ram, larger := pick[uint64](d, 1<<10, 10<<10, 100<<10), pick[uint64](d, 10<<10, 100<<10)
	isTurn := func(at time.Duration) bool { return at/turn%2 != 0 }

	c.CPU = func(at time.Duration) int64 { return either(isTurn(at), busy, cpu) }
	c.Net = func(at time.Duration) int64 { return either(isTurn(at), traffic, net) }
	c.Processes = func(at time.Duration) int { return either(isTurn(at), more, processes) }
	c.RAMKB = func(at time.Duration) uint64 { return either(isTurn(at), larger, ram) }
	if d.oneIn(5) {
		c.NanoCPUs = 1_000_000_000
	}
}

func either[T any](yes bool, one, other T) T {
	if yes {
		return one
	}
	return other
}

// faults draws ticks on which something of it is unknown.
func (d draw) faults(c *rulestest.Container, until time.Duration) {
	c.BadRow = d.faulty(6, until)
	isBlurred := d.faulty(5, until)
	blur := pick(d, blurs()...)
	c.Blur = func(at time.Duration, f *rules.Container) {
		if isBlurred(at) {
			blur.take(f)
		}
	}
}

// happening draws something that happens to the whole host, or to one container by somebody's hand. Only the first may be a host
// that is off for a while: two such times could overlap.
func (d draw) happening(w *rulestest.World, until time.Duration, first bool) {
	at := d.moment(until)
	name := fmt.Sprintf("c%d", d.between(0, 8))
	switch d.between(0, 8) {
	case 0:
		w.At(at, func() { w.Pause(name) })
		w.At(at+20*minute, func() { w.Unpause(name) })
	case 1, 2:
		w.At(at, func() { w.Start(name) })
	case 3:
		w.At(at, func() { w.Rename(name, "renamed-"+strings.TrimPrefix(name, "c")) })
	case 4:
		w.ManagerDown(at, at+time.Duration(d.between(1, 40))*minute)
	case 5:
		if first {
			w.PowerOff(at, at+time.Duration(d.between(1, 300))*minute)
		}
	case 6:
		by := pick(d, -2*hour, -2*minute, 2*minute, 3*hour, 300*day)
		w.At(at, func() { w.SetWall(by) })
	case 7:
		limit := pick[int64](d, 0, 200_000_000, 3_000_000_000)
		w.At(at, func() { w.Limit(name, limit) })
	case 8:
		again := d.container(d.between(0, 8), until)
		again.Created = at
		again.Started = nil
		w.Add(again)
	}
}

// blurred takes one fact of a container away.
type blurred struct {
	name string
	take func(c *rules.Container)
}

// blurs are all facts of a container that may be unknown.
func blurs() []blurred {
	return []blurred{
		{"created", func(c *rules.Container) { forget(&c.CreatedWallUS) }},
		{"started at", func(c *rules.Container) { forget(&c.StartedAt); forget(&c.StartedWallUS) }},
		{"finished", func(c *rules.Container) { forget(&c.FinishedWallUS) }},
		{"restarts", func(c *rules.Container) { forget(&c.Restarts) }},
		{"auto remove", func(c *rules.Container) { forget(&c.AutoRemove) }},
		{"volumes", func(c *rules.Container) { forget(&c.AnonymousVolumes) }},
		{"network mode", func(c *rules.Container) { forget(&c.NetworkMode) }},
		{"limit", func(c *rules.Container) { forget(&c.NanoCPUs) }},
		{"start on the boot clock", func(c *rules.Container) { forget(&c.StartBootUS) }},
		{"processes", func(c *rules.Container) { forget(&c.Processes) }},
		{"cpu", func(c *rules.Container) { forget(&c.CPUUS) }},
		{"all cpu", func(c *rules.Container) { forget(&c.CPUTotalUS) }},
		{"restart policy", func(c *rules.Container) { forget(&c.RestartPolicy) }},
		{"ram", func(c *rules.Container) { forget(&c.RAMKB) }},
		{"working set", func(c *rules.Container) { forget(&c.WorkingSetKB) }},
		{"vsz", func(c *rules.Container) { forget(&c.VSZKB) }},
		{"rss", func(c *rules.Container) { forget(&c.RSSKB) }},
		{"traffic", func(c *rules.Container) { forget(&c.NetBytes) }},
		{"row", loseRow},
		{"inspection", func(c *rules.Container) {
			for _, b := range blurs()[:8] {
				b.take(c)
			}
		}},
		{"image", identity(func(id *policy2.Identity) { id.Image = "" })},
		{"networks", identity(func(id *policy2.Identity) { id.Networks = policy2.Fact[[]string]{} })},
		{"socket", identity(func(id *policy2.Identity) { id.Socket = policy2.Fact[bool]{} })},
	}
}

func forget[T any](f *policy2.Fact[T]) { *f = policy2.Fact[T]{} }

// loseRow leaves what the snapshot had of it away.
func loseRow(c *rules.Container) {
	c.HasRow = false
	forget(&c.StartBootUS)
	forget(&c.Processes)
	forget(&c.CPUUS)
	forget(&c.CPUTotalUS)
	forget(&c.NetBytes)
	for _, figure := range []*policy2.Fact[uint64]{&c.RAMKB, &c.WorkingSetKB, &c.VSZKB, &c.RSSKB} {
		forget(figure)
	}
}

// identity changes the identity of a container in a copy of its own.
func identity(change func(*policy2.Identity)) func(*rules.Container) {
	return func(c *rules.Container) {
		id := *c.Identity
		change(&id)
		c.Identity = &id
	}
}

// changed are the facts with one container of another kind; those given stay as they are.
func changed(f rules.Facts, i int, change func(*rules.Container)) rules.Facts {
	f.Containers = slices.Clone(f.Containers)
	change(&f.Containers[i])
	return f
}
