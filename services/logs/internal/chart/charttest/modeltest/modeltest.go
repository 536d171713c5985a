// Package modeltest builds the charts of simulated runs for the tests of what draws them.
package modeltest

import (
	"testing"
	"time"

	"gestor.local/contract"

	"gestor.local/logs/internal/chart"
	"gestor.local/logs/internal/chart/charttest"
)

// Build returns the charts with the given names of some records, or all of them.
func Build(tb testing.TB, q chart.Query, records []contract.Record, names ...string) []chart.Model {
	tb.Helper()
	set, err := chart.NewSet(q, names...)
	if err != nil {
		tb.Fatal(err)
	}

	for _, r := range records {
		set.Add(r)
	}
	return set.Models()
}

// First is the query for the first stretch of a test's run.
func First(length time.Duration) chart.Query {
	return chart.Query{Since: charttest.Epoch(), Until: charttest.Epoch().Add(length), Newest: charttest.Epoch().Add(length)}
}

// Empty are all charts of an hour without a record.
func Empty(tb testing.TB) []chart.Model {
	tb.Helper()
	q := First(time.Hour)
	q.Newest = time.Time{}
	return Build(tb, q, nil)
}

// OfSums are the charts that are drawn from sums, of a week with a gap of a day.
func OfSums(tb testing.TB) []chart.Model {
	tb.Helper()
	q := First(7 * 24 * time.Hour)
	q.RollupStep = time.Hour
	set, err := chart.NewSet(q, chart.Summable(q)...)
	if err != nil {
		tb.Fatal(err)
	}

	for at := q.Since; at.Before(q.Until); at = at.Add(q.RollupStep) {
		if at.Sub(q.Since)/(24*time.Hour) == 2 {
			continue
		}

		for _, of := range []struct {
			by, key string
			metrics []string
		}{
			{"host", "h", []string{"memory_total_kb", "memory_used_kb", "memory_free_kb", "memory_available_kb", "governed_ram_kb", "read_us", "act_us", "late_us"}},
			{"class", "low", []string{"population", "quota", "remove_done", "launch_started"}},
			{"image", "low-idle", []string{"cpu_millicores", "ram_kb", "remove_done", "launch_started"}},
		} {
			for i, metric := range of.metrics {
				n := uint64(360)
				set.AddRow(chart.RollupRow{At: at, By: of.by, Key: of.key, Metric: metric, N: n, Total: n * uint64(i+1) * 1000, Min: 1, Max: 9000})
			}
		}
	}
	return set.Models()
}
