package rulestest_test

import (
	"testing"
	"time"

	"gestor.local/contract/policy2"
	"gestor.local/manager/internal/rules"
	"gestor.local/manager/internal/rules/rulestest"
)

// small is a policy that owns what has the label own, with a tick of a minute.
func small(list ...policy2.Rule) policy2.Policy {
	p := policy2.Default()
	p.Tick = policy2.Minute
	p.Own = []policy2.Selector{label("own")}
	p.Rules = list
	return withoutBudget(p)
}

// owned is a container that a small policy owns.
func owned(c rulestest.Container) rulestest.Container {
	labels := map[string]string{"own": ""}
	for key, value := range c.Labels {
		labels[key] = value
	}
	c.Labels = labels
	return c
}

// verdictsOf are the verdicts on a container on the ticks of a world, by moment.
func verdictsOf(w *rulestest.World, name string) map[string]rules.Verdict {
	out := map[string]rules.Verdict{}
	w.OnTick = func(tick *rulestest.Tick) {
		for _, v := range tick.Plan.Verdicts {
			if v.Name == name {
				out[rulestest.Moment(tick.At)] = v
			}
		}
	}
	return out
}

// TestNoLimitIsHandedOverWhileNothingIsDone: a second rule would throttle too. Once nothing is done any more, its throttle is not
// set, and so the limit of the first must be given back.
func TestNoLimitIsHandedOverWhileNothingIsDone(t *testing.T) {
	w := rulestest.New(small(
		policy2.Rule{Name: "first", Do: ladder("throttle to 50%"), Calm: policy2.DefaultCalm},
		policy2.Rule{Name: "second", Do: ladder("throttle to 25%"), Calm: policy2.DefaultCalm},
	), -5*minute)
	w.Add(owned(rulestest.Container{Name: "job", Created: -hour}))
	w.Run(0)
	if l := w.Limits(); !l[0].Owed {
		t.Fatalf("no limit was set: %+v", l)
	}

	w.Revoke()
	w.Run(2 * minute)
	if l := w.Limits(); l[0].Owed {
		t.Errorf("%+v two ticks after the approval was taken away", l)
	}
}

// TestAnUnknownVolumeIsNoHarsherThanBeingNeeded: whom another needs is left alone; that it is unknown whether a removal would delete
// volumes must not make that a notice.
func TestAnUnknownVolumeIsNoHarsherThanBeingNeeded(t *testing.T) {
	w := rulestest.New(small(policy2.Rule{Name: "old", Match: []policy2.Selector{label("old")}, Do: ladder("remove")}), -5*minute)
	w.Add(
		owned(rulestest.Container{
			Name: "db", Created: -hour, Labels: map[string]string{"old": ""}, Rm: true, Project: "p", Service: "db",
			Blur: func(_ time.Duration, c *rules.Container) { forget(&c.AnonymousVolumes) },
		}),
		owned(rulestest.Container{Name: "web", Created: -hour, Project: "p", Service: "web", DependsOn: []string{"db"}}),
	)
	w.Run(0)
	if log := w.Log(); len(log) > 0 {
		t.Errorf("db: %s, although web needs it", log[0])
	}
}

// TestTheNextChangeIsWhatTheGuardsLeave: a stop that will be a notice is promised as one.
func TestTheNextChangeIsWhatTheGuardsLeave(t *testing.T) {
	w := rulestest.New(small(policy2.Rule{Name: "old", When: policy2.Conditions{Age: policy2.Hour}, Do: ladder("stop")}), -5*minute)
	w.Add(owned(rulestest.Container{Name: "job", Created: -30 * minute, Rm: true}))
	verdicts := verdictsOf(w, "job")
	w.Run(10 * minute)
	if next := verdicts["T"].Next; next == nil || next.Step != policy2.StepWarn {
		t.Errorf("a --rm container whose stop would delete it is promised %+v, and will be warned", next)
	}
}

// TestOfTwoChangesTheUpperRulesIsNext: two rules would act at the same moment; the upper one decides.
func TestOfTwoChangesTheUpperRulesIsNext(t *testing.T) {
	w := rulestest.New(small(
		policy2.Rule{Name: "upper", When: policy2.Conditions{Age: 80 * policy2.Minute}, Do: ladder("stop")},
		policy2.Rule{Name: "lower", When: policy2.Conditions{Age: policy2.Hour}, Do: ladder("warn", 20*policy2.Minute, "remove")},
	), -5*minute)
	w.Add(owned(rulestest.Container{Name: "job", Created: -hour}))
	verdicts := verdictsOf(w, "job")
	w.Run(30 * minute)
	if next := verdicts["T+10m"].Next; next == nil || next.Step != policy2.StepStop || next.Rule != 0 {
		t.Errorf("promised is %+v, and at T+20m comes %s by rule %d", next, verdicts["T+20m"].Step, verdicts["T+20m"].Rule)
	}
}

// TestNoThrottleIsPromisedWhileAnotherIsInForce: the first step of a rule will wait for the limit of another one.
func TestNoThrottleIsPromisedWhileAnotherIsInForce(t *testing.T) {
	w := rulestest.New(small(
		policy2.Rule{Name: "limit", Match: []policy2.Selector{label("own")}, Do: ladder("throttle to 50%"), Calm: policy2.DefaultCalm},
		policy2.Rule{
			Name: "old", When: policy2.Conditions{Age: policy2.Hour}, Do: ladder("throttle", 20*policy2.Minute, "stop"), Calm: policy2.DefaultCalm,
		},
	), -5*minute)
	w.Add(owned(rulestest.Container{Name: "job", Created: -30 * minute}))
	verdicts := verdictsOf(w, "job")
	w.Run(40 * minute)
	if next := verdicts["T+20m"].Next; next != nil && next.GUS < 1_796_126_400_000_000+hour.Microseconds() {
		t.Errorf("promised is %+v, and at T+30m comes %s (%s)", next, verdicts["T+30m"].Step, verdicts["T+30m"].Reason)
	}
}

// TestWhatHasEndedNeedsNoGuardOfItsStop: a stop of one that does not run does nothing, whatever it might delete.
func TestWhatHasEndedNeedsNoGuardOfItsStop(t *testing.T) {
	w := rulestest.New(small(
		policy2.Rule{Name: "old", Do: ladder("warn", policy2.Minute, "stop", policy2.Hour, "remove")},
	), -5*minute)
	w.Add(owned(rulestest.Container{
		Name: "job", Created: -2 * hour, State: "exited", Finished: -hour,
		Blur: func(_ time.Duration, c *rules.Container) { forget(&c.AutoRemove); forget(&c.AnonymousVolumes) },
	}))
	w.Run(10 * minute)
	if log := w.History("job"); len(log) != 1 {
		t.Errorf("%q: only the step warn was to be told", log)
	}
}

// TestAnUnknownCreationIsNotTheOldest: two containers use as much, so that who is older is ranked first. One whose creation is
// unknown cannot be ranked, and costs nobody a place.
func TestAnUnknownCreationIsNotTheOldest(t *testing.T) {
	rule := policy2.Rule{
		Name: "two", Each: policy2.EachProject, Keep: policy2.Keep{Order: policy2.Heaviest, Places: 1}, Rest: ladder("stop"),
	}
	w := rulestest.New(small(rule), -5*minute)
	w.ApprovedAt = 0
	w.Add(
		owned(rulestest.Container{Name: "old", Project: "old", Created: -3 * hour}),
		owned(rulestest.Container{Name: "new", Project: "new", Created: -2 * hour, Blur: func(at time.Duration, c *rules.Container) {
			if at >= 0 {
				forget(&c.CreatedWallUS)
			}
		}}),
	)
	w.Run(2 * minute)
	if log := w.History("old"); len(log) > 0 {
		t.Errorf("old: %q, since the creation of new is unknown", log)
	}
}

// TestNothingIsPromisedBelowARuleThatWillWait: two rules come to hold at one moment, and the upper one, whose throttle has nothing to
// limit, decides and waits.
func TestNothingIsPromisedBelowARuleThatWillWait(t *testing.T) {
	w := rulestest.New(small(
		policy2.Rule{
			Name: "upper", When: policy2.Conditions{Age: policy2.Hour}, Do: ladder("throttle", policy2.Hour, "remove"), Calm: policy2.DefaultCalm,
		},
		policy2.Rule{Name: "lower", When: policy2.Conditions{Age: policy2.Hour}, Do: ladder("warn", policy2.Hour, "remove")},
	), -5*minute)
	w.Add(owned(rulestest.Container{Name: "job", Created: -30 * minute, State: "created"}))
	verdicts := verdictsOf(w, "job")
	w.Run(40 * minute)
	if next := verdicts["T+20m"].Next; next != nil && next.Rule != verdicts["T+30m"].Rule {
		t.Errorf("promised is %+v, and at T+30m comes %s by rule %d", next, verdicts["T+30m"].Step, verdicts["T+30m"].Rule)
	}
}
