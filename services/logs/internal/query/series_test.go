package query_test

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"gestor.local/logs/internal/line"
	"gestor.local/logs/internal/query"
	"gestor.local/logs/internal/rollup"
	"gestor.local/logs/internal/store"
	"gestor.local/wal/disk/disktest"
)

// reading is one container record of the property below.
type reading struct {
	at                 time.Time
	class, image, host string
	owned, measured    bool
	cpu                uint64
}

func (r reading) key(by string) string {
	return map[string]string{"class": r.class, "image": r.image, "host": r.host}[by]
}

// A series is that of the records in its range, whichever sums answer for it, wherever the range begins and ends, and the
// same with a quantile as without one. Its buckets stand on the Unix epoch.
func TestSeriesAreExactAtTheirEdges(t *testing.T) {
	epoch := time.Date(2026, 1, 1, 11, 0, 0, 0, time.UTC)
	rapid.Check(t, func(t *rapid.T) {
		s, err := store.Open(store.Config{
			Dir: "data", FS: disktest.NewMem(), MinFree: 1, Fsync: store.FsyncNever,
			SegmentBytes: rapid.SampledFrom([]int64{1, 4096, 1 << 20}).Draw(t, "segment bytes"),
			Now:          func() time.Time { return epoch.Add(3 * time.Hour) },
		})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()

		moment := func(name string) time.Time {
			return epoch.Add(time.Duration(rapid.IntRange(0, 3*3600*2).Draw(t, name)) * time.Second / 2)
		}
		var all []reading
		for n := range rapid.IntRange(0, 60).Draw(t, "records") {
			r := reading{
				moment("at"), rapid.SampledFrom([]string{"low", "high", ""}).Draw(t, "class"), rapid.SampledFrom([]string{"i", ""}).Draw(t, "image"),
				rapid.SampledFrom([]string{"n1", "n2"}).Draw(t, "host"), rapid.IntRange(0, 3).Draw(t, "owned") > 0,
				rapid.IntRange(0, 3).Draw(t, "measured") > 0, rapid.Uint64Range(0, 1000).Draw(t, "cpu"),
			}
			all = append(all, r)
			text := fmt.Sprintf(`{"v":1,"host":%q,"boot":"b","producer":"p","pseq":%d,"ts":%q,"kind":"container","container":"abcd","class":%q,"image":%q,"owned":%t,"measured":%t,"cpu_millicores":%d}`,
				r.host, n+1, r.at.Format(time.RFC3339Nano), r.class, r.image, r.owned, r.measured, r.cpu)
			one := make([]line.Record, 1)
			if _, _, err := line.NewParser().Next([]byte(text), nil, &one[0]); err != nil {
				t.Fatal(err)
			}
			if _, err := s.Append(t.Context(), one); err != nil {
				t.Fatal(err)
			}
		}

		q := query.SeriesQuery{
			Metric: "cpu_millicores", By: rapid.SampledFrom([]string{"class", "image", "host"}).Draw(t, "by"), Since: moment("since"), Until: moment("until"),
			Step: rapid.SampledFrom([]time.Duration{7 * time.Second, time.Minute, 7 * time.Minute, 10 * time.Minute, time.Hour, 100 * time.Hour, 168 * time.Hour}).Draw(t, "step"),
		}
		if !q.Since.Before(q.Until) {
			q.Since, q.Until = q.Until, q.Since.Add(time.Second)
		}
		for _, quantile := range []float64{0, 0.5} {
			q.Quantile = quantile
			got, err := query.New(s).Series(t.Context(), q)
			if err != nil {
				t.Fatal(err)
			}
			for _, series := range got {
				for i := range series.Points {
					series.Points[i].Quantile = 0
				}
			}
			if diff := cmp.Diff(counted(all, q), got); diff != "" {
				t.Fatalf("%s to %s by %s, step %s, quantile %v: %s", q.Since, q.Until, q.By, q.Step, quantile, diff)
			}
		}
	})
}

// counted is the answer by hand.
func counted(all []reading, q query.SeriesQuery) []query.Series {
	sums := map[string]map[int64]*rollup.Value{}
	for _, r := range all {
		key := r.key(q.By)
		if !r.measured || q.By != "host" && !r.owned || key == "" || r.at.Before(q.Since) || !r.at.Before(q.Until) {
			continue
		}
		if sums[key] == nil {
			sums[key] = map[int64]*rollup.Value{}
		}
		at := r.at.Unix() - r.at.Unix()%int64(q.Step/time.Second)
		if sums[key][at] == nil {
			sums[key][at] = &rollup.Value{}
		}
		sums[key][at].Merge(rollup.Value{N: 1, Sum: r.cpu, Min: r.cpu, Max: r.cpu})
	}

	out := []query.Series{}
	for _, key := range slices.Sorted(maps.Keys(sums)) {
		one := query.Series{Key: key}
		for _, at := range slices.Sorted(maps.Keys(sums[key])) {
			one.Points = append(one.Points, query.Point{At: time.Unix(at, 0).UTC(), Value: *sums[key][at]})
		}
		out = append(out, one)
	}
	return out
}

// Figures of the host and counts of events are exact at the edges too; a metric that nothing has is an error.
func TestSeriesOfOtherKinds(t *testing.T) {
	s := opened(t, store.Config{},
		`"ts":"2026-01-01T12:00:10Z","kind":"host","memory":{"total_kb":9,"used_kb":3},"classes":[{"class":"low","owned":2}]`,
		`"ts":"2026-01-01T12:00:40Z","kind":"host","memory":{"total_kb":9,"used_kb":5},"classes":[{"class":"low","owned":4}]`,
		`"ts":"2026-01-01T12:00:10Z","kind":"action","container":"aaaa","class":"low","action":"remove","phase":"outcome","outcome":"done","removes":true`,
		`"ts":"2026-01-01T12:00:50Z","kind":"action","container":"bbbb","class":"low","action":"remove","phase":"outcome","outcome":"done","removes":true`)
	since := time.Date(2026, 1, 1, 12, 0, 30, 0, time.UTC)
	for metric, by := range map[string]string{"memory_used_kb": "host", "population": "class", "remove_done": "class"} {
		got, err := query.New(s).Series(t.Context(), query.SeriesQuery{Metric: metric, By: by, Since: since, Until: since.Add(time.Hour), Step: time.Minute})
		if err != nil || len(got) != 1 || len(got[0].Points) != 1 || got[0].Points[0].N != 1 {
			t.Errorf("%s: %+v, %v; want the one value behind the edge", metric, got, err)
		}
	}
	_, err := query.New(s).Series(t.Context(), query.SeriesQuery{Metric: "nope", By: "class", Since: since, Until: since.Add(time.Hour), Step: time.Minute})
	if err == nil {
		t.Error("a metric that nothing has was answered")
	}
}
