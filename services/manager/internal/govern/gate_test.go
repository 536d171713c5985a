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
	"time"

	"gestor.local/contract"
	"gestor.local/manager/internal/engine"
	"gestor.local/manager/internal/engine/enginetest"
	"gestor.local/manager/internal/govern"
	"gestor.local/manager/internal/journal"
	"gestor.local/manager/internal/source/kmod"
	"gestor.local/ship"
)

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
		{"every row is bad", func(w *fixture) { w.reader.corruptRows() }, govern.GateBadRows},
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

// Who deletes the journal under a running manager gets one tick without a deed, and a new journal that knows what is
// open.
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
		{"a module that is not there", func(w *fixture) { w.reader.fail(kmod.ErrNotLoaded) }, govern.GateNoSource, "make insmod", "overloaded"},
		{"a /proc that cannot be read", func(w *fixture) { w.reader.fail(errors.New("process 7: permission denied")) }, govern.GateNoSource, "hidepid", "GESTOR_SOURCE"},
		{"an engine that hangs", func(w *fixture) { w.engine.Inject(enginetest.Fault{Op: "list", Delay: time.Hour}) }, govern.GateInventory, "too slowly", "GESTOR_ENGINE"},
		{"an engine that is not there", func(w *fixture) { w.engine.Inject(enginetest.Fault{Op: "list", Kind: engine.KindUnreachable}) }, govern.GateInventory, "GESTOR_ENGINE", "slow"},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			runSynctest(t, 3, 2, func(w *fixture) {
				w.atTicks(func() { tt.arrange(w) }, noop, func() { // the tick may have taken until now
					c, ok := w.reports.condition(tt.gate)
					if !ok || !strings.Contains(c.Text, tt.say) || strings.Contains(c.Text, tt.not) || !strings.Contains(c.Text, "; next: ") {
						t.Errorf("condition %+v", c)
					}
				})
			})
		})
	}
}
