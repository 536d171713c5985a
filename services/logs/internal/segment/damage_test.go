package segment_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"

	"gestor.local/logs/internal/line"
	"gestor.local/logs/internal/segment"
	"gestor.local/wal/disk"
)

// reopened closes a segment, has its plain file changed and recovers it.
func reopened(t *testing.T, s *segment.Segment, in string, change func([]byte)) *segment.Segment {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(in, s.Name()+segment.ActiveExt)
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	change(b)
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	first := s.Summary().First
	if s, err = segment.Recover(disk.OS{}, in, first, segment.NewCache(), in+"/aside", func(*line.Record) {}); err != nil {
		t.Fatal(err)
	}
	return s
}

// A bad line at the beginning of a block is put aside too.
func TestFirstLineBadIsQuarantined(t *testing.T) {
	in := t.TempDir()
	var want []byte
	s := reopened(t, filled(t, disk.OS{}, in, 100), in, func(b []byte) {
		b[20] ^= 1
		want = append(want, b[:bytes.IndexByte(b, '\n')+1]...)
	})
	if err := s.Seal(in+"/aside", time.Now()); err != nil {
		t.Fatal(err)
	}
	if bad, err := os.ReadFile(in + "/aside/" + s.Name() + ".bad"); err != nil || !bytes.Equal(bad, want) {
		t.Errorf("kept %q, %v, want %q", bad, err, want)
	}
}

// The number of a damaged line counts as given, also in a file without a good one.
func TestNumberOfTheOnlyLineIsClaimed(t *testing.T) {
	in := t.TempDir()
	s, err := segment.Create(disk.OS{}, in, 500_001, segment.NewCache())
	if err != nil {
		t.Fatal(err)
	}
	rec := &line.Record{}
	if _, _, err := line.NewParser().Next([]byte(`{"v":1,"ts":"2026-01-02T03:04:05Z","kind":"system","host":"h","boot":"b","producer":"p","pseq":1,"event":"e"}`), nil, rec); err != nil {
		t.Fatal(err)
	}
	rec.Seq = 500_001
	text := rec.AppendTo(nil, rec.Seq, line.Now(rec.Time))
	if err := s.Append(text); err != nil {
		t.Fatal(err)
	}
	s.Publish([]*line.Record{rec}, []int{len(text)})
	s = reopened(t, s, in, func(b []byte) { b[len(b)-30] ^= 1 })
	defer s.Close()
	if s.Summary().Records != 0 || s.Claimed() != 500_001 {
		t.Errorf("%d records, claimed %d", s.Summary().Records, s.Claimed())
	}
}

// An index may be deleted at any time.
func TestDeletedIndexIsMadeAgain(t *testing.T) {
	in := t.TempDir()
	s := filled(t, disk.OS{}, in, 100)
	if err := s.Seal(in+"/aside", time.Now()); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(in + "/" + s.Name() + segment.IndexExt); err != nil {
		t.Fatal(err)
	}
	n := 0
	if err := s.Each(func(*line.Record) { n++ }); err != nil || n != 100 {
		t.Errorf("%d records, %v", n, err)
	}
}

// A sealed file that lost its end says so at every start, and the numbers in it stay given.
func TestShortenedFileIsDamage(t *testing.T) {
	in := t.TempDir()
	s := filled(t, disk.OS{}, in, 5000)
	if err := s.Seal(in+"/aside", time.Now()); err != nil {
		t.Fatal(err)
	}
	path := in + "/" + s.Name() + segment.SealedExt
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	members := bytes.LastIndex(b, b[:8]) // the beginning of the last member
	if err := os.WriteFile(path, b[:members], 0o600); err != nil || members <= 0 {
		t.Fatal(members, err)
	}
	for range 2 {
		again, err := segment.OpenSealed(disk.OS{}, in, s.Summary().First, segment.NewCache())
		if err != nil {
			t.Fatal(err)
		}
		if bad := again.Bad(); bad.Lines == 0 || bad.Bytes == 0 || again.Claimed() != 5000 {
			t.Errorf("damage %+v, claimed %d", bad, again.Claimed())
		}
		if who, err := again.Producers(); err != nil || len(who) != 1 || !who[0].Ranges.Has(5000) {
			t.Errorf("producers %+v, %v", who, err)
		}
	}
}
