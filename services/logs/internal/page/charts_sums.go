package page

import (
	"context"
	"fmt"
	"slices"
	"time"

	"gestor.local/logs/internal/chart"
	"gestor.local/logs/internal/query"
	"gestor.local/logs/internal/rollup"
	"gestor.local/logs/internal/store"
)

// archive is the store as the charts need it: records and sums.
type archive struct {
	*query.Engine
	store *store.Store
}

// Sums returns the roll-ups of one of rollup.Steps within [since, until) in order of time.
func (a archive) Sums(_ context.Context, step time.Duration, since, until time.Time) ([]chart.Sum, error) {
	whole := rollup.NewRange(step) // parts of one bucket stand in different files
	a.store.Rollup(slices.Index(rollup.Steps[:], step), since, until, whole.Merge)
	var out []chart.Sum
	whole.Each(since.Unix(), until.Unix(), func(k rollup.Key, r *rollup.Row) {
		r.Each(func(metric string, v rollup.Value) {
			if !chart.Sums(metric) {
				return
			}
			out = append(out, chart.Sum{At: time.Unix(k.At, 0), By: string(k.By), Key: k.Key, Metric: metric, N: v.N, Total: v.Sum, Min: v.Min, Max: v.Max})
		})
	})
	slices.SortStableFunc(out, func(a, b chart.Sum) int { return a.At.Compare(b.At) })
	return out, nil
}

// recordsFor is the longest range whose records are read one by one: some 14 000 at ten containers, a quarter of a
// second of one core.
const recordsFor = chart.RecordsFor

// sumStep is the width of the sums that a range is drawn from, 0 for records: the finest of which a series' points show
// all. A selection of single containers needs the records.
func sumStep(q chart.Query) time.Duration {
	span := q.Until.Sub(q.Since)
	if span <= recordsFor || len(q.Containers) > 0 {
		return 0
	}
	for _, step := range rollup.Steps {
		if span/step <= chart.MaxPoints {
			return step
		}
	}
	return rollup.Steps[len(rollup.Steps)-1]
}

// fromSums builds charts from the sums of their range.
func (s *studio) fromSums(ctx context.Context, q chart.Query, step time.Duration, names []string) ([]chart.Model, error) {
	q.Sums = step
	q.Since = q.Since.Truncate(step)
	set, err := chart.NewSet(q, names...)
	if err != nil {
		return nil, err
	}
	sums, err := s.from.Sums(ctx, step, q.Since, q.Until)
	if err != nil {
		return nil, fmt.Errorf("charts: read sums: %w", err)
	}
	for _, one := range sums {
		set.AddSum(one)
	}
	return set.Models(), nil
}
