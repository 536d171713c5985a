package store_test

import (
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"gestor.local/contract"

	"gestor.local/logs/internal/line"
	"gestor.local/logs/internal/store"
	"gestor.local/wal/disk"
)

func diskConfig(dir string) store.Config {
	return store.Config{Dir: dir, MinFree: 1, SegmentBytes: 20 << 10, Keep: store.Keep{
		store.Observations: {Age: 100 * 365 * 24 * time.Hour}, store.Events: {Age: 100 * 365 * 24 * time.Hour},
	}}
}

// fill makes a store with sealed and active files.
func fill(t *testing.T, dir string, records int) {
	t.Helper()
	s, err := store.Open(diskConfig(dir))
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(1, 1))
	for pseq := 1; pseq <= records; {
		var batch []line.Record
		for range 20 {
			batch = append(batch, record(t, kindOf(rng), uint64(pseq)))
			pseq++
		}
		if _, err := s.Append(t.Context(), batch); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "two files are sealed", func() bool { return s.Counters().Sealed.Load() >= 2 })
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

// damage flips a bit, cuts, or zeroes a piece of one random file.
func damage(t *testing.T, dir string, rng *rand.Rand) string {
	t.Helper()
	var files []string
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() && d.Name() != "LOCK" {
			files = append(files, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	path := files[rng.IntN(len(files))]
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if len(b) == 0 {
		return "nothing"
	}
	at := rng.IntN(len(b))
	how := "flip"
	switch rng.IntN(4) {
	case 0:
		how, b = "cut", b[:at]
	case 1:
		how = "zero"
		clear(b[at:min(at+1+rng.IntN(4096), len(b))])
	case 2:
		how = "remove"
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		return how + " " + path
	default:
		b[at] ^= 1 << rng.IntN(8)
	}
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%s %s at %d", how, path, at)
}

// Whatever happens to one file, the store opens, serves whole records with rising numbers only, takes new ones, and
// loses nothing of the other files.
func TestOneDamagedFileCostsOnlyItself(t *testing.T) {
	pristine := t.TempDir()
	fill(t, pristine, 1000)
	rounds := 60
	if os.Getenv("GESTOR_SOAK") == "1" {
		rounds = 5000
	}
	for round := range rounds {
		rng := rand.New(rand.NewPCG(7, uint64(round)))
		dir := filepath.Join(t.TempDir(), "data")
		if err := os.CopyFS(dir, os.DirFS(pristine)); err != nil {
			t.Fatal(err)
		}
		what := damage(t, dir, rng)
		if report, err := store.Verify(disk.OS{}, dir); err != nil {
			t.Fatalf("round %d, %s: verify: %v", round, what, err)
		} else if report.Files == 0 {
			t.Fatalf("round %d, %s: no file looked at", round, what)
		}
		s, err := store.Open(diskConfig(dir))
		if err != nil {
			t.Fatalf("round %d, %s: %v", round, what, err)
		}
		before := contents(t, s)
		if len(before) < 1000-300 { // the largest file holds less
			t.Errorf("round %d, %s: %d of 1000 records are left", round, what, len(before))
		}
		if _, err := s.Append(t.Context(), []line.Record{record(t, contract.KindSystem, 999_999)}); err != nil {
			t.Errorf("round %d, %s: append: %v", round, what, err)
		}
		if after := contents(t, s); len(after) != len(before)+1 {
			t.Errorf("round %d, %s: %d records, then %d", round, what, len(before), len(after))
		}
		if err := s.Close(); err != nil {
			t.Errorf("round %d, %s: close: %v", round, what, err)
		}
		os.RemoveAll(dir)
		if t.Failed() {
			t.Fatalf("round %d: %s", round, what)
		}
	}
}

// A flipped bit is found by Verify wherever it is in a file of records.
func TestVerifyFindsFlippedBits(t *testing.T) {
	dir := t.TempDir()
	fill(t, dir, 600)
	if report, err := store.Verify(disk.OS{}, dir); err != nil || !report.OK() {
		t.Fatalf("%+v, %v", report, err)
	}
	files, err := filepath.Glob(dir + "/records/*/*.ndjson*")
	if err != nil || len(files) < 3 {
		t.Fatalf("%v %v", files, err)
	}
	rng := rand.New(rand.NewPCG(3, 3))
	for range 100 {
		path := files[rng.IntN(len(files))]
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		at, bit := rng.IntN(len(b)), byte(1)<<rng.IntN(8)
		b[at] ^= bit
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		if report, err := store.Verify(disk.OS{}, dir); err != nil || report.OK() {
			t.Fatalf("bit %d of byte %d of %s: %+v, %v", bit, at, path, report, err)
		}
		b[at] ^= bit
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}
