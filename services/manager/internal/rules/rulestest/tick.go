package rulestest

import (
	"fmt"
	"slices"
	"time"

	"gestor.local/contract"
	"gestor.local/contract/policy2"
	"gestor.local/manager/internal/rules"
)

// Tick is one tick as it was looked at: what was read, what was decided, what became of it, and the memory before and after.
type Tick struct {
	At            time.Duration
	Program       *rules.Program
	Before, After rules.Memory
	Facts         rules.Facts
	Plan          rules.Plan
	// Verified are outcomes that were found out after a crash, before this tick; Events are those of the tick.
	Verified, Events []rules.Event
	// Crashed says that the manager died before the end of the tick.
	Crashed bool
}

// tick looks at the host once, decides, and carries out what was decided.
func (w *World) tick() {
	if w.program == nil {
		w.program = rules.New(w.Policy)
	}
	w.ticks++
	w.clock.read(w.now)
	f := w.facts()
	w.done, w.crashed, w.crash = nil, false, nil
	if w.CrashOn != nil {
		w.crash = w.CrashOn(w.now)
	}

	verified := w.verify(&f)
	if len(verified) > 0 {
		w.memory = rules.Remember(w.program, w.memory, nil, rules.Plan{}, verified)
	}
	before := w.memory
	plan := rules.Decide(w.program, before, &f)
	w.memory = rules.Remember(w.program, before, &f, plan, nil)
	w.carryOut(&f, &plan)
	if len(w.done) > 0 {
		w.memory = rules.Remember(w.program, w.memory, nil, rules.Plan{}, w.done)
	}

	w.watch(&plan)
	if w.OnTick != nil {
		w.OnTick(&Tick{
			At: w.now, Program: w.program, Before: before, After: w.memory, Facts: f, Plan: plan,
			Verified: verified, Events: w.done, Crashed: w.crashed,
		})
	}
	w.last, w.looked = w.now, !w.crashed
	w.begun = unfinished(w.done)
}

// inForce is what allows or forbids to act.
func (w *World) inForce(f *rules.Facts) rules.InForce {
	in := rules.InForce{NeedsApproval: w.Policy.NeedsApproval()}
	if w.now >= w.ApprovedAt && !w.revoked {
		if w.ownCount < 0 {
			w.ownCount = w.countOwn(f)
		}
		in.Approved, in.OwnCount = true, w.ownCount
		in.ApprovedGUS, in.ApprovedWallUS = micros(w.ApprovedAt), micros(w.ApprovedAt)
	}

	if !w.looked {
		in.Gates = []string{"new_baseline"}
	}
	return in
}

func (w *World) countOwn(f *rules.Facts) int {
	n := 0
	for _, c := range f.Containers {
		if _, own := w.Policy.Owns(c.Identity, w.Suite); own {
			n++
		}
	}
	return n
}

// carryOut does what the plan says, as far as it is in force: limits first, then notices, throttles, and the ends of lives, of
// which each waits for those that it names.
func (w *World) carryOut(f *rules.Facts, plan *rules.Plan) {
	for _, back := range plan.GiveBack {
		w.giveBack(f, plan, back)
	}
	if plan.CarriesOut(policy2.StepWarn) {
		for _, n := range plan.Notices {
			w.notify(f, plan, n)
		}
	}

	ended := map[string]bool{}
	for i := range plan.Verdicts {
		v := &plan.Verdicts[i]
		if plan.CarriesOut(v.Step) && isEnd(v.Step) {
			ended[v.ID] = false
		}

		for _, limit := range limitsOf(v) {
			if plan.CarriesOut(policy2.StepThrottle) {
				w.throttle(f, plan, v, limit)
			}
		}
	}

	w.endInTurn(f, plan, ended)
}

// endInTurn ends those whose turn has come, again and again; a round without an end is a circle, which no plan may have.
func (w *World) endInTurn(f *rules.Facts, plan *rules.Plan, ended map[string]bool) {
	for remaining := len(ended); remaining > 0; {
		before := remaining
		for i := range plan.Verdicts {
			v := &plan.Verdicts[i]
			if isDone, isEnding := ended[v.ID]; isEnding && !isDone && w.turnOf(v, ended) {
				w.end(f, plan, v)
				ended[v.ID] = true
				remaining--
			}
		}

		if remaining == before {
			panic(fmt.Sprintf("%s: %d containers wait for each other", Moment(w.now), remaining))
		}
	}
}

// limitsOf are the throttles of a verdict, be they a deciding rule's or those of passing ones.
func limitsOf(v *rules.Verdict) []rules.Passing {
	own := rules.Passing{Rule: v.Rule, Step: v.Step, StepIndex: v.StepIndex, NanoCPUs: v.NanoCPUs, OldNanoCPUs: v.OldNanoCPUs}
	all := append([]rules.Passing{own}, v.Passing...)
	return slices.DeleteFunc(all, func(p rules.Passing) bool { return p.Step != policy2.StepThrottle })
}

func isEnd(step policy2.Step) bool { return step == policy2.StepStop || step == policy2.StepRemove }

// turnOf says whether all that the verdict waits for has ended.
func (w *World) turnOf(v *rules.Verdict, ended map[string]bool) bool {
	return !slices.ContainsFunc(v.After, func(id string) bool {
		done, isEnding := ended[id]
		return isEnding && !done
	})
}

// end stops or removes one container.
func (w *World) end(f *rules.Facts, plan *rules.Plan, v *rules.Verdict) {
	hash, rule := ruleOf(plan, v.Rule)
	m := w.byID(v.ID)
	event := rules.Event{
		Kind: rules.EventIntent, Tick: f.Tick, GUS: f.GUS, ID: v.ID, Rule: hash,
		Step: v.Step, StepIndex: v.StepIndex, StartedAt: v.StartedAt,
	}

	w.act(event, rule, func() string {
		if v.Step == policy2.StepStop {
			return w.stop(m, rule, v.Guard)
		}
		volumes := v.Rule >= 0 && w.Policy.Rules[v.Rule].Volumes == policy2.VolumesAnonymous
		return w.remove(m, volumes, rule, v.Guard)
	})
}

// throttle lowers the CPU limit of one container.
func (w *World) throttle(f *rules.Facts, plan *rules.Plan, v *rules.Verdict, p rules.Passing) {
	hash, rule := ruleOf(plan, p.Rule)
	m := w.byID(v.ID)

	event := rules.Event{
		Kind: rules.EventIntent, Tick: f.Tick, GUS: f.GUS, ID: v.ID, Rule: hash,
		Step: p.Step, StepIndex: p.StepIndex, StartedAt: v.StartedAt, OldNanoCPUs: m.nanoCPUs, NanoCPUs: p.NanoCPUs,
	}
	if p.OldNanoCPUs != nil {
		event.OldNanoCPUs = *p.OldNanoCPUs
	}

	w.act(event, rule, func() string { return w.limit(m, p.NanoCPUs, EventThrottle, rule, "") })
}

// giveBack sets the limit that one had before.
func (w *World) giveBack(f *rules.Facts, plan *rules.Plan, back rules.GiveBack) {
	if w.crashed {
		return
	}
	_, rule := ruleOf(plan, slices.IndexFunc(plan.Rules, func(r rules.RuleCount) bool { return r.Hash == back.Rule }))
	m := w.byID(back.ID)
	event := rules.Event{Kind: rules.EventGivenBack, Tick: f.Tick, GUS: f.GUS, ID: back.ID, Rule: back.Rule, NanoCPUs: back.NanoCPUs}
	event.Outcome = w.limit(m, back.NanoCPUs, EventGiveBack, rule, "")
	w.write(event)
}

// act writes down what it begins, does it, and writes down how it ended.
func (w *World) act(intent rules.Event, rule string, do func() string) {
	if w.crashed {
		return
	}
	w.write(intent)
	if w.crashed && !w.crash.Acted {
		if isEnd(intent.Step) {
			w.log(w.byID(intent.ID), EventFailed, rule, "")
		}
		return
	}

	outcome := intent
	outcome.Kind = rules.EventOutcome
	outcome.Outcome = do()
	w.write(outcome)
}

// write adds a line to the journal, as long as the manager lives.
func (w *World) write(event rules.Event) {
	if w.crashed {
		return
	}
	w.done = append(w.done, event)
	w.crashed = w.crash != nil && len(w.done) >= w.crash.Lines
}

// verify tells, after a crash, what became of the acts that have no outcome in the journal: the engine is asked.
func (w *World) verify(f *rules.Facts) []rules.Event {
	var out []rules.Event
	for _, event := range w.begun {
		m := w.byID(event.ID)
		event.Kind, event.Tick, event.GUS = rules.EventOutcome, f.Tick, f.GUS

		switch isSet := m.nanoCPUs == event.NanoCPUs; {
		case !m.present:
			event.Outcome = contract.OutcomeAlreadyGone

		case event.Step == policy2.StepThrottle && isSet:
			event.Outcome = contract.OutcomeDone
		case event.Step == policy2.StepStop && !contract.StateAlive(m.state):
			event.Outcome = contract.OutcomeAlreadyStopped
		default:
			event.Outcome = contract.OutcomeFailed
		}

		out = append(out, event)
	}

	w.begun = nil
	return out
}

// unfinished are the intents among a tick's events that have no outcome.
func unfinished(events []rules.Event) []rules.Event {
	var out []rules.Event
	for i, e := range events {
		if e.Kind == rules.EventIntent && (i+1 == len(events) || events[i+1].Kind != rules.EventOutcome) {
			out = append(out, e)
		}
	}
	return out
}

// notify delivers a notice of one unit, if its receiver can be reached.
func (w *World) notify(f *rules.Facts, plan *rules.Plan, n rules.Notice) {
	hash, rule := ruleOf(plan, n.Rule)

	isLost := func(id string) bool { return w.Undelivered != nil && w.Undelivered(w.byID(id).spec.Name, w.now) }
	if w.crashed || n.Kind == rules.NoticeSurprise || slices.ContainsFunc(n.Containers, isLost) {
		return
	}

	for _, id := range n.Containers {
		m := w.byID(id)
		w.log(m, EventWarn, rule, n.Guard)
		if n.Kind == rules.NoticeStep {
			w.write(rules.Event{
				Kind: rules.EventDelivered, Tick: f.Tick, GUS: f.GUS, ID: id, Rule: hash,
				Step: policy2.StepWarn, StepIndex: n.StepIndex, StartedAt: w.startedAt(m),
			})
		}
	}
}

// ruleOf is the hash and the name of a rule of a plan, both empty for none.
func ruleOf(plan *rules.Plan, rule int) (hash, name string) {
	if rule < 0 {
		return "", ""
	}
	return plan.Rules[rule].Hash, plan.Rules[rule].Name
}

// byID gives the container of an id, which is there or was.
func (w *World) byID(id string) *member {
	i := slices.IndexFunc(w.members, func(m *member) bool { return m.id == id })
	return w.members[i]
}

// Watch keeps what the plans of these moments say.
func (w *World) Watch(moments ...time.Duration) { w.watched = append(w.watched, moments...) }

func (w *World) watch(plan *rules.Plan) {
	if slices.Contains(w.watched, w.now) {
		w.said[w.now] = *plan
	}
}

// Said is what the plan of a watched moment says of a container: T+1m NAME: STEP REASON (RULE).
func (w *World) Said(at time.Duration, name string) string {
	plan, ok := w.said[at]
	if !ok {
		return Moment(at) + " was no tick that was watched"
	}
	return Say(&plan, at, name)
}
