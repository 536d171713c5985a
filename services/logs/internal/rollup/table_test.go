package rollup_test

import (
	"encoding/json"
	"math"
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
func TestSumsSaturate(t *testing.T) {
	sum := rollup.Value{}
	for range 3 {
		sum.Merge(rollup.Value{N: math.MaxUint64 / 2, Sum: 1 << 63, Min: 1 << 63, Max: 1 << 63})
	}
	if want := (rollup.Value{N: math.MaxUint64, Sum: math.MaxUint64, Min: 1 << 63, Max: 1 << 63}); sum != want {
		t.Errorf("got %+v, want %+v", sum, want)
	}
}
