package govern

import (
	"cmp"
	"fmt"
	"time"

	"gestor.local/contract"
	"gestor.local/contract/policy2"
	"gestor.local/manager/internal/journal"
	"gestor.local/manager/internal/notify"
	"gestor.local/manager/internal/rules"
)

// newNotice makes the notice that the plan asks for.
func (n *noticer) newNotice(t *tick, one *rules.Notice, at stamp) *openNotice {
	first := firstOf(one.Containers)
	told := n.words(t, one)
	o := &openNotice{ask: askFor(one), id: actionID(at.tick, cmp.Or(first, string(one.Kind))), since: t.at}

	if one.Kind == rules.NoticeSurprise { // of no container alone
		o.intents = []journal.Intent{{
			Tick: at.tick, GUS: at.gUS, Sequence: t.ruled.Plan.Sequence, Action: contract.ActionWarn, Reason: contract.HeldSurprise,
		}}
	} else {
		for _, id := range one.Containers {
			o.intents = append(o.intents, intentOfNotice(t, one, id, at))
		}
	}

	for k, intent := range o.intents {
		o.intents[k] = intent.WithID(o.id, k)
		o.intents[k].Notice = told
	}
	return o
}

// intentOfNotice is the intent of one container of a notice, without an id. Only that of a step of a ladder has a step: the others
// move none.
func intentOfNotice(t *tick, one *rules.Notice, id string, at stamp) journal.Intent {
	i := journal.Intent{
		Subject: t.ruledSubject(id), Tick: at.tick, GUS: at.gUS, Sequence: t.ruled.Plan.Sequence, Action: contract.ActionWarn,
		Reason: cmp.Or(one.Guard, rules.ReasonHolds), Rule: one.Hash,
	}
	if v := t.ruled.verdict(id); v != nil {
		i.StartedAt = v.StartedAt
	}
	if one.Kind == rules.NoticeStep {
		i.Step, i.StepIndex = policy2.StepWarn, one.StepIndex
	}
	return i
}

// verdict is the plan's on the container, nil without one.
func (r *ruled) verdict(id string) *rules.Verdict {
	for i := range r.Plan.Verdicts {
		if r.Plan.Verdicts[i].ID == id {
			return &r.Plan.Verdicts[i]
		}
	}
	return nil
}

// words says what is told.
func (n *noticer) words(t *tick, one *rules.Notice) *journal.Notice {
	told := &journal.Notice{Kind: one.Kind, Guard: one.Guard, Project: contract.Printable(one.Project)}
	if one.Next != nil {
		told.NextAt = t.ruled.wall(one.Next.GUS)
	}
	if one.Kind == rules.NoticeSurprise {
		plan := &t.ruled.Plan
		told.Wanted, told.Living = plan.Wanted, plan.Living
		told.Text = fmt.Sprintf("the plan would stop or remove %d containers at once, and %d own ones live: none goes before %s (surprise: %d%%)",
			plan.Wanted, plan.Living, told.NextAt.Format("Mon 15:04:05 UTC"), t.ruled.Policy.Surprise)
		return told
	}

	if one.Rule >= 0 && one.Rule < len(t.ruled.Policy.Rules) {
		told.Rule = contract.Printable(t.ruled.Policy.Rules[one.Rule].Name)
	}
	if v := t.ruled.verdict(one.Containers[0]); v != nil {
		told.Why = t.ruled.texts.Grounds(v, one.Rule, one.Guard)
	}

	name := t.shownName(one.Containers[0])
	if one.Project != "" {
		name = "project " + told.Project
		for _, id := range one.Containers[:min(len(one.Containers), journal.MaxNames)] {
			told.Names = append(told.Names, t.shownName(id))
		}
		told.Containers = len(one.Containers)
	}

	// A next step that a guard will soften is no change to announce.
	if one.Next == nil || one.Next.Step == "" || one.Next.Step == policy2.StepWarn {
		told.NextAt = time.Time{}
		told.Text = notify.Warning(name, told.Rule, told.Why)
		return told
	}
	told.NextStep = one.Next.Step
	told.Text = notify.Announcement(name, notify.Next{Step: told.NextStep, At: told.NextAt}, told.Rule, told.Why, t.at)
	return told
}

// wall is a time of G by the clock on the wall, to the second.
func (r *ruled) wall(gUS int64) time.Time {
	return time.UnixMicro(r.Facts.WallUS + gUS - r.Facts.GUS).UTC().Truncate(time.Second)
}

// shownName is the container's name as it can be shown, else the beginning of its id.
func (t *tick) shownName(id string) string {
	return contract.Printable(nameOf(contract.Verdict{ID: id, Name: t.ruledSubject(id).Name}))
}

// eventWarn is the event of a notice's record.
const eventWarn = "warn"

// noticeRecord is the record of the notice that the intent is the first of.
func (r *reporter) noticeRecord(i journal.Intent, at time.Time) contract.Record {
	told := i.Notice
	details := map[string]any{"kind": string(told.Kind), "action_id": i.NoticeID()}
	set := func(key, value string) {
		if value != "" {
			details[key] = value
		}
	}

	set("rule", told.Rule)
	set("why", told.Why)
	set("guard", told.Guard)
	set("project", told.Project)
	if told.Project == "" {
		set("container", i.Container)
		set("name", i.Name)
	} else {
		details["names"], details["containers"] = told.Names, told.Containers
	}

	switch {
	case told.Kind == rules.NoticeSurprise:
		details["wanted"], details["living"], details["until"] = told.Wanted, told.Living, told.NextAt.Format(time.RFC3339)
	case told.NextStep != "":
		details["next_step"], details["next_at"] = string(told.NextStep), told.NextAt.Format(time.RFC3339)
	}
	return contract.NewRecord(at, i.Tick, r.source, eventBody(eventWarn, contract.LevelWarn, told.Text, details))
}

// messageOf is the notice as people outside get it.
func (n *noticer) messageOf(o *openNotice) notify.Notice {
	told, first := cmp.Or(o.words, o.told()), o.intents[0]
	m := notify.Notice{
		Text: told.Text, Host: n.host, Rule: told.Rule, Container: first.Container, Name: first.Name, Step: policy2.StepWarn, ActionID: o.id,
		Awaited: o.moves(),
	}
	if told.Project != "" {
		m.Container, m.Name = "", told.Project
	}
	if told.NextStep != "" {
		m.Next = &notify.Next{Step: told.NextStep, At: told.NextAt}
	}
	return m
}
