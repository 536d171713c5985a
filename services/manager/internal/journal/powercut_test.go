package journal

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"testing"

	"gestor.local/contract"

	"gestor.local/wal/disk/disktest"
)

// promises are what a journal had acknowledged at some moment.
type promises struct{ begun, ended map[string]bool } // by action id

func (p promises) clone() promises { return promises{maps.Clone(p.begun), maps.Clone(p.ended)} }

// powerCut is what a power cut left, and what had been acknowledged by then.
type powerCut struct {
	disk *disktest.Mem
	promises
	op string
}

func cutOptions(m *disktest.Mem) Options {
	return Options{FS: m, SegmentBytes: 3000, MaxBytes: 1 << 30}
}

// TestPowerCut: an acknowledged intent is open after any power cut, or its outcome is there; an acknowledged outcome is
// there; what a new segment carries is never lost between its making and the end of the old one.
func TestPowerCut(t *testing.T) {
	runs := 8
	if os.Getenv("GESTOR_SOAK") == "1" {
		runs = 3000
	}
	total := 0
	for seed := range uint64(runs) {
		for i, c := range writeUntilCut(t, rand.New(rand.NewPCG(seed, 1))) {
			total++
			keepsPromises(t, c)
			if t.Failed() {
				t.Fatalf("seed %d, cut %d, before %s", seed, i, c.op)
			}
		}
	}
	if total < 4*runs {
		t.Errorf("only %d power cuts in %d runs", total, runs)
	}
}

// writeUntilCut writes ticks, intents and outcomes on a disk that is full at times, over several segments.
func writeUntilCut(t *testing.T, rng *rand.Rand) (cuts []powerCut) {
	t.Helper()
	m := disktest.NewMem()
	now := promises{map[string]bool{}, map[string]bool{}}
	m.Before = func(op, name string) error {
		if rng.IntN(25) == 0 {
			cuts = append(cuts, powerCut{m.Crash(rng), now.clone(), op + " " + name})
		}
		if op == "write" && rng.IntN(15) == 0 {
			return disktest.ErrShort
		}
		return nil
	}

	var j *Journal
	for j == nil {
		opened, _, err := Open("j", cutOptions(m))
		if err != nil && !errors.Is(err, disktest.ErrShort) {
			t.Fatal(err)
		}
		j = opened
	}
	var waiting []string
	for n := range 30 {
		id := fmt.Sprint("a-", n)
		_, err := j.Tick(tickOf(uint64(n), rng.IntN(3)))
		if err == nil {
			if _, err = j.Intent(intent(id, "c-"+id)); err == nil {
				now.begun[id] = true
				waiting = append(waiting, id)
			}
		}
		if err == nil && len(waiting) > 2 {
			if _, err = j.Outcome(Outcome{ActionID: waiting[0], Outcome: contract.OutcomeDone}); err == nil {
				now.ended[waiting[0]] = true
				waiting = waiting[1:]
			}
		}
		if err != nil && !errors.Is(err, disktest.ErrShort) {
			t.Fatal(err)
		}
	}
	must(t, j.Close())
	return cuts
}

// keepsPromises opens what a power cut left, compares it with what was acknowledged, and writes on.
func keepsPromises(t *testing.T, c powerCut) {
	t.Helper()
	j, r, err := Open("j", cutOptions(c.disk))
	must(t, err)
	open := map[string]bool{}
	for _, i := range r.Open {
		open[i.ActionID] = true
	}
	ended := map[string]bool{}
	last := uint64(0)
	all, _ := entriesIn(t, c.disk, "j")
	for _, e := range all {
		if e.Outcome != nil {
			ended[e.Outcome.ActionID] = true
		}
		if e.Seq <= last {
			t.Errorf("entry %d follows entry %d", e.Seq, last)
		}
		last = e.Seq
	}

	for id := range c.begun {
		switch {
		case c.ended[id] && open[id]:
			t.Errorf("the outcome of %s was acknowledged and is lost", id)
		case !c.ended[id] && !open[id] && !ended[id]:
			t.Errorf("intent %s was acknowledged and is lost", id)
		}
	}

	wrote(t)(j.Intent(intent("next", "c")))
	_, r = reopen(t, j)
	if len(r.Open) != len(open)+1 || r.TornBytes > 0 {
		t.Errorf("%d open, then one more and a restart: %d, %d bytes torn", len(open), len(r.Open), r.TornBytes)
	}
}
