package explain

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"gestor.local/contract"
	"gestor.local/contract/policy2"
	"gestor.local/manager/internal/journal"
	"gestor.local/manager/internal/journal/line"
	"gestor.local/manager/internal/rules"
)

// ErrAmbiguous says that more than one container answers to the name.
var ErrAmbiguous = errors.New("more than one container answers to that")

// minPrefix is the fewest digits of an id that are taken for one: fewer are easily part of a name.
const minPrefix = 4

// ContainerHistory is what the journal knows of one container.
type ContainerHistory struct {
	ID      string         `json:"id"`
	Name    string         `json:"name"`
	Image   string         `json:"image"`
	Spans   []VerdictSpan  `json:"chapters"` // oldest first
	Actions []Action       `json:"actions"`
	Class   contract.Class `json:"class"` // the last one
	// RemovedAt is when Gestor removed it, as far as the journal knows.
	RemovedAt time.Time `json:"removed_at,omitzero"`
	// Oldest and Newest are the first and the last tick of the journal: who is not on the newest is gone.
	Oldest TickRef `json:"oldest"`
	Newest TickRef `json:"newest"`
	// HistoryURL is where the log service has its whole history, "" when that is not known.
	HistoryURL string `json:"life,omitempty"`
	// Rulings are what the rules of version 2 said of it, oldest first; Explanation is how they came to the newest of that, nil where
	// its newest tick is of version 1.
	Rulings     []RulingSpan `json:"rulings,omitempty"`
	Explanation *Explanation `json:"explanation,omitempty"`

	// ByPartOfName says that only a part of its name was asked for.
	ByPartOfName bool    `json:"-"`
	pageURL      string  // HistoryURL for people
	lastSeen     TickRef // the last tick that names it
	ruled        ruledHistory
}

// VerdictSpan is a run of ticks with the same verdict for the same reason at the same rank. Last is the latest of them.
type VerdictSpan struct {
	FromTick uint64    `json:"from_tick"`
	ToTick   uint64    `json:"to_tick"`
	From     time.Time `json:"from"`
	To       time.Time `json:"to"`
	Ticks    int       `json:"ticks"`
	Last     Row       `json:"last"`
}

// maxQuery is the longest name, in bytes, that an error repeats and puts into an address of the log service.
const maxQuery = 256

// Container is the history of one container. Its full id or name comes before the beginning of an id (at least 4
// digits), and that before a part of a name.
func (j Journal) Container(who string) (ContainerHistory, error) {
	// The range comes first: what is written during the scan lies behind it, and no container looks gone.
	ticks, err := j.tickRange()
	if err != nil {
		return ContainerHistory{}, err
	}

	b := historyBuilder{
		query: who, histories: map[string]*ContainerHistory{}, actionIDs: map[string]bool{}, policies: policies{}, names: ruleNames{},
	}
	if _, err := journal.ReadVerdicts(j.Path, b.mentions(), b.add); err != nil {
		return ContainerHistory{}, err
	}

	switch len(b.histories) {
	case 0:
		if len(who) > maxQuery {
			return ContainerHistory{}, ticks.notFound(fmt.Sprintf("container of %d bytes", len(who)), "")
		}
		return ContainerHistory{}, ticks.notFound(fmt.Sprintf("container %q", who), j.logsURLOf(who))
	case 1:
		return j.finishHistory(b, ticks)
	default:
		return ContainerHistory{}, fmt.Errorf("container %q: %w: %s", who, ErrAmbiguous, b.candidates())
	}
}

// finishHistory completes the only history of the builder: how it ended, how the rules came to their last verdict, and where the rest
// of it is.
func (j Journal) finishHistory(b historyBuilder, r tickRange) (ContainerHistory, error) {
	var h ContainerHistory
	for _, only := range b.histories {
		h = *only
	}

	h.Actions = b.actions.filter(b.names, func(e journal.Entry) bool { return e.Intent.Container == h.ID })
	for _, a := range h.Actions {
		if a.removed() || a.Step == policy2.StepStop && h.ruled.autoRemove && rules.Succeeded(a.Outcome) {
			h.RemovedAt = a.EndedAt
		}
	}

	h.Oldest, h.Newest, h.ByPartOfName = r.oldest, r.newest, b.bestMatch == matchPartOfName
	h.HistoryURL, h.pageURL = j.logsURL("/v1/containers/"+h.ID), j.logsURL("/containers/"+h.ID)
	return h, j.explainLast(&h)
}

// How well a container matches what was asked for.
const (
	matchNone       = iota
	matchPartOfName // of its name
	matchIDPrefix   // with which its id begins
	matchExact      // name or id
)

// historyBuilder collects the histories of the containers that match best during a scan of the journal.
type historyBuilder struct {
	query     string
	bestMatch int // how well those in histories match
	histories map[string]*ContainerHistory
	actions   actionLog
	actionIDs map[string]bool // of the actions on them
	policies  policies
	names     ruleNames
	said      line.Rows // of this segment
}

// mentions says by the text of a line whether it may be about the container: it holds the name or the digits as they
// are written in JSON, or it is of those that name none.
func (b *historyBuilder) mentions() func(line []byte) bool {
	inJSON, err := json.Marshal(b.query)
	if err != nil {
		return nil // a string always has a JSON form; without one everything is read
	}
	needle := inJSON[1 : len(inJSON)-1]
	return func(line []byte) bool {
		return bytes.Contains(line, needle) || alwaysRead(line)
	}
}

func (b *historyBuilder) match(id, name string) int {
	switch {
	case name == b.query || id == b.query:
		return matchExact
	case len(b.query) >= minPrefix && strings.HasPrefix(id, b.query):
		return matchIDPrefix
	case strings.Contains(name, b.query):
		return matchPartOfName
	default:
		return matchNone
	}
}

func (b *historyBuilder) add(e journal.Entry, facts *journal.History) error {
	b.policies.add(e)
	b.names.add(e)
	if e.Head != nil {
		b.said = line.Rows{} // a segment numbers its containers anew
	}

	switch {
	case e.Tick != nil:
		return b.addTick(e)
	case e.Outcome != nil && b.actionIDs[e.Outcome.ActionID]:
		b.actions.add(e)

	case e.Intent != nil:
		b.addIntent(e)
	case e.Facts != nil:
		b.addFacts(e, facts)
	case e.Verdict != nil:
		return b.addVerdict(e, facts)
	}
	return nil
}

func (b *historyBuilder) addIntent(e journal.Entry) {
	i := e.Intent
	h := b.histories[i.Container]
	if h == nil {
		h = b.history(i.Container, i.Name)
	}
	if h == nil {
		return
	}

	b.actions.add(e)
	b.actionIDs[i.ActionID] = true
	h.lastSeen = TickRef{i.Tick, e.At}
	if i.Name != "" {
		h.Name, h.Image, h.Class = i.Name, i.Image, i.Class
	}
}

func (b *historyBuilder) addTick(e journal.Entry) error {
	plan, err := e.Tick.Decoded()
	if err != nil {
		return err
	}

	match := func(v contract.Verdict) bool { return b.match(v.ID, v.Name) >= max(b.bestMatch, matchPartOfName) }
	for _, r := range newRows(*e.Tick, plan, b.policies.of(plan), match) {
		h := b.history(r.ID, r.Name)
		if h == nil {
			continue
		}

		h.Name, h.Image, h.Class = r.Name, r.Image, r.Class
		h.lastSeen = TickRef{plan.Tick, e.At}
		apart := h.ruled.last != 0 // ticks of version 2 lie between
		h.commit()
		h.ruled.last, h.ruled.apart = 0, true
		if len(b.histories) == 1 { // of several none is explained
			h.addTick(e, plan, r, apart)
		}
	}
	return nil
}

// history is that of a container that matches as well as any before, nil for another. One that matches better ends the
// others.
func (b *historyBuilder) history(id, name string) *ContainerHistory {
	match := b.match(id, name)
	if match == matchNone || match < b.bestMatch {
		return nil
	}
	if match > b.bestMatch {
		b.bestMatch = match
		clear(b.histories)
	}

	h, ok := b.histories[id]
	if !ok {
		h = &ContainerHistory{ID: id, Spans: []VerdictSpan{}, Actions: []Action{}}
		b.histories[id] = h
	}
	return h
}

// candidates lists those that match, by name, the latest of one name first, and says what distinguishes them.
func (b *historyBuilder) candidates() string {
	const most = 10
	all := make([]*ContainerHistory, 0, len(b.histories))
	for _, h := range b.histories {
		all = append(all, h)
	}

	slices.SortFunc(all, func(a, b *ContainerHistory) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), b.lastSeen.At.Compare(a.lastSeen.At), cmp.Compare(a.ID, b.ID))
	})

	var words []string
	for _, h := range all[:min(most, len(all))] {
		words = append(words, fmt.Sprintf("%s (%s, last on tick %d)", quoteUnprintable(h.Name), shortID(h.ID), h.lastSeen.Tick))
	}
	text := strings.Join(words, ", ")
	if more := len(all) - most; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}

	if b.bestMatch == matchPartOfName {
		return text + "; next: give the whole name, or the id"
	}
	return text + "; next: give more digits of the id"
}

// addTick lengthens the last span, or begins another when the verdict, its reason or the rank is another, or the tick stands apart.
func (h *ContainerHistory) addTick(e journal.Entry, plan contract.Plan, r Row, apart bool) {
	if n := len(h.Spans); n > 0 && !apart {
		last := &h.Spans[n-1]
		old := last.Last
		if old.Verdict.Verdict == r.Verdict.Verdict && old.Reason == r.Reason && old.Rank == r.Rank && old.Held == r.Held {
			last.ToTick, last.To, last.Last = plan.Tick, e.At, r
			last.Ticks++
			return
		}
	}
	h.Spans = append(h.Spans, VerdictSpan{FromTick: plan.Tick, ToTick: plan.Tick, From: e.At, To: e.At, Ticks: 1, Last: r})
}

// Table writes a history for people.
func (h ContainerHistory) Table(w io.Writer) error {
	if len(h.Rulings) > 0 {
		return h.ruledTable(w)
	}
	fmt.Fprintf(w, "%s, %s, image %s, class %s\n%s\n\n", quoteUnprintable(h.Name), h.ID, orDash(h.Image), h.Class, h.status())

	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	h.writeSpans(t)
	h.writeActions(t)
	if err := t.Flush(); err != nil {
		return err
	}
	return h.writeSources(w)
}

// writeSpans writes the ticks of version 1.
func (h ContainerHistory) writeSpans(t io.Writer) {
	fmt.Fprintln(t, "TICKS\tSINCE\tVERDICT\tRANK\tAGE\tCPU\tRAM\tVSZ\tRSS\tWHY")
	for _, span := range h.Spans {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", span.ticks(), span.From.UTC().Format(time.RFC3339), span.Last.verdictCell(), span.Last.rankCell(),
			ageCell(span.Last.AgeUS), measureCells(span.Last.Measures), span.Last.reasonCell())
	}
}

func (h ContainerHistory) writeActions(t io.Writer) {
	for _, a := range h.Actions {
		fmt.Fprintf(t, "%d\t%s\t%s\n", a.Tick, a.At.UTC().Format(time.RFC3339), a)
	}
}

// status says whether it is there on the newest tick, and if not, whether Gestor removed it.
func (h ContainerHistory) status() string {
	last := h.lastTick()
	switch {
	case !h.RemovedAt.IsZero():
		return "removed by Gestor at " + h.RemovedAt.UTC().Format(time.RFC3339)
	case h.Newest.At.IsZero():
		return "no decision on it is in the journal"
	case !last.At.IsZero() && !last.At.Before(h.Newest.At):
		return "there on the newest tick, " + last.String()
	default:
		return "not there any more on the newest tick, " + h.Newest.String() + ": no removal by Gestor is in the journal"
	}
}

// lastTick is the newest tick that had it, under a policy of either version.
func (h ContainerHistory) lastTick() (last TickRef) {
	if n := len(h.Spans); n > 0 {
		last = TickRef{h.Spans[n-1].ToTick, h.Spans[n-1].To}
	}
	if n := len(h.Rulings); n > 0 && h.Rulings[n-1].To.After(last.At) {
		last = TickRef{h.Rulings[n-1].ToTick, h.Rulings[n-1].To}
	}
	return last
}

// writeSources says how far back this goes, and where the rest is.
func (h ContainerHistory) writeSources(w io.Writer) error {
	text := ""
	if !h.Oldest.At.IsZero() {
		text = fmt.Sprintf("\nThe journal reaches back to %s.", h.Oldest)
	}
	if h.pageURL != "" {
		text += fmt.Sprintf("\nIts whole life: %s, as JSON: curl -s '%s'", h.pageURL, h.HistoryURL)
	}
	_, err := fmt.Fprintln(w, text)
	return err
}

func (s VerdictSpan) ticks() string { return ticksOf(s.FromTick, s.ToTick) }

func ticksOf(from, to uint64) string {
	if from == to {
		return fmt.Sprint(from)
	}
	return fmt.Sprintf("%d-%d", from, to)
}
