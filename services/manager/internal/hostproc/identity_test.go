package hostproc

import (
	"strings"
	"testing"

	"github.com/prometheus/procfs"
)

func TestIdentify(t *testing.T) {
	id, other := strings.Repeat("0123456789abcdef", 4), strings.Repeat("f", 64)
	for name, test := range map[string]struct {
		path string
		want identity
		none bool
	}{
		"docker cgroupfs":          {path: "/docker/" + id, want: identity{id, "docker", "/docker/" + id}},
		"docker systemd":           {path: "/system.slice/docker-" + id + ".scope", want: identity{id, "docker", "/system.slice/docker-" + id + ".scope"}},
		"docker in docker":         {path: "/docker/" + id + "/docker/" + other, want: identity{id, "docker", "/docker/" + id}},
		"systemd in a container":   {path: "/docker/" + id + "/init.scope", want: identity{id, "docker", "/docker/" + id}},
		"podman":                   {path: "/machine.slice/libpod-" + id + ".scope/container", want: identity{id, "libpod", "/machine.slice/libpod-" + id + ".scope"}},
		"podman cgroupfs":          {path: "/libpod_parent/" + id, want: identity{id, "", "/libpod_parent/" + id}},
		"podman's monitor":         {path: "/machine.slice/libpod-conmon-" + id + ".scope", none: true},
		"cri-o":                    {path: "/kubepods.slice/kubepods-pod1.slice/crio-" + id + ".scope", want: identity{id, "crio", "/kubepods.slice/kubepods-pod1.slice/crio-" + id + ".scope"}},
		"cri-o's monitor":          {path: "/kubepods.slice/crio-conmon-" + id + ".scope", none: true},
		"containerd systemd":       {path: "/kubepods.slice/cri-containerd-" + id + ".scope", want: identity{id, "cri-containerd", "/kubepods.slice/cri-containerd-" + id + ".scope"}},
		"containerd cgroupfs":      {path: "/kubepods/besteffort/pod-1/" + id, want: identity{id, "", "/kubepods/besteffort/pod-1/" + id}},
		"containerd with colons":   {path: "/system.slice/containerd.service/kubepods-pod1.slice:cri-containerd:" + id, want: identity{id, "cri-containerd", "/system.slice/containerd.service/kubepods-pod1.slice:cri-containerd:" + id}},
		"other namespace":          {path: "/../" + id, want: identity{id, "", "/../" + id}},
		"other namespace, systemd": {path: "/../../system.slice/docker-" + id + ".scope", want: identity{id, "docker", "/../../system.slice/docker-" + id + ".scope"}},
		"removed":                  {path: "/docker/" + id + " (deleted)", want: identity{id, "docker", "/docker/" + id}},
		"host service":             {path: "/system.slice/ssh.service", none: true},
		"root":                     {path: "/", none: true},
		"empty":                    {path: "", none: true},
		"upper case":               {path: "/docker/" + strings.ToUpper(id), none: true},
		"one digit too few":        {path: "/docker/" + id[1:], none: true},
		"one digit too many":       {path: "/docker/0" + id, none: true},
		"nothing before the dash":  {path: "/x/-" + id, none: true},
		"nothing before the colon": {path: "/x/:" + id, want: identity{id, "", "/x/:" + id}},
		"runtime that is no name":  {path: "/x/A b-" + id, want: identity{id, "", "/x/A b-" + id}},
		"runtime of any length":    {path: "/x/" + other + "-" + id, want: identity{id, "", "/x/" + other + "-" + id}},
		"glued to a word":          {path: "/docker/x" + id, none: true},
	} {
		t.Run(name, func(t *testing.T) {
			got, ok := identify(test.path)
			if ok == test.none || got != test.want {
				t.Errorf("identify(%q) = %+v, %v; want %+v", test.path, got, ok, test.want)
			}
		})
	}
}

func TestIdentifyProcessPrefersTheHierarchyOfTheModule(t *testing.T) {
	v2, memory, cpuset := strings.Repeat("2", 64), strings.Repeat("a", 64), strings.Repeat("c", 64)
	named := procfs.Cgroup{HierarchyID: 9, Controllers: []string{"name=systemd"}, Path: "/docker/" + strings.Repeat("9", 64)}
	inCpuset := procfs.Cgroup{HierarchyID: 3, Controllers: []string{"cpuset"}, Path: "/docker/" + cpuset}
	inMemory := procfs.Cgroup{HierarchyID: 4, Controllers: []string{"memory"}, Path: "/docker/" + memory}
	unified := procfs.Cgroup{Path: "/docker/" + v2}
	nowhere := procfs.Cgroup{Path: "/"}
	for name, test := range map[string]struct {
		cgroups []procfs.Cgroup
		want    string
	}{
		"v2 first":                     {[]procfs.Cgroup{named, inCpuset, inMemory, unified}, v2},
		"memory before cpuset":         {[]procfs.Cgroup{named, inCpuset, inMemory, nowhere}, memory},
		"controllers before names":     {[]procfs.Cgroup{named, inCpuset, nowhere}, cpuset},
		"a named hierarchy will do":    {[]procfs.Cgroup{nowhere, named}, named.Path[len("/docker/"):]},
		"a process of the host itself": {[]procfs.Cgroup{nowhere}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			if got, _ := identifyProcess(test.cgroups); got.id != test.want {
				t.Errorf("got %q, want %q", got.id, test.want)
			}
		})
	}
}

func FuzzIdentify(f *testing.F) {
	f.Add("/docker/" + strings.Repeat("0", 64))
	f.Add("/../../system.slice/docker-" + strings.Repeat("a", 64) + ".scope/x (deleted)")
	f.Fuzz(func(t *testing.T, path string) {
		got, ok := identify(path)
		if ok && (len(got.id) != idDigits || !strings.Contains(got.path, got.id) || !strings.HasPrefix(path, got.path)) {
			t.Errorf("identify(%q) = %+v", path, got)
		}
	})
}
