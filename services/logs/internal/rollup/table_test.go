package rollup_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"gestor.local/contract"

	"gestor.local/logs/internal/line"
	"gestor.local/logs/internal/rollup"
)

func hostRecord(t *testing.T, pseq uint64, body contract.HostBody) *line.Record {
	t.Helper()
	r := contract.NewRecord(time.Unix(1_700_000_000, 0), 1, contract.SourceProcfs, body)
	r.Host, r.Boot, r.Producer, r.PSeq = "h", "b", "p", pseq
	text, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	rec := &line.Record{}
	if _, _, err := line.NewParser().Next(text, nil, rec); err != nil {
		t.Fatal(err)
	}
	return rec
}

// A tick on which the host could not be read adds no zeros to what was read on the others.
func TestBlindTicksAddNoZeros(t *testing.T) {
	table := rollup.NewTable(time.Minute)
	table.Add(hostRecord(t, 1, contract.HostBody{
		Memory: contract.Memory{TotalKB: 1000, FreeKB: 400, AvailableKB: 500, UsedKB: 500}, GovernedRAMKB: 300, Containers: 7,
		Classes: []contract.ClassCount{{Class: contract.ClassLow, Owned: 3}},
		Timings: contract.Timings{ReadUS: 10, ParseUS: 20, DecideUS: 30, LateUS: 1},
	}))
	table.Add(hostRecord(t, 2, contract.HostBody{Gates: []string{"no_source"}, Timings: contract.Timings{LateUS: 3}}))
	got := map[string]rollup.Value{}
	table.Each(0, 1<<40, func(k rollup.Key, r *rollup.Row) {
		if k.By == rollup.ByHost {
			r.Each(func(metric string, v rollup.Value) { got[metric] = v })
		}
	})
	for metric, n := range map[string]uint64{
		"memory_used_kb": 1, "memory_total_kb": 1, "containers": 1, "governed_ram_kb": 1, "read_us": 1, "parse_us": 1, "decide_us": 1,
		"late_us": 2, "spool_records": 2, "act_us": 0, "sync_us": 0,
	} {
		if got[metric].N != n {
			t.Errorf("%s: %d values, want %d", metric, got[metric].N, n)
		}
	}
}

// The rows of a class and of an image are of what is governed.
func TestOnlyTheGovernedHaveAClass(t *testing.T) {
	table := rollup.NewTable(time.Minute)
	for i, owned := range []bool{true, false} {
		r := contract.NewRecord(time.Unix(1_700_000_000, 0), 1, contract.SourceProcfs, contract.ContainerBody{
			Subject: contract.Subject{Container: "aa", Image: "i", Class: contract.ClassLow}, Measured: true, Owned: owned,
			Measures: contract.Measures{CPUMillicores: 5},
		})
		r.Host, r.Boot, r.Producer, r.PSeq = "h", "b", "p", uint64(i+1)
		text, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		rec := &line.Record{}
		if _, _, err := line.NewParser().Next(text, nil, rec); err != nil {
			t.Fatal(err)
		}
		table.Add(rec)
	}
	want := map[rollup.By]uint64{rollup.ByClass: 1, rollup.ByImage: 1, rollup.ByHost: 2}
	table.Each(0, 1<<40, func(k rollup.Key, r *rollup.Row) {
		r.Each(func(metric string, v rollup.Value) {
			if metric == "cpu_millicores" && v.N != want[k.By] {
				t.Errorf("%s: %d values, want %d", k.By, v.N, want[k.By])
			}
		})
	})
}

// A sum that no longer fits stays at the largest number; it does not begin again at 0.
// A tick under a policy of version 2 has a plan without classes: its figures are summed, and no class has a row.
func TestATickUnderVersion2IsSummed(t *testing.T) {
	table, own := rollup.NewTable(time.Minute), 4
	table.Add(hostRecord(t, 1, contract.HostBody{Own: &own, GovernedRAMKB: 700, Timings: contract.Timings{DecideUS: 9}}))
	got := map[string]uint64{}
	table.Each(0, 1<<40, func(k rollup.Key, r *rollup.Row) {
		if k.By != rollup.ByHost {
			t.Errorf("a row of %s %s", k.By, k.Key)
		}
		r.Each(func(metric string, v rollup.Value) { got[metric] = v.Sum })
	})
	if got["own"] != 4 || got["governed_ram_kb"] != 700 || got["decide_us"] != 9 {
		t.Errorf("%v", got)
	}
}

func TestSumsSaturate(t *testing.T) {
	sum := rollup.Value{}
	for range 3 {
		sum.Merge(rollup.Value{N: math.MaxUint64 / 2, Sum: 1 << 63, Min: 1 << 63, Max: 1 << 63})
	}
	if want := (rollup.Value{N: math.MaxUint64, Sum: math.MaxUint64, Min: 1 << 63, Max: 1 << 63}); sum != want {
		t.Errorf("got %+v, want %+v", sum, want)
	}
}

// containerRecord is a record of a governed container with an image and a class.
func containerRecord(t *testing.T, at int64, image, class string) *line.Record {
	t.Helper()
	text := fmt.Sprintf(`{"v":1,"ts":%q,"kind":"container","host":"h","boot":"b","producer":"p","pseq":1,"container":"c","image":%q,`+
		`"class":%q,"owned":true,"measured":true,"cpu_millicores":2}`, time.Unix(at, 0).UTC().Format(time.RFC3339), image, class)
	rec := &line.Record{}
	if _, _, err := line.NewParser().Next([]byte(text), nil, rec); err != nil {
		t.Fatal(err)
	}
	return rec
}

// totals is the sum of one metric and the number of keys of each dimension.
func totals(table *rollup.Table) (sum map[rollup.By]uint64, keys map[rollup.By]int) {
	sum, seen, keys := map[rollup.By]uint64{}, map[rollup.Key]bool{}, map[rollup.By]int{}
	table.Each(-1<<40, 1<<40, func(k rollup.Key, r *rollup.Row) {
		r.Each(func(metric string, v rollup.Value) {
			if metric == "cpu_millicores" {
				sum[k.By] += v.Sum
			}
		})
		if name := (rollup.Key{By: k.By, Key: k.Key}); !seen[name] {
			seen[name] = true
			keys[k.By]++
		}
	})
	return sum, keys
}

// However many images and classes there are, those that came first have rows of their own, the others are together, nothing
// is missing from the sums, and the table stays small.
func TestKeysWithoutAPlaceAreTogether(t *testing.T) {
	const records = 20_000
	table := rollup.NewTable(time.Minute)
	for i := range records {
		table.Add(containerRecord(t, int64(i*4), fmt.Sprint("image-", i), fmt.Sprint("class-", i)))
	}
	table.Add(containerRecord(t, 0, strings.Repeat("x", 40_000), "class-0"))
	text, err := table.Encode()
	if err != nil {
		t.Fatal(err)
	}
	again, whole := rollup.Decode(time.Minute, bytes.NewReader(text))
	if !whole {
		t.Error("what was written is not whole")
	}
	whole2 := rollup.NewRange(time.Hour)
	again.Each(0, 1<<40, whole2.Merge)
	for name, table := range map[string]*rollup.Table{"added": table, "read": again, "merged": whole2, "wider": table.Coarser(time.Hour)} {
		sum, keys := totals(table)
		for _, by := range []rollup.By{rollup.ByClass, rollup.ByImage, rollup.ByHost} {
			if sum[by] != 2*(records+1) {
				t.Errorf("%s: the sum by %s is %d, want %d", name, by, sum[by], 2*(records+1))
			}
		}
		if keys[rollup.ByImage] != 257 || keys[rollup.ByClass] != 257 || keys[rollup.ByHost] != 1 {
			t.Errorf("%s: keys %v", name, keys)
		}
		if table.Bytes() > 3<<20 {
			t.Errorf("%s: %d bytes", name, table.Bytes())
		}
	}
	if got := table.Folded(); !slices.Equal(got, []rollup.By{rollup.ByClass, rollup.ByImage}) {
		t.Errorf("folded %v", got)
	}
}

// A file of an earlier version, which kept every key, is folded when it is read.
func TestFilesWithManyKeysAreFolded(t *testing.T) {
	var text []byte
	for i := range 5000 {
		text = line.AppendChecksum(text, fmt.Appendf(nil, `{"at":"2026-01-02T03:%02d:00Z","step_s":60,"by":"image","key":"image-%d",`+
			`"metrics":{"cpu_millicores":{"n":1,"sum":2,"min":2,"max":2}}}`, i*60/5000, i))
	}
	table, whole := rollup.Decode(time.Minute, bytes.NewReader(text))
	sum, keys := totals(table)
	if !whole || sum[rollup.ByImage] != 10_000 || keys[rollup.ByImage] != 257 {
		t.Errorf("whole %v, sum %v, keys %v", whole, sum, keys)
	}
}

// A metric is named by an outcome, which is any word: there are few of one row too.
func TestMetricsOfARowAreBounded(t *testing.T) {
	table := rollup.NewTable(time.Minute)
	for i := range 1000 {
		text := fmt.Sprintf(`{"v":1,"ts":"2026-01-02T03:04:05Z","kind":"launch","host":"h","boot":"b","producer":"p","pseq":1,"outcome":"o%d"}`, i)
		rec := &line.Record{}
		if _, _, err := line.NewParser().Next([]byte(text), nil, rec); err != nil {
			t.Fatal(err)
		}
		table.Add(rec)
	}
	metrics, n := 0, uint64(0)
	table.Each(0, 1<<40, func(_ rollup.Key, r *rollup.Row) {
		r.Each(func(_ string, v rollup.Value) { metrics, n = metrics+1, n+v.N })
	})
	if metrics != 65 || n != 1000 {
		t.Errorf("%d metrics with %d values", metrics, n)
	}
}

// A time before 1970 is in the bucket that holds it.
func TestBucketsBeforeTheEpoch(t *testing.T) {
	table := rollup.NewTable(time.Minute)
	table.Add(containerRecord(t, -30, "i", "c"))
	table.Each(-1<<40, 1<<40, func(k rollup.Key, _ *rollup.Row) {
		if k.At != -60 {
			t.Errorf("bucket %d", k.At)
		}
	})
}

// Every metric that a table holds is known by name, and no other.
func TestMetricsAreKnownByName(t *testing.T) {
	table := rollup.NewTable(time.Minute)
	kb, own := uint64(1), 1
	table.Add(hostRecord(t, 1, contract.HostBody{
		Memory: contract.Memory{TotalKB: 1000, CachedKB: &kb}, Own: &own,
		Classes: []contract.ClassCount{{Class: contract.ClassLow, Owned: 3}},
		Timings: contract.Timings{ActUS: 1, SyncUS: 1},
	}))
	table.Add(&line.Record{Kind: contract.KindContainer, Measured: true, Owned: true, Class: "low"})
	table.Add(&line.Record{Kind: contract.KindAction, Action: contract.ActionRemove, Phase: contract.PhaseOutcome, Outcome: "done"})
	table.Add(&line.Record{Kind: contract.KindLaunch, Outcome: "started"})
	held := 0
	table.Each(math.MinInt64, math.MaxInt64, func(_ rollup.Key, r *rollup.Row) {
		r.Each(func(metric string, _ rollup.Value) {
			held++
			if !rollup.Known(metric) {
				t.Errorf("%s is held and not known", metric)
			}
		})
	})
	if held == 0 {
		t.Error("nothing is held")
	}
	for _, metric := range []string{"", "nope", "remove_", "cpu"} {
		if rollup.Known(metric) {
			t.Errorf("%q is known", metric)
		}
	}
}

// A table tells where it begins, also where that is 1970 or before.
func TestSpanAroundTheEpoch(t *testing.T) {
	for name, c := range map[string]struct {
		at       []int64
		from, to int64
	}{
		"none":               {nil, 0, 0},
		"the first minute":   {[]int64{0, 60}, 0, 120},
		"the minute before":  {[]int64{-30}, -60, 0},
		"on both sides":      {[]int64{-30, 30}, -60, 60},
		"an hour of it only": {[]int64{-7200}, -7200, -7140},
	} {
		table := rollup.NewTable(time.Minute)
		for _, at := range c.at {
			table.Add(&line.Record{Kind: contract.KindLaunch, Time: time.Unix(at, 0), Outcome: "started"})
		}
		if from, to := table.Span(); from != c.from || to != c.to {
			t.Errorf("%s: %d to %d, want %d to %d", name, from, to, c.from, c.to)
		}
	}
}
