package govern_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"gestor.local/contract"
	"gestor.local/manager/internal/explain"
	"gestor.local/manager/internal/govern"
	"gestor.local/manager/internal/replay"
)

// replay makes every plan of the journal again: each must be the one that the loop made.
func (w *fixture) replay() replay.Report {
	w.t.Helper()
	r, err := replay.Run(w.dir)
	if err != nil || r.Same != r.Ticks || len(r.Different) > 0 || !r.Complete() || r.NoPolicy > 0 {
		w.t.Errorf("replayed: %v %+v", err, r)
	}
	return r
}

// explained is what people read of a container.
func (w *fixture) explained(name string) (explain.ContainerHistory, string) {
	w.t.Helper()
	h, err := explain.Journal{Path: w.dir}.Container(name)
	if err != nil {
		w.t.Fatal(err)
	}
	var b bytes.Buffer
	if err := h.Table(&b); err != nil {
		w.t.Fatal(err)
	}
	return h, b.String()
}

func (w *fixture) wantText(text string, all ...string) {
	w.t.Helper()
	for _, want := range all {
		if !strings.Contains(text, want) {
			w.t.Errorf("no %q in\n%s", want, text)
		}
	}
}

// What the loop does and writes under version 2 is what explain and replay say.
func TestALadderIsExplained(t *testing.T) {
	const policy = `own: [{label: preview.branch}]
surprise: 100%
rules:
  - {name: stale, when: {age: 10m}, do: [warn, {after: 10m, do: throttle to 10%}, {after: 10m, do: stop}, {after: 10m, do: remove}]}
`
	runSynctest(t, 0, 0, func(w *fixture) {
		c := stranger(0, "preview.branch=a")
		w.engine.Add(c)
		w.reader.use(c.ID, 10)
		w.options.Version2 = approved(version2(t, policy), 1)
		if err := w.run(35*time.Minute + 5*time.Second); err != nil {
			t.Fatal(err)
		}

		w.replay()
		h, text := w.explained("theirs-0")
		if h.Explanation == nil || h.Explanation.Change == nil || h.Explanation.Change.Step != "remove" {
			t.Fatalf("%+v", h.Explanation)
		}
		w.wantText(text,
			`will be REMOVED in `, `step 4 of 4 of rule "stale", unless somebody starts it`, "own        label preview.branch = a",
			"warn  done", "throttle to 10%  done", "stop  done", "remove  due",
			`warn by step 1 of rule "stale" delivered`, `throttle to 10% by step 2 of rule "stale" done`, `stop by step 3 of rule "stale" done`,
			"give back of the CPU limit by rule \"stale\" (stopped)", "there on the newest tick",
		)
		report, err := explain.Journal{Path: w.dir}.Tick(actedOn(t, h, "stop"))
		if err != nil {
			t.Fatal(err)
		}
		var b bytes.Buffer
		if err := report.Table(&b); err != nil {
			t.Fatal(err)
		}
		w.wantText(b.String(), "STOP 3/4", "theirs-0", `stop by step 3 of rule "stale" done`)
	})
}

// actedOn is the tick on which something was done to a container.
func actedOn(t *testing.T, h explain.ContainerHistory, verb string) uint64 {
	t.Helper()
	for _, a := range h.Actions {
		if a.Verb == verb {
			return a.Tick
		}
	}
	t.Fatalf("no %s in %+v", verb, h.Actions)
	return 0
}

// A manager that goes from version 1 to version 2 and back leaves one journal, of which all is explained.
func TestBothVersionsAreExplained(t *testing.T) {
	runSynctest(t, 4, 2, func(w *fixture) {
		err := w.runWith(10*time.Minute+5*time.Second, func(g *govern.Governor) {
			time.Sleep(45 * time.Second)
			w.reload(g, govern.PolicyUpdate{Version2: version2(t, "mode: observe\ntick: 20s\n"+twoNewest)})
			time.Sleep(2*time.Minute + 5*time.Second)
			w.reload(g, govern.PolicyUpdate{Policy: contract.DefaultPolicy()})
		})
		if err != nil {
			t.Fatal(err)
		}

		if r := w.replay(); r.Ticks < 40 {
			t.Errorf("%d plans made again", r.Ticks)
		}
		h, text := w.explained("low-0")
		if h.Explanation != nil || len(h.Rulings) == 0 || len(h.Spans) != 3 || h.Spans[1].ToTick >= h.Rulings[0].FromTick {
			t.Errorf("%+v", h) // too new, before, and after
		}
		w.wantText(text, "under policies of version 1:", "under policies of version 2:", "there on the newest tick")

		ofRules := h.Rulings[len(h.Rulings)-1].ToTick
		for number, ruled := range map[uint64]bool{2: false, ofRules: true, ofRules + 5: false} {
			report, err := explain.Journal{Path: w.dir}.Tick(number)
			if _, ok := report.(explain.RulesReport); err != nil || ok != ruled {
				t.Errorf("tick %d: %T, %v", number, report, err)
			}
		}
	})
}
