// Package echarts writes charts as options of ECharts, which the page's script draws in the browser. It is the only importer
// of go-echarts.
//
// Names and labels inside a model are hostile data: an option is a value for encoding/json and holds neither markup nor
// functions.
package echarts

import (
	"fmt"
	"math"
	"strconv"

	"github.com/go-echarts/go-echarts/v2/charts"
	"github.com/go-echarts/go-echarts/v2/opts"

	"gestor.local/logs/internal/chart"
)

// PaneHint tells the page's script how to write a pane's values: it holds the formatters, the option holds none.
type PaneHint struct {
	Suffix string         `json:"suffix"`
	Kind   chart.AxisKind `json:"kind"`
	Title  string         `json:"title"`
	// Place is left, top, width and height in parts of the chart.
	Place [4]float64 `json:"place"`
	// Wide says that the Y axis carries names and needs their room.
	Wide bool `json:"wide,omitempty"`
}

// Hints are the hints of the model's panes in their order.
func Hints(m chart.Model) []PaneHint {
	out := make([]PaneHint, 0, len(m.Panes))
	for i, f := range chart.Layout(m.Panes) {
		p := m.Panes[i]
		out = append(out, PaneHint{
			Suffix: p.Scale().Suffix, Kind: p.X.Kind, Title: p.Title,
			Place: [4]float64{f.Left, f.Top, f.Width, f.Height}, Wide: p.Y.Kind == chart.AxisCategory,
		})
	}
	return out
}

// Option is the model as an ECharts option: a value for json.Marshal, which escapes <, > and &. It holds no function and
// no markup. Values are in the unit of their axis (see [chart.Pane.Scale]), rounded to 7 significant digits.
func Option(m chart.Model, t chart.Theme) map[string]any {
	pal := chart.PaletteOf(t)
	line := charts.NewLine()
	line.XAxisList, line.YAxisList = nil, nil
	line.SetGlobalOptions(
		charts.WithAnimation(false),
		charts.WithLegendOpts(opts.Legend{Show: opts.Bool(false)}),
		charts.WithTooltipOpts(tooltip(m)),
	)

	// The library has one list of series for all panes: each names its axes by their number.
	var ramps []map[string]any
	places := chart.Layout(m.Panes)
	for i, p := range m.Panes {
		line.GridList = append(line.GridList, grid(p, places[i]))
		line.XAxisList = append(line.XAxisList, xAxis(m, p, i, pal))
		line.YAxisList = append(line.YAxisList, yAxis(p, i, pal))

		// Bars over time are drawn by the page's script, which does not know how high the stack below them is.
		base := chart.Stacks{}
		for j, s := range p.Series {
			if s.Kind == chart.KindHeat {
				ramps = append(ramps, ramp(p, len(line.MultiSeries), pal))
			}
			line.MultiSeries = append(line.MultiSeries, series(p, s, i, j == 0, base, pal))
		}
	}

	validate(line)

	// What the library's types have no field for, or fill with defaults of their own, is set in its answer.
	option := line.JSON()
	option["title"] = titles(m.Panes, places, pal)
	option["textStyle"] = map[string]any{"color": pal.Text}
	option["aria"] = map[string]any{"enabled": true, "label": map[string]any{"description": m.Summary}}
	delete(option, "toolbox")
	delete(option, "color")

	if len(ramps) > 0 {
		option["visualMap"] = ramps
	}
	if isTimed(m) {
		option["dataZoom"] = zoom(len(m.Panes))
		option["axisPointer"] = map[string]any{"link": []any{map[string]any{"xAxisIndex": "all"}}}
	}
	return option
}

// validate runs the library's own checks. They set the first X axis' data from a field that is not used here.
func validate(line *charts.Line) {
	first := line.XAxisList[0].Data
	line.Validate()
	line.XAxisList[0].Data = first
}

func isTimed(m chart.Model) bool { return len(m.Panes) > 0 && m.Panes[0].X.Kind == chart.AxisTime }

func zoom(panes int) []map[string]any {
	all := make([]int, panes)
	for i := range all {
		all[i] = i
	}
	return []map[string]any{{
		"type": "inside", "xAxisIndex": all, "filterMode": "none",
		"zoomOnMouseWheel": "ctrl", "moveOnMouseMove": "shift", "moveOnMouseWheel": false, "preventDefaultMouseMove": false,
	}}
}

func tooltip(m chart.Model) opts.Tooltip {
	tip := opts.Tooltip{Show: opts.Bool(true), Trigger: "item"}
	if isTimed(m) && m.Name != "lives" {
		tip.Trigger = "axis"
	}
	return tip
}

// grid places a pane in per cent of the chart. The page's script, which knows the size in pixels, takes the room of the
// texts off.
func grid(p chart.Pane, f chart.Rect) opts.Grid {
	return opts.Grid{
		Left: percent(f.Left), Top: percent(f.Top), Width: percent(f.Width), Height: percent(f.Height),
		ContainLabel: opts.Bool(p.Y.Kind == chart.AxisCategory),
	}
}

func percent(v float64) string { return strconv.FormatFloat(100*v, 'f', 2, 64) + "%" }

func titles(panes []chart.Pane, places []chart.Rect, pal chart.Palette) []opts.Title {
	out := make([]opts.Title, 0, len(panes))
	for i, p := range panes {
		out = append(out, opts.Title{
			Title: p.Heading(), Left: percent(places[i].Left), Top: percent(places[i].Top),
			TitleStyle: &opts.TextStyle{Color: pal.Muted, FontSize: 12, FontWeight: "600"},
		})
	}
	return out
}

func xAxis(m chart.Model, p chart.Pane, i int, pal chart.Palette) opts.XAxis {
	a := opts.XAxis{
		Type: string(p.X.Kind), GridIndex: i,
		AxisLabel: &opts.AxisLabel{Color: pal.Muted, HideOverlap: opts.Bool(true), FontSize: 11},
		AxisLine:  &opts.AxisLine{LineStyle: &opts.LineStyle{Color: pal.Grid}},
		SplitLine: &opts.SplitLine{Show: opts.Bool(p.Horizontal()), LineStyle: &opts.LineStyle{Color: pal.Grid}},
	}

	switch p.X.Kind {
	case chart.AxisTime:
		a.Min, a.Max = m.Since.UnixMilli(), m.Until.UnixMilli()
		a.AxisLabel.ShowMinLabel, a.AxisLabel.ShowMaxLabel = opts.Bool(false), opts.Bool(false) // no round times
	case chart.AxisCategory:
		a.Data = p.X.Categories
	case chart.AxisValue:
		a.Min = bound(p.X.Min, p.Scale())
		a.SplitNumber = 3
	}
	return a
}

func yAxis(p chart.Pane, i int, pal chart.Palette) opts.YAxis {
	a := opts.YAxis{
		Type: string(p.Y.Kind), GridIndex: i, SplitNumber: 4, NameLocation: "middle", NameGap: 42,
		AxisLabel: &opts.AxisLabel{Color: pal.Muted, FontSize: 11, Show: opts.Bool(!p.Y.Hidden)},
		SplitLine: &opts.SplitLine{Show: opts.Bool(p.Y.Kind == chart.AxisValue && !p.Y.Hidden), LineStyle: &opts.LineStyle{Color: pal.Grid}},
	}

	switch p.Y.Kind {
	case chart.AxisCategory:
		a.Data = p.Y.Categories
		a.AxisLabel.Width, a.AxisLabel.Overflow = 132, "truncate"
	case chart.AxisValue:
		// The ends are in the unit of the drawn values, not in base units.
		s := p.Scale()
		a.Name = p.Y.Label
		a.Min, a.Max = bound(p.Y.Min, s), bound(p.Y.Max, s)
		if p.Y.Max != nil { // the end of the range is no round number
			a.AxisLabel.ShowMaxLabel = opts.Bool(false)
		}
		if p.Y.Unit == chart.UnitCount {
			a.MinInterval = 1
		}
	}
	return a
}

// bound is a fixed end in the axis' unit, or nil.
func bound(v *float64, s chart.Scale) any {
	if v == nil {
		return nil
	}
	return significant(*v / s.Div)
}

func ramp(p chart.Pane, index int, pal chart.Palette) map[string]any {
	_, hi := p.Extent()
	return map[string]any{
		"show": false, "min": 0, "max": math.Max(1, significant(hi/p.Scale().Div)), "dimension": 2, "seriesIndex": index,
		"inRange": map[string]any{"color": pal.Ramp},
	}
}

// significant rounds to 7 digits: more than a screen shows and half the bytes.
func significant(v float64) float64 {
	out, err := strconv.ParseFloat(strconv.FormatFloat(v, 'g', 7, 64), 64)
	if err != nil { // not a number: never drawn
		return 0
	}
	return out
}

// seriesID is the same on every refresh, so that the page updates a series instead of replacing it.
func seriesID(pane int, s chart.Series) string {
	id := s.ID
	if id == "" {
		id = s.Name
	}
	return fmt.Sprintf("%d/%s/%s", pane, s.Kind, id)
}
