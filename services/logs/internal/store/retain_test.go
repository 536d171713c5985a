package store_test

import (
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gestor.local/contract"

	"gestor.local/logs/internal/line"
	"gestor.local/logs/internal/query"
	"gestor.local/logs/internal/rollup"
	"gestor.local/logs/internal/store"
)

// eventually waits for a state that the maintenance goroutine brings about.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within 30 s: %s", what)
		}
	}
}

func appendOne(t *testing.T, s *store.Store, kind contract.Kind, pseq uint64) store.Result {
	t.Helper()
	r, err := s.Append(t.Context(), []line.Record{record(t, kind, pseq)})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// What retention deletes is told with range and count, stays a duplicate for ever, and its numbers are not given again.
func TestRetentionSaysWhatItDeletes(t *testing.T) {
	dir := t.TempDir()
	cfg := store.Config{Dir: dir, MinFree: 1, SegmentBytes: 1, Keep: store.Keep{
		store.Observations: {Age: 100 * 365 * 24 * time.Hour, Bytes: 1500}, store.Events: {Age: 100 * 365 * 24 * time.Hour},
	}}
	s, err := store.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	given := map[uint64]uint64{}
	for pseq := uint64(1); pseq <= 30; pseq++ {
		given[pseq] = appendOne(t, s, contract.KindContainer, pseq).First
	}
	eventually(t, "20 records deleted", func() bool { return s.Counters().Removed.Load() >= 20 })
	left := contents(t, s) // before the events are read: each is written before its deletion
	deleted := map[uint64]bool{}
	err = query.New(s).Scan(t.Context(), contract.Filter{Kinds: []contract.Kind{contract.KindSystem}}, query.Oldest, func(r contract.Record) error {
		b := r.Body.(contract.SystemBody)
		if b.Event == "retention" {
			for seq := b.Details["first_seq"].(float64); seq <= b.Details["last_seq"].(float64); seq++ {
				deleted[uint64(seq)] = true
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for pseq, seq := range given {
		if _, there := left[pseq]; !there && !deleted[seq] {
			t.Errorf("record %d went without a word", seq)
		}
	}
	if len(left) > 10 {
		t.Errorf("%d records are left", len(left))
	}
	head := s.Head()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if s, err = store.Open(cfg); err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for pseq := range uint64(30) {
		if r := appendOne(t, s, contract.KindContainer, pseq+1); r.Duplicates != 1 {
			t.Fatalf("record %d was stored again after it had been deleted", pseq+1)
		}
	}
	if r := appendOne(t, s, contract.KindContainer, 31); r.First <= head {
		t.Errorf("number %d was given again", r.First)
	}
}

// A reader that is slower than retention skips what was deleted before it came there.
func TestRetentionWhileReading(t *testing.T) {
	s, err := store.Open(store.Config{Dir: t.TempDir(), MinFree: 1, SegmentBytes: 1, Keep: store.Keep{
		store.Observations: {Age: 100 * 365 * 24 * time.Hour, Bytes: 1500}, store.Events: {Age: 100 * 365 * 24 * time.Hour},
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	pseq := uint64(0)
	fill := func() {
		for range 30 {
			pseq++
			appendOne(t, s, contract.KindContainer, pseq)
		}
	}
	fill()
	read, most := 0, 0
	err = query.New(s).Scan(t.Context(), contract.Filter{Kinds: []contract.Kind{contract.KindContainer}}, query.Oldest, func(contract.Record) error {
		if read++; read == 1 {
			most = int(pseq - s.Counters().Removed.Load())
			fill()
			eventually(t, "all of before are deleted", func() bool { return s.Counters().Removed.Load() >= 30 })
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if read == 0 || read >= most {
		t.Errorf("%d records were read of at most %d", read, most)
	}
}

// A producer whose records went to both streams is still one range when one stream's are deleted: what is remembered for
// ever must not grow with what was sent.
func TestIdentitiesStayShort(t *testing.T) {
	for _, mode := range []store.Fsync{store.FsyncAlways, store.FsyncNever} {
		cfg := store.Config{Dir: t.TempDir(), MinFree: 1, Fsync: mode, SegmentBytes: 1, Keep: store.Keep{
			store.Observations: {Age: 100 * 365 * 24 * time.Hour, Bytes: 1}, store.Events: {Age: 100 * 365 * 24 * time.Hour},
		}}
		s, err := store.Open(cfg)
		if err != nil {
			t.Fatal(err)
		}
		for pseq := uint64(1); pseq <= 20; pseq++ {
			appendOne(t, s, []contract.Kind{contract.KindContainer, contract.KindDecision}[pseq%2], pseq)
		}
		eventually(t, "10 records deleted", func() bool { return s.Counters().Removed.Load() >= 10 })
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(cfg.Dir + "/records/identities.json")
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(text), `"pseq":[[1,20]]`) {
			t.Errorf("%s: %s", mode, text)
		}
	}
}

func TestRetentionByAge(t *testing.T) {
	var now atomic.Int64
	now.Store(1_700_000_000)
	cfg := store.Config{Dir: t.TempDir(), MinFree: 1, SegmentBytes: 1, Now: func() time.Time { return time.Unix(now.Load(), 0) }}
	s, err := store.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	appendOne(t, s, contract.KindContainer, 1)
	appendOne(t, s, contract.KindSystem, 2)
	eventually(t, "both sealed", func() bool { return s.Counters().Sealed.Load() >= 2 })
	now.Add(8 * 24 * 3600)
	appendOne(t, s, contract.KindContainer, 700_000) // its time is 8 days later
	eventually(t, "the observation deleted", func() bool { return s.Counters().Removed.Load() == 1 })
	if got := contents(t, s); len(got) != 2 || got[2] == 0 || got[700_000] == 0 {
		t.Errorf("left: %v", got)
	}
}

// sums reads every row of the minute roll-ups.
func sums(t *testing.T, s *store.Store) map[rollup.Key]map[string]rollup.Value {
	t.Helper()
	out := map[rollup.Key]map[string]rollup.Value{}
	s.Rollup(0, time.Unix(0, 0), time.Unix(1<<40, 0), func(k rollup.Key, r *rollup.Row) {
		if out[k] == nil {
			out[k] = map[string]rollup.Value{}
		}
		r.Each(func(metric string, v rollup.Value) {
			sum := out[k][metric]
			sum.Merge(v)
			out[k][metric] = sum
		})
	})
	return out
}

// countOf is the number of records in the sums by host.
func countOf(rows map[rollup.Key]map[string]rollup.Value) int {
	n := 0
	for key, row := range rows {
		if key.By == "host" {
			n += int(row["processes"].N)
		}
	}
	return n
}

// Roll-ups say the same while their records arrive, after sealing, after a restart, and when their files were deleted.
func TestRollupsAreDerived(t *testing.T) {
	dir := t.TempDir()
	cfg := store.Config{Dir: dir, MinFree: 1, SegmentBytes: 8 << 10, Keep: store.Keep{
		store.Observations: {Age: 100 * 365 * 24 * time.Hour}, store.Events: {Age: 100 * 365 * 24 * time.Hour},
	}, KeepRollups: [3]time.Duration{1 << 62, 1 << 62, 1 << 62}}
	s, err := store.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	parser := line.NewParser()
	for pseq := uint64(1); pseq <= 300; pseq++ {
		rec := record(t, contract.KindContainer, pseq)
		text := append(append([]byte(`{"v":1,"ts":"`+rec.Time.Format(time.RFC3339)+`",`), rec.Body...), `,"owned":true,"measured":true,"cpu_millicores":`...)
		text = append(text, byte('0'+pseq%10))
		if _, _, err := parser.Next(append(text, `,"class":"low","image":"i"}`...), nil, &rec); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Append(t.Context(), []line.Record{rec}); err != nil {
			t.Fatal(err)
		}
		if n := countOf(sums(t, s)); n != int(pseq) {
			t.Fatalf("the sums hold %d records after %d answers", n, pseq)
		}
	}
	first := sums(t, s)
	if len(first) < 15 {
		t.Fatalf("only %d rows", len(first))
	}
	eventually(t, "sealed", func() bool { return s.Counters().Sealed.Load() >= 3 })
	if diff := cmp.Diff(first, sums(t, s)); diff != "" {
		t.Errorf("after sealing:\n%s", diff)
	}
	for _, remove := range []bool{false, true} {
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if remove {
			if err := os.RemoveAll(filepath.Join(dir, "rollup")); err != nil {
				t.Fatal(err)
			}
		}
		if s, err = store.Open(cfg); err != nil {
			t.Fatal(err)
		}
		eventually(t, "the same sums", func() bool { return cmp.Equal(first, sums(t, s)) })
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

// A weaker mode of syncing says so in every answer, and an orderly stop syncs all the same.
func TestFsyncModesAreHonest(t *testing.T) {
	for _, mode := range []store.Fsync{store.FsyncAlways, store.FsyncInterval, store.FsyncNever} {
		cfg := store.Config{Dir: t.TempDir(), MinFree: 1, Fsync: mode, FsyncEvery: time.Millisecond}
		s, err := store.Open(cfg)
		if err != nil {
			t.Fatal(err)
		}
		if r := appendOne(t, s, contract.KindSystem, 1); r.Durable != (mode == store.FsyncAlways) || (r.Sync > 0) != r.Durable {
			t.Errorf("%s answers durable %v after a sync of %v", mode, r.Durable, r.Sync)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if s, err = store.Open(cfg); err != nil {
			t.Fatal(err)
		}
		if got := contents(t, s); len(got) != 1 {
			t.Errorf("%s: %v after a stop", mode, got)
		}
		s.Close()
	}
}
