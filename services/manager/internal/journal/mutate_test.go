package journal

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"gestor.local/wal/disk/disktest"
)

// segmented is a journal of several segments, in each of which the intent "kept" is open.
func segmented(t *testing.T) *disktest.Mem {
	t.Helper()
	m := disktest.NewMem()
	j, _ := open(t, "j", cutOptions(m))
	wrote(t)(j.Intent(intent("kept", "c1")))
	for n := range uint64(12) {
		wrote(t)(j.Tick(tickOf(n, 2)))
	}
	must(t, j.Close())
	if all, err := segments(m, "j"); err != nil || len(all) < 4 {
		t.Fatalf("%d segments: %v", len(all), err)
	}
	return m
}

// copied is a disk with the same files.
func copied(t *testing.T, from *disktest.Mem) *disktest.Mem {
	t.Helper()
	to, err := from.Copy("j")
	must(t, err)
	return to
}

// mutate flips a bit of one random segment, cuts it, zeroes a piece of it, or deletes it.
func mutate(t *testing.T, m *disktest.Mem, rng *rand.Rand) (what string) {
	t.Helper()
	all, err := segments(m, "j")
	must(t, err)

	what, err = m.Damage(all[rng.IntN(len(all))].path, rng, func(b byte) byte { return b ^ 1<<rng.IntN(8) })
	must(t, err)
	return what
}

// TestOneDamagedSegmentHidesNoOpenIntent: whatever happens to one segment, the journal opens, the intent that was open in all
// of them is found, and writing goes on. A flipped bit may make a line that a later version seems to have written: that is
// refused, and nothing is changed.
func TestOneDamagedSegmentHidesNoOpenIntent(t *testing.T) {
	pristine := segmented(t)
	rounds := 120
	if os.Getenv("GESTOR_SOAK") == "1" {
		rounds = 20_000
	}
	for round := range uint64(rounds) {
		m := copied(t, pristine)
		what := mutate(t, m, rand.New(rand.NewPCG(7, round)))
		j, r, err := Open("j", cutOptions(m))
		var later *VersionError
		if errors.As(err, &later) && strings.HasPrefix(what, "flip") {
			continue
		}
		if err != nil {
			t.Fatalf("round %d, %s: %v", round, what, err)
		}
		if fmt.Sprint(ids(r.Open)) != "[kept]" {
			t.Errorf("round %d, %s: open are %v", round, what, ids(r.Open))
		}

		wrote(t)(j.Intent(intent("next", "c2")))
		if _, r = reopen(t, j); fmt.Sprint(ids(r.Open)) != "[kept next]" {
			t.Errorf("round %d, %s, after a restart: open are %v", round, what, ids(r.Open))
		}
		if t.Failed() {
			return
		}
	}
}
