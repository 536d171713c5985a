package page

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/url"
	"testing"
	"time"
)

type model struct {
	StepMS int64 `json:"step_ms"`
	Panes  []struct {
		Series []struct {
			Name   string
			Points []struct {
				X, Y, Min, Max float64
				Gap            bool
			}
		}
	}
}

type statsDocument struct {
	Series []struct {
		Key    string
		Points [][]float64
	}
}

// TestChartsAndStatisticsSayTheSame compares what a chart draws (its model, from which page and picture are made) with
// what GET /v1/stats answers for the same range: from records for a short range, from sums for a long one.
func TestChartsAndStatisticsSayTheSame(t *testing.T) {
	tools := build(t)
	s := tools.start(t)
	s.post(t, tools.records(t, "-length", "4h", "-every", "2m", "-gap", "10m"))
	until := time.Now().Truncate(time.Minute)
	for _, length := range []time.Duration{time.Hour, 5 * time.Hour} {
		since := until.Add(-length)
		q := url.Values{"since": {since.Format(time.RFC3339)}, "until": {until.Format(time.RFC3339)}}
		for _, c := range []struct {
			chart, series, metric, by, key string
			unit                           float64
		}{
			{"memory", "used", "memory_used_kb", "host", "node1", 1024},
			{"memory", "governed containers", "governed_ram_kb", "host", "node1", 1024},
			{"population", "low", "population", "class", "low", 1},
			{"population", "high", "population", "class", "high", 1},
			{"control", "decide", "decide_us", "host", "node1", 1e-6},
		} {
			t.Run(fmt.Sprintf("%s of %s over %s", c.series, c.chart, length), func(t *testing.T) {
				minutes := s.minutes(t, c.chart, c.series, q)
				want := s.statistics(t, c.metric, c.by, c.key, q)
				if len(want) < 20 || len(minutes) != len(want) {
					t.Fatalf("%d minutes drawn, %d in the statistics", len(minutes), len(want))
				}
				for at, w := range want {
					got := minutes[at]
					if far(got.avg, w.avg*c.unit) || far(got.max, w.max*c.unit) {
						t.Fatalf("%s: drawn %v, statistics %v × %v", at, got, w, c.unit)
					}
				}
			})
		}
	}
}

type figures struct{ avg, max float64 }

func far(a, b float64) bool { return math.Abs(a-b) > 1e-9*max(1, math.Abs(b)) }

// minutes are a series' points, joined by minute.
func (s service) minutes(t *testing.T, chart, series string, q url.Values) map[time.Time]figures {
	t.Helper()
	var m model
	s.fetch(t, "/v1/charts/"+chart+".json?view=model&"+q.Encode(), &m)
	sum, n, most := map[time.Time]float64{}, map[time.Time]float64{}, map[time.Time]float64{}
	for _, p := range m.Panes {
		for _, one := range p.Series {
			if one.Name != series {
				continue
			}
			for _, pt := range one.Points {
				if pt.Gap {
					continue
				}
				at := time.UnixMilli(int64(pt.X)).UTC().Truncate(time.Minute)
				sum[at], n[at], most[at] = sum[at]+pt.Y, n[at]+1, max(most[at], pt.Max)
			}
		}
	}
	out := map[time.Time]figures{}
	for at := range sum {
		out[at] = figures{sum[at] / n[at], most[at]}
	}
	return out
}

func (s service) statistics(t *testing.T, metric, by, key string, q url.Values) map[time.Time]figures {
	t.Helper()
	ask := url.Values{"metric": {metric}, "by": {by}, "step": {"1m"}, "fn": {"avg,max"}, "since": q["since"], "until": q["until"]}
	var doc statsDocument
	s.fetch(t, "/v1/stats?"+ask.Encode(), &doc)
	out := map[time.Time]figures{}
	for _, one := range doc.Series {
		if one.Key != key {
			continue
		}
		for _, p := range one.Points {
			out[time.Unix(int64(p[0]), 0).UTC()] = figures{p[1], p[2]}
		}
	}
	return out
}

func (s service) fetch(t *testing.T, path string, v any) {
	t.Helper()
	r, err := http.Get(s.url + path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	body, err := io.ReadAll(r.Body)
	if err != nil || r.StatusCode != http.StatusOK {
		t.Fatalf("GET %s: %s %v %.300s", path, r.Status, err, body)
	}
	if err := json.Unmarshal(body, v); err != nil {
		t.Fatalf("GET %s: %v", path, err)
	}
}
