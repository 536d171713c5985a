package chart

import "sort"

// bucketedSeries is the course of one value: readings merged into buckets of one width as they arrive, so that its size is bounded
// by the range and not by the number of records.
type bucketedSeries struct {
	since, step float64 // milliseconds
	buckets     []bucket
	stat        Stat
	sum, lastX  float64
}

type bucket struct {
	at       float64 // time of its first reading
	slot     int64
	sum      float64
	min, max float64
	n        int
	label    string
}

func (t *bucketedSeries) add(x, y float64) { t.merge(x, y, y, y, 1) }

// merge adds n readings with the given sum, least and greatest at x. Readings may come out of order.
func (t *bucketedSeries) merge(x, sum, least, most float64, n int) {
	t.updateStat(x, sum, most, n)
	slot := int64((x - t.since) / t.step)
	i := len(t.buckets)
	if i > 0 && t.buckets[i-1].slot >= slot {
		i = sort.Search(len(t.buckets), func(i int) bool { return t.buckets[i].slot >= slot })
	}
	if i < len(t.buckets) && t.buckets[i].slot == slot {
		b := &t.buckets[i]
		b.at, b.sum, b.n = min(b.at, x), b.sum+sum, b.n+n
		b.min, b.max = min(b.min, least), max(b.max, most)
		return
	}
	t.buckets = append(t.buckets, bucket{})
	copy(t.buckets[i+1:], t.buckets[i:])
	t.buckets[i] = bucket{at: x, slot: slot, sum: sum, min: least, max: most, n: n}
}

func (t *bucketedSeries) updateStat(x, sum, most float64, n int) {
	if t.stat.N == 0 || most > t.stat.Max {
		t.stat.Max = most
	}
	if t.stat.N == 0 || x >= t.lastX {
		t.lastX, t.stat.Last = x, sum/float64(n)
	}
	t.sum += sum
	t.stat.N += n
	t.stat.Avg = t.sum / float64(t.stat.N)
}

// points are the buckets' averages, with a gap wherever two neighbours are further apart than gap milliseconds.
func (t *bucketedSeries) points(gap float64) []Point {
	out := make([]Point, 0, len(t.buckets)+4)
	for i, b := range t.buckets {
		if i > 0 && b.at-t.buckets[i-1].at > gap {
			out = append(out, Point{X: t.buckets[i-1].at + gap/2, Gap: true})
		}
		out = append(out, Point{X: b.at, Y: b.sum / float64(b.n), Min: b.min, Max: b.max, Label: b.label})
	}
	return out
}

func (t *bucketedSeries) stats() *Stat {
	if t.stat.N == 0 {
		return nil
	}
	s := t.stat
	return &s
}
