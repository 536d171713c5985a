package chart

import (
	"slices"
	"time"

	"gestor.local/contract"
)

// MaxPoints is how many points a series may have: more than a wide screen has columns, few enough for a phone.
const MaxPoints = 2000

// Query is the range and the selection a chart is drawn for.
type Query struct {
	// Since and Until bound the time axis: [Since, Until).
	Since, Until time.Time
	// Hosts are those whose records count; empty is all.
	Hosts []string
	// Classes, Images and Containers select containers; empty selects all. Containers are full ids or prefixes.
	Classes    []contract.Class
	Images     []string
	Containers []string
	// Points is the most points of a series, 0 = MaxPoints.
	Points int
	// RollupStep is the width of the buckets when the set is fed with sums, 0 when it is fed with records.
	RollupStep time.Duration
	// Newest is the time of the newest record of the store, for the text of an empty chart; zero = the store is empty.
	Newest time.Time
}

// steps are the widths of buckets: readers can add them up in their heads.
var steps = [...]time.Duration{
	time.Second, 2 * time.Second, 5 * time.Second, 10 * time.Second, 15 * time.Second, 30 * time.Second,
	time.Minute, 2 * time.Minute, 5 * time.Minute, 10 * time.Minute, 15 * time.Minute, 30 * time.Minute,
	time.Hour, 2 * time.Hour, 3 * time.Hour, 6 * time.Hour, 12 * time.Hour, 24 * time.Hour,
}

// Step is the narrowest width that divides the range into at most n buckets.
func (q Query) Step(n int) time.Duration { return q.stepMultipleOf(n, steps[0]) }

// evenStep is Step for buckets that count: each holds the same number of sums, or even counts would look uneven.
func (q Query) evenStep(n int) time.Duration { return q.stepMultipleOf(n, max(q.RollupStep, steps[0])) }

// stepMultipleOf is the narrowest width that divides the range into at most n buckets and is a whole multiple of unit.
func (q Query) stepMultipleOf(n int, unit time.Duration) time.Duration {
	span := q.Until.Sub(q.Since)
	for _, s := range steps {
		if span <= time.Duration(n)*s && s%unit == 0 {
			return s
		}
	}
	day := 24 * time.Hour
	return (span/time.Duration(n)/day + 1) * day
}

func (q Query) points() int {
	if q.Points <= 0 || q.Points > MaxPoints {
		return MaxPoints
	}
	return q.Points
}

// matches says whether the selection holds the container.
func (q Query) matches(s contract.Subject) bool {
	if len(q.Classes) > 0 && !slices.Contains(q.Classes, s.Class) {
		return false
	}
	if !q.matchesImage(s.Image) {
		return false
	}

	return len(q.Containers) == 0 || slices.ContainsFunc(q.Containers, func(id string) bool {
		return len(s.Container) >= len(id) && s.Container[:len(id)] == id
	})
}

// matchesImage says whether the selection leaves the image in.
func (q Query) matchesImage(image string) bool {
	return len(q.Images) == 0 || slices.Contains(q.Images, image)
}

// matchesHost says whether the records of a host count.
func (q Query) matchesHost(host string) bool {
	return len(q.Hosts) == 0 || slices.Contains(q.Hosts, host)
}

// filtered says whether the selection leaves any container out.
func (q Query) filtered() bool { return len(q.Classes)+len(q.Images)+len(q.Containers) > 0 }

// stepOf is the bucket width a model reports: 0 when no two ticks can share a bucket.
func stepOf(q Query, tickInterval float64) int64 {
	step := q.Step(q.points()).Milliseconds()
	if float64(2*step) <= tickInterval {
		return 0
	}
	return step
}

// gap is the distance in milliseconds between two points of a series beyond which at least one reading is missing.
func (q Query) gap(tickInterval time.Duration) float64 {
	step := q.Step(q.points())
	ms := float64(tickInterval / time.Millisecond)

	// A bucket of several readings stands at the first of them, so two neighbours may lie further apart than their width.
	if 2*step <= tickInterval || q.RollupStep > 0 && step <= tickInterval { // no two readings share a bucket; sums stand on its grid
		return 1.5 * ms
	}
	return float64(step/time.Millisecond) + 1.2*ms
}
