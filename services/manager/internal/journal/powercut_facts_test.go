package journal_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path"
	"strings"
	"testing"

	"gestor.local/manager/internal/journal"
	"gestor.local/manager/internal/journal/journaltest"
	"gestor.local/manager/internal/journal/line"
	"gestor.local/manager/internal/rules"
	"gestor.local/manager/internal/rules/rulestest"
	"gestor.local/wal/disk"
	"gestor.local/wal/disk/disktest"
)

// live is what was known while a journal was written: the memory after each tick without what happened on it, and the last tick
// that was begun.
type live struct {
	program *rules.Program
	after   map[uint64]rules.Memory
	last    uint64
	// begun are the intents that were acknowledged, ended the outcomes.
	begun, ended map[string]bool
}

// cutAt is what a power cut left, and what had been acknowledged by then.
type cutAt struct {
	disk         *disktest.Mem
	op           string
	last         uint64
	begun, ended map[string]bool
}

// writeFactsUntilCut writes a world into a journal on a disk that loses power now and then.
func writeFactsUntilCut(t *testing.T, rng *rand.Rand, ticks int) (l *live, cuts []cutAt, all []*rulestest.Tick) {
	t.Helper()
	l = &live{after: map[uint64]rules.Memory{}, begun: map[string]bool{}, ended: map[string]bool{}}
	files := disktest.NewMem()
	j, _ := opened(t, "j", options(files))
	files.Before = func(op, name string) error {
		if rng.IntN(15) == 0 {
			c := cutAt{files.Crash(rng), op + " " + name, l.last, map[string]bool{}, map[string]bool{}}
			for id := range l.begun {
				c.begun[id] = true
			}
			for id := range l.ended {
				c.ended[id] = true
			}
			cuts = append(cuts, c)
		}
		return nil
	}

	w := newWorld(rng)
	recorder := journaltest.Recorder{Journal: j, Begun: func(id string) { l.begun[id] = true }, Ended: func(id string) { l.ended[id] = true }}
	w.OnTick = func(tick *rulestest.Tick) {
		l.program, l.last = tick.Program, tick.Facts.Tick
		l.after[l.last] = rules.Remember(rules.New(hostPolicy()), tick.Before, &tick.Facts, rules.Plan{}, nil)
		must(t, recorder.Tick(tick))
		all = append(all, tick)
		if rng.IntN(20) == 0 {
			must(t, j.CleanUp())
		}
	}
	w.Run(tickTime(ticks))
	files.Before = nil
	return l, cuts, all
}

// TestPowerCutKeepsMemory: after any power cut the memory is that of a tick that was, with all that was begun and has ended since
// and is on the disk; it is never that of a later one. No acknowledged intent is lost, and the next tick is written and read.
func TestPowerCutKeepsMemory(t *testing.T) {
	runs := 4
	if os.Getenv("GESTOR_SOAK") == "1" {
		runs = 1000
	}
	total, behind := 0, 0
	for seed := range uint64(runs) {
		l, cuts, ticks := writeFactsUntilCut(t, rand.New(rand.NewPCG(seed, 1)), 60)
		for i, c := range cuts {
			total++
			if l.keeps(t, c, ticks) < c.last {
				behind++
			}
			if t.Failed() {
				t.Fatalf("seed %d, cut %d, before %s", seed, i, c.op)
			}
		}
	}
	if total < 5*runs || behind == 0 {
		t.Errorf("only %d power cuts in %d runs, %d of which lost a tick", total, runs, behind)
	}
}

// keeps checks what a power cut left, and gives the tick that it is of.
func (l *live) keeps(t *testing.T, c cutAt, ticks []*rulestest.Tick) uint64 {
	t.Helper()
	r := readAll(t, c.disk)
	if r.tick > c.last {
		t.Errorf("tick %d was read, and %d was the last", r.tick, c.last)
	}
	r.sameAs(t, ticks)
	want := rules.Remember(l.program, l.after[r.tick], nil, rules.Plan{}, l.events(r, ticks))

	j, recovered, err := journal.Open("j", options(c.disk))
	must(t, err)
	defer j.Close()
	if recovered.Memory == nil && r.tick > 0 || recovered.Memory != nil && text(t, *recovered.Memory) != text(t, want) {
		t.Errorf("the memory of tick %d was\n%s\nand is\n%s", r.tick, text(t, want), text(t, recovered.Memory))
	}

	open := map[string]bool{}
	for _, i := range recovered.Open {
		open[i.ActionID] = true
	}
	ended := map[string]bool{}
	for _, e := range r.entries {
		if e.Outcome != nil {
			ended[e.Outcome.ActionID] = true
		}
	}
	for id := range c.begun {
		switch {
		case c.ended[id] && open[id]:
			t.Errorf("the outcome of %s was acknowledged and is lost", id)
		case !c.ended[id] && !open[id] && !ended[id]:
			t.Errorf("intent %s was acknowledged and is lost", id)
		}
	}

	// It goes on: with the facts of the next tick, whatever they are.
	if recovered.Memory == nil {
		return r.tick
	}
	next := *ticks[len(ticks)-1]
	next.Before = *recovered.Memory
	next.Plan = rules.Decide(next.Program, next.Before, &next.Facts)
	_, err = j.Decide(journal.Decision{Program: next.Program, Memory: next.Before, Facts: &next.Facts, Plan: &next.Plan})
	must(t, err)
	must(t, j.Close())
	if again := readAll(t, c.disk); again.plans[next.Facts.Tick] != text(t, next.Plan) {
		t.Errorf("the tick after it is not read")
	}
	return r.tick
}

// events are those behind the tick that is read: where the head is all that there is of it, those of the tick have happened too.
func (l *live) events(r read, ticks []*rulestest.Tick) []rules.Event {
	for i := len(r.entries) - 1; i >= 0 && r.entries[i].Head == nil; i-- {
		if e := r.entries[i]; e.Facts != nil && *e.Facts == r.tick {
			return r.behind
		}
	}
	for _, tick := range ticks {
		if tick.Facts.Tick == r.tick {
			return append(append([]rules.Event(nil), tick.Events...), r.behind...)
		}
	}
	return r.behind
}

// TestEveryPrefix of a journal is one that was.
func TestEveryPrefix(t *testing.T) {
	files := disktest.NewMem()
	o := options(files)
	o.SegmentBytes = 1 << 20
	ticks := recorded(t, files, o, 60)
	whole := contents(t, files)

	program := rules.New(hostPolicy())
	head := bytes.IndexByte(whole, '\n') + 1
	rng := rand.New(rand.NewPCG(3, 3))
	for length := head; length < len(whole); length += 1 + rng.IntN(len(whole)/60) {
		part := disktest.NewMem()
		must(t, disk.WriteFile(part, "j/00000000000000000001.ndjson", whole[:length]))
		n, events := lastOf(t, whole[:length])
		want := rules.Memory{}
		if n > 0 {
			tick := ticks[n-1]
			want = rules.Remember(program, rules.Remember(program, tick.Before, &tick.Facts, rules.Plan{}, nil), nil, rules.Plan{}, events)
		}

		j, r, err := journal.Open("j", options(part))
		must(t, err)
		if text(t, r.Memory) != text(t, want) || r.TornBytes != int64(length-1-bytes.LastIndexByte(whole[:length], '\n')) {
			t.Fatalf("%d bytes, tick %d, %d bytes torn:\n%s\n%s", length, n, r.TornBytes, text(t, r.Memory), text(t, want))
		}
		must(t, j.Close())
	}
}

// lastOf is the last tick whose facts are whole in the text, and the events behind it.
func lastOf(t *testing.T, whole []byte) (tick uint64, events []rules.Event) {
	t.Helper()
	part := disktest.NewMem()
	must(t, disk.WriteFile(part, "j/00000000000000000001.ndjson", whole[:bytes.LastIndexByte(whole, '\n')+1]))
	r := readAll(t, part)
	return r.tick, r.behind
}

// TestADamagedLineCostsOnlyItself, and what depends on it until the next head.
func TestADamagedLineCostsOnlyItself(t *testing.T) {
	pristine := disktest.NewMem()
	ticks := recorded(t, pristine, options(pristine), 60)
	names, err := pristine.List("j")
	must(t, err)
	before := readAll(t, pristine)

	kinds := map[string]int{}
	for _, name := range names {
		name = path.Join("j", name)
		if !strings.HasSuffix(name, ".ndjson") {
			continue
		}
		all, err := disk.ReadFile(pristine, name)
		must(t, err)
		lines := bytes.SplitAfter(all, []byte("\n"))
		lines = lines[:len(lines)-1]
		for i := range lines {
			kind := kindOf(lines[i])
			if kinds[kind]++; kinds[kind] > 12 && i > 0 {
				continue // enough of them
			}
			spoiled := bytes.Clone(all)
			at := len(bytes.Join(lines[:i], nil)) + len(lines[i])/2
			spoiled[at] ^= 1
			if spoiled[at] == '\n' {
				spoiled[at] ^= 3
			}
			files, err := pristine.Copy("j")
			must(t, err)
			must(t, disk.WriteFile(files, name, spoiled))

			r := readAll(t, files)
			r.sameUntilEvents(t, ticks, kind)
			lost := len(before.plans) - len(r.plans)
			until := bytes.Count(bytes.Join(lines[i:], nil), []byte(`"verdict":`))
			switch kind {
			case "head", "policy", "facts":
				if lost != until {
					t.Errorf("%s, line %d, a %s: %d plans are lost, not %d", name, i, kind, lost, until)
				}
			case "verdict":
				if lost != 1 {
					t.Errorf("%s, line %d, a %s: %d plans are lost", name, i, kind, lost)
				}
			default:
				if lost != 0 {
					t.Errorf("%s, line %d, a %s: %d plans are lost", name, i, kind, lost)
				}
			}
			if last := i == len(lines)-1; r.stats.BadLines != 1 && !last || r.stats.TornBytes == 0 && last {
				t.Errorf("%s, line %d: %+v", name, i, r.stats)
			}
		}
	}
	if len(kinds) < 5 {
		t.Errorf("only lines of these kinds: %v", kinds)
	}
}

// sameUntilEvents checks the plans that were read, unless an event is missing that they were made after.
func (r read) sameUntilEvents(t *testing.T, ticks []*rulestest.Tick, kind string) {
	t.Helper()
	if kind != "intent" && kind != "outcome" {
		r.sameAs(t, ticks)
	}
}

func kindOf(text []byte) string {
	for _, kind := range []string{"head", "facts", "verdict", "policy", "intent", "outcome"} {
		if bytes.Contains(text, fmt.Appendf(nil, `"%s":`, kind)) {
			return kind
		}
	}
	return "another"
}

// FuzzReadHistory: whatever stands in a file, reading it comes to an end, and what is read was sealed.
func FuzzReadHistory(f *testing.F) {
	files := disktest.NewMem()
	j, _, err := journal.Open("j", options(files))
	if err != nil {
		f.Fatal(err)
	}
	recorder := journaltest.Recorder{Journal: j}
	w := newWorld(rand.New(rand.NewPCG(7, 7)))
	w.OnTick = func(tick *rulestest.Tick) {
		if err := recorder.Tick(tick); err != nil {
			f.Fatal(err)
		}
	}
	w.Run(tickTime(8))
	text, err := disk.ReadFile(files, "j/00000000000000000001.ndjson")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Add([]byte(`{"v":2,"seq":1,"crc":"00000000"}` + "\n" + `{"v":1,"seq":2}` + "\n"))
	f.Add(line.Seal([]byte(`{"v":2,"seq":1,"head":{"last_tick":3,"memory":{}},"facts":3`), 0))

	f.Fuzz(func(t *testing.T, text []byte) {
		files := disktest.NewMem()
		if err := disk.WriteFile(files, "j/00000000000000000001.ndjson", text); err != nil {
			t.Fatal(err)
		}
		n := 0
		_, err := journal.ReadHistoryOn(files, "j", func(e journal.Entry, _ *journal.History) error {
			if n++; e.V == 2 && !line.Sealed(e.Text) {
				t.Errorf("%s", e.Text)
			}
			return nil
		})
		if err == nil && n > bytes.Count(text, []byte("\n")) {
			t.Errorf("%d lines of %d", n, bytes.Count(text, []byte("\n")))
		}
	})
}
