package chart

import (
	"slices"
	"testing"
	"time"

	"gestor.local/contract"
)

// aMonth is the sums of 30 days by the hour, without the 10th day.
func aMonth() (Query, []RollupRow) {
	until := epoch().Truncate(time.Hour)
	q := Query{Since: until.Add(-30 * 24 * time.Hour), Until: until, Newest: until, RollupStep: time.Hour}
	var out []RollupRow
	for at := q.Since; at.Before(until); at = at.Add(time.Hour) {
		if day := int(at.Sub(q.Since) / (24 * time.Hour)); day == 10 {
			continue
		}
		sum := func(by, key, metric string, n, total, least, most uint64) {
			out = append(out, RollupRow{At: at, By: by, Key: key, Metric: metric, N: n, Total: total, Min: least, Max: most})
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
		sum(byHost, "node1", "governed_ram_kb", ticks, ticks*5000, 4000, 6000)
		sum(byClass, "high", "population", ticks, ticks*4, 2, 6)
		sum(byClass, "high", "quota", ticks, ticks*2, 2, 2)
		sum(byClass, "high", "remove_done", 70, 70, 1, 1)
		for _, image := range []string{"high-cpu", "shop/web:2"} { // the second is of another policy
			sum(byImage, image, "cpu_millicores", ticks, ticks*900, 0, 990)
			sum(byImage, image, "ram_kb", ticks, ticks*2048, 900, 3000)
		}
		sum(byImage, "high-cpu", "remove_done", 40, 40, 1, 1)
		sum(byImage, "shop/web:2", "remove_done", 30, 30, 1, 1)
		sum(byImage, "low-idle", "remove_done", 500, 500, 1, 1)
	}
	return q, out
}

func TestThirtyDaysAreDrawnFromSums(t *testing.T) {
	q, rows := aMonth()
	set, err := NewSet(q, Summable(q)...)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range rows {
		set.AddRow(s)
	}
	models := map[string]Model{}
	for _, m := range set.Models() {
		if m.Empty != "" || m.Summary == "" {
			t.Errorf("%s: empty %q, summary %q", m.Name, m.Empty, m.Summary)
		}
		checkModel(t, m)
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

// Sums of images do not know a container's class, those of classes and images not its host: what they cannot answer is read
// record by record.
func TestSummableChartsAreThoseThatNeedNoSingleRecord(t *testing.T) {
	low := []contract.Class{contract.ClassLow}
	for name, c := range map[string]struct {
		q    Query
		want []string
	}{
		"all":             {Query{}, []string{"population", "memory", "processes", "heatmap", "control", "health"}},
		"image":           {Query{Images: []string{"web"}}, []string{"population", "memory", "processes", "heatmap", "control", "health"}},
		"class":           {Query{Classes: low}, []string{"population", "memory", "control", "health"}},
		"class and image": {Query{Classes: low, Images: []string{"web"}}, []string{"memory", "control", "health"}},
		"host":            {Query{Hosts: []string{"node1"}}, []string{"memory", "control", "health"}},
	} {
		if got := Summable(c.q); !slices.Equal(got, c.want) {
			t.Errorf("%s: got %v, want %v", name, got, c.want)
		}
	}
}

// fromSums draws a month of a selection.
func fromSums(t *testing.T, change func(*Query)) map[string]Model {
	t.Helper()
	q, rows := aMonth()
	change(&q)
	set, err := NewSet(q, Summable(q)...)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range rows {
		set.AddRow(s)
	}
	models := map[string]Model{}
	for _, m := range set.Models() {
		checkModel(t, m)
		models[m.Name] = m
	}
	return models
}

// TestSumsSayWhatTheyDoNotKnow: where sums cannot answer a selection, the figure is missing and a note says so.
func TestSumsSayWhatTheyDoNotKnow(t *testing.T) {
	classHigh := func(q *Query) { q.Classes = []contract.Class{contract.ClassHigh} }
	imageLow := func(q *Query) { q.Images = []string{"gestor/low-idle:latest"} }
	webHigh := func(q *Query) { classHigh(q); q.Images = []string{"shop/web:2"} }
	const (
		held   = "Over 1 h 30 min only the sums are read: what the selected containers held is drawn for shorter ranges."
		lived  = "Over 1 h 30 min only the sums are read: how many containers of an image lived is drawn for shorter ranges."
		joined = "Over 1 h 30 min only the sums are read: containers are joined by image."
		flow   = "Over 1 h 30 min only the sums are read: what of this selection was started and removed is drawn for shorter ranges."
	)
	for _, tt := range []struct {
		name    string
		change  func(*Query)
		chart   string
		series  []string // those that have points
		notes   []string
		summary string
	}{
		{
			"nothing selected", func(*Query) {}, "memory",
			[]string{"used", "cache", "free", "governed containers", "removed low", "removed high"},
			nil,
			"Of 7.63 GiB the host used 1.91 GiB on average and 2.86 GiB at most, now 1.91 GiB. The governed containers held 4.88 MiB on average and 5.86 MiB at most. 396720 containers were removed.",
		},
		{
			"class", classHigh, "memory",
			[]string{"used", "cache", "free", "removed high"},
			[]string{held},
			"Of 7.63 GiB the host used 1.91 GiB on average and 2.86 GiB at most, now 1.91 GiB. 48720 containers were removed.",
		},
		{
			"class", classHigh, "population",
			[]string{"high", "high removed"},
			nil,
			"Last: 4 high for 2 places (4.0 on average, 6 at most). 0 started, 48720 removed.",
		},
		{
			"image", imageLow, "population",
			[]string{"removed"},
			[]string{lived},
			"Of the selection 0 started, 348000 removed.",
		},
		{
			"image", imageLow, "processes",
			[]string{"low-idle", "low-idle"},
			[]string{joined},
			"1 image. low-idle held most RAM: 2 MiB on average.",
		},
		{
			"class and image of another policy", webHigh, "memory",
			[]string{"used", "cache", "free"},
			[]string{flow, held},
			"Of 7.63 GiB the host used 1.91 GiB on average and 2.86 GiB at most, now 1.91 GiB.",
		},
		{
			"host", func(q *Query) { q.Hosts = []string{"node1"} }, "memory",
			[]string{"used", "cache", "free", "governed containers"},
			[]string{flow},
			"Of 7.63 GiB the host used 1.91 GiB on average and 2.86 GiB at most, now 1.91 GiB. The governed containers held 4.88 MiB on average and 5.86 MiB at most.",
		},
		{
			"another host", func(q *Query) { q.Hosts = []string{"node2"} }, "memory",
			nil,
			[]string{flow},
			"Memory: nothing to show. The sums of these 30 d hold nothing of this selection. Choose a range of at most 1 h 30 min, which is read record by record.",
		},
	} {
		t.Run(tt.name+" "+tt.chart, func(t *testing.T) {
			m := fromSums(t, tt.change)[tt.chart]
			if got := drawn(m); !slices.Equal(got, tt.series) {
				t.Errorf("drawn %q, want %q", got, tt.series)
			}
			if !slices.Equal(m.Notes, tt.notes) {
				t.Errorf("notes %q, want %q", m.Notes, tt.notes)
			}
			if m.Summary != tt.summary {
				t.Errorf("got  %s\nwant %s", m.Summary, tt.summary)
			}
		})
	}
}

func drawn(m Model) (names []string) {
	for _, p := range m.Panes {
		for _, s := range p.Series {
			if len(s.Points) > 0 {
				names = append(names, s.Name)
			}
		}
	}
	return names
}

// TestEvenRemovalsLookEven: ten removals in every sum are the same height in every bucket, whatever the range.
func TestEvenRemovalsLookEven(t *testing.T) {
	for _, tt := range []struct{ span, rows, bucket time.Duration }{
		{2 * time.Hour, time.Minute, time.Minute},
		{20 * time.Hour, time.Minute, 10 * time.Minute},
		{33*time.Hour + 20*time.Minute, time.Minute, 15 * time.Minute},
		{34 * time.Hour, 10 * time.Minute, 30 * time.Minute},
		{40 * time.Hour, 10 * time.Minute, 30 * time.Minute},
		{45 * time.Hour, 10 * time.Minute, 30 * time.Minute},
		{7 * 24 * time.Hour, 10 * time.Minute, time.Hour},
		{14 * 24 * time.Hour, time.Hour, 2 * time.Hour},
		{30 * 24 * time.Hour, time.Hour, 6 * time.Hour},
		{400 * 24 * time.Hour, time.Hour, 72 * time.Hour},
	} {
		t.Run(tt.span.String(), func(t *testing.T) {
			q := Query{Since: epoch(), Until: epoch().Add(tt.span), Newest: epoch(), RollupStep: tt.rows}
			set, err := NewSet(q, "population")
			if err != nil {
				t.Fatal(err)
			}
			for at := q.Since; at.Before(q.Until); at = at.Add(tt.rows) {
				set.AddRow(RollupRow{At: at, By: byClass, Key: "low", Metric: "remove_done", N: 10, Total: 10, Min: 1, Max: 1})
			}
			points := find(t, set.Models()[0], "low removed").Points
			want := -10 * float64(tt.bucket/tt.rows)
			for _, p := range points[:len(points)-1] { // the last may be cut off by the end of the range
				if p.Y != want {
					t.Fatalf("%v in a bucket, want %v", p.Y, want)
				}
			}
		})
	}
}
