package govern_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"gestor.local/contract"
	"gestor.local/contract/policy2"
	"gestor.local/manager/internal/engine"
	"gestor.local/manager/internal/engine/enginetest"
	"gestor.local/manager/internal/govern"
	"gestor.local/manager/internal/policyfile"
	"gestor.local/manager/internal/rules"
	"gestor.local/manager/internal/source/netdev"
)

// version2 parses a policy of version 2.
func version2(t *testing.T, text string) *govern.Version2 {
	t.Helper()
	d, err := policyfile.Parse([]byte("version: 2\n" + text))
	if err != nil {
		t.Fatal(err)
	}
	return &govern.Version2{Policy: *d.V2}
}

// lookOnly is an engine that fails on every call that changes anything, and counts them.
type lookOnly struct {
	*enginetest.Engine
	changing atomic.Int64
}

func (l *lookOnly) changed() error {
	l.changing.Add(1)
	return fmt.Errorf("a changing call")
}

func (l *lookOnly) Stop(context.Context, string, time.Duration) error { return l.changed() }

func (l *lookOnly) Kill(context.Context, string) error { return l.changed() }

func (l *lookOnly) Remove(context.Context, string) error                  { return l.changed() }
func (l *lookOnly) SetCPU(context.Context, string, engine.CPULimit) error { return l.changed() }

// Everything that a policy of version 2 could do is due, at the start, after a change of the policy and at the stop: in mode observe,
// and without an approval where one is needed, no order reaches the engine.
func TestNothingIsDoneUnderVersion2(t *testing.T) {
	const rules = `warmup: 0
own: [{label: %s}]
surprise: 100%%
budget: [100 per tick, 1000 per 1m, 10000 per 1h]
rules:
  - {name: hogs, when: {cpu: 1%%, for: 10s}, do: throttle to 1%%}
  - {name: one, match: {class: low}, each: container, keep: {lightest: 1}, rest: remove}
  - {name: old, when: {age: 1m}, do: [warn, {after: 1m, do: stop}]}
  - {name: dead, when: {ended: 1m}, do: %s}
`
	for name, test := range map[string]struct {
		mode, own string
		approved  bool // of another policy
		held      string
	}{
		"observe":             {"mode: observe\n", "gestor.managed=true", false, contract.HeldObserve},
		"not approved":        {"", "gestor.managed", false, govern.ConditionUnapproved},
		"approved as another": {"", "gestor.managed", true, govern.ConditionUnapproved},
	} {
		t.Run(name, func(t *testing.T) {
			runSynctest(t, 4, 2, func(w *fixture) {
				engine := &lookOnly{Engine: w.engine}
				w.options.Engine, w.options.RemoveOrphansAtStop = engine, true
				w.engine.Add(enginetest.Container{
					ID: id("low", 9), Name: "ended", State: contract.StateExited, FinishedAt: "2026-01-01T00:00:01Z",
					Labels: map[string]string{contract.LabelManaged: "true"},
				})
				w.engine.Add(enginetest.Container{
					ID: id("low", 8), Name: "orphan", Labels: map[string]string{contract.LabelManaged: "true", contract.LabelRun: "gone"},
				})

				before := w.alive()
				policy := func(last string) *govern.Version2 {
					v := version2(t, test.mode+fmt.Sprintf(rules, test.own, last))
					if test.approved {
						other := version2(t, test.mode+fmt.Sprintf(rules, test.own, "warn"))
						a := policy2.NewApproved(other.Policy, time.Now(), "ada", 8)
						v.Approved = &a
					}
					return v
				}
				w.options.Version2 = policy("remove")
				err := w.runWith(10*time.Minute+5*time.Second, func(g *govern.Governor) {
					time.Sleep(5*time.Minute + 5*time.Second) // between two ticks
					next := policy("[warn, {after: 1m, do: remove}]")
					if taken := w.reload(g, govern.PolicyUpdate{Version2: next}); !taken.Changed {
						t.Errorf("%+v", taken)
					}
				})
				if err != nil {
					t.Fatal(err)
				}

				if n := engine.changing.Load(); n > 0 {
					t.Errorf("%d changing calls", n)
				}
				w.wantAlive(before...)
				if n := len(bodies[contract.ActionBody](w.spool)); n > 0 || len(w.reports.acted) > 0 || len(w.open()) > 0 {
					t.Errorf("%d records of actions, %d ends, %d open intents", n, len(w.reports.acted), len(w.open()))
				}

				// It is a plan with all of it, or the test shows nothing.
				due, report := map[string]bool{}, w.reports.last()
				for _, d := range bodies[contract.DecisionBody](w.spool) {
					due[d.Step] = true
				}
				for _, step := range []string{"keep", "warn", "throttle", "remove"} {
					if !due[step] {
						t.Errorf("no decision with step %s", step)
					}
				}
				if report.Held != test.held || report.Plan != nil || report.Orders != 0 {
					t.Errorf("held %q, plan %v", report.Held, report.Plan)
				}
				told, is := w.reports.condition(govern.ConditionUnapproved)
				if is != (test.held == govern.ConditionUnapproved) || is && !strings.Contains(told.Text, "remove 3 of 8 containers") {
					t.Errorf("condition: %t %s", is, told.Text)
				}
			})
		})
	}
}

const twoNewest = `own: [{label: gestor.managed=true}]
rules:
  - {name: two each, match: {class: low}, each: container, keep: {newest: 2}, rest: remove}
  - {name: quiet, match: {class: high}, when: {idle: 1m}, do: [warn, {after: 1m, do: stop}]}
`

func TestRecordsUnderVersion2(t *testing.T) {
	runSynctest(t, 0, 1, func(w *fixture) {
		for n, created := range []string{"2026-01-01T00:00:00Z", "2026-01-01T00:00:01Z", "2026-01-01T00:00:02Z"} {
			w.add("low", n, 10)
			w.engine.Change(id("low", n), func(c *enginetest.Container) { c.CreatedAt = created })
		}
		w.engine.Add(enginetest.Container{ID: id("low", 7), Name: "ended", State: contract.StateExited, FinishedAt: "2026-01-01T00:00:01Z"})
		w.options.Version2 = version2(t, "mode: observe\n"+twoNewest)
		if err := w.run(25*time.Minute + 5*time.Second); err != nil {
			t.Fatal(err)
		}

		// The host: groups of the rule that gives places, and no classes.
		hosts := bodies[contract.HostBody](w.spool)
		last := hosts[len(hosts)-1]
		want := contract.GroupCount{Rule: "two each", Places: 2, Held: 2, Over: 1}
		if last.Own == nil || *last.Own != 4 || len(last.Groups) != 1 || last.Groups[0] != want || len(last.Classes) > 0 {
			t.Errorf("%+v, own %v", last.Groups, last.Own)
		}
		if last.PolicyHash != w.options.Version2.Policy.Hash() || last.Held != contract.HeldObserve || !last.Planned() {
			t.Errorf("policy %s, held %q", last.PolicyHash, last.Held)
		}

		// Each container: who runs on every tick, who does not at first and each ten minutes.
		of := map[string][]contract.ContainerBody{}
		for _, c := range bodies[contract.ContainerBody](w.spool) {
			of[c.Name] = append(of[c.Name], c)
		}
		oldest := of["low-0"][len(of["low-0"])-1]
		if oldest.Rule != "two each" || oldest.Step != "remove" || oldest.Verdict != contract.VerdictRemove || oldest.Place ||
			oldest.Held != contract.HeldObserve || !oldest.Owned || oldest.Class != contract.ClassLow {
			t.Errorf("the oldest: %+v", oldest)
		}
		newest := of["low-2"][len(of["low-2"])-1]
		if newest.Rule != "two each" || newest.Step != "keep" || !newest.Place || newest.Rank != 1 || newest.Held != "" {
			t.Errorf("the newest: %+v", newest)
		}
		if n := len(of["low-2"]); n != len(hosts) {
			t.Errorf("%d records of one that runs on %d ticks", n, len(hosts))
		}
		ended := of["ended"]
		if len(ended) != 3 || ended[0].State != contract.StateExited || ended[0].Why != contract.UnmeasuredNotRunning || ended[0].Owned {
			t.Errorf("of one that does not run: %+v", ended)
		}

		// Decisions: once for each change, with words.
		var texts []string
		for _, d := range bodies[contract.DecisionBody](w.spool) {
			if d.Name == "low-0" {
				texts = append(texts, d.Reason+": "+d.Text)
				if d.Held == "" || d.Mode != contract.ModeObserve {
					t.Errorf("held %q, mode %s", d.Held, d.Mode)
				}
			}
		}
		wantTexts := []string{
			"young: too new: it is judged once it was there for the whole warm-up",
			"over_quota: rank 3 of 3, newest first: 2 stay; behind low-1 by age, 20s against 19s",
		}
		if !slices.Equal(texts, wantTexts) {
			t.Errorf("%q, want %q", texts, wantTexts)
		}

		for _, s := range bodies[contract.SystemBody](w.spool) {
			if s.Event == "policy" {
				if text := fmt.Sprint(s.Details["rules"]); !strings.Contains(text, "two each: counts containers of class low; the 2 newest that run stay") {
					t.Errorf("the sentences are %s", text)
				}
				return
			}
		}
		t.Errorf("no record of the policy in %v", w.spool.events())
	})
}

// counters are those of containers by id.
type counters struct {
	asked map[string]netdev.Process
	bytes uint64
}

func (c *counters) Read(wanted map[string]netdev.Process) map[string]netdev.Count {
	c.asked = wanted
	out := map[string]netdev.Count{}
	for one := range wanted {
		out[one] = netdev.Count{Bytes: c.bytes, BootUS: 1}
	}
	return out
}

// Idle is read from the loop's own figures and the counters of the network, which are asked for nobody else.
func TestIdleUnderVersion2(t *testing.T) {
	runSynctest(t, 1, 1, func(w *fixture) {
		network := &counters{}
		w.options.Network, w.options.Version2 = network, version2(t, twoNewest)
		w.reader.use(id("high", 0), 0)
		if err := w.run(95 * time.Second); err != nil {
			t.Fatal(err)
		}

		if len(network.asked) != 1 || network.asked[id("high", 0)].PID != enginetest.FirstPID {
			t.Errorf("asked for %v", network.asked)
		}
		warned := map[string]bool{}
		for _, c := range bodies[contract.ContainerBody](w.spool) {
			warned[c.Name] = warned[c.Name] || c.Step == "warn"
		}
		if !warned["high-0"] || warned["low-0"] {
			t.Errorf("%v", warned)
		}
	})
}

// From one version to the other and back while it runs: what was throttled under version 1 gets its limit back, nothing is removed
// under version 2, and afterwards version 1 removes again.
func TestChangingBetweenTheVersions(t *testing.T) {
	runSynctest(t, 4, 2, func(w *fixture) {
		w.throttled(1000)
		victim := id("low", 3)
		err := w.runWith(10*time.Minute+5*time.Second, func(g *govern.Governor) {
			time.Sleep(45 * time.Second)
			if c, _ := w.engine.Get(victim); c.CPU == (engine.CPULimit{}) {
				t.Error("it was not throttled")
			}

			v := version2(t, "mode: observe\ntick: 20s\n"+twoNewest)
			if taken := w.reload(g, govern.PolicyUpdate{Version2: v}); !taken.Changed || taken.Policy != v.Policy.Hash() {
				t.Errorf("%+v", taken)
			}
			time.Sleep(2*time.Minute + 5*time.Second) // between two ticks
			if c, there := w.engine.Get(victim); !there || c.CPU != (engine.CPULimit{}) {
				t.Errorf("under version 2: there %t, limit %+v", there, c.CPU)
			}
			if r := w.reports.last(); r.Rules == nil || r.Plan != nil || r.PolicyHash != v.Policy.Hash() {
				t.Errorf("under version 2: %+v", r.Version2)
			}

			w.reload(g, govern.PolicyUpdate{Policy: contract.DefaultPolicy()})
		})
		if err != nil {
			t.Fatal(err)
		}

		w.wantAlive(settled(2)...)
		if r := w.reports.last(); r.Rules != nil || r.Version2 != nil || r.Plan == nil {
			t.Error("version 1 has a plan of version 2")
		}
		if n := count(w.spool.events(), "policy_changed"); n != 2 {
			t.Errorf("%d changes in %v", n, w.spool.events())
		}
	})
}

// What an earlier run of version 1 left half removed stays so under version 2.
func TestRemainsAreLeftUnderVersion2(t *testing.T) {
	victim := id("low", 3)
	runSynctest(t, 4, 2, func(w *fixture) {
		w.crashAfterTheKill()
		w.options.Version2 = version2(t, twoNewest)
		if err := w.run(65 * time.Second); err != nil {
			t.Fatal(err)
		}
		if c, there := w.engine.Get(victim); !there || c.State != "exited" {
			t.Errorf("the remains: there %t, %q", there, c.State)
		}

		// The tick's numbers go on, and nothing was decided twice.
		w.options.Version2 = nil
		if err := w.run(25 * time.Second); err != nil {
			t.Fatal(err)
		}
		if _, there := w.engine.Get(victim); there {
			t.Error("the remains were forgotten")
		}
		seen := map[uint64]bool{}
		for _, r := range w.reports.ticks {
			if seen[r.Tick] {
				t.Errorf("tick %d twice", r.Tick)
			}
			seen[r.Tick] = true
		}
	})
}

// The first plan of version 2 that can judge anybody is only shown when a policy of version 1 was in force before it, however often the
// versions change, and so is the first of version 1 after that.
func TestTheFirstPlanAfterTheOtherVersionIsShown(t *testing.T) {
	runSynctest(t, 3, 2, func(w *fixture) {
		v := version2(t, "own: [{label: gestor.managed=true}]\nrules:\n"+
			"  - {name: two, match: {class: low}, each: container, keep: {lightest: 2}, rest: remove}\n")
		ended := func() int { return w.calls("")["remove"] }
		err := w.runWith(6*time.Minute+5*time.Second, func(g *govern.Governor) {
			time.Sleep(45 * time.Second)
			for round := range 2 {
				w.reload(g, govern.PolicyUpdate{Version2: v})
				shown := -1
				for tick := 0; shown < 0 && tick < 9; tick++ {
					before := w.reports.last()
					for w.reports.last() == before {
						time.Sleep(time.Second)
					}
					if r := w.reports.last(); r.Rules != nil && r.Rules.Plan.Wanted > 0 {
						shown = tick
					}
				}
				if r := w.reports.last(); shown < 0 || r.Held != rules.HeldChanged || ended() != round {
					t.Errorf("round %d: shown %d, held %q, %d removed", round, shown, r.Held, ended())
				}
				time.Sleep(30 * time.Second)
				if r := w.reports.last(); ended() != round+1 || r.Held != "" {
					t.Errorf("round %d: held %q, %d removed", round, r.Held, ended())
				}

				w.reload(g, govern.PolicyUpdate{Policy: contract.DefaultPolicy()})
				time.Sleep(time.Minute)
				w.add("low", 5+round, 500)
			}
		})
		if err != nil {
			t.Fatal(err)
		}
	})
}
