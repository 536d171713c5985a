package rulestest_test

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"gestor.local/contract"
	"gestor.local/contract/policy2"
	"gestor.local/manager/internal/journal"
	"gestor.local/manager/internal/journal/journaltest"
	"gestor.local/manager/internal/rules"
	"gestor.local/manager/internal/rules/rulestest"
	"gestor.local/manager/internal/whatif"
)

// onTheWall is a distance from T by a wall clock that is right.
func onTheWall(at time.Duration) time.Time { return time.Unix(1_796_126_400, 0).Add(at) }

// recordedWorld writes what a world does until a moment into a journal of several segments, and returns its folder. restart says at
// which ticks the journal is closed and opened again.
func recordedWorld(t *rapid.T, w *rulestest.World, until time.Duration, restart func(time.Duration) bool) string {
	// In memory where there is room for it: the journal syncs after every step, and a busy disk takes its time.
	dir, err := os.MkdirTemp("/dev/shm", "whatif-")
	if err != nil {
		dir, err = os.MkdirTemp("", "whatif-")
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })

	recorder := journaltest.Recorder{}
	open := func() {
		var err error
		if recorder.Journal, _, err = journal.Open(dir, journal.Options{
			Version: 2, SegmentBytes: 20_000, Now: func() time.Time { return onTheWall(w.Now()) },
		}); err != nil {
			t.Fatal(err)
		}
	}
	shut := func() {
		if err := recorder.Journal.Close(); err != nil {
			t.Fatal(err)
		}
	}

	open()
	w.OnTick = func(tick *rulestest.Tick) {
		if restart(tick.At) {
			shut()
			open()
		}
		if err := recorder.Tick(tick); err != nil {
			t.Fatal(err)
		}
	}
	w.Run(until)
	shut()
	return dir
}

// TestWhatIfOfTheSamePolicy asks drawn worlds, whose notices get lost, whose engine fails and whose manager crashes, what the policy that
// was in force would have done: what it did.
func TestWhatIfOfTheSamePolicy(t *testing.T) {
	compared, steps := 0, 0
	defer func() { t.Log("containers:", compared, "steps:", steps) }()
	rapid.Check(t, func(rt *rapid.T) {
		until := pick(drawn(rt, "until"), hour, 4*hour)
		p := drawPolicy(rt)
		w := drawWorld(rt, p, until)
		w.ApprovedAt = drawnFrom // what is not approved is not done, and whatif asks for what would be
		d := drawn(rt, "journal")
		o := whatif.Options{Policy: p}
		if d.oneIn(3) {
			o.From = onTheWall(d.moment(until))
		}

		r, err := whatif.Run(recordedWorld(rt, w, until, d.faulty(2, until)), o)
		if err != nil && (o.From.IsZero() || r.Ticks > 0) {
			rt.Fatal(err)
		}
		if r.Different != 0 || r.KeptLonger != 0 || r.SavedSeconds != 0 {
			rt.Fatalf("%+v", r)
		}
		compared += r.Compared
		for _, s := range r.Sums {
			steps += s.Both
		}
	})
}

// sameWorld is a host of the drawn containers, each call another one that is equal, on which nothing fails and nobody meddles with what
// was stopped: names, clocks and the manager's own absence are all that changes.
func sameWorld(p policy2.Policy, containers, happenings []uint64, until time.Duration) *rulestest.World {
	w := rulestest.New(p, drawnFrom)
	for i, seed := range containers {
		w.Add(alone(draw{rand.New(rand.NewPCG(seed, uint64(i)))}.container(i, until)))
	}
	for i, seed := range happenings {
		d := draw{rand.New(rand.NewPCG(seed, uint64(i)))}
		at, name := d.moment(until), fmt.Sprintf("c%d", d.between(0, 8))
		switch d.between(0, 3) {
		case 0:
			w.At(at, func() { w.Rename(name, "renamed-"+strings.TrimPrefix(name, "c")) })
		case 1:
			w.ManagerDown(at, at+time.Duration(d.between(1, 40))*minute)
		case 2:
			by := pick(d, -2*hour, -2*minute, 2*minute, 3*hour)
			w.At(at, func() { w.SetWall(by) })
		case 3:
			later := d.container(d.between(0, 8), until)
			later.Created, later.Started = at, nil
			w.Add(alone(later))
		}
	}
	return w
}

// alone has a network of its own: the traffic of another that goes would count no more.
func alone(c rulestest.Container) rulestest.Container {
	if strings.HasPrefix(c.Network, "container:") {
		c.Network = ""
	}
	return c
}

// whatIfStep is a step that was taken.
type whatIfStep struct {
	id   string
	step policy2.Step
	tick uint64
}

func compareSteps(a, b whatIfStep) int {
	return cmp.Or(strings.Compare(a.id, b.id), cmp.Compare(a.tick, b.tick), strings.Compare(string(a.step), string(b.step)))
}

// TestWhatIfIsWhatHappens lets the same drawn host be governed twice: by a manager that only observes, of whose journal whatif tells what
// a policy would have done, and under that policy. Both are the same steps on the same ticks.
func TestWhatIfIsWhatHappens(t *testing.T) {
	steps := 0
	defer func() { t.Log("steps:", steps) }()
	rapid.Check(t, func(rt *rapid.T) {
		until := pick(drawn(rt, "until"), hour, 4*hour)
		p := drawPolicy(rt)
		containers := rapid.SliceOfN(rapid.Uint64(), 1, 9).Draw(rt, "containers")
		happenings := rapid.SliceOfN(rapid.Uint64(), 0, 3).Draw(rt, "happenings")

		observes := p
		observes.Mode = contract.ModeObserve
		dir := recordedWorld(rt, sameWorld(observes, containers, happenings, until), until, func(time.Duration) bool { return false })
		r, err := whatif.Run(dir, whatif.Options{Policy: p})
		if err != nil {
			rt.Fatal(err)
		}
		told := []whatIfStep{}
		for _, c := range r.Containers {
			for _, s := range c.Policy {
				told = append(told, whatIfStep{c.ID, s.Step, s.Tick})
			}
		}

		w, happened := sameWorld(p, containers, happenings, until), []whatIfStep{}
		w.OnTick = func(tick *rulestest.Tick) {
			for _, e := range tick.Events {
				if e.Kind == rules.EventDelivered || e.Kind == rules.EventOutcome && rules.Succeeded(e.Outcome) {
					happened = append(happened, whatIfStep{e.ID, e.Step, e.Tick})
				}
			}
		}
		w.Run(until)

		slices.SortFunc(told, compareSteps)
		slices.SortFunc(happened, compareSteps)
		if !slices.Equal(told, happened) {
			rt.Fatalf("told:     %v\nhappened: %v\n%v", told, happened, w.Log())
		}
		steps += len(told)
	})
}
