package rulestest_test

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"gestor.local/manager/internal/rules"
	"gestor.local/manager/internal/rules/rulestest"
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
