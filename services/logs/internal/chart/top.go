package chart

import (
	"fmt"
	"slices"
	"time"

	"gestor.local/contract"
)

// topBars is how many containers a ranking shows.
const topBars = 5

// topChart ranks containers by RAM and by CPU, now and over the range.
type topChart struct {
	q   Query
	all map[string]*peakUse
	now map[string]float64 // by host: the newest tick that knows who lives
}

// peakUse is what one container used.
type peakUse struct {
	contract.Subject
	hostName         string
	seen, measured   float64 // the newest ticks that saw it, and that have its figures
	cpuNow, ramNow   float64
	cpuMost, ramMost float64
}

func newTop(q Query) builder {
	return &topChart{q: q, all: map[string]*peakUse{}, now: map[string]float64{}}
}

func (t *topChart) addRecord(contract.Record) {}

func (t *topChart) addTick(f *tickFrame) {
	if !f.knowsLiving() { // nobody looked, so nobody is dead
		return
	}

	t.now[f.hostName] = max(t.now[f.hostName], f.at)
	for _, row := range f.rows {
		if !row.Owned || !t.q.matches(row.Subject) {
			continue
		}

		// One that is not measured this time is alive all the same, and keeps the figures that it had.
		u := t.all[row.Container]
		if u != nil {
			u.seen = f.at
		}
		if !row.Measured {
			continue
		}

		if u == nil {
			u = &peakUse{Subject: row.Subject, hostName: f.hostName, seen: f.at}
			t.all[row.Container] = u
		}
		u.measured, u.cpuNow, u.ramNow = f.at, cpuPercent(row.CPUMillicores), bytesFromKB(row.RAMKB)
		u.cpuMost, u.ramMost = max(u.cpuMost, u.cpuNow), max(u.ramMost, u.ramNow)
	}

	if len(t.all) > 4096 {
		t.prune()
	}
}

// gone says whether the newest tick of its host did not see the container.
func (t *topChart) gone(u *peakUse) bool { return u.seen < t.now[u.hostName] }

// prune keeps the alive and the greatest: the dead do not grow any more.
func (t *topChart) prune() {
	keep := map[*peakUse]bool{}
	for _, by := range []func(*peakUse) float64{func(u *peakUse) float64 { return u.ramMost }, func(u *peakUse) float64 { return u.cpuMost }} {
		for _, u := range rank(t.list(false), by) {
			keep[u] = true
		}
	}

	for id, u := range t.all {
		if t.gone(u) && !keep[u] {
			delete(t.all, id)
		}
	}
}

// list is everybody, or those that have figures now.
func (t *topChart) list(now bool) []*peakUse {
	var out []*peakUse
	for _, id := range sortedKeys(t.all) {
		if u := t.all[id]; !now || u.measured >= t.now[u.hostName] {
			out = append(out, u)
		}
	}
	return out
}

// rank is the first topBars of the list, greatest first; equals keep the order of their ids.
func rank(list []*peakUse, by func(*peakUse) float64) []*peakUse {
	out := slices.Clone(list)
	slices.SortStableFunc(out, func(a, b *peakUse) int {
		switch {
		case by(a) > by(b):
			return -1
		case by(a) < by(b):
			return 1
		default:
			return 0
		}
	})

	return out[:min(topBars, len(out))]
}

func (t *topChart) model(time.Duration) Model {
	// Without figures of the newest tick nobody is the greatest now, however much it used before.
	ramNow := rank(t.list(true), func(u *peakUse) float64 { return u.ramNow })
	cpuNow := rank(t.list(true), func(u *peakUse) float64 { return u.cpuNow })
	ramMost := rank(t.list(false), func(u *peakUse) float64 { return u.ramMost })
	cpuMost := rank(t.list(false), func(u *peakUse) float64 { return u.cpuMost })
	m := Model{Panes: []Pane{
		t.bars("RAM now", 0, UnitBytes, ramNow, func(u *peakUse) float64 { return u.ramNow }),
		t.bars("CPU now", 0, UnitCPU, cpuNow, func(u *peakUse) float64 { return u.cpuNow }),
		t.bars("RAM, most in the range", 1, UnitBytes, ramMost, func(u *peakUse) float64 { return u.ramMost }),
		t.bars("CPU, most in the range", 1, UnitCPU, cpuMost, func(u *peakUse) float64 { return u.cpuMost }),
	}}

	if len(ramMost) > 0 {
		m.Summary = fmt.Sprintf("Over the range %s used most RAM (%s) and %s most CPU (%s of a core).",
			displayName(ramMost[0].Subject), FormatValue(UnitBytes, ramMost[0].ramMost), displayName(cpuMost[0].Subject), FormatValue(UnitCPU, cpuMost[0].cpuMost))
	}
	return m
}

// bars is one ranking; the greatest stands on top.
func (t *topChart) bars(title string, column int, u Unit, list []*peakUse, by func(*peakUse) float64) Pane {
	label := ""
	if u == UnitCPU {
		label = "100 % = one core"
	}

	p := Pane{Title: title, X: valueAxis(label, u), Y: Axis{Kind: AxisCategory}, Weight: 1, Column: column}
	s := Series{Name: title, Kind: KindBar, Tone: ToneNeutral, Fill: 0.9}

	// Axes count from the bottom.
	for i := len(list) - 1; i >= 0; i-- {
		one := list[i]
		name := displayName(one.Subject)
		if t.gone(one) {
			name += " †"
		}

		p.Y.Categories = append(p.Y.Categories, name)
		s.Points = append(s.Points, Point{
			X: by(one), Y: float64(len(s.Points)), Tone: toneOf(one.Class),
			Label: fmt.Sprintf("%s · %s · %s", one.Image, one.Class, FormatValue(u, by(one))),
		})
	}

	p.Series = []Series{s}
	return p
}
