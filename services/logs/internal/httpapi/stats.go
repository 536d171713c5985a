package httpapi

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"time"

	"github.com/gin-gonic/gin"

	"gestor.local/contract"

	"gestor.local/logs/internal/query"
	"gestor.local/logs/internal/respond"
)

// stats is GET /v1/stats.
type stats struct {
	Deps
	heavy *respond.Slots // of questions that read records one by one
}

func (h stats) register(r gin.IRouter) { r.GET(contract.PathStats, h.get) }

// functions of a bucket. A quantile reads the records themselves, the others the roll-ups.
var functions = []string{"avg", "min", "max", "sum", "count", "p50", "p95", "p99"}

// statsAnswer has one point for each bucket that has records: a missing one is a gap, never zero.
type statsAnswer struct {
	Metric string        `json:"metric"`
	By     string        `json:"by"`
	StepS  float64       `json:"step_s"`
	Series []statsSeries `json:"series"`
}

type statsSeries struct {
	Key string `json:"key"`
	// Points are [Unix seconds, value of the 1st function, of the 2nd, …].
	Points    [][]float64 `json:"points"`
	Functions []string    `json:"functions"`
}

func (h stats) get(c *gin.Context) {
	now := h.Query.Now()
	p := respond.NewParams(c.Request, now)
	q := query.SeriesQuery{
		Metric: p.One("metric"), By: p.Choice("by", "class", "class", "image", "host", query.ByContainer),
		Filter: contract.Filter{Containers: p.List("container")}, Since: p.Time("since"), Until: p.Time("until"),
	}
	fns := p.List("fn")
	h.setDefaults(p, &q, &fns, now)
	if bad := p.Problems(); bad != nil {
		respond.BadParams(c, bad)
		return
	}

	if q.OfRecords() {
		release := h.heavy.AcquireWithin(c, heavyWait, heavyBusy)
		if release == nil {
			return
		}
		defer release()
	}

	ctx, cancel := context.WithTimeout(c.Request.Context(), respond.QueryTimeout)
	defer cancel()
	series, err := h.Query.Series(ctx, q)
	switch {
	case errors.Is(err, query.ErrUnknownMetric):
		respond.BadParams(c, []contract.FieldError{{Field: "metric", Reason: err.Error()}})
		return
	case err != nil:
		respond.Error(c, err)
		return
	}

	out := statsAnswer{Metric: q.Metric, By: q.By, StepS: q.Step.Seconds(), Series: make([]statsSeries, len(series))}
	for i, s := range series {
		out.Series[i] = statsSeries{Key: s.Key, Functions: fns, Points: make([][]float64, len(s.Points))}
		for j, point := range s.Points {
			out.Series[i].Points[j] = values(point, fns)
		}
	}
	respond.JSON(c, out)
}

// setDefaults checks and completes a question: the last hour, a step that makes about 240 points, the average.
func (h stats) setDefaults(p *respond.Params, q *query.SeriesQuery, fns *[]string, now time.Time) {
	if q.Metric == "" {
		p.Reject("metric", "missing: cpu_millicores, ram_kb, vsz_kb, rss_kb, population, memory_used_kb, remove_done …")
	}

	// The last record of this second is to be in it.
	if q.Until.IsZero() {
		q.Until = now.Add(time.Second)
	}
	if q.Since.IsZero() {
		q.Since = q.Until.Add(-time.Hour)
	}
	if !q.Since.Before(q.Until) {
		p.Reject("since", "is not before until")
	}

	q.Step = stepFor(q.Until.Sub(q.Since))
	if text := p.One("step"); text != "" {
		step, err := respond.ParseDuration(text)
		if err != nil || step < time.Second || step%time.Millisecond != 0 {
			p.Reject("step", "want a duration of at least 1s in whole milliseconds, such as 10s, 1m or 1h")
		}
		q.Step = step
	}

	if len(*fns) == 0 {
		*fns = []string{"avg"}
	}
	for _, fn := range *fns {
		if !slices.Contains(functions, fn) {
			p.Reject("fn", "unknown: "+fn)
			continue
		}

		// A point has one quantile: query.SeriesQuery asks for one at a time.
		if percent, err := strconv.Atoi(fn[1:]); err == nil && fn[0] == 'p' {
			if q.Quantile > 0 {
				p.Reject("fn", "one quantile at a time")
			}
			q.Quantile = float64(percent) / 100
		}
	}
}

// stepFor is the narrowest step that makes at most 240 points.
func stepFor(span time.Duration) time.Duration {
	for _, minutes := range []int{1, 2, 5, 10, 20, 30, 60, 120, 360, 720} {
		if step := time.Duration(minutes) * time.Minute; span/step <= 240 {
			return step
		}
	}
	return 24 * time.Hour
}

// values are a point's time and its functions, as statsSeries has them.
func values(p query.Point, fns []string) []float64 {
	out := []float64{float64(p.At.UnixMilli()) / 1000}
	for _, fn := range fns {
		switch fn {
		case "avg":
			out = append(out, float64(p.Sum)/float64(max(p.N, 1)))
		case "min":
			out = append(out, float64(p.Min))
		case "max":
			out = append(out, float64(p.Max))
		case "sum":
			out = append(out, float64(p.Sum))
		case "count":
			out = append(out, float64(p.N))
		default:
			out = append(out, float64(p.Quantile))
		}
	}
	return out
}
