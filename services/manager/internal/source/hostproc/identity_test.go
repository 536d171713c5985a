package hostproc

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/prometheus/procfs"
	"pgregory.net/rapid"
)

func digits(c string) string { return strings.Repeat(c, idDigits) }

// identifyAsText says what the path means in the words of the module's tests: id, level, place, runtime.
func identifyAsText(path string) string {
	i, ok := identify(path)
	if !ok {
		return ""
	}
	place := "other"
	if i.engineManaged {
		place = "engine"
	}
	return i.id + " " + strconv.Itoa(i.level) + " " + place + " " + i.runtime
}

// moduleTable gives the fields of each line of a table that the module is tested with too.
func moduleTable(t *testing.T, name string) (cases [][]string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(moduleTests, "user", "testdata", "cgroup-"+name+".txt"))
	if err != nil {
		t.Fatal(err)
	}

	for line := range strings.Lines(string(text)) {
		line = strings.NewReplacer("{id}", digits("1"), "{pod}", digits("2")).Replace(strings.TrimSpace(line))
		if line != "" && !strings.HasPrefix(line, "#") {
			cases = append(cases, strings.Fields(line))
		}
	}

	if len(cases) == 0 {
		t.Fatalf("no cases of %s", name)
	}
	return cases
}

func TestIdentify(t *testing.T) {
	for _, c := range moduleTable(t, "paths") {
		if got, want := strings.TrimSpace(identifyAsText(c[0])), strings.Join(c[1:], " "); got != want {
			t.Errorf("%s: %q, want %q", c[0], got, want)
		}
		if got, want := identifyAsText(c[0]+" (deleted)"), identifyAsText(c[0]); got != want {
			t.Errorf("%s, removed: %q, want %q", c[0], got, want)
		}
	}
}

func TestThePathEndsWithTheContainersOwnName(t *testing.T) {
	id := digits("a")
	for path, want := range map[string]string{
		"/docker/" + id + "/init.scope":                    "/docker/" + id,
		"/machine.slice/libpod-" + id + ".scope/container": "/machine.slice/libpod-" + id + ".scope",
		"/docker/" + id + " (deleted)":                     "/docker/" + id,
	} {
		if i, _ := identify(path); i.path != want {
			t.Errorf("%s: %q, want %q", path, i.path, want)
		}
	}
}

func TestCompare(t *testing.T) {
	for _, c := range moduleTable(t, "doubles") {
		a, inA := identify(c[1])
		b, inB := identify(c[2])
		if !inA || !inB {
			t.Fatalf("%v: no containers", c)
		}
		byPath := a.compare(b) < 0 && b.compare(a) > 0
		byAge := a.compare(b) == 0 && b.compare(a) == 0
		if c[0] == "path" && !byPath || c[0] == "age" && !byAge {
			t.Errorf("%v: %d and %d", c, a.compare(b), b.compare(a))
		}
	}
}

// somePath puts a path together from parts that are nearly right.
func somePath(t *rapid.T, label string) string {
	parts := []string{
		"/", "/", "/", "docker", "-", ":", digits("1"), digits("2"), digits("1")[1:], digits("1") + "0", ".scope", "conmon", "libpod",
		"a\xff", "X", "cri-containerd", ".service", ".slice", "kubepods", "libpod_parent", "/docker/", "/a.slice/", "/libpod_parent/",
	}
	return strings.Join(rapid.SliceOfN(rapid.SampledFrom(parts), 0, 12).Draw(t, label), "")
}

// The C code of the module is the other implementation.
func TestBothReadersAgree(t *testing.T) {
	module := startModule(t)
	rapid.Check(t, func(t *rapid.T) {
		a, b := somePath(t, "a"), somePath(t, "b")
		if got, want := identifyAsText(a), module.query('p', a); got != want {
			t.Fatalf("%q: %q, the module says %q", a, got, want)
		}
		i, inA := identify(a)
		j, inB := identify(b)
		want := "none"
		if inA && inB {
			want = [...]string{"first", "equal", "second"}[1+sign(i.compare(j))]
		}

		if got := module.query('o', a+"\n"+b); got != want {
			t.Fatalf("%q, %q: %s, the module says %s", a, b, want, got)
		}
	})
}

func sign(n int) int { return min(max(n, -1), 1) }

func TestTheHierarchyOfTheModuleDecides(t *testing.T) {
	line := func(hierarchy int, controllers, id string) procfs.Cgroup {
		c := procfs.Cgroup{HierarchyID: hierarchy, Controllers: strings.Split(controllers, ","), Path: "/docker/" + id}
		if id == "" {
			c.Path = "/"
		}
		return c
	}

	two, memory, cpuset := digits("2"), digits("a"), digits("c")
	for name, test := range map[string]struct {
		cgroups []procfs.Cgroup
		want    string
		tree    string
	}{
		"v2 first":                         {[]procfs.Cgroup{line(3, "cpuset", cpuset), line(4, "memory", memory), line(0, "", two)}, two, v2},
		"memory before cpuset":             {[]procfs.Cgroup{line(3, "cpuset", cpuset), line(4, "memory", memory), line(0, "", "")}, memory, v1Memory},
		"mounted together":                 {[]procfs.Cgroup{line(3, "cpuset", cpuset), line(4, "net_cls,memory", memory)}, memory, v1Memory},
		"only the first controller":        {[]procfs.Cgroup{line(3, "cpuset", cpuset), line(4, "memory", ""), line(0, "", "")}, "", ""},
		"a kernel without the others":      {[]procfs.Cgroup{line(3, "cpuset", cpuset), line(0, "", "")}, cpuset, "cpuset"},
		"a hierarchy without a controller": {[]procfs.Cgroup{line(0, "", ""), line(9, "name=systemd", two)}, "", ""},
		"a process of the host itself":     {[]procfs.Cgroup{line(4, "memory", ""), line(0, "", "")}, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			w := snapshotBuilder{reader: &Reader{}}
			i, tree, ok := w.identify(test.cgroups)
			if i.id != test.want || tree != test.tree || ok != (test.want != "") {
				t.Errorf("got %q in %q, want %q in %q", i.id, tree, test.want, test.tree)
			}
		})
	}
}

func FuzzIdentify(f *testing.F) {
	f.Add("/docker/" + digits("0"))
	f.Add("/system.slice/docker-" + digits("a") + ".scope/x (deleted)")
	f.Fuzz(func(t *testing.T, path string) {
		got, ok := identify(path)
		if ok && (len(got.id) != idDigits || !strings.Contains(got.path, got.id) || !strings.HasPrefix(path, got.path)) {
			t.Errorf("identify(%q) = %+v", path, got)
		}
	})
}

func TestOwnContainerStandsInTheMounts(t *testing.T) {
	id := strings.Repeat("ab", 32)
	for name, tt := range map[string]struct {
		root, point, want string
	}{
		"docker":                   {"/var/lib/docker/containers/" + id + "/hostname", "/etc/hostname", id},
		"docker without hostname":  {"/var/lib/docker/containers/" + id + "/resolv.conf", "/etc/resolv.conf", id},
		"podman":                   {"/containers/storage/overlay-containers/" + id + "/userdata/hostname", "/etc/hostname", id},
		"docker in docker":         {"/var/lib/docker/volumes/" + strings.Repeat("cd", 32) + "/_data/containers/" + id + "/hostname", "/etc/hostname", id},
		"a host":                   {"/", "/", ""},
		"the id of something else": {"/var/lib/docker/containers/" + id + "/x", "/etc/other", ""},
		"a host's resolver":        {"/run/systemd/resolve/stub-resolv.conf", "/etc/resolv.conf", ""},
	} {
		t.Run(name, func(t *testing.T) {
			mounts := []*procfs.MountInfo{{Root: "/", MountPoint: "/etc"}, {Root: tt.root, MountPoint: tt.point}}
			if got := containerOfMounts(mounts); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}
