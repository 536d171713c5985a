package govern_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"gestor.local/contract"
	"gestor.local/manager/internal/engine"
	"gestor.local/manager/internal/engine/enginetest"
	"gestor.local/manager/internal/explain"
	"gestor.local/manager/internal/govern"
	"gestor.local/manager/internal/journal"
	"gestor.local/manager/internal/source/kmod"
	"gestor.local/ship"
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

func TestGatesObserveOnly(t *testing.T) {
	tests := []struct {
		name    string
		arrange func(w *fixture)
		gate    string
	}{
		{"the source is gone", func(w *fixture) { w.reader.fail(errors.New("open /proc/sysinfo_gestor: no such file")) }, govern.GateNoSource},
		{"unknown version", func(w *fixture) { w.reader.fail(contract.ErrVersion) }, govern.GateVersion},
		{"a torn document", func(w *fixture) { w.reader.fail(contract.ErrSyntax) }, govern.GateBadSnapshot},
		{"rows are missing", func(w *fixture) { w.reader.change(func(s *contract.Snapshot) { s.Truncated = true }) }, govern.GateBadSnapshot},
		{"the sequence stands still", func(w *fixture) { w.reader.change(func(s *contract.Snapshot) { s.Sequence = 1 }) }, govern.GateStale},
		{"another instance each time", func(w *fixture) {
			w.reader.change(func(s *contract.Snapshot) { s.Instance = strings.Repeat("0", 15) + string(rune('0'+s.Sequence%10)) })
		}, govern.GateBaseline},
		{"the clock of the snapshots runs slow", func(w *fixture) {
			w.reader.change(func(s *contract.Snapshot) { s.MonotonicUS = 1_200_000_000 + s.Sequence })
		}, govern.GateInterval},
		{"the engine does not list", func(w *fixture) { w.engine.Inject(enginetest.Fault{Op: "list", Kind: engine.KindServer}) }, govern.GateInventory},
		{"the engine hangs on the list", func(w *fixture) { w.engine.Inject(enginetest.Fault{Op: "list", Delay: time.Hour}) }, govern.GateInventory},
		{"every row is bad", func(w *fixture) { w.reader.spoil() }, govern.GateBadRows},
		{"the spool is full", func(w *fixture) { w.spool.fill(&ship.FullError{Bytes: 9, Need: 2, Max: 10}) }, govern.GateSpoolFull},
		{"the spool cannot be written", func(w *fixture) { w.spool.fill(syscall.EROFS) }, govern.GateSpool},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			runSynctest(t, 6, 4, func(w *fixture) {
				err := w.runWith(95*time.Second, func(*govern.Governor) {
					time.Sleep(5 * time.Second) // after the first reading
					tt.arrange(w)
				})
				if err != nil {
					t.Fatal(err)
				}
				if calls := w.calls(""); len(calls) != 0 {
					t.Errorf("called %v", calls)
				}
				c, ok := w.reports.condition(tt.gate)
				if !ok || c.Severity != govern.SeverityAlarm || !c.Gate || c.Title == "" || !strings.Contains(c.Text, "next: ") {
					t.Errorf("condition %+v among %+v", c, w.reports.last().Conditions)
				}
			})
		})
	}
}

func TestAGateIsRecordedOnceAnAlarmOnceAndItsEnd(t *testing.T) {
	runSynctest(t, 3, 2, func(w *fixture) {
		err := w.runWith(125*time.Second, func(*govern.Governor) {
			time.Sleep(15 * time.Second)
			w.reader.fail(errors.New("gone"))
			time.Sleep(80 * time.Second)
			w.reader.fail(nil)
		})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, e := range w.spool.events() {
			if strings.Contains(e, govern.GateNoSource) {
				got = append(got, e)
			}
		}
		want := []string{"gate_begin no_source", "gate_alarm no_source", "gate_end no_source"}
		if !slices.Equal(got, want) {
			t.Errorf("events %v, want %v", got, want)
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

func TestJournalThatCannotBeWrittenMeansNoKill(t *testing.T) {
	runSynctest(t, 6, 4, func(w *fixture) {
		w.options.Journal = brokenJournal{}
		if err := w.run(55 * time.Second); err != nil {
			t.Fatal(err)
		}
		if calls := w.calls(""); len(calls) != 0 {
			t.Errorf("called %v", calls)
		}
		if _, ok := w.reports.condition(govern.GateJournal); !ok {
			t.Errorf("conditions %+v", w.reports.last().Conditions)
		}
	})
}

// Who deletes the journal under a running manager gets one tick without a deed, and a new journal that knows what is open.
func TestADeletedJournalIsAGateAndThenANewJournal(t *testing.T) {
	runSynctest(t, 6, 2, func(w *fixture) {
		w.engine.Inject(enginetest.Fault{Op: "kill", Delay: 9 * time.Second})
		err := w.runWith(55*time.Second, func(*govern.Governor) {
			time.Sleep(5 * time.Second)
			if err := os.RemoveAll(w.dir); err != nil {
				t.Error(err)
			}
			time.Sleep(10 * time.Second)
			if c, ok := w.reports.condition(govern.GateJournal); !ok || !strings.Contains(c.Text, "deleted or replaced") {
				t.Errorf("conditions %+v", w.reports.last().Conditions)
			}
			if calls := w.calls(""); len(calls) != 0 {
				t.Errorf("called %v", calls)
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		w.wantAlive(settled(2)...)
		intents := 0
		_, err = journal.Scan(w.dir, func(e journal.Entry) error {
			if e.Intent != nil {
				intents++
			}
			return nil
		})
		if err != nil || intents != 3 {
			t.Errorf("%d intents on disk (%v), want one for each of the three removed", intents, err)
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

		page, err := explain.Journal{Path: w.dir}.Last()
		if err != nil || len(page.Containers) != 10 {
			t.Errorf("%d containers are explained: %v", len(page.Containers), err)
		}
		story, err := explain.Journal{Path: w.dir}.Container("low-5")
		if err != nil || story.Chapters[len(story.Chapters)-1].ToTick != last.Tick {
			t.Errorf("%+v: %v", story.Chapters, err)
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

func TestInAContainerTheSuiteMustBeFound(t *testing.T) {
	self, logs := strings.Repeat("d", 64), strings.Repeat("e", 64)
	runSynctest(t, 6, 4, func(w *fixture) {
		w.options.Suite = govern.Suite{ManagerID: self}
		err := w.runWith(65*time.Second, func(*govern.Governor) {
			time.Sleep(35 * time.Second)
			if calls := w.calls(""); len(calls) != 0 {
				t.Errorf("called %v although the suite was not found", calls)
			}
			w.engine.Add(enginetest.Container{ID: self, Name: "manager", Labels: map[string]string{contract.LabelRole: "manager", contract.LabelManaged: "true", contract.LabelConfigHash: "1"}})
			w.engine.Add(enginetest.Container{ID: logs, Name: "logs", Labels: map[string]string{contract.LabelRole: "logs", contract.LabelManaged: "true", contract.LabelConfigHash: "1"}})
		})
		if err != nil {
			t.Fatal(err)
		}
		w.wantAlive(append(settled(4), "manager", "logs")...)
	})
}

func TestDeficitIsToldOnceAndItsEnd(t *testing.T) {
	runSynctest(t, 2, 2, func(w *fixture) {
		err := w.runWith(65*time.Second, func(*govern.Governor) {
			time.Sleep(25 * time.Second)
			w.add("low", 2, 30)
		})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, e := range w.spool.events() {
			if strings.HasPrefix(e, "deficit") {
				got = append(got, e)
			}
		}
		if want := []string{"deficit_begin", "deficit_end"}; !slices.Equal(got, want) {
			t.Errorf("events %v, want %v", got, want)
		}
	})
}

func TestAReadingOlderThanTheLastActionIsNotActedOn(t *testing.T) {
	runSynctest(t, 4, 2, func(w *fixture) {
		w.options.Policy.Gates.Settle = contract.Duration(15 * time.Second)
		err := w.runWith(45*time.Second, func(*govern.Governor) {
			time.Sleep(25 * time.Second) // the action ended at 10 s: the tick at 20 s is too early
			if _, ok := w.reports.condition(govern.GateUnsettled); !ok {
				t.Errorf("conditions %+v", w.reports.last().Conditions)
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		if gates := w.reports.last().Gates; len(gates) != 0 {
			t.Errorf("still gated: %v", gates)
		}
	})
}

func TestAnotherSourceIsToldAndIsANewBaseline(t *testing.T) {
	runSynctest(t, 4, 2, func(w *fixture) {
		w.options.Policy.Mode = contract.ModeObserve
		err := w.runWith(45*time.Second, func(*govern.Governor) {
			time.Sleep(25 * time.Second)
			w.reader.change(func(s *contract.Snapshot) { s.Source = contract.SourceModule })
			time.Sleep(10 * time.Second)
			if _, ok := w.reports.condition(govern.GateBaseline); !ok {
				t.Errorf("conditions %+v", w.reports.last().Conditions)
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		if n := count(w.spool.events(), "source_changed"); n != 1 {
			t.Errorf("%d source_changed events in %v", n, w.spool.events())
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

func TestRecordsThatWaitAreACondition(t *testing.T) {
	runSynctest(t, 3, 2, func(w *fixture) {
		w.spool.wait(ship.Stats{Records: 7, OldestAge: time.Minute, LastError: "connection refused"})
		if err := w.run(15 * time.Second); err != nil {
			t.Fatal(err)
		}
		c, held := w.reports.condition("records_wait")
		if !held || c.Gate || !strings.Contains(c.Text, "7 of them, the oldest for 1m0s: connection refused; next: ") {
			t.Errorf("condition %+v", c)
		}
		w.spool.wait(ship.Stats{Records: 7, OldestAge: time.Second, LastError: "connection refused"}) // not yet a tick old
		if err := w.run(15 * time.Second); err != nil {
			t.Fatal(err)
		}
		if c, held := w.reports.condition("records_wait"); held {
			t.Errorf("condition %+v", c)
		}
	})
}

// Every record that says remove says whether that is carried out, and if not, why.
func TestRecordsSayWhyNothingIsCarriedOut(t *testing.T) {
	observe := func(p *contract.Policy) { p.Mode = contract.ModeObserve }
	shadow := func(p *contract.Policy) { p.Mode = contract.ModeShadow }
	tests := []struct {
		name    string
		policy  func(*contract.Policy)
		arrange func(w *fixture) // after two ticks, before the third
		held    string
		removed int
	}{
		{"carried out", func(*contract.Policy) {}, func(w *fixture) { w.add("low", 9, 900) }, "", 1},
		{"observe", observe, func(*fixture) {}, contract.HeldObserve, 0},
		{"shadow", shadow, func(*fixture) {}, contract.HeldShadow, 0},
		{"the first plan of another policy", observe, func(w *fixture) {
			w.policy.write(govern.PolicyUpdate{Policy: w.changed(func(p *contract.Policy) { p.Mode = contract.ModeEnforce })})
		}, contract.HeldSurprise, 0},
		{"a closed gate", observe, func(w *fixture) {
			w.policy.write(govern.PolicyUpdate{Policy: w.changed(func(p *contract.Policy) { p.Mode = contract.ModeEnforce })})
			w.reader.spoil()
		}, govern.GateBadRows, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			runSynctest(t, 5, 3, func(w *fixture) {
				tt.policy(&w.options.Policy)
				var before int
				w.atTicks(pass, func() { tt.arrange(w); before = len(bodies[contract.HostBody](w.spool)) }, func() {
					host := bodies[contract.HostBody](w.spool)[before]
					if host.Held != tt.held {
						t.Errorf("the host's record is held by %q, want %q", host.Held, tt.held)
					}
				})
				// Those of the third tick.
				tick := uint64(3)
				for _, r := range w.spool.records {
					held, verdict := "", ""
					switch b := r.Body.(type) {
					case contract.DecisionBody:
						held, verdict = b.Held, b.Verdict
					case contract.ContainerBody:
						held, verdict = b.Held, b.Verdict
					}
					if r.Tick == tick && verdict == contract.VerdictRemove && held != tt.held {
						t.Errorf("%s record is held by %q, want %q", r.Kind, held, tt.held)
					}
				}
			})
		})
	}
}

// While one removal is tried after too many errors of the engine, the records of the others say that they wait.
func TestRecordsSayWhichRemovalsWaitForTheTrialOfTheEngine(t *testing.T) {
	runSynctest(t, 13, 2, func(w *fixture) {
		w.options.Policy.Act.BreakerAfter, w.options.Policy.Act.StuckAfter = 1, 100
		w.engine.Inject(enginetest.Fault{Op: "kill", Kind: engine.KindServer})
		if err := w.run(2 * time.Minute); err != nil {
			t.Fatal(err)
		}
		intents, deferred := make(map[uint64]int), make(map[uint64]int)
		for _, r := range w.spool.records {
			switch b := r.Body.(type) {
			case contract.DecisionBody:
				if b.Verdict == contract.VerdictRemove && b.Held == govern.GateBreaker {
					deferred[r.Tick]++
				}
			case contract.ActionBody:
				if b.Phase == contract.PhaseIntent && b.Action == contract.ActionRemove {
					intents[r.Tick]++
				}
			}
		}
		if len(deferred) == 0 {
			t.Fatal("no tick on trial")
		}
		for tick, n := range deferred {
			if intents[tick] != 1 || n != 9 {
				t.Errorf("tick %d: %d intents and %d that wait, want 1 and 9", tick, intents[tick], n)
			}
		}
	})
}

func TestARemovalSaysHowManyAnonymousVolumesItLeft(t *testing.T) {
	tests := []struct {
		name    string
		arrange func(*fixture)
		want    int
	}{
		{"removed", func(*fixture) {}, 2},
		{"had ended by itself", func(w *fixture) {
			w.engine.Inject(enginetest.Fault{Op: "kill", Kind: engine.KindNotRunning, Times: 1, Effect: true})
		}, 2},
		{"by the engine itself", func(w *fixture) { w.engine.Change(id("low", 3), func(c *enginetest.Container) { c.AutoRemove = true }) }, 0},
		{"known after a doubt", func(w *fixture) {
			w.engine.Inject(enginetest.Fault{Op: "remove", Kind: engine.KindServer, Effect: true}, enginetest.Fault{Op: "look", Kind: engine.KindServer, ID: "none"})
		}, 2},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			runSynctest(t, 4, 2, func(w *fixture) {
				w.engine.Change(id("low", 3), func(c *enginetest.Container) { c.AnonymousVolumes = 2 })
				tt.arrange(w)
				if err := w.run(45 * time.Second); err != nil {
					t.Fatal(err)
				}
				removed := 0
				for _, b := range bodies[contract.ActionBody](w.spool) {
					switch {
					case b.Removed():
						removed++
						if b.AnonymousVolumes != tt.want {
							t.Errorf("%s: %d left, want %d", b.Outcome, b.AnonymousVolumes, tt.want)
						}
					case b.AnonymousVolumes != 0:
						t.Errorf("%s %s left %d", b.Phase, b.Outcome, b.AnonymousVolumes)
					}
				}
				if removed != 1 {
					t.Errorf("%d removals, want 1", removed)
				}
			})
		})
	}
}

func TestAnIdentityConflictIsAConditionForAnHour(t *testing.T) {
	runSynctest(t, 3, 2, func(w *fixture) {
		w.spool.wait(ship.Stats{Conflicts: 326, LastConflict: time.Now().Add(-50 * time.Minute)})
		if err := w.run(15 * time.Second); err != nil {
			t.Fatal(err)
		}
		if c, held := w.reports.condition(govern.ConditionConflict); !held || c.Gate || !strings.Contains(c.Text, "326 records") {
			t.Errorf("condition %+v", c)
		}
		if err := w.run(15 * time.Minute); err != nil {
			t.Fatal(err)
		}
		if c, held := w.reports.condition(govern.ConditionConflict); held {
			t.Errorf("condition %+v", c)
		}
	})
}

// What is said to do about a closed gate fits its cause.
func TestTheAdviceFitsTheCause(t *testing.T) {
	tests := []struct {
		name     string
		arrange  func(w *fixture)
		gate     string
		say, not string
	}{
		{"a reading that was cut off", func(w *fixture) { w.reader.fail(fmt.Errorf("read /proc: %w", context.DeadlineExceeded)) }, govern.GateNoSource, "the host is overloaded", "GESTOR_SOURCE"},
		{"a module that is not there", func(w *fixture) { w.reader.fail(kmod.ErrAway) }, govern.GateNoSource, "make insmod", "overloaded"},
		{"a /proc that cannot be read", func(w *fixture) { w.reader.fail(errors.New("process 7: permission denied")) }, govern.GateNoSource, "hidepid", "GESTOR_SOURCE"},
		{"an engine that hangs", func(w *fixture) { w.engine.Inject(enginetest.Fault{Op: "list", Delay: time.Hour}) }, govern.GateInventory, "too slowly", "GESTOR_ENGINE"},
		{"an engine that is not there", func(w *fixture) { w.engine.Inject(enginetest.Fault{Op: "list", Kind: engine.KindUnreachable}) }, govern.GateInventory, "GESTOR_ENGINE", "slow"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			runSynctest(t, 3, 2, func(w *fixture) {
				w.atTicks(func() { tt.arrange(w) }, pass, func() { // the tick may have taken until now
					c, ok := w.reports.condition(tt.gate)
					if !ok || !strings.Contains(c.Text, tt.say) || strings.Contains(c.Text, tt.not) || !strings.Contains(c.Text, "; next: ") {
						t.Errorf("condition %+v", c)
					}
				})
			})
		})
	}
}
