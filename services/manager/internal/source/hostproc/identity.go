package hostproc

import (
	"strings"

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
	// engines says that only the system's manager or an engine makes groups in that place; another one is an engine's with a
	// cgroup-parent of its own, or that of a user who was given a group.
	engines bool
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
// conmon, podman's and cri-o's monitor, has a cgroup of its own whose name carries the id too: it is not the container. An
// id below a service or a scope is no container: whoever was given that group can use any name.
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
		if id, runtime, ok := component(name); ok && !pod {
			if runtime == "" && bare(name) && parent == "docker" { // it names its folder after itself
				runtime = parent
			}
			i.id, i.runtime, i.path, i.engines = id, runtimeName(runtime), path[:end], i.engines || slices
			return i, true
		}

		if strings.HasSuffix(name, ".service") || strings.HasSuffix(name, ".scope") {
			return identity{}, false
		}

		slices = slices && strings.HasSuffix(name, ".slice")
		i.engines = i.engines || i.level == 1 && (name == "docker" || name == "kubepods" || name == "libpod_parent")
		parent = name
	}
	return identity{}, false
}

// order says which of two cgroups with one id is the container, as far as their paths tell: less than 0 for i, more for the
// other, 0 where they do not. A place that only engines make groups in comes before any other, the higher before the deeper.
func (i identity) order(other identity) int {
	switch {
	case i.engines == other.engines:
		return i.level - other.level
	case i.engines:
		return -1
	default:
		return 1
	}
}

// before is order with a second look at the directories, which are in the hierarchy below root: where the paths do not tell
// the older comes first. An id is drawn by the engine, so nobody else can make a cgroup of that name before it has.
func (i identity) before(other identity, root string) bool {
	if order := i.order(other); order != 0 {
		return order < 0
	}
	return inode(root+i.path) < inode(root+other.path)
}

// component splits <id>, <runtime>-<id>, either of them with .scope, or <anything>:<runtime>:<id>.
func component(name string) (id, runtime string, ok bool) {
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
	if last != '-' || prefix == "" || strings.HasSuffix(prefix, "conmon") {
		return "", "", false
	}
	return id, prefix, true
}

// bare says that a component which names a container is nothing but its id.
func bare(name string) bool { return len(strings.TrimSuffix(name, ".scope")) == idDigits }

// runtimeName is a runtime's name; one that is too long or has other characters than names have stays unsaid.
func runtimeName(name string) string {
	const most = 23 // as long as the module's
	if len(name) > most || strings.ContainsFunc(name, notName) {
		return ""
	}
	return name
}

func notName(r rune) bool { return !strings.ContainsRune("abcdefghijklmnopqrstuvwxyz0123456789-_.", r) }
