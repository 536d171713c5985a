package chart

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// buckets divide a range of time into slots of one width, each with a value, so that their size is bounded by the range and
// not by the number of records.
type buckets[T any] struct {
	since, step float64 // milliseconds
	filled      []bucket[T]
}

// bucket is one slot that holds something; slots count from the begin of the range.
type bucket[T any] struct {
	slot  int64
	value T
}

func newBuckets[T any](since time.Time, step time.Duration) buckets[T] {
	return buckets[T]{since: Millis(since), step: float64(step.Milliseconds())}
}

// at returns the value of the slot that holds the time x, and whether it is a new one. Times may come out of order; the
// pointer is valid until the next call.
func (b *buckets[T]) at(x float64) (value *T, isNew bool) {
	slot := int64((x - b.since) / b.step)

	// Readings come in order nearly always: only a late one is searched for.
	i := len(b.filled)
	if i > 0 && b.filled[i-1].slot >= slot {
		i, _ = slices.BinarySearchFunc(b.filled, slot, func(one bucket[T], slot int64) int { return cmp.Compare(one.slot, slot) })
	}
	if i < len(b.filled) && b.filled[i].slot == slot {
		return &b.filled[i].value, false
	}

	b.filled = slices.Insert(b.filled, i, bucket[T]{slot: slot})

	return &b.filled[i].value, true
}

// middle is the time in the middle of a slot.
func (b *buckets[T]) middle(slot int64) float64 { return b.since + (float64(slot)+0.5)*b.step }

// bucketedSeries is the course of one value: readings merged into buckets as they arrive.
type bucketedSeries struct {
	buckets    buckets[merged]
	stat       Stat
	sum, lastX float64
}

// merged are the readings of one bucket.
type merged struct {
	at       float64 // time of the first
	sum      float64
	min, max float64
	n        int
}

func (m merged) mean() float64 { return m.sum / float64(m.n) }

// newBucketedSeries merges readings so that the range has at most the query's points.
func newBucketedSeries(q Query) *bucketedSeries {
	return &bucketedSeries{buckets: newBuckets[merged](q.Since, q.Step(q.points()))}
}

func (s *bucketedSeries) add(x, y float64) { s.merge(x, y, y, y, 1) }

// merge adds n readings with the given sum, least and greatest at x. Readings may come out of order.
func (s *bucketedSeries) merge(x, sum, least, most float64, n int) {
	s.updateStat(x, sum, most, n)

	b, isNew := s.buckets.at(x)
	if isNew {
		*b = merged{at: x, sum: sum, min: least, max: most, n: n}
		return
	}

	b.at, b.sum, b.n = min(b.at, x), b.sum+sum, b.n+n
	b.min, b.max = min(b.min, least), max(b.max, most)
}

// updateStat keeps the figures of the legend, which are of all readings and not of what the buckets made of them.
func (s *bucketedSeries) updateStat(x, sum, most float64, n int) {
	if s.stat.N == 0 || most > s.stat.Max {
		s.stat.Max = most
	}
	if s.stat.N == 0 || x >= s.lastX {
		s.lastX, s.stat.Last = x, sum/float64(n)
	}

	s.sum += sum
	s.stat.N += n
	s.stat.Avg = s.sum / float64(s.stat.N)
}

// points are the buckets' averages, with a gap wherever two neighbours are further apart than gap milliseconds.
func (s *bucketedSeries) points(gap float64) []Point {
	out := make([]Point, 0, len(s.buckets.filled)+4)
	for i, b := range s.buckets.filled {
		if i > 0 {
			if before := s.buckets.filled[i-1].value.at; b.value.at-before > gap {
				out = append(out, Point{X: before + gap/2, Gap: true})
			}
		}

		out = append(out, Point{X: b.value.at, Y: b.value.mean(), Min: b.value.min, Max: b.value.max})
	}
	return out
}

func (s *bucketedSeries) stats() *Stat {
	if s.stat.N == 0 {
		return nil
	}
	out := s.stat
	return &out
}

// series finishes as a series of a pane.
func (s *bucketedSeries) series(out Series, gap float64) Series {
	out.Points, out.Stat = s.points(gap), s.stats()
	return out
}

// bucketCounter counts events in buckets.
type bucketCounter struct {
	buckets buckets[int]
	total   int
}

// EventBuckets is how many buckets of events a chart shows at most: bars and glyphs narrower than this are not told apart.
const EventBuckets = 180

func newBucketCounter(q Query) *bucketCounter {
	return &bucketCounter{buckets: newBuckets[int](q.Since, max(q.evenStep(EventBuckets), 5*time.Second))}
}

func (c *bucketCounter) add(t time.Time) { c.addN(t, 1) }

func (c *bucketCounter) addN(t time.Time, n int) {
	count, _ := c.buckets.at(Millis(t))
	*count += n
	c.total += n
}

// points are the counts in the middle of their buckets, times sign.
func (c *bucketCounter) points(sign float64, word string) []Point {
	out := make([]Point, 0, len(c.buckets.filled))
	for _, b := range c.buckets.filled {
		out = append(out, Point{X: c.buckets.middle(b.slot), Y: sign * float64(b.value), Label: fmt.Sprintf("%d %s", b.value, word)})
	}
	return out
}
