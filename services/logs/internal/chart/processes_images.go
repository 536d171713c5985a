package chart

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// byImage is the processes chart of a long range: all containers of an image together, averaged over the ticks of a
// bucket. Sums do not know single containers.
func (p *processes) byImage(tickInterval time.Duration) Model {
	gap := p.q.gap(tickInterval)
	cpu := Pane{Title: "CPU per image", X: timeAxis(), Y: valueAxis("100 % = one core", UnitCPU), Weight: 1}
	ram := Pane{Title: "RAM per image", X: timeAxis(), Y: valueAxis("", UnitBytes), Weight: 1}
	for i, image := range p.topImages() {
		// Without the host's own record in a bucket nobody knows how many ticks its totals are of: that bucket is a gap.
		s := Series{Name: image, Kind: KindLine, Tone: toneOf(classOfImage(image)), Dash: dashes[i%len(dashes)]}
		cpu.Series = append(cpu.Series, p.images.cpu.series(image, func(s RollupRow) float64 { return float64(s.Total) / 10 }).series(s, gap))
		ram.Series = append(ram.Series, p.images.ram.series(image, func(s RollupRow) float64 { return float64(s.Total) * 1024 }).series(s, gap))
	}

	m := Model{Panes: []Pane{cpu, ram}, Notes: []string{rollupsOnly("containers are joined by image.")}}
	if drawn := slices.DeleteFunc(slices.Clone(ram.Series), func(s Series) bool { return s.Stat == nil }); len(drawn) > 0 {
		heaviest := slices.MaxFunc(drawn, func(a, b Series) int { return cmp.Compare(a.Stat.Avg, b.Stat.Avg) })
		m.Summary = fmt.Sprintf("%s. %s held most RAM: %s on average.",
			plural(len(ram.Series), "image"), heaviest.Name, FormatValue(UnitBytes, heaviest.Stat.Avg))
	}
	return m
}

// topImages are the images that used most RAM over the range, at most as many as containers have lines.
func (p *processes) topImages() []string {
	used := map[string]uint64{}
	for image, rows := range p.images.ram.total {
		for _, s := range rows {
			used[image] += s.Total
		}
	}

	names := sortedKeys(used)
	slices.SortStableFunc(names, func(a, b string) int { return cmp.Compare(used[b], used[a]) })
	return names[:min(topSeries, len(names))]
}
