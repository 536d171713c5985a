package population_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gestor.local/contract"
	"gestor.local/manager/internal/population"
)

const tickUS = 10_000_000

// id makes a full container id of one digit.
func id(digit string) string { return strings.Repeat(digit, 64) }

// snapshot is a valid snapshot of the n-th tick of one instance on two CPUs.
func snapshot(n uint64, rows ...contract.Container) *contract.Snapshot {
	s := &contract.Snapshot{
		Version: contract.SnapshotVersion, Source: contract.SourceModule, Instance: "00000000000000aa",
		BootID: "11111111-1111-1111-1111-111111111111", Sequence: n, MonotonicUS: 1000*tickUS + n*tickUS,
		CPUs: 2, PageSize: 4096,
		Capabilities: contract.Capabilities{Cgroup: 2, CPUSource: contract.CPUSourceCgroup},
		Memory:       contract.Memory{TotalKB: 1000, UsedKB: 1000},
		Containers:   rows, ContainerTotal: len(rows), End: true,
	}

	for i := range rows {
		s.ProcessTotal += len(rows[i].Processes)
	}
	return s
}

// row is a container that began one tick before the first snapshot.
func row(digit string, cpuUS uint64) contract.Container {
	return contract.Container{ID: id(digit), StartUS: 1000 * tickUS, CPUUS: cpuUS, RSSKB: 100, VSZKB: 900}
}

// accept advances or fails the test.
func accept(t *testing.T, s population.State, snap *contract.Snapshot) (population.State, contract.Population, []population.Event) {
	t.Helper()
	bad, err := snap.Validate()
	if err != nil {
		t.Fatalf("test snapshot: %v", err)
	}
	next, p, events, err := s.Advance(snap, bad)
	if err != nil {
		t.Fatalf("advance: %v", err)
	}
	return next, p, events
}

func TestAdvanceMeasuresOverTheInterval(t *testing.T) {
	s, p, events := accept(t, population.State{}, snapshot(1, row("b", 5_000_000), row("a", 1_000_000)))
	if !p.Baseline || p.IntervalUS != 0 {
		t.Errorf("the first population is no baseline: %+v", p)
	}
	if diff := cmp.Diff([]population.Event{{Kind: population.EventBaseline, Cause: population.CauseFirst}}, events); diff != "" {
		t.Error(diff)
	}

	first := p.Members[0]
	if first.ID != id("a") || first.Measured || first.Why != contract.UnmeasuredBaseline || first.SeenTicks != 1 {
		t.Errorf("first member on the baseline: %+v", first)
	}
	if first.CPUMillicores != 100 { // 1 s of CPU in a life of 10 s
		t.Errorf("life average is %d milli-cores, want 100", first.CPUMillicores)
	}

	_, p, events = accept(t, s, snapshot(2, row("a", 1_500_000), row("b", 20_000_000)))
	if len(events) != 0 || p.Baseline || p.IntervalUS != tickUS {
		t.Errorf("second: events %v, %+v", events, p)
	}

	for i, want := range []uint64{50, 1500} {
		m := p.Members[i]
		if !m.Measured || m.CPUMillicores != want || m.SeenTicks != 2 || m.Why != "" {
			t.Errorf("member %d: %+v, want %d milli-cores", i, m, want)
		}
	}
}

func TestAdvanceRefuses(t *testing.T) {
	s, _, _ := accept(t, population.State{}, snapshot(5, row("a", 1)))
	truncated := snapshot(6, row("a", 1))
	truncated.Truncated = true
	slow := snapshot(6, row("a", 1))
	slow.MonotonicUS = snapshot(5).MonotonicUS
	for name, test := range map[string]struct {
		snap *contract.Snapshot
		want error
	}{
		"truncated":                   {truncated, population.ErrTruncated},
		"same sequence":               {snapshot(5, row("a", 1)), population.ErrStale},
		"older":                       {snapshot(4, row("a", 1)), population.ErrStale},
		"newer number, same old time": {slow, population.ErrStale},
	} {
		t.Run(name, func(t *testing.T) {
			kept, _, _, err := s.Advance(test.snap, nil)
			if !errors.Is(err, test.want) {
				t.Fatalf("error %v, want %v", err, test.want)
			}
			_, p, _ := accept(t, kept, snapshot(6, row("a", 1001)))
			if !p.Members[0].Measured {
				t.Errorf("the refused snapshot cost the state its memory: %+v", p.Members[0])
			}
		})
	}
}

// cmpString orders ids.
func cmpString(a, b string) int { return strings.Compare(a, b) }

func TestNewBaseline(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*contract.Snapshot)
		cause  population.Cause
	}{
		"another boot":     {func(s *contract.Snapshot) { s.BootID = "22222222-2222-2222-2222-222222222222" }, population.CauseBoot},
		"another source":   {func(s *contract.Snapshot) { s.Source, s.Instance = contract.SourceProcfs, "00000000000000bb" }, population.CauseSource},
		"another instance": {func(s *contract.Snapshot) { s.Instance, s.Sequence = "00000000000000bb", 1 }, population.CauseInstance},
	} {
		t.Run(name, func(t *testing.T) {
			s, _, _ := accept(t, population.State{}, snapshot(7, row("a", 100), row("b", 100)))
			snap := snapshot(8, row("a", 200))
			test.change(snap)
			s, p, events := accept(t, s, snap)
			if diff := cmp.Diff([]population.Event{{Kind: population.EventBaseline, Cause: test.cause}}, events); diff != "" {
				t.Error(diff)
			}

			if m := p.Members[0]; !p.Baseline || m.Measured || m.SeenTicks != 1 || p.IntervalUS != 0 {
				t.Errorf("not a baseline: %+v", p)
			}
			again := snapshot(9, row("a", 300))
			test.change(again)
			again.Sequence = snap.Sequence + 1
			if _, p, _ = accept(t, s, again); !p.Members[0].Measured {
				t.Errorf("the next one is not measured: %+v", p.Members[0])
			}
		})
	}
}

// TestUnmeasured goes through what can be wrong with one container between two snapshots.
func TestUnmeasured(t *testing.T) {
	restarted := row("a", 5_000_000)
	restarted.StartUS += tickUS
	cannotCompare := row("a", 5_000_000)
	cannotCompare.ProcessCount = 1
	for name, test := range map[string]struct {
		now      contract.Container
		why      string
		event    population.EventKind
		seen     int
		nextSeen int
	}{
		"counter went back":         {row("a", 4_000_000), contract.UnmeasuredReset, population.EventReset, 1, 2},
		"more than two CPUs' worth": {row("a", 5_000_000+21_000_001), contract.UnmeasuredImpossible, population.EventImpossible, 2, 3},
		"began again":               {restarted, contract.UnmeasuredBaseline, population.EventRestart, 1, 2},
		"bad row":                   {cannotCompare, contract.UnmeasuredBadRow, population.EventBadRow, 0, 1},
	} {
		t.Run(name, func(t *testing.T) {
			s, _, _ := accept(t, population.State{}, snapshot(1, row("a", 5_000_000)))
			s, p, events := accept(t, s, snapshot(2, test.now))
			if len(events) != 1 || events[0].Kind != test.event || events[0].ID != id("a") {
				t.Errorf("events %v, want %s", events, test.event)
			}
			if m := p.Members[0]; m.Measured || m.Why != test.why || m.SeenTicks != test.seen {
				t.Errorf("member %+v, want %s, seen %d", m, test.why, test.seen)
			}

			next := test.now
			next.ProcessCount = 0
			next.CPUUS += 1_000_000
			_, p, events = accept(t, s, snapshot(3, next))
			if len(events) != 0 || p.Members[0].SeenTicks != test.nextSeen {
				t.Errorf("after that: events %v, %+v, want seen %d", events, p.Members[0], test.nextSeen)
			}

			if m := p.Members[0]; test.nextSeen > 1 && (!m.Measured || m.CPUMillicores != 100) {
				t.Errorf("after that: %+v, want 100 milli-cores", m)
			}
		})
	}
}

func TestMostPossibleDelta(t *testing.T) {
	s, _, _ := accept(t, population.State{}, snapshot(1, row("a", 0)))
	_, p, _ := accept(t, s, snapshot(2, row("a", 21_000_000))) // 10 s × 2 CPUs × 1.05
	if m := p.Members[0]; !m.Measured || m.CPUMillicores != 2100 {
		t.Errorf("%+v", m)
	}
}

func TestJitterIsNoReset(t *testing.T) {
	s, _, _ := accept(t, population.State{}, snapshot(1, row("a", 5_000_000)))
	_, p, events := accept(t, s, snapshot(2, row("a", 5_000_000-2_200)))
	if m := p.Members[0]; !m.Measured || m.CPUMillicores != 0 || len(events) != 0 {
		t.Errorf("%+v, events %v", m, events)
	}
}

// TestTasks: a container whose only counter is the sum over its live processes.
func TestTasks(t *testing.T) {
	process := func(pid int, startUS, cpuUS uint64) contract.Process {
		return contract.Process{PID: pid, StartUS: startUS, CPUUS: cpuUS, State: "R", Threads: 1}
	}
	tasks := func(n uint64, processes ...contract.Process) *contract.Snapshot {
		c := row("a", 0)
		c.Processes, c.ProcessCount, c.ThreadCount = processes, len(processes), len(processes)
		for _, p := range processes {
			c.CPUUS += p.CPUUS
		}
		s := snapshot(n, c)
		s.Capabilities.CPUSource = contract.CPUSourceTasks
		return s
	}

	const begun, firstUS = 1000 * tickUS, 1001 * tickUS
	reaped := tasks(2, process(1, begun, 2_000_000)) // pid 2 used 0.5 s more, ended, and pid 1 waited for it
	reaped.Containers[0].CPUUS += 8_500_000
	s, _, _ := accept(t, population.State{}, tasks(1, process(1, begun, 1_000_000), process(2, begun, 8_000_000)))
	if _, p, _ := accept(t, s, reaped); p.Members[0].CPUMillicores != 150 {
		t.Errorf("the time of a child that was waited for is lost: %+v", p.Members[0])
	}

	for name, test := range map[string]struct {
		second []contract.Process
		want   uint64
	}{
		"goes on":                     {[]contract.Process{process(1, begun, 3_000_000), process(2, begun, 9_000_000)}, 300},
		"a child ended":               {[]contract.Process{process(1, begun, 2_000_000)}, 100},
		"a child was born":            {[]contract.Process{process(1, begun, 2_000_000), process(2, begun, 8_000_000), process(3, firstUS+5, 500_000)}, 150},
		"born at the walk":            {[]contract.Process{process(1, begun, 2_000_000), process(3, firstUS-9_000, 500_000)}, 150},
		"a counter stepped back":      {[]contract.Process{process(1, begun, 2_000_000), process(2, begun, 7_999_000)}, 100},
		"an old one was moved in":     {[]contract.Process{process(1, begun, 2_000_000), process(4, 7, 9_000_000)}, 100},
		"the same pid, another start": {[]contract.Process{process(1, begun, 2_000_000), process(2, firstUS+5, 1_000_000)}, 200},
	} {
		t.Run(name, func(t *testing.T) {
			s, _, _ := accept(t, population.State{}, tasks(1, process(1, begun, 1_000_000), process(2, begun, 8_000_000)))
			_, p, events := accept(t, s, tasks(2, test.second...))
			if m := p.Members[0]; !m.Measured || m.CPUMillicores != test.want || len(events) != 0 {
				t.Errorf("%+v, events %v; want %d milli-cores", m, events, test.want)
			}
		})
	}
}

func TestMemberHasTheSizes(t *testing.T) {
	memory, working, limit, kills, frozen := uint64(50), uint64(40), uint64(99), uint64(2), true
	c := row("a", 0)
	c.MemoryKB, c.WorkingSetKB, c.MemoryMaxKB, c.OOMKills, c.Frozen = &memory, &working, &limit, &kills, &frozen
	c.CgroupID = 77
	bare := row("b", 0)
	_, p, _ := accept(t, population.State{}, snapshot(1, bare, c))
	m := p.Members[0]
	if m.RAMKB != working || m.RSSKB != 100 || m.VSZKB != 900 || !m.Frozen || *m.OOMKills != 2 || m.CgroupID != 77 {
		t.Errorf("%+v", m)
	}

	if m := p.Members[1]; m.RAMKB != m.RSSKB || m.MemoryKB != nil {
		t.Errorf("without a working set RAM is RSS: %+v", m)
	}
}

func TestBornDuringTheWalkHasNoAge(t *testing.T) {
	c := row("a", 500)
	c.StartUS = snapshot(1).MonotonicUS + 900
	_, p, _ := accept(t, population.State{}, snapshot(1, c))
	if m := p.Members[0]; m.AgeUS != 0 || m.CPUMillicores != 0 {
		t.Errorf("%+v", m)
	}
}

// TestBadRows: each is an event with its reason; a container with two rows is one member; an id that is none is no member.
func TestBadRows(t *testing.T) {
	nameless := row("c", 1)
	nameless.ID = "x"
	s, _, _ := accept(t, population.State{}, snapshot(1, row("a", 1)))
	_, p, events := accept(t, s, snapshot(2, row("b", 1), nameless, row("b", 2), row("a", 2)))
	if p.BadRows != 3 || len(p.Members) != 2 || p.Members[1].Why != contract.UnmeasuredBadRow || !p.Members[0].Measured {
		t.Errorf("%+v", p)
	}

	var texts []string
	for _, e := range events {
		texts = append(texts, string(e.Kind)+" "+e.String())
	}
	want := []string{
		"bad_row unknown id: a row that cannot be believed: containers[1].id: want 64 lower-case hex digits",
		"bad_row bbbbbbbbbbbb: a row that cannot be believed: containers[0].id: the same id in more than one row",
		"bad_row bbbbbbbbbbbb: a row that cannot be believed: containers[2].id: the same id in more than one row",
		"birth bbbbbbbbbbbb: birth",
	}

	if diff := cmp.Diff(want, texts); diff != "" {
		t.Error(diff)
	}
}

func TestEventText(t *testing.T) {
	for _, e := range []population.Event{
		{Kind: population.EventBaseline, Cause: population.CauseBoot},
		{Kind: population.EventReset, ID: id("a"), BeforeUS: 7, AfterUS: 3},
		{Kind: population.EventImpossible, ID: id("a"), DeltaUS: 9},
		{Kind: population.EventDeath, ID: id("a")},
	} {
		if text := e.String(); strings.Contains(text, id("a")) || text == "" {
			t.Errorf("%+v reads %q", e, text)
		}
	}
}

func BenchmarkAdvance(b *testing.B) {
	for _, n := range []int{10, 100, 1000} {
		b.Run(fmt.Sprintf("containers=%d", n), func(b *testing.B) {
			var rows []contract.Container
			for i := range n {
				c := row("a", uint64(i))
				c.ID = fmt.Sprintf("%064x", i)
				rows = append(rows, c)
			}

			s, _, _, err := population.State{}.Advance(snapshot(1, rows...), nil)
			if err != nil {
				b.Fatal(err)
			}
			snap := snapshot(2, rows...)
			b.ReportAllocs()

			for b.Loop() {
				if _, _, _, err := s.Advance(snap, nil); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
