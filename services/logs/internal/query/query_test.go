package query_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gestor.local/contract"

	"gestor.local/logs/internal/line"
	"gestor.local/logs/internal/query"
	"gestor.local/logs/internal/store"
)

// wanted is one stored record as a question sees it.
type wanted struct {
	Seq             uint64
	Kind            contract.Kind
	Container, Name string
	Time            time.Time
}

// filled makes a store with sealed files of several groups of blocks each and an active one, and lists what it holds.
func filled(t *testing.T, records int) (*store.Store, []wanted) {
	t.Helper()
	s, err := store.Open(store.Config{Dir: t.TempDir(), MinFree: 1, SegmentBytes: 3 << 20, Keep: store.Keep{
		store.Observations: {Age: 100 * 365 * 24 * time.Hour, Bytes: 1 << 40}, store.Events: {Age: 100 * 365 * 24 * time.Hour, Bytes: 1 << 40},
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	var all []wanted
	parser := line.NewParser()
	for len(all) < records {
		var batch []line.Record
		for range 500 {
			n := len(all) + len(batch)
			kind := []contract.Kind{contract.KindContainer, contract.KindContainer, contract.KindContainer, contract.KindDecision, contract.KindSystem}[n%5]
			text := fmt.Sprintf(`{"v":1,"ts":%q,"kind":%q,"host":"h","boot":"b","producer":"p","pseq":%d,"container":"%012x","name":"n%d","event":"e","command":%q}`,
				time.Unix(1_700_000_000+int64(n/10), 0).UTC().Format(time.RFC3339), kind, n+1, n%23, n, strings.Repeat("x", 200))
			var rec line.Record
			if _, _, err := parser.Next([]byte(text), nil, &rec); err != nil {
				t.Fatal(err)
			}
			batch = append(batch, rec)
		}
		if _, err := s.Append(t.Context(), batch); err != nil {
			t.Fatal(err)
		}
		for _, rec := range batch {
			n := int(rec.PSeq) - 1
			all = append(all, wanted{rec.Seq, rec.Kind, fmt.Sprintf("%012x", n%23), fmt.Sprintf("n%d", n), rec.Time})
		}
	}
	for deadline := time.Now().Add(30 * time.Second); s.Counters().Sealed.Load() < 2; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("nothing is sealed")
		}
	}
	slices.SortFunc(all, func(a, b wanted) int { return int(a.Seq) - int(b.Seq) })
	return s, all
}

// Whatever is asked, in either order and page by page, the answer is that of a list filtered by hand: sealed files give
// no sign of being grouped.
func TestAnswersAreInOrder(t *testing.T) {
	s, all := filled(t, 30_000)
	at := func(n int64) time.Time { return time.Unix(1_700_000_000+n, 0).UTC() }
	engine := query.New(s)
	for name, c := range map[string]struct {
		filter contract.Filter
		pass   func(wanted) bool
	}{
		"all":       {contract.Filter{}, func(wanted) bool { return true }},
		"container": {contract.Filter{Containers: []string{"000000000007"}}, func(w wanted) bool { return w.Container == "000000000007" }},
		"prefix": {
			contract.Filter{Containers: []string{"00000000001", "000000000003"}},
			func(w wanted) bool {
				return strings.HasPrefix(w.Container, "00000000001") || w.Container == "000000000003"
			},
		},
		"nobody": {contract.Filter{Containers: []string{"ffffffffffff"}}, func(wanted) bool { return false }},
		"kind":   {contract.Filter{Kinds: []contract.Kind{contract.KindDecision}}, func(w wanted) bool { return w.Kind == contract.KindDecision }},
		"time": {
			contract.Filter{Since: at(700), Until: at(1900), Kinds: []contract.Kind{contract.KindContainer, contract.KindSystem}},
			func(w wanted) bool {
				return !w.Time.Before(at(700)) && w.Time.Before(at(1900)) && w.Kind != contract.KindDecision
			},
		},
		"text": {contract.Filter{Text: `"n2999`}, func(w wanted) bool { return strings.HasPrefix(w.Name, "n2999") }},
	} {
		t.Run(name, func(t *testing.T) {
			var want []uint64
			for _, w := range all {
				if c.pass(w) {
					want = append(want, w.Seq)
				}
			}
			if diff := cmp.Diff(want, pages(t, engine, query.Query{Filter: c.filter}, 997)); diff != "" {
				t.Errorf("oldest first: %s", diff)
			}
			slices.Reverse(want)
			if diff := cmp.Diff(want, pages(t, engine, query.Query{Filter: c.filter, Order: query.Newest}, 997)); diff != "" {
				t.Errorf("newest first: %s", diff)
			}
		})
	}
}

// pages asks page by page and returns the numbers.
func pages(t *testing.T, engine *query.Engine, q query.Query, size int) (seqs []uint64) {
	t.Helper()
	for {
		n := 0
		err := engine.Lines(t.Context(), q, func(l query.Line) error {
			if !json.Valid(l.JSON) || !bytes.HasPrefix(l.JSON, fmt.Appendf(nil, `{"v":1,"seq":%d,`, l.Seq)) {
				t.Errorf("record %d is %s", l.Seq, l.JSON)
			}
			seqs = append(seqs, l.Seq)
			if n++; n == size {
				return query.ErrStop
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if n < size {
			return seqs
		}
		if last := seqs[len(seqs)-1]; q.Order == query.Newest {
			q.Before = last
		} else {
			q.After = last
		}
	}
}

// One record is found wherever it stands.
func TestGet(t *testing.T) {
	s, all := filled(t, 30_000)
	engine := query.New(s)
	for i := 0; i < len(all); i += 1231 {
		raw, ok, err := engine.Get(t.Context(), all[i].Seq)
		if err != nil || !ok || !bytes.Contains(raw, fmt.Appendf(nil, `"name":%q`, all[i].Name)) {
			t.Errorf("record %d: %s, %v, %v", all[i].Seq, raw, ok, err)
		}
	}
	for _, seq := range []uint64{0, all[len(all)-1].Seq + 1} {
		if raw, ok, err := engine.Get(t.Context(), seq); ok || err != nil {
			t.Errorf("record %d: %s, %v", seq, raw, err)
		}
	}
}
