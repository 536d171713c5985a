package govern_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"gestor.local/contract"
	"gestor.local/manager/internal/engine"
	"gestor.local/manager/internal/engine/enginetest"
	"gestor.local/manager/internal/explain"
	"gestor.local/manager/internal/govern"
)

func TestHoldsThePopulationAndWritesEverythingDown(t *testing.T) {
	runSynctest(t, 6, 4, func(w *fixture) {
		stranger := strings.Repeat("c", 64)
		w.engine.Add(enginetest.Container{ID: stranger, Name: "stranger"})
		w.reader.use(stranger, 3000)
		if err := w.run(35 * time.Second); err != nil {
			t.Fatal(err)
		}

		w.wantAlive(append(settled(4), "stranger")...)
		w.spool.wantOutcomes(t, contract.ActionRemove, map[string]int{contract.OutcomeDone: 5})
		if open := w.open(); len(open) != 0 {
			t.Errorf("open intents: %v", open)
		}
		if n := len(bodies[contract.HostBody](w.spool)); n != 4 {
			t.Errorf("%d host records, want one for each of 4 ticks", n)
		}

		removed := 0
		for _, d := range bodies[contract.DecisionBody](w.spool) {
			if d.Verdict == contract.VerdictRemove {
				removed++
				if d.Text == "" || d.Measures == nil || d.Neighbour == nil {
					t.Errorf("decision without its numbers: %+v", d)
				}
			}
		}
		if removed != 5 {
			t.Errorf("%d decision records of removals, want 5", removed)
		}
		for _, c := range bodies[contract.ContainerBody](w.spool) {
			if strings.Contains(c.Cmdline, "abc") || c.PID != 100 {
				t.Fatalf("container record %+v", c)
			}
		}
	})
}

func TestNothingIsRemovedBeforeTheSecondReading(t *testing.T) {
	runSynctest(t, 6, 4, func(w *fixture) {
		if err := w.run(5 * time.Second); err != nil {
			t.Fatal(err)
		}

		if calls := w.calls(""); len(calls) != 0 {
			t.Errorf("called %v", calls)
		}
		if _, ok := w.reports.condition(govern.GateWarming); !ok {
			t.Errorf("conditions: %+v", w.reports.last().Conditions)
		}
	})
}

func TestNoBusyLoopWhileTheSourceIsGone(t *testing.T) {
	runSynctest(t, 6, 4, func(w *fixture) {
		w.reader.fail(errors.New("gone"))
		if err := w.run(10*time.Minute - time.Second); err != nil {
			t.Fatal(err)
		}

		if w.reader.reads != 60 {
			t.Errorf("%d readings in ten minutes, want one each tick: 60", w.reader.reads)
		}
	})
}

func TestAKillThatNeedsTwelveSecondsDoesNotHoldUpTheTicks(t *testing.T) {
	runSynctest(t, 8, 2, func(w *fixture) {
		w.engine.Inject(enginetest.Fault{Op: "kill", Delay: 12 * time.Second})
		if err := w.run(75 * time.Second); err != nil {
			t.Fatal(err)
		}

		w.wantAlive(settled(2)...)
		for i, r := range w.reports.ticks {
			if r.Skipped != 0 {
				t.Errorf("tick %d skipped %d", i, r.Skipped)
			}
		}
		for n := 3; n < 8; n++ {
			if calls := w.calls(id("low", n)); calls["kill"] != 1 {
				t.Errorf("low-%d: %v, want one kill", n, calls)
			}
		}

		leaving := 0
		for _, r := range w.reports.ticks {
			for _, v := range r.Plan.Verdicts {
				if v.Reason == contract.ReasonLeaving {
					leaving++
				}
			}
		}
		if leaving == 0 {
			t.Error("no victim was seen leaving while its kill was under way")
		}
	})
}

func TestLateTicksAreSkippedAndCounted(t *testing.T) {
	runSynctest(t, 3, 2, func(w *fixture) {
		slow := &slowReader{hostReader: w.reader, slowAt: 3, delay: 25 * time.Second}
		w.options.Reader = slow
		if err := w.run(75 * time.Second); err != nil {
			t.Fatal(err)
		}

		var skipped uint64
		for _, r := range w.reports.ticks {
			skipped += r.Skipped
			if late := time.Duration(r.Timings.LateUS) * time.Microsecond; late > time.Second {
				t.Errorf("tick %d ran %s late", r.Tick, late)
			}
		}
		if skipped != 2 || len(w.reports.ticks) != 6 {
			t.Errorf("%d ticks, %d skipped; want 6 and 2", len(w.reports.ticks), skipped)
		}
	})
}

func TestShadowModeCallsNothingAndForgetsTheRemoved(t *testing.T) {
	runSynctest(t, 6, 4, func(w *fixture) {
		w.options.Policy.Mode = contract.ModeShadow
		if err := w.run(55 * time.Second); err != nil {
			t.Fatal(err)
		}

		if calls := w.calls(""); len(calls) != 0 {
			t.Errorf("called %v", calls)
		}
		w.spool.wantOutcomes(t, contract.ActionShadowRemove, map[string]int{contract.OutcomeDone: 5})
		w.spool.wantOutcomes(t, contract.ActionRemove, map[string]int{})
	})
}

// The plan forgets what shadow mode removed; journal, records and reports do not: it runs on.
func TestShadowModeHidesNobody(t *testing.T) {
	runSynctest(t, 6, 4, func(w *fixture) {
		w.options.Policy.Mode = contract.ModeShadow
		if err := w.run(55 * time.Second); err != nil {
			t.Fatal(err)
		}

		last := w.reports.ticks[len(w.reports.ticks)-1]
		if len(last.Plan.Verdicts) != 5 || len(last.Shadow) != 5 {
			t.Fatalf("the plan has %d verdicts, %d are named beside it", len(last.Plan.Verdicts), len(last.Shadow))
		}

		first := last.Shadow[0] // by id: the low ones come first
		if first.Entry.Name != "low-3" || first.Class != contract.ClassLow || first.Reason != contract.ReasonOverQuota || first.Tick == 0 ||
			first.Tick >= last.Tick || !contract.StateAlive(first.Entry.State) || first.Member == nil || first.Member.CPUMillicores == 0 {
			t.Errorf("%+v", first)
		}

		report, err := explain.Journal{Path: w.dir}.Last()
		if page, ok := report.(explain.TickReport); err != nil || !ok || len(page.Containers) != 10 {
			t.Errorf("%d containers are explained: %v", len(page.Containers), err)
		}
		history, err := explain.Journal{Path: w.dir}.Container("low-5")
		if err != nil || history.Spans[len(history.Spans)-1].ToTick != last.Tick {
			t.Errorf("%+v: %v", history.Spans, err)
		}

		host := bodies[contract.HostBody](w.spool)
		if c := host[len(host)-1].Classes; c[0].Owned != 6 || c[1].Owned != 4 {
			t.Errorf("the host's record counts %+v", c)
		}
		byClass := map[string]int{}
		for _, r := range w.spool.records {
			b, ok := r.Body.(contract.ContainerBody)
			if ok && r.Tick == last.Tick && b.Reason == contract.ReasonShadowRemoved && b.Verdict == contract.VerdictKeep {
				byClass[string(b.Class)]++
			}
		}
		if byClass["low"] != 3 || byClass["high"] != 2 {
			t.Errorf("the containers' records: %v", byClass)
		}
	})
}

func TestObserveModeOnlyRecords(t *testing.T) {
	runSynctest(t, 6, 4, func(w *fixture) {
		w.options.Policy.Mode = contract.ModeObserve
		if err := w.run(35 * time.Second); err != nil {
			t.Fatal(err)
		}

		if calls := w.calls(""); len(calls) != 0 || len(bodies[contract.ActionBody](w.spool)) != 0 {
			t.Errorf("called %v", calls)
		}
		if len(bodies[contract.DecisionBody](w.spool)) == 0 {
			t.Error("no decision was recorded")
		}
	})
}

func TestFirstPlanAfterAReloadRunsInShadow(t *testing.T) {
	runSynctest(t, 3, 2, func(w *fixture) {
		err := w.runWith(55*time.Second, func(g *govern.Governor) {
			time.Sleep(25 * time.Second)
			stricter := contract.DefaultPolicy()
			stricter.Quota = contract.Quota{Low: 2, High: 1}
			w.reload(g, govern.PolicyUpdate{Policy: stricter})
			time.Sleep(10 * time.Second)
			synctest.Wait()
			w.wantAlive("low-0", "low-1", "low-2", "high-0", "high-1")
			w.spool.wantOutcomes(t, contract.ActionShadowRemove, map[string]int{contract.OutcomeDone: 2})
		})
		if err != nil {
			t.Fatal(err)
		}

		w.wantAlive("low-0", "low-1", "high-1")
		if events := w.spool.events(); !slices.Contains(events, "policy_changed") || !slices.Contains(events, "surprise") {
			t.Errorf("events %v", events)
		}
	})
}

func TestABadPolicyKeepsTheOldOneAndSaysSo(t *testing.T) {
	runSynctest(t, 6, 4, func(w *fixture) {
		err := w.runWith(45*time.Second, func(g *govern.Governor) {
			time.Sleep(5 * time.Second)
			w.reload(g, govern.PolicyUpdate{Err: errors.New("line 3: quota.low: -1 is too small")})
		})
		if err != nil {
			t.Fatal(err)
		}

		w.wantAlive(settled(4)...)
		if c, ok := w.reports.condition(govern.ConditionPolicy); !ok || c.Gate || !strings.Contains(c.Text, "line 3") {
			t.Errorf("condition %+v", c)
		}
	})
}

func TestAContainerWhoseStartTimeIsNotToldIsLeftAlone(t *testing.T) {
	victim := id("low", 3)
	runSynctest(t, 4, 2, func(w *fixture) {
		w.engine.Change(victim, func(c *enginetest.Container) { c.StartedAt = "?" })
		w.engine.Inject(enginetest.Fault{Op: "look", ID: victim, Kind: engine.KindServer, Times: 2}) // both ticks ask in vain
		if err := w.run(15 * time.Second); err != nil {
			t.Fatal(err)
		}

		if calls := w.calls(victim); len(calls) != 0 {
			t.Errorf("called %v", calls)
		}
		w.spool.wantOutcomes(t, contract.ActionRemove, nil)
	})
}

func TestStopRemovesWhatHasLostItsGenerator(t *testing.T) {
	dead, living := strings.Repeat("d", 64), strings.Repeat("e", 64)
	start := func(w *fixture) {
		w.engine.Add(enginetest.Container{ID: living, Name: "generator", Labels: map[string]string{contract.LabelRole: "generator"}})
		for i, owner := range []string{dead, dead, living} {
			c, _ := w.engine.Get(id("low", i))
			c.Labels = map[string]string{contract.LabelManaged: "true", contract.LabelClass: "low", contract.LabelOwner: "container:" + owner}
			w.engine.Add(c)
		}
	}

	runSynctest(t, 3, 0, func(w *fixture) {
		start(w)
		w.options.RemoveOrphansAtStop = true
		if err := w.run(15 * time.Second); err != nil {
			t.Fatal(err)
		}

		w.wantAlive("generator", "low-2")
		w.spool.wantOutcomes(t, contract.ActionRemove, map[string]int{contract.OutcomeDone: 2})

		decided := 0
		for _, d := range bodies[contract.DecisionBody](w.spool) {
			if d.Reason == contract.ReasonOrphaned {
				decided++
			}
		}
		if open := w.open(); decided != 2 || len(open) != 0 {
			t.Errorf("%d decisions on orphans, want 2; open intents: %v", decided, open)
		}
	})

	for name, change := range map[string]func(*fixture){
		"not asked for":      func(*fixture) {},
		"observe mode":       func(w *fixture) { w.options.RemoveOrphansAtStop, w.options.Policy.Mode = true, contract.ModeObserve },
		"shadow mode":        func(w *fixture) { w.options.RemoveOrphansAtStop, w.options.Policy.Mode = true, contract.ModeShadow },
		"nothing is written": func(w *fixture) { w.options.RemoveOrphansAtStop = true; w.spool.fill(errors.New("full")) },
	} {
		t.Run(name, func(t *testing.T) {
			runSynctest(t, 3, 0, func(w *fixture) {
				start(w)
				change(w)
				if err := w.run(15 * time.Second); err != nil {
					t.Fatal(err)
				}

				w.wantAlive("generator", "low-0", "low-1", "low-2")
			})
		})
	}
}
