package containers

import (
	"strings"
	"testing"
)

// Labels are anybody's text: whatever stands in the table, only whole lines with a full id are read.
func FuzzParse(f *testing.F) {
	f.Add(id + "\tgestor\tr1\t7\thigh\thigh-cpu\t1700000000\towner\trunning\tname\n")
	f.Add("1500000000\tdie\t" + id + "\t137\n")
	f.Add(id + "\t\t\t-1\t\t\t99999999999999999999\t\t\t\n\t\n")
	f.Fuzz(func(t *testing.T, table string) {
		found := parseList(table)
		if len(found) > strings.Count(table, "\n")+1 {
			t.Errorf("%d containers in %d lines", len(found), strings.Count(table, "\n")+1)
		}
		for _, c := range found {
			if len(c.ID) != 64 {
				t.Errorf("id %q", c.ID)
			}
		}
		if e, ok := parseEvent(table); ok && len(e.ID) != 64 {
			t.Errorf("event of %q", e.ID)
		}
	})
}
