package chart

import (
	"cmp"
	"maps"
	"slices"
)

func sortedKeys[K cmp.Ordered, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }

// series finishes a track as a series of a pane.
func (t *bucketedSeries) series(s Series, gap float64) Series {
	s.Points, s.Stat = t.points(gap), t.stats()
	return s
}

// newBucketedSeries merges readings so that the range has at most the query's points.
func newBucketedSeries(q Query) *bucketedSeries {
	return &bucketedSeries{since: Millis(q.Since), step: float64(q.Step(q.points()).Milliseconds())}
}

func timeAxis() Axis { return Axis{Kind: AxisTime} }

func valueAxis(label string, u Unit) Axis {
	zero := 0.0
	return Axis{Kind: AxisValue, Label: label, Unit: u, Min: &zero}
}

// stepOf is the bucket width a model reports: 0 when no two ticks can share a bucket.
func stepOf(q Query, tickInterval float64) int64 {
	step := q.Step(q.points()).Milliseconds()
	if float64(2*step) <= tickInterval {
		return 0
	}
	return step
}
