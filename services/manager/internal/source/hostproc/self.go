package hostproc

import (
	"slices"
	"strings"

	"github.com/prometheus/procfs"
)

// self is what this process knows of its own container, and of how the paths in /proc begin: in a cgroup namespace of one's
// own those of others begin with dots, and one's own is the root.
type self struct {
	id string
	// depth is how far this process's cgroup namespace lies below the root of each hierarchy; 0 where paths are whole.
	depth map[int]int
	// above are the first components of the path to it, as far as they are known; inside says that they reach this process's
	// own container. They are the same in every hierarchy.
	above  []string
	inside bool
}

// findSelf compares with process 1 of the host, which is in no container: where its path goes upwards, paths are relative.
// Where process 1 cannot be seen, neither can most others, and a snapshot would be empty and look whole.
func findSelf(fs procfs.FS, mounts func() ([]*procfs.MountInfo, error), h hierarchies) (self, error) {
	s := self{depth: map[int]int{}}
	first, err := fs.Proc(1)
	if err != nil {
		return s, err
	}
	cgroups, err := first.Cgroups()
	if err != nil {
		return s, err
	}
	deepest := 0
	for _, c := range cgroups {
		up, _ := upwards(c.Path)
		s.depth[c.HierarchyID] = up
		deepest = max(deepest, up)
	}
	if all, err := mounts(); err == nil { // without it one's own container is missed
		s.id = idOfMounts(all)
	}
	if deepest > 0 && s.id != "" {
		if own, ok := h.search(func(i identity) bool { return i.id == s.id && i.level <= deepest }); ok {
			s.above, s.inside = strings.Split(own.path, "/")[1:], true
		}
	}
	return s, nil
}

// upwards splits a path into how often it goes up from the root of the cgroup namespace, and the rest.
func upwards(path string) (up int, rest string) {
	for strings.HasPrefix(path, "/..") && (len(path) == 3 || path[3] == '/') {
		up, path = up+1, path[3:]
	}
	return up, path
}

// whole is the path from the root of the hierarchy. unknown is how many of its first components are not known: these are left out.
func (s self) whole(c procfs.Cgroup) (path string, unknown int) {
	up, rest := upwards(c.Path)
	from := s.depth[c.HierarchyID] - up
	switch {
	case from <= 0:
		return rest, 0
	case from <= len(s.above):
		return "/" + strings.Join(s.above[:from], "/") + rest, 0
	case s.inside: // below one's own container, whose path says all
		return "/" + strings.Join(s.above, "/"), 0
	default:
		return rest, from
	}
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

// learn takes a path that was found by the end of it: what stands before that end is above this process too.
func (s *self) learn(path, end string) {
	if above := strings.Split(strings.TrimSuffix(path, end), "/")[1:]; len(above) > len(s.above) {
		s.above = above
	}
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
