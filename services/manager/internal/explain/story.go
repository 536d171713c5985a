package explain

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"gestor.local/contract"

	"gestor.local/manager/internal/journal"
	"gestor.local/manager/internal/policy"
)

// ErrAmbiguous says that more than one container answers to the name.
var ErrAmbiguous = errors.New("more than one container answers to that (give more of the id)")

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

// Container tells the story of the container with this full id, name, or beginning of an id (at least 4 digits).
func Container(path, who string) (Story, error) {
	told := teller{who: who, stories: map[string]*Story{}, mine: map[string]bool{}}
	if _, err := journal.ScanWhere(path, told.concerns(), told.hear); err != nil {
		return Story{}, err
	}
	switch ids := slices.Sorted(maps.Keys(told.stories)); len(ids) {
	case 0:
		return Story{}, fmt.Errorf("explain container %q: %w", who, ErrNotFound)
	case 1:
		story := *told.stories[ids[0]]
		story.Actions = told.deeds.those(func(i journal.Intent) bool { return i.Container == story.ID })
		return story, nil
	default:
		const most = 10
		return Story{}, fmt.Errorf("explain container %q: %w: %s", who, ErrAmbiguous, strings.Join(ids[:min(most, len(ids))], ", "))
	}
}

// teller collects the stories of all containers that answer to the name while the journal goes by.
type teller struct {
	who     string
	stories map[string]*Story
	deeds   deeds
	mine    map[string]bool // actions on them
}

// concerns tells by the text of a line whether it may be about the container: it holds the name or the digits as they
// are written in JSON, or it is an outcome, which names an action only.
func (t *teller) concerns() func(line []byte) bool {
	written, err := json.Marshal(t.who)
	if err != nil {
		return nil // not to be had for a string; read everything
	}
	needle := bytes.Trim(written, `"`)
	return func(line []byte) bool {
		return bytes.Contains(line, needle) || isOutcome(line)
	}
}

func (t *teller) answers(id, name string) bool {
	return name == t.who || len(t.who) >= minPrefix && strings.HasPrefix(id, t.who)
}

func (t *teller) hear(e journal.Entry) error {
	switch {
	case e.Tick != nil:
		return t.tick(e)
	case e.Outcome != nil && t.mine[e.Outcome.ActionID]:
		t.deeds.hear(e)
	case e.Intent != nil && t.answers(e.Intent.Container, e.Intent.Name):
		t.deeds.hear(e)
		t.mine[e.Intent.ActionID] = true
		s := t.story(e.Intent.Container)
		s.Name, s.Image, s.Class = e.Intent.Name, e.Intent.Image, e.Intent.Class
	}
	return nil
}

func (t *teller) tick(e journal.Entry) error {
	plan, err := e.Tick.Decoded()
	if err != nil {
		return err
	}
	for _, v := range plan.Verdicts {
		if !t.answers(v.ID, v.Name) {
			continue
		}
		s := t.story(v.ID)
		s.Name, s.Image, s.Class = v.Name, v.Image, v.Class
		s.add(e, plan, Row{Verdict: v, Text: policy.Text(v, plan, &e.Tick.Inventory)})
	}
	return nil
}

func (t *teller) story(id string) *Story {
	s, ok := t.stories[id]
	if !ok {
		s = &Story{ID: id, Chapters: []Chapter{}, Actions: []Deed{}}
		t.stories[id] = s
	}
	return s
}

// add lengthens the last chapter, or begins another when the verdict, its reason or the rank is another.
func (s *Story) add(e journal.Entry, plan contract.Plan, r Row) {
	if n := len(s.Chapters); n > 0 {
		last := &s.Chapters[n-1]
		old := last.Last
		if old.Verdict.Verdict == r.Verdict.Verdict && old.Reason == r.Reason && old.Rank == r.Rank {
			last.ToTick, last.To, last.Last = plan.Tick, e.At, r
			last.Ticks++
			return
		}
	}
	s.Chapters = append(s.Chapters, Chapter{FromTick: plan.Tick, ToTick: plan.Tick, From: e.At, To: e.At, Ticks: 1, Last: r})
}

// StoryTable writes a story for people.
func StoryTable(w io.Writer, s Story) error {
	fmt.Fprintf(w, "%s, %s, image %s, class %s\n\n", printable(s.Name), s.ID, dash(s.Image), s.Class)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "TICKS\tSINCE\tVERDICT\tRANK\tAGE\tCPU\tRAM\tVSZ\tRSS\tWHY")
	for _, c := range s.Chapters {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", c.span(), c.From.UTC().Format(time.RFC3339), c.Last.mark(), c.Last.place(),
			age(c.Last.AgeUS), figures(c.Last.Measures), c.Last.Reason+": "+printable(c.Last.Text))
	}
	for _, d := range s.Actions {
		fmt.Fprintf(t, "%d\t%s\t%s\n", d.Tick, d.At.UTC().Format(time.RFC3339), d)
	}
	return t.Flush()
}

func (c Chapter) span() string {
	if c.FromTick == c.ToTick {
		return fmt.Sprint(c.FromTick)
	}
	return fmt.Sprintf("%d-%d", c.FromTick, c.ToTick)
}
