package chart

import (
	"encoding/json"
	"io"
	"testing"

	"gestor.local/contract"
)

// BenchmarkHour is all nine charts of an hour of records (10 containers each 30 s), decoded already.
func BenchmarkHour(b *testing.B) {
	records := anHour()
	b.ReportAllocs()
	for b.Loop() {
		set, err := NewSet(hour(records))
		if err != nil {
			b.Fatal(err)
		}
		for _, r := range records {
			set.Add(r)
		}
		set.Models()
	}
	b.ReportMetric(float64(len(records)), "records")
}

// BenchmarkDecode is what reading the same hour costs before any chart sees it.
func BenchmarkDecode(b *testing.B) {
	var lines [][]byte
	for _, r := range anHour() {
		line, err := json.Marshal(r)
		if err != nil {
			b.Fatal(err)
		}
		lines = append(lines, line)
	}
	b.ReportAllocs()
	for b.Loop() {
		for _, line := range lines {
			var r contract.Record
			if err := json.Unmarshal(line, &r); err != nil {
				b.Fatal(err)
			}
		}
	}
	b.ReportMetric(float64(len(lines)), "records")
}

func BenchmarkOption(b *testing.B) {
	records := anHour()
	for _, m := range benchModels(b, records) {
		b.Run(m.Name, func(b *testing.B) {
			for b.Loop() {
				if _, err := json.Marshal(Option(m, ThemeLight)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkPNG(b *testing.B) {
	records := anHour()
	for _, m := range benchModels(b, records) {
		b.Run(m.Name, func(b *testing.B) {
			w, h := DefaultSize(m)
			for b.Loop() {
				if err := WritePNG(io.Discard, m, ThemeLight, w, h); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func benchModels(b *testing.B, records []contract.Record) []Model {
	b.Helper()
	set, err := NewSet(hour(records))
	if err != nil {
		b.Fatal(err)
	}
	for _, r := range records {
		set.Add(r)
	}
	return set.Models()
}
