package plan

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestEveryWindowIsOnDiskBeforeItIsGiven(t *testing.T) {
	m := Windower{
		Seed: 5, Profile: load(t, "seed"), Images: images, Length: time.Minute, For: 210 * time.Second, Dir: t.TempDir(), Run: "r", Retain: 3,
	}
	var all []Start
	for number := 1; ; number++ {
		p, ok, err := m.Next()
		if err != nil {
			t.Fatal(err)
		}
		if !ok {
			break
		}
		f, err := os.Open(m.file(number))
		if err != nil {
			t.Fatal(err)
		}
		kept, err := Read(f)
		_ = f.Close()
		if err != nil || !cmp.Equal(p, kept) {
			t.Errorf("window %d on disk: %v %s", number, err, cmp.Diff(p, kept))
		}
		all = append(all, p.Starts...)
	}
	whole, err := Make(5, m.Profile, images, 0, m.For)
	if err != nil || !slices.Equal(whole.Starts, all) {
		t.Errorf("the windows are not the whole plan (%v)", err)
	}
	left, _ := filepath.Glob(filepath.Join(m.Dir, "*"))
	if len(left) != 3 {
		t.Errorf("%d files were kept, want 3: %v", len(left), left)
	}
}

func TestAWindowThatCannotBeKeptIsNotGiven(t *testing.T) {
	m := Windower{Profile: load(t, "seed"), Images: images, Length: time.Minute, Dir: "/nosuch", Run: "r", Retain: 1}
	if _, _, err := m.Next(); !errors.Is(err, ErrWrite) {
		t.Errorf("%v, want %v", err, ErrWrite)
	}
}
