package hostproc

import (
	"slices"
	"strings"

	"github.com/prometheus/procfs"
)

// self is the container this process runs in, where its cgroup paths do not tell: in a cgroup namespace of one's own the
// paths of others begin with dots, and one's own is the root.
type self struct {
	id      string
	private map[int]bool // hierarchies whose paths are relative to this process's cgroup
}

// findSelf compares with process 1 of the host, which is in no container: where its path goes upwards, paths are relative.
// Where process 1 cannot be seen, neither can most others, and a snapshot would be empty and look whole.
func findSelf(fs procfs.FS, mounts func() ([]*procfs.MountInfo, error)) (self, error) {
	s := self{private: map[int]bool{}}
	first, err := fs.Proc(1)
	if err != nil {
		return s, err
	}
	cgroups, err := first.Cgroups()
	if err != nil {
		return s, err
	}
	for _, c := range cgroups {
		s.private[c.HierarchyID] = strings.HasPrefix(c.Path, "/..")
	}
	if all, err := mounts(); err == nil { // without it only one's own container is missed
		s.id = idOfMounts(all)
	}
	return s, nil
}

// OwnContainer is the full id of the container that this process runs in, "" outside of one. The cgroup file does not tell
// under cgroup v2 (it says "0::/"), and a hostname can be chosen.
func OwnContainer() string {
	mounts, err := procfs.GetMounts()
	if err != nil {
		return "" // no /proc of one's own: not a container that an engine made
	}
	return idOfMounts(mounts)
}

// idOfMounts finds the id in the source of /etc/hostname and the like, which every runtime mounts from the container's own
// folder: /var/lib/docker/containers/<id>/hostname, …/overlay-containers/<id>/userdata/hostname. The innermost id counts: an
// engine that runs in a container itself keeps that folder on a volume, whose name may look like an id too.
func idOfMounts(mounts []*procfs.MountInfo) string {
	for _, m := range mounts {
		switch m.MountPoint {
		case "/etc/hostname", "/etc/hosts", "/etc/resolv.conf":
			if id := innermost(m.Root); id != "" {
				return id
			}
		}
	}
	return ""
}

// innermost is the last id in a path, "" without one.
func innermost(path string) string {
	components := strings.Split(path, "/")
	for _, c := range slices.Backward(components) {
		if id, _, ok := component(c); ok {
			return id
		}
	}
	return ""
}

// identify finds the container of a process, this process's own included.
func (s self) identify(cgroups []procfs.Cgroup) (identity, bool) {
	if i, ok := identifyProcess(cgroups); ok {
		return i, true
	}
	if s.id == "" || !s.owns(cgroups) {
		return identity{}, false
	}
	return identity{id: s.id, path: "/" + s.id}, true
}

func (s self) owns(cgroups []procfs.Cgroup) (inside bool) {
	for _, c := range cgroups {
		if !s.private[c.HierarchyID] {
			continue
		}
		if strings.HasPrefix(c.Path, "/..") {
			return false
		}
		inside = true
	}
	return inside
}
