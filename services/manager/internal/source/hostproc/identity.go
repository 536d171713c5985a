package hostproc

import (
	"slices"
	"strings"

	"github.com/prometheus/procfs"

	"gestor.local/contract"
)

// idDigits is the length of a full container id.
const idDigits = 64

// identity is a container's place in a hierarchy of cgroups.
type identity struct {
	id      string
	runtime string // as the cgroup's name says: docker, libpod, cri-containerd, crio …; "" where it does not
	path    string // from the root of the hierarchy up to and with the component that carries the id
	level   int    // depth of that component; a child of the root has level 1
	// engineManaged says that only the system's manager or an engine makes groups in that place; another one is an
	// engine's with a cgroup-parent of its own, or that of a user who was given a group.
	engineManaged bool
}

// identify finds the outermost path component that names a container: the one that the host's runtime can kill. The
// forms, with the drivers and runtimes that use them:
//
//	/docker/<id>                                              docker, cgroupfs
//	/system.slice/docker-<id>.scope                           docker, systemd
//	/machine.slice/libpod-<id>.scope/container                podman
//	/libpod_parent/libpod-<id>                                podman, cgroupfs
//	/kubepods.slice/…/cri-containerd-<id>.scope               containerd, systemd
//	/kubepods/…/<id>                                          containerd and cri-o, cgroupfs
//	/kubepods-….slice:cri-containerd:<id>                     containerd, cgroupfs below a kubelet that uses systemd
//
// conmon, podman's and cri-o's monitor, has a cgroup of its own whose name carries the id too: it is not the container.
// An id below a service or a scope is no container: whoever was given that group can use any name.
//
// These are the module's rules (kernel-module/pure/cgpath.c): both readers must call the same directory a container
// (docs/adr/0071).
func identify(path string) (identity, bool) {
	path = strings.TrimSuffix(path, " (deleted)")
	i := identity{}
	parent, slices := "", true
	next := 0
	for name := range strings.SplitSeq(path, "/") {
		end := next + len(name)
		next = end + 1
		if name == "" {
			continue
		}

		i.level++
		pod := i.level == 2 && parent == "libpod_parent" && contract.IsContainerID(name) // its containers are libpod-<id>
		if id, runtime, ok := parseComponent(name); ok && !pod {
			if runtime == "" && isBareID(name) && parent == "docker" { // it names its folder after itself
				runtime = parent
			}
			i.id, i.runtime, i.path, i.engineManaged = id, validRuntime(runtime), path[:end], i.engineManaged || slices
			return i, true
		}

		if strings.HasSuffix(name, ".service") || strings.HasSuffix(name, ".scope") {
			return identity{}, false
		}

		slices = slices && strings.HasSuffix(name, ".slice")
		i.engineManaged = i.engineManaged || i.level == 1 && (name == "docker" || name == "kubepods" || name == "libpod_parent")
		parent = name
	}
	return identity{}, false
}

// compare says which of two cgroups with one id is the container, as far as their paths say: less than 0 for i, more
// for the other, 0 where they do not. A place that only engines make groups in comes before any other, the higher
// before the deeper.
func (i identity) compare(other identity) int {
	switch {
	case i.engineManaged == other.engineManaged:
		return i.level - other.level
	case i.engineManaged:
		return -1
	default:
		return 1
	}
}

// less is compare, and where the paths do not decide the directories do, which are in the hierarchy below root: the
// older comes first. An id is drawn by the engine, so nobody else can make a cgroup of that name before it has.
func (i identity) less(other identity, root string) bool {
	if order := i.compare(other); order != 0 {
		return order < 0
	}
	return inode(root+i.path) < inode(root+other.path)
}

// parseComponent splits <id>, <runtime>-<id>, either of them with .scope, or <anything>:<runtime>:<id>.
func parseComponent(name string) (id, runtime string, ok bool) {
	name = strings.TrimSuffix(name, ".scope")
	if len(name) < idDigits {
		return "", "", false
	}

	prefix, id := name[:len(name)-idDigits], name[len(name)-idDigits:]
	if !contract.IsContainerID(id) {
		return "", "", false
	}
	if prefix == "" {
		return id, "", true
	}

	last := prefix[len(prefix)-1]
	prefix = prefix[:len(prefix)-1]
	if last == ':' {
		return id, prefix[strings.LastIndexByte(prefix, ':')+1:], true
	}

	// conmon, the monitor of podman and cri-o, is named after the container that it watches.
	if last != '-' || prefix == "" || strings.HasSuffix(prefix, "conmon") {
		return "", "", false
	}
	return id, prefix, true
}

// isBareID says that a component which names a container is nothing but its id.
func isBareID(name string) bool { return len(strings.TrimSuffix(name, ".scope")) == idDigits }

// validRuntime is a runtime's name; one that is too long or has other characters than names have is left out.
func validRuntime(name string) string {
	const maxLength = 23 // as long as the module's
	if len(name) > maxLength || strings.ContainsFunc(name, notNameRune) {
		return ""
	}
	return name
}

func notNameRune(r rune) bool {
	return !strings.ContainsRune("abcdefghijklmnopqrstuvwxyz0123456789-_.", r)
}

// self is what this process knows of its own container, and of how the paths in /proc begin: in a cgroup namespace of
// its own the paths of others begin with dots, and its own path is the root.
type self struct {
	id string
	// depth is how far this process's cgroup namespace lies below the root of each hierarchy; 0 where paths are
	// absolute.
	depth map[int]int
	// prefix are the first components of the path to it, as far as they are known; complete says that they reach this
	// process's own container. They are the same in every hierarchy.
	prefix   []string
	complete bool
}

// findSelf compares with process 1 of the host, which is in no container: where its path goes upwards, paths are
// relative. Where process 1 cannot be seen, neither can most others, and a snapshot would be empty and look complete.
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

	// Process 1 has the host's paths: what goes up from this namespace in its path is the depth of the namespace.
	deepest := 0
	for _, c := range cgroups {
		up, _ := cutParents(c.Path)
		s.depth[c.HierarchyID] = up
		deepest = max(deepest, up)
	}

	if all, err := mounts(); err == nil { // without it one's own container is missed
		s.id = containerOfMounts(all)
	}

	if deepest > 0 && s.id != "" {
		if own, ok := h.search(func(i identity) bool { return i.id == s.id && i.level <= deepest }); ok {
			s.prefix, s.complete = strings.Split(own.path, "/")[1:], true
		}
	}
	return s, nil
}

// cutParents splits a path into how often it goes up from the root of the cgroup namespace, and the rest.
func cutParents(path string) (up int, rest string) {
	for strings.HasPrefix(path, "/..") && (len(path) == 3 || path[3] == '/') {
		up, path = up+1, path[3:]
	}
	return up, path
}

// absolute is the path from the root of the hierarchy. unknown is how many of its first components are not known: these
// are left out.
func (s self) absolute(c procfs.Cgroup) (path string, unknown int) {
	up, rest := cutParents(c.Path)
	from := s.depth[c.HierarchyID] - up
	switch {
	case from <= 0:
		return rest, 0
	case from <= len(s.prefix):
		return "/" + strings.Join(s.prefix[:from], "/") + rest, 0
	case s.complete: // below this process's own container, whose path is known
		return "/" + strings.Join(s.prefix, "/"), 0
	default:
		return rest, from
	}
}

// OwnContainer is the full id of the container that this process runs in, "" outside of one. The cgroup file does not
// say it under cgroup v2 (it says "0::/"), and a hostname can be chosen.
func OwnContainer() string {
	mounts, err := procfs.GetMounts()
	if err != nil {
		return "" // without /proc it is no container that an engine made
	}
	return containerOfMounts(mounts)
}

// containerOfMounts finds the id in the source of /etc/hostname and the like, which every runtime mounts from the
// container's own folder: /var/lib/docker/containers/<id>/hostname, …/overlay-containers/<id>/userdata/hostname. The
// innermost id counts: an engine that runs in a container itself keeps that folder on a volume, whose name may look
// like an id too.
func containerOfMounts(mounts []*procfs.MountInfo) string {
	for _, m := range mounts {
		switch m.MountPoint {
		case "/etc/hostname", "/etc/hosts", "/etc/resolv.conf":
			if id := innermostID(m.Root); id != "" {
				return id
			}
		}
	}
	return ""
}

// extendPrefix takes a path that was found by its end: what stands before that end is above this process too.
func (s *self) extendPrefix(path, end string) {
	if above := strings.Split(strings.TrimSuffix(path, end), "/")[1:]; len(above) > len(s.prefix) {
		s.prefix = above
	}
}

// innermostID is the last id in a path, "" without one.
func innermostID(path string) string {
	components := strings.Split(path, "/")
	for _, c := range slices.Backward(components) {
		if id, _, ok := parseComponent(c); ok {
			return id
		}
	}
	return ""
}
