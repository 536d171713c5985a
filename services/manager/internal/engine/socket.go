package engine

import (
	"context"
	"path"
	"strings"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/mount"
)

// SocketOnHost is the path of the engine's socket on its host, "" where that cannot be told: it is reached over the network, or through
// something that is mounted from elsewhere. own is the id of the container that this process runs in, "" for none: inside of one the path
// is that of a mount, whose source counts. The operation of its errors is "look".
func (c *Client) SocketOnHost(ctx context.Context, own string) (string, error) {
	api := c.api.Load()
	socket, unix := strings.CutPrefix(api.DaemonHost(), "unix://")
	switch {
	case !unix:
		return "", nil
	case own == "":
		return path.Clean(socket), nil
	}

	raw, err := api.ContainerInspect(ctx, own)
	if err != nil {
		return "", c.wrap("look", own, err)
	}

	return sourceOf(raw.Mounts, socket), nil
}

// sourceOf is where a path of a container lies on its host: the mount nearest to it counts. "" where no folder of the host holds it.
func sourceOf(mounts []container.MountPoint, inside string) (source string) {
	nearest := ""
	for _, m := range mounts {
		at := path.Clean(m.Destination)
		below, holds := strings.CutPrefix(inside+"/", strings.TrimSuffix(at, "/")+"/")
		if m.Type == mount.TypeBind && holds && len(at) >= len(nearest) {
			nearest, source = at, path.Join(m.Source, below)
		}
	}
	return source
}
