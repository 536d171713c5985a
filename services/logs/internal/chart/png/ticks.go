package png

import (
	"math"
	"time"

	"gestor.local/logs/internal/chart"
)

// tickMark is one labelled place on an axis.
type tickMark struct {
	at   float64
	text string
}

// valueTicks are round numbers (1, 2 or 5 times a power of ten apart) within [lo, hi], about n of them.
func valueTicks(lo, hi float64, n int, whole bool) []tickMark {
	if !(hi > lo) || n < 1 {
		return nil
	}

	// Half a container is no tick.
	step := niceStep((hi - lo) / float64(n))
	if whole {
		step = math.Max(1, step)
	}

	var out []tickMark
	for i := math.Ceil(lo/step - 1e-9); i*step <= hi+step*1e-9 && len(out) <= 2*n+2; i++ {
		out = append(out, tickMark{i * step, chart.FormatNumber(math.Round(i*step*1e9) / 1e9)})
	}
	return out
}

func niceStep(raw float64) float64 {
	power := math.Pow(10, math.Floor(math.Log10(raw)))
	for _, m := range []float64{1, 2, 5} {
		if raw <= m*power*(1+1e-9) {
			return m * power
		}
	}
	return 10 * power
}

// niceTop is the end of a value axis that holds hi.
func niceTop(hi float64) float64 {
	if hi <= 0 {
		return 1
	}
	step := niceStep(hi / 4)
	return math.Ceil(hi/step-1e-9) * step
}

// timeTicks are round times in UTC, at most n; the day is written where it begins or where ticks are days.
func timeTicks(since, until time.Time, n int) []tickMark {
	step := chart.Query{Since: since, Until: until}.Step(max(1, n))
	var out []tickMark
	for t := since.UTC().Truncate(step); !t.After(until); t = t.Add(step) {
		if t.Before(since) {
			continue
		}

		layout := "15:04"
		switch {
		case t.Hour() == 0 && t.Minute() == 0 && t.Second() == 0:
			layout = "2 Jan"
		case step < time.Minute:
			layout = "15:04:05"
		}

		out = append(out, tickMark{chart.Millis(t), t.Format(layout)})
	}
	return out
}
