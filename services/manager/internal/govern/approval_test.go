package govern_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"gestor.local/contract"
	"gestor.local/contract/policy2"
	"gestor.local/manager/internal/engine"
	"gestor.local/manager/internal/engine/enginetest"
	"gestor.local/manager/internal/govern"
	"gestor.local/manager/internal/rules"
)

// slowStrangers are old containers of others that take so long to stop.
func (w *fixture) slowStrangers(n int, takes time.Duration) {
	for k := range n {
		c := stranger(k, "preview.branch=a")
		c.CreatedAt = time.Now().Add(-time.Hour).UTC().Format(time.RFC3339Nano)
		c.StartedAt, c.StopTimeout, c.EndsWithin = c.CreatedAt, takes, takes
		w.engine.Add(c)
		w.reader.use(c.ID, 10)
	}
}

// Between two ticks, and on a tick without an inventory: from the moment at which the loop knows that the approval is not there any more
// nothing is begun. What was being stopped ends.
func TestAnApprovalTakenBackIsSoAtOnce(t *testing.T) {
	const removed = `own: [{label: preview.branch}]
tick: 2m
surprise: 100%
act: {parallel: 1}
rules:
  - {name: old, when: {age: 1m}, do: remove}
`
	for name, test := range map[string]struct {
		takes time.Duration // a stop
		back  func(w *fixture, g *govern.Governor, v *govern.Version2)
	}{
		"looked at by hand": {100 * time.Second, func(w *fixture, g *govern.Governor, v *govern.Version2) {
			w.reload(g, govern.PolicyUpdate{Version2: v})
		}},
		"the policy is refused, too": {100 * time.Second, func(w *fixture, g *govern.Governor, v *govern.Version2) {
			w.reload(g, govern.PolicyUpdate{Version2: v, Err: errors.New("line 3: nothing")})
		}},
		"no inventory": {130 * time.Second, func(w *fixture, _ *govern.Governor, v *govern.Version2) {
			w.engine.Inject(enginetest.Fault{Op: "list", Kind: engine.KindServer, Times: 1})
			w.policy.write(govern.PolicyUpdate{Version2: v})
		}},
	} {
		t.Run(name, func(t *testing.T) {
			runSynctest(t, 0, 0, func(w *fixture) {
				w.slowStrangers(3, test.takes)
				w.options.Version2 = approved(version2(t, removed), 3)
				err := w.runWith(time.Hour+5*time.Second, func(g *govern.Governor) {
					for len(w.engine.Calls()) == 0 {
						time.Sleep(time.Second)
					}
					time.Sleep(30 * time.Second)
					test.back(w, g, version2(t, removed))
				})
				if err != nil {
					t.Fatal(err)
				}

				calls := w.engine.Calls()
				for _, c := range calls[1:] {
					t.Errorf("%s of %s %s after the first call", c.Op, c.ID[60:], c.At.Sub(calls[0].At))
				}
			})
		})
	}
}

// Where the policy's file is missing nobody is touched, and the condition says where it was looked for, for as long as it is so: what was
// approved before does not go on.
func TestWithoutAPolicyNobodyIsTouched(t *testing.T) {
	const removed = `own: [{label: preview.branch}]
tick: 1m
surprise: 100%
rules:
  - {name: old, when: {age: 1m}, do: remove}
`
	none := &govern.Version2{Policy: policy2.None(), Missing: "/etc/gestor/host.yaml"}
	none.Policy.Tick = 60 // as the other's, so that the schedule stays
	for name, test := range map[string]struct {
		then    *govern.PolicyUpdate
		touched bool
		missing bool // at the end
	}{
		"from the start":    {nil, false, true},
		"there is one then": {&govern.PolicyUpdate{Version2: approved(version2(t, removed), 3)}, true, false},
		"bad when it comes": {&govern.PolicyUpdate{Version2: &govern.Version2{Policy: none.Policy}, Err: errors.New("line 3: nothing")}, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			runSynctest(t, 0, 0, func(w *fixture) {
				w.slowStrangers(3, time.Second)
				w.options.Version2 = none
				err := w.runWith(20*time.Minute, func(*govern.Governor) {
					time.Sleep(5*time.Minute + 30*time.Second)
					told, is := w.reports.condition(govern.ConditionNoPolicy)
					if !is || !strings.Contains(told.Text, none.Missing) || !strings.Contains(told.Text, "make govern") || told.Gate {
						t.Errorf("%t %+v", is, told)
					}
					if calls := w.engine.Calls(); len(calls) > 0 {
						t.Errorf("without a policy: %+v", calls)
					}
					if test.then != nil {
						w.policy.write(*test.then)
					}
				})
				if err != nil {
					t.Fatal(err)
				}
				if _, is := w.reports.condition(govern.ConditionNoPolicy); is != test.missing {
					t.Errorf("the condition at the end: %t", is)
				}
				if touched := len(w.engine.Calls()) > 0; touched != test.touched {
					t.Errorf("touched: %t", touched)
				}
			})
		})
	}
}

// Another suite's manager appears while steps wait for a worker: they are not begun.
func TestWhatWaitsEndsWhenAnotherSuiteAppears(t *testing.T) {
	runSynctest(t, 0, 0, func(w *fixture) {
		w.slowStrangers(3, 100*time.Second)
		w.options.Suite.Name = "mine"
		w.options.Version2 = approved(version2(t, `own: [{label: preview.branch}]
surprise: 100%
act: {parallel: 1}
rules:
  - {name: old, when: {age: 1m}, do: stop}
`), 3)
		err := w.runWith(time.Hour+5*time.Second, func(*govern.Governor) {
			for len(w.engine.Calls()) == 0 {
				time.Sleep(time.Second)
			}
			time.Sleep(30 * time.Second)
			w.suiteBeside("theirs")
		})
		if err != nil {
			t.Fatal(err)
		}
		if calls := w.engine.Calls(); len(calls) != 1 {
			t.Errorf("%v", calls)
		}
		if held := w.reports.last().Held; held != rules.HeldOtherSuite {
			t.Errorf("held %q", held)
		}
	})
}

// A removal whose stop is under way when acting ends lets the stop end, and deletes nothing: that would be begun anew.
func TestWhatIsBeingStoppedIsNotDeletedAnyMore(t *testing.T) {
	const removed = `own: [{label: preview.branch}]
surprise: 100%
rules:
  - {name: old, match: {label: preview.branch}, when: {age: 1m}, do: remove}
`
	for name, test := range map[string]struct {
		ends   func(w *fixture, g *govern.Governor)
		change string // of the policy, for the test's own
	}{
		"another suite's manager": {ends: func(w *fixture, _ *govern.Governor) { w.suiteBeside("theirs") }},
		"another suite's manager, right before the deletion": {ends: func(w *fixture, _ *govern.Governor) {
			time.Sleep(65 * time.Second)
			w.suiteBeside("theirs")
		}},
		"the approval is taken back": {ends: func(w *fixture, _ *govern.Governor) {
			w.policy.write(govern.PolicyUpdate{Version2: version2(t, removed)})
		}},
		"mode observe": {ends: func(w *fixture, g *govern.Governor) {
			w.reload(g, govern.PolicyUpdate{Version2: approved(version2(t, "mode: observe\n"+removed), 2)})
		}},
		"it is protected": {ends: func(w *fixture, g *govern.Governor) {
			w.reload(g, govern.PolicyUpdate{Version2: approved(version2(t, "protect: [{name: theirs*}]\n"+removed), 2)})
		}},
		"it is renamed into what is protected": {change: "protect: [{name: kept*}]\n", ends: func(w *fixture, _ *govern.Governor) {
			for n := range 2 {
				w.engine.Change(stranger(n, "").ID, func(c *enginetest.Container) { c.Name = "kept-" + c.Name })
			}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			runSynctest(t, 0, 0, func(w *fixture) {
				w.slowStrangers(2, 100*time.Second)
				w.options.Suite.Name = "mine"
				w.options.Version2 = approved(version2(t, test.change+removed), 2)
				err := w.runWith(10*time.Minute+5*time.Second, func(g *govern.Governor) {
					for len(w.engine.Calls()) < 2 {
						time.Sleep(time.Second)
					}
					time.Sleep(30 * time.Second)
					test.ends(w, g)
				})
				if err != nil {
					t.Fatal(err)
				}

				if calls := w.calls(""); calls["stop"] != 2 || calls["remove"] != 0 {
					t.Errorf("%v", calls)
				}
				if open := w.open(); len(open) > 0 {
					t.Errorf("open: %+v", open)
				}
				w.spool.wantOutcomes(t, contract.ActionRemove, map[string]int{contract.OutcomeRefused: 2})
			})
		})
	}
}

// A plan that is held as a surprise holds the deletion of what an earlier one has stopped, too, and lets it go on afterwards.
func TestAHoldHoldsADeletion(t *testing.T) {
	runSynctest(t, 0, 0, func(w *fixture) {
		w.slowStrangers(1, 100*time.Second)
		w.options.Version2 = approved(version2(t, `own: [{label: preview.branch}]
surprise: 50%
rules:
  - {name: all, when: {age: 1m}, do: remove}
`), 6)
		err := w.runWith(time.Hour+5*time.Second, func(*govern.Governor) {
			for len(w.engine.Calls()) == 0 {
				time.Sleep(time.Second)
			}
			for n := 1; n < 6; n++ { // too many at a time
				c := stranger(n, "preview.branch=a")
				w.engine.Add(c)
				w.reader.use(c.ID, 10)
			}
			time.Sleep(3 * time.Minute)
			if held, calls := w.reports.last().Held, w.calls(""); held != contract.HeldSurprise || calls["stop"] != 1 || calls["remove"] != 0 {
				t.Errorf("held %q, %v", held, calls)
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		if calls := w.calls(""); calls["remove"] != 6 {
			t.Errorf("%v", calls)
		}
	})
}

// suiteBeside starts the manager of another suite.
func (w *fixture) suiteBeside(name string) {
	w.engine.Add(enginetest.Container{
		ID: id("high", 9), Name: name + "-manager-1",
		Labels: map[string]string{contract.LabelRole: "manager", contract.LabelProject: name, contract.LabelStack: name},
	})
}
