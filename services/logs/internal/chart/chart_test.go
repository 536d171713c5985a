package chart

import (
	"math"
	"testing"
	"time"

	"gestor.local/contract"
	"gestor.local/logs/internal/chart/charttest"
)

func epoch() time.Time { return charttest.Epoch() }

func hour(records []contract.Record) Query {
	q := Query{Since: epoch(), Until: epoch().Add(time.Hour)}
	if len(records) > 0 {
		q.Newest = records[len(records)-1].Time
	}
	return q
}

func build(t *testing.T, q Query, records []contract.Record, names ...string) []Model {
	t.Helper()
	set, err := NewSet(q, names...)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range records {
		set.Add(r)
	}
	return set.Models()
}

func one(t *testing.T, q Query, records []contract.Record, name string) Model {
	t.Helper()
	return build(t, q, records, name)[0]
}

func find(t *testing.T, m Model, series string) Series {
	t.Helper()
	for _, p := range m.Panes {
		for _, s := range p.Series {
			if s.Name == series {
				return s
			}
		}
	}
	t.Fatalf("%s has no series %q", m.Name, series)
	return Series{}
}

func anHour() []contract.Record { return charttest.Hour() }

// TestAbsurdNumbersAreWrittenDown: a table has a place for any figure.
func TestAbsurdNumbersAreWrittenDown(t *testing.T) {
	records := charttest.Absurd()
	for _, m := range build(t, hour(records), records) {
		m.Table()
	}
}

func TestEveryChartOfAnHourHasDataAndASummary(t *testing.T) {
	records := anHour()
	for _, m := range build(t, hour(records), records) {
		if !m.HasData() || m.Empty != "" {
			t.Errorf("%s is empty: %q", m.Name, m.Empty)
		}
		if m.Summary == "" {
			t.Errorf("%s has no summary", m.Name)
		}
		checkModel(t, m)
	}
}

// checkModel holds what every model promises, whatever the records.
func checkModel(t *testing.T, m Model) {
	t.Helper()
	for _, p := range m.Panes {
		for _, s := range p.Series {
			if len(s.Points) > MaxPoints+MaxPoints/2 {
				t.Errorf("%s, %s: %d points", m.Name, s.Name, len(s.Points))
			}
			last := math.Inf(-1)
			for _, pt := range s.Points {
				if math.IsNaN(pt.Y) || math.IsInf(pt.Y, 0) || math.IsNaN(pt.X) {
					t.Errorf("%s, %s: %+v is not a number", m.Name, s.Name, pt)
				}
				if p.X.Kind == AxisTime && (s.Kind == KindLine || s.Kind == KindStep) {
					if pt.X <= last {
						t.Errorf("%s, %s: time goes back at %+v", m.Name, s.Name, pt)
					}
					last = pt.X
				}
			}
		}
	}
}

func TestMemoryAddsUpToTheTotal(t *testing.T) {
	records := anHour()
	m := one(t, hour(records), records, "memory")
	used, cache, free := find(t, m, "used"), find(t, m, "cache"), find(t, m, "free")
	if len(used.Points) != 360 {
		t.Fatalf("%d points for 360 ticks", len(used.Points))
	}
	for i := range used.Points {
		if got := used.Points[i].Y + cache.Points[i].Y + free.Points[i].Y; got != 8_000_000*1024 {
			t.Fatalf("point %d adds up to %v", i, got)
		}
	}
}

func TestAMissedTickIsAGap(t *testing.T) {
	run := charttest.Run{Start: epoch(), Length: 10 * time.Minute, Seed: 2, Away: []charttest.Span{{From: 3 * time.Minute, To: 3*time.Minute + 10*time.Second}, {From: 5 * time.Minute, To: 7 * time.Minute}}}
	records := run.Records()
	q := Query{Since: epoch(), Until: epoch().Add(10 * time.Minute), Newest: epoch()}
	gaps := 0
	for _, p := range find(t, one(t, q, records, "memory"), "used").Points {
		if p.Gap {
			gaps++
		}
	}
	if gaps != 2 {
		t.Errorf("%d gaps, want one for the missed tick and one for the restart", gaps)
	}
}

func TestEmptyStoreSaysWhatToDo(t *testing.T) {
	for _, m := range build(t, hour(nil), nil) {
		if m.HasData() || m.Empty == "" {
			t.Errorf("%s: empty text %q", m.Name, m.Empty)
		}
	}
	q := hour(nil)
	q.Newest = epoch().Add(-time.Hour)
	if m := one(t, q, nil, "memory"); m.Empty == one(t, hour(nil), nil, "memory").Empty {
		t.Error("an old record and no record are told apart")
	}
}

func TestOneRecord(t *testing.T) {
	records := anHour()
	for i, r := range records[:40] {
		for _, m := range build(t, hour(records), records[i:i+1]) {
			checkModel(t, m)
			if r.Kind == contract.KindHost && m.Name == "memory" && !m.HasData() {
				t.Error("one host record is one point of memory")
			}
		}
	}
}

func TestAClockThatGoesBackKeepsTimeInOrder(t *testing.T) {
	records := anHour()
	for i := len(records) / 2; i < len(records); i++ {
		records[i].Time = records[i].Time.Add(-20 * time.Minute)
	}
	for _, m := range build(t, hour(records), records) {
		checkModel(t, m)
	}
}

func TestAThousandContainersInAnHour(t *testing.T) {
	records := charttest.Run{Start: epoch(), Length: time.Hour, Seed: 3, Batch: 10}.Records()
	models := build(t, hour(records), records)
	bars := models[3]
	spans := 0
	for _, s := range bars.Panes[0].Series {
		if s.Kind == KindSpan {
			spans += len(s.Points)
		}
	}
	if spans < 600 || spans > maxLives {
		t.Errorf("%d lives drawn of 1200", spans)
	}
	for _, m := range models {
		checkModel(t, m)
		for _, p := range m.Panes {
			if m.Name == "processes" && len(p.Series) != topSeries+1 {
				t.Errorf("%s has %d series, want the top %d and the others", p.Title, len(p.Series), topSeries)
			}
		}
	}
}

func TestOtherIsTheRest(t *testing.T) {
	records := anHour()
	m := one(t, hour(records), records, "processes")
	whole := map[float64]float64{}
	for _, r := range records {
		if b, ok := r.Body.(contract.ContainerBody); ok && b.Measured {
			whole[Millis(r.Time)] += cpuPercent(b.CPUMillicores)
		}
	}
	drawn := map[float64]float64{}
	for _, s := range m.Panes[0].Series {
		for _, p := range s.Points {
			if !p.Gap {
				drawn[p.X] += p.Y
			}
		}
	}
	for x, want := range whole {
		if math.Abs(drawn[x]-want) > 1e-6 {
			t.Fatalf("at %v the lines add up to %v, the records to %v", timeAt(x), drawn[x], want)
		}
	}
}

func TestBucketsKeepExtremesAndAverages(t *testing.T) {
	records := anHour()
	q := hour(records)
	raw := find(t, one(t, q, records, "memory"), "used")
	q.Points = 60
	few := find(t, one(t, q, records, "memory"), "used")
	if len(few.Points) > 60 {
		t.Fatalf("%d points, want at most 60", len(few.Points))
	}
	if *raw.Stat != *few.Stat {
		t.Errorf("merging changed the legend: %+v, %+v", *raw.Stat, *few.Stat)
	}
	most := 0.0
	for _, p := range few.Points {
		most = max(most, p.Max)
		if p.Min > p.Y || p.Y > p.Max {
			t.Errorf("bucket out of order: %+v", p)
		}
	}
	if most != raw.Stat.Max {
		t.Errorf("greatest of the buckets %v, of the readings %v", most, raw.Stat.Max)
	}
}

func TestSelectionLeavesOthersOut(t *testing.T) {
	records := anHour()
	q := hour(records)
	q.Classes = []contract.Class{contract.ClassLow}
	for _, m := range build(t, q, records) {
		for _, p := range m.Panes {
			for _, s := range p.Series {
				if s.Tone == ToneHigh && m.Name != "control" && m.Name != "health" {
					t.Errorf("%s shows %q although only low was asked for", m.Name, s.Name)
				}
			}
		}
	}
}

func TestContainersOfOneNameAreToldApart(t *testing.T) {
	run := charttest.Run{Start: epoch(), Length: 5 * time.Minute, Seed: 9, Name: func(int) string { return "same" }}
	records := run.Records()
	m := one(t, hour(records), records, "processes")
	seen := map[string]bool{}
	for _, s := range m.Panes[0].Series {
		if seen[s.Name] || s.ID != "" && seen[s.ID] {
			t.Errorf("two series %q", s.Name)
		}
		seen[s.Name], seen[s.ID] = true, true
	}
}

func TestOneImageHasOneName(t *testing.T) {
	records := charttest.Run{Start: epoch(), Length: 5 * time.Minute, Seed: 10}.Records()
	for i, r := range records {
		if b, ok := r.Body.(contract.ContainerBody); ok { // as the engine calls it
			b.Image = "gestor/" + b.Image + ":latest"
			records[i].Body = b
		}
	}
	q := hour(records)
	if got := one(t, q, records, "heatmap").Panes[0].Y.Categories; len(got) != 4 {
		t.Errorf("images %v, want four", got)
	}
	q.Images = []string{"gestor/low-idle:latest"}
	if got := one(t, q, records, "heatmap").Panes[0].Y.Categories; len(got) != 1 || got[0] != "low-idle" {
		t.Errorf("selected %v", got)
	}
}
