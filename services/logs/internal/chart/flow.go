package chart

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"gestor.local/contract"
)

// flow is the arrivals and removals: it counts what happened to the containers of a selection.
type flow struct {
	q                  Query
	arrivals, removals map[contract.Class]*bucketCounter
}

func newFlow(q Query) *flow {
	return &flow{q: q, arrivals: map[contract.Class]*bucketCounter{}, removals: map[contract.Class]*bucketCounter{}}
}

func (c *flow) addRecord(r contract.Record) {
	switch b := r.Body.(type) {
	case contract.LaunchBody:
		if b.Outcome == contract.LaunchStarted && c.q.matches(b.Subject) {
			c.count(c.arrivals, cmp.Or(b.Class, contract.ClassUnknown), r.Time, 1)
		}
	case contract.ActionBody:
		if b.Removed() && c.q.matches(b.Subject) {
			c.count(c.removals, cmp.Or(b.Class, contract.ClassUnknown), r.Time, 1)
		}
	}
}

func (c *flow) count(m map[contract.Class]*bucketCounter, class contract.Class, t time.Time, n int) {
	class = classKey(m, class)
	if m[class] == nil {
		m[class] = newBucketCounter(c.q)
	}
	m[class].addN(t, n)
}

// addRow counts the arrivals and removals of a bucket.
func (c *flow) addRow(s RollupRow) {
	var target map[contract.Class]*bucketCounter
	switch {
	case s.Metric == contract.MetricLaunch+contract.LaunchStarted:
		target = c.arrivals
	case contract.IsRemovalMetric(s.Metric):
		target = c.removals
	default:
		return
	}

	// A launch or removal is in a sum of its class and in one of its image: only one of them counts.
	switch {
	case !c.knownFromRollups():
	case len(c.q.Images) > 0: // of any class
		if s.By == byImage && c.q.matchesImage(s.Key) {
			c.count(target, "", s.At, int(s.N))
		}
	case s.By == byClass && c.q.matches(contract.Subject{Class: contract.Class(s.Key)}):
		c.count(target, cmp.Or(contract.Class(s.Key), contract.ClassUnknown), s.At, int(s.N))
	}
}

// knownFromRollups says whether sums tell the arrivals and removals of the selection: those of images do not know a
// class, those of both no host.
func (c *flow) knownFromRollups() bool {
	return len(c.q.Hosts) == 0 && (len(c.q.Classes) == 0 || len(c.q.Images) == 0)
}

// notes say what is left out.
func (c *flow) notes() []string {
	if c.q.RollupStep == 0 || c.knownFromRollups() {
		return nil
	}
	return []string{rollupsOnly("what of this selection was started and removed is drawn for shorter ranges.")}
}

func totalOf(m map[contract.Class]*bucketCounter) int {
	n := 0
	for _, c := range m {
		n += c.total
	}
	return n
}

// marks is one series of glyphs at height y for the removals of every class.
func (c *flow) marks(y float64) []Series {
	var out []Series
	for _, class := range orderedClasses(c.removals) {
		if n := c.removals[class]; n != nil {
			// A glyph says that and when, not how many: all stand at one height, the number is in the label.
			points := n.points(1, "removed")
			for i := range points {
				points[i].Y = y
			}
			out = append(out, Series{
				Name: seriesName("removed", class), Kind: KindMark, Tone: toneOf(class), Glyph: glyphOf(class), Points: points,
			})
		}
	}
	return out
}

// classes are those that Gestor's policies know.
func classes() []contract.Class {
	return []contract.Class{contract.ClassLow, contract.ClassHigh, contract.ClassUnknown}
}

// maxClasses is how many classes a chart tells apart; records may name any. The others are one.
const (
	maxClasses = 12
	classOther = contract.Class("(other)")
)

// classKey is the key under which a class stands in a map: its own as long as there is room.
func classKey[V any](m map[contract.Class]V, class contract.Class) contract.Class {
	if _, known := m[class]; known || len(m) < maxClasses || slices.Contains(classes(), class) {
		return class
	}
	return classOther
}

// orderedClasses lists the classes of some maps: the known ones first, then the others by name.
func orderedClasses[V any](maps ...map[contract.Class]V) []contract.Class {
	var known, others []contract.Class
	for _, class := range classes() {
		if slices.ContainsFunc(maps, func(m map[contract.Class]V) bool { _, ok := m[class]; return ok }) {
			known = append(known, class)
		}
	}

	for _, m := range maps {
		for class := range m {
			if !slices.Contains(classes(), class) && !slices.Contains(others, class) {
				others = append(others, class)
			}
		}
	}

	slices.Sort(others)
	return append(known, others...)
}

// seriesName is the name of a series about a class; "" is any.
func seriesName(word string, class contract.Class) string {
	return strings.TrimSpace(word + " " + Sanitize(string(class)))
}

func toneOf(c contract.Class) Tone {
	switch c {
	case contract.ClassLow:
		return ToneLow
	case contract.ClassHigh:
		return ToneHigh
	default:
		return ToneNeutral
	}
}

// glyphOf is the class's shape: down for low, up for high.
func glyphOf(c contract.Class) Glyph {
	switch c {
	case contract.ClassLow:
		return GlyphCircle
	case contract.ClassHigh:
		return GlyphTriangle
	default:
		return GlyphSquare
	}
}
