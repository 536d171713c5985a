package chart

import "time"

// TableRows is how many rows a data table has at most: more is read with a program, from the records.
const TableRows = 60

// Table is a chart in rows and columns for people who do not see the picture.
type Table struct {
	Columns []string   `json:"columns"`
	Rows    [][]string `json:"rows"`
	// Left counts the rows that were left out, evenly or at the beginning.
	Left int `json:"left,omitempty"`
}

// Table writes the model's points down. Series over time share rows; bars, spans and cells have one row each.
func (m Model) Table() Table {
	var timed []column
	var items [][]string
	for _, p := range m.Panes {
		for _, s := range p.Series {
			if p.X.Kind == AxisTime && (s.Kind == KindLine || s.Kind == KindStep) {
				timed = append(timed, column{p, s})
				continue
			}
			items = append(items, p.itemRows(s)...)
		}
	}

	// Where values have a course over time the rest are marks on it: one table cannot hold both.
	if len(timed) > 0 {
		return timeTable(timed)
	}

	// The newest stand last, and they are what is looked for.
	t := Table{Columns: []string{"what", "where", "value"}, Rows: items}
	if n := len(items) - TableRows; n > 0 {
		t.Rows, t.Left = items[n:], n
	}
	return t
}

type column struct {
	Pane
	Series
}

// timeTable joins series on their times, keeping evenly spread rows.
func timeTable(cols []column) Table {
	t := Table{Columns: []string{"time (UTC)"}}

	// Series of one range stand on one grid of buckets, so most rows have a value of each.
	at := map[float64][]string{}
	for i, c := range cols {
		name := c.Series.Name
		if isRepeated(cols, name) {
			name += ", " + c.Pane.Title
		}
		t.Columns = append(t.Columns, name)

		for _, p := range c.Points {
			if p.Gap {
				continue
			}

			if at[p.X] == nil {
				at[p.X] = make([]string, len(cols))
			}
			at[p.X][i] = FormatValue(c.Pane.Unit(), p.Y)
		}
	}

	// Every nth row: a table is read by eye, and the even spread keeps the course.
	times := sortedKeys(at)
	every := (len(times) + TableRows - 1) / TableRows
	for i, x := range times {
		if (len(times)-1-i)%max(1, every) != 0 { // the newest row is always there
			t.Left++
			continue
		}
		t.Rows = append(t.Rows, append([]string{timestamp(x)}, at[x]...))
	}
	return t
}

func isRepeated(cols []column, name string) bool {
	n := 0
	for _, c := range cols {
		if c.Series.Name == name {
			n++
		}
	}
	return n > 1
}

func (p Pane) itemRows(s Series) [][]string {
	var out [][]string
	for _, pt := range s.Points {
		where := p.placeOf(pt)
		text := pt.Label
		if text == "" {
			text = FormatValue(p.Unit(), p.valueOf(s, pt))
		}

		// An empty place between bars is no row.
		if s.Kind == KindBar && pt.Y == 0 && !p.Horizontal() {
			continue
		}
		out = append(out, []string{s.Name, where, text})
	}
	return out
}

func (p Pane) placeOf(pt Point) string {
	switch {
	case p.Horizontal():
		return category(p.Y, pt.Y)
	case p.X.Kind == AxisCategory:
		return category(p.X, pt.X)
	default:
		return timestamp(pt.X)
	}
}

func category(a Axis, i float64) string {
	if n := int(i); n >= 0 && n < len(a.Categories) {
		return a.Categories[n]
	}
	return ""
}

func timestamp(ms float64) string { return timeAt(ms).Format(time.DateTime) }
