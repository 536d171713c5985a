package chart

import (
	"fmt"
	"time"

	"gestor.local/contract"
)

// heatColumns is how many columns of time a heat map has at most: each must stay wide enough to see.
const heatColumns = 60

// heatmap is time × image: how many were removed, and the mean CPU of those that lived.
type heatmap struct {
	q      Query
	step   time.Duration
	images map[string]*buckets[cell]
	total  int
}

type cell struct {
	removed int
	cpu     float64
	n       int
}

func newHeatmap(q Query) builder {
	return &heatmap{q: q, step: max(q.Step(heatColumns), 10*time.Second), images: map[string]*buckets[cell]{}}
}

func (h *heatmap) cellAt(image string, ms float64) *cell {
	if image == "" {
		image = "(unknown image)"
	}
	if h.images[image] == nil {
		columns := newBuckets[cell](h.q.Since, h.step)
		h.images[image] = &columns
	}

	c, _ := h.images[image].at(ms)
	return c
}

func (h *heatmap) addRecord(r contract.Record) {
	if b, ok := r.Body.(contract.ActionBody); ok && b.Removed() && h.q.matches(b.Subject) {
		h.cellAt(b.Image, Millis(r.Time)).removed++
		h.total++
	}
}

func (h *heatmap) addTick(f *tickFrame) {
	for _, row := range f.rows {
		if row.Owned && row.Measured && h.q.matches(row.Subject) {
			c := h.cellAt(row.Image, f.at)
			c.cpu += cpuPercent(row.CPUMillicores)
			c.n++
		}
	}
}

func (h *heatmap) addRow(s RollupRow) {
	if s.By != byImage || !h.q.matchesImage(s.Key) {
		return
	}

	switch {
	case contract.IsRemovalMetric(s.Metric):
		h.cellAt(s.Key, Millis(s.At)).removed += int(s.N)
		h.total += int(s.N)
	case s.Metric == "cpu_millicores":
		c := h.cellAt(s.Key, Millis(s.At))
		c.cpu += float64(s.Total) / 10
		c.n += int(s.N)
	}
}

func (h *heatmap) model(time.Duration) Model {
	removed := h.pane("Removals per "+FormatDuration(h.step), UnitCount, func(c cell) (float64, bool) { return float64(c.removed), c.removed > 0 })
	cpu := h.pane("Mean CPU of one container, 100 % = one core", UnitCPU, func(c cell) (float64, bool) {
		return c.cpu / float64(max(1, c.n)), c.n > 0
	})
	return Model{StepMS: h.step.Milliseconds(), Summary: h.summary(), Panes: []Pane{removed, cpu}}
}

func (h *heatmap) pane(title string, u Unit, value func(cell) (float64, bool)) Pane {
	p := Pane{Title: title, Weight: 1, X: Axis{Kind: AxisCategory, Categories: h.columns()}, Y: Axis{Kind: AxisCategory, Unit: u}}
	s := Series{Name: title, Kind: KindHeat, Tone: ToneLow}
	for _, image := range sortedKeys(h.images) {
		row := float64(len(p.Y.Categories))
		p.Y.Categories = append(p.Y.Categories, image)
		for _, column := range h.images[image].filled {
			if v, ok := value(column.value); ok && column.slot < int64(len(p.X.Categories)) {
				s.Points = append(s.Points, Point{X: float64(column.slot), Y: row, Z: v, Label: image + " · " + FormatValue(u, v)})
			}
		}
	}

	p.Series = []Series{s}
	return p
}

// columns are the labels of the time axis in UTC; the day is named where it matters.
func (h *heatmap) columns() []string {
	// A label names no more than it must: there are sixty of them.
	layout := "15:04"
	switch {
	case h.step < time.Minute:
		layout = "15:04:05"
	case h.q.Until.Sub(h.q.Since) > 24*time.Hour:
		layout = "02 Jan 15:04"
	}

	var out []string
	for t := h.q.Since.UTC(); t.Before(h.q.Until) && len(out) <= heatColumns; t = t.Add(h.step) {
		out = append(out, t.Format(layout))
	}
	return out
}

func (h *heatmap) summary() string {
	if len(h.images) == 0 {
		return ""
	}

	// Of equals the first by name, so that the sentence does not change from one request to the next.
	most, name := -1, ""
	for _, image := range sortedKeys(h.images) {
		n := 0
		for _, column := range h.images[image].filled {
			n += column.value.removed
		}
		if n > most {
			most, name = n, image
		}
	}

	return fmt.Sprintf("%s of %s; most often of %s (%d).", plural(h.total, "removal"), plural(len(h.images), "image"), name, most)
}
