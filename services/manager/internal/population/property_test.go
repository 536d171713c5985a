package population_test

import (
	"encoding/json"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"gestor.local/contract"
	"gestor.local/manager/internal/population"
)

// TestHistories runs drawn histories and compares each population with the model.
func TestHistories(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newFixture(t)
		var s population.State
		var before *contract.Snapshot
		var members map[string]contract.Member

		for range rapid.IntRange(2, 8).Draw(t, "ticks") {
			w.step()
			snap := w.snapshot()
			bad, err := snap.Validate()
			if err != nil || bad != nil {
				t.Fatalf("the model shows an invalid snapshot: %v %v", err, bad)
			}

			next, p, events, err := s.Advance(snap, nil)
			if err != nil {
				t.Fatalf("advance: %v", err)
			}
			again, q, _, _ := s.Advance(snap, nil)
			if diff := cmp.Diff(p, q); diff != "" {
				t.Fatalf("the old state was changed:\n%s", diff)
			}

			checkAgainstModel(t, before, snap, p, members)
			checkEvents(t, p, events, members)
			s, before, members = again, snap, membersOf(p)
			_ = next
		}
	})
}

func membersOf(p contract.Population) map[string]contract.Member {
	m := make(map[string]contract.Member, len(p.Members))
	for _, one := range p.Members {
		m[one.ID] = one
	}
	return m
}

// checkAgainstModel computes every member again from the two snapshots alone.
func checkAgainstModel(t *rapid.T, before, now *contract.Snapshot, p contract.Population, last map[string]contract.Member) {
	comparable := before != nil && before.BootID == now.BootID && before.Instance == now.Instance
	if p.Baseline == comparable || len(p.Members) != len(now.Containers) {
		t.Fatalf("baseline %v, %d members of %d rows", p.Baseline, len(p.Members), len(now.Containers))
	}
	if !slices.IsSortedFunc(p.Members, func(a, b contract.Member) int { return cmpString(a.ID, b.ID) }) {
		t.Fatal("members are not sorted by id")
	}

	for _, row := range now.Containers {
		m := membersOf(p)[row.ID]
		old := find(before, row.ID)
		same := comparable && old != nil && old.StartUS == row.StartUS
		if m.Measured != same {
			t.Fatalf("measured %v (%s), but the same identity stood in the last snapshot: %v", m.Measured, m.Why, same)
		}
		wantSeen := 1
		if same {
			wantSeen = last[row.ID].SeenTicks + 1
		}

		if m.SeenTicks != wantSeen || m.AgeUS != now.MonotonicUS-row.StartUS {
			t.Fatalf("seen %d, want %d; age %d", m.SeenTicks, wantSeen, m.AgeUS)
		}
		if !same {
			continue
		}
		interval := now.MonotonicUS - before.MonotonicUS
		if now.Capabilities.CPUSource == contract.CPUSourceCgroup {
			if want := (row.CPUUS - old.CPUUS) * 1000 / interval; m.CPUMillicores != want || m.CPUUS != row.CPUUS-old.CPUUS {
				t.Fatalf("%d milli-cores (%d µs), want %d", m.CPUMillicores, m.CPUUS, want)
			}
			continue
		}

		used := expectedTaskDelta(old, &row)
		if row.CPUUS > old.CPUUS {
			used = max(used, row.CPUUS-old.CPUUS)
		}
		if want := used * 1000 / interval; m.CPUMillicores != want || m.CPUUS != used {
			t.Fatalf("%d milli-cores (%d µs) from tasks, want %d", m.CPUMillicores, m.CPUUS, want)
		}
	}
}

// expectedTaskDelta is what the processes that are alive now used since the last snapshot.
func expectedTaskDelta(old, now *contract.Container) (sum uint64) {
	for _, p := range now.Processes {
		sum += p.CPUUS
		for _, q := range old.Processes {
			if q.PID == p.PID {
				sum -= q.CPUUS
			}
		}
	}
	return sum
}

func find(s *contract.Snapshot, id string) *contract.Container {
	if s == nil {
		return nil
	}
	for i := range s.Containers {
		if s.Containers[i].ID == id {
			return &s.Containers[i]
		}
	}
	return nil
}

// checkEvents: those known before, plus births, less deaths, are those known now.
func checkEvents(t *rapid.T, p contract.Population, events []population.Event, before map[string]contract.Member) {
	if p.Baseline {
		if len(events) != 1 || events[0].Kind != population.EventBaseline {
			t.Fatalf("events of a baseline: %v", events)
		}
		return
	}

	want := map[string]bool{}
	for id := range before {
		want[id] = true
	}

	for _, e := range events {
		switch e.Kind {
		case population.EventBirth:
			if want[e.ID] {
				t.Fatalf("%v of a known container", e)
			}
			want[e.ID] = true
		case population.EventDeath:
			if !want[e.ID] {
				t.Fatalf("%v of an unknown container", e)
			}
			delete(want, e.ID)
		case population.EventRestart:
			if before[e.ID].StartUS == membersOf(p)[e.ID].StartUS {
				t.Fatalf("%v of one that did not begin again", e)
			}
		default:
			t.Fatalf("nothing of the kind happened: %v", e)
		}
	}

	if len(want) != len(p.Members) {
		t.Fatalf("%d members, the events make %d", len(p.Members), len(want))
	}

	for _, m := range p.Members {
		if !want[m.ID] {
			t.Fatalf("no event names %s", m.ID)
		}
	}
}

// TestOrderOfRowsDoesNotMatter compares the bytes that would be journaled.
func TestOrderOfRowsDoesNotMatter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newFixture(t)
		var one, two population.State
		for range 3 {
			w.step()
			snap := w.snapshot()
			turned := *snap
			turned.Containers = rapid.Permutation(snap.Containers).Draw(t, "another order")
			var p, q contract.Population
			var e, f []population.Event
			one, p, e, _ = one.Advance(snap, nil)
			two, q, f, _ = two.Advance(&turned, nil)
			if string(marshal(t, p)) != string(marshal(t, q)) || !slices.Equal(e, f) {
				t.Fatalf("the order of the rows shows:\n%s\n%s", marshal(t, p), marshal(t, q))
			}
		}
	})
}

func marshal(t *rapid.T, p contract.Population) []byte {
	b, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestAnyCounters feeds numbers without sense: no rate may exceed what the host could give, nothing may panic, and what
// is not measured says why.
func TestAnyCounters(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var s population.State
		for n := range uint64(4) {
			var rows []contract.Container
			var bad contract.RowProblems
			for i := range rapid.IntRange(0, 4).Draw(t, "rows") {
				c := row(string("abcd"[i]), rapid.Uint64().Draw(t, "cpu_us"))
				c.StartUS = rapid.SampledFrom([]uint64{1, 2, 1000 * tickUS, 1 << 63}).Draw(t, "start_us")
				c.Processes = []contract.Process{{PID: 1, CPUUS: rapid.Uint64().Draw(t, "task")}, {PID: 2, CPUUS: rapid.Uint64().Draw(t, "task")}}
				if rapid.IntRange(0, 3).Draw(t, "bad") == 0 {
					bad = append(bad, contract.RowProblem{Index: i, ID: c.ID})
				}
				rows = append(rows, c)
			}

			snap := snapshot(n+1, rows...)
			snap.Capabilities.CPUSource = rapid.SampledFrom([]string{contract.CPUSourceCgroup, contract.CPUSourceTasks}).Draw(t, "source")
			var p contract.Population
			var err error
			if s, p, _, err = s.Advance(snap, bad); err != nil {
				t.Fatal(err)
			}

			checkSane(t, p, bad)
		}
	})
}

func checkSane(t *rapid.T, p contract.Population, bad contract.RowProblems) {
	if p.BadRows != len(bad) {
		t.Fatalf("%d bad rows, want %d", p.BadRows, len(bad))
	}
	for _, m := range p.Members {
		isBad := slices.ContainsFunc(bad, func(r contract.RowProblem) bool { return r.ID == m.ID })
		switch {
		case m.Measured && (isBad || m.Why != "" || p.Baseline || m.SeenTicks < 2 || m.CPUMillicores > 2*1050):
			t.Fatalf("measured: %+v", m)
		case !m.Measured && m.Why == "":
			t.Fatalf("unmeasured without a reason: %+v", m)
		case isBad && (m.Why != contract.UnmeasuredBadRow || m.SeenTicks != 0 || m.Measures != contract.Measures{}):
			t.Fatalf("a bad row is believed: %+v", m)
		case !m.Measured && m.Why != contract.UnmeasuredBaseline && m.CPUMillicores != 0:
			t.Fatalf("unmeasured with a rate: %+v", m)
		}
	}
}
