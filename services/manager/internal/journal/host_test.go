package journal_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"gestor.local/contract"
	"gestor.local/contract/policy2"

	"gestor.local/manager/internal/journal"
	"gestor.local/manager/internal/journal/journaltest"
	"gestor.local/manager/internal/rules"
	"gestor.local/manager/internal/rules/rulestest"
	"gestor.local/wal/disk"
	"gestor.local/wal/disk/disktest"
)

// wallT is the wall clock of a simulated host at its start.
const wallT = 1_796_126_400

// hostPolicy keeps two places, throttles, and goes up a ladder within minutes.
func hostPolicy() policy2.Policy {
	p := policy2.Default()
	managed := policy2.Label{Key: contract.LabelManaged, Value: "true"}
	p.Own = []policy2.Selector{{Label: &managed}}
	p.Surprise = 100
	p.Rules = []policy2.Rule{
		{
			Name: "hogs", When: policy2.Conditions{CPU: 15_000, For: policy2.Minute},
			Do: policy2.Ladder{{Step: policy2.StepThrottle, To: 5_000}}, Calm: policy2.Minute,
		},
		{Name: "ended", When: policy2.Conditions{Ended: 2 * policy2.Minute}, Do: policy2.Ladder{{Step: policy2.StepRemove}}},
		{
			Name: "stale", Each: policy2.EachContainer, Keep: policy2.Keep{Order: policy2.Newest, Places: 2},
			RestWhen: policy2.Conditions{Age: 4 * policy2.Minute},
			Rest: policy2.Ladder{
				{Step: policy2.StepWarn}, {Step: policy2.StepStop, After: policy2.Minute}, {Step: policy2.StepRemove, After: policy2.Minute},
			},
		},
	}
	return p
}

// newWorld is a host on which the policy has something to do. Equal seeds have equal worlds.
func newWorld(rng *rand.Rand) *rulestest.World {
	w := rulestest.New(hostPolicy(), 0)
	for i := range 5 + rng.IntN(4) {
		c := rulestest.Container{
			Name: fmt.Sprintf("c%d", i), Image: "mcp/x", Labels: map[string]string{contract.LabelManaged: "true", "https_proxy": "secret"},
			Created: time.Duration(rng.IntN(600)-300) * time.Second, Networks: []string{"front"},
		}
		busy := time.Duration(rng.IntN(600)) * time.Second
		c.CPU = rulestest.Between(busy, busy+5*time.Minute, int64(2000), int64(rng.IntN(3)))
		if rng.IntN(3) == 0 {
			c.Run = func(int) time.Duration { return time.Duration(60+i*20) * time.Second }
		}
		w.Add(c)
	}
	return w
}

// options are of a small journal of version 2 on a disk in memory.
func options(files disk.FS) journal.Options {
	return journal.Options{
		FS: files, Version: 2, SegmentBytes: 12_000, Now: func() time.Time { return time.Unix(wallT, 0) },
	}
}

func opened(t *testing.T, dir string, o journal.Options) (*journal.Journal, journal.Recovery) {
	t.Helper()
	j, r, err := journal.Open(dir, o)
	must(t, err)
	t.Cleanup(func() { j.Close() })
	return j, r
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func text(t *testing.T, v any) string {
	t.Helper()
	out, err := json.Marshal(v)
	must(t, err)
	return string(out)
}

// recorded is a journal of a world, and its ticks.
func recorded(t *testing.T, files *disktest.Mem, o journal.Options, ticks int) []*rulestest.Tick {
	t.Helper()
	j, _ := opened(t, "j", o)
	w := newWorld(rand.New(rand.NewPCG(7, 7)))
	all := record(t, w, j, ticks)
	must(t, j.Close())
	return all
}

// record writes so many ticks of the world.
func record(t *testing.T, w *rulestest.World, j *journal.Journal, ticks int) (all []*rulestest.Tick) {
	t.Helper()
	recorder := journaltest.Recorder{Journal: j}
	w.OnTick = func(tick *rulestest.Tick) {
		must(t, recorder.Tick(tick))
		all = append(all, tick)
	}
	w.Run(w.Now() + time.Duration(ticks*10)*time.Second)
	return all
}

// read is what a journal says: the plan of each tick that is whole, by tick, and how many of everything there are.
type read struct {
	plans              map[uint64]string
	entries            []journal.Entry
	heads, lost, steps int
	made               []string // heads with another memory than the lines before them come to
	stats              journal.Stats
	memory             rules.Memory
	tick               uint64 // of the last facts that could be read, or of the head
	behind             []rules.Event
}

func readAll(t *testing.T, files disk.FS) read {
	t.Helper()
	r := read{plans: map[uint64]string{}}
	intents := map[string]journal.Intent{}
	stats, err := journal.ReadHistoryOn(files, "j", func(e journal.Entry, h *journal.History) error {
		e.Text = nil
		r.entries = append(r.entries, e)
		r.lost += h.Lost()
		r.memory = h.Memory()

		switch {
		case e.Head != nil:
			r.heads++
			if e.V == 2 {
				r.tick, r.behind = e.Head.LastTick, nil
			}
			if made := h.Made(); made != nil && text(t, made) != text(t, h.Memory()) {
				r.made = append(r.made, text(t, made))
			}
		case e.Facts != nil && h.Whole():
			r.tick, r.behind = *e.Facts, nil
		case e.Verdict != nil && h.Whole() && h.Facts().Tick == *e.Verdict:
			r.plans[*e.Verdict] = text(t, h.Plan())
		case e.Intent != nil:
			intents[e.Intent.ActionID] = *e.Intent
			if event, ok := e.Intent.Event(); ok && !e.Carried {
				r.steps++
				r.behind = append(r.behind, event)
			}
		case e.Outcome != nil && !e.Carried:
			if event, ok := e.Outcome.Event(intents[e.Outcome.ActionID]); ok {
				r.behind = append(r.behind, event)
			}
		}
		return nil
	})
	must(t, err)
	r.stats = stats
	return r
}

// sameAs checks every plan that was read against the one that was made, and says how many there are.
func (r read) sameAs(t *testing.T, ticks []*rulestest.Tick) int {
	t.Helper()
	for _, tick := range ticks {
		if plan, ok := r.plans[tick.Facts.Tick]; ok && plan != text(t, tick.Plan) {
			t.Errorf("tick %d: the plan was\n%s\nand is\n%s", tick.Facts.Tick, text(t, tick.Plan), plan)
		}
	}
	return len(r.plans)
}

func tickTime(ticks int) time.Duration { return time.Duration(ticks*10) * time.Second }
