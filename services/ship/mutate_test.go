package ship

import (
	"math/rand/v2"
	"os"
	"path"
	"testing"

	"gestor.local/ship/shiptest"
	"gestor.local/wal/disk"
	"gestor.local/wal/disk/disktest"
)

// copied is a disk with the same files.
func copied(t *testing.T, from *disktest.Mem) *disktest.Mem {
	t.Helper()
	to, err := from.Copy("spool")
	must(t, err)
	return to
}

// mutate cuts a piece out of the end of one random file, zeroes a piece of it, garbles a byte of it or deletes it. It makes no
// line of a later version: that is refused.
func mutate(t *testing.T, m *disktest.Mem, rng *rand.Rand) (how string) {
	t.Helper()
	names, err := m.List("spool")
	must(t, err)
	name := path.Join("spool", names[rng.IntN(len(names))])
	text, err := disk.ReadFile(m, name)
	must(t, err)
	if len(text) == 0 {
		return "nothing"
	}

	// No JSON holds a zero byte, so that the line is none.
	how, err = m.Damage(name, rng, func(byte) byte { return 0 })
	must(t, err)
	return how
}

// TestOneDamagedFileCostsOnlyItself: whatever happens to one file of the folder, the spool opens, the events of the other
// files arrive once, and so does a new one.
func TestOneDamagedFileCostsOnlyItself(t *testing.T) {
	pristine := disktest.NewMem()
	var service shiptest.Service
	s := open(t, "spool", &service, small, func(c *Config) { c.FS = pristine })
	const events = 1000 // several files of them
	for position := range uint64(events) {
		appendAll(t, s, launch(position+1))
	}
	files := len(s.spool.events.segments)
	must(t, s.Close())
	if files < 3 {
		t.Fatalf("%d files of events", files)
	}

	rounds := 60
	if os.Getenv("GESTOR_SOAK") == "1" {
		rounds = 5000
	}
	for round := range uint64(rounds) {
		m := copied(t, pristine)
		how := mutate(t, m, rand.New(rand.NewPCG(7, round)))
		var service shiptest.Service
		s := open(t, "spool", &service, small, func(c *Config) { c.FS = m })
		appendAll(t, s, launch(999_999))
		flush(t, s)

		got := positions(&service)
		if err := inOrderOnce(got); err != nil {
			t.Errorf("round %d, %s: %v", round, how, err)
		}
		if len(got) < events-450 || // one file holds less
			got[len(got)-1] != 999_999 {
			t.Errorf("round %d, %s: %d of %d events arrived, the last is %d", round, how, len(got), events, got[len(got)-1])
		}
		must(t, s.Close())
		if t.Failed() {
			return
		}
	}
}
