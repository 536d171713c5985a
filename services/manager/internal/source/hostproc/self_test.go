package hostproc

import (
	"strings"
	"testing"

	"github.com/prometheus/procfs"
)

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
			if got := idOfMounts(mounts); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}
