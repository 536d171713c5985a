package engine

import (
	"testing"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/mount"
)

func TestSourceOf(t *testing.T) {
	bind := func(source, destination string) container.MountPoint {
		return container.MountPoint{Type: mount.TypeBind, Source: source, Destination: destination}
	}
	for name, test := range map[string]struct {
		mounts []container.MountPoint
		want   string
	}{
		"the socket":            {[]container.MountPoint{bind("/data", "/data"), bind("/srv/engine.sock", "/run/engine.sock")}, "/srv/engine.sock"},
		"a folder that has it":  {[]container.MountPoint{bind("/srv/run", "/run/")}, "/srv/run/engine.sock"},
		"the nearer one":        {[]container.MountPoint{bind("/a", "/run"), bind("/", "/"), bind("/b/s", "/run/engine.sock")}, "/b/s"},
		"the host's root":       {[]container.MountPoint{bind("/host", "/")}, "/host/run/engine.sock"},
		"a folder of like name": {[]container.MountPoint{bind("/a", "/ru")}, ""},
		"a volume":              {[]container.MountPoint{{Type: mount.TypeVolume, Source: "/volumes/x", Destination: "/run"}}, ""},
		"nothing":               {nil, ""},
	} {
		if got := sourceOf(test.mounts, "/run/engine.sock"); got != test.want {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
}

func TestSocketOnHostOutsideOfAContainer(t *testing.T) {
	for host, want := range map[string]string{"unix:///srv//engine.sock": "/srv/engine.sock", "tcp://127.0.0.1:2375": ""} {
		c, err := Open(host)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := c.SocketOnHost(t.Context(), ""); got != want || err != nil {
			t.Errorf("%s: %q %v, want %q", host, got, err, want)
		}
		c.Close()
	}
}
