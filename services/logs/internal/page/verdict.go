package page

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"gestor.local/contract"

	"gestor.local/logs/internal/chart"
)

// verdict is the page's first line: how does the host stand against its policy?
type verdict struct {
	// State is one of the state constants: it chooses colour and shape.
	State string
	// Word is the state in words.
	Word     string
	Headline string
	Detail   string
	Classes  []classMeter
}

// States of the page.
const (
	stateEmpty    = "empty"    // nothing is known yet
	stateStopped  = "stopped"  // the manager ended
	stateStale    = "stale"    // no record for three ticks
	stateUnseen   = "blind"    // the manager does not see the containers
	stateHolding  = "holding"  // a gate is closed
	stateObserved = "observed" // a policy of version 2, of which nothing is carried out now
	stateOver     = "over"     // judged ones stand above the places after acting
	stateSettling = "settling" // newcomers wait for their judgement, or removals are under way
	stateShort    = "short"    // places nobody holds
	stateSettled  = "settled"
)

// wordOf is the state as the page says it.
func wordOf(state string) string {
	switch state {
	case stateEmpty:
		return "waiting"
	case stateStale:
		return "no news"
	case stateStopped:
		return "manager stopped"
	case stateOver:
		return "over policy"
	default:
		return state
	}
}

// Known says whether what is shown is so at this moment. What is not is greyed, and named as last seen.
func (v verdict) Known() bool {
	return !slices.Contains([]string{stateStopped, stateStale, stateUnseen}, v.State)
}

// classMeter is one class against its places.
type classMeter struct {
	classSummary
	// Cells are the containers one by one, at most maxCells, and empty places. The cut stands behind the last place.
	Cells []meterCell
	More  int
}

type meterCell struct {
	Kind string // held, above, new, leaving, other, empty
	Cut  bool   // the first one beyond the places
}

const maxCells = 24

// staleAfter is three ticks: one may be late, two missed, three are silence. A tick is as long as the last one was, at
// least the default policy's and at most ten minutes, since the last one may have been a restart.
func staleAfter(interval time.Duration) time.Duration {
	return 3 * min(max(interval, time.Duration(contract.DefaultPolicy().Tick)), 10*time.Minute)
}

// verdictOf judges the host by what was read of it.
func verdictOf(p pageData) verdict {
	v := verdict{Classes: classMeters(p.Classes)}
	v.State = stateOf(p)
	v.Word = wordOf(v.State)
	v.Headline, v.Detail = sentences(v.State, p)

	if mode := p.Host.Mode; v.Known() && (mode == contract.ModeObserve || mode == contract.ModeShadow) {
		v.Detail += " Mode " + string(mode) + ": no container is touched."
	}
	return v
}

// stateOf finds the worst that is true: what keeps the page from knowing comes before what it knows.
func stateOf(p pageData) string {
	above, waiting, short := 0, 0, 0
	for _, c := range p.Classes {
		above += c.Over()
		waiting += c.New + c.Leaving
		if c.Places {
			short += max(0, c.Quota-c.Alive)
		}
	}

	planned, gated := p.Host.Planned(), len(p.Host.Gates) > 0
	switch {
	case p.Last.IsZero():
		return stateEmpty
	case !p.Stopped.IsZero():
		return stateStopped
	case p.Age > staleAfter(p.TickInterval):
		return stateStale
	case p.Unseen():
		return stateUnseen

	// Here the state is known. What the policy wants comes first, then who stands above it, then what moves.
	case !planned: // records of the host or its containers, as any client may send them
		return stateEmpty
	case gated:
		return stateHolding
	case p.Observed():
		return stateObserved
	case p.Version2() && dueSteps(p.Rows) == 0 && waiting == 0:
		return stateSettled
	case p.Version2():
		return stateSettling
	case above > 0:
		return stateOver
	case waiting > 0:
		return stateSettling
	case short > 0:
		return stateShort
	default:
		return stateSettled
	}
}

// sentences are the headline and what follows from it.
func sentences(state string, p pageData) (headline, detail string) {
	alive, seen := populationText(p.Classes), p.Seen.UTC().Format(time.TimeOnly)

	switch state {
	case stateStopped:
		return "Manager stopped at " + p.Stopped.UTC().Format(time.TimeOnly) + ": nothing is being removed",
			stopReasonText(p.StopReason) + "Who is below was seen at " + seen + "; containers go on as they are. Start it again with docker compose start manager."
	case stateStale:
		return "No news for " + chart.FormatDuration(p.Age),
			"Who is below was seen at " + seen + " (" + alive + ") and may be gone. Is the manager running? See docker compose ps."
	case stateUnseen:
		return "Gestor cannot see the containers. Nothing is removed.",
			"No reading: " + strings.Join(p.Host.Gates, ", ") + ". " + lastSeen(p, alive, seen) + " make doctor finds out why."
	case stateHolding:
		if p.Version2() {
			alive = ownText(p)
		}
		return "Holding: " + alive, "Nothing is removed while a gate is closed: " + strings.Join(p.Host.Gates, ", ") + ". " +
			"Gestor acts again by itself when it opens."
	case stateObserved:
		return "Observed: " + ownText(p), rulesText(p)
	case stateOver:
		return "Over: " + alive, overText(p)
	case stateSettling, stateSettled:
		word := map[string]string{stateSettling: "Settling: ", stateSettled: "Settled: "}[state]
		if p.Version2() {
			return word + ownText(p), rulesText(p)
		}
		return word + alive, upcoming(p.Classes)
	case stateShort:
		return "Short: " + alive, "Places nobody holds: " + shortText(p.Classes) + ". The manager never starts containers; the generator's next batch may fill them."
	default:
		return emptySentences(p)
	}
}

// stopReasonText says why the manager ended, when it was not told to.
func stopReasonText(reason string) string {
	if reason == "" {
		return ""
	}
	return "It said: " + reason + ". "
}

func lastSeen(p pageData, alive, seen string) string {
	if p.Seen.IsZero() {
		return "How many run is not known."
	}
	return "Who is below was last seen at " + seen + " (" + alive + "); the number now is not known."
}

func emptySentences(p pageData) (headline, detail string) {
	switch {
	case p.Last.IsZero() && p.HostID != "":
		return "No record of host " + chart.Sanitize(p.HostID), "Choose another host, or look whether its manager runs."
	case p.Last.IsZero():
		return "No records yet", "The first ones come within a tick (10 s) of the manager's start. Nothing after a minute? See docker compose logs manager."
	default:
		return "Waiting for the manager's first tick", "Records arrive, but none of them says what the policy decided. Is the manager running? See docker compose ps."
	}
}

// populationText is the population in words: "3 low, 2 high".
func populationText(classes []classSummary) string {
	var parts []string
	for _, c := range classes {
		if c.Places || c.Alive > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", c.Alive, chart.Sanitize(string(c.Class))))
		}
	}

	if len(parts) == 0 {
		return "no governed container"
	}
	return strings.Join(parts, ", ")
}

// overText says who stands above the places though the tick has acted, and what keeps them there.
func overText(p pageData) string {
	var classes []string
	capped, shadow, tasks := 0, 0, 0
	for _, c := range p.Classes {
		if n := c.Over(); n > 0 {
			classes = append(classes, fmt.Sprintf("%d %s", n, chart.Sanitize(string(c.Class))))
			tasks += c.orchestratedOver()
		}
		capped, shadow = capped+c.Capped, shadow+c.Shadow
	}

	// Why they are still there: each of these keeps some of them above.
	text := strings.Join(classes, " and ") + " above the places."
	if failed := failedText(p.Rows); failed != "" {
		text += " The engine did not remove " + failed + "."
	}
	if tasks > 0 {
		text += fmt.Sprintf(" %d %s an orchestrator's and stay: only it can end them, as the warning managed_elsewhere says.", tasks, isOrAre(tasks))
	}
	if capped > 0 {
		text += fmt.Sprintf(" %d are spared by a cap and leave in the coming rounds.", capped)
	}
	if shadow > 0 && p.Host.Mode == contract.ModeEnforce {
		text += fmt.Sprintf(" %d were to leave, and the plan was not carried out%s.", shadow, heldReasonText(p.Host.Held))
	}

	return text
}

// ownText is the number of own containers under a policy of version 2.
func ownText(p pageData) string {
	if *p.Host.Own == 1 {
		return "1 own container"
	}
	return fmt.Sprintf("%d own containers", *p.Host.Own)
}

// dueSteps is for how many of those that live a step of a rule is due.
func dueSteps(rows []containerRow) (due int) {
	for _, r := range rows {
		if r.alive() && r.Step != "" && r.Step != "keep" {
			due++
		}
	}
	return due
}

// rulesText says what the rules of a policy of version 2 say of those that live, and of their places.
func rulesText(p pageData) string {
	text := fmt.Sprintf("A step of a rule is due for %d of those that run", dueSteps(p.Rows))
	if p.Observed() {
		text += ", and is only shown" + heldReasonText(p.Host.WhyHeld())
	}
	text += "."

	held, over := 0, 0
	for _, g := range p.Host.Groups {
		held, over = held+g.Held, over+g.Over
	}
	if len(p.Host.Groups) > 0 {
		text += fmt.Sprintf(" Of its places %d are held, and %d have none.", held, over)
	}
	return text
}

// maxFailures is how many containers a sentence names.
const maxFailures = 3

// failedText names the containers whose removal failed, and what the engine said of the first.
func failedText(rows []containerRow) string {
	var names []string
	errorText := ""
	for _, r := range rows {
		if r.status != statusFailed && r.Reason != contract.ReasonStuck {
			continue
		}
		names = append(names, chart.Sanitize(r.Name))
		if errorText == "" && r.Error != "" {
			errorText = ": " + chart.SanitizeText(r.Error, 200)
		}
	}

	if more := len(names) - maxFailures; more > 0 {
		names = append(names[:maxFailures], fmt.Sprintf("%d more", more))
	}
	return strings.Join(names, ", ") + errorText
}

func heldReasonText(reason string) string {
	if reason == "" {
		return ""
	}
	return " (" + chart.Sanitize(reason) + ")"
}

// upcoming says what is under way and what the next round brings. That is a forecast: who comes and ends by itself meanwhile
// is not known.
func upcoming(classes []classSummary) string {
	next, leaving, staying, newSeen, newSince, places := 0, 0, 0, 0, 0, 0
	for _, c := range classes {
		next, leaving = next+c.nextRemovals(), leaving+c.Leaving
		staying, newSeen, newSince, places = staying+c.Kept, newSeen+c.New-c.SinceTick, newSince+c.SinceTick, places+c.Quota
	}

	var parts []string
	if leaving > 0 {
		parts = append(parts, fmt.Sprintf("%d %s leaving.", leaving, isOrAre(leaving)))
	}
	if next > 0 {
		parts = append(parts, fmt.Sprintf("About %d leave in the next round.", next))
	} else {
		parts = append(parts, "Nobody leaves in the next round.")
	}

	parts = append(parts, fmt.Sprintf("%d %s kept in %d places.", staying, isOrAre(staying), places))
	if newSeen > 0 {
		parts = append(parts, fmt.Sprintf("%s judged in the next round.", newcomersAre(newSeen)))
	}
	if newSince > 0 {
		parts = append(parts, fmt.Sprintf("%s judged a round later.", newcomersAre(newSince)))
	}
	return strings.Join(parts, " ")
}

func isOrAre(n int) string {
	if n == 1 {
		return "is"
	}
	return "are"
}

func newcomersAre(n int) string {
	if n == 1 {
		return "1 newcomer is"
	}
	return fmt.Sprintf("%d newcomers are", n)
}

// shortText says how many places of which class nobody holds.
func shortText(classes []classSummary) string {
	var parts []string
	for _, c := range classes {
		if c.Places && c.Alive < c.Quota {
			parts = append(parts, fmt.Sprintf("%d of %d %s", c.Quota-c.Alive, c.Quota, chart.Sanitize(string(c.Class))))
		}
	}
	return strings.Join(parts, ", ")
}

// classMeters draws the classes that have places.
func classMeters(classes []classSummary) []classMeter {
	var out []classMeter
	for _, c := range classes {
		if !c.Places {
			continue
		}

		kinds, more := cellsOf(c)
		m := classMeter{classSummary: c, More: more}
		for _, kind := range kinds {
			m.Cells = append(m.Cells, meterCell{Kind: kind, Cut: len(m.Cells) == c.Quota && c.Quota > 0 && kind != "empty"})
		}
		out = append(out, m)
	}
	return out
}

// cellsOf are the class's containers in the order of their claim to a place, and the places nobody holds: the first maxCells of them, and
// how many more there are. A record may speak of any number of places.
func cellsOf(c classSummary) (kinds []string, more int) {
	above := c.Over()
	occupied := 0
	for _, group := range []struct {
		kind string
		n    int
	}{{"held", c.Counted - above}, {"above", above}, {"new", c.New}, {"leaving", c.Leaving}, {"other", c.Others}} {
		occupied += max(0, group.n)
		for n := 0; n < group.n && len(kinds) < maxCells; n++ {
			kinds = append(kinds, group.kind)
		}
	}

	for len(kinds) < min(c.Quota, maxCells) {
		kinds = append(kinds, "empty")
	}
	return kinds, max(occupied, c.Quota) - len(kinds)
}
