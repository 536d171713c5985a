package explain

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"gestor.local/contract"
	"gestor.local/contract/policy2"
	"gestor.local/manager/internal/planview"
	"gestor.local/manager/internal/rules"
)

// answer adds what one rule says.
func (x *Explanation) answer(t *ruledTick, c *rules.Container, v *rules.Verdict, a rules.Answer) {
	out := RuleAnswer{Index: a.Rule + 1, Rule: t.policy.RuleName(a.Rule)}
	if a.HoldsAtGUS != 0 && a.Match == policy2.True {
		out.Holds = t.at(a.HoldsAtGUS)
	}

	var unknown []string
	switch passing := passingOf(v, a.Rule); {
	case a.Rule == v.Rule:
		out.Answer, out.Text = answerYes, t.texts.Of(v)
	case passing != nil:
		out.Answer, out.Text = answerYes, joined(planview.ReasonText(passing.Reason), planview.Readings(a.Read))
	default:
		out.Answer, out.Text, unknown = t.without(c, v, a)
	}

	if out.Answer == answerNo && !out.Holds.IsZero() {
		out.Text += "; it will hold " + when(out.Holds, t.ref().At)
	}
	for _, what := range unknown {
		if !slices.Contains(x.Unknown, what) {
			x.Unknown = append(x.Unknown, what)
		}
	}
	x.Rules = append(x.Rules, out)
}

func joined(words ...string) string {
	return strings.Join(slices.DeleteFunc(words, func(s string) bool { return s == "" }), ": ")
}

func passingOf(v *rules.Verdict, rule int) *rules.Passing {
	for i := range v.Passing {
		if v.Passing[i].Rule == rule {
			return &v.Passing[i]
		}
	}
	return nil
}

// without is the answer of a rule that takes no step.
func (t *ruledTick) without(c *rules.Container, v *rules.Verdict, a rules.Answer) (answer, text string, unknown []string) {
	r := &t.policy.Rules[a.Rule]
	read := planview.Readings(a.Read)

	switch {
	case a.Match == policy2.False, a.Match == policy2.Unknown && a.Holds != policy2.False:
		text, unknown = mismatchText(r.Match, c.Identity, t.policy)
		if a.Match == policy2.False {
			return answerNo, cmp.Or(text, "another container of its project does not match"), nil
		}
		if len(unknown) == 0 {
			unknown = []string{"whether another container of its project matches"}
		}
		return answerUnknown, "unknown: " + strings.Join(unknown, ", "), unknown

	case a.Holds == policy2.False:
		if a.Others && allMet(a.Read) {
			read = joined("not of every container of its project", read)
		}
		text = orNotOfThis(read, r, c)
		if a.Throttled {
			text += "; its limit is given back once that has been so for " + r.Calm.String()
		}
		return answerNo, text, nil

	case a.Holds == policy2.Unknown, slices.Contains(v.Doubt, a.Rule):
		unknown = t.unknownIn(c, a)
		if len(unknown) == 0 {
			unknown = []string{"a fact of another container of its project"}
		}
		text = "unknown: " + strings.Join(unknown, ", ")
		if isExpired := func(r rules.Reading) bool { return r.Key == "expired" }; read != "" && !slices.ContainsFunc(a.Read, isExpired) {
			text += " (" + read + ")"
		}
		return answerUnknown, text, unknown

	case a.Done >= len(r.Steps()) && a.Throttled && !r.Steps().Decides():
		return answerDone, joined("its limit is in force", read), nil
	case a.Done >= len(r.Steps()):
		return answerDone, "all its steps are done: it says nothing more until the container starts again", nil

	case !r.Keep.IsZero():
		return answerNo, t.noContest(r, c), nil
	default:
		return answerNo, joined(t.noStep(r, c, v), read), nil
	}
}

// noStep is why a rule that only warns or throttles, and holds, takes no step.
func (t *ruledTick) noStep(r *policy2.Rule, c *rules.Container, v *rules.Verdict) string {
	switch {
	case v.Step == policy2.StepStop || v.Step == policy2.StepRemove:
		return "it holds, and another rule ends the container on this tick"
	case len(v.Doubt) > 0:
		return "it holds, and a gentler rule above may"
	case r.Each == policy2.EachProject && c.Project() != "":
		return "it holds, and the project stays whole: a container of it may not be touched"
	default:
		return "it holds, and must do so anew since its limit was given back"
	}
}

// allMet says that every figure reaches its threshold.
func allMet(read []rules.Reading) bool {
	return !slices.ContainsFunc(read, func(r rules.Reading) bool { return !r.Known || r.Value < r.Needs })
}

// orNotOfThis is what a rule compared, or why it compares nothing of such a container.
func orNotOfThis(read string, r *policy2.Rule, c *rules.Container) string {
	switch of := conditionsOf(r); {
	case of.Ended != 0 && c.Alive():
		return "it has not ended"
	case of != (policy2.Conditions{}) && of.Ended == 0 && of.Age == 0 && of.Expired == "" && c.State != contract.StateRunning && c.State != contract.StateRestarting:
		return "it does not run"
	case of.Expired != "" && read == "":
		return "no label " + of.Expired
	default:
		return read
	}
}

func conditionsOf(r *policy2.Rule) policy2.Conditions {
	if !r.Keep.IsZero() {
		return r.RestWhen
	}
	return r.When
}

// noContest is why the container does not compete in a rule that gives places.
func (t *ruledTick) noContest(r *policy2.Rule, c *rules.Container) string {
	if c.State != contract.StateRunning {
		return "it does not run, and only those that do compete"
	}
	if by := r.Keep.Per; by.By == policy2.ByLabel && c.Labels[by.Label] == "" {
		return "no label " + by.Label + ", so it has no group"
	}
	return "it does not compete: it has no group"
}

// unknownIn is what of a container could not be had that the rule asks for.
func (t *ruledTick) unknownIn(c *rules.Container, a rules.Answer) (out []string) {
	add := func(what string) {
		if !slices.Contains(out, what) {
			out = append(out, what)
		}
	}

	for _, read := range a.Read {
		if !read.Known {
			add(t.unknownFact(c, read.Key, conditionsOf(&t.policy.Rules[a.Rule])))
		}
	}

	// A place may be unknown for want of a figure that orders.
	if r := &t.policy.Rules[a.Rule]; len(out) == 0 && !r.Keep.IsZero() {
		switch byAge := r.Keep.Order == policy2.Newest || r.Keep.Order == policy2.Oldest; {
		case byAge && !c.CreatedWallUS.Known:
			add("when it was created")
		case !byAge && !c.HasRow:
			add("its figures: the reading has no row of it")
		case !byAge:
			add("its figures, before the warm-up of this start is over")
		}
	}
	return out
}

// unknownFact is why the figure of a condition could not be had.
func (t *ruledTick) unknownFact(c *rules.Container, key string, of policy2.Conditions) string {
	switch key {
	case "age", "expired", "ended":
		life := c.Labels[of.Expired]
		_, err := policy2.ParseDuration(life)
		switch {
		case t.facts.ClockInDoubt:
			return "the time: the clock is in doubt"
		case key == "ended":
			return "when it ended"
		case key == "expired" && err != nil:
			return "the value of label " + of.Expired + ": " + strconv.Quote(life) + " is no duration"
		default:
			return "when it was created"
		}

	case "idle":
		switch {
		case c.NetworkMode.Known && c.NetworkMode.Value == "host":
			return "network of the host"
		case !c.NetworkMode.Known:
			return "its network mode"
		case !c.NetBytes.Known:
			return "its network counters"
		default:
			return "what it did: it was out of sight, or has no counter"
		}

	case "restarts":
		return "how often it was restarted: it could not be inspected"
	}

	if !c.HasRow {
		return key + ": the reading has no row of it"
	}
	return key + ": it is not measured before the warm-up of this start is over"
}

// unless lists what would undo the next step of a rule.
func (t *ruledTick) unless(r *policy2.Rule, c *rules.Container, v *rules.Verdict, trace rules.Trace, rule int) (out []string) {
	byRule := func(a rules.Answer) bool { return a.Rule == rule && a.Stopped }
	stopped := slices.ContainsFunc(trace.Answers, byRule) && !c.Alive() || v.Rule == rule && v.Step == policy2.StepStop && t.plan.CarriesOut(v.Step)
	of := conditionsOf(r)

	// After a stop of ours the ladder goes on by time alone.
	switch {
	case stopped, of.Ended != 0:
		out = append(out, "somebody starts it")
	default:
		if !r.Keep.IsZero() {
			out = append(out, "it is among the "+t.places(r, c, v, rule))
		}
		for _, cond := range []struct {
			is   bool
			text string
		}{
			{of.Idle != 0, "it uses CPU or network"},
			{of.CPU != 0, "it uses less CPU"},
			{!of.RAM.IsZero(), "it uses less memory"},
			{of.Processes != 0, "it runs fewer processes"},
			{!of.Restarts.IsZero(), "it runs on without a restart"},
		} {
			if cond.is {
				out = append(out, cond.text)
			}
		}
	}

	if r.Each == policy2.EachProject && c.Project() != "" {
		out = append(out, "the project is redeployed")
	}
	if t.readsName(r, c) {
		out = append(out, "it is renamed")
	}
	if len(out) == 0 {
		out = append(out, "it is protected")
	}
	return out
}

// places are those of the container's group: newest 2 of preview.branch = a.
func (t *ruledTick) places(r *policy2.Rule, c *rules.Container, v *rules.Verdict, rule int) string {
	text := string(r.Keep.Order) + " " + itoa(r.Keep.Places)
	group := ""
	if v.Rule == rule {
		group = v.Group
	}

	switch per := r.Keep.Per; per.By {
	case policy2.ByAll:
		return text
	case policy2.ByLabel:
		if group == "" {
			group = c.Labels[per.Label]
		}
		return text + " of " + per.Label + " = " + contract.Printable(group)
	case policy2.ByProject:
		group = c.Project()
	case policy2.ByImage:
		group = c.Image
	default:
		class, _ := t.policy.ClassOf(c.Identity)
		group = string(class)
	}
	return text + " of " + r.Keep.Per.String() + " " + contract.Printable(group)
}

// readsName says that another name could take the container away from the rule, or protect it.
func (t *ruledTick) readsName(r *policy2.Rule, c *rules.Container) bool {
	byName := func(s policy2.Selector) bool { return len(s.Name) > 0 }
	if slices.ContainsFunc(t.policy.Protect, byName) || slices.ContainsFunc(r.Match, byName) {
		return true
	}
	selector, own := t.texts.OwnBy(c.ID)
	return own && byName(t.policy.Own[selector])
}
