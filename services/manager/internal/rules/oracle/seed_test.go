package oracle

import (
	"cmp"
	"slices"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"gestor.local/contract"
)

// process is a row as the original program knew it.
type process struct {
	name               string
	cpu, ram, vsz, rss uint64
}

// seedKills is what the original program did, step by step: sort ascending by the four figures, split in half, move one
// from the high half to the low half if that has fewer than three, keep the first three of the low half and the last
// two of the high half, kill the others.
func seedKills(all []process) []string {
	slices.SortStableFunc(all, func(a, b process) int {
		return cmp.Or(cmp.Compare(a.cpu, b.cpu), cmp.Compare(a.ram, b.ram), cmp.Compare(a.vsz, b.vsz), cmp.Compare(a.rss, b.rss))
	})
	low, high := slices.Clone(all[:len(all)/2]), slices.Clone(all[len(all)/2:])
	if len(low) < 3 && len(high) > 0 {
		low, high = append(low, high[0]), high[1:]
	}

	var kills []string
	for i, p := range low {
		if i >= 3 {
			kills = append(kills, p.name)
		}
	}

	for i, p := range high {
		if i < len(high)-2 {
			kills = append(kills, p.name)
		}
	}

	slices.Sort(kills)
	return kills
}

func TestRankModeIsTheSeedsAlgorithm(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := contract.DefaultPolicy()
		p.Classify, p.Buckets, p.Caps = contract.ClassifyRank, contract.Buckets{CPUMillicores: 1, RAMKB: 1}, contract.Caps{PerTick: 1000, PerMinute: 1000, MaxPlanPercent: 100}
		var boxes []box
		var rows []process

		for n := range rapid.IntRange(0, 79).Draw(t, "containers") {
			// The original program leaves the order of equals to chance, so there are none: n makes every RAM figure another.
			b := box{
				name: "c" + string(rune('0'+n/10)) + string(rune('0'+n%10)), cpu: rapid.Uint64Range(0, 9).Draw(t, "cpu"),
				ram: rapid.Uint64Range(0, 9).Draw(t, "ram")*100 + uint64(n),
			}
			boxes = append(boxes, b)
			rows = append(rows, process{b.name, b.cpu, b.ram, 2 * b.ram, b.ram})
		}

		pop, inv := buildInput(boxes...)
		got := removed(Decide(p, pop, inv, contract.Context{}))
		slices.Sort(got)
		if diff := gocmp.Diff(seedKills(rows), got); diff != "" {
			t.Fatal(diff)
		}
	})
}
