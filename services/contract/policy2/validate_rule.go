package policy2

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

func (c *checker) rules(rules []Rule) {
	atMost(c, "rules", len(rules), maxRules, "rules", "a policy")

	first := map[string]int{}
	for i, r := range rules {
		where := fmt.Sprintf("rules[%d]", i)
		c.rule(where, r)

		if j, ok := first[r.Name]; ok && r.Name != "" {
			c.add(where+".name", fmt.Sprintf("stands twice, first at rules[%d]", j), "")
		} else {
			first[r.Name] = i
		}
	}
}

func (c *checker) rule(where string, r Rule) {
	c.ruleName(where+".name", r.Name)
	c.match(where+".match", r.Match)
	if r.Each != EachUnset {
		oneOf(c, where+".each", r.Each, EachContainer, EachProject)
	}

	c.shape(where, r)
	if !r.Keep.IsZero() {
		c.keep(where, r)
	}
	if r.Do != nil {
		c.ladder(where+".do", r.Do)
	}
	if r.Rest != nil {
		c.ladder(where+".rest", r.Rest)
	}

	c.conditions(where+".when", r.When, r.Do)
	c.conditions(where+".rest_when", r.RestWhen, r.Rest)
	if r.RestWhen.Ended != 0 {
		c.add(where+".rest_when.ended", "never holds: keep counts those that run", "a rule with when: {ended: "+r.RestWhen.Ended.String()+"}")
	}

	c.modifiers(where, r)
}

func (c *checker) ruleName(where, name string) {
	switch n := utf8.RuneCountInString(name); {
	case strings.TrimSpace(name) == "":
		c.add(where, "is missing", "")

	case !isPrintable(name):
		c.add(where, fmt.Sprintf("%q is not a name", name), "characters that can be printed")

	case n > maxName:
		c.add(where, fmt.Sprintf("%d characters: a name has at most %d", n, maxName), "")
	}
}

// shape looks at which of the keys do, keep, rest, when and rest_when stand together.
func (c *checker) shape(where string, r Rule) {
	keeps := !r.Keep.IsZero()
	switch {
	case keeps && r.Do != nil:
		c.add(where, "has do and keep", "what becomes of the others is called rest")

	case r.Do == nil && (!keeps || r.Rest == nil) && c.read(where+".do", where+".keep", where+".rest"):
		c.add(where, "needs do, or keep with rest", "")

	case r.Do != nil && r.Rest != nil && c.read(where+".keep"):
		c.add(where+".rest", "stands without keep", "do")
	}

	if keeps && r.When != (Conditions{}) {
		c.add(where+".when", "stands beside keep", "rest_when: when the rest goes; keep counts all that match names")
	}
	if !keeps && r.RestWhen != (Conditions{}) && c.read(where+".keep") {
		c.add(where+".rest_when", "stands without keep", "when")
	}
}

func (c *checker) keep(where string, r Rule) {
	if r.Each == EachUnset {
		c.add(where+".each", "is missing beside keep", "container or project: what is counted?")
	}

	k := r.Keep
	switch {
	case k.Order == "" || k.Places == 0:
		if c.read(where + ".keep") {
			c.add(where+".keep", "keeps nothing", "give it a number, or use do")
		}
	case !slices.Contains(Orders(), k.Order):
		oneOf(c, where+".keep", k.Order, Orders()...)
	default:
		within(c, where+".keep."+string(k.Order), k.Places, countBounds("places"))
	}

	per := where + ".keep.per"
	switch {
	case k.Per.By == ByProject && r.Each == EachProject:
		c.add(per, "per project within each: project keeps every one", "")

	case k.Per.By == ByLabel:
		c.labelKey(per, k.Per.Label)

	case !slices.Contains([]GroupBy{ByAll, ByProject, ByImage, ByClass}, k.Per.By):
		c.add(per, fmt.Sprintf("per %q is not known", k.Per.String()), "project, image, class or label KEY")
	}

	if r.Rest.Has(StepKeep) {
		c.add(where+".rest", "keep leaves the rule without effect", "remove the rule")
	}
}

// modifiers looks at the keys that say how a step is done, each of which needs that step.
func (c *checker) modifiers(where string, r Rule) {
	has := func(step Step) bool { return r.Do.Has(step) || r.Rest.Has(step) }
	known := c.read(where+".do", where+".rest") // otherwise the step may stand in what was not read

	switch {
	case has(StepThrottle):
		within(c, where+".calm", r.Calm, durationBounds("calm"))
	case r.Calm != 0 && known:
		c.add(where+".calm", "calm stands without throttle", "")
	}

	switch {
	case r.Volumes == "":
	case r.Volumes != VolumesAnonymous:
		c.onlyWord(where+".volumes", r.Volumes, VolumesAnonymous, "keep")
	case !has(StepRemove) && known:
		c.add(where+".volumes", "volumes stands without remove", "")
	}

	switch {
	case r.Rm == "":
	case r.Rm != RmRemove:
		c.onlyWord(where+".rm", r.Rm, RmRemove, "warn")
	case has(StepRemove):
		c.add(where+".rm", "rm stands beside remove", "a stop there may delete it anyway")
	case !has(StepStop) && known:
		c.add(where+".rm", "rm stands without stop", "")
	}
}

// onlyWord refuses whatever is not the only word of a key; without is what happens without the key.
func (c *checker) onlyWord(where, got, word, without string) {
	if got == without {
		c.add(where, without+" is what happens without the key", "")
		return
	}
	c.add(where, fmt.Sprintf("%q is not known", got), word)
}

func (c *checker) ladder(where string, l Ladder) {
	switch {
	case len(l) == 0:
		c.add(where, "has no step", "keep, warn, throttle, stop, remove")
		return
	case len(l) > maxSteps:
		c.add(where, fmt.Sprintf("%d steps: a ladder has at most %d", len(l), maxSteps), "")
		return
	}

	for i, rung := range l {
		at := at(where, i, len(l))
		c.rung(at, rung)
		if i == 0 && rung.After != 0 {
			c.add(at+".after", "stands on the first step", "it counts from the step before; see for")
		}

		if i > 0 {
			c.order(at, l[:i], rung)
			c.wait(at+".after", l[i-1], rung)
		}
	}
}

func (c *checker) rung(where string, r Rung) {
	switch {
	case !slices.Contains(Steps(), r.Step):
		if r.Step != "" || c.read(where) {
			c.add(where, fmt.Sprintf("%q is not a step", string(r.Step)), "keep, warn, throttle, stop, remove")
		}

	case r.To != 0 && r.Step != StepThrottle:
		c.add(where, fmt.Sprintf("%q takes no percent", string(r.Step)), "throttle to "+r.To.String())

	case r.To != 0 && !percentBounds("throttle").hold(r.To):
		c.add(where, r.String()+" is out of range", percentBounds("throttle").String())
	}
}

// order holds each step against those before it.
func (c *checker) order(where string, before Ladder, r Rung) {
	place := slices.Index(Steps(), r.Step)
	if place < 0 {
		return
	}

	harshest := slices.MaxFunc(before, func(a, b Rung) int { return slices.Index(Steps(), a.Step) - slices.Index(Steps(), b.Step) })
	switch {
	case r.Step == StepKeep || before[0].Step == StepKeep:
		c.add(where, "keep stands alone", "a rule of its own")

	case before.Has(r.Step):
		c.add(where, fmt.Sprintf("%q stands twice", string(r.Step)), "")

	case place > slices.Index(Steps(), harshest.Step):

	case r.Step == StepWarn:
		c.add(where, fmt.Sprintf("warn after %s: what was done is told by itself", harshest.Step), "")

	default:
		c.add(where, fmt.Sprintf("%q stands after %q", string(r.Step), string(harshest.Step)), "")
	}
}

// wait looks at the time between a step and the one before it.
func (c *checker) wait(where string, before, r Rung) {
	if before.Step == StepKeep || r.Step == StepKeep || r.Step == StepWarn { // which stand wrongly whatever the wait
		return
	}

	switch b := durationBounds("after"); {
	case r.After == 0 && before.Step == StepWarn:
		c.add(where, "a notice without a wait is no notice", "after: 1m or more")

	case r.After == 0:
		c.add(where, "is missing", fmt.Sprintf("{after: %v, do: %s}", 10*Minute, r))

	case !b.hold(r.After):
		c.add(where, r.After.String()+" is out of range", b.String())

	case before.Step == StepWarn && r.After < minNotice:
		c.add(where, r.After.String()+" behind warn: too short for a notice", "1m or more")

	case before.Step == StepThrottle && r.After > maxThrottleWait:
		c.add(where, r.After.String()+" behind throttle: a throttle ends after 6h", "6h or less")
	}
}
