package png

import (
	"math"

	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"gestor.local/logs/internal/chart"
)

// Room of the texts around the data of a pane, in points.
const (
	paneHead  = vg.Length(20)
	paneFoot  = vg.Length(18)
	paneLeft  = vg.Length(48)
	paneNames = vg.Length(118) // categories have names, not numbers
	paneRight = vg.Length(8)
)

// view maps a pane's values to the canvas of its data.
type view struct {
	draw.Canvas
	x0, x1, y0, y1 float64
	div            float64
}

// x is rounded to whole pixels, so that the pieces of an area meet without a seam.
func (v view) x(at float64) vg.Length {
	const pixel = float64(vg.Inch) / dpi
	return vg.Length(math.Round(float64(v.X(fraction(at, v.x0, v.x1)))/pixel) * pixel)
}

func (v view) y(at float64) vg.Length { return v.Y(fraction(at, v.y0, v.y1)) }

// fraction is where a value stands between the ends of an axis, 0..1. What lies beyond is drawn on the edge: the numbers
// are a producer's word, and a rasteriser does not come back from coordinates of 10^20.
func fraction(at, lo, hi float64) float64 {
	s := (at - lo) / (hi - lo)
	if math.IsNaN(s) {
		return 0
	}
	return min(1, max(0, s))
}

func (v view) at(x, y float64) vg.Point { return vg.Point{X: v.x(x), Y: v.y(y)} }

func (p *renderer) pane(c draw.Canvas, pane chart.Pane) {
	head := p.style(sizeH2, p.pal.Muted)
	left := paneLeft
	if pane.Y.Kind == chart.AxisCategory {
		left = paneNames
	}

	c.FillText(head, vg.Point{X: c.Min.X, Y: c.Max.Y - 11}, shorten(head, pane.Heading(), c.Max.X-c.Min.X))
	v := view{Canvas: draw.Crop(c, left, -paneRight, paneFoot, -paneHead), div: pane.Scale().Div}
	if v.Max.X-v.Min.X < 20 || v.Max.Y-v.Min.Y < 10 {
		return // the picture is too small for this pane
	}

	// From the back to the front: what is drawn later covers the grid and the bands.
	p.ranges(&v, pane)
	p.axes(v, pane)
	p.bands(v, pane)
	base := chart.Stacks{}
	for _, s := range pane.Series {
		p.series(v, pane, s, base)
	}

	// The line at zero is drawn last, or bars would hide what they stand on.
	if pane.Y.Kind == chart.AxisValue && !pane.Y.Hidden {
		zero := v.y(math.Max(0, v.y0))
		c.StrokeLine2(draw.LineStyle{Color: rgba(p.pal.Muted, 0.5), Width: 0.6}, v.Min.X, zero, v.Max.X, zero)
	}
}

// ranges sets what the view shows, in units of the axis.
func (p *renderer) ranges(v *view, pane chart.Pane) {
	lo, hi := pane.Extent()
	lo, hi = lo/v.div, hi/v.div

	switch pane.X.Kind {
	case chart.AxisTime:
		v.x0, v.x1 = chart.Millis(p.m.Since), chart.Millis(p.m.Until)
	case chart.AxisCategory:
		v.x0, v.x1 = -0.5, float64(max(1, len(pane.X.Categories)))-0.5
	default:
		v.x0, v.x1 = 0, niceTop(hi*1.12)
	}

	if pane.Y.Kind == chart.AxisCategory {
		v.y0, v.y1 = -0.5, float64(max(1, len(pane.Y.Categories)))-0.5
		return
	}

	// A value axis begins at zero, or the areas below lines would lie about shares.
	v.y0, v.y1 = 0, niceTop(hi)
	if lo < 0 {
		v.y0 = -niceTop(-lo)
	}
	if pane.Y.Min != nil && *pane.Y.Min < 0 {
		v.y0 = *pane.Y.Min / v.div
	}
	if pane.Y.Max != nil {
		v.y1 = *pane.Y.Max / v.div
	}
}

func (p *renderer) axes(v view, pane chart.Pane) {
	grid := draw.LineStyle{Color: rgba(p.pal.Grid, 1), Width: 0.7}
	label := p.style(sizeTxt, p.pal.Muted)
	if !pane.Y.Hidden {
		for _, t := range p.yTicks(v, pane) {
			if pane.Y.Kind == chart.AxisValue {
				v.StrokeLine2(grid, v.Min.X, v.y(t.at), v.Max.X, v.y(t.at))
			}
			s := aligned(label, draw.XRight, draw.YCenter)
			v.FillText(s, vg.Point{X: v.Min.X - 5, Y: v.y(t.at)}, shorten(s, t.text, paneNames-8))
		}
	}

	for _, t := range p.xTicks(v, pane) {
		if pane.Horizontal() {
			v.StrokeLine2(grid, v.x(t.at), v.Min.Y, v.x(t.at), v.Max.Y)
		}
		v.FillText(aligned(label, draw.XCenter, draw.YTop), vg.Point{X: v.x(t.at), Y: v.Min.Y - 4}, t.text)
	}

	if note := pane.Y.Label; note != "" && pane.Y.Kind == chart.AxisValue && !pane.Y.Hidden {
		v.FillText(aligned(label, draw.XRight, draw.YBottom), vg.Point{X: v.Max.X, Y: v.Max.Y + 4}, note)
	}
}

func aligned(s text.Style, x draw.XAlignment, y draw.YAlignment) text.Style {
	s.XAlign, s.YAlign = x, y
	return s
}

func (p *renderer) yTicks(v view, pane chart.Pane) []tickMark {
	if pane.Y.Kind == chart.AxisCategory {
		return categoryTicks(pane.Y.Categories, 1)
	}
	return valueTicks(v.y0, v.y1, max(2, int((v.Max.Y-v.Min.Y)/28)), pane.Y.Unit == chart.UnitCount)
}

func (p *renderer) xTicks(v view, pane chart.Pane) []tickMark {
	room := int((v.Max.X - v.Min.X) / 62)
	switch pane.X.Kind {
	case chart.AxisTime:
		return timeTicks(p.m.Since, p.m.Until, max(1, room))
	case chart.AxisCategory:
		return categoryTicks(pane.X.Categories, len(pane.X.Categories)/max(1, room)+1)
	default:
		return valueTicks(v.x0, v.x1, max(1, room/2), pane.X.Unit == chart.UnitCount)
	}
}

func categoryTicks(names []string, every int) []tickMark {
	var out []tickMark
	for i := 0; i < len(names); i += every {
		out = append(out, tickMark{float64(i), names[i]})
	}
	return out
}

func (p *renderer) bands(v view, pane chart.Pane) {
	for _, b := range pane.Bands {
		tone := p.pal.Color(b.Tone)
		lo, hi := v.y(math.Max(b.From/v.div, v.y0)), v.y(math.Min(b.To/v.div, v.y1))
		v.FillPolygon(rgba(tone, 0.1), []vg.Point{{X: v.Min.X, Y: lo}, {X: v.Max.X, Y: lo}, {X: v.Max.X, Y: hi}, {X: v.Min.X, Y: hi}})
		v.StrokeLine2(draw.LineStyle{Color: rgba(tone, 0.8), Width: 0.7, Dashes: []vg.Length{3, 3}}, v.Min.X, hi, v.Max.X, hi)
		s := aligned(p.style(sizeTxt, p.pal.Text), draw.XRight, draw.YTop)
		v.FillText(s, vg.Point{X: v.Max.X - 3, Y: hi - 2}, b.Label)
	}
}
