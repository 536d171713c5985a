package facts_test

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"gestor.local/contract"
	"gestor.local/contract/policy2"
	"gestor.local/manager/internal/engine"
	"gestor.local/manager/internal/facts"
	"gestor.local/manager/internal/rules"
	"gestor.local/manager/internal/source/netdev"
)

type (
	entry = contract.Entry
	state = engine.ContainerState
	row   = contract.Container
)

func known[T any](v T) policy2.Fact[T] { return policy2.Known(v) }

func wall(text string) policy2.Fact[int64] {
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		panic(err)
	}
	return policy2.Known(t.UnixMicro())
}

func TestFactsOfATick(t *testing.T) {
	h := newHost()
	h.suite = policy2.Suite{Name: "gestor", IDs: []string{id(9)}}
	workingSet := uint64(800)
	web := h.add(1, func(e *entry, s *state, r *row) {
		s.AutoRemove, s.RestartCount, s.CPU = true, 3, engine.CPULimit{QuotaUS: 50_000, PeriodUS: 100_000}
		s.RestartPolicy, s.FinishedAt = "on-failure", "2026-11-29T09:00:00Z"
		s.Mounts = []policy2.Mount{{Type: policy2.MountVolume, Name: id(77)}, {Type: policy2.MountBind, Source: "/srv"}}
		r.WorkingSetKB = &workingSet
	})
	h.counts[web] = netdev.Count{Bytes: 4711, BootUS: 42}

	f := h.next()
	c := of(t, f, web)
	want := rules.Container{
		Identity: &policy2.Identity{
			ID: web, Name: "web-1", Image: "docker.io/acme/web:3", Labels: map[string]string{"tier": "web"},
			Networks: known([]string{"bridge"}), Socket: known(true),
		},
		InEngine: true, State: contract.StateRunning,
		CreatedWallUS: wall("2026-11-29T10:00:00.5Z"), StartedAt: known("2026-11-29T10:00:01Z"), StartedWallUS: wall("2026-11-29T10:00:01Z"),
		FinishedWallUS: wall("2026-11-29T09:00:00Z"), Restarts: known(3), RestartPolicy: known("on-failure"),
		AutoRemove: known(true), AnonymousVolumes: known(1), NetworkMode: known("bridge"), NanoCPUs: known(int64(500_000_000)),
		HasRow: true, StartBootUS: known(uint64(5_000_000)), Processes: known(2), CPUUS: known(uint64(700)), CPUTotalUS: known(uint64(7000)),
		RAMKB: known(uint64(800)), WorkingSetKB: known(uint64(800)), VSZKB: known(uint64(5000)), RSSKB: known(uint64(900)),
		NetBytes: known(uint64(4711)), NetBootUS: 42,
	}
	if diff := cmp.Diff(want, c); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}

	f.Containers = nil
	wantFacts := rules.Facts{
		Tick: 1, Sequence: 71, BootID: "a", BootUS: uint64(us(time.Hour + 10*time.Second)), WallUS: monday + us(10*time.Second),
		GUS: monday + us(10*time.Second), BootGUS: monday - us(time.Hour), IntervalUS: 10_000_000, CPUs: 4,
		MemoryTotalKB: known(uint64(8000)), MemoryAvailableKB: known(uint64(5000)), Suite: h.suite, Leaving: []string{"a", "b"},
	}
	if diff := cmp.Diff(wantFacts, f); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// Of each change that can be seen from outside: whom does it have inspected again?
func TestWhoIsInspected(t *testing.T) {
	restarted := func(byUS uint64) func(h *host, id string) {
		return func(h *host, id string) {
			r := h.rows[id]
			r.StartUS += byUS
			h.rows[id] = r
		}
	}
	for name, test := range map[string]struct {
		change func(h *host, id string)
		asked  bool
	}{
		"nothing":                     {func(*host, string) {}, false},
		"its state":                   {func(h *host, id string) { h.change(id, func(e *entry) { e.State = contract.StatePaused }) }, true},
		"its name":                    {func(h *host, id string) { h.change(id, func(e *entry) { e.Name = "other" }) }, true},
		"its oldest process":          {restarted(21_000), true},
		"the other reader's rounding": {restarted(20_000), false},
		"that it has ended": {func(h *host, id string) {
			h.change(id, func(e *entry) { e.State = contract.StateExited })
			delete(h.rows, id)
		}, true},
		"the list's word for its image": {func(h *host, id string) {
			h.change(id, func(e *entry) { e.Image = "sha256:00" })
		}, false},
		"somebody asks for it": {func(h *host, id string) { h.Recheck(id) }, true},
	} {
		h := newHost()
		h.add(2)
		web := h.add(1)
		if h.next(); !slices.Equal(h.asked, []string{id(1), id(2)}) {
			t.Fatalf("at first %v are asked for", h.asked)
		}
		h.next()

		test.change(h, web)
		if h.next(); slices.Contains(h.asked, web) != test.asked || slices.Contains(h.asked, id(2)) {
			t.Errorf("%s changed, and %v are asked for", name, h.asked)
		}
		if h.next(); len(h.asked) > 0 {
			t.Errorf("%s changed, and on the tick after %v are asked for", name, h.asked)
		}
	}
}

// One that is started and has no process yet is asked for until it has, and one that is not answered for until it is.
func TestWhoIsInspectedAgain(t *testing.T) {
	h := newHost()
	web := h.add(1)
	s := h.states[web]
	delete(h.states, web)
	for range 3 {
		if h.next(); !slices.Contains(h.asked, web) {
			t.Error("nobody answered, and it is not asked for again")
		}
	}

	starting := s
	starting.PID = 0
	h.states[web] = starting
	h.next()
	if h.next(); !slices.Contains(h.asked, web) {
		t.Error("it had no process yet, and is not asked for again")
	}
	h.states[web] = s
	h.next()
	if h.next(); len(h.asked) > 0 {
		t.Errorf("all is known, and %v are asked for", h.asked)
	}

	delete(h.rows, web) // whether it is started again does not show
	h.next()
	if h.next(); !slices.Contains(h.asked, web) {
		t.Error("it runs without a row, and is not asked for again")
	}
}

// Many loops of restarts cost no more than some, and each has its turn.
func TestLoopsOfRestartsTakeTurns(t *testing.T) {
	h := newHost()
	for n := range 50 {
		h.add(n+1, func(e *entry, s *state, _ *row) {
			e.State, s.State, s.PID = contract.StateRestarting, contract.StateRestarting, 0
		})
	}

	h.next()
	for range 5 {
		asked := map[string]bool{}
		for range 3 {
			if h.next(); len(h.asked) != 20 {
				t.Fatalf("%d are asked for", len(h.asked))
			}
			for _, id := range h.asked {
				asked[id] = true
			}
		}
		if len(asked) != 50 {
			t.Errorf("in three ticks only %d of 50 are asked for", len(asked))
		}
	}
}

// Whom the engine never answers for does not keep others waiting.
func TestWhoIsNotAnsweredForGoesLast(t *testing.T) {
	h := newHost()
	mute := h.add(1)
	delete(h.states, mute)
	h.next()
	h.next()
	h.add(2)
	if h.next(); !slices.Equal(h.asked, []string{id(2), mute}) {
		t.Errorf("asked for in the order %v", h.asked)
	}
}

func TestBeforeAnInspectionNothingIsKnown(t *testing.T) {
	h := newHost()
	web := h.add(1)
	delete(h.states, web)
	want := rules.Container{
		Identity: &policy2.Identity{ID: web, Name: "web-1", Image: "acme/web:3", Labels: map[string]string{"tier": "web"}},
		InEngine: true, State: contract.StateRunning,
	}
	if diff := cmp.Diff(want, of(t, h.next(), web)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// An engine, or whoever stands before it, may leave parts of an inspection out: what is in them is then unknown, and no zero.
func TestWhatAnInspectionLeavesOut(t *testing.T) {
	h := newHost()
	web := h.add(1, func(_ *entry, s *state, _ *row) { *s = state{ID: s.ID, State: s.State, PID: s.PID} })
	c := of(t, h.next(), web)
	want := rules.Container{
		Identity: &policy2.Identity{ID: web, Name: "web-1", Image: "acme/web:3", Labels: map[string]string{"tier": "web"}},
		InEngine: true, State: contract.StateRunning, Restarts: known(0),
		HasRow: true, StartBootUS: known(uint64(5_000_000)), Processes: known(2), CPUUS: known(uint64(700)), CPUTotalUS: known(uint64(7000)),
		RAMKB: known(uint64(900)), VSZKB: known(uint64(5000)), RSSKB: known(uint64(900)),
	}
	if diff := cmp.Diff(want, c); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// After a change that nobody could be asked about only that is known which is the same for a container's whole life.
func TestAfterAChangeOnlyTheLifeIsKnown(t *testing.T) {
	h := newHost()
	web := h.add(1)
	h.next()
	delete(h.states, web)
	h.change(web, func(e *entry) { e.State = contract.StateExited })
	delete(h.rows, web)

	want := rules.Container{
		Identity: &policy2.Identity{
			ID: web, Name: "web-1", Image: "docker.io/acme/web:3", Labels: map[string]string{"tier": "web"}, Socket: known(false),
		},
		InEngine: true, State: contract.StateExited, CreatedWallUS: wall("2026-11-29T10:00:00.5Z"),
		AutoRemove: known(false), AnonymousVolumes: known(0), NetworkMode: known("bridge"),
	}
	if diff := cmp.Diff(want, of(t, h.next(), web)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestTimesOfTheEngine(t *testing.T) {
	never, unknown := known(int64(0)), policy2.Fact[int64]{}
	for name, test := range map[string]struct {
		created, started, finished             string
		wantCreated, wantStarted, wantFinished policy2.Fact[int64]
	}{
		"never started": {
			"2026-11-29T10:00:00Z", "0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z", wall("2026-11-29T10:00:00Z"), never, never,
		},
		"with a zone, to the nanosecond": {
			"2026-11-29T12:00:00.123456789+02:00", "2026-11-29T10:00:00Z", "",
			wall("2026-11-29T10:00:00.123456Z"), wall("2026-11-29T10:00:00Z"), unknown,
		},
		"a clock that was not set": {"1970-01-01T00:00:09Z", "1970-01-01T00:00:10Z", "x", unknown, wall("1970-01-01T00:00:10Z"), unknown},
		"none":                     {"", "", "", unknown, unknown, unknown},
	} {
		h := newHost()
		web := h.add(1, func(_ *entry, s *state, _ *row) {
			s.CreatedAt, s.StartedAt, s.FinishedAt = test.created, test.started, test.finished
		})
		c := of(t, h.next(), web)
		if c.CreatedWallUS != test.wantCreated || c.StartedWallUS != test.wantStarted || c.FinishedWallUS != test.wantFinished {
			t.Errorf("%s: created %v, started %v, finished %v", name, c.CreatedWallUS, c.StartedWallUS, c.FinishedWallUS)
		}
		if c.StartedAt != (policy2.Fact[string]{Value: test.started, Known: test.started != ""}) {
			t.Errorf("%s: started at %v", name, c.StartedAt)
		}
	}
}

// A row counts only when the engine's first process of the container is in it, and nothing speaks against it.
func TestWhoseRowItIs(t *testing.T) {
	for name, test := range map[string]struct {
		change   func(h *host, id string)
		has      bool
		measured bool
	}{
		"its own": {func(*host, string) {}, true, true},
		"of another's processes": {func(h *host, id string) {
			r := h.rows[id]
			r.Processes = []contract.Process{{PID: 666, StartUS: r.StartUS}}
			h.rows[id] = r
		}, false, false},
		"of a new baseline":       {func(h *host, id string) { h.why[id] = contract.UnmeasuredBaseline }, true, false},
		"whose counter went back": {func(h *host, id string) { h.why[id] = contract.UnmeasuredReset }, true, false},
		"bad":                     {func(h *host, id string) { h.why[id] = contract.UnmeasuredBadRow }, false, false},
		"of nobody known":         {func(h *host, id string) { h.why[id] = contract.UnmeasuredUnlocated }, false, false},
		"that cannot be":          {func(h *host, id string) { h.why[id] = contract.UnmeasuredImpossible }, false, false},
		"of a start that nobody was asked about": {func(h *host, id string) {
			r := h.rows[id]
			r.StartUS += 1_000_000
			h.rows[id] = r
			delete(h.states, id)
		}, false, false},
	} {
		h := newHost()
		web := h.add(1)
		h.next()
		test.change(h, web)
		c := of(t, h.next(), web)
		sized := c.RAMKB.Known && c.VSZKB.Known && c.RSSKB.Known && c.Processes.Known && c.StartBootUS.Known
		if c.HasRow != test.has || sized != test.has || c.CPUUS.Known != test.measured {
			t.Errorf("a row %s: %+v", name, c)
		}
		if _, counted := h.counted[web]; counted != test.has {
			t.Errorf("a row %s: its network is counted: %t", name, counted)
		}
	}
}

// The sum over the processes that live falls when one of them ends: it is no counter of the container's.
func TestOnlyACgroupCountsTheWholeLife(t *testing.T) {
	h := newHost()
	web := h.add(1)
	h.next()
	snap, pop := h.reading()
	snap.Capabilities.CPUSource = contract.CPUSourceTasks
	f := h.Facts(facts.Tick{Clocks: h.read(), Population: pop, Snapshot: snap, Inventory: h.inventory()})
	if c := of(t, f, web); c.CPUTotalUS.Known || !c.CPUUS.Known {
		t.Errorf("%+v", c)
	}
}

func TestWhoIsNotInTheEngine(t *testing.T) {
	h := newHost()
	h.add(2)
	stranger := h.add(1)
	delete(h.list, stranger)

	f := h.next()
	c := of(t, f, stranger)
	if c.InEngine || c.State != "" || !c.HasRow || !c.RAMKB.Known || !reflect.DeepEqual(c.Identity, &policy2.Identity{ID: stranger}) {
		t.Errorf("%+v", c)
	}
	if len(f.Containers) != 2 || f.Containers[0].ID != stranger {
		t.Error("not sorted by id")
	}
	if _, counted := h.counted[stranger]; counted {
		t.Error("its network is counted, and nobody knows whose it is")
	}
}

func TestWithoutAReading(t *testing.T) {
	h := newHost()
	web := h.add(1)
	h.next()
	h.Observe(h.inventory(), nil)
	h.Inspected(nil)
	f := h.Facts(facts.Tick{Number: 2, Clocks: h.read(), Inventory: h.inventory()})
	if c := of(t, f, web); c.HasRow || !c.StartedAt.Known || f.MemoryTotalKB.Known {
		t.Errorf("%+v", c)
	}
}

func TestIdentityStaysTheSame(t *testing.T) {
	h := newHost()
	web := h.add(1)
	first := of(t, h.next(), web).Identity
	h.change(web, func(e *entry) { e.Labels = maps.Clone(e.Labels) })
	if again := of(t, h.next(), web).Identity; again != first {
		t.Error("nothing changed, and it is another")
	}

	// What changes is told, and what it was called before stays known.
	for _, name := range []string{"second", "web-1", "second", "third"} {
		h.change(web, func(e *entry) { e.Name = name })
		h.next()
	}
	last := of(t, h.next(), web).Identity
	if last.Name != "third" || !slices.Equal(last.PastNames, []string{"web-1", "second"}) {
		t.Errorf("called %q, before %v", last.Name, last.PastNames)
	}
	if first.Name != "web-1" || len(first.PastNames) > 0 {
		t.Errorf("the identity of an earlier tick became %+v", first)
	}

	for what, edit := range map[string]func(*entry){
		"a label":                    func(e *entry) { e.Labels = map[string]string{"tier": "db"} },
		"a name that cannot be read": func(e *entry) { e.Name = "" },
	} {
		h.change(web, edit)
		if now := of(t, h.next(), web).Identity; (now == last) != (what != "a label") {
			t.Errorf("%s: %+v", what, now)
		}
		last = of(t, h.next(), web).Identity
	}
}

// What is looked at right before an act is the same container as that of the facts.
func TestIdentityOfAnInspection(t *testing.T) {
	h := newHost()
	web := h.add(1, func(_ *entry, s *state, _ *row) { s.Mounts = []policy2.Mount{{Source: "/srv/engine.sock"}} })
	h.next()
	h.change(web, func(e *entry) { e.Name = "second" })
	s := h.states[web]
	s.Name = "second"
	h.states[web] = s

	want := of(t, h.next(), web).Identity
	if diff := cmp.Diff(want, facts.IdentityOf(s, want.PastNames, "/srv/engine.sock")); diff != "" {
		t.Errorf("(-facts +inspection):\n%s", diff)
	}
	if got := facts.IdentityOf(engine.ContainerState{ID: web, Name: "x"}, nil, ""); got.Networks.Known || got.Socket.Known || got.Image != "" {
		t.Errorf("of an inspection that leaves things out: %+v", got)
	}
}

func TestNamesOfAnEarlierRunStayKnown(t *testing.T) {
	h := newHost()
	h.Builder = facts.New(facts.Options{Before: []rules.Container{
		{Identity: &policy2.Identity{ID: id(1), Name: "middle", PastNames: []string{"old", "web-1"}}},
		{Identity: &policy2.Identity{ID: id(3)}},
	}})
	h.add(1)
	h.add(2)
	f := h.next()
	if got := of(t, f, id(1)).PastNames; !slices.Equal(got, []string{"old", "middle"}) {
		t.Errorf("called before: %v", got)
	}
	if got := of(t, f, id(2)).PastNames; len(got) > 0 {
		t.Errorf("another was called %v", got)
	}
}

// TestManyNamesAreNotKept: the first ones are, over a start as well, and the identity stays the same once there are too many.
func TestManyNamesAreNotKept(t *testing.T) {
	h := newHost()
	web := h.add(1)
	h.next()
	rename := func(n int) *policy2.Identity {
		h.change(web, func(e *entry) { e.Name = fmt.Sprint("n", n) })
		h.Observe(h.inventory(), nil)
		h.Inspected(nil)
		return of(t, h.Facts(facts.Tick{Clocks: h.read(), Inventory: h.inventory()}), web).Identity
	}

	const renames = 50_000
	var last *policy2.Identity
	for n := range renames {
		last = rename(n)
	}
	if got := last.PastNames; len(got) != policy2.MostPastNames || got[0] != "web-1" || got[1] != "n0" {
		t.Errorf("%d names: %v", len(got), got)
	}

	h.Builder = facts.New(facts.Options{Before: []rules.Container{{Identity: last}}})
	for _, n := range []int{3, renames, 0} { // a name that it had, one that it did not, and again one that it had
		if got := rename(n).PastNames; len(got) != policy2.MostPastNames {
			t.Errorf("%d names after a start", len(got))
		}
	}
}

func TestImageIsThatOfTheCreation(t *testing.T) {
	h := newHost()
	web := h.add(1)
	s := h.states[web]
	delete(h.states, web)
	list := func(image string) { h.change(web, func(e *entry) { e.Image = image }) }
	expect := func(when, want string) {
		t.Helper()
		if got := of(t, h.next(), web).Image; got != want {
			t.Errorf("%s: %q, want %q", when, got, want)
		}
	}

	list("sha256:00")
	expect("listed by its id", "")
	list("acme/web:3")
	expect("listed by name", "acme/web:3")
	list("sha256:00")
	expect("its tag has moved on", "acme/web:3")
	h.states[web] = s
	expect("inspected", "docker.io/acme/web:3")
	s.Reference = ""
	h.states[web] = s
	h.Recheck(web)
	expect("inspected, and left out", "docker.io/acme/web:3")
}

func TestNetworks(t *testing.T) {
	mode := func(mode string) func(*entry, *state, *row) {
		return func(_ *entry, s *state, _ *row) { s.NetworkMode = mode }
	}
	h := newHost()
	h.add(1, mode("bridge"))
	h.add(2, mode("host"))
	h.add(3, mode("none"))
	h.add(4, mode("container:"+id(1)))
	h.add(5, mode("container:"+id(2)))
	h.add(6, mode("container:"+id(3)))
	h.add(7, mode("container:"+id(99)))
	h.add(8, mode("container:web-1"))
	h.add(9, mode("ns:/proc/1/ns/net"))
	h.add(10, mode("shop_default"))
	h.add(11, mode(""))
	h.add(12, mode("container:"+id(12)))
	h.add(13, mode("bridge"))
	delete(h.states, id(13))
	for n := range 14 {
		h.counts[id(n)] = netdev.Count{Bytes: uint64(1000 + n), BootUS: 7}
	}

	f := h.next()
	for n, want := range map[int]policy2.Fact[uint64]{
		1: known(uint64(1001)), 2: {}, 3: known(uint64(0)), 4: known(uint64(1004)), 5: {}, 6: known(uint64(0)), 7: {}, 8: known(uint64(1008)),
		9: {}, 10: known(uint64(1010)), 11: {}, 12: {}, 13: {},
	} {
		c := of(t, f, id(n))
		if c.NetBytes != want {
			t.Errorf("%v: %v, want %v", c.NetworkMode, c.NetBytes, want)
		}
		process, counted := h.counted[id(n)]
		if counted != (want.Known && want.Value > 0) || counted && process != (netdev.Process{PID: 100 * n, StartUS: 5_000_000}) {
			t.Errorf("%v: counted %t, by %+v", c.NetworkMode, counted, process)
		}
		if want.Known && c.NetBootUS == 0 {
			t.Errorf("%v: read at no time", c.NetworkMode)
		}
	}

	if got := of(t, f, id(8)).NetworkMode; got != known("container:"+id(1)) {
		t.Errorf("by name: %v", got)
	}
	if got := of(t, f, id(7)).NetworkMode; got != known("container:"+id(99)) {
		t.Errorf("of one that is gone: %v", got)
	}
}

func TestOnlyThoseThatARuleSpeaksOfAreCounted(t *testing.T) {
	h := newHost()
	h.add(1)
	h.add(2)
	h.next()
	snap, pop := h.reading()
	counted := h.Counted(snap, pop, func(i *policy2.Identity) bool { return i.Name == "web-2" })
	if diff := cmp.Diff(map[string]netdev.Process{id(2): {PID: 200, StartUS: 5_000_000}}, counted); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// A tick whose plan is looked at again has two lists and one time.
func TestSecondLookOnOneTick(t *testing.T) {
	h := newHost()
	h.clocks.bootAt = monday - us(9*time.Minute+55*time.Second)
	h.clocks.after(0)
	web := h.add(1)
	h.Builder = facts.New(facts.Options{Clock: h.clocks.clock})
	h.clocks.wrong = us(30 * time.Second)
	first := h.next()
	if first.RaisedUS != us(30*time.Second) {
		t.Fatalf("raised by %d", first.RaisedUS)
	}

	h.change(web, func(e *entry) { e.Name = "renamed" })
	snap, pop := h.reading()
	h.Inspected(map[string]engine.ContainerState{web: h.states[h.Observe(h.inventory(), snap)[0]]})
	second := h.Facts(facts.Tick{
		Number: 1, Clocks: h.read(), Population: pop, Snapshot: snap, Inventory: h.inventory(), Leaving: []string{"a", "b"},
	})
	if of(t, second, web).Name != "renamed" {
		t.Error("the second list was not looked at")
	}
	first.Containers, second.Containers = nil, nil
	if diff := cmp.Diff(first, second); diff != "" {
		t.Errorf("(-first +second):\n%s", diff)
	}
}

func TestSuiteOf(t *testing.T) {
	of := func(project string) map[string]string {
		return map[string]string{contract.LabelProject: project, contract.LabelConfigHash: "1"}
	}
	inv := contract.Inventory{Entries: []contract.Entry{
		{ID: "1", Labels: of("others")}, {ID: "2", Labels: of("logs")}, {ID: "3", Labels: of("mine")}, {ID: "4"},
	}}
	for name, test := range map[string]struct {
		manager string
		ids     []string
		want    string
	}{
		"the manager's":           {"3", []string{"3", "2"}, "mine"},
		"without a manager in it": {"", []string{"4", "2"}, "logs"},
		"none has one":            {"4", []string{"4"}, ""},
		"the manager has none":    {"4", []string{"4", "2"}, "logs"},
	} {
		got := facts.SuiteOf("gestor", test.manager, test.ids, inv)
		if got.Project != test.want || got.Name != "gestor" || !slices.IsSorted(got.IDs) {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

// Whatever is not answered, and whatever row is missing: a fact is then unknown, and never another.
func TestWhatIsMissingIsUnknown(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		whole, holed, starts := newHost(), newHost(), 0
		draw := func(what string, n int) bool { return rapid.IntRange(0, n).Draw(t, what) == 0 }
		for n := range 3 {
			add := func(e *entry, s *state, r *row) {
				s.NetworkMode = []string{"bridge", "container:" + id(1), "none"}[n]
				s.RestartCount = n
			}
			whole.add(n+1, add)
			holed.add(n+1, add)
		}

		for range rapid.IntRange(1, 6).Draw(t, "ticks") {
			for n := range 3 {
				switch c := id(n + 1); {
				case draw("state changes", 4):
					word := rapid.SampledFrom([]string{contract.StateRunning, contract.StatePaused, contract.StateExited}).Draw(t, "state")
					for _, h := range []*host{whole, holed} {
						h.change(c, func(e *entry) { e.State = word })
					}
				case whole.list[c].State == contract.StateRunning && draw("starts again", 4):
					starts++
					for _, h := range []*host{whole, holed} {
						r, s := h.rows[c], h.states[c]
						r.StartUS, s.StartedAt = r.StartUS+1_000_000, fmt.Sprintf("2026-11-29T12:00:%02dZ", starts)
						r.Processes = []contract.Process{{PID: s.PID, StartUS: r.StartUS}}
						h.rows[c], h.states[c] = r, s
					}
				}
			}

			hidden, rows := maps.Clone(holed.states), maps.Clone(holed.rows)
			for n := range 3 {
				if draw("not answered", 2) {
					delete(holed.states, id(n+1))
				}
				if draw("no row", 3) {
					delete(holed.rows, id(n+1))
				}
			}
			want, got := whole.next(), holed.next()
			holed.states, holed.rows = hidden, rows
			for i := range want.Containers {
				if field := contradiction(want.Containers[i], got.Containers[i]); field != "" {
					t.Fatalf("%s is %+v, and is taken for %+v", field, want.Containers[i], got.Containers[i])
				}
			}
		}
	})
}

// contradiction names a fact that both know and do not agree on.
func contradiction(a, b rules.Container) string {
	va, vb := reflect.ValueOf(a), reflect.ValueOf(b)
	for i := range va.NumField() {
		fact := va.Field(i)
		if fact.Kind() != reflect.Struct || !strings.HasPrefix(fact.Type().Name(), "Fact[") {
			continue
		}
		other := vb.Field(i)
		if fact.FieldByName("Known").Bool() && other.FieldByName("Known").Bool() && !reflect.DeepEqual(fact.Interface(), other.Interface()) {
			return va.Type().Field(i).Name
		}
	}
	return ""
}
