package hostproc

import (
	"strings"

	"gestor.local/contract"
)

// idDigits is the length of a full container id.
const idDigits = 64

// identity is a container's place in a cgroup path.
type identity struct {
	id      string
	runtime string // as the cgroup's name says: docker, libpod, cri-containerd, crio …; "" where it does not
	path    string // the path up to and with the component that carries the id
}

// identify finds the outermost path component that names a container: the one that the host's runtime can kill. The
// forms, with the drivers and runtimes that use them:
//
//	/docker/<id>                                              docker, cgroupfs
//	/system.slice/docker-<id>.scope                           docker, systemd
//	/machine.slice/libpod-<id>.scope/container                podman
//	/kubepods.slice/…/cri-containerd-<id>.scope               containerd, systemd
//	/kubepods/…/<id>                                          containerd and cri-o, cgroupfs
//	/system.slice/containerd.service/kubepods-…:cri-containerd:<id>
//	/../<id>, /../../system.slice/docker-<id>.scope           the same, seen from another cgroup namespace
//
// conmon, podman's and cri-o's monitor, has a cgroup of its own whose name carries the id too: it is not the container.
func identify(path string) (identity, bool) {
	path = strings.TrimSuffix(path, " (deleted)")
	for end := 0; end < len(path); {
		start := end + 1
		if end = strings.IndexByte(path[start:], '/'); end < 0 {
			end = len(path)
		} else {
			end += start
		}
		if id, prefix, ok := component(path[start:end]); ok {
			return identity{id: id, runtime: runtimeOf(prefix, path[:start]), path: path[:end]}, true
		}
	}
	return identity{}, false
}

// component splits <id>, <runtime>-<id>[.scope] or <anything>:<runtime>:<id>.
func component(name string) (id, prefix string, ok bool) {
	name = strings.TrimSuffix(name, ".scope")
	if len(name) < idDigits {
		return "", "", false
	}
	prefix, id = name[:len(name)-idDigits], name[len(name)-idDigits:]
	if !contract.IsContainerID(id) {
		return "", "", false
	}
	if prefix == "" {
		return id, "", true
	}
	last := prefix[len(prefix)-1]
	prefix = prefix[:len(prefix)-1]
	if last != ':' && (last != '-' || prefix == "" || strings.HasSuffix(prefix, "conmon")) {
		return "", "", false
	}
	return id, prefix[strings.LastIndexByte(prefix, ':')+1:], true
}

// runtimeOf is the prefix if it is a name. A bare id has its runtime's name only where the runtime named its folder after
// itself.
func runtimeOf(prefix, parent string) string {
	const most = 23 // as long as the module's
	if prefix == "" && strings.HasSuffix(parent, "/docker/") {
		return "docker"
	}
	if len(prefix) > most || strings.ContainsFunc(prefix, notName) {
		return ""
	}
	return prefix
}

func notName(r rune) bool { return !strings.ContainsRune("abcdefghijklmnopqrstuvwxyz0123456789-_.", r) }
