package policy2

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"gestor.local/contract"
)

// LongestThrottle is how long a throttle lasts at most before it is given back.
const LongestThrottle = 6 * Hour

// Sentence says the rule as one sentence, with everything that it has and with what the policy says in its stead:
//
//	NAME: WHOM[, once CONDITIONS]: STEPS. [Given back ….] Reading ends here.
//	NAME: counts WHOM; [per GROUP] the N ORDER that run stay; the others[, once CONDITIONS]: STEPS. ….
//
// It is of a valid rule, on one line, and holds nothing that does not print.
func (r Rule) Sentence(p Policy) string {
	parts := []string{r.whom() + r.once(r.When, "once") + ": " + r.stepWords(p)}
	switch {
	case !r.Keep.IsZero():
		parts[0] = "counts " + r.whom() + "; " + r.Keep.words() + "; the others" + r.once(r.RestWhen, "once") + ": " + r.stepWords(p)
		parts = append(parts, "It does not touch those that have ended"+r.Keep.Per.lacking())

	case r.Do.Has(StepKeep):
		parts[0] = r.whom() + r.once(r.When, "while") + ": stay"
	}

	if r.Steps().Has(StepThrottle) {
		parts = append(parts, r.givenBack(p))
	}

	parts = append(parts, "Reading goes on")
	if r.Steps().Decides() {
		parts[len(parts)-1] = "Reading ends here"
	}
	return contract.Printable(r.Name + ": " + strings.Join(parts, ". ") + ".")
}

// whom is of whom the rule speaks.
func (r Rule) whom() string {
	units := "containers"
	if r.Each == EachProject {
		units = "compose projects"
	}

	who := make([]string, len(r.Match))
	for i, s := range r.Match {
		who[i] = s.Words()
	}
	return strings.TrimRight(units+" "+strings.Join(who, ", or "), " ")
}

// Words says whom the selector matches: "with label tier = db of image redis".
func (s Selector) Words() string {
	var out []string
	add := func(what string, values []string, between string) {
		if len(values) > 0 {
			out = append(out, what+" "+strings.Join(values, between))
		}
	}

	if s.Label != nil {
		add("with label", []string{s.Label.words()}, "")
	}
	add("with labels", wordsOf(s.Labels, Label.words), " and ")
	add("of image", s.Image, " or ")
	add("named", s.Name, " or ")
	add("of project", s.Project, " or ")
	add("on network", s.Network, " or ")
	add("of class", wordsOf(s.Class, func(c contract.Class) string { return string(c) }), " or ")

	if s.Socket {
		out = append(out, "that mount the engine's socket")
	}
	return strings.Join(out, " ")
}

func wordsOf[T any](list []T, words func(T) string) []string {
	out := make([]string, len(list))
	for i, v := range list {
		out[i] = words(v)
	}
	return out
}

func (l Label) words() string {
	switch {
	case l.Any:
		return l.Key
	case l.Value == "":
		return l.Key + ` = ""`
	default:
		return l.Key + " = " + l.Value
	}
}

// once is when a rule holds, with the word that joins it to those of whom it speaks; "" for always.
func (r Rule) once(c Conditions, join string) string {
	if c == (Conditions{}) {
		return ""
	}
	return ", " + join + " " + c.words(r.Each)
}

// words says when the conditions hold, for containers or for projects.
func (c Conditions) words(of Each) string {
	var out []string
	add := func(is bool, format string, values ...any) {
		if is {
			out = append(out, fmt.Sprintf(format, values...))
		}
	}

	// A project is as old as its youngest container.
	older := "older than %v"
	if of == EachProject {
		older = "their youngest container is older than %v"
	}
	add(c.Age != 0, older, c.Age)
	add(c.Idle != 0, "idle for %v", c.Idle)
	add(c.CPU != 0, "using %v of a core or more", c.CPU)
	add(c.RAM.Size != 0, "using %v of memory or more", c.RAM.Size)
	add(c.RAM.Percent != 0, "using %v of the host's memory or more", c.RAM.Percent)
	add(c.Processes != 0, "running %s or more", count(c.Processes, "process", "processes"))

	// Who has been up for longer than the mean of that many is out of the loop.
	if restarts := c.Restarts; restarts.Count > 0 {
		add(true, "restarted %s within %v and not up for %v since", count(restarts.Count, "time", "times"), restarts.Within,
			restarts.Within/Duration(restarts.Count))
	}
	add(c.Ended != 0, "ended, or never started, for %v", c.Ended)
	add(c.Expired != "", "past the time in label %s", c.Expired)

	words := strings.Join(out, " and ")
	if c.For != 0 {
		words += fmt.Sprintf(", for %v on end", c.For)
	}
	return words
}

func count(n int, one, more string) string {
	if n == 1 {
		return "1 " + one
	}
	return strconv.Itoa(n) + " " + more
}

// words says who stays.
func (k Keep) words() string {
	group := ""
	if k.Per.By != ByAll {
		group = "per " + k.Per.String() + " "
	}
	if k.Places == 1 {
		return group + "the " + string(k.Order) + " that runs stays"
	}
	return fmt.Sprintf("%sthe %d %s that run stay", group, k.Places, k.Order)
}

// lacking is who belongs to no group, beside those that have ended, and so is not touched.
func (p Per) lacking() string {
	switch p.By {
	case ByLabel:
		return " or lack label " + p.Label
	case ByProject:
		return " or are of no project"
	case ByClass:
		return " or have no class"
	default:
		return ""
	}
}

// stepWords says what becomes of those whom the rule holds, and how long the whole takes where it has two waits.
func (r Rule) stepWords(p Policy) string {
	steps := r.Steps()
	out := make([]string, len(steps))
	var sum Duration
	for i, rung := range steps {
		out[i] = r.stepWord(rung, p)
		sum += rung.After

		switch {
		case i > 1:
			out[i] = rung.After.String() + " after that " + out[i]
		case i == 1:
			out[i] = rung.After.String() + " later " + out[i]
		case rung.Step == StepStop || rung.Step == StepRemove:
			out[i] += " WITHOUT NOTICE"
		}

		if rung.Step == StepStop {
			out[i] += r.autoRemoved()
		}
	}

	words := strings.Join(out, ", ")
	if len(steps) > 2 {
		words += fmt.Sprintf(" (%v after the %s at the earliest)", sum, stepNouns[steps[0].Step])
	}
	return words
}

// stepNouns are what a ladder's later steps count from.
var stepNouns = map[Step]string{StepWarn: "warning", StepThrottle: "throttle", StepStop: "stop"}

// stepWord says what one step does.
func (r Rule) stepWord(rung Rung, p Policy) string {
	switch {
	case rung.Step == StepThrottle:
		return "slowed to " + rung.leaves(p).String() + " of a core"
	case rung.Step == StepRemove && r.Volumes == VolumesAnonymous:
		return rung.Step.Participle() + " with its anonymous volumes"
	default:
		return rung.Step.Participle()
	}
}

// leaves is how much of a core a throttle leaves.
func (r Rung) leaves(p Policy) Percent {
	if r.To != 0 {
		return r.To
	}
	const core = 1000 // millicores
	return Percent(p.Act.ThrottleMillicores) * 100 * percent / core
}

// autoRemoved says what a stop means for a container that was started with --rm, which the engine deletes when it stops; in a
// rule that removes it is one more that is removed.
func (r Rule) autoRemoved() string {
	switch {
	case r.Steps().Has(StepRemove):
		return ""
	case r.Rm == RmRemove:
		return " (a --rm container is deleted by it)"
	default:
		return " (a --rm container is warned instead)"
	}
}

// givenBack says when a throttle ends.
func (r Rule) givenBack(p Policy) string {
	steps := r.Steps()
	throttle := steps[slices.IndexFunc(steps, func(rung Rung) bool { return rung.Step == StepThrottle })]
	when := r.When
	if !r.Keep.IsZero() {
		when = r.RestWhen
	}

	// One that is held down uses no more than it is left: of CPU alone its use says whether the reason is gone.
	gone := "in which that no longer holds"
	if when.CPU != 0 {
		below := throttle.leaves(p) * 8 / 10
		when.CPU, when.For = 0, 0
		if when == (Conditions{}) && r.Keep.IsZero() {
			gone = fmt.Sprintf("below %v", below)
		} else {
			gone += fmt.Sprintf(" (of CPU: below %v)", below)
		}
	}

	return fmt.Sprintf("Given back after %v %s, at the latest after %v", r.withDefaults().Calm, gone, LongestThrottle)
}
