package rulestest_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"gestor.local/contract"
	"gestor.local/contract/policy2"
	"gestor.local/manager/internal/rules/rulestest"
)

// longestThrottle is how long a limit may be owed.
const longestThrottle = 6 * hour

// TestHistories lets drawn worlds live for half a day, and judges what was done to their containers by their logs.
func TestHistories(t *testing.T) {
	var n counts
	defer n.log(t)
	kinds := map[string]int{}
	defer func() { t.Log("events:", line(kinds)) }()
	rapid.Check(t, func(rt *rapid.T) {
		p := drawPolicy(rt)
		until := pick(drawn(rt, "until"), 3*hour, 12*hour)
		w := drawWorld(rt, p, until)
		judge := newJudge(rt, w)
		w.OnTick = judge.tick
		n.worlds++

		w.Run(until)
		if p.NeedsApproval() {
			w.EngineDown, w.CrashOn = nil, nil
			w.Revoke()
			before := judge.ticks
			w.Run(until + 2*minute)
			if judge.ticks == before+2 {
				judge.nothingIsOwed()
			}
		}
		judge.log()
		n.ticks += judge.ticks
		n.compared += judge.ticks
		n.steps += len(w.Log())
		for _, e := range w.Log() {
			kinds[e.What]++
		}
	})
}

// judge holds one world's history against what a policy promises.
type judge struct {
	t     *rapid.T
	w     *rulestest.World
	ticks int
	// owed is when a limit was set that has not been given back, by container.
	owed map[string]rulestest.Event
	seen int // events of the log
	// approved says on which ticks the policy was in force.
	approved bool
	last     *rulestest.Tick
}

func newJudge(t *rapid.T, w *rulestest.World) *judge {
	return &judge{t: t, w: w, owed: map[string]rulestest.Event{}}
}

// fail ends the case, with the rules and all that was done.
func (j *judge) fail(format string, args ...any) {
	j.t.Helper()
	var b strings.Builder
	for _, e := range j.w.Log() {
		fmt.Fprintf(&b, "  %s %s\n", e.Name, e)
	}
	if j.last != nil {
		fmt.Fprintf(&b, "the last tick, %s:\n%s", rulestest.Moment(j.last.At), describe(j.last))
	}
	j.t.Fatalf("%s\n%s", fmt.Sprintf(format, args...), b.String())
}

// tick judges one tick: who may be touched, that every container has a verdict, and how long limits are owed.
func (j *judge) tick(tick *rulestest.Tick) {
	j.ticks++
	j.last = tick
	j.approved = tick.Facts.InForce.Approved || !tick.Facts.InForce.NeedsApproval
	if len(tick.Plan.Verdicts) != len(tick.Facts.Containers) {
		j.fail("%s: %d verdicts on %d containers", rulestest.Moment(tick.At), len(tick.Plan.Verdicts), len(tick.Facts.Containers))
	}

	for _, e := range j.w.Log()[j.seen:] {
		j.touched(tick, e)
	}
	j.seen = len(j.w.Log())

	if tick.Crashed || j.w.EngineDown != nil && j.w.EngineDown(tick.At) {
		return
	}
	for _, l := range j.w.Limits() {
		if held := j.w.G() - j.w.GOf(j.owed[l.ID]); l.Owed && held >= longestThrottle {
			j.fail("%s: the limit of %s has been owed for %s", rulestest.Moment(tick.At), l.Name, held)
		}
	}
}

// isStart says whether the event is a start, which nobody decided by a rule.
func isStart(e rulestest.Event) bool {
	return e.What == rulestest.EventStarted || e.What == rulestest.EventBooted
}

// touched judges one event as it happens.
func (j *judge) touched(tick *rulestest.Tick, e rulestest.Event) {
	switch {
	case isStart(e), e.What == rulestest.EventGiveBack:
		return
	case !j.approved:
		j.fail("%s: %s although the policy is not approved", e.Name, e)
	case e.What == rulestest.EventThrottle:
		j.owed[e.ID] = e
	}

	for _, c := range tick.Facts.Containers {
		if c.ID != e.ID {
			continue
		}
		if _, own := j.w.Policy.Owns(c.Identity, j.w.Suite); !own {
			j.fail("%s: %s although it is not own", e.Name, e)
		}
		if by, protected := j.w.Policy.Protects(c.Identity, j.w.Suite); protected {
			j.fail("%s: %s although it is protected by %+v", e.Name, e, by)
		}
		if c.State == contract.StatePaused {
			j.fail("%s: %s although it is paused", e.Name, e)
		}
	}
}

// nothingIsOwed is so once the approval is gone.
func (j *judge) nothingIsOwed() {
	for _, c := range j.w.Limits() {
		if c.Owed {
			j.fail("%s has a limit of ours although the policy is not approved any more", c.Name)
		}
	}
}

// log judges the whole log.
func (j *judge) log() {
	byContainer := map[string][]rulestest.Event{}
	for _, e := range j.w.Log() {
		byContainer[e.ID] = append(byContainer[e.ID], e)
	}
	for _, events := range byContainer {
		j.ladders(events)
	}

	for _, e := range j.w.Log() {
		if e.What == rulestest.EventVolumesGone && (e.Rule == "" || j.rule(e.Rule).Volumes != policy2.VolumesAnonymous) {
			j.fail("%s lost its anonymous volumes to %q, which does not say so", e.Name, e.Rule)
		}
	}
	j.budgets()
}

func (j *judge) rule(name string) *policy2.Rule {
	i := slices.IndexFunc(j.w.Policy.Rules, func(r policy2.Rule) bool { return r.Name == name })
	return &j.w.Policy.Rules[i]
}

// ladders judges the steps that the rules took on one container: each behind the one before it, once, and after its wait in the
// governed clock.
func (j *judge) ladders(events []rulestest.Event) {
	stopped := false
	for i, e := range events {
		switch e.What {
		case rulestest.EventStarted, rulestest.EventBooted:
			stopped = false
			continue
		case rulestest.EventStop:
			if stopped {
				j.fail("%s: %s, which was taken before", e.Name, e)
			}
			stopped = true
		case rulestest.EventRemove:
			if i+1 < len(events) && events[i+1].What != rulestest.EventVolumesGone {
				j.fail("%s: %s behind its removal", e.Name, events[i+1])
			}
		case rulestest.EventWarn, rulestest.EventThrottle:
		default:
			continue
		}
		if e.Rule != "" && e.Why == "" {
			j.stepBefore(events[:i], e)
		}
	}
}

// stepBefore judges that the step before this one was done, long enough ago.
func (j *judge) stepBefore(earlier []rulestest.Event, e rulestest.Event) {
	steps := j.rule(e.Rule).Steps()
	at := slices.IndexFunc(steps, func(r policy2.Rung) bool { return string(r.Step) == e.What })
	if at < 0 {
		j.fail("%s: %s is no step of the rule", e.Name, e)
	}
	if at == 0 {
		return
	}

	before := steps[at-1]
	wait := time.Duration(steps[at].After) * time.Second
	for _, b := range slices.Backward(earlier) {
		if b.Rule != e.Rule || b.What != string(before.Step) || b.Why != "" {
			continue
		}
		if waited := j.w.GOf(e) - j.w.GOf(b); waited < wait {
			j.fail("%s: %s only %s in G after %s, which it waits %s for", e.Name, e, waited, b, wait)
		}
		return
	}

	// One that had stopped by itself needs no stop of ours before its removal, nor one with a limit as low a throttle.
	if before.Step != policy2.StepStop && before.Step != policy2.StepThrottle {
		j.fail("%s: %s without %s before it", e.Name, e, before.Step)
	}
}

// budgets judges every span that ends with an event: how many containers were first stopped or removed in it.
func (j *judge) budgets() {
	var all []rulestest.Event
	counted := map[string]string{} // the rule of which an attempt has counted, by container
	for _, e := range j.w.Log() {
		switch e.What {
		case rulestest.EventStarted, rulestest.EventBooted:
			delete(counted, e.ID)
		case rulestest.EventStop, rulestest.EventStopped, rulestest.EventFailed, rulestest.EventRemove:
			if counted[e.ID] != e.Rule {
				all = append(all, e)
			}
			counted[e.ID] = e.Rule
		}
	}

	for _, rate := range j.w.Policy.Budget {
		for i, last := range all {
			first := i
			for first > 0 && j.isWithin(all[first-1], last, rate) {
				first--
			}
			if n := i - first + 1; n > rate.N && !j.oneProject(all[first:i+1]) {
				j.fail("%d containers were stopped or removed within %s: %s, from %s to %s", n, rate, last.Name, all[first], last)
			}
		}
	}
}

// isWithin says whether two events stand in one span of a rate: on one tick, or closer than it.
func (j *judge) isWithin(a, b rulestest.Event, rate policy2.Rate) bool {
	if rate.Span == 0 {
		return a.At == b.At
	}
	return j.w.GOf(b)-j.w.GOf(a) < time.Duration(rate.Span)*time.Second
}

// oneProject says whether all of these belong to one compose project, which goes as a whole.
func (j *judge) oneProject(spent []rulestest.Event) bool {
	for _, e := range spent {
		if e.Rule == "" || j.rule(e.Rule).Each != policy2.EachProject || e.Project == "" || e.Project != spent[0].Project {
			return false
		}
	}
	return true
}
