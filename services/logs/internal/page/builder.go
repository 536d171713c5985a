package page

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"gestor.local/contract"

	"gestor.local/logs/internal/chart"
	"gestor.local/logs/internal/query"
	"gestor.local/logs/internal/respond"
	"gestor.local/logs/internal/rollup"
	"gestor.local/logs/internal/store"
)

// RecordSource is what the charts and the page need of the store.
type RecordSource interface {
	// Scan calls fn for every record that passes the filter, in the order of the store or its reverse; fn ends it with
	// query.ErrStop.
	Scan(ctx context.Context, f contract.Filter, order query.Order, fn func(contract.Record) error) error
	// Sums returns the sums of one width within [since, until) in order of time.
	Sums(ctx context.Context, step time.Duration, since, until time.Time) ([]chart.RollupRow, error)
	// Head is the newest sequence number.
	Head() uint64
	Now() time.Time
}

// recordSource is the store as the charts need it: records and sums.
type recordSource struct {
	*query.Engine
	store *store.Store
}

// Sums returns the roll-ups of one of rollup.Steps within [since, until) in order of time.
func (s recordSource) Sums(_ context.Context, step time.Duration, since, until time.Time) ([]chart.RollupRow, error) {
	table := rollup.NewRange(step) // parts of one bucket stand in different files
	s.store.Rollup(slices.Index(rollup.Steps[:], step), since, until, table.Merge)

	var out []chart.RollupRow
	table.Each(since.Unix(), until.Unix(), func(k rollup.Key, r *rollup.Row) {
		r.Each(func(metric string, v rollup.Value) {
			if !chart.UsesMetric(metric) {
				return
			}
			out = append(out, chart.RollupRow{At: time.Unix(k.At, 0), By: string(k.By), Key: k.Key, Metric: metric, N: v.N, Total: v.Sum, Min: v.Min, Max: v.Max})
		})
	})
	slices.SortStableFunc(out, func(a, b chart.RollupRow) int { return a.At.Compare(b.At) })
	return out, nil
}

// chartBuilder builds chart models and caches the last ones: a page asks for nine charts of one range at a time, and they
// come from one build, or from one of the sums and one of the newest records of a long range.
//
// It is a single flight, but not golang.org/x/sync/singleflight: a build under way is joined only while no newer record
// makes it stale, and one whose client leaves while it waits for its slot is taken over by those who joined it.
type chartBuilder struct {
	from     RecordSource
	recovery *respond.Recovery
	// slots bounds the builds at once: each reads a whole range, and a client that gives up and asks for another one
	// leaves its build behind.
	slots *respond.Slots

	mu     sync.Mutex // guards all following fields
	cached []*build   // oldest first
}

// maxBuilds leaves cores to the ingest; more builds at once would each be slower.
const maxBuilds = 2

func newChartBuilder(from RecordSource, r *respond.Recovery) *chartBuilder {
	return &chartBuilder{from: from, recovery: r, slots: respond.NewSlots(maxBuilds)}
}

// maxCached bounds the memory of cached models: a model has some 100 KiB.
const maxCached = 12

// cacheTTL is how long a build answers although newer records arrived, so that a burst of requests during a burst of
// records is paid once. It is shorter than the pause between a record's event and the page's question (250 ms in app.js):
// whoever asks because of a record gets it.
const cacheTTL = 200 * time.Millisecond

// buildTimeout bounds one build. It is longer than a query's: at the end of a run on a crowded host the manager's last
// request reads everything.
const buildTimeout = 30 * time.Second

// build is one reading of the records of one range. done is closed when models or err is set.
type build struct {
	key       string
	head      uint64 // the newest record when it started
	startedAt time.Time
	done      chan struct{}
	models    map[string]chart.Model
	err       error
}

// model returns one chart of a range; ok is false when there is none of this name.
func (c *chartBuilder) model(ctx context.Context, q chart.Query, name string) (m chart.Model, ok bool, err error) {
	for _, names := range groups(q) {
		if slices.Contains(names, name) {
			models, err := c.models(ctx, q, names)
			m, ok := models[name]
			return m, ok && err == nil, err
		}
	}
	return m, false, nil
}

// all returns every chart of a range.
func (c *chartBuilder) all(ctx context.Context, q chart.Query) (map[string]chart.Model, error) {
	out := map[string]chart.Model{}
	for _, names := range groups(q) {
		models, err := c.models(ctx, q, names)
		if err != nil {
			return nil, err
		}
		maps.Copy(out, models)
	}
	return out, nil
}

// groups are the charts that one build makes: those of sums do not wait for the records.
func groups(q chart.Query) [][]string {
	if sumStep(q) == 0 {
		return [][]string{chart.Names()}
	}
	sums := chart.Summable(q)
	return [][]string{sums, slices.DeleteFunc(chart.Names(), func(name string) bool { return slices.Contains(sums, name) })}
}

// models returns a group of charts: those of a build that somebody else started, or of one of its own.
func (c *chartBuilder) models(ctx context.Context, q chart.Query, names []string) (map[string]chart.Model, error) {
	for {
		b, leader := c.getOrStart(q, names[0])
		if leader {
			go c.runBuild(ctx, b, q, names)
		}

		select {
		case <-b.done:
		case <-ctx.Done():
			return nil, ctx.Err()
		}

		if errors.Is(b.err, errAbandoned) && ctx.Err() == nil {
			continue // who asked first has gone: this client's turn
		}
		return b.models, b.err
	}
}

// errAbandoned is a build whose client went before its turn came.
var errAbandoned = errors.New("charts: the client has gone before its turn")

// runBuild waits for a slot as long as the client does, and builds.
func (c *chartBuilder) runBuild(ctx context.Context, b *build, q chart.Query, names []string) {
	defer close(b.done)

	// Out of the cache before done is closed: whoever joined looks there again, and must find another one.
	if c.slots.Acquire(ctx) != nil {
		b.err = errAbandoned
		c.drop(b)
		return
	}
	defer c.slots.Release()

	// A build that has begun outlives its client: the next one wants it too.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), buildTimeout)
	defer cancel()

	b.err = c.recovery.Do("charts", func() (err error) {
		b.models, err = c.compute(ctx, q, names)
		return err
	})
	if b.err != nil {
		c.drop(b)
	}
}

// getOrStart finds a build that is still good or adds one, whose leader must then run it.
func (c *chartBuilder) getOrStart(q chart.Query, group string) (b *build, leader bool) {
	key := fmt.Sprintf("%s %d %d %q %q %q %q %d", group, q.Since.UnixMilli(), q.Until.UnixMilli(), q.Hosts, q.Classes, q.Images, q.Containers, q.Points)
	head := c.from.Head()

	c.mu.Lock()
	defer c.mu.Unlock()

	// A build of older records answers for a moment more. Then it leaves the cache, ended or not: who waits for it still
	// gets it.
	c.cached = slices.DeleteFunc(c.cached, func(b *build) bool {
		return b.key == key && b.head != head && time.Since(b.startedAt) > cacheTTL
	})
	for _, b := range c.cached {
		if b.key == key {
			return b, false
		}
	}

	b = &build{key: key, head: head, startedAt: time.Now(), done: make(chan struct{})}
	c.cached = append(c.cached, b)
	if len(c.cached) > maxCached {
		c.cached = slices.Delete(c.cached, 0, 1)
	}
	return b, true
}

// drop takes a build that failed out of the cache, so that the next request starts another one.
func (c *chartBuilder) drop(failed *build) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cached = slices.DeleteFunc(c.cached, func(b *build) bool { return b == failed })
}

// compute reads what a group of charts is drawn from, and returns the models by name.
func (c *chartBuilder) compute(ctx context.Context, q chart.Query, names []string) (map[string]chart.Model, error) {
	newest, err := c.newestTime(ctx)
	if err != nil {
		return nil, err
	}
	q.Newest = newest

	var models []chart.Model
	if step := sumStep(q); step > 0 && slices.Contains(chart.Summable(q), names[0]) {
		models, err = c.fromSums(ctx, q, step, names)
	} else {
		models, err = c.fromRecords(ctx, q, names)
	}

	out := map[string]chart.Model{}
	for _, m := range models {
		out[m.Name] = m
	}
	return out, err
}

// recordsFor is the longest range whose records are read one by one: some 14 000 at ten containers, a quarter of a
// second of one core.
const recordsFor = chart.MaxRecordRange

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

// fromRecords builds charts record by record: of a long range its newest part.
func (c *chartBuilder) fromRecords(ctx context.Context, q chart.Query, names []string) ([]chart.Model, error) {
	note := ""
	if from := q.Until.Add(-recordsFor); q.Since.Before(from) && len(q.Containers) == 0 {
		q.Since = from
		note = "This chart needs single records: the last " + chart.FormatDuration(recordsFor) + " of the range are drawn."
	}

	set, err := chart.NewSet(q, names...)
	if err != nil {
		return nil, err
	}

	// Of single containers a range of any length is read: too long for all records, so that the host's own are left out.
	f := contract.Filter{Since: q.Since, Until: q.Until, Kinds: set.Kinds(), Hosts: q.Hosts}
	if q.Until.Sub(q.Since) > recordsFor {
		f.Containers = q.Containers
	}

	err = c.from.Scan(ctx, f, query.Oldest, func(r contract.Record) error {
		set.Add(r)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("charts: read records: %w", err)
	}

	models := set.Models()
	for i := range models {
		if note != "" {
			models[i].Notes = append(models[i].Notes, note)
		}
	}
	return models, nil
}

// fromSums builds charts from the sums of their range.
func (c *chartBuilder) fromSums(ctx context.Context, q chart.Query, step time.Duration, names []string) ([]chart.Model, error) {
	// The first bucket is drawn whole.
	q.RollupStep = step
	q.Since = q.Since.Truncate(step)
	set, err := chart.NewSet(q, names...)
	if err != nil {
		return nil, err
	}

	sums, err := c.from.Sums(ctx, step, q.Since, q.Until)
	if err != nil {
		return nil, fmt.Errorf("charts: read sums: %w", err)
	}

	for _, one := range sums {
		set.AddRow(one)
	}
	return set.Models(), nil
}

// newestTime is the time of the newest record, zero while nobody has sent any.
func (c *chartBuilder) newestTime(ctx context.Context) (t time.Time, err error) {
	err = c.scanTimes(ctx, query.Newest, 1, func(at time.Time) { t = at })
	if err != nil {
		return t, fmt.Errorf("charts: read the newest record: %w", err)
	}
	return t, nil
}

// maxOldestScan is how many records the oldest is searched in: they come in the order of their arrival, and what waited in a
// spool is older than what came at once.
const maxOldestScan = 1000

// oldestTime is the time of the earliest of the first records, zero while nobody has sent any.
func (c *chartBuilder) oldestTime(ctx context.Context) (t time.Time, err error) {
	err = c.scanTimes(ctx, query.Oldest, maxOldestScan, func(at time.Time) {
		if t.IsZero() || at.Before(t) {
			t = at
		}
	})
	if err != nil {
		return t, fmt.Errorf("charts: read the oldest record: %w", err)
	}
	return t, nil
}

// scanTimes calls fn with the times of the first n records that somebody sent: the log service's own, which are about itself,
// are no data.
func (c *chartBuilder) scanTimes(ctx context.Context, order query.Order, n int, fn func(time.Time)) error {
	return c.from.Scan(ctx, contract.Filter{}, order, func(r contract.Record) error {
		if r.Producer == contract.ProducerLogs {
			return nil
		}

		fn(r.Time)
		if n--; n == 0 {
			return query.ErrStop
		}
		return nil
	})
}

// ranges are the presets of the page.
func ranges() []string { return []string{"15m", "1h", "6h", "24h", "7d", "30d"} }

const defaultRange = "15m"

// chartQuery reads range (or since and until), host, class, image, container and points.
func chartQuery(p *respond.Params) chart.Query {
	q := chart.Query{
		Since: p.Time("since"), Until: p.Time("until"), Images: p.List("image"), Containers: p.List("container"), Hosts: p.List("host"),
		Points: p.Int("points", chart.MaxPoints, 2, chart.MaxPoints),
	}
	for _, c := range p.List("class") {
		q.Classes = append(q.Classes, contract.Class(c))
	}

	length := p.One("range")
	if length != "" && !q.Since.IsZero() {
		p.Reject("range", "goes with until, not with since")
	}
	if length == "" {
		length = defaultRange
	}

	d, err := respond.ParseDuration(length)
	if err != nil || d < time.Second || d > 400*24*time.Hour {
		p.Reject("range", "want a duration from 1s to 400d such as "+strings.Join(ranges(), ", "))
		d = 15 * time.Minute
	}

	// The end of a preset is rounded up, so that all charts of one page, and of pages opened together, share a build.
	if q.Until.IsZero() {
		part := min(max(d/90, time.Second), 10*time.Minute)
		q.Until = p.Now.Truncate(part).Add(part)
	}

	if q.Since.IsZero() {
		q.Since = q.Until.Add(-d)
	}

	if !q.Since.Before(q.Until) {
		p.Reject("until", "is not after since")
	}
	return q
}
