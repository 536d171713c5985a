package chart

import (
	"math"
	"slices"
)

// Rect is where a pane stands in its chart, in parts of the whole (0..1, from the top left).
type Rect struct{ Left, Top, Width, Height float64 }

// Layout places the panes: columns side by side, panes of a column below each other by weight.
func Layout(panes []Pane) []Rect {
	// A column's height is shared out by the weights of its panes, so their sum is needed first.
	columns := 1
	weight := map[int]float64{}
	for _, p := range panes {
		columns = max(columns, p.Column+1)
		weight[p.Column] += p.Weight
	}

	out := make([]Rect, len(panes))
	y := map[int]float64{}
	for i, p := range panes {
		h := p.Weight / weight[p.Column]
		out[i] = Rect{
			Left: float64(p.Column) / float64(columns), Width: 1 / float64(columns), Top: y[p.Column], Height: h,
		}
		y[p.Column] += h
	}
	return out
}

// Extent is the range of values a pane's series reach on the axis that carries the unit; stacks are added up.
func (p Pane) Extent() (lo, hi float64) {
	// What stands on something else reaches as high as both.
	stacks := Stacks{}
	for _, s := range p.Series {
		for _, pt := range s.Points {
			if pt.Gap {
				continue
			}
			_, v := stacks.Add(s.Stack, pt.X, p.valueOf(s, pt))
			lo, hi = math.Min(lo, v), math.Max(hi, v)
		}
	}

	for _, b := range p.Bands {
		hi = math.Max(hi, b.To)
	}
	return lo, hi
}

func (p Pane) valueOf(s Series, pt Point) float64 {
	switch {
	case s.Kind == KindHeat:
		return pt.Z
	case p.Horizontal():
		return pt.X
	default:
		return pt.Y
	}
}

// Horizontal says whether the bars lie: categories on the Y axis, values on the X axis.
func (p Pane) Horizontal() bool { return p.Y.Kind == AxisCategory && p.X.Kind == AxisValue }

// Unit is the unit of the pane's values.
func (p Pane) Unit() Unit {
	if p.Horizontal() {
		return p.X.Unit
	}
	return p.Y.Unit
}

// Scale is the one unit in which all values of the pane are drawn.
func (p Pane) Scale() Scale {
	lo, hi := p.Extent()
	if p.Y.Max != nil {
		hi = math.Max(hi, *p.Y.Max)
	}
	return ScaleFor(p.Unit(), math.Max(hi, -lo))
}

// Heading is the pane's title with what the reader must know to read it: that values stand on each other, and the unit.
func (p Pane) Heading() string {
	if slices.ContainsFunc(p.Series, func(s Series) bool { return s.Stack != "" }) {
		p.Title = "Stacked · " + p.Title // first, since a phone cuts what is long
	}
	if p.Horizontal() && p.X.Label != "" {
		p.Title += ", " + p.X.Label // beside a lying axis there is no room for it
	}
	if s := p.Scale().Suffix; s != "" {
		return p.Title + " (" + s + ")"
	}
	return p.Title
}

// Stacks remembers how high each stack stands at each place, apart above and below zero.
type Stacks map[stackKey]float64

type stackKey struct {
	stack string
	x     float64
	up    bool
}

// Add adds v to its stack and returns where it begins and ends.
func (st Stacks) Add(stack string, x, v float64) (from, to float64) {
	if stack == "" {
		return 0, v
	}
	k := stackKey{stack, x, v >= 0}
	from = st[k]
	st[k] = from + v
	return from, from + v
}
