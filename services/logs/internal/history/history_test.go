package history

import (
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gestor.local/contract"
)

func start() time.Time { return time.Date(2026, 5, 4, 10, 0, 0, 0, time.UTC) }

func TestAContainersHistoryDoesNotDependOnTheOrderOfItsRecords(t *testing.T) {
	at := func(s int) time.Time { return start().Add(time.Duration(s) * time.Second) }
	records := []func(*Container){
		func(c *Container) {
			c.Add(at(10))
			c.See(at(10), 4_000_000)
			c.Measure(at(10), contract.Measures{RAMKB: 5})
		},
		func(c *Container) {
			c.Add(at(20))
			c.See(at(20), 14_000_000)
			c.Measure(at(20), contract.Measures{RAMKB: 1})
		},
		func(c *Container) { c.Add(at(25)); c.Act(at(25), outcome(contract.ActionRemove, contract.OutcomeDone)) },
		func(c *Container) {
			c.Add(at(26))
			c.Act(at(26), outcome(contract.ActionRemove, contract.OutcomeAlreadyGone))
		},
		func(c *Container) {
			c.Add(at(30))
			c.Act(at(30), outcome(contract.ActionThrottle, contract.OutcomeDone))
		},
		func(c *Container) {
			c.Add(at(31))
			c.Act(at(31), outcome(contract.ActionRemove, contract.OutcomeRefused))
		},
	}

	for _, order := range [][]int{{0, 1, 2, 3, 4, 5}, {5, 4, 3, 2, 1, 0}, {2, 0, 5, 1, 4, 3}} {
		c := New(contract.Subject{Container: "c"}, "host", at(15))
		for _, i := range order {
			records[i](c)
		}

		got := []any{c.First, c.Newest, c.Born, c.Seen, c.Removed, c.Gone, c.End(), c.Outcome, c.Samples, c.Last.RAMKB, c.Peak.RAMKB, c.Mean().RAMKB, c.Alive()}
		want := []any{at(10), at(31), at(6), at(20), at(25), at(26), at(26), contract.OutcomeDone, 2, uint64(1), uint64(5), uint64(3), false}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%v:\n%s", order, d)
		}
	}
}

func outcome(action, outcome string) contract.ActionBody {
	return contract.ActionBody{Action: action, Phase: contract.PhaseOutcome, Outcome: outcome}
}

func TestTheReasonIsTheRemovalsOrTheDecisionsBeforeIt(t *testing.T) {
	c := New(contract.Subject{}, "host", start())
	c.Decide(contract.DecisionBody{Verdict: contract.VerdictRemove, Reason: contract.ReasonOverQuota})
	c.Decide(contract.DecisionBody{Verdict: contract.VerdictKeep, Reason: contract.ReasonYoung})
	c.Act(start(), outcome(contract.ActionRemove, contract.OutcomeDone))
	if c.Reason != contract.ReasonOverQuota {
		t.Errorf("reason %q", c.Reason)
	}

	end := outcome(contract.ActionRemove, contract.OutcomeAlreadyStopped)
	end.Reason = contract.ReasonMemoryFloor
	c.Act(start(), end)
	if c.Reason != contract.ReasonMemoryFloor || c.Outcome != contract.OutcomeAlreadyStopped {
		t.Errorf("reason %q, outcome %q", c.Reason, c.Outcome)
	}
}

func TestFiguresThatNoHostHasAreBounded(t *testing.T) {
	c := New(contract.Subject{}, "host", start())
	c.See(start(), math.MaxUint64)
	c.Measure(start(), contract.Measures{RAMKB: math.MaxUint64})
	c.Measure(start(), contract.Measures{RAMKB: math.MaxUint64})
	if !c.Born.Before(start()) || c.Mean().RAMKB != math.MaxUint64/2 || !c.Alive() {
		t.Errorf("born %s, mean %d", c.Born, c.Mean().RAMKB)
	}
}
