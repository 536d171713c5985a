package chart

import (
	"fmt"
	"strings"
	"time"

	"gestor.local/contract"
)

// population is the owned containers of each class, stacked, against the places the policy has for them.
type population struct {
	q       Query
	count   map[contract.Class]*track
	quota   map[contract.Class]int
	comings *comings
	ticks   int
	within  int
	over    int // the most above the band
}

func newPopulation(q Query) builder {
	return &population{q: q, count: map[contract.Class]*track{}, quota: map[contract.Class]int{}, comings: newComings(q)}
}

func (p *population) event(r contract.Record) { p.comings.event(r) }

func (p *population) frame(f *frame) {
	if f.host == nil || len(f.host.Classes) == 0 {
		return
	}
	over := 0
	for _, c := range f.host.Classes {
		if !p.q.wants(contract.Subject{Class: c.Class}) && len(p.q.Classes) > 0 {
			continue
		}
		n := c.Owned
		if len(p.q.Images)+len(p.q.Containers) > 0 {
			n = p.selected(f, c.Class)
		}
		if c.Class == contract.ClassUnknown && n == 0 && p.count[c.Class] == nil {
			continue
		}
		if p.count[c.Class] == nil {
			p.count[c.Class] = newTrack(p.q)
		}
		p.count[c.Class].add(f.at, float64(n))
		p.quota[c.Class] = c.Quota
		if c.Class != contract.ClassUnknown {
			over += max(0, c.Owned-c.Quota)
		}
	}
	p.ticks++
	if over == 0 {
		p.within++
	}
	p.over = max(p.over, over)
}

func (p *population) sum(s Sum) {
	p.comings.sum(s)
	if !p.knowsCounts() || !p.comings.sieve.class(s) {
		return
	}
	class := contract.Class(s.Key)
	switch s.Metric {
	case "population":
		if class == contract.ClassUnknown && s.Max == 0 {
			return
		}
		if p.count[class] == nil {
			p.count[class] = newTrack(p.q)
		}
		s.into(p.count[class], 1)
	case "quota":
		p.quota[class] = int(s.Max)
	}
}

// knowsCounts says whether it can be told how many containers of the selection lived: sums count classes, not images.
func (p *population) knowsCounts() bool {
	return p.q.Sums == 0 || len(p.q.Images)+len(p.q.Containers) == 0
}

func (p *population) selected(f *frame, class contract.Class) int {
	n := 0
	for _, row := range f.rows {
		if row.Owned && row.Class == class && p.q.wants(row.Subject) {
			n++
		}
	}
	return n
}

func (p *population) model(rhythm time.Duration) Model {
	gap := p.q.gap(rhythm)
	main := Pane{Title: "Containers", X: timeAxis(), Y: valueAxis("", UnitCount), Weight: 3}
	base, policy := 0.0, []string(nil)
	for _, class := range classes() {
		t := p.count[class]
		if t == nil {
			continue
		}
		main.Series = append(main.Series, t.series(Series{
			Name: string(class), Kind: KindStep, Tone: toneOf(class), Dash: dashOf(class), Stack: "population", Fill: 0.45,
		}, gap))
		if q := float64(p.quota[class]); q > 0 {
			main.Bands = append(main.Bands, Band{From: base, To: base + q, Tone: toneOf(class)})
			base += q
			policy = append(policy, fmt.Sprintf("%d %s", p.quota[class], class))
		}
	}
	if len(policy) > 0 { // the bands are too thin to be named in the picture
		main.Title = "Containers against the policy (shaded): " + strings.Join(policy, " + ")
	}
	m := Model{
		StepMS: stepOf(p.q, float64(rhythm.Milliseconds())), Summary: p.summary(), Panes: []Pane{main, p.flow()}, Notes: p.comings.sieve.notes(),
	}
	if !p.knowsCounts() {
		m.Panes = m.Panes[1:]
		m.Notes = append(m.Notes, sumsOnly("how many containers of an image lived is drawn for shorter ranges."))
	}
	return m
}

// flow is the pane of arrivals (up) and removals (down).
func (p *population) flow() Pane {
	pane := Pane{Title: "Started (up) and removed (down)", X: timeAxis(), Y: Axis{Kind: AxisValue, Unit: UnitCount}, Weight: 1}
	for _, class := range classes() {
		if c := p.comings.arrivals[class]; c != nil {
			pane.Series = append(pane.Series, Series{Name: string(class) + " started", Kind: KindBar, Tone: toneOf(class), Stack: "flow", Fill: 0.9, Points: c.points(1, "started")})
		}
		if c := p.comings.removals[class]; c != nil {
			pane.Series = append(pane.Series, Series{Name: string(class) + " removed", Kind: KindBar, Tone: toneOf(class), Stack: "flow", Fill: 0.5, Points: c.points(-1, "removed")})
		}
	}
	return pane
}

func (p *population) summary() string {
	flow := fmt.Sprintf("%d started, %d removed.", totalOf(p.comings.arrivals), totalOf(p.comings.removals))
	switch {
	case !p.knowsCounts():
		return "Of the selection " + flow
	case len(p.count) == 0:
		return ""
	}
	var parts []string
	for _, class := range classes() {
		if t := p.count[class]; t != nil {
			parts = append(parts, fmt.Sprintf("%.0f %s for %d places (%.1f on average, %.0f at most)",
				t.stat.Last, class, p.quota[class], t.stat.Avg, t.stat.Max))
		}
	}
	text := "Now " + strings.Join(parts, " and ") + ". "
	if p.ticks == 0 { // of sums
		return text + flow
	}
	return text + fmt.Sprintf("The population stood within the policy on %d %% of %s; at most %s above it. %s",
		p.within*100/p.ticks, plural(p.ticks, "tick"), pluralOf(p.over, "container was", "containers were"), flow)
}

func dashOf(c contract.Class) Dash {
	if c == contract.ClassHigh {
		return DashDashed
	}
	return DashSolid
}
