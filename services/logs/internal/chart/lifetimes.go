package chart

import (
	"fmt"
	"slices"
	"time"

	"gestor.local/contract"
)

// lifetimes is a histogram of how long ended containers lived. Its bins roughly double: a log axis people can read.
type lifetimes struct {
	q       Query
	tracker *lifeTracker
}

func newLifetimes(q Query) builder { return &lifetimes{q: q, tracker: newLifeTracker(q)} }

func (l *lifetimes) addRecord(r contract.Record) { l.tracker.addRecord(r) }
func (l *lifetimes) addTick(f *tickFrame)        { l.tracker.addTick(f) }

// bins are the upper ends; one more bin takes the rest.
func bins() []time.Duration {
	return []time.Duration{
		10 * time.Second, 20 * time.Second, 30 * time.Second, time.Minute, 2 * time.Minute, 5 * time.Minute,
		10 * time.Minute, 30 * time.Minute, time.Hour, 6 * time.Hour, 24 * time.Hour,
	}
}

func binLabels() []string {
	from := "0 s"
	var out []string
	for _, b := range bins() {
		out = append(out, from+" – "+FormatDuration(b))
		from = FormatDuration(b)
	}
	return append(out, "over "+from)
}

func (l *lifetimes) model(tickInterval time.Duration) Model {
	pane := Pane{Title: "Ended containers by length of life", X: Axis{Kind: AxisCategory, Categories: binLabels()}, Y: valueAxis("", UnitCount), Weight: 1}

	// An age is known of those that have ended: the living would make every life look longer than it may become.
	alive := 0
	all := l.tracker.inOrderOfBirth(tickInterval)
	text := ""
	for _, class := range classes() {
		counts, ages := make([]int, len(bins())+1), []time.Duration(nil)
		for _, one := range ofClass(all, class) {
			if one.end == endAlive {
				alive++
				continue
			}

			age := time.Duration((one.until(l.tracker.now) - one.born()) * float64(time.Millisecond))
			ages = append(ages, age)
			i, _ := slices.BinarySearch(bins(), age)
			counts[i]++
		}
		if len(ages) == 0 {
			continue
		}

		// Half of them: a few that live for days would pull a mean away from all others.
		slices.Sort(ages)
		text += fmt.Sprintf("%s: %d ended, half of them within %s. ", class, len(ages), FormatDuration(ages[len(ages)/2]))
		pane.Series = append(pane.Series, histogram(class, counts))
	}

	m := Model{Panes: []Pane{pane}, Summary: text}
	if alive > 0 {
		m.Notes = []string{pluralOf(alive, "container is still alive and is", "containers are still alive and are") + " not counted."}
	}
	return m
}

func histogram(class contract.Class, counts []int) Series {
	s := Series{Name: string(class), Kind: KindBar, Tone: toneOf(class), Fill: 0.9}
	for i, n := range counts {
		s.Points = append(s.Points, Point{X: float64(i), Y: float64(n), Label: pluralOf(n, "container", "containers")})
	}
	return s
}
