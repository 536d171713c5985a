package chart

import (
	"slices"
	"testing"
	"time"
)

// aMonth is the sums of 30 days by the hour, without the 10th day.
func aMonth() (Query, []Sum) {
	until := epoch().Truncate(time.Hour)
	q := Query{Since: until.Add(-30 * 24 * time.Hour), Until: until, Newest: until, Sums: time.Hour}
	var out []Sum
	for at := q.Since; at.Before(until); at = at.Add(time.Hour) {
		if day := int(at.Sub(q.Since) / (24 * time.Hour)); day == 10 {
			continue
		}
		sum := func(by, key, metric string, n, total, least, most uint64) {
			out = append(out, Sum{At: at, By: by, Key: key, Metric: metric, N: n, Total: total, Min: least, Max: most})
		}
		const ticks = 360
		sum(byHost, "node1", "memory_total_kb", ticks, ticks*8_000_000, 8_000_000, 8_000_000)
		sum(byHost, "node1", "memory_used_kb", ticks, ticks*2_000_000, 1_000_000, 3_000_000)
		sum(byHost, "node1", "memory_free_kb", ticks, ticks*4_000_000, 3_000_000, 5_000_000)
		sum(byHost, "node1", "memory_available_kb", ticks, ticks*6_000_000, 5_000_000, 7_000_000)
		sum(byHost, "node1", "late_us", ticks, ticks*1000, 0, 9000)
		sum(byHost, "node1", "read_us", ticks, ticks*1500, 900, 9000)
		sum(byClass, "low", "population", ticks, ticks*6, 3, 12)
		sum(byClass, "low", "quota", ticks, ticks*3, 3, 3)
		sum(byClass, "low", "remove_done", 500, 500, 1, 1)
		for _, image := range []string{"gestor/low-idle:latest", "low-idle"} { // two names of one image
			sum(byImage, image, "cpu_millicores", ticks, ticks*10, 0, 40)
			sum(byImage, image, "ram_kb", ticks, ticks*1024, 900, 1200)
		}
		sum(byImage, "low-idle", "remove_done", 500, 500, 1, 1)
	}
	return q, out
}

func TestThirtyDaysAreDrawnFromSums(t *testing.T) {
	q, sums := aMonth()
	set, err := NewSet(q, Summable()...)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range sums {
		set.AddSum(s)
	}
	models := map[string]Model{}
	for _, m := range set.Models() {
		if m.Empty != "" || m.Summary == "" {
			t.Errorf("%s: empty %q, summary %q", m.Name, m.Empty, m.Summary)
		}
		checkModel(t, m)
		picture(t, m, ThemeLight, 600, 400)
		models[m.Name] = m
	}
	used := find(t, models["memory"], "used")
	if want := (Stat{Last: 2_000_000 * 1024, Avg: 2_000_000 * 1024, Max: 3_000_000 * 1024, N: 29 * 24 * 360}); *used.Stat != want {
		t.Errorf("memory used %+v, want %+v", *used.Stat, want)
	}
	if gaps := count(used.Points); gaps != 1 {
		t.Errorf("%d gaps, want the 10th day", gaps)
	}
	if cache := find(t, models["memory"], "cache"); cache.Points[0].Y != 2_000_000*1024 {
		t.Errorf("cache %v is not available - free", cache.Points[0].Y)
	}
	if cpu := find(t, models["processes"], "low-idle"); cpu.Points[0].Y != 2 { // 2 × 10 millicores a tick
		t.Errorf("CPU of an image with two names: %v %%, want 2", cpu.Points[0].Y)
	}
}

func count(points []Point) (gaps int) {
	for _, p := range points {
		if p.Gap {
			gaps++
		}
	}
	return gaps
}

func TestSummableChartsAreThoseThatNeedNoSingleRecord(t *testing.T) {
	want := []string{"population", "memory", "processes", "heatmap", "control", "health"}
	if got := Summable(); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
