package explain

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"gestor.local/contract"
	"gestor.local/contract/policy2"
	"gestor.local/manager/internal/planview"
	"gestor.local/manager/internal/rules"
	"gestor.local/manager/internal/rules/rulestest"
)

// TestExplainedChangeComesTrue holds what is said of a container's next change against what the next tick brings, in simulated worlds
// in which only time passes: the step is due on the first tick at or after its time and on none before, and one that is held is then
// carried out.
func TestExplainedChangeComesTrue(t *testing.T) {
	compared, due, held := 0, 0, 0
	rapid.Check(t, func(rt *rapid.T) {
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(rt, "world"), 1))
		w := rulestest.New(drawnPolicy(rng), -time.Hour)
		w.ApprovedAt = pick(rng, -time.Hour, -30*time.Minute, time.Hour)
		for i := range 1 + rng.IntN(4) {
			w.Add(drawnContainer(rng, i))
		}

		var before *ruledTick
		events := 0
		w.OnTick = func(tick *rulestest.Tick) {
			now := &ruledTick{policy: tick.Program.Policy(), facts: &tick.Facts, plan: &tick.Plan}
			now.texts = planview.NewTexts(*now.policy, now.facts, now.plan)
			happened := len(w.Log()) > events
			events = len(w.Log())
			was := before
			before = now
			if was == nil || len(was.plan.Verdicts) != len(now.plan.Verdicts) || len(now.facts.InForce.Gates) > 0 {
				return
			}
			for i := range was.plan.Verdicts {
				v := &was.plan.Verdicts[i]
				if othersChange(was, now, v.ID) || limited(was, v.ID) || happened && was.plan.Held == "" && changedSince(was, now) {
					continue
				}
				promised, at := was.texts.Next(v), now.verdict(v.ID)
				if promised == nil || at == nil {
					continue
				}

				// The record of that tick says the same.
				ruling := was.texts.Ruling(v)
				if ruling.NextStep != string(promised.Step) || !ruling.NextAt.Equal(was.at(promised.GUS)) {
					rt.Fatalf("the record says %s at %s, and promised is %+v", ruling.NextStep, ruling.NextAt, promised)
				}

				// One that is due already is promised for when it is carried out.
				isPromised := func(p rules.Passing) bool { return p.Step == promised.Step && p.Rule == promised.Rule }
				isHeld := slices.ContainsFunc(dueNow(v), isPromised)
				isDue := promised.GUS <= now.facts.GUS
				isDone := slices.ContainsFunc(dueNow(at), isPromised) && (!isHeld || now.plan.CarriesOut(promised.Step))
				compared++
				if isDone != isDue {
					rt.Fatalf("%s: of %s was promised %s by rule %d in %s (held %q), and it is (held %q)\n%+v\nwas\n%+v\n%+v", rulestest.Moment(tick.At), v.Name,
						promised.Step, promised.Rule, time.Duration(promised.GUS-was.facts.GUS)*time.Microsecond, was.plan.Held, now.plan.Held, *at, *v, was.policy.Rules)
				}
				if isDue {
					due++
				}
				if isDue && isHeld {
					held++
				}
			}
		}
		w.Run(6 * time.Hour)
	})

	t.Logf("%d promises, %d of them due, %d of these held before", compared, due, held)
	if compared < 300 || due == 0 || held == 0 {
		t.Error("too little was compared: the property says nothing")
	}
}

func (t *ruledTick) verdict(id string) *rules.Verdict {
	for i := range t.plan.Verdicts {
		if t.plan.Verdicts[i].ID == id {
			return &t.plan.Verdicts[i]
		}
	}
	return nil
}

// othersChange says that the rules say something else of another container: it is what else has changed.
func othersChange(was, now *ruledTick, id string) bool {
	key := func(v *rules.Verdict) string { return fmt.Sprint(v.Rule, v.Step, v.Reason, v.StepIndex, v.Guard) }
	for i := range was.plan.Verdicts {
		v := &was.plan.Verdicts[i]
		if at := now.verdict(v.ID); v.ID != id && (at == nil || key(at) != key(v)) {
			return true
		}
	}
	return false
}

// changedSince says that the state of a container is another.
func changedSince(was, now *ruledTick) bool {
	for i := range was.facts.Containers {
		c := &was.facts.Containers[i]
		if other := now.texts.Container(c.ID); other == nil || other.State != c.State {
			return true
		}
	}
	return false
}

// limited says that a CPU limit changes, and with it what the container uses, which is a fact.
func limited(t *ruledTick, id string) bool {
	isThrottle := func(p rules.Passing) bool { return p.Step == policy2.StepThrottle }
	return slices.ContainsFunc(t.plan.GiveBack, func(b rules.GiveBack) bool { return b.ID == id }) ||
		slices.ContainsFunc(dueNow(t.verdict(id)), isThrottle)
}

func pick[T any](rng *rand.Rand, values ...T) T { return values[rng.IntN(len(values))] }

// drawnPolicy has rules of all kinds, that come to hold within some hours.
func drawnPolicy(rng *rand.Rand) policy2.Policy {
	p := policy2.Default()
	p.Tick = policy2.Minute
	p.Own = []policy2.Selector{{Label: &policy2.Label{Key: "team", Any: true}}}
	p.Surprise = pick(rng, 30, 100)

	for i := range 1 + rng.IntN(4) {
		r := policy2.Rule{Name: fmt.Sprint("r", i)}
		if rng.IntN(2) == 0 {
			r.Match = []policy2.Selector{{Image: []string{pick(rng, "mcp/*", "job")}}}
		}
		after := pick(rng, 10*policy2.Minute, policy2.Hour)
		steps := pick(rng,
			policy2.Ladder{{Step: policy2.StepWarn}}, policy2.Ladder{{Step: policy2.StepRemove}}, policy2.Ladder{{Step: policy2.StepKeep}},
			policy2.Ladder{{Step: policy2.StepWarn}, {Step: policy2.StepStop, After: after}, {Step: policy2.StepRemove, After: after}},
			policy2.Ladder{{Step: policy2.StepStop}, {Step: policy2.StepRemove, After: after}},
			policy2.Ladder{{Step: policy2.StepThrottle, To: 5000}},
		)
		of := pick(rng,
			policy2.Conditions{Age: pick(rng, policy2.Hour, 3*policy2.Hour)}, policy2.Conditions{Idle: 20 * policy2.Minute},
			policy2.Conditions{CPU: 15000, For: 5 * policy2.Minute}, policy2.Conditions{Expired: "ttl"}, policy2.Conditions{Age: 2 * policy2.Hour, Idle: policy2.Hour},
		)
		if !steps.Has(policy2.StepStop) && !steps.Has(policy2.StepThrottle) && rng.IntN(4) == 0 {
			of = policy2.Conditions{Ended: policy2.Hour}
		}

		if rng.IntN(3) == 0 && of.Ended == 0 && !steps.Has(policy2.StepKeep) {
			r.Each, r.Keep = policy2.EachContainer, policy2.Keep{Order: pick(rng, policy2.Newest, policy2.Oldest), Places: 1 + rng.IntN(2)}
			r.RestWhen, r.Rest = of, steps
		} else {
			r.When, r.Do = of, steps
		}
		if steps.Has(policy2.StepThrottle) {
			r.Calm = policy2.DefaultCalm
		}
		p.Rules = append(p.Rules, r)
	}
	return p
}

// drawnContainer does the same all its life.
func drawnContainer(rng *rand.Rand, i int) rulestest.Container {
	c := rulestest.Container{
		Name: fmt.Sprint("c", i), Image: pick(rng, "mcp/x", "job"), Labels: map[string]string{"team": "a"},
		Created: -time.Duration(rng.IntN(300)) * time.Minute, CPU: rulestest.Always(pick[int64](rng, 0, 5, 2000)), Rm: rng.IntN(6) == 0,
	}
	if rng.IntN(3) == 0 {
		c.Labels["ttl"] = pick(rng, "2h", "5h", "soon")
	}
	if rng.IntN(4) == 0 {
		c.State, c.Finished = contract.StateExited, c.Created+time.Minute
	}
	return c
}
