package chart

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"gestor.local/contract"
)

// control shows the quality of the governor: how long the judged population stood over the policy, and what reading,
// parsing, deciding and acting took.
//
// An episode begins on the first tick on which a class has more containers that may hold a place than places (young
// ones do not count: the policy leaves them alone on purpose) and ends on the first tick on which none has. A tick without
// a plan says neither.
type control struct {
	q                         Query
	openSince                 map[string]float64 // host: begin of its open episode
	judged                    bool               // some tick had a plan with places for classes
	lastTickWithoutPlan       bool               // the newest tick had no plan
	settleTimes               []Point
	total, worst              float64
	read, parse, decide, acts *bucketedSeries
	removal                   *bucketedSeries
}

func newControl(q Query) builder {
	return &control{
		q: q, openSince: map[string]float64{},
		read: newBucketedSeries(q), parse: newBucketedSeries(q), decide: newBucketedSeries(q), acts: newBucketedSeries(q), removal: newBucketedSeries(q),
	}
}

func (c *control) addRecord(r contract.Record) {
	if b, ok := r.Body.(contract.ActionBody); ok && b.Removed() && c.q.matches(b.Subject) {
		c.removal.add(Millis(r.Time), secondsFromUS(b.LatencyUS))
	}
}

func (c *control) addTick(f *tickFrame) {
	if f.host == nil {
		return
	}

	// A duration of 0 is one that was not taken: it would pull the average down.
	t := f.host.Timings
	if f.host.Memory.TotalKB > 0 { // of a failed reading there is nothing to compare
		c.read.add(f.at, secondsFromUS(t.ReadUS))
		c.parse.add(f.at, secondsFromUS(t.ParseUS))
	}
	if t.ActUS > 0 {
		c.acts.add(f.at, secondsFromUS(t.ActUS))
	}

	c.lastTickWithoutPlan = !f.hasPlan()
	if f.hasPlan() {
		c.decide.add(f.at, secondsFromUS(t.DecideUS))
	}
	switch {
	case f.hasPlan() && len(f.host.Classes) == 0: // no class has places under a policy of version 2
		delete(c.openSince, f.hostName)
	case f.hasPlan():
		c.judged = true
		c.episode(f)
	}
}

func (c *control) addRow(s RollupRow) {
	if s.By != byHost {
		return
	}

	const us = 1e-6
	switch s.Metric {
	case "read_us":
		s.mergeInto(c.read, us)
	case "parse_us":
		s.mergeInto(c.parse, us)
	case "decide_us":
		s.mergeInto(c.decide, us)
	case "act_us":
		s.mergeInto(c.acts, us)
	}
}

func (c *control) episode(f *tickFrame) {
	// Containers whose class is not known have no places, so they cannot be too many.
	excess := 0
	for _, k := range f.host.Classes {
		if k.Class != contract.ClassUnknown {
			excess += max(0, k.Eligible-k.Quota)
		}
	}

	begin, open := c.openSince[f.hostName]
	switch {
	case excess > 0 && !open:
		c.openSince[f.hostName] = f.at
	case excess == 0 && open:
		delete(c.openSince, f.hostName)
		took := (f.at - begin) / 1000
		c.total += took
		c.worst = max(c.worst, took)
		c.settleTimes = append(c.settleTimes, Point{X: f.at, Y: took, Min: took, Max: took, Label: "over the policy for " + FormatValue(UnitSeconds, took)})
	}
}

func (c *control) model(tickInterval time.Duration) Model {
	gap := c.q.gap(tickInterval)
	settleTimes := Pane{Title: "Time from over the policy to settled", X: timeAxis(), Y: valueAxis("", UnitSeconds), Weight: 1, Series: []Series{
		{Name: "settle time", Kind: KindMark, Tone: ToneLow, Glyph: GlyphCircle, Points: newestN(c.settleTimes, c.q.points())},
	}}

	act := Pane{Title: "Acting: a tick's actions, and one removal", X: timeAxis(), Y: valueAxis("", UnitSeconds), Weight: 1, Series: []Series{
		c.acts.series(Series{Name: "act, per tick", Kind: KindLine, Tone: ToneHigh, Glyph: GlyphTriangle}, 3*gap),
		c.removal.series(Series{Name: "one removal", Kind: KindMark, Tone: ToneFourth, Glyph: GlyphDiamond}, 1e18),
	}}

	cost := Pane{Title: "What a tick costs", X: timeAxis(), Y: valueAxis("", UnitSeconds), Weight: 1, Column: 1, Series: []Series{
		c.read.series(Series{Name: "read", Kind: KindLine, Tone: ToneLow}, gap),
		c.parse.series(Series{Name: "parse", Kind: KindLine, Tone: ToneThird, Dash: DashDashed}, gap),
		c.decide.series(Series{Name: "decide", Kind: KindLine, Tone: ToneFourth, Dash: DashDotted}, gap),
	}}

	m := Model{StepMS: stepOf(c.q, float64(tickInterval.Milliseconds())), Summary: c.summary(), Panes: []Pane{settleTimes, act, cost}}

	// Sums do not tell single removals, nor when an episode began.
	if c.q.RollupStep > 0 {
		m.Panes = m.Panes[1:]
		m.Panes[1].Column = 1
		m.Notes = []string{rollupsOnly("the time to settle and single removals are drawn for shorter ranges.")}
	}
	return m
}

// newestN keeps the newest n points.
func newestN(points []Point, n int) []Point { return points[max(0, len(points)-n):] }

func (c *control) summary() string {
	said := slices.DeleteFunc([]string{c.episodes(), c.removals(), c.cost()}, func(s string) bool { return s == "" })
	return strings.Join(said, " ")
}

// episodes says how often and how long the population stood over the policy, and whether it still does. Sums do not know
// it, nor does a range without a plan.
func (c *control) episodes() string {
	n, open := len(c.settleTimes), len(c.openSince) > 0

	settled := ""
	if n > 0 {
		settled = fmt.Sprintf("%s over the policy, settled after %s on average and %s at most.",
			pluralOf(n, "episode", "episodes"), FormatValue(UnitSeconds, c.total/float64(n)), FormatValue(UnitSeconds, c.worst))
	}

	switch {
	case c.q.RollupStep > 0 || !c.judged:
		return ""
	case open && n > 0:
		return settled + " It stands over it again since " + c.overSince() + "."
	case open:
		return "The judged population never settled: it still stands over the policy, since " + c.overSince() + "."
	case n > 0:
		return settled
	default:
		return "The judged population never stood over the policy."
	}
}

// overSince is the begin of the oldest open episode, and whether that is the newest word on it.
func (c *control) overSince() string {
	var begins []float64
	for _, begin := range c.openSince {
		begins = append(begins, begin)
	}
	if c.lastTickWithoutPlan {
		return timestamp(slices.Min(begins)) + " (the newest ticks had no plan)"
	}
	return timestamp(slices.Min(begins))
}

func (c *control) removals() string {
	if c.removal.stat.N == 0 {
		return ""
	}
	return fmt.Sprintf("One removal took %s on average, %s at most.", FormatValue(UnitSeconds, c.removal.stat.Avg), FormatValue(UnitSeconds, c.removal.stat.Max))
}

func (c *control) cost() string {
	read, parse, decide := c.read.stat, c.parse.stat, c.decide.stat
	switch {
	case read.N == 0:
		return ""
	case decide.N == 0: // the engine was away all the time
		return fmt.Sprintf("Reading took %s, parsing %s on average.", FormatValue(UnitSeconds, read.Avg), FormatValue(UnitSeconds, parse.Avg))
	default:
		return fmt.Sprintf("Reading took %s, parsing %s, deciding %s on average.",
			FormatValue(UnitSeconds, read.Avg), FormatValue(UnitSeconds, parse.Avg), FormatValue(UnitSeconds, decide.Avg))
	}
}
