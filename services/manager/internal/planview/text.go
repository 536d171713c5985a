package planview

import (
	"fmt"
	"strconv"
	"strings"

	"gestor.local/contract"
	"gestor.local/contract/policy2"
	"gestor.local/manager/internal/rules"
)

// Texts explains the verdicts of one plan.
type Texts struct {
	policy policy2.Policy
	facts  *rules.Facts
	plan   *rules.Plan
	byID   map[string]*rules.Container
	// own says of each own container by which selector it is.
	own map[string]int
	// groups is how many compete in each group of a rule, nil where nobody asks for that.
	groups map[group]int
}

// group is one of a rule that gives places.
type group struct {
	rule int
	name string
}

// NewTexts makes the texts of a plan under the policy, made from the facts.
func NewTexts(p policy2.Policy, f *rules.Facts, plan *rules.Plan) *Texts {
	t := &Texts{policy: p, facts: f, plan: plan, byID: make(map[string]*rules.Container, len(f.Containers)), own: make(map[string]int)}
	for i := range f.Containers {
		c := &f.Containers[i]
		t.byID[c.ID] = c
		if selector, ok := p.Owns(c.Identity, f.Suite); ok {
			t.own[c.ID] = selector
		}
	}
	return t
}

// NewPlanTexts is NewTexts for those who explain the plan at length: of a place the texts also say of how many it is, and by which
// figures.
func NewPlanTexts(p policy2.Policy, f *rules.Facts, plan *rules.Plan) *Texts {
	t := NewTexts(p, f, plan)
	t.groups = make(map[group]int, len(plan.Groups))
	for _, g := range plan.Groups {
		t.groups[group{g.Rule, g.Group}] = g.Held + g.Over
	}
	return t
}

// Container is the one with this id, nil for none.
func (t *Texts) Container(id string) *rules.Container { return t.byID[id] }

// OwnBy is the selector of own that the container is own by; not ok for one that is not.
func (t *Texts) OwnBy(id string) (selector int, ok bool) {
	selector, ok = t.own[id]
	return selector, ok
}

// Of says the reason of a verdict.
func (t *Texts) Of(v *rules.Verdict) string {
	if v.Standing != rules.StandingReady {
		return t.standing(v)
	}

	text := t.reason(v)
	switch readings := Readings(v.Read); {
	case readings == "":
		return text
	case strings.Contains(text, ":"):
		return text + "; " + readings
	default:
		return text + ": " + readings
	}
}

// standing is why a container cannot be judged now.
func (t *Texts) standing(v *rules.Verdict) string {
	switch v.Standing {
	case contract.ReasonNotOwned:
		return t.notOwned(v.ID)
	case contract.ReasonProtected:
		return t.protected(v.ID)
	default:
		return ReasonText(v.Standing)
	}
}

func (t *Texts) notOwned(id string) string {
	c := t.byID[id]
	switch {
	case c == nil:
		return ReasonText(contract.ReasonNotInEngine)
	case c.Socket.Known && c.Socket.Value:
		return "no selector of own matches it: it mounts the engine's socket, for which a selector has to say so"
	case !c.Socket.Known:
		return "no selector of own surely matches it: what it mounts is not known"
	default:
		return "no selector of own matches it"
	}
}

func (t *Texts) protected(id string) string {
	c := t.byID[id]
	if c == nil {
		return "protected"
	}

	by, ok := t.policy.Protects(c.Identity, t.facts.Suite)
	switch {
	case !ok:
		return "protected"
	case by.BuiltIn != "":
		return "part of Gestor itself"
	default:
		return fmt.Sprintf("protected: containers %s", t.policy.Protect[by.Selector].Words())
	}
}

// reasonTexts are the texts of the reasons that carry no number.
var reasonTexts = map[string]string{
	contract.ReasonSuite:       "part of Gestor itself",
	contract.ReasonNotInEngine: "measured, but this engine does not know it",
	contract.ReasonLeaving:     "an earlier action on it is still in flight",
	contract.ReasonStuck:       "acting on it failed too often: it is left alone until it changes",
	contract.ReasonFutile:      "it came back under the same name each time it was removed: that pauses",
	contract.ReasonPaused:      "paused: it is not judged, and holds no place",
	contract.ReasonNotOwned:    "no selector of own matches it",
	contract.ReasonProtected:   "a selector of protect matches it",
	contract.ReasonYoung:       "too new: it is judged once it was there for the whole warm-up",
	contract.ReasonWithinQuota: "it holds a place",
	contract.ReasonOverQuota:   "it holds none of the places",
	contract.ReasonUnmeasured:  "not measured this time",
	contract.ReasonElsewhere:   "an orchestrator keeps it and would start another: it is only warned of",
	contract.ReasonNotRunning:  "the engine does not call it running",
	contract.ReasonOrphaned:    "the generator that started it is gone and the suite ends: nobody else would remove it",
	contract.ReasonYoungFlood:  "among the newest of more young containers than young.max allows",
	contract.ReasonMemoryFloor: "among the newest while the host's memory is under young.memory_floor_kb",
	contract.ReasonCapped:      "it is to go, but the budget is used up",
	rules.ReasonNoRule:         "no rule decides about it",
	rules.ReasonKeepRule:       "the rule keeps it",
	rules.ReasonHolds:          "the rule holds",
	rules.ReasonWaits:          "the wait before the next step has not passed",
	rules.ReasonWarnWaits:      "its notice is not delivered yet",
	rules.ReasonFinished:       "all steps of the rule are done",
	rules.ReasonDoubt:          "it cannot be known whether a gentler rule holds",
	rules.ReasonUnitSpared:     "its project stays whole: a container of it may not be touched",
	rules.ReasonNeeded:         "a container that stays needs it",
	rules.ReasonOwnGrew:        "it came to be own after the approval, with many others: it is only warned of until the next one",
	rules.ReasonRmStop:         "it was started with --rm: a stop would delete it, so it is only warned of",
	rules.ReasonRmVolumes:      "it was started with --rm and has anonymous volumes, which would go with it: it is only warned of",
	rules.ReasonJustStarted:    "somebody started it less than ten minutes ago",
}

// ReasonText is the text of the reasons that carry no number; the reason itself where it has none.
func ReasonText(reason string) string {
	if text, ok := reasonTexts[reason]; ok {
		return text
	}
	return reason
}

// reason is that of one that was judged.
func (t *Texts) reason(v *rules.Verdict) string {
	switch v.Reason {
	case contract.ReasonWithinQuota, contract.ReasonOverQuota:
		return t.place(v)
	case rules.ReasonDoubt:
		return "it cannot be known whether " + t.names(v.Doubt) + " holds, which is gentler"
	case rules.ReasonUnitSpared:
		return "its project stays whole: " + t.by(v) + " may not be touched"
	case rules.ReasonNeeded:
		return t.by(v) + " needs it and stays"
	case contract.ReasonCapped:
		if v.Rank > 0 {
			return t.place(v) + "; " + ReasonText(v.Reason)
		}
		return ReasonText(v.Reason)
	case rules.ReasonHolds, rules.ReasonWaits:
		if v.Rank > 0 {
			return t.place(v)
		}
	}
	return ReasonText(v.Reason)
}

func (t *Texts) names(indices []int) string {
	var names []string
	for _, i := range indices {
		if name := t.policy.RuleName(i); name != "" {
			names = append(names, strconv.Quote(name))
		}
	}
	if len(names) == 1 {
		return "rule " + names[0]
	}
	return "one of the rules " + strings.Join(names, ", ")
}

// by is who stands behind a guard.
func (t *Texts) by(v *rules.Verdict) string {
	if c := t.byID[v.By]; c != nil {
		return nameOf(c.Name, c.ID)
	}
	if v.By == "" {
		return "another container"
	}
	return contract.Printable(v.By)
}

// nameOf is a container's name as it can be shown, else the beginning of its id.
func nameOf(name, id string) string {
	if name == "" {
		return id[:min(12, len(id))]
	}
	return contract.Printable(name)
}

// Readings are the figures that were compared: "age 8d1h >= 3d".
func Readings(read []rules.Reading) string {
	words := make([]string, 0, len(read))
	for _, r := range read {
		value := "unknown"
		if r.Known {
			value = figure(r.Key, r.Value)
		}
		sign := ">="
		if r.Known && r.Value < r.Needs {
			sign = "<"
		}
		words = append(words, fmt.Sprintf("%s %s %s %s", r.Key, value, sign, figure(r.Key, r.Needs)))
	}
	return strings.Join(words, ", ")
}

// figure is a value of a condition in its own unit (see rules.Reading).
func figure(key string, value int64) string {
	switch key {
	case "age", "idle", "ended", "expired", "for":
		return policy2.Duration(value).String()
	case "cpu":
		return policy2.Percent(value).String()
	case "ram":
		return policy2.Size(value << 10).String()
	default:
		return strconv.FormatInt(value, 10)
	}
}
