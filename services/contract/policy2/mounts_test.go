package policy2_test

import (
	"strings"
	"testing"

	"gestor.local/contract/policy2"
)

func TestMountGivesSocket(t *testing.T) {
	for source, want := range map[string]bool{
		"/var/run/docker.sock":                  true,
		"/run/docker.sock":                      true,
		"/run/podman/podman.sock":               true,
		"/run/user/1000/docker.sock":            true,
		"/home/me/podman.sock":                  true,
		"/srv/engine/engine.sock":               true, // the engine of this host
		"/srv/engine":                           true,
		"/srv/engine/":                          true,
		"/srv":                                  true,
		"/var/run":                              true,
		"/var/run/":                             true,
		"/run":                                  true,
		"/run/../run":                           true,
		"/":                                     true,
		"/run/docker":                           false,
		"/running":                              false,
		"/srv/engine/other.sock":                false,
		"/srv/eng":                              false,
		"/var/lib/docker/volumes/a/_data":       false,
		"/etc/docker.sock.d/x":                  false,
		"":                                      false,
		"/var/run/docker.sock.bak":              false,
		"/home/me/.docker/run/docker.sock/../x": false,
	} {
		mounts := []policy2.Mount{{Type: policy2.MountBind, Source: "/etc/hosts"}, {Type: policy2.MountBind, Source: source}}
		if got := policy2.CountMounts(mounts, "/srv/engine/engine.sock").Socket; got != want {
			t.Errorf("%q: %t", source, got)
		}
	}
	if (policy2.Mount{Source: "/srv"}).GivesSocket("") {
		t.Error("nothing says that the engine's socket is in /srv")
	}
}

func TestCountMounts(t *testing.T) {
	hex := strings.Repeat("0f", 32)
	got := policy2.CountMounts([]policy2.Mount{
		{Type: policy2.MountVolume, Name: hex, Source: "/var/lib/docker/volumes/" + hex + "/_data", Writable: true},
		{Type: policy2.MountVolume, Name: strings.ToUpper(hex), Source: "/var/lib/docker/volumes/x/_data"},
		{Type: policy2.MountVolume, Name: "data", Source: "/var/lib/docker/volumes/data/_data", Writable: true},
		{Type: policy2.MountBind, Name: hex, Source: "/srv/data", Writable: true},
		{Type: policy2.MountBind, Source: "/etc/app.conf"},
		{Type: "tmpfs", Writable: true},
		{Type: policy2.MountBind, Source: "/run/docker.sock"},
	}, "")

	want := policy2.MountCounts{Socket: true, AnonymousVolumes: 1, NamedVolumes: 2, WritableBinds: 1}
	if got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}
