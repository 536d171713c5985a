package png

import (
	"fmt"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"gestor.local/logs/internal/chart"
)

const (
	legendRow = vg.Length(12)
	legendGap = vg.Length(8)
	keyWidth  = vg.Length(20)
)

// legendEntry is one key of the legend.
type legendEntry struct {
	series chart.Series
	text   string
}

// legend draws the keys at the bottom in columns and returns the height it took. A series that stands in several panes
// has one key; figures are those of the pane with the series' first appearance.
func (p *renderer) legend(c draw.Canvas) vg.Length {
	entries := p.entries()
	if len(entries) == 0 {
		return 0
	}

	s := p.style(sizeTxt, p.pal.Text)
	// All columns are as wide as the widest key needs, so that keys stand below each other.
	widest := vg.Length(0)
	for _, e := range entries {
		widest = max(widest, s.Width(e.text))
	}

	columns := max(1, min(len(entries), int((c.Max.X-c.Min.X)/(widest+keyWidth+14))))
	rows := (len(entries) + columns - 1) / columns
	height := vg.Length(rows)*legendRow + legendGap
	column := (c.Max.X - c.Min.X) / vg.Length(columns)
	for i, e := range entries {
		// Keys are read from left to right, and rows from the top.
		x := c.Min.X + vg.Length(i%columns)*column
		y := c.Min.Y + vg.Length(rows-1-i/columns)*legendRow
		p.legendKey(c, e.series, x, y+3)
		c.FillText(s, vg.Point{X: x + keyWidth, Y: y}, shorten(s, e.text, column-keyWidth-4))
	}
	return height
}

func (p *renderer) entries() []legendEntry {
	var out []legendEntry
	seen := map[string]bool{}
	for _, pane := range p.m.Panes {
		for _, s := range pane.Series {
			if seen[s.Name] || s.Kind == chart.KindHeat || pane.Horizontal() {
				continue
			}
			seen[s.Name] = true

			txt := s.Name
			if s.Stat != nil {
				u := pane.Unit()
				txt += fmt.Sprintf("   last %s · avg %s · max %s", s.Stat.LastText(u), chart.FormatValue(u, s.Stat.Avg), chart.FormatValue(u, s.Stat.Max))
			}
			out = append(out, legendEntry{s, txt})
		}
	}
	return out
}

func (p *renderer) legendKey(c draw.Canvas, s chart.Series, x, y vg.Length) {
	end := vg.Point{X: x + keyWidth - 5, Y: y}
	switch s.Kind {
	case chart.KindBar, chart.KindSpan:
		p.fill(c, s, s.Fill, []vg.Point{{X: x, Y: y - 3}, {X: end.X, Y: y - 3}, {X: end.X, Y: y + 3}, {X: x, Y: y + 3}})
	case chart.KindMark:
		c.DrawGlyphNoClip(p.glyph(s), vg.Point{X: (x + end.X) / 2, Y: y})
	default:
		c.StrokeLines(p.stroke(s), []vg.Point{{X: x, Y: y}, end})
		if s.Glyph != chart.GlyphNone {
			c.DrawGlyphNoClip(p.glyph(s), vg.Point{X: (x + end.X) / 2, Y: y})
		}
	}
}
