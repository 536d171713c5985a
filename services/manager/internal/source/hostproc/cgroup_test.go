package hostproc

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/prometheus/procfs"
)

// makeCgroups makes a host with cgroup v2 and these groups in it.
func makeCgroups(t *testing.T, dirs ...string) hierarchies {
	t.Helper()
	root := t.TempDir()
	for _, dir := range dirs {
		if err := os.MkdirAll(filepath.Join(root, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return hierarchies{version: 2, roots: map[string]string{v2: root}}
}

// The name of a container may be found in many places: those that a user may have made are not the container's.
func TestSearchGoesByRankNotByName(t *testing.T) {
	a := digits("a")
	h := makeCgroups(t, "alice/"+a, "alice/deep/docker-"+a+".scope", "user.slice/user@1.service/docker/"+a, "docker/"+a, "docker/"+a+"/docker/"+a)
	for name, test := range map[string]struct {
		will func(identity) bool
		want string
	}{
		"an engine's own place": {func(i identity) bool { return i.id == a }, "/docker/" + a},
		"as deep as it is":      {func(i identity) bool { return i.id == a && i.level == 3 }, "/alice/deep/docker-" + a + ".scope"},
		"nothing":               {func(i identity) bool { return i.id == digits("b") }, ""},
	} {
		if i, ok := h.search(test.will); i.path != test.want || ok != (test.want != "") {
			t.Errorf("%s: %q, want %q", name, i.path, test.want)
		}
	}
}

func TestPathsOfAnotherNamespaceAreMadeAbsolute(t *testing.T) {
	own := []string{"system.slice", "docker-x.scope"}
	for name, test := range map[string]struct {
		self    self
		path    string
		want    string
		unknown int
	}{
		"no namespace":                   {self{}, "/docker/1", "/docker/1", 0},
		"from the root":                  {self{depth: map[int]int{0: 2}}, "/../../docker/1", "/docker/1", 0},
		"one's neighbour":                {self{depth: map[int]int{0: 2}, prefix: own, complete: true}, "/../docker-y.scope", "/system.slice/docker-y.scope", 0},
		"one's own":                      {self{depth: map[int]int{0: 2}, prefix: own, complete: true}, "/", "/system.slice/docker-x.scope/", 0},
		"below one's own":                {self{depth: map[int]int{0: 3}, prefix: own, complete: true}, "/init", "/system.slice/docker-x.scope", 0},
		"the root itself":                {self{depth: map[int]int{0: 2}, prefix: own, complete: true}, "/../..", "", 0},
		"where one's own is not known":   {self{depth: map[int]int{0: 2}}, "/../docker-y.scope", "/docker-y.scope", 1},
		"where only its parent is known": {self{depth: map[int]int{0: 3}, prefix: own[:1]}, "/../docker-y.scope", "/docker-y.scope", 2},
		"a name that begins with dots":   {self{depth: map[int]int{0: 1}}, "/../..x/1", "/..x/1", 0},
	} {
		t.Run(name, func(t *testing.T) {
			path, unknown := test.self.absolute(procfs.Cgroup{Path: test.path})
			if path != test.want || unknown != test.unknown {
				t.Errorf("%q, %d unknown; want %q, %d", path, unknown, test.want, test.unknown)
			}
		})
	}
}

// What a search finds for one path holds for every other: the hierarchies are searched once.
func TestOneSearchIsEnough(t *testing.T) {
	a, b, late := digits("a"), digits("b"), digits("c")
	h := makeCgroups(t, "alice/"+a, "ci/"+b, "ci/"+a)
	w := snapshotBuilder{reader: &Reader{cgroups: h, self: self{depth: map[int]int{0: 2}}}, unlocated: map[string]bool{}}
	line := func(id string) procfs.Cgroup { return procfs.Cgroup{Path: "/../" + id} }

	if _, ok := w.locate(line(late)); ok || !w.searched || !w.unlocated[late] {
		t.Fatal("found what is not there, or did not search")
	}
	if _, ok := w.locate(line(b)); ok {
		t.Error("the trees were searched twice in one reading")
	}
	w.searched = false
	for _, id := range []string{b, a} {
		if i, ok := w.locate(line(id)); !ok || i.path != "/ci/"+id {
			t.Errorf("%.1s is at %q, want in /ci", id, i.path)
		}
	}

	if w.searched {
		t.Error("searched for what is known")
	}
}
