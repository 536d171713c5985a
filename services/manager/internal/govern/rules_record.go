package govern

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"gestor.local/contract"
	"gestor.local/contract/policy2"
	"gestor.local/manager/internal/planview"
	"gestor.local/manager/internal/rules"
)

// mostSentences is how many bytes the sentences of a policy may take in its record.
const mostSentences = 48 << 10

// recordRules records the policy of version 2 in force, each of its rules as a sentence.
func (r *reporter) recordRules() {
	v := r.loop.version2
	if v == nil {
		return
	}

	type sentence struct {
		Rule string `json:"rule"`
		Text string `json:"text"`
	}
	sentences, left := []sentence{}, mostSentences
	for _, rule := range v.Policy.Rules {
		one := sentence{rule.Name, rule.Sentence(v.Policy)}
		text, err := json.Marshal(one)
		if left -= len(text) + 1; err != nil || left < 0 {
			break
		}
		sentences = append(sentences, one)
	}

	details := map[string]any{
		"version": v.Policy.Version, "policy": r.loop.policyHash, "mode": string(v.Policy.Mode), "needs_approval": v.Policy.NeedsApproval(),
		"rules": sentences,
	}
	if more := len(v.Policy.Rules) - len(sentences); more > 0 {
		details["left_out"] = more
	}
	r.event("policy", contract.LevelInfo,
		fmt.Sprintf("the policy in force is of version 2 and has %d rules", len(v.Policy.Rules)), details)
}

// maxGroupName is the longest name of a group: 64 values of a label, which may be any, must fit into one record.
const maxGroupName = 96

// addRuled adds to a host record what the plan says of the host.
func addRuled(body *contract.HostBody, of *ruled) {
	own := of.Plan.Own
	body.Own, body.PolicyHash = &own, of.Plan.PolicyHash

	for i, g := range of.Plan.Groups {
		one := contract.GroupCount{
			Rule: of.Plan.Rules[g.Rule].Name, Group: contract.Shorten(g.Group, maxGroupName), Places: g.Places, Held: g.Held, Over: g.Over, Young: g.Young,
		}
		if i < contract.MaxGroups {
			body.Groups = append(body.Groups, one)
			continue
		}

		if i == contract.MaxGroups {
			body.Groups = append(body.Groups, contract.GroupCount{Group: contract.GroupOther})
		}
		rest := &body.Groups[contract.MaxGroups]
		rest.Places, rest.Held, rest.Over, rest.Young = rest.Places+one.Places, rest.Held+one.Held, rest.Over+one.Over, rest.Young+one.Young
	}
}

// ruledDecisions are the verdicts that changed since they were last recorded. They are shown on ticks with a closed gate as well:
// each says what holds it.
func (r *reporter) ruledDecisions(t *tick) (records []contract.Record) {
	if t.decisionsRecorded {
		return nil
	}

	plan := &t.ruled.Plan
	t.verdicts = make(map[string]verdictKey, len(plan.Verdicts))
	for i := range plan.Verdicts {
		v := &plan.Verdicts[i]
		now := ruledKey(v, t.ruled.texts)
		t.verdicts[v.ID] = now
		if r.recorded[v.ID] != now {
			records = append(records, contract.NewRecord(t.at, t.n, r.source, r.ruledDecision(v, t)))
		}
	}
	return records
}

// ruledKey is what makes a decision worth recording when it changes: not its figures, nor when the next step comes.
func ruledKey(v *rules.Verdict, texts *planview.Texts) verdictKey {
	ruling := texts.Ruling(v)
	words := strings.Join([]string{ruling.Rule, ruling.Step, ruling.NextStep, v.Guard, fmt.Sprint(v.StepIndex, v.Rule, v.Doubt)}, "\x00")
	return verdictKey{verdict: verdictOfStep(v.Step), reason: v.Reason, words: words}
}

// verdictOfStep is the word of version 1 for a step: who is warned, throttled or stopped stays on the host.
func verdictOfStep(step policy2.Step) string {
	if step == policy2.StepRemove {
		return contract.VerdictRemove
	}
	return contract.VerdictKeep
}

func (r *reporter) ruledDecision(v *rules.Verdict, t *tick) contract.DecisionBody {
	body := contract.DecisionBody{
		Subject: t.ruledSubject(v.ID), Sequence: t.ruled.Plan.Sequence, Mode: r.loop.policy.Mode, Held: r.heldStep(t, v), PolicyHash: t.ruled.Plan.PolicyHash,
		Verdict: verdictOfStep(v.Step), Reason: v.Reason, Text: t.ruled.texts.OfRuling(v), Rank: v.Rank, Cut: v.Cut,
		DecidingKey: contract.Key(v.DecidingKey), DataAgeUS: t.timings.DataAgeUS, Ruling: t.ruled.texts.Ruling(v),
	}

	if m := t.member(v.ID); m != nil {
		body.AgeUS = m.AgeUS
		if m.Measured {
			body.Measures = &m.Measures
		}
	}
	if n := v.Neighbour; n != nil {
		if m := t.member(n.ID); m != nil && m.Measured { // without figures it would seem to use nothing
			body.Neighbour = &contract.Neighbour{ID: n.ID, Name: n.Name, Rank: n.Rank, Measures: m.Measures}
		}
	}
	return body
}

// heldStep says why nothing of the plan is carried out, and of a container with a step why that is not.
func (r *reporter) heldStep(t *tick, v *rules.Verdict) string {
	step := policy2.Step(t.ruled.texts.Ruling(v).Step)
	switch {
	case t.deferred[v.ID]:
		return GateBreaker
	case !t.gated() && step != policy2.StepKeep && t.ruled.Plan.CarriesOut(step):
		return ""
	default:
		return r.held(t)
	}
}

// member is the container in the reading, nil where it has none of it.
func (t *tick) member(id string) *contract.Member {
	if t.pop == nil {
		return nil
	}
	return t.pop.Member(id)
}

// ruledSubject names a container, with its class under the policy.
func (t *tick) ruledSubject(id string) contract.Subject {
	s := contract.Subject{Container: id, Class: contract.ClassUnknown}
	e := t.inv.Entry(id)
	if e == nil {
		return s
	}

	s.Name, s.Image = e.Name, e.Image
	if identity := t.ruled.identity(id); identity != nil {
		if class, known := t.ruled.Policy.ClassOf(identity); known == policy2.True {
			s.Class = class
		}
	}
	return s
}

// identity is who the container is, by the facts of the tick.
func (r *ruled) identity(id string) *policy2.Identity {
	if c := containerOf(r.Facts, id); c != nil {
		return c.Identity
	}
	return nil
}

// stillEvery is how often one that does not run is recorded while nothing of it changes.
const stillEvery = 10 * time.Minute

// stillRecord is the last record of a container that does not run.
type stillRecord struct {
	key   verdictKey
	state string
	at    time.Time
}

// ruledContainers are the records of those that the reading has a row of, and of those that the engine lists beside: who runs
// on each tick, who does not at once when something changes, and each stillEvery.
func (r *reporter) ruledContainers(t *tick) (records []contract.Record) {
	suite := t.ruled.Facts.Suite.IDs
	t.still = make(map[string]stillRecord)
	if t.pop == nil { // who has a row is not known
		t.still = maps.Clone(r.still)
		return nil
	}

	rows := t.rows()
	for i := range t.ruled.Plan.Verdicts {
		v := &t.ruled.Plan.Verdicts[i]
		owned := t.ruled.texts.IsOwn(v.ID)
		if !owned && !r.recordAll && !slices.Contains(suite, v.ID) {
			continue
		}

		m, e := t.pop.Member(v.ID), t.inv.Entry(v.ID)
		switch {
		case m != nil:
			row := rows[v.ID]
			if m.Why == contract.UnmeasuredUnlocated {
				row = nil
			}
			body := containerBody(m, e, nil, row, t.pop.Memory.TotalKB)
			records = append(records, r.ruledContainer(t, v, body, owned))

		case e != nil && !runs(e.State):
			body := containerBody(&contract.Member{ID: v.ID, Why: contract.UnmeasuredNotRunning}, e, nil, nil, 0)
			if now := (stillRecord{ruledKey(v, t.ruled.texts), e.State, t.at}); r.isDue(t, v.ID, now) {
				records = append(records, r.ruledContainer(t, v, body, owned))
			}
		}
	}
	return records
}

// runs says whether a container with this state can have processes of its own.
func runs(state string) bool {
	return contract.StateAlive(state) && state != contract.StateRestarting
}

// isDue says whether the record of a container that does not run is worth writing, and notes which one is the last.
func (r *reporter) isDue(t *tick, id string, now stillRecord) bool {
	last, known := r.still[id]
	due := !known || last.key != now.key || last.state != now.state || now.at.Sub(last.at) >= stillEvery
	if !due {
		now = last
	}
	t.still[id] = now
	return due
}

// ruledContainer completes the record of one container by its verdict.
func (r *reporter) ruledContainer(t *tick, v *rules.Verdict, body contract.ContainerBody, owned bool) contract.Record {
	body.Subject, body.Owned = t.ruledSubject(v.ID), owned
	body.Rank, body.Verdict, body.Reason, body.Ruling = v.Rank, verdictOfStep(v.Step), v.Reason, t.ruled.texts.Ruling(v)
	if body.Step != string(policy2.StepKeep) {
		body.Held = r.heldStep(t, v)
	}
	return contract.NewRecord(t.at, t.n, r.source, body)
}
