package journal_test

import (
	"errors"
	"math/rand/v2"
	"testing"
	"time"

	"gestor.local/manager/internal/journal"
	"gestor.local/manager/internal/journal/journaltest"
	"gestor.local/manager/internal/rules/rulestest"
	"gestor.local/wal/disk/disktest"
)

// TestADiskThatFills: first the oldest segments go, then facts are left out while actions are written on, and only then is nothing
// done any more. With room again a head says what was missed, and the memory is whole.
func TestADiskThatFills(t *testing.T) {
	files := disktest.NewMem()
	o := options(files)
	o.MinFree = 64 << 20
	j, _ := opened(t, "j", o)
	w := newWorld(rand.New(rand.NewPCG(7, 7)))
	record(t, w, j, 40)
	if r := readAll(t, files); r.heads < 2 || j.Short() {
		t.Fatalf("%d segments", r.heads)
	}

	files.Space.Store(o.MinFree - 1)
	short := record(t, w, j, 20)
	r := readAll(t, files)
	if r.heads != 1 || !j.Short() || r.plans[short[0].Facts.Tick] != "" || r.steps == 0 {
		t.Errorf("below the least: %d segments, short %v, %d steps", r.heads, j.Short(), r.steps)
	}
	if err := j.Check(); err != nil {
		t.Errorf("there is room for actions: %v", err)
	}
	files.Space.Store(o.MinFree + 1)
	record(t, w, j, 1)
	if !j.Short() {
		t.Error("a little room makes it write facts again")
	}

	// A start meanwhile has the memory of before, with all that was begun and how it ended.
	files.Space.Store(1 << 20)
	if err := j.Check(); !errors.Is(err, journal.ErrNoRoom) {
		t.Errorf("no room is left: %v", err)
	}

	files.Space.Store(1 << 40)
	after := record(t, w, j, 20)
	must(t, j.Check())
	r = readAll(t, files)
	missed := 0
	for _, e := range r.entries {
		if e.Head != nil {
			missed += e.Head.Missed
		}
	}
	if j.Short() || missed != len(short)+1 || len(r.made) > 0 {
		t.Errorf("with room again: short %v, %d ticks missed, another memory: %v", j.Short(), missed, r.made)
	}
	r.sameAs(t, after)
	for _, tick := range after {
		if r.plans[tick.Facts.Tick] == "" {
			t.Errorf("tick %d is not there", tick.Facts.Tick)
		}
	}
	if text(t, r.memory) != text(t, after[19].After) {
		t.Error("another memory at the end")
	}
}

// TestAFailedWriteIsAGap: half a line is taken back, and the next tick begins a segment.
func TestAFailedWriteIsAGap(t *testing.T) {
	files := disktest.NewMem()
	o := options(files)
	o.SegmentBytes = 1 << 20
	j, _ := opened(t, "j", o)
	w := newWorld(rand.New(rand.NewPCG(7, 7)))
	record(t, w, j, 3)

	fails := true
	files.Before = func(op, name string) error {
		if op == "write" && fails {
			return disktest.ErrShort
		}
		return nil
	}
	w.OnTick = func(tick *rulestest.Tick) {
		recorder := journaltest.Recorder{Journal: j}
		if err := recorder.Tick(tick); !errors.Is(err, disktest.ErrShort) {
			t.Errorf("half a line: %v", err)
		}
	}
	w.Run(w.Now() + 10*time.Second)
	fails = false
	ticks := record(t, w, j, 5)
	r := readAll(t, files)
	if r.heads != 2 || r.sameAs(t, ticks) != 8 || text(t, r.memory) != text(t, ticks[4].After) || r.stats.BadLines > 0 {
		t.Errorf("%d segments, %d plans, %+v", r.heads, len(r.plans), r.stats)
	}
}

// TestRetention: the oldest segments go when all together are too large, or when they ended too long ago.
func TestRetention(t *testing.T) {
	files := disktest.NewMem()
	o := options(files)
	now := time.Unix(wallT, 0)
	o.Now = func() time.Time { return now }
	j, _ := opened(t, "j", o)
	w := newWorld(rand.New(rand.NewPCG(7, 7)))
	for range 4 {
		record(t, w, j, 1)
		now = now.Add(24 * time.Hour)
	}
	record(t, w, j, 1)
	must(t, j.CleanUp())
	if r := readAll(t, files); r.heads != 5 {
		t.Fatalf("%d segments after four days", r.heads)
	}
	select {
	case <-j.Rotated():
	default:
		t.Error("nobody is told that a segment is complete")
	}

	// The first three ended at least eleven, twelve and thirteen days before the last of these; the fourth day's begin is not over.
	now = now.Add(13*24*time.Hour - time.Second)
	must(t, j.CleanUp())
	if r := readAll(t, files); r.heads != 3 {
		t.Errorf("%d segments are kept of 14 days", r.heads)
	}
	o.MaxBytes = 1
	must(t, j.Close())
	j, _ = opened(t, "j", o)
	must(t, j.CleanUp())
	if r := readAll(t, files); r.heads != 1 {
		t.Errorf("%d segments are kept of one byte", r.heads)
	}
}
