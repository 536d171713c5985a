package chart

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"gestor.local/contract"
)

// topSeries is how many containers have a line of their own; the rest is "other".
const topSeries = 10

// processes is CPU and RAM per container on one time axis, the dead included.
type processes struct {
	q        Query
	all      map[string]*consumer
	cpu, ram totalSeries
	pruneAt  int
	now      map[string]float64                 // by host: the newest tick that knows who lives
	images   struct{ cpu, ram *perTickAverage } // of sums only, which know images and not containers
}

// consumer is one container's use over the range.
type consumer struct {
	contract.Subject
	cpu, ram *bucketedSeries
	hostName string
	seen     float64 // measured or not
}

// totalSeries is the course of a whole: the sum over all containers at each tick.
type totalSeries struct{ *bucketedSeries }

func newProcesses(q Query) builder {
	p := &processes{q: q, all: map[string]*consumer{}, cpu: totalSeries{newBucketedSeries(q)}, ram: totalSeries{newBucketedSeries(q)}, pruneAt: 512, now: map[string]float64{}}
	p.images.cpu, p.images.ram = newPerTickAverage(q), newPerTickAverage(q)
	return p
}

func (p *processes) addRecord(contract.Record) {}

func (p *processes) addTick(f *tickFrame) {
	cpu, ram, any := 0.0, 0.0, false
	if f.knowsLiving() {
		p.now[f.hostName] = max(p.now[f.hostName], f.at)
	}

	for _, row := range f.rows {
		if !row.Owned || !p.q.matches(row.Subject) {
			continue
		}

		// One that is not measured this time is alive all the same.
		c := p.all[row.Container]
		if c != nil {
			c.seen = f.at
		}
		if !row.Measured {
			continue
		}

		if c == nil {
			c = &consumer{Subject: row.Subject, cpu: newBucketedSeries(p.q), ram: newBucketedSeries(p.q), hostName: f.hostName, seen: f.at}
			p.all[row.Container] = c
		}
		c.cpu.add(f.at, cpuPercent(row.CPUMillicores))
		c.ram.add(f.at, bytesFromKB(row.RAMKB))
		cpu, ram, any = cpu+cpuPercent(row.CPUMillicores), ram+bytesFromKB(row.RAMKB), true
	}

	if any {
		p.cpu.add(f.at, cpu)
		p.ram.add(f.at, ram)
	}

	if len(p.all) > p.pruneAt {
		p.prune(f.at)
	}
}

func (p *processes) addRow(s RollupRow) {
	switch {
	case s.By == byHost && s.Metric == "late_us":
		p.images.cpu.addTicks(s)
		p.images.ram.addTicks(s)
	case s.By != byImage || !p.q.matchesImage(s.Key):
	case s.Metric == "cpu_millicores":
		p.images.cpu.add(s)
	case s.Metric == "ram_kb":
		p.images.ram.add(s)
	}
}

// prune drops dead containers that cannot be among the top any more, which bounds memory on long ranges. The sums keep
// their share. An id does not come back, so a dead one's sum is final.
func (p *processes) prune(now float64) {
	keep := map[string]bool{}
	for _, c := range p.top() {
		keep[c.Container] = true
	}

	// A shorter absence may be the manager's: then its containers come back with it.
	for id, c := range p.all {
		if !keep[id] && now-c.seen > 10*60_000 {
			delete(p.all, id)
		}
	}

	p.pruneAt = max(512, 2*len(p.all))
}

// top are the containers that used most over the range (RAM held × time, CPU time), taken alternately from both orders;
// in the legend the greatest user of RAM comes first. A long life counts for more than a peak: the peaks are in "top".
func (p *processes) top() []*consumer {
	list := make([]*consumer, 0, len(p.all))
	for _, c := range p.all {
		list = append(list, c)
	}

	byRAM := sortedBy(list, func(c *consumer) float64 { return c.ram.sum })
	byCPU := sortedBy(list, func(c *consumer) float64 { return c.cpu.sum })
	var out []*consumer
	for i := range list {
		for _, c := range []*consumer{byRAM[i], byCPU[i]} {
			if len(out) < topSeries && !slices.Contains(out, c) {
				out = append(out, c)
			}
		}
	}

	return sortedBy(out, func(c *consumer) float64 { return c.ram.sum })
}

func sortedBy(list []*consumer, by func(*consumer) float64) []*consumer {
	out := slices.Clone(list)
	slices.SortFunc(out, func(a, b *consumer) int {
		return cmp.Or(cmp.Compare(by(b), by(a)), cmp.Compare(a.Container, b.Container))
	})
	return out
}

func (p *processes) model(tickInterval time.Duration) Model {
	if p.q.RollupStep > 0 {
		return p.byImage(tickInterval)
	}

	gap := p.q.gap(tickInterval)
	top := p.top()
	cpu := Pane{Title: "CPU per container", X: timeAxis(), Y: valueAxis("100 % = one core", UnitCPU), Weight: 1}
	ram := Pane{Title: "RAM per container", X: timeAxis(), Y: valueAxis("", UnitBytes), Weight: 1}
	names := distinctNames(top)
	for i, c := range top {
		s := Series{Name: names[i], ID: c.Container, Kind: KindLine, Tone: toneOf(c.Class), Dash: dashes[i%len(dashes)], Glyph: glyphs[i%len(glyphs)]}
		c.cpu.stat.Gone = c.seen < p.now[c.hostName]
		c.ram.stat.Gone = c.cpu.stat.Gone
		cpu.Series = append(cpu.Series, c.cpu.series(s, gap))
		ram.Series = append(ram.Series, c.ram.series(s, gap))
	}

	if len(p.all) > len(top) {
		other := Series{Name: "other", Kind: KindLine, Tone: ToneNeutral, Dash: DashDotted}
		cpu.Series = append(cpu.Series, p.cpu.minus(top, func(c *consumer) *bucketedSeries { return c.cpu }).series(other, gap))
		ram.Series = append(ram.Series, p.ram.minus(top, func(c *consumer) *bucketedSeries { return c.ram }).series(other, gap))
	}

	return Model{StepMS: stepOf(p.q, float64(tickInterval.Milliseconds())), Summary: p.summary(top), Panes: []Pane{cpu, ram}}
}

// minus is the whole minus the given parts, bucket by bucket. The extremes of the rest within a bucket are not known: its
// average stands for them.
func (s totalSeries) minus(parts []*consumer, of func(*consumer) *bucketedSeries) *bucketedSeries {
	share := map[int64]float64{}
	for _, c := range parts {
		for _, b := range of(c).buckets.filled {
			share[b.slot] += b.value.sum
		}
	}

	rest := &bucketedSeries{buckets: buckets[merged]{since: s.buckets.since, step: s.buckets.step}}
	for _, b := range s.buckets.filled {
		left := max(0, b.value.sum-share[b.slot])
		avg := left / float64(b.value.n)
		rest.merge(b.value.at, left, avg, avg, b.value.n)
	}
	return rest
}

func (p *processes) summary(top []*consumer) string {
	if len(top) == 0 {
		return ""
	}
	byCPU := sortedBy(top, func(c *consumer) float64 { return c.cpu.sum })[0]
	byRAM := top[0]
	return fmt.Sprintf("Most RAM over time: %s (up to %s). Most CPU time: %s (up to %s of a core). All governed containers together used %s and %s on average.",
		displayName(byRAM.Subject), FormatValue(UnitBytes, byRAM.ram.stat.Max), displayName(byCPU.Subject), FormatValue(UnitCPU, byCPU.cpu.stat.Max),
		FormatValue(UnitBytes, p.ram.stat.Avg), FormatValue(UnitCPU, p.cpu.stat.Avg))
}

var (
	dashes = []Dash{DashSolid, DashDashed, DashDotted}
	glyphs = []Glyph{GlyphCircle, GlyphSquare, GlyphTriangle, GlyphDiamond, GlyphPin}
)

// distinctNames are the containers' names; where several have the same one, each carries the beginning of its id too.
func distinctNames(list []*consumer) []string {
	seen := map[string]int{"other": 1}
	for _, c := range list {
		seen[displayName(c.Subject)]++
	}

	out := make([]string, len(list))
	for i, c := range list {
		out[i] = displayName(c.Subject)
		if seen[out[i]] > 1 {
			out[i] += " (" + c.Container[:min(12, len(c.Container))] + ")"
		}
	}
	return out
}

// displayName is how a container is called in a legend: its name, else the beginning of its id.
func displayName(s contract.Subject) string {
	if s.Name != "" {
		return s.Name
	}
	return s.Container[:min(12, len(s.Container))]
}
