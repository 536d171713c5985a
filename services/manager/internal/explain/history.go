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

	"gestor.local/manager/internal/journal"
)

// ErrAmbiguous says that more than one container answers to the name.
var ErrAmbiguous = errors.New("more than one container answers to that")

// minPrefix is the fewest digits of an id that are taken for one: fewer are easily a name.
const minPrefix = 4

// Story is what the journal knows of one container.
type Story struct {
	ID       string         `json:"id"`
	Name     string         `json:"name"`
	Image    string         `json:"image"`
	Chapters []Chapter      `json:"chapters"` // oldest first
	Actions  []Deed         `json:"actions"`
	Class    contract.Class `json:"class"` // the last one
	// RemovedAt is when Gestor removed it, as far as the journal tells.
	RemovedAt time.Time `json:"removed_at,omitzero"`
	// Oldest and Newest are the reach of the journal: who is not on the newest tick is gone.
	Oldest Point `json:"oldest"`
	Newest Point `json:"newest"`
	// Life is the address of its whole life in the log service, "" when that is not known.
	Life string `json:"life,omitempty"`
	// ByPart says that only a part of its name was asked for.
	ByPart bool   `json:"-"`
	page   string // Life for people
	seen   Point  // the last tick on which it was told of
}

// Chapter is a run of ticks with the same verdict for the same reason at the same rank. Last is the latest of them.
type Chapter struct {
	FromTick uint64    `json:"from_tick"`
	ToTick   uint64    `json:"to_tick"`
	From     time.Time `json:"from"`
	To       time.Time `json:"to"`
	Ticks    int       `json:"ticks"`
	Last     Row       `json:"last"`
}

// longestWho is the longest name that an error repeats and hands on to the log service, whose addresses have an end.
const longestWho = 256

// Container tells the story of one container. Its full id or name comes before the beginning of an id (at least 4 digits), and
// that before a part of a name.
func (j Journal) Container(who string) (Story, error) {
	reach, err := j.reach() // before the stories: what is written meanwhile is in them
	if err != nil {
		return Story{}, err
	}
	told := teller{who: who, stories: map[string]*Story{}, mine: map[string]bool{}, policies: policies{}}
	if _, err := journal.ScanWhere(j.Path, told.concerns(), told.hear); err != nil {
		return Story{}, err
	}
	switch len(told.stories) {
	case 0:
		if len(who) > longestWho {
			return Story{}, reach.missing(fmt.Sprintf("container of %d bytes", len(who)), "")
		}
		return Story{}, reach.missing(fmt.Sprintf("container %q", who), j.logsOf(who))
	case 1:
		return j.finished(told, reach), nil
	default:
		return Story{}, fmt.Errorf("container %q: %w: %s", who, ErrAmbiguous, told.candidates())
	}
}

// finished is the only story of the teller, with its end and with what the journal cannot tell.
func (j Journal) finished(told teller, r reach) Story {
	var story Story
	for _, s := range told.stories {
		story = *s
	}
	story.Actions = told.deeds.those(func(i journal.Intent) bool { return i.Container == story.ID })
	for _, d := range story.Actions {
		if d.removed() {
			story.RemovedAt = d.EndedAt
		}
	}
	story.Oldest, story.Newest, story.ByPart = r.oldest, r.newest, told.best == byPart
	story.Life, story.page = j.logs("/v1/containers/"+story.ID), j.logs("/containers/"+story.ID)
	return story
}

// How well a container answers to what was asked for.
const (
	answersNot = iota
	byPart     // of its name
	byDigits   // with which its id begins
	byWhole    // name or id
)

// teller collects the stories of the containers that answer best while the journal goes by.
type teller struct {
	who      string
	best     int // how well those in stories answer
	stories  map[string]*Story
	deeds    deeds
	mine     map[string]bool // actions on them
	policies policies
}

// concerns tells by the text of a line whether it may be about the container: it holds the name or the digits as they
// are written in JSON, or it is of those that name none.
func (t *teller) concerns() func(line []byte) bool {
	written, err := json.Marshal(t.who)
	if err != nil {
		return nil // not to be had for a string; read everything
	}
	needle := written[1 : len(written)-1]
	return func(line []byte) bool {
		return bytes.Contains(line, needle) || ofAll(line)
	}
}

func (t *teller) answers(id, name string) int {
	switch {
	case name == t.who || id == t.who:
		return byWhole
	case len(t.who) >= minPrefix && strings.HasPrefix(id, t.who):
		return byDigits
	case strings.Contains(name, t.who):
		return byPart
	default:
		return answersNot
	}
}

func (t *teller) hear(e journal.Entry) error {
	t.policies.hear(e)
	switch {
	case e.Tick != nil:
		return t.tick(e)
	case e.Outcome != nil && t.mine[e.Outcome.ActionID]:
		t.deeds.hear(e)
	case e.Intent != nil:
		s := t.story(e.Intent.Container, e.Intent.Name)
		if s == nil {
			return nil
		}
		t.deeds.hear(e)
		t.mine[e.Intent.ActionID] = true
		s.Name, s.Image, s.Class = e.Intent.Name, e.Intent.Image, e.Intent.Class
		s.seen = Point{e.Intent.Tick, e.At}
	}
	return nil
}

func (t *teller) tick(e journal.Entry) error {
	plan, err := e.Tick.Decoded()
	if err != nil {
		return err
	}
	meant := func(v contract.Verdict) bool { return t.answers(v.ID, v.Name) >= max(t.best, byPart) }
	for _, r := range rowsOf(*e.Tick, plan, t.policies.of(plan), meant) {
		s := t.story(r.ID, r.Name)
		if s == nil {
			continue
		}
		s.Name, s.Image, s.Class = r.Name, r.Image, r.Class
		s.seen = Point{plan.Tick, e.At}
		if len(t.stories) == 1 { // of several none is told
			s.add(e, plan, r)
		}
	}
	return nil
}

// story is that of a container that answers as well as any before, nil for another. One that answers better ends the others.
func (t *teller) story(id, name string) *Story {
	how := t.answers(id, name)
	if how == answersNot || how < t.best {
		return nil
	}
	if how > t.best {
		t.best = how
		clear(t.stories)
	}
	s, ok := t.stories[id]
	if !ok {
		s = &Story{ID: id, Chapters: []Chapter{}, Actions: []Deed{}}
		t.stories[id] = s
	}
	return s
}

// candidates lists those who answer, by name, the latest of one name first, and says what tells them apart.
func (t *teller) candidates() string {
	const most = 10
	all := make([]*Story, 0, len(t.stories))
	for _, s := range t.stories {
		all = append(all, s)
	}
	slices.SortFunc(all, func(a, b *Story) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), b.seen.At.Compare(a.seen.At), cmp.Compare(a.ID, b.ID))
	})

	var words []string
	for _, s := range all[:min(most, len(all))] {
		words = append(words, fmt.Sprintf("%s (%s, last on tick %d)", printable(s.Name), short(s.ID), s.seen.Tick))
	}
	text := strings.Join(words, ", ")
	if more := len(all) - most; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	if t.best == byPart {
		return text + "; next: give the whole name, or the id"
	}
	return text + "; next: give more digits of the id"
}

// add lengthens the last chapter, or begins another when the verdict, its reason or the rank is another.
func (s *Story) add(e journal.Entry, plan contract.Plan, r Row) {
	if n := len(s.Chapters); n > 0 {
		last := &s.Chapters[n-1]
		old := last.Last
		if old.Verdict.Verdict == r.Verdict.Verdict && old.Reason == r.Reason && old.Rank == r.Rank && old.Held == r.Held {
			last.ToTick, last.To, last.Last = plan.Tick, e.At, r
			last.Ticks++
			return
		}
	}
	s.Chapters = append(s.Chapters, Chapter{FromTick: plan.Tick, ToTick: plan.Tick, From: e.At, To: e.At, Ticks: 1, Last: r})
}

// StoryTable writes a story for people.
func StoryTable(w io.Writer, s Story) error {
	fmt.Fprintf(w, "%s, %s, image %s, class %s\n%s\n\n", printable(s.Name), s.ID, dash(s.Image), s.Class, s.fate())
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "TICKS\tSINCE\tVERDICT\tRANK\tAGE\tCPU\tRAM\tVSZ\tRSS\tWHY")
	for _, c := range s.Chapters {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", c.span(), c.From.UTC().Format(time.RFC3339), c.Last.mark(), c.Last.place(),
			age(c.Last.AgeUS), figures(c.Last.Measures), c.Last.why())
	}
	for _, d := range s.Actions {
		fmt.Fprintf(t, "%d\t%s\t%s\n", d.Tick, d.At.UTC().Format(time.RFC3339), d)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	return s.sources(w)
}

// fate says whether it is there on the newest tick, and if not, whose doing that is.
func (s Story) fate() string {
	switch n := len(s.Chapters); {
	case !s.RemovedAt.IsZero():
		return "removed by Gestor at " + s.RemovedAt.UTC().Format(time.RFC3339)
	case s.Newest.At.IsZero():
		return "no decision on it is in the journal"
	case n > 0 && !s.Chapters[n-1].To.Before(s.Newest.At):
		return "there on the newest tick, " + Point{s.Chapters[n-1].ToTick, s.Chapters[n-1].To}.String()
	default:
		return "not there any more on the newest tick, " + s.Newest.String() + ": no removal by Gestor is in the journal"
	}
}

// sources says how far back this goes, and where the rest is.
func (s Story) sources(w io.Writer) error {
	text := ""
	if !s.Oldest.At.IsZero() {
		text = fmt.Sprintf("\nThe journal reaches back to %s.", s.Oldest)
	}
	if s.page != "" {
		text += fmt.Sprintf("\nIts whole life: %s, as JSON: curl -s '%s'", s.page, s.Life)
	}
	_, err := fmt.Fprintln(w, text)
	return err
}

func (c Chapter) span() string {
	if c.FromTick == c.ToTick {
		return fmt.Sprint(c.FromTick)
	}
	return fmt.Sprintf("%d-%d", c.FromTick, c.ToTick)
}
