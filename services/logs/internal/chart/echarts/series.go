package echarts

import (
	"github.com/go-echarts/go-echarts/v2/charts"
	"github.com/go-echarts/go-echarts/v2/opts"

	"gestor.local/logs/internal/chart"
)

// series is one series as ECharts draws it; the first of a pane carries the pane's bands.
func series(p chart.Pane, s chart.Series, pane int, first bool, base chart.Stacks, pal chart.Palette) charts.SingleSeries {
	color := pal.Color(s.Tone)
	out := charts.SingleSeries{
		Name: s.Name, Id: seriesID(pane, s), XAxisIndex: pane, YAxisIndex: pane, Stack: s.Stack,
		Data: data(p, s, base, pal), ItemStyle: &opts.ItemStyle{Color: color},
	}

	switch s.Kind {
	case chart.KindLine, chart.KindStep:
		lineSeries(&out, s, color)

	case chart.KindBar:
		out.Type, out.BarMaxWidth = "bar", "22"
		if p.X.Kind == chart.AxisTime { // the library widens a time axis for bars, away from the pane above: drawn by the page's script
			out.Type = "custom"
		}
		out.ItemStyle.Opacity = opts.Float(float32(s.Fill))

	case chart.KindMark:
		out.Type, out.Symbol, out.SymbolSize = "scatter", string(s.Glyph), 7
	case chart.KindSpan:
		out.Type = "custom" // drawn by the page's script
	case chart.KindHeat:
		out.Type = "heatmap"
	}

	if first {
		out.MarkAreas = bands(p, pal)
	}
	return out
}

func lineSeries(out *charts.SingleSeries, s chart.Series, color string) {
	out.Type = "line"
	out.LineStyle = &opts.LineStyle{Color: color, Width: 1.8, Type: string(dashOrSolid(s.Dash))}

	// A line of one point has no length: without a symbol it would not be seen.
	out.ShowSymbol = opts.Bool(s.Glyph != chart.GlyphNone || isolated(s.Points))
	out.Symbol, out.SymbolSize = symbol(s.Glyph), 4
	out.ConnectNulls = opts.Bool(false)

	if s.Kind == chart.KindStep {
		out.Step = "end"
	}
	if s.Fill > 0 {
		out.AreaStyle = &opts.AreaStyle{Color: color, Opacity: opts.Float(float32(s.Fill))}
	}
}

func dashOrSolid(d chart.Dash) chart.Dash {
	if d == "" {
		return chart.DashSolid
	}
	return d
}

func symbol(g chart.Glyph) string {
	if g == chart.GlyphNone {
		return string(chart.GlyphCircle)
	}
	return string(g)
}

// isolated says whether a point stands alone between gaps: without a symbol it would not be seen.
func isolated(points []chart.Point) bool {
	for i, p := range points {
		left, right := i == 0 || points[i-1].Gap, i == len(points)-1 || points[i+1].Gap
		if !p.Gap && left && right {
			return true
		}
	}
	return false
}

// data is the series' points. Lines: [x, y] or [x, y, min, max] where readings were merged, null at a gap. Marks, bars
// and cells: [x, y, …, label]. Bars over time: [x, from, to, label] within their stack. Spans: [x, x2, y, label].
func data(p chart.Pane, s chart.Series, base chart.Stacks, pal chart.Palette) []any {
	div := p.Scale().Div
	out := make([]any, 0, len(s.Points))
	for _, pt := range s.Points {
		out = append(out, datum(p, s, pt, div, base, pal))
	}
	return out
}

func datum(p chart.Pane, s chart.Series, pt chart.Point, div float64, base chart.Stacks, pal chart.Palette) any {
	switch {
	case pt.Gap:
		return []any{pt.X, nil}
	case s.Kind == chart.KindSpan:
		return []any{pt.X, pt.X2, pt.Y, pt.Label}
	case s.Kind == chart.KindHeat:
		return []any{pt.X, pt.Y, significant(pt.Z / div), pt.Label}
	case p.Horizontal():
		return opts.BarData{
			Value:     []any{significant(pt.X / div), pt.Y, pt.Label},
			ItemStyle: &opts.ItemStyle{Color: pal.Color(pt.Tone)},
		}
	case s.Kind == chart.KindBar && p.X.Kind == chart.AxisTime:
		from, to := base.Add(s.Stack, pt.X, pt.Y)
		return []any{pt.X, significant(from / div), significant(to / div), pt.Label}
	case s.Kind == chart.KindBar || s.Kind == chart.KindMark:
		return []any{pt.X, significant(pt.Y / div), pt.Label}
	case pt.Min != pt.Y || pt.Max != pt.Y:
		return []any{pt.X, significant(pt.Y / div), significant(pt.Min / div), significant(pt.Max / div)}
	default:
		return []any{pt.X, significant(pt.Y / div)}
	}
}

// bands shades what the policy allows.
func bands(p chart.Pane, pal chart.Palette) *opts.MarkAreas {
	if len(p.Bands) == 0 {
		return nil
	}

	// An area is given by two corners; the first carries its looks.
	div := p.Scale().Div
	out := &opts.MarkAreas{}
	for _, b := range p.Bands {
		color := pal.Color(b.Tone)

		out.Data = append(out.Data, []any{
			map[string]any{
				"yAxis": b.From / div, "name": b.Label,
				"itemStyle": map[string]any{"color": color, "opacity": 0.1, "borderColor": color, "borderWidth": 1, "borderType": "dashed"},
				"label":     map[string]any{"position": "insideTopRight", "color": pal.Text, "fontSize": 11},
			},
			map[string]any{"yAxis": b.To / div},
		})
	}
	return out
}
