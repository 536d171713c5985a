package query

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"time"

	"gestor.local/contract"

	"gestor.local/logs/internal/line"
	"gestor.local/logs/internal/rollup"
)

// SeriesQuery asks for one metric over time.
type SeriesQuery struct {
	// Metric is a name that rollup.Row.Each gives: cpu_millicores, ram_kb, memory_used_kb, population, remove_done …
	Metric       string
	By           string // class, image, host; container reads the records themselves
	Since, Until time.Time
	Step         time.Duration
	// Filter narrows a query by container.
	Filter contract.Filter
	// Quantile between 0 and 1 reads the records themselves; the answer stands in Point.Quantile.
	Quantile float64
}

// Series is one line of a chart.
type Series struct {
	Key    string
	Points []Point // ascending; a bucket without records has none
}

// Point is the sum over [At, At+Step).
type Point struct {
	At time.Time
	rollup.Value
	Quantile uint64
}

// ByContainer reads records instead of roll-ups.
const ByContainer = "container"

// maxPoints bounds an answer over all its series.
const maxPoints = 100_000

// ErrTooMany says that an answer would be too large.
var ErrTooMany = errors.New("too many points: ask for a wider step or a shorter range")

// OfRecords says whether the records themselves have to be read: the sums know neither containers nor single values, and
// no narrower step.
func (q SeriesQuery) OfRecords() bool {
	return q.By == ByContainer || q.Quantile > 0 || q.Step%rollup.Steps[0] != 0 || len(q.Filter.Containers) > 0
}

// Series answers from roll-ups where they hold what is asked, else from the records.
func (e *Engine) Series(ctx context.Context, q SeriesQuery) ([]Series, error) {
	if q.Step < time.Millisecond || q.Step%time.Millisecond != 0 || !q.Since.Before(q.Until) {
		return nil, fmt.Errorf("series: the range is empty, or the step is no number of milliseconds")
	}

	b := buckets{step: q.Step, points: map[string]map[int64]*bucket{}}
	var err error
	if q.OfRecords() {
		err = e.fromRecords(ctx, q, &b)
	} else {
		err = e.fromRollups(ctx, q, &b)
	}
	if err != nil {
		return nil, err
	}

	return b.series(q.Quantile), nil
}

// fromRollups merges sums, and single records in the minutes that the range holds in part.
func (e *Engine) fromRollups(ctx context.Context, q SeriesQuery, b *buckets) error {
	if !rollup.Known(q.Metric) {
		return fmt.Errorf("series: %w: %q", ErrUnknownMetric, q.Metric)
	}

	// The widest sums that the asked step is made of: the fewest to be read.
	step := 0
	for i, s := range rollup.Steps {
		if q.Step%s == 0 {
			step = i
		}
	}

	var failed error
	add := func(k rollup.Key, r *rollup.Row) {
		if string(k.By) != q.By {
			return
		}
		r.Each(func(metric string, v rollup.Value) {
			if metric == q.Metric && failed == nil {
				failed = b.merge(k.Key, time.Unix(k.At, 0), v)
			}
		})
	}

	for _, part := range splitRange(q.Since, q.Until, step) {
		if err := ctx.Err(); err != nil {
			return err
		}
		if part.step >= 0 {
			e.store.Rollup(part.step, part.since, part.until, add)
		} else if err := e.sumRecords(ctx, part.since, part.until, add); err != nil {
			return err
		}
	}
	return failed
}

// sumRecords sums the records of part of a minute as the roll-ups do.
func (e *Engine) sumRecords(ctx context.Context, since, until time.Time, add func(rollup.Key, *rollup.Row)) error {
	f := contract.Filter{Since: since, Until: until, Kinds: []contract.Kind{
		contract.KindHost, contract.KindContainer, contract.KindAction, contract.KindLaunch,
	}}

	table, parser := rollup.NewRange(rollup.Steps[0]), line.NewParser()
	err := e.Lines(ctx, Query{Filter: f}, func(l Line) error {
		var rec line.Record
		if parser.ParseStored(l.JSON, &rec) {
			table.Add(&rec)
		}
		return nil
	})

	table.Each(math.MinInt64, math.MaxInt64, add)
	return err
}

// part is a range of time and the width of the sums that answer for it, -1 for the records themselves.
type part struct {
	step         int
	since, until time.Time
}

// splitRange has a range answered by wide sums, at both ends where it does not hold a wide one whole by the narrowest, and
// where it does not hold one of these whole by the records.
func splitRange(since, until time.Time, step int) (out []part) {
	if !since.Before(until) {
		return nil
	}
	if step < 0 {
		return []part{{step, since, until}}
	}

	width := rollup.Steps[step]
	from, to := since.Truncate(width), until.Truncate(width)
	if from.Before(since) {
		from = from.Add(width)
	}
	if !from.Before(to) {
		return splitRange(since, until, step-1)
	}

	return slices.Concat(splitRange(since, from, step-1), []part{{step, from, to}}, splitRange(to, until, step-1))
}

func (e *Engine) fromRecords(ctx context.Context, q SeriesQuery, b *buckets) error {
	figure := line.FigureNumber(q.Metric)
	if figure < 0 {
		return fmt.Errorf("series: %w: only figures of containers can be asked for this way", ErrUnknownMetric)
	}

	b.keep = q.Quantile > 0
	f := q.Filter
	f.Since, f.Until, f.Kinds = q.Since, q.Until, []contract.Kind{contract.KindContainer}

	if err := e.checkCost(f); err != nil {
		return err
	}

	// As the roll-ups have it: what has no class or image is in no series, and a host's is of all its containers.
	named := q.By != ByContainer
	governed := (q.By == string(rollup.ByClass) || q.By == string(rollup.ByImage)) && len(f.Containers) == 0
	return e.Lines(ctx, Query{Filter: f}, func(l Line) error {
		key := l.String(q.By)
		if string(l.Field("measured")) != "true" || governed && string(l.Field("owned")) != "true" || named && key == "" {
			return nil
		}
		x := l.Uint(q.Metric)
		return b.merge(key, l.Time, rollup.Value{N: 1, Sum: x, Min: x, Max: x})
	})
}

// ErrUnknownMetric says that a metric is not known.
var ErrUnknownMetric = errors.New("unknown metric")

// buckets gathers points by series and time.
type buckets struct {
	step   time.Duration
	keep   bool // the single values, for a quantile
	points map[string]map[int64]*bucket
	n      int // buckets
	bytes  int // that all of it takes, about
}

type bucket struct {
	rollup.Value
	all []uint64
}

// Bytes of a bucket with its place in a map, and of a value with the room that its slice has to grow.
const (
	bucketBytes = 160
	valueBytes  = 16
)

func (b *buckets) merge(key string, at time.Time, v rollup.Value) error {
	series := b.points[key]
	if series == nil {
		series = map[int64]*bucket{}
		b.points[key] = series
		b.bytes += bucketBytes + len(key)
	}

	start := rollup.Align(at.UnixMilli(), b.step.Milliseconds())
	p := series[start]
	if p == nil {
		p = &bucket{}
		series[start] = p
		b.n++
		b.bytes += bucketBytes
	}

	p.Merge(v)
	if b.keep {
		p.all = append(p.all, v.Sum)
		b.bytes += valueBytes
	}

	// Asked after each value, since what came before it is held already.
	if b.n > maxPoints || b.bytes > maxHeld {
		return ErrTooMany
	}
	return nil
}

func (b *buckets) series(quantile float64) []Series {
	out := []Series{}
	for _, key := range slices.Sorted(maps.Keys(b.points)) {
		s := Series{Key: key}
		for _, at := range slices.Sorted(maps.Keys(b.points[key])) {
			p := b.points[key][at]
			point := Point{At: time.UnixMilli(at).UTC(), Value: p.Value}
			if b.keep && len(p.all) > 0 {
				slices.Sort(p.all)
				point.Quantile = p.all[int(quantile*float64(len(p.all)-1)+0.5)]
			}
			s.Points = append(s.Points, point)
		}

		out = append(out, s)
	}
	return out
}
