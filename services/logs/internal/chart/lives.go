package chart

import (
	"fmt"
	"math"
	"time"

	"gestor.local/contract"
)

// maxLives is how many bars fit a chart: three points each (begin, end, break) of one series a class.
const maxLives = MaxPoints / 3

// livesChart draws one bar per container. Bars share lanes where they do not overlap, so that a thousand lives an hour
// need no more height than the most that lived at once.
type livesChart struct {
	q       Query
	tracker *lifeTracker
}

func newLivesChart(q Query) builder { return &livesChart{q: q, tracker: newLifeTracker(q)} }

func (c *livesChart) addRecord(r contract.Record) { c.tracker.addRecord(r) }
func (c *livesChart) addTick(f *tickFrame)        { c.tracker.addTick(f) }

func (c *livesChart) model(tickInterval time.Duration) Model {
	all := c.tracker.inOrderOfBirth(tickInterval)
	var notes []string

	// The newest: who looks at a long range looks at its end first.
	if len(all) > maxLives {
		notes = append(notes, fmt.Sprintf("The newest %d of %d lives are drawn; choose a shorter range to see the others.", maxLives, len(all)))
		all = all[len(all)-maxLives:]
	}

	// The classes lie below each other, half a lane apart.
	pane := Pane{Title: "One bar per container", X: timeAxis(), Weight: 1, Y: Axis{Kind: AxisValue, Hidden: true}}
	lane := 0.0
	for _, class := range classes() {
		group := ofClass(all, class)
		if len(group) == 0 {
			continue
		}

		rows, lanes := c.assignLanes(group)
		for i := range rows {
			rows[i] += lane
		}
		pane.Series = append(pane.Series, c.spans(group, rows, class))
		pane.Series = append(pane.Series, c.ends(group, rows, class)...)
		pane.Bands = append(pane.Bands, Band{Label: string(class), From: lane - 0.5, To: lane + float64(lanes) - 0.5, Tone: toneOf(class)})
		lane += float64(lanes) + 0.5
	}

	// Lanes have no numbers, so the axis does not have to end at a round one.
	lo, hi := -0.75, lane
	pane.Y.Min, pane.Y.Max = &lo, &hi
	return Model{Notes: notes, Summary: c.summary(all), Panes: []Pane{pane}}
}

func ofClass(all []*containerLife, class contract.Class) []*containerLife {
	var out []*containerLife
	for _, l := range all {
		if l.Class == class || class == contract.ClassUnknown && toneOf(l.Class) == ToneNeutral {
			out = append(out, l)
		}
	}
	return out
}

// assignLanes gives every life the first lane that is free; a lane is free a little after its last bar so that bars do
// not touch.
func (c *livesChart) assignLanes(group []*containerLife) (rows []float64, lanes int) {
	pause := float64(c.q.Until.Sub(c.q.Since).Milliseconds()) / 400

	var busy []float64 // by lane: until when
	for _, l := range group {
		row := len(busy)
		for i, until := range busy {
			if until <= l.born() {
				row = i
				break
			}
		}

		// No lane is free: one more.
		if row == len(busy) {
			busy = append(busy, 0)
		}
		busy[row] = math.Max(l.until(c.tracker.now), l.born()) + pause
		rows = append(rows, float64(row))
	}

	return rows, len(busy)
}

func (c *livesChart) spans(group []*containerLife, rows []float64, class contract.Class) Series {
	s := Series{Name: string(class), Kind: KindSpan, Tone: toneOf(class)}
	since := Millis(c.q.Since)
	for i, l := range group {
		end := l.until(c.tracker.now)
		s.Points = append(s.Points, Point{
			X: math.Max(l.born(), since), X2: math.Max(end, l.born()), Y: rows[i],
			Label: fmt.Sprintf("%s · %s · %s · %s", displayName(l.Subject), l.Image, FormatDuration(time.Duration((end-l.born())*1e6)), endText(l)),
		})
	}
	return s
}

// ends are the glyphs at the ends of the bars: one shape per cause.
func (c *livesChart) ends(group []*containerLife, rows []float64, class contract.Class) []Series {
	var out []Series
	for _, end := range []struct {
		cause string
		glyph Glyph
	}{{endRemoved, GlyphSquare}, {endGone, GlyphDiamond}, {endAlive, GlyphPin}} {
		s := Series{Name: string(class) + " " + endWord(end.cause), Kind: KindMark, Tone: toneOf(class), Glyph: end.glyph}
		for i, l := range group {
			if l.end == end.cause {
				s.Points = append(s.Points, Point{X: math.Max(l.until(c.tracker.now), l.born()), Y: rows[i], Label: displayName(l.Subject) + " · " + endText(l)})
			}
		}

		// A cause that nobody died of is no key of the legend.
		if len(s.Points) > 0 {
			out = append(out, s)
		}
	}
	return out
}

func endWord(end string) string {
	switch end {
	case endRemoved:
		return "removed"
	case endGone:
		return "left by itself"
	default:
		return "alive"
	}
}

func endText(l *containerLife) string {
	if l.end == endRemoved && l.Reason != "" {
		return "removed: " + ReasonText(l.Reason)
	}
	return endWord(l.end)
}

func (c *livesChart) summary(all []*containerLife) string {
	n := map[string]int{}
	for _, l := range all {
		n[l.end]++
	}
	return fmt.Sprintf("%s: %d removed by the governor, %d left by themselves, %d alive.",
		pluralOf(len(all), "life", "lives"), n[endRemoved], n[endGone], n[endAlive])
}

// ReasonText says a reason of the policy in words; an unknown one stands for itself.
func ReasonText(reason string) string {
	if text, ok := reasonTexts[reason]; ok {
		return text
	}
	return reason
}

var reasonTexts = map[string]string{
	contract.ReasonWithinQuota:   "holds a place",
	contract.ReasonOverQuota:     "over the quota of its class",
	contract.ReasonYoungFlood:    "too many young containers at once",
	contract.ReasonMemoryFloor:   "host memory under its floor",
	contract.ReasonYoung:         "young: judged after a full tick",
	contract.ReasonUnmeasured:    "not measured this time",
	contract.ReasonNotOwned:      "not Gestor's",
	contract.ReasonSuite:         "part of Gestor",
	contract.ReasonProtected:     "protected by the policy",
	contract.ReasonElsewhere:     "an orchestrator's, which would start another",
	contract.ReasonUnknown:       "class unknown",
	contract.ReasonPaused:        "paused",
	contract.ReasonLeaving:       "is being removed",
	contract.ReasonStuck:         "removing failed too often",
	contract.ReasonFutile:        "comes back each time",
	contract.ReasonCapped:        "over the quota, spared by a cap",
	contract.ReasonNotRunning:    "not running",
	contract.ReasonNotInEngine:   "unknown to this engine",
	contract.ReasonShadowRemoved: "removed in shadow only: it runs on",
	contract.ReasonOrphaned:      "its generator was gone at the end",

	// Under a policy of version 2.
	"no_rule":      "no rule decides about it",
	"keep_rule":    "its rule keeps it",
	"holds":        "its rule holds",
	"doubt":        "a gentler rule may hold",
	"waits":        "waits for its next step",
	"finished":     "all steps of its rule are done",
	"unit_spared":  "its project stays whole",
	"needed":       "another that stays needs it",
	"just_started": "started a moment ago",
}
