package rulestest_test

import (
	"bytes"
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"gestor.local/manager/internal/journal"
	"gestor.local/manager/internal/journal/journaltest"
	journalline "gestor.local/manager/internal/journal/line"
	"gestor.local/manager/internal/rules"
	"gestor.local/manager/internal/rules/rulestest"
	"gestor.local/wal/disk/disktest"
)

// TestMemoryIsMadeAgain makes memory and plans again from what a segment of the journal has: the memory at its head, and the facts
// and events of each of its ticks. Both must be those that were.
func TestMemoryIsMadeAgain(t *testing.T) {
	var n counts
	defer n.log(t)
	rapid.Check(t, func(rt *rapid.T) {
		w := drawWorld(rt, drawPolicy(rt), 8*hour)
		var ticks []*rulestest.Tick
		w.OnTick = func(tick *rulestest.Tick) { ticks = append(ticks, tick) }
		w.Run(8 * hour)
		n.worlds++
		n.ticks += len(ticks)
		if len(ticks) == 0 {
			return
		}

		d := drawn(rt, "segment")
		head := d.between(0, len(ticks)-1)
		segment := ticks[head:min(head+d.between(1, 200), len(ticks))]
		memory := decoded(rt, segment[0].Before)
		program := rules.New(w.Policy)
		for i, tick := range segment {
			if i > 0 && len(tick.Verified) > 0 {
				memory = rules.Remember(program, memory, nil, rules.Plan{}, tick.Verified)
			}
			plan := rules.Decide(program, memory, &tick.Facts)
			if diff := cmp.Diff(text(rt, tick.Plan), text(rt, plan)); diff != "" {
				rt.Fatalf("%s: the plan made again differs:\n%s", rulestest.Moment(tick.At), diff)
			}

			memory = rules.Remember(program, memory, &tick.Facts, plan, nil)
			for _, e := range tick.Events {
				memory = rules.Remember(program, memory, nil, rules.Plan{}, []rules.Event{e})
			}
			if diff := cmp.Diff(text(rt, tick.After), text(rt, memory)); diff != "" {
				rt.Fatalf("%s: the memory made again differs:\n%s", rulestest.Moment(tick.At), diff)
			}
			n.compared++
			n.steps += len(tick.Events)
		}
	})
}

// TestJournalBringsBackPlansAndMemory writes drawn worlds into a journal of several segments, which is closed and opened now and
// then, and reads it: each plan must come out again byte for byte, the memory before each tick must be that which was, and at each
// head it must be what the lines before it come to.
func TestJournalBringsBackPlansAndMemory(t *testing.T) {
	var n counts
	defer n.log(t)
	heads, starts := 0, 0
	defer func() { t.Log("heads:", heads, "starts:", starts) }()
	rapid.Check(t, func(rt *rapid.T) {
		until := pick(drawn(rt, "until"), hour, 2*hour)
		w := drawWorld(rt, drawPolicy(rt), until)
		ticks, files := written(rt, w, until, &starts)
		n.worlds++

		i := 0
		stats, err := journal.ReadHistoryOn(files, "journal", func(e journal.Entry, h *journal.History) error {
			switch {
			case e.Head != nil && h.Made() != nil:
				heads++
				if diff := cmp.Diff(text(rt, h.Memory()), text(rt, h.Made())); diff != "" {
					rt.Fatalf("the lines before head %d come to another memory:\n%s", e.Seq, diff)
				}
			case e.Verdict != nil:
				sameDecision(rt, ticks[i], e, h)
				n.compared++
				n.steps += len(ticks[i].Events)
				i++
			}
			return nil
		})
		if err != nil || stats.BadLines > 0 || stats.TornBytes > 0 || i != len(ticks) {
			rt.Fatalf("%d of %d ticks, %+v, %v", i, len(ticks), stats, err)
		}
		n.ticks += i
	})
}

// written writes a world's ticks into a journal, which starts is told the openings of.
func written(rt *rapid.T, w *rulestest.World, until time.Duration, starts *int) (ticks []*rulestest.Tick, files *disktest.Mem) {
	files = disktest.NewMem()
	opts := journal.Options{FS: files, Version: 2, SegmentBytes: 20_000, Now: func() time.Time { return time.Unix(1_796_126_400, 0) }}
	recorder := journaltest.Recorder{}
	restart := drawn(rt, "restart").faulty(2, until)
	open := func() {
		*starts++
		var recovered journal.Recovery
		var err error
		if recorder.Journal, recovered, err = journal.Open("journal", opts); err != nil {
			rt.Fatal(err)
		}
		if len(ticks) == 0 {
			return
		}
		last := ticks[len(ticks)-1]
		if diff := cmp.Diff(text(rt, last.After), text(rt, recovered.Memory)); diff != "" {
			rt.Fatalf("%s: another memory after a start:\n%s", rulestest.Moment(last.At), diff)
		}
		if recovered.Facts.Tick != last.Facts.Tick || len(recovered.Facts.Containers) != len(last.Facts.Containers) {
			rt.Fatalf("%s: tick %d after a start", rulestest.Moment(last.At), recovered.Facts.Tick)
		}
	}

	open()
	w.OnTick = func(tick *rulestest.Tick) {
		if restart(tick.At) {
			if err := recorder.Journal.Close(); err != nil {
				rt.Fatal(err)
			}
			open()
		}
		if err := recorder.Tick(tick); err != nil {
			rt.Fatal(err)
		}
		ticks = append(ticks, tick)
	}
	w.Run(until)
	if err := recorder.Journal.Close(); err != nil {
		rt.Fatal(err)
	}
	return ticks, files
}

func sameDecision(rt *rapid.T, tick *rulestest.Tick, e journal.Entry, h *journal.History) {
	if diff := cmp.Diff(text(rt, tick.Before), text(rt, h.Before())); diff != "" {
		rt.Fatalf("%s: another memory before the tick:\n%s", rulestest.Moment(tick.At), diff)
	}
	if diff := cmp.Diff(text(rt, tick.Plan), text(rt, *h.Plan())); diff != "" {
		rt.Fatalf("%s: another plan:\n%s", rulestest.Moment(tick.At), diff)
	}
	v, err := journal.VerdictOf(e)
	if err != nil || v.Tick != tick.Facts.Tick || v.Hash != journalline.PlanHash(h.Plan()) {
		rt.Fatalf("%s: verdict %+v, %v", rulestest.Moment(tick.At), v, err)
	}
}

func text(t *rapid.T, v any) string {
	out, err := json.MarshalIndent(v, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

// decoded is the memory as the head of a segment brings it back.
func decoded(t *rapid.T, m rules.Memory) rules.Memory {
	line, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	var out rules.Memory
	reader := json.NewDecoder(bytes.NewReader(line))
	reader.DisallowUnknownFields()
	if err := reader.Decode(&out); err != nil {
		t.Fatal(err)
	}
	return out
}
