package policy2

import (
	"path"
	"slices"
	"strings"

	"gestor.local/contract"
)

// Types of a Mount.
const (
	MountBind   = "bind"
	MountVolume = "volume"
)

// Mount is what an inspection tells of one mount of a container.
type Mount struct {
	Type string
	// Name is the name of a volume, Source the path on the host.
	Name, Source string
	Writable     bool
}

// Anonymous says whether it is a volume that was made without a name. The engine then gives it one of 64 hex digits, as it
// does to a container; one that somebody named so himself is taken for anonymous too. The label com.docker.volume.anonymous,
// which newer engines set, stands in the volume and not in the container's inspection.
func (m Mount) Anonymous() bool { return m.Type == MountVolume && contract.IsContainerID(m.Name) }

// GivesSocket says whether it gives its container the engine's socket: it is the socket, a folder that holds it, or a file that is
// called as one. socket is the path of the engine's socket on the host, "" where it is not known; the places where engines usually have
// theirs count in any case.
func (m Mount) GivesSocket(socket string) bool {
	if m.Source == "" {
		return false // a tmpfs
	}

	source := path.Clean(m.Source)
	if strings.HasSuffix(source, "/docker.sock") || strings.HasSuffix(source, "/podman.sock") {
		return true
	}

	sockets := []string{"/var/run/docker.sock", "/run/docker.sock", "/run/podman/podman.sock", "/var/run/podman/podman.sock"}
	if socket != "" {
		sockets = append(sockets, path.Clean(socket))
	}
	return slices.ContainsFunc(sockets, func(s string) bool {
		return source == s || strings.HasPrefix(s, strings.TrimSuffix(source, "/")+"/")
	})
}

// MountCounts is what the mounts of one container come to.
type MountCounts struct {
	Socket           bool // one gives it the engine's socket, see Mount.GivesSocket
	AnonymousVolumes int  // see Mount.Anonymous
	NamedVolumes     int
	WritableBinds    int
}

// CountMounts counts the mounts of one container. socket is as in Mount.GivesSocket.
func CountMounts(mounts []Mount, socket string) (counts MountCounts) {
	for _, m := range mounts {
		counts.Socket = counts.Socket || m.GivesSocket(socket)
		switch {
		case m.Anonymous():
			counts.AnonymousVolumes++
		case m.Type == MountVolume:
			counts.NamedVolumes++
		case m.Type == MountBind && m.Writable:
			counts.WritableBinds++
		}
	}
	return counts
}
