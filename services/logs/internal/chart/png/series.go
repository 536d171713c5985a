package png

import (
	"slices"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"gestor.local/logs/internal/chart"
)

func (p *renderer) series(v view, pane chart.Pane, s chart.Series, base chart.Stacks) {
	switch s.Kind {
	case chart.KindLine, chart.KindStep:
		p.line(v, s, base)
	case chart.KindBar:
		p.bars(v, pane, s, base)

	case chart.KindMark:
		for _, pt := range s.Points {
			v.DrawGlyph(p.glyph(s), v.at(pt.X, pt.Y/v.div))
		}
	case chart.KindSpan:
		half := min(3, 0.38*(v.y(1)-v.y(0))) // lanes do not touch
		for _, pt := range s.Points {
			p.box(v, s, 0.75, v.x(pt.X), v.x(pt.X2), v.y(pt.Y)-half, v.y(pt.Y)+half)
		}

	case chart.KindHeat:
		p.cells(v, pane, s)
	}
}

// line draws the runs between gaps, each with the area below it.
func (p *renderer) line(v view, s chart.Series, base chart.Stacks) {
	var top, bottom []vg.Point
	flush := func() {
		p.run(v, s, top, bottom)
		top, bottom = nil, nil
	}

	for _, pt := range s.Points {
		if pt.Gap {
			flush()
			continue
		}

		from, to := base.Add(s.Stack, pt.X, pt.Y)
		if s.Kind == chart.KindStep && len(top) > 0 { // hold the last value until here
			top = append(top, vg.Point{X: v.x(pt.X), Y: top[len(top)-1].Y})
			bottom = append(bottom, vg.Point{X: v.x(pt.X), Y: bottom[len(bottom)-1].Y})
		}
		top = append(top, v.at(pt.X, to/v.div))
		bottom = append(bottom, v.at(pt.X, from/v.div))
	}

	flush()
}

func (p *renderer) run(v view, s chart.Series, top, bottom []vg.Point) {
	if len(top) == 1 {
		v.DrawGlyph(p.glyph(s), top[0])
		return
	}

	// The areas of all pieces come before the lines of any, which they would cover in part.
	for i := 0; i+1 < len(top); i += chunk {
		end := min(i+chunk+1, len(top))
		if s.Fill > 0 {
			area := slices.Clone(bottom[i:end])
			slices.Reverse(area)
			p.fill(v.Canvas, s, s.Fill, append(area, top[i:end]...))
		}
	}

	for i := 0; i+1 < len(top); i += chunk {
		v.StrokeLines(p.stroke(s), top[i:min(i+chunk+1, len(top))])
	}

	if s.Glyph == chart.GlyphNone {
		return
	}

	every := max(1, len(top)/24) // enough to tell lines apart, few enough to see the lines
	for i := every / 2; i < len(top); i += every {
		v.DrawGlyph(p.glyph(s), top[i])
	}
}

// chunk is how many points are drawn at once. The rasteriser searches all edges of a pixel row for each new one: a whole
// line of steps takes seconds, its pieces milliseconds.
const chunk = 24

func (p *renderer) bars(v view, pane chart.Pane, s chart.Series, base chart.Stacks) {
	if pane.Horizontal() {
		p.horizontalBars(v, pane, s)
		return
	}

	half, shift := p.barWidth(v, pane, s)
	for _, pt := range s.Points {
		from, to := base.Add(s.Stack, pt.X, pt.Y)
		x := v.x(pt.X) + shift
		p.box(v, s, s.Fill, x-half, x+half, v.y(from/v.div), v.y(to/v.div))
	}
}

// barWidth is half the width of a bar and how far it stands from the middle of its place, where several series share one.
func (p *renderer) barWidth(v view, pane chart.Pane, s chart.Series) (half, shift vg.Length) {
	if pane.X.Kind != chart.AxisCategory {
		return max(0.8, min(6, (v.Max.X-v.Min.X)/chart.EventBuckets*0.42)), 0
	}

	n, mine := 0, 0
	for _, other := range pane.Series {
		if other.Kind == chart.KindBar {
			if other.Name == s.Name {
				mine = n
			}
			n++
		}
	}

	// 30 % of a category's place stays free, to tell one from the next.
	place := (v.Max.X - v.Min.X) / vg.Length(max(1, len(pane.X.Categories))) * 0.7
	half = min(14, place/vg.Length(2*n))
	return half, (vg.Length(mine) - vg.Length(n-1)/2) * 2 * half
}

// horizontalBars draws horizontal bars with their values at the ends.
func (p *renderer) horizontalBars(v view, pane chart.Pane, s chart.Series) {
	half := min(9, (v.Max.Y-v.Min.Y)/vg.Length(max(1, len(s.Points)))*0.32)
	for _, pt := range s.Points {
		one := s
		one.Tone = pt.Tone
		y := v.y(pt.Y)
		p.box(v, one, s.Fill, v.Min.X, v.x(pt.X/v.div), y-half, y+half)
		label := aligned(p.style(sizeTxt, p.pal.Text), draw.XLeft, draw.YCenter)
		v.FillText(label, vg.Point{X: v.x(pt.X/v.div) + 4, Y: y}, chart.FormatValue(pane.Unit(), pt.X))
	}
}

func (p *renderer) cells(v view, pane chart.Pane, s chart.Series) {
	_, hi := pane.Extent()
	w := v.x(1) - v.x(0)
	h := v.y(1) - v.y(0)

	// Half a point on each side stays free: cells of one colour would be one.
	for _, pt := range s.Points {
		at := v.at(pt.X, pt.Y)
		c := rampColor(p.pal.Ramp, pt.Z/max(1, hi))
		v.FillPolygon(c, []vg.Point{
			{X: at.X - w/2 + 0.5, Y: at.Y - h/2 + 0.5},
			{X: at.X + w/2 - 0.5, Y: at.Y - h/2 + 0.5},
			{X: at.X + w/2 - 0.5, Y: at.Y + h/2 - 0.5},
			{X: at.X - w/2 + 0.5, Y: at.Y + h/2 - 0.5},
		})
	}
}

// box fills a rectangle, cut to the view, at least wide enough to be seen.
func (p *renderer) box(v view, s chart.Series, opacity float64, x0, x1, y0, y1 vg.Length) {
	if x1 < x0+0.8 {
		x1 = x0 + 0.8
	}
	pts := v.ClipPolygonXY([]vg.Point{{X: x0, Y: y0}, {X: x1, Y: y0}, {X: x1, Y: y1}, {X: x0, Y: y1}})
	if len(pts) > 2 {
		p.fill(v.Canvas, s, opacity, pts)
	}
}

func (p *renderer) fill(c draw.Canvas, s chart.Series, opacity float64, pts []vg.Point) {
	if opacity == 0 {
		opacity = 1
	}
	c.FillPolygon(rgba(p.pal.Color(s.Tone), opacity), pts)
}

func (p *renderer) stroke(s chart.Series) draw.LineStyle {
	out := draw.LineStyle{Color: rgba(p.pal.Color(s.Tone), 1), Width: 1.4}
	switch s.Dash {
	case chart.DashDashed:
		out.Dashes = []vg.Length{6, 3}
	case chart.DashDotted:
		out.Dashes = []vg.Length{1.5, 2.5}
	}
	return out
}

func (p *renderer) glyph(s chart.Series) draw.GlyphStyle {
	out := draw.GlyphStyle{Color: rgba(p.pal.Color(s.Tone), 1), Radius: 2.4}
	switch s.Glyph {
	case chart.GlyphSquare:
		out.Shape = draw.BoxGlyph{}
	case chart.GlyphTriangle:
		out.Shape = draw.PyramidGlyph{}
	case chart.GlyphDiamond:
		out.Shape = draw.SquareGlyph{}
	case chart.GlyphPin:
		out.Shape = draw.CrossGlyph{}
	default:
		out.Shape = draw.CircleGlyph{}
	}
	return out
}
