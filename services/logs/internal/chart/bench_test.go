package chart

import (
	"encoding/json"
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
