package survey

import (
	"slices"
	"strings"

	"gestor.local/contract/policy2"
)

// loop is when a container restarts again and again.
var loop = policy2.Restarts{Count: 5, Within: 10 * policy2.Minute} //nolint:gochecknoglobals // a constant

// propose says what a policy would do with those of a kind: whom it would own, and the rule. Every rule begins with a warning, and none
// takes a volume along.
func (h *host) propose(f *finding, k *Kind) {
	if f.kind == KindAnonymousVolumes {
		k.Why = "a volume without a name may hold the only copy of something: no rule takes one along. " +
			"Look into them, then remove a container with its volumes by docker rm --volumes NAME"
		return
	}

	rule := ruleOf(f)
	rule.Match = h.selectors(f)
	if len(rule.Match) == 0 {
		k.Why = "none of them can be told apart from others of this host that are to stay"
		return
	}

	// A removal is proposed only where nothing of whom the rule may ever reach would be left behind or lost.
	if h.reachesHolders(rule.Match) {
		rule.Do = slices.DeleteFunc(rule.Do, func(r policy2.Rung) bool { return r.Step == policy2.StepRemove })
	}
	k.Own, k.Rule = rule.Match, &rule
	k.Sentence = rule.Sentence(policy2.Default())
}

// ruleOf is the rule for a kind, without whom it speaks of.
func ruleOf(f *finding) policy2.Rule {
	ladder := func(steps ...policy2.Rung) policy2.Ladder {
		return append(policy2.Ladder{{Step: policy2.StepWarn}}, steps...)
	}
	stop := func(after policy2.Duration) policy2.Rung { return policy2.Rung{Step: policy2.StepStop, After: after} }
	remove := func(after policy2.Duration) policy2.Rung { return policy2.Rung{Step: policy2.StepRemove, After: after} }

	switch f.kind {
	case KindRestarting:
		return policy2.Rule{
			Name: "restarting", When: policy2.Conditions{Restarts: loop, For: 10 * policy2.Minute}, Do: ladder(stop(policy2.Hour)),
		}

	case KindTool: // a day is longer than any job, and short enough that a host does not fill
		return policy2.Rule{
			Name: f.tool.name, When: policy2.Conditions{Age: policy2.Day}, Do: ladder(stop(4*policy2.Hour), remove(policy2.Day)),
		}

	case KindProject:
		return policy2.Rule{
			Name: "old projects", Each: policy2.EachProject, When: policy2.Conditions{Age: 3 * policy2.Day},
			Do: ladder(stop(policy2.Day), remove(3*policy2.Day)),
		}

	case KindEnded:
		return policy2.Rule{Name: "ended", When: policy2.Conditions{Ended: policy2.Day}, Do: ladder(remove(policy2.Day))}

	case KindCreated:
		return policy2.Rule{Name: "never started", When: policy2.Conditions{Ended: policy2.Day}, Do: ladder(remove(policy2.Day))}

	case KindIdle:
		return policy2.Rule{Name: "idle", When: policy2.Conditions{Idle: 12 * policy2.Hour}, Do: ladder(stop(12 * policy2.Hour))}

	default: // no memory limit: a rule sets none, it tells of whoever takes a quarter of the host
		const quarter = 25_00 // hundredths of a percent
		return policy2.Rule{
			Name: "memory", When: policy2.Conditions{RAM: policy2.Memory{Percent: quarter}, For: 5 * policy2.Minute}, Do: ladder(),
		}
	}
}

// selectors say who the members are. What is general comes first, so that those count too who come later; but a selector that matches
// anybody else of the host is none, and an image of which there is one container only says nothing of the next: then they are named.
func (h *host) selectors(f *finding) (list []policy2.Selector) {
	if f.kind == KindProject {
		var names []string
		for _, c := range f.members {
			if isPlain(c.Project()) {
				names = addText(names, c.Project())
			}
		}
		if names == nil {
			return nil
		}
		return []policy2.Selector{{Project: names}}
	}

	var images, names []string
	same := make(map[string]int)
	for _, c := range f.members {
		same[policy2.ImageGlob(c.Image)]++
	}
	for _, c := range f.members {
		if f.kind == KindTool {
			if mark, ok := f.tool.mark(c.Identity); ok && h.matchesOnly(mark, f) {
				list = addSelector(list, mark)
				continue
			}
		}

		name := policy2.ImageGlob(c.Image)
		switch {
		case isPlain(name) && same[name] > 1 && h.matchesOnly(image(name), f):
			images = addText(images, name)
		case isPlain(c.Name):
			names = append(names, c.Name)
		}
	}

	slices.Sort(images)
	if len(images) > 0 {
		list = append(list, image(images...))
	}
	if len(names) > 0 {
		list = append(list, policy2.Selector{Name: names})
	}
	return list
}

// isPlain says whether a text that others chose names just one thing in a policy. A project is any value of a label: one of * would be
// every project.
func isPlain(text string) bool {
	return text != "" && strings.Trim(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-/:") == ""
}

func addText(list []string, text string) []string {
	if slices.Contains(list, text) {
		return list
	}
	return append(list, text)
}

func addSelector(list []policy2.Selector, s policy2.Selector) []policy2.Selector {
	if slices.ContainsFunc(list, func(o policy2.Selector) bool { return sameSelector(o, s) }) {
		return list
	}
	return append(list, s)
}

// matchesOnly says whether a selector matches, of those that a policy may own, nobody but whom the rule of the finding is for. What is
// not known of somebody counts as a match.
func (h *host) matchesOnly(s policy2.Selector, f *finding) bool {
	return !slices.ContainsFunc(h.all, func(c *container) bool {
		return !c.never && s.Matches(c.Identity, nil) != policy2.False && !h.isFor(f, c)
	})
}

// isFor says whether the rule of a finding may speak of the container: it is one of its members, or of the same tool and would not be
// parked.
func (h *host) isFor(f *finding, c *container) bool {
	if slices.Contains(f.members, c) {
		return true
	}
	return f.kind == KindTool && c.tool == f.tool && c.candidate && len(h.whyParked(c)) == 0
}

// reachesHolders says whether any of those whom the selectors match holds what a removal would leave behind, or is kept otherwise.
func (h *host) reachesHolders(match []policy2.Selector) bool {
	p := policy2.Default()
	return slices.ContainsFunc(h.all, func(c *container) bool {
		return c.candidate && p.MatchesAny(match, c.Identity) != policy2.False && len(h.holdsOrBelongs(c)) > 0
	})
}

// holdsOrBelongs is what would park the container if it did not run.
func (h *host) holdsOrBelongs(c *container) []ParkedWord {
	if notRunning(c) {
		return h.whyParked(c)
	}
	return c.holds()
}
