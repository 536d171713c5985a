// Package rollup sums records per minute, ten minutes and hour for each class, image and host, so that a chart of a day
// does not read the day's records. Sums are derived: they can be made again from the records, and two halves of a bucket
// that stand in different files add up.
package rollup

import (
	"encoding/json"
	"maps"
	"math"
	"math/bits"
	"slices"
	"strings"
	"time"

	"gestor.local/contract"

	"gestor.local/logs/internal/line"
)

// Steps are the widths of the buckets that are kept, finest first.
var Steps = [...]time.Duration{time.Minute, 10 * time.Minute, time.Hour}

// By says what a row is about.
type By string

// Dimensions.
const (
	ByClass By = "class"
	ByImage By = "image"
	ByHost  By = "host"
)

// Value is the sum of one metric over one bucket.
type Value struct {
	N   uint64 `json:"n"`
	Sum uint64 `json:"sum"`
	Min uint64 `json:"min"`
	Max uint64 `json:"max"`
}

func (v *Value) add(x uint64) { v.Merge(Value{1, x, x, x}) }

// Merge adds another half of the bucket.
func (v *Value) Merge(o Value) {
	if o.N == 0 {
		return
	}
	if v.N == 0 || o.Min < v.Min {
		v.Min = o.Min
	}

	v.Max = max(v.Max, o.Max)
	v.N = saturatingAdd(v.N, o.N)
	v.Sum = saturatingAdd(v.Sum, o.Sum)
}

// saturatingAdd adds and stays at the largest number instead of beginning again at 0: files of earlier versions hold
// figures of 64 bits.
func saturatingAdd(a, b uint64) uint64 {
	sum, carry := bits.Add64(a, b, 0)
	if carry > 0 {
		return math.MaxUint64
	}
	return sum
}

// Key names one row: a bucket (Unix seconds of its start) of one class, image or host.
type Key struct {
	At  int64
	By  By
	Key string
}

// Row holds the metrics of one key.
type Row struct {
	figures [line.Figures]Value // of container records
	more    map[string]*Value   // of the other kinds
}

// Other is the key of the row that sums up those whose own keys have no place.
const Other = "(other)"

// Bounds of a table. A host has far fewer classes and images than these; who sends a new one with every record fills one row
// with the rest of them.
const (
	maxClasses = 256
	maxImages  = 256
	maxHosts   = 1024
	maxKey     = 256 // bytes of a key that has a row of its own
	maxMetrics = 64  // of one row beside the figures; the contract has some 30

	// tableBytes is the size from which new keys have no place: all classes and images of an hour at each of its minutes
	// are 10 MiB.
	tableBytes = 12 << 20
	// RangeBytes is the same of a table that the tables of a long range are merged into.
	RangeBytes = 24 << 20

	rowBytes    = 400 // of a row and its place in the table, beside its key
	metricBytes = 120
)

// Each calls fn for every metric of the row.
func (r *Row) Each(fn func(metric string, v Value)) {
	for i, v := range r.figures {
		if v.N > 0 {
			fn(line.FigureName(i), v)
		}
	}
	for name, v := range r.more {
		fn(name, *v)
	}
}

// Table is the rows of one segment. It is not safe for concurrent use.
type Table struct {
	step   time.Duration
	most   int // bytes from which new keys have no place
	bytes  int // that it takes, about
	rows   map[Key]*Row
	named  map[By]map[string]bool // the keys that have rows of their own: those that came first
	folded map[By]bool            // dimensions of which some are summed up as Other
	// host is the row of a host that was asked for last: every record adds to one, mostly to the same.
	host struct {
		key Key
		row *Row
	}
}

// Bytes is about what the table takes in memory.
func (t *Table) Bytes() int { return t.bytes }

// Len is the number of rows.
func (t *Table) Len() int { return len(t.rows) }

// Folded lists the dimensions of which some keys are summed up as Other.
func (t *Table) Folded() []By { return slices.Sorted(maps.Keys(t.folded)) }

// NewTable returns an empty table for a segment.
func NewTable(step time.Duration) *Table { return newTable(step, tableBytes) }

// NewRange returns an empty table to merge others into.
func NewRange(step time.Duration) *Table { return newTable(step, RangeBytes) }

func newTable(step time.Duration, most int) *Table {
	return &Table{
		step: step, most: most, rows: map[Key]*Row{}, folded: map[By]bool{},
		named: map[By]map[string]bool{ByClass: {}, ByImage: {}, ByHost: {}},
	}
}

// row returns the row of a key, or of Other when the key has no place.
func (t *Table) row(at int64, by By, key string) *Row {
	if r := t.rows[Key{at, by, key}]; r != nil {
		return r
	}
	if key != Other && !t.admit(by, key) {
		t.folded[by] = true
		return t.row(at, by, Other)
	}

	r := &Row{}
	t.rows[Key{at, by, key}] = r
	t.bytes += rowBytes + len(key)
	return r
}

// admit says whether a key may have a row more.
func (t *Table) admit(by By, key string) bool {
	if t.bytes >= t.most || len(key) > maxKey {
		return false
	}

	// A key that has a row in one bucket may have one in each, or its series would have holes.
	named := t.named[by]
	if !named[key] {
		if len(named) >= maxKeysOf(by) {
			return false
		}
		named[key] = true
		t.bytes += len(key) + metricBytes
	}
	return true
}

func maxKeysOf(by By) int {
	switch by {
	case ByClass:
		return maxClasses
	case ByImage:
		return maxImages
	case ByHost:
		return maxHosts
	default:
		return 0
	}
}

// metric returns the sum of a metric of a row, or of Other when there are too many.
func (t *Table) metric(r *Row, name string) *Value {
	if r.more == nil {
		r.more = map[string]*Value{}
	}

	v := r.more[name]
	switch {
	case v != nil:
		return v
	case name != Other && (len(r.more) >= maxMetrics || len(name) > maxKey):
		return t.metric(r, Other)
	}

	v = &Value{}
	r.more[name] = v
	t.bytes += metricBytes + len(name)
	return v
}

// Align is the start of the bucket of a width that holds a time, both in one unit: buckets stand on the Unix epoch,
// also before it.
func Align(at, width int64) int64 { return at - (at%width+width)%width }

// bucket is the start of the table's bucket that holds a time, in Unix seconds.
func (t *Table) bucket(at int64) int64 { return Align(at, int64(t.step/time.Second)) }

// Add sums one record.
func (t *Table) Add(rec *line.Record) {
	at := t.bucket(rec.Time.Unix())
	switch rec.Kind {
	case contract.KindContainer:
		if rec.Measured {
			t.addContainer(at, rec)
		}

	case contract.KindHost:
		t.addHost(at, rec)
	case contract.KindAction:
		if rec.Action == contract.ActionRemove && rec.Phase == contract.PhaseOutcome {
			t.count(at, rec, contract.MetricRemove+rec.Outcome)
		}

	case contract.KindLaunch:
		t.count(at, rec, contract.MetricLaunch+rec.Outcome)
	}
}

// addContainer sums the figures of a container: those of a class and of an image are of what is governed, the host's of
// all.
func (t *Table) addContainer(at int64, rec *line.Record) {
	add := func(r *Row) {
		for i, x := range rec.Figures {
			r.figures[i].add(x)
		}
	}

	if rec.Owned {
		t.each(at, rec, add)
	} else {
		add(t.hostRow(at, rec.Identity.Host))
	}
}

// each visits the rows of a record's class, image and host.
func (t *Table) each(at int64, rec *line.Record, fn func(*Row)) {
	if rec.Class != "" {
		fn(t.row(at, ByClass, rec.Class))
	}
	if rec.Image != "" {
		fn(t.row(at, ByImage, rec.Image))
	}
	fn(t.hostRow(at, rec.Identity.Host))
}

func (t *Table) hostRow(at int64, host string) *Row {
	if k := (Key{at, ByHost, host}); t.host.row == nil || t.host.key != k {
		t.host.key, t.host.row = k, t.row(at, ByHost, host)
	}
	return t.host.row
}

// count adds 1 to a metric whose sum is a number of events.
func (t *Table) count(at int64, rec *line.Record, metric string) {
	t.each(at, rec, func(r *Row) { t.metric(r, metric).add(1) })
}

// hostMetricsOf are the figures of a host record: of a tick without a reading or without a plan there are fewer, and no
// zeros in their place.
func hostMetricsOf(b *contract.HostBody) map[string]uint64 {
	took := b.Timings
	out := map[string]uint64{"spool_records": uint64(max(b.SpoolRecords, 0)), "skipped_ticks": b.SkippedTicks, "late_us": took.LateUS}
	if m := b.Memory; m.TotalKB > 0 {
		maps.Copy(out, map[string]uint64{
			"memory_total_kb": m.TotalKB, "memory_free_kb": m.FreeKB, "memory_available_kb": m.AvailableKB,
			"memory_used_kb": m.UsedKB, "memory_shared_kb": m.SharedKB, "containers": uint64(max(b.Containers, 0)),
			"walk_us": took.WalkUS, "read_us": took.ReadUS, "parse_us": took.ParseUS, "data_age_us": took.DataAgeUS,
		})
		if m.CachedKB != nil {
			out["memory_cached_kb"] = *m.CachedKB
		}
	}

	if b.Own != nil {
		out["own"] = uint64(max(*b.Own, 0))
	}
	if b.Planned() {
		out["governed_ram_kb"], out["decide_us"] = b.GovernedRAMKB, took.DecideUS
	}

	for name, us := range map[string]uint64{"act_us": took.ActUS, "sync_us": took.SyncUS} {
		if us > 0 {
			out[name] = us
		}
	}
	return out
}

// addHost sums a host record: the memory of the host, the timings of the tick, and the population of each class.
func (t *Table) addHost(at int64, rec *line.Record) {
	var body contract.HostBody
	// The parser leaves a body's fields as the text that stood between its braces.
	text := append(append([]byte{'{'}, rec.Body...), '}')
	if json.Unmarshal(text, &body) != nil {
		return
	}

	r := t.hostRow(at, rec.Identity.Host)
	for name, x := range hostMetricsOf(&body) {
		t.metric(r, name).add(x)
	}

	// The numbers are of a producer: none of them is negative here, whatever it wrote.
	for _, c := range body.Classes {
		class := t.row(at, ByClass, string(c.Class))
		for name, n := range map[string]int{
			"population": c.Owned, "eligible": c.Eligible, "quota": c.Quota, "deficit": c.Deficit, "removals": c.Removals,
		} {
			t.metric(class, name).add(uint64(max(n, 0)))
		}
	}
}

// Known says whether a table can hold a metric of this name. Outcomes of removals and launches are counted by name, which
// may be any.
func Known(metric string) bool {
	for _, counted := range []string{contract.MetricRemove, contract.MetricLaunch} {
		if outcome, ok := strings.CutPrefix(metric, counted); ok && outcome != "" {
			return true
		}
	}
	return line.FigureNumber(metric) >= 0 || slices.Contains(hostMetrics, metric) || slices.Contains(classMetrics, metric)
}

// Names of metrics that are not figures of containers; a test compares them with what tables hold.
var (
	hostMetrics = []string{
		"spool_records", "skipped_ticks", "late_us", "memory_total_kb", "memory_free_kb", "memory_available_kb", "memory_used_kb",
		"memory_shared_kb", "memory_cached_kb", "containers", "walk_us", "read_us", "parse_us", "data_age_us", "governed_ram_kb", "own",
		"decide_us", "act_us", "sync_us",
	}
	classMetrics = []string{"population", "eligible", "quota", "deficit", "removals"}
)

// Coarser returns the same sums in wider buckets.
func (t *Table) Coarser(step time.Duration) *Table {
	out := NewTable(step)
	for k, r := range t.rows {
		out.Merge(k, r)
	}
	return out
}

// Merge adds a row of a table of the same or narrower buckets.
func (t *Table) Merge(k Key, r *Row) {
	into := t.row(t.bucket(k.At), k.By, k.Key)
	for i, v := range r.figures {
		into.figures[i].Merge(v)
	}
	for name, v := range r.more {
		t.metric(into, name).Merge(*v)
	}
}

// Each calls fn for every row within [from, to), in Unix seconds.
func (t *Table) Each(from, to int64, fn func(Key, *Row)) {
	for k, r := range t.rows {
		if k.At >= from && k.At < to {
			fn(k, r)
		}
	}
}

// Span returns the start of the first bucket and the end of the last, 0 and 0 when the table is empty.
func (t *Table) Span() (from, to int64) {
	// The map has no order, so each row may move both ends.
	first := true
	for k := range t.rows {
		end := k.At + int64(t.step/time.Second)
		if first {
			from, to, first = k.At, end, false
		}
		from, to = min(from, k.At), max(to, end)
	}
	return from, to
}
