package hostproc

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// grow makes a tree of cgroups.
func grow(t *testing.T, dirs ...string) *tree {
	t.Helper()
	root := t.TempDir()
	for _, dir := range dirs {
		if err := os.MkdirAll(filepath.Join(root, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return newTree(root)
}

func digits(c string) string { return strings.Repeat(c, idDigits) }

func TestFindTriesWhatItKnowsBeforeItSearches(t *testing.T) {
	a, b, c := digits("a"), digits("b"), digits("c")
	tr := grow(t, "system.slice/docker-"+a+".scope", "system.slice/docker-"+b+".scope/init", "deep/in/the/tree/"+c+"/docker/"+a)
	for _, test := range []struct {
		what   string
		path   string
		want   string
		walked uint64 // the reading of the last search
	}{
		{"the path as it is", "/system.slice/docker-" + a + ".scope", "system.slice/docker-" + a + ".scope", 0},
		{"below a parent that is known", "/../docker-" + b + ".scope", "system.slice/docker-" + b + ".scope", 0},
		{"somewhere", "/../../" + c, "deep/in/the/tree/" + c, 2},
	} {
		i, ok := identify(test.path)
		if !ok {
			t.Fatalf("%s: no id", test.path)
		}
		dir, ok := tr.find(i, 2)
		if want := filepath.Join(tr.root, test.want); !ok || dir != want || tr.walked != test.walked {
			t.Errorf("%s: found %q (%v), searched at %d; want %q, %d", test.what, dir, ok, tr.walked, want, test.walked)
		}
	}
}

func TestFindSearchesOncePerReading(t *testing.T) {
	tr := grow(t, "x")
	late := digits("d")
	i, _ := identify("/../" + late)
	if _, ok := tr.find(i, 7); ok || tr.walked != 7 {
		t.Fatalf("found what is not there, or did not search: %d", tr.walked)
	}
	if err := os.MkdirAll(filepath.Join(tr.root, "y", late), 0o755); err != nil {
		t.Fatal(err)
	}
	if _, ok := tr.find(i, 7); ok {
		t.Error("the tree was searched twice in one reading")
	}
	if _, ok := tr.find(i, 8); !ok {
		t.Error("not found in the next reading")
	}
}

func TestForgetKeepsTheLiving(t *testing.T) {
	tr := newTree("/cg")
	for i := range 200 {
		tr.learn(fmt.Sprint(i), fmt.Sprintf("/cg/slice%d/%d", i, i))
	}
	tr.forget(map[string]*container{"7": {}})
	if len(tr.dirs) != 1 || tr.dirs["7"] == "" {
		t.Errorf("%d places are remembered, want 1", len(tr.dirs))
	}
	if len(tr.parents) != 64 || tr.parents[63] != "/cg/slice199" {
		t.Errorf("%d parents, the last is %s", len(tr.parents), tr.parents[len(tr.parents)-1])
	}
}
