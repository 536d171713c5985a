package charttest

import (
	"math"
	"time"

	"gestor.local/contract"
)

// Epoch is the start of every simulated run of a test: a round minute, so that golden labels are readable.
func Epoch() time.Time { return time.Date(2026, 5, 4, 10, 0, 0, 0, time.UTC) }

// Hour are the records of an hour.
func Hour() []contract.Record { return Run{Start: Epoch(), Length: time.Hour, Seed: 1}.Records() }

// Golden is the run of the golden files: a quarter of an hour with a gap of two minutes.
func Golden() Run {
	return Run{Start: Epoch(), Length: 15 * time.Minute, Seed: 5, Away: []Span{{From: 6 * time.Minute, To: 8 * time.Minute}}}
}

// HostileRecords are those of a run whose containers have hostile names.
func HostileRecords(length time.Duration, seed uint64) []contract.Record {
	names := Hostile()
	return Run{Start: Epoch(), Length: length, Seed: seed, Name: func(n int) string { return names[n%len(names)] }}.Records()
}

// Absurd are records with figures that no host has: they are a producer's word, and a chart must survive them.
func Absurd() []contract.Record {
	const huge = math.MaxUint64

	records := Run{Start: Epoch(), Length: 3 * time.Minute, Seed: 12}.Records()
	for i, r := range records {
		switch b := r.Body.(type) {
		case contract.HostBody:
			if i%2 == 0 {
				b.Memory.FreeKB, b.Memory.UsedKB, b.GovernedRAMKB = huge, huge, huge
			}
			b.Classes[0].Owned, b.Classes[1].Owned, b.Classes[1].Quota = math.MaxInt32, -5, math.MaxInt32
			b.Timings = contract.Timings{LateUS: huge, ReadUS: huge, ActUS: huge}
			b.SpoolRecords, b.SkippedTicks = -1, huge
			records[i].Body = b

		case contract.ContainerBody:
			b.CPUMillicores, b.RAMKB, b.AgeUS = huge, uint64(i), huge
			records[i].Body = b

		case contract.ActionBody:
			b.LatencyUS = huge
			records[i].Body = b
		}
	}

	return records
}
