package rollup

import (
	"bufio"
	"cmp"
	"encoding/json"
	"io"
	"maps"
	"slices"
	"time"

	"gestor.local/logs/internal/line"
)

// stored is one row as a line of JSON.
type stored struct {
	At      time.Time        `json:"at"`
	StepS   int64            `json:"step_s"`
	By      By               `json:"by"`
	Key     string           `json:"key"`
	Metrics map[string]Value `json:"metrics"`
}

// Encode writes the table as NDJSON, each line with a checksum, ordered by time.
func (t *Table) Encode() ([]byte, error) {
	// In one order, so that a table made again from the same records is the same file.
	keys := slices.SortedFunc(maps.Keys(t.rows), func(a, b Key) int {
		return cmp.Or(cmp.Compare(a.At, b.At), cmp.Compare(a.By, b.By), cmp.Compare(a.Key, b.Key))
	})

	var out []byte
	for _, k := range keys {
		s := stored{time.Unix(k.At, 0).UTC(), int64(t.step / time.Second), k.By, k.Key, map[string]Value{}}
		t.rows[k].Each(func(metric string, v Value) { s.Metrics[metric] = v })
		b, err := json.Marshal(s)
		if err != nil {
			return nil, err
		}
		out = line.AppendChecksum(out, b)
	}
	return out, nil
}

// longestRow bounds a line that Decode reads.
const longestRow = 1 << 20

// Decode reads what Encode wrote, one row in memory at a time: an earlier version wrote as many as there were, which are
// folded here. Of a damaged file the good rows are returned and whole is false: make it again from the records.
func Decode(step time.Duration, from io.Reader) (t *Table, whole bool) {
	t, whole = NewTable(step), true
	rows := bufio.NewScanner(from)
	rows.Buffer(nil, longestRow)

	for rows.Scan() {
		var s stored
		if !line.Check(rows.Bytes()) || json.Unmarshal(rows.Bytes(), &s) != nil || maxKeysOf(s.By) == 0 {
			whole = false
			continue
		}

		r := t.row(s.At.Unix(), s.By, s.Key)
		for metric, v := range s.Metrics {
			if i := line.FigureNumber(metric); i >= 0 {
				r.figures[i].Merge(v)
			} else {
				t.metric(r, metric).Merge(v)
			}
		}
	}

	return t, whole && rows.Err() == nil
}
