package chart

import (
	"fmt"
	"strings"
	"time"

	"gestor.local/contract"
)

// population is the owned containers of each class, stacked, against the places the policy has for them.
type population struct {
	q      Query
	count  map[contract.Class]*bucketedSeries
	quota  map[contract.Class]int
	flow   *flow
	rounds []round
	failed map[roundKey]bool // rounds of which a removal failed, or was only shown
	over   int               // the most beyond the places, the young included
}

// round is what one tick left behind.
type round struct {
	roundKey
	removals int
	above    int // judged ones above the places, after its removals
	waiting  int // newcomers that wait for their judgement
}

// roundKey is what a tick and its actions share.
type roundKey struct {
	boot string
	tick uint64
}

// obeyed says whether nobody judged stood above the places once the round had acted.
func (p *population) obeyed(r round) bool {
	return r.above == 0 && (r.removals == 0 || !p.failed[r.roundKey])
}

func newPopulation(q Query) builder {
	return &population{q: q, count: map[contract.Class]*bucketedSeries{}, quota: map[contract.Class]int{}, flow: newFlow(q), failed: map[roundKey]bool{}}
}

func (p *population) addRecord(r contract.Record) {
	p.flow.addRecord(r)
	b, ok := r.Body.(contract.ActionBody)
	if ok && (b.Action == contract.ActionShadowRemove || b.Phase == contract.PhaseOutcome && b.Outcome == contract.OutcomeFailed) {
		p.failed[roundKey{r.Boot, r.Tick}] = true
	}
}

func (p *population) addTick(f *tickFrame) {
	if !f.hasPlan() {
		return
	}
	if len(f.host.Classes) == 0 {
		p.addOwn(f)
		return
	}

	over := 0
	for _, c := range f.host.Classes {
		if !p.q.matches(contract.Subject{Class: c.Class}) && len(p.q.Classes) > 0 {
			continue
		}
		n := c.Owned
		if len(p.q.Images)+len(p.q.Containers) > 0 {
			n = p.selected(f, c.Class)
		}

		// Where all classes are known the unknown one is no news, unless it once was there.
		class := classKey(p.count, c.Class)
		if c.Class == contract.ClassUnknown && n == 0 && p.count[class] == nil {
			continue
		}
		if p.count[class] == nil {
			p.count[class] = newBucketedSeries(p.q)
		}

		p.count[class].add(f.at, float64(n))
		p.quota[class] = c.Quota
		if c.Class != contract.ClassUnknown {
			over += max(0, c.Owned-c.Quota)
		}
	}

	p.over = max(p.over, over)
	p.rounds = append(p.rounds, p.round(f))
}

// addOwn counts the own containers of a policy of version 2, which gives no class a number of places.
func (p *population) addOwn(f *tickFrame) {
	n := map[contract.Class]int{}
	for _, row := range f.rows {
		if row.Owned && p.q.matches(row.Subject) {
			n[classKey(p.count, row.Class)]++
		}
	}
	for class := range p.count {
		n[class] += 0 // who was there once is at nothing now
	}

	clear(p.quota)
	for class, count := range n {
		if p.count[class] == nil {
			p.count[class] = newBucketedSeries(p.q)
		}
		p.count[class].add(f.at, float64(count))
	}
}

// round sums up a tick's plan for the selected classes.
func (p *population) round(f *tickFrame) round {
	r := round{roundKey: roundKey{f.key.boot, f.key.tick}}
	acts := f.host.WhyHeld() == ""
	for _, c := range f.host.Classes {
		if c.Class == contract.ClassUnknown || !p.q.matches(contract.Subject{Class: c.Class}) && len(p.q.Classes) > 0 {
			continue
		}

		eligible := c.Eligible
		for _, row := range f.rows {
			if row.Owned && row.Class == c.Class && AwaitsVerdict(row) {
				r.waiting++
			}
			if row.Owned && row.Class == c.Class && row.Rank == 0 && CountsAgainstQuota(row) && row.Verdict != contract.VerdictRemove {
				eligible++ // one that cannot be got rid of
			}
		}

		if acts {
			eligible -= c.Removals
		}
		r.removals += c.Removals
		r.above += max(0, eligible-c.Quota)
	}

	return r
}

func (p *population) addRow(s RollupRow) {
	p.flow.addRow(s)
	if !p.knowsCounts() || s.By != byClass || !p.q.matches(contract.Subject{Class: contract.Class(s.Key)}) {
		return
	}

	class := classKey(p.count, contract.Class(s.Key))
	switch s.Metric {
	case "population":
		if class == contract.ClassUnknown && s.Max == 0 {
			return
		}
		if p.count[class] == nil {
			p.count[class] = newBucketedSeries(p.q)
		}
		s.mergeInto(p.count[class], 1)
	case "quota":
		p.quota[class] = int(s.Max)
	}
}

// knowsCounts says whether it can be told how many containers of the selection lived: sums count classes, not images.
func (p *population) knowsCounts() bool {
	return p.q.RollupStep == 0 || len(p.q.Images)+len(p.q.Containers) == 0
}

func (p *population) selected(f *tickFrame, class contract.Class) int {
	n := 0
	for _, row := range f.rows {
		if row.Owned && row.Class == class && p.q.matches(row.Subject) {
			n++
		}
	}
	return n
}

func (p *population) model(tickInterval time.Duration) Model {
	gap := p.q.gap(tickInterval)
	main := Pane{Title: "Containers", X: timeAxis(), Y: valueAxis("", UnitCount), Weight: 3}

	// Bands stand on each other as the series do, so that each class has its own places beneath it.
	base, policy := 0.0, []string(nil)
	for _, class := range orderedClasses(p.count) {
		t := p.count[class]
		main.Series = append(main.Series, t.series(Series{
			Name: seriesName("", class), Kind: KindStep, Tone: toneOf(class), Dash: dashOf(class), Stack: "population", Fill: 0.45,
		}, gap))

		if q := float64(p.quota[class]); q > 0 {
			main.Bands = append(main.Bands, Band{From: base, To: base + q, Tone: toneOf(class)})
			base += q
			policy = append(policy, fmt.Sprintf("%d %s", p.quota[class], seriesName("", class)))
		}
	}

	if len(policy) > 0 { // the bands are too thin to be named in the picture
		main.Title = "Containers against the policy (shaded): " + strings.Join(policy, " + ")
	}

	m := Model{
		StepMS: stepOf(p.q, float64(tickInterval.Milliseconds())), Summary: p.summary(), Panes: []Pane{main, p.flowPane()}, Notes: p.flow.notes(),
	}

	if !p.knowsCounts() {
		m.Panes = m.Panes[1:]
		m.Notes = append(m.Notes, rollupsOnly("how many containers of an image lived is drawn for shorter ranges."))
	}
	return m
}

// flowPane is the pane of arrivals (up) and removals (down).
func (p *population) flowPane() Pane {
	pane := Pane{Title: "Started (up) and removed (down)", X: timeAxis(), Y: Axis{Kind: AxisValue, Unit: UnitCount}, Weight: 1}
	for _, class := range orderedClasses(p.flow.arrivals, p.flow.removals) {
		if c := p.flow.arrivals[class]; c != nil {
			pane.Series = append(pane.Series, Series{Name: strings.TrimSpace(seriesName("", class) + " started"), Kind: KindBar, Tone: toneOf(class), Stack: "flow", Fill: 0.9, Points: c.points(1, "started")})
		}
		if c := p.flow.removals[class]; c != nil {
			pane.Series = append(pane.Series, Series{Name: strings.TrimSpace(seriesName("", class) + " removed"), Kind: KindBar, Tone: toneOf(class), Stack: "flow", Fill: 0.5, Points: c.points(-1, "removed")})
		}
	}

	return pane
}

func (p *population) summary() string {
	flow := fmt.Sprintf("%d started, %d removed.", totalOf(p.flow.arrivals), totalOf(p.flow.removals))
	switch {
	case !p.knowsCounts():
		return "Of the selection " + flow
	case len(p.count) == 0:
		return ""
	}

	var parts []string
	for _, class := range orderedClasses(p.count) {
		t := p.count[class]
		places := ""
		if quota, ok := p.quota[class]; ok {
			places = fmt.Sprintf(" for %d places", quota)
		}
		parts = append(parts, fmt.Sprintf("%.0f %s%s (%.1f on average, %.0f at most)",
			t.stat.Last, seriesName("", class), places, t.stat.Avg, t.stat.Max))
	}

	text := strings.Join(parts, " and ") + ". "
	if len(p.rounds) == 0 { // of sums
		return "Last: " + text + flow
	}

	return "Last tick: " + text + p.rule() + " " + flow // before its removals
}

// rule says how the policy was kept, and how often nobody waited: two figures, since newcomers are given their time on
// purpose.
func (p *population) rule() string {
	obeyed, settled := 0, 0
	for _, r := range p.rounds {
		if !p.obeyed(r) {
			continue
		}
		obeyed++
		if r.waiting+r.removals == 0 {
			settled++
		}
	}

	return fmt.Sprintf("The rule was obeyed on %d of %s; the host was settled %d %% of the time, with at most %s beyond the places.",
		obeyed, plural(len(p.rounds), "round"), settled*100/len(p.rounds), plural(p.over, "container"))
}

func dashOf(c contract.Class) Dash {
	if c == contract.ClassHigh {
		return DashDashed
	}
	return DashSolid
}
