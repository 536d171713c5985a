package chart

// LegendRow is one line of the legend: figures over all readings of the range, written in the series' unit.
type LegendRow struct {
	Series string `json:"series"`
	Pane   string `json:"pane"`
	Tone   Tone   `json:"tone"`
	Color  string `json:"color"`
	Dash   Dash   `json:"dash"`
	Last   string `json:"last"`
	Avg    string `json:"avg"`
	Max    string `json:"max"`
}

// Legend lists the series that have a course over time, in the order of drawing.
func (m Model) Legend(t Theme) []LegendRow {
	var out []LegendRow
	for _, p := range m.Panes {
		for _, s := range p.Series {
			if s.Stat == nil {
				continue
			}

			u := p.Unit()
			out = append(out, LegendRow{
				Series: s.Name, Pane: p.Title, Tone: s.Tone, Color: PaletteOf(t).Color(s.Tone), Dash: s.Dash,
				Last: s.Stat.LastText(u), Avg: FormatValue(u, s.Stat.Avg), Max: FormatValue(u, s.Stat.Max),
			})
		}
	}
	return out
}
