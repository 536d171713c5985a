package govern_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"gestor.local/contract"
	"gestor.local/contract/policy2"
	"gestor.local/manager/internal/engine"
	"gestor.local/manager/internal/engine/enginetest"
	"gestor.local/manager/internal/govern"
	"gestor.local/manager/internal/journal"
	"gestor.local/manager/internal/journal/line"
	"gestor.local/manager/internal/rules"
)

// stranger is a container that Gestor did not start.
func stranger(n int, label string) enginetest.Container {
	key, value, _ := strings.Cut(label, "=")
	at := time.Now().Add(-time.Minute).UTC().Format(time.RFC3339Nano)
	return enginetest.Container{
		ID: strings.Repeat("c", 60) + fmt.Sprintf("%04x", n), Name: fmt.Sprintf("theirs-%d", n), Image: "registry.example/acme/web:1",
		Labels: map[string]string{key: value}, CreatedAt: at, StartedAt: at,
	}
}

// approved is the policy with a person's approval.
func approved(v *govern.Version2, own int) *govern.Version2 {
	a := policy2.NewApproved(v.Policy, time.Now(), "ada", own)
	v.Approved = &a
	return v
}

// history reads what the journal has, and checks that each plan comes out of its facts again.
func (w *fixture) history() (entries []journal.Entry, h *journal.History) {
	w.t.Helper()
	stats, err := journal.ReadHistory(w.dir, func(e journal.Entry, history *journal.History) error {
		entries, h = append(entries, e), history
		if made := history.Made(); e.Head != nil && made != nil {
			if fmt.Sprintf("%+v", *made) == "" {
				w.t.Error("no memory")
			}
		}
		return nil
	})
	if err != nil || stats.BadLines > 0 {
		w.t.Errorf("the journal: %+v %v", stats, err)
	}
	return entries, h
}

// ended are the actions that ended, as NAME ACTION OUTCOME.
func (w *fixture) ended() (done []string) {
	for _, b := range bodies[contract.ActionBody](w.spool) {
		if b.Phase == contract.PhaseOutcome && b.Outcome != contract.OutcomeUnknown {
			done = append(done, b.Name+" "+b.Action+" "+b.Outcome)
		}
	}
	return done
}

// One ladder from the notice to the removal, on containers that somebody else has started, once a person has approved it.
func TestALadderOnContainersOfOthers(t *testing.T) {
	runSynctest(t, 0, 0, func(w *fixture) {
		for n := range 3 {
			c := stranger(n, "preview.branch=a")
			if n == 2 {
				c.Labels = map[string]string{"other": "label"}
			}
			w.engine.Add(c)
			w.reader.use(c.ID, 10)
		}
		w.options.Version2 = version2(t, `own: [{label: preview.branch}]
surprise: 100%
rules:
  - {name: stale, when: {age: 10m}, do: [warn, {after: 10m, do: throttle to 10%}, {after: 10m, do: stop}, {after: 10m, do: remove}]}
`)
		err := w.runWith(2*time.Hour+5*time.Second, func(g *govern.Governor) {
			time.Sleep(30*time.Minute + 5*time.Second)
			if n := len(bodies[contract.ActionBody](w.spool)); n > 0 {
				t.Errorf("%d records of actions without an approval", n)
			}
			if w.reports.last().Held != rules.HeldUnapproved {
				t.Errorf("held %q", w.reports.last().Held)
			}
			w.reload(g, govern.PolicyUpdate{Version2: approved(version2(t, `own: [{label: preview.branch}]
surprise: 100%
rules:
  - {name: stale, when: {age: 10m}, do: [warn, {after: 10m, do: throttle to 10%}, {after: 10m, do: stop}, {after: 10m, do: remove}]}
`), 2)})
		})
		if err != nil {
			t.Fatal(err)
		}

		w.wantAlive("theirs-2")
		want := []string{
			"theirs-0 throttle done", "theirs-0 stop done", "theirs-0 unthrottle done", "theirs-0 remove already_stopped",
			"theirs-1 throttle done", "theirs-1 stop done", "theirs-1 unthrottle done", "theirs-1 remove already_stopped",
		}
		done := w.ended()
		slices.SortStableFunc(done, func(a, b string) int { return strings.Compare(a[:8], b[:8]) })
		if !slices.Equal(done, want) {
			t.Errorf("done: %q", done)
		}
		// The third notice is of a hold: two removals are more than all that live.
		if n := count(w.spool.events(), "warn"); n != 3 {
			t.Errorf("%d notices in %v", n, w.spool.events())
		}
		for _, c := range w.engine.Calls() {
			if c.ID == stranger(2, "").ID {
				t.Errorf("a call on one that is not own: %+v", c)
			}
		}

		// Each step ten minutes after the one before; the removal ten minutes later still, which the hold takes.
		var at []time.Time
		for _, c := range w.engine.Calls() {
			if c.ID == stranger(0, "").ID && c.Op != "inspect" {
				at = append(at, c.At)
			}
		}
		if len(at) != 4 || at[1].Sub(at[0]) != 10*time.Minute || at[3].Sub(at[1]) != 20*time.Minute {
			t.Errorf("calls at %v", at)
		}
		if open := w.open(); len(open) > 0 {
			t.Errorf("open: %+v", open)
		}
		w.history()
	})
}

// Who is over its places goes on the first plan that counts, and the removal says which rule it was.
func TestPlacesUnderVersion2(t *testing.T) {
	runSynctest(t, 5, 3, func(w *fixture) {
		w.options.Version2 = version2(t, `own: [{label: gestor.managed=true}]
rules:
  - {name: low, match: {class: low}, each: container, keep: {lightest: 3}, rest: remove}
  - {name: high, match: {class: high}, each: container, keep: {heaviest: 2}, rest: remove}
budget: [20 per tick, 60 per 1m, 3600 per 1h]
surprise: 90%
act: {calls: [kill, remove]}
`)
		if err := w.run(65 * time.Second); err != nil {
			t.Fatal(err)
		}

		w.wantAlive(settled(3)...)
		w.spool.wantOutcomes(t, contract.ActionRemove, map[string]int{contract.OutcomeDone: 3})
		// The host's records have the classes that readers of version 1 know.
		hosts := bodies[contract.HostBody](w.spool)
		want := []contract.ClassCount{
			{Class: contract.ClassLow, Owned: 3, Eligible: 3, Quota: 3}, {Class: contract.ClassHigh, Owned: 2, Eligible: 2, Quota: 2},
		}
		if got := hosts[len(hosts)-1].Classes; !slices.Equal(got, want) {
			t.Errorf("classes %+v, want %+v", got, want)
		}
		if report := w.reports.last(); !slices.Equal(report.Classes, want) || len(report.Owned()) != 5 || report.Owned()[0].Rank != 1 {
			t.Errorf("classes %+v, owned %+v", report.Classes, report.Owned())
		}
		// A decision says of how many it is, and by which figures.
		for _, b := range bodies[contract.DecisionBody](w.spool) {
			of := fmt.Sprintf("rank %d of ", b.Rank)
			if b.Rank > 0 && !strings.Contains(b.Text, of) || b.Verdict == contract.VerdictRemove && !strings.Contains(b.Text, " against ") {
				t.Errorf("%s: %s", b.Name, b.Text)
			}
		}
		removals := 0
		for _, h := range hosts {
			for _, c := range h.Classes {
				removals += c.Removals
			}
		}
		if removals != 3 {
			t.Errorf("%d removals in the host's records", removals)
		}

		for _, b := range bodies[contract.ActionBody](w.spool) {
			if b.Rule != b.Name[:strings.Index(b.Name, "-")] || !b.Removes || b.StepIndex != 1 || b.Steps != 1 || b.Reason != contract.ReasonOverQuota {
				t.Errorf("%+v", b)
			}
		}
		if calls := w.calls(""); calls["kill"] != 3 || calls["remove"] != 3 || calls["stop"] > 0 {
			t.Errorf("%v", calls)
		}
	})
}

// A limit is given back when its reason is over, at the stop, and when the rule is taken away; and only once.
func TestThrottlesAreGivenBack(t *testing.T) {
	const hogs = "own: [{label: gestor.managed=true}]\nrules:\n  - {name: hogs, match: {class: high}, when: {cpu: 30%, for: 30s}, do: throttle to 20%, calm: 1m}\n"
	full := engine.CPULimit{QuotaUS: 20_000}
	limited := func(w *fixture) bool {
		c, _ := w.engine.Get(id("high", 0))
		return c.CPU.Same(full)
	}

	for name, end := range map[string]func(w *fixture, g *govern.Governor){
		"calm": func(w *fixture, _ *govern.Governor) { w.reader.use(id("high", 0), 10); time.Sleep(3 * time.Minute) },
		"the rule is gone": func(w *fixture, g *govern.Governor) {
			w.reload(g, govern.PolicyUpdate{Version2: version2(t, "own: [{label: gestor.managed=true}]\n")})
			time.Sleep(time.Minute)
		},
		"observe": func(w *fixture, g *govern.Governor) {
			w.reload(g, govern.PolicyUpdate{Version2: version2(t, "mode: observe\n"+hogs)})
			time.Sleep(time.Minute)
		},
		"version 1": func(w *fixture, g *govern.Governor) {
			w.reload(g, govern.PolicyUpdate{Policy: contract.DefaultPolicy()})
			time.Sleep(time.Minute)
		},
		"the end": func(*fixture, *govern.Governor) {},
	} {
		t.Run(name, func(t *testing.T) {
			runSynctest(t, 1, 1, func(w *fixture) {
				w.options.Version2 = version2(t, hogs)
				err := w.runWith(10*time.Minute, func(g *govern.Governor) {
					time.Sleep(2*time.Minute + 5*time.Second)
					if !limited(w) {
						t.Error("it was not throttled")
					}
					end(w, g)
					if name != "the end" && limited(w) {
						t.Error("it is throttled still")
					}
				})
				if err != nil {
					t.Fatal(err)
				}

				if c, there := w.engine.Get(id("high", 0)); !there || !c.CPU.Same(engine.CPULimit{}) {
					t.Errorf("there %t, limit %+v", there, c.CPU)
				}
				if n := w.calls("")["update"]; name != "calm" && n != 2 {
					t.Errorf("%d changes of limits", n)
				}
				_, h := w.history()
				if h != nil {
					for _, c := range h.Memory().Containers {
						for _, r := range c.Rules {
							if r.Throttle != nil {
								t.Errorf("the memory has a limit still: %+v", r.Throttle)
							}
						}
					}
				}
			})
		})
	}
}

// More than twice as many, and ten more, as a person has approved: a condition says so, whether or not anybody is due, and those that came
// since are only warned.
func TestOwnThatHasGrown(t *testing.T) {
	runSynctest(t, 0, 0, func(w *fixture) {
		add := func(n int) {
			c := stranger(n, "preview.branch=a")
			w.engine.Add(c)
			w.reader.use(c.ID, 10)
		}
		add(0)
		w.options.Version2 = approved(version2(t, "own: [{label: preview.branch}]\nsurprise: 100%\nrules:\n  - {name: old, when: {age: 20m}, do: stop}\n"), 1)
		err := w.runWith(30*time.Minute+5*time.Second, func(*govern.Governor) {
			time.Sleep(time.Minute + 5*time.Second)
			for n := range 11 {
				add(n + 1)
			}
			time.Sleep(time.Minute)
			if c, is := w.reports.condition(govern.ConditionOwnGrew); !is || !strings.Contains(c.Text, "12 are own, 1 were at the approval") {
				t.Errorf("condition %t %s", is, c.Text)
			}
		})
		if err != nil {
			t.Fatal(err)
		}

		if alive := w.alive(); len(alive) != 11 || slices.Contains(alive, "theirs-0") {
			t.Errorf("running: %v", alive)
		}
		guarded := 0
		for _, b := range bodies[contract.SystemBody](w.spool) {
			if b.Event == "warn" && b.Details["guard"] == rules.ReasonOwnGrew {
				guarded++
			}
		}
		if guarded != 11 {
			t.Errorf("%d were told of the guard", guarded)
		}
	})
}

// secondLookFails has no room for the second look at a tick, as often as there are errors left; meanwhile is called before it is asked.
type secondLookFails struct {
	govern.Journal
	left      int
	meanwhile func()
}

func (j *secondLookFails) Decide(d journal.Decision) (uint64, error) {
	if d.Look == 2 && j.left > 0 {
		j.left--
		return 0, errFull
	}
	seq, err := j.Journal.Decide(d)
	for _, v := range d.Plan.Verdicts {
		if d.Look == 1 && v.Step == policy2.StepRemove && j.meanwhile != nil {
			j.meanwhile()
			j.meanwhile = nil
		}
	}
	return seq, err
}

// The journal takes the first look at a tick and not the second: what is remembered and shown is what the journal has, with nothing done.
func TestASecondLookThatIsNotWritten(t *testing.T) {
	runSynctest(t, 4, 2, func(w *fixture) {
		w.options.Version2 = version2(t, "own: [{label: gestor.managed=true}]\nrules:\n"+
			"  - {name: two, match: {class: low}, each: container, keep: {lightest: 2}, rest: remove}\n")
		w.wrap = func(j govern.Journal) govern.Journal {
			return &secondLookFails{j, 1, func() { w.engine.Drop(id("low", 3)) }}
		}
		if err := w.run(65 * time.Second); err != nil {
			t.Fatal(err)
		}

		// The tick on which it failed: the first look's plan, which knew of one that is gone now, and a gate.
		at := slices.IndexFunc(w.reports.ticks, func(r *govern.Report) bool { return slices.Contains(r.Gates, govern.GateJournal) })
		if at < 0 {
			t.Fatal("the journal's gate was never closed")
		}
		failed := w.reports.ticks[at]
		if failed.Orders != 0 || failed.Rules.Plan.Wanted != 2 || failed.Rules.Plan.Held != govern.GateJournal {
			t.Errorf("%d orders, %d wanted, held %q", failed.Orders, failed.Rules.Plan.Wanted, failed.Rules.Plan.Held)
		}
		recorded := -1
		_, err := journal.ReadHistory(w.dir, func(e journal.Entry, h *journal.History) error {
			if e.Verdict == nil {
				return nil
			}
			if h.Tick() == failed.Tick {
				recorded = h.Plan().Wanted
			}
			if v, err := journal.VerdictOf(e); err != nil || v.Hash != line.PlanHash(h.Plan()) {
				t.Errorf("tick %d: the plan that was made is another than that of the lines: %v", h.Tick(), err)
			}
			return nil
		})
		if err != nil || recorded != 2 {
			t.Errorf("the journal has a plan of %d: %v", recorded, err)
		}

		// The next tick goes on from there.
		w.wantAlive("high-0", "high-1", "low-0", "low-1")
		w.spool.wantOutcomes(t, contract.ActionRemove, map[string]int{contract.OutcomeDone: 1})
	})
}
