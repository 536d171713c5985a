package line

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gestor.local/contract/policy2"
	"gestor.local/manager/internal/rules"
)

// FuzzReadFacts: whatever stands in a line, it is refused, or taken over as something that can be written and read again.
func FuzzReadFacts(f *testing.F) {
	table := NewTable()
	facts := rules.Facts{Tick: 1, BootUS: 1, Containers: []rules.Container{{
		Identity: &policy2.Identity{ID: "a", Labels: map[string]string{"a": "1"}, Networks: policy2.Known([]string{"front"})},
		State:    "running", CPUUS: policy2.Known[uint64](1), CPUTotalUS: policy2.Known[uint64](1), NetBootUS: 1,
	}, {Identity: &policy2.Identity{ID: "b"}}}}
	f.Add(append(table.AppendFacts([]byte("{"), &facts, 1), '}'))
	facts.Tick, facts.Containers = 2, slices.Clone(facts.Containers[:1])
	facts.Containers[0].RAMKB = policy2.Known[uint64](5)
	f.Add(append(table.AppendFacts([]byte("{"), &facts, 1), '}'))
	f.Add([]byte(`{"facts":1,"sequence":1,"boot_us":1,"rows":null,"births":[{"n":0,"id":"x","labels":null,"networks":null}]}`))

	f.Fuzz(func(t *testing.T, text []byte) {
		table := NewTable()
		const first = `{"facts":0,"sequence":0,"boot_us":0,"births":[{"n":0,"id":"a","cpu_total_us":1},{"n":1,"id":"b"}]}`
		if err := table.ReadFacts([]byte(first)); err != nil {
			t.Fatal(err)
		}
		if table.ReadFacts(text) != nil {
			return
		}

		again := NewTable()
		all := append(table.AppendAll([]byte("{")), '}')
		if err := again.ReadFacts(all); err != nil {
			t.Fatalf("%v\n%s", err, all)
		}
		if diff := cmp.Diff(asWritten(Labels{}, table.Facts()), asWritten(Labels{}, again.Facts())); diff != "" {
			t.Fatal(diff)
		}
	})
}
