package chart

import (
	"math"
	"slices"
)

// frameOf is where a pane stands in its chart, in parts of the whole (0..1, from the top left).
type frameOf struct{ left, top, width, height float64 }

// layout places the panes: columns side by side, panes of a column below each other by weight.
func layout(panes []Pane) []frameOf {
	columns := 1
	weight := map[int]float64{}
	for _, p := range panes {
		columns = max(columns, p.Column+1)
		weight[p.Column] += p.Weight
	}
	out := make([]frameOf, len(panes))
	y := map[int]float64{}
	for i, p := range panes {
		h := p.Weight / weight[p.Column]
		out[i] = frameOf{
			left: float64(p.Column) / float64(columns), width: 1 / float64(columns), top: y[p.Column], height: h,
		}
		y[p.Column] += h
	}
	return out
}

// extent is the range of values a pane's series reach on the axis that carries the unit; stacks are added up.
func (p Pane) extent() (lo, hi float64) {
	type slot struct {
		stack string
		x     float64
		up    bool
	}
	sums := map[slot]float64{}
	for _, s := range p.Series {
		for _, pt := range s.Points {
			v := p.valueOf(s, pt)
			if pt.Gap {
				continue
			}
			if s.Stack != "" {
				k := slot{s.Stack, pt.X, v >= 0}
				sums[k] += v
				v = sums[k]
			}
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
	case p.horizontal():
		return pt.X
	default:
		return pt.Y
	}
}

// horizontal says whether the bars lie: categories on the Y axis, values on the X axis.
func (p Pane) horizontal() bool { return p.Y.Kind == AxisCategory && p.X.Kind == AxisValue }

// unit is the unit of the pane's values.
func (p Pane) unit() Unit {
	if p.horizontal() {
		return p.X.Unit
	}
	return p.Y.Unit
}

// Scale is the one unit in which all values of the pane are drawn.
func (p Pane) Scale() Scale {
	lo, hi := p.extent()
	if p.Y.Max != nil {
		hi = math.Max(hi, *p.Y.Max)
	}
	return ScaleFor(p.unit(), math.Max(hi, -lo))
}

// heading is the pane's title with what the reader must know to read it: that values stand on each other, and the unit.
func (p Pane) heading() string {
	if slices.ContainsFunc(p.Series, func(s Series) bool { return s.Stack != "" }) {
		p.Title = "Stacked · " + p.Title // first, since a phone cuts what is long
	}
	if s := p.Scale().Suffix; s != "" {
		return p.Title + " (" + s + ")"
	}
	return p.Title
}
