package contract_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"gestor.local/contract"
)

// hostOf makes a document of n containers with ten processes each.
func hostOf(tb testing.TB, n int) []byte {
	tb.Helper()
	var s contract.Snapshot
	if err := json.Unmarshal([]byte(base), &s); err != nil {
		tb.Fatal(err)
	}
	row := s.Containers[0]
	s.Containers, s.ContainerTotal, s.ProcessTotal = nil, n, 10*n
	for i := range n {
		c := row
		c.ID, c.CgroupID, c.ProcessCount, c.ThreadCount, c.Processes = fmt.Sprintf("%064x", i+1), uint64(i), 10, 10, nil
		for k := range 10 {
			p := row.Processes[0]
			p.PID, p.CPUUS, p.Name = 100+10*i+k, uint64(i*k), "stress-ng-cpu"
			c.Processes = append(c.Processes, p)
		}
		s.Containers = append(s.Containers, c)
	}
	doc, err := json.Marshal(s)
	if err != nil {
		tb.Fatal(err)
	}
	return doc
}

func BenchmarkParseSnapshot(b *testing.B) {
	for _, n := range []int{10, 100, 1000} {
		doc := hostOf(b, n)
		b.Run(fmt.Sprintf("containers=%d", n), func(b *testing.B) {
			b.SetBytes(int64(len(doc)))
			b.ReportAllocs()
			for b.Loop() {
				if _, bad, err := contract.ParseSnapshot(doc); err != nil || bad != nil {
					b.Fatal(err, bad)
				}
			}
		})
	}
}

// BenchmarkEncodingJSON is what the same document costs without any of the checks.
func BenchmarkEncodingJSON(b *testing.B) {
	doc := hostOf(b, 1000)
	b.SetBytes(int64(len(doc)))
	b.ReportAllocs()
	for b.Loop() {
		var s contract.Snapshot
		if err := json.Unmarshal(doc, &s); err != nil {
			b.Fatal(err)
		}
	}
}
