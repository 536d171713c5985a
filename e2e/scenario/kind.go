package scenario

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// Kind is what a private engine is and how it is started.
type Kind struct {
	// Name is for people.
	Name string
	// Programs is the folder of the engine's programs, before those of the host; "" is the host's alone.
	Programs string
	// Podman: podman's service instead of a dockerd.
	Podman bool
	// Settings are environment variables of the daemon.
	Settings []string
	// LiveRestore lets the containers of a dockerd outlive it. Those of podman always do.
	LiveRestore bool
}

// InstalledDocker is another daemon of the Docker engine that this host has.
var InstalledDocker = Kind{Name: "docker"}

// tools are the commands that starting it takes.
func (k Kind) tools() []string {
	if k.Podman {
		return []string{"podman", "runc", "unshare", "nsenter"}
	}
	return []string{"dockerd", "unshare", "nsenter"}
}

// path is the PATH of the daemon and of a docker command that speaks with it.
func (k Kind) path() string {
	if k.Programs == "" {
		return os.Getenv("PATH")
	}
	return k.Programs + ":" + os.Getenv("PATH")
}

// environment is the process's own with the kind's.
func (k Kind) environment(more ...string) []string {
	own := slices.DeleteFunc(os.Environ(), func(e string) bool {
		return strings.HasPrefix(e, "DOCKER_") || strings.HasPrefix(e, "PATH=")
	})
	return slices.Concat(own, []string{"PATH=" + k.path()}, k.Settings, more)
}

// find is the path of a command for the kind, "" where there is none.
func (k Kind) find(name string) string {
	for _, dir := range filepath.SplitList(k.path()) {
		path := filepath.Join(dir, name)
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
			return path
		}
	}
	return ""
}

// configure writes the files that stand in place of the host's. podman gives containers a million files each, which a host may
// forbid: the service's own limits are theirs.
func (k Kind) configure(dir string) error {
	var files, processes unix.Rlimit
	if err := errors.Join(unix.Getrlimit(unix.RLIMIT_NOFILE, &files), unix.Getrlimit(unix.RLIMIT_NPROC, &processes)); err != nil {
		return err
	}

	limit := func(name string, r unix.Rlimit) string {
		most := min(r.Max, 1<<14)
		return fmt.Sprintf("%s=%d:%d", name, most, most)
	}

	podman := fmt.Sprintf("[containers]\ndefault_ulimits = [%q, %q]\n", limit("nofile", files), limit("nproc", processes))
	return errors.Join(
		os.WriteFile(filepath.Join(dir, "daemon.json"), []byte("{}"), 0o600),
		os.WriteFile(filepath.Join(dir, "containers.conf"), []byte(podman), 0o600),
	)
}

// daemon is the command line of the engine that keeps everything in dir. driver is its storage driver, "" lets it choose.
func (k Kind) daemon(dir, driver string) []string {
	in := func(name string) string { return filepath.Join(dir, name) }
	if k.Podman {
		// crun refuses hybrid cgroups, systemd is not within reach of the engine's own /run.
		line := []string{
			k.find("podman"), "--root", in("root"), "--runroot", in("run"), "--tmpdir", in("tmp"), "--network-config-dir", in("networks"),
			"--runtime", "runc", "--cgroup-manager", "cgroupfs", "--events-backend", "file", "--log-level", "warn",
		}
		return append(line, "system", "service", "--time", "0", "unix://"+in("engine.sock"))
	}

	line := []string{
		k.find("dockerd"), "--config-file", in("daemon.json"), "--host", "unix://" + in("engine.sock"), "--data-root", in("root"),
		"--exec-root", in("exec"), "--pidfile", in("engine.pid"), "--log-level", "warn",
	}

	if driver != "" {
		line = append(line, "--storage-driver", driver)
	}
	if k.LiveRestore {
		line = append(line, "--live-restore")
	}
	return line
}
