package chart

import (
	"time"

	"gestor.local/contract"
)

// RollupRow is what a roll-up knows of one metric over one bucket of one class, image or host.
type RollupRow struct {
	At                 time.Time // the bucket's start
	By                 string    // class, image or host
	Key                string
	Metric             string // as in GET /v1/stats
	N, Total, Min, Max uint64
}

// Dimensions of a sum.
const (
	byClass = "class"
	byImage = "image"
	byHost  = "host"
)

// rollupBuilder is a builder that can be fed with sums instead of records, for ranges too long to read record by record.
type rollupBuilder interface{ addRow(RollupRow) }

// MaxRecordRange is the longest range that is read record by record: longer ones are drawn from sums.
const MaxRecordRange = 90 * time.Minute

// rollupsOnly is a note on what a chart of sums joins or leaves out.
func rollupsOnly(what string) string {
	return "Over " + FormatDuration(MaxRecordRange) + " only the sums are read: " + what
}

// Summable lists the charts of a selection that can be built from sums. Sums of images do not tell a container's class, nor
// those of classes and images its host: such a selection is read record by record.
func Summable(q Query) []string {
	var out []string
	for _, c := range catalogue() {
		if _, ok := c.make(Query{Since: time.Unix(0, 0), Until: time.Unix(1, 0)}).(rollupBuilder); ok && q.summable(c.Name) {
			out = append(out, c.Name)
		}
	}
	return out
}

func (q Query) summable(name string) bool {
	switch name {
	case "processes", "heatmap":
		return len(q.Hosts)+len(q.Classes) == 0
	case "population":
		return len(q.Hosts) == 0 && (len(q.Classes) == 0 || len(q.Images) == 0)
	default:
		return true
	}
}

// UsesMetric says whether a chart draws the metric.
func UsesMetric(metric string) bool {
	switch metric {
	case "memory_total_kb", "memory_used_kb", "memory_free_kb", "memory_available_kb", "governed_ram_kb", "population", "quota",
		"cpu_millicores", "ram_kb", "read_us", "parse_us", "decide_us", "act_us", "late_us", "spool_records", "skipped_ticks", "sync_us",
		contract.MetricLaunch + contract.LaunchStarted:
		return true
	default:
		return contract.IsRemovalMetric(metric)
	}
}

// AddRow takes one sum. Sums come in order of time; the query's Sums is their step.
func (s *Set) AddRow(sum RollupRow) {
	if sum.By == byHost && !s.q.matchesHost(sum.Key) {
		return
	}

	// Two names of one image are one key from here on, as they are when records are read.
	s.records++
	sum.Key = Sanitize(sum.Key)
	if sum.By == byImage {
		sum.Key = ShortImage(sum.Key)
	}

	for _, b := range s.builders {
		if b, ok := b.(rollupBuilder); ok {
			b.addRow(sum)
		}
	}
}

// mergeInto adds a sum to a track, in units of the track: unit is what 1 of the metric is.
func (s RollupRow) mergeInto(t *bucketedSeries, unit float64) {
	t.merge(Millis(s.At), float64(s.Total)*unit, float64(s.Min)*unit, float64(s.Max)*unit, int(s.N))
}

// classOfImage is the default policy's word on an image: sums of images do not carry a class. It is unknown for an image
// of another policy.
func classOfImage(image string) contract.Class {
	for known, class := range contract.DefaultPolicy().Images {
		if contract.ShortImage(known) == image {
			return class
		}
	}
	return contract.ClassUnknown
}

// perTickAverage turns totals over all containers into the average of a tick: how many ticks each bucket had is known
// from the host's own metrics.
type perTickAverage struct {
	q     Query
	ticks map[int64]uint64
	total map[string]map[int64]RollupRow // by key
}

func newPerTickAverage(q Query) *perTickAverage {
	return &perTickAverage{q: q, ticks: map[int64]uint64{}, total: map[string]map[int64]RollupRow{}}
}

func (p *perTickAverage) addTicks(s RollupRow) { p.ticks[s.At.UnixMilli()] += s.N }

func (p *perTickAverage) add(s RollupRow) {
	if p.total[s.Key] == nil {
		p.total[s.Key] = map[int64]RollupRow{}
	}
	at := s.At.UnixMilli()
	old := p.total[s.Key][at]
	s.N, s.Total = s.N+old.N, s.Total+old.Total
	p.total[s.Key][at] = s
}

// series is the average per tick of one key, of value(sum).
func (p *perTickAverage) series(key string, value func(RollupRow) float64) *bucketedSeries {
	t := newBucketedSeries(p.q)
	for _, at := range sortedKeys(p.total[key]) {
		if n := p.ticks[at]; n > 0 {
			v := value(p.total[key][at]) / float64(n)
			t.merge(float64(at), v*float64(n), v, v, int(n))
		}
	}
	return t
}
