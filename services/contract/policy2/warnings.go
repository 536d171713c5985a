package policy2

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"gestor.local/contract"
)

// Warnings lists what is probably not meant in a valid policy: first what acts too late or too much, each a line. They follow
// from the policy alone; what a host has is not asked.
func (p Policy) Warnings() []string {
	var out []string
	for _, find := range []func(Policy) []string{
		ofPairs(hidesEmergency), ofPairs(doubtsByIdle),
		Policy.actsOnNobody, Policy.endsEverybody,
		ofPairs(neverReached), ofPairs(throttlesBelow), ofPairs(keepsEmergency),
		Policy.boundByDefault,
	} {
		out = append(out, find(p)...)
	}

	for i, text := range out {
		out[i] = contract.Printable(text)
	}
	return out
}

// ofPairs asks of each rule and each below it, "" being no warning, and leaves out those that speak of other containers.
func ofPairs(find func(above, below Rule) string) func(Policy) []string {
	return func(p Policy) (out []string) {
		for i, above := range p.Rules {
			for _, below := range p.Rules[i+1:] {
				text := find(above, below)

				// Asked last: of long lists it takes the longest.
				if text != "" && Overlaps(above.Match, below.Match) {
					out = append(out, text)
				}
			}
		}
		return out
	}
}

// conditions are those of the rule's steps.
func (r Rule) conditions() Conditions {
	if r.Keep.IsZero() {
		return r.When
	}
	return r.RestWhen
}

// endsLife is the first step of the ladder that is a stop or a removal, and how long after the first step it comes.
func (l Ladder) endsLife() (step Step, after Duration, ok bool) {
	for _, rung := range l {
		after += rung.After
		if rung.Step == StepStop || rung.Step == StepRemove {
			return rung.Step, after, true
		}
	}
	return "", 0, false
}

// givesNotice says whether the rule begins with a warning and later ends a life.
func (r Rule) givesNotice() bool {
	_, _, ends := r.Steps().endsLife()
	return ends && r.Steps()[0].Step == StepWarn
}

// isEmergency says whether the rule ends a life at once for what a container does.
func (r Rule) isEmergency() bool {
	_, after, ends := r.Steps().endsLife()
	c := r.conditions()
	return ends && after == 0 && (c.CPU != 0 || c.RAM != Memory{} || c.Processes != 0 || c.Restarts != Restarts{})
}

func hidesEmergency(above, below Rule) string {
	if !above.givesNotice() || above.conditions().Ended != 0 || !below.isEmergency() {
		return ""
	}
	_, notice, _ := above.Steps().endsLife()
	return fmt.Sprintf("rule %q gives %v of notice, in which %q below does not act on the same containers", above.Name, notice, below.Name)
}

// doubtsByIdle: while it is unknown whether the rule above holds, nothing harsher than its notice is done.
func doubtsByIdle(above, below Rule) string {
	harsher := below.Steps().Has(StepThrottle) || below.Steps().Has(StepStop) || below.Steps().Has(StepRemove)
	if !above.givesNotice() || above.conditions().Idle == 0 || below.conditions().Age == 0 || !harsher {
		return ""
	}
	return fmt.Sprintf("rule %q may be in doubt for ever for those on the host's network, which %q below then does not touch", above.Name, below.Name)
}

func (p Policy) endsEverybody() (out []string) {
	verbs := map[Step]string{StepStop: "stops", StepRemove: "removes"}
	for _, r := range p.Rules {
		step, after, ends := r.Do.endsLife()
		if ends && after == 0 && r.When == (Conditions{}) && len(p.Own) > 0 && covers(r.Match, p.Own) {
			out = append(out, fmt.Sprintf("rule %q %s every own container at once", r.Name, verbs[step]))
		}
	}
	return out
}

func neverReached(above, below Rule) string {
	if !above.decidesAll(below) {
		return ""
	}
	return fmt.Sprintf("rule %q is never reached: %q decides of all it speaks of", below.Name, above.Name)
}

// decidesAll says whether the rule surely decides whomever the one below it speaks of.
func (r Rule) decidesAll(below Rule) bool {
	if !r.Steps().Decides() || r.conditions() != (Conditions{}) || !covers(r.Match, below.Match) {
		return false
	}

	// It speaks of a project only where it speaks of every member, of whom the one below may be one.
	if r.Each == EachProject && r.Match != nil && below.Each != EachProject {
		return false
	}

	// Places are for those that run, and a ladder that has ended with a stop says nothing more of the stopped.
	switch last := r.Steps()[len(r.Steps())-1].Step; {
	case !r.Keep.IsZero():
		return r.Keep.Per.By == ByAll && below.isOfRunning()
	case last == StepStop:
		return below.isOfRunning()
	default:
		return true
	}
}

// isOfRunning says whether the rule can hold only for those that run.
func (r Rule) isOfRunning() bool {
	c := r.conditions()
	return !r.Keep.IsZero() || c.Idle != 0 || c.CPU != 0 || c.RAM != Memory{} || c.Processes != 0 || c.Restarts != Restarts{}
}

func throttlesBelow(above, below Rule) string {
	stays := !above.Keep.IsZero() || above.Do.Has(StepKeep)
	if !stays || above.conditions() != (Conditions{}) || !below.Steps().Has(StepThrottle) || above.decidesAll(below) {
		return ""
	}

	reaches := "it reaches only those without a place"
	if above.Keep.IsZero() {
		reaches = "it does not reach those that stay"
	}
	return fmt.Sprintf("rule %q throttles below %q: %s", below.Name, above.Name, reaches)
}

// keepsEmergency is not for do: keep, where it is meant, nor for rules on what has ended, which competes for no place.
func keepsEmergency(above, below Rule) string {
	step, _, ends := below.Steps().endsLife()
	if above.Keep.IsZero() || !ends || below.conditions().Ended != 0 || above.decidesAll(below) {
		return ""
	}
	return fmt.Sprintf("rule %q gives places to those whom %q below would %s", above.Name, below.Name, step)
}

// boundByDefault: who writes how many may go in a short span, and not in a longer one, is bound by the longer one's default.
func (p Policy) boundByDefault() (out []string) {
	isDefault := func(r Rate) bool { return slices.Contains(defaultBudget(), r) }

	// Rates are sorted by span: what was met before is of a shorter one.
	var most Rate // of those that are written
	for _, r := range p.Budget {
		switch {
		case !isDefault(r) && r.N > most.N:
			most = r
		case isDefault(r) && r.N < most.N:
			out = append(out, fmt.Sprintf("%v (default) is below %v (write per %s too)", r, most, r.span()))
		}
	}
	return out
}

// actsOnNobody finds a policy none of whose rules speaks of anybody who is own: mostly one without own, whose rules speak of
// other people's containers.
func (p Policy) actsOnNobody() []string {
	mayAct := func(r Rule) bool {
		return r.Match == nil || Overlaps(r.Match, p.Own) && (p.NeedsApproval() || slices.ContainsFunc(r.Match, p.maySpeakOfGestors))
	}
	if len(p.Own) == 0 || len(p.Rules) == 0 || slices.ContainsFunc(p.Rules, mayAct) {
		return nil
	}

	// One rule is enough to say what own would have to be.
	r := p.Rules[0]
	own := strings.Join(wordsOf(p.Own, Selector.keys), ", or ")
	if len(p.Own) == 1 && p.Own[0].Label != nil {
		own = strings.TrimPrefix(own, "label ")
	}
	return []string{fmt.Sprintf("no rule can act: own is %s, rule %q speaks of %s (own: [%s])", own, r.Name,
		strings.Join(wordsOf(r.Match, Selector.keys), ", or "), strings.Join(wordsOf(r.Match, Selector.yaml), ", "))}
}

// maySpeakOfGestors says whether the selector may match what Gestor's own generator starts: that is of no compose project, has
// no labels but gestor's, and images of gestor's or of those that the policy names.
func (p Policy) maySpeakOfGestors(s Selector) bool {
	if len(s.Project) > 0 || slices.ContainsFunc(s.allLabels(), func(l Label) bool { return !strings.HasPrefix(l.Key, "gestor.") }) {
		return false
	}
	known := append(slices.Collect(maps.Keys(p.Images)), "gestor/*")
	return !apart(s.Image, known, imagesMeet)
}

// keyValues are the keys that the selector has, each with its values as text.
func (s Selector) keyValues() (keys []string, values [][]string) {
	add := func(key string, list []string) {
		if len(list) > 0 {
			keys, values = append(keys, key), append(values, list)
		}
	}

	if s.Label != nil {
		add("label", []string{s.Label.String()})
	}
	add("labels", wordsOf(s.Labels, Label.String))
	add("network", s.Network)
	add("image", s.Image)
	add("name", s.Name)
	add("project", s.Project)
	add("class", wordsOf(s.Class, func(c contract.Class) string { return string(c) }))

	if s.Socket {
		add("socket", []string{"true"})
	}
	return keys, values
}

// keys writes the selector as words: image mcp/*.
func (s Selector) keys() string {
	keys, values := s.keyValues()
	for i := range keys {
		keys[i] += " " + strings.Join(values[i], ", ")
	}
	return strings.Join(keys, " ")
}

// plainYAML is a text that means itself in a mapping of one line.
var plainYAML = regexp.MustCompile(`^[A-Za-z_/][A-Za-z0-9_./=*?:@-]*$`)

// yaml writes the selector as a policy does: {image: mcp/*}.
func (s Selector) yaml() string {
	keys, values := s.keyValues()
	for i := range keys {
		list := slices.Clone(values[i])
		for j, text := range list {
			if !plainYAML.MatchString(text) || strings.HasSuffix(text, ":") {
				list[j] = strconv.Quote(text)
			}
		}

		one := strings.Join(list, ", ")
		if len(list) > 1 {
			one = "[" + one + "]"
		}

		keys[i] += ": " + one
	}
	return "{" + strings.Join(keys, ", ") + "}"
}
