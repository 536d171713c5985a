package scenario

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// PrivateEngine is an engine beside the host's, in a network and a mount namespace of its own, so that a test may restart and
// kill it. Its published ports are reached with Client.
type PrivateEngine struct {
	Kind Kind
	// Host is what DOCKER_HOST has to be for its clients, Socket the path of its socket.
	Host, Socket string

	dir    string
	driver string
	groups []string  // parents of engines' cgroups that were there before
	holder *exec.Cmd // holds the namespaces
	daemon *exec.Cmd // nil: it does not run
	closed bool
}

// engineReady is how long an engine may take to answer after its start, with containers of an earlier life to end.
const engineReady = 2 * time.Minute

// NewPrivateEngine starts another daemon of the installed Docker that has the given images of the host's. It skips the test where
// that cannot be done.
func NewPrivateEngine(t testing.TB, images ...string) *PrivateEngine {
	t.Helper()
	p := StartEngine(t, InstalledDocker)
	p.load(t, images)
	return p
}

// StartEngine starts an engine of a kind, without any image. It skips the test where that cannot be done.
func StartEngine(t testing.TB, kind Kind) *PrivateEngine {
	t.Helper()
	for _, name := range kind.tools() {
		if kind.find(name) == "" {
			t.Skipf("the engine %s needs the command %s", kind.Name, name)
		}
	}
	if os.Getuid() != 0 {
		t.Skip("an engine of its own needs root")
	}

	// Not t.TempDir: a socket's path has at most 107 bytes.
	dir, remove, err := TempDir("gestor-engine-")
	if err != nil {
		t.Fatal(err)
	}

	p := &PrivateEngine{Kind: kind, dir: dir, Socket: filepath.Join(dir, "engine.sock"), driver: hostDriver(kind)}
	p.Host = "unix://" + p.Socket
	t.Cleanup(func() {
		p.Close(t)
		if err := remove(); err != nil {
			t.Errorf("clean up: %v", err)
		}
	})

	if err := kind.configure(dir); err != nil {
		t.Fatal(err)
	}
	p.groups = cgroupParents()
	p.makeNamespaces(t)
	p.Start(t)
	return p
}

// hostDriver is the storage driver that the host's engine was given; another daemon of it needs the same, any other kind chooses
// its own.
func hostDriver(kind Kind) string {
	if kind.Podman || kind.Programs != "" {
		return ""
	}
	driver, err := exec.Command("docker", "info", "--format", "{{.Driver}}").Output()
	if err != nil {
		return "" // no engine answers: the daemon chooses
	}
	return strings.TrimSpace(string(driver))
}

// makeNamespaces makes the namespaces. /run and /dev/shm are of its own: engines keep sockets, network namespaces and locks there,
// whatever folders they are given. The folder is a mount, so that every mount namespace made from this one shows whose it is.
func (p *PrivateEngine) makeNamespaces(t testing.TB) {
	t.Helper()
	const script = `ip link set lo up && mount -t tmpfs -o mode=0755 tmpfs /run && mkdir /run/lock &&
		mount -t tmpfs -o mode=1777 tmpfs /dev/shm && mount --bind "$1" "$1" && echo ready && exec sleep infinity`
	p.holder = exec.Command("unshare", "--net", "--mount", "--propagation", "private", "sh", "-c", script, "sh", p.dir)

	out, err := p.holder.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}

	// Before it starts: an interrupt at any moment after that ends it.
	p.register()
	if err := p.holder.Start(); err != nil {
		t.Skipf("namespaces cannot be made here: %v", err)
	}
	if n, err := out.Read(make([]byte, 16)); n == 0 {
		t.Skipf("namespaces cannot be made here: %v", err)
	}
}

// Start starts the daemon and waits until it answers.
func (p *PrivateEngine) Start(t testing.TB) {
	t.Helper()
	said, err := os.OpenFile(filepath.Join(p.dir, "engine.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer said.Close()

	// A killed one leaves its own, and the next would take them for those of an engine that runs.
	for _, name := range []string{"engine.pid", "engine.sock"} {
		_ = os.Remove(filepath.Join(p.dir, name))
	}

	p.daemon = p.inNamespaces([]string{"--net", "--mount"}, p.Kind.daemon(p.dir, p.driver))
	p.daemon.Env = append(p.daemon.Env, "CONTAINERS_CONF="+filepath.Join(p.dir, "containers.conf"))
	p.daemon.Stdout, p.daemon.Stderr = said, said
	p.daemon.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // an interrupt is for the test, which then ends it
	if err := p.daemon.Start(); err != nil {
		t.Fatal(err)
	}
	Eventually(t, engineReady, "the engine answers", p.answers)
}

// answers asks without a docker command, which may be too old for the engine.
func (p *PrivateEngine) answers() error {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", p.Socket)
	}
	client := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DialContext: dial, DisableKeepAlives: true}}
	resp, err := client.Get("http://engine/_ping")
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return errors.New(resp.Status)
	}
	return nil
}

// Stop ends the daemon as a service manager does, and with it the containers of one that does not let them live.
func (p *PrivateEngine) Stop(t testing.TB) { p.signal(t, syscall.SIGTERM) }

// Kill ends the daemon alone and at once; its containers go on.
func (p *PrivateEngine) Kill(t testing.TB) { p.signal(t, syscall.SIGKILL) }

func (p *PrivateEngine) signal(t testing.TB, signal syscall.Signal) {
	t.Helper()
	if err := p.daemon.Process.Signal(signal); err != nil { // nsenter has become the daemon
		t.Fatal(err)
	}
	_ = p.daemon.Wait() // its error is the signal
	p.daemon = nil

	// The kernel ends the containerd of a daemon that dies, a moment later: a new daemon that still sees it waits for it in vain.
	Eventually(t, engineReady, "the engine's containerd has ended", func() error {
		if pid := p.containerd(); pid > 0 && syscall.Kill(pid, 0) == nil {
			return fmt.Errorf("containerd is still there as process %d", pid)
		}
		return nil
	})
}

// containerd is the process of the engine's containerd, 0 when none is known.
func (p *PrivateEngine) containerd() int {
	text, err := os.ReadFile(filepath.Join(p.dir, "exec", "containerd", "containerd.pid"))
	if err != nil {
		return 0
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		return 0
	}
	return pid
}

// Command is a program in the engine's network, with the engine's docker command and address in its environment.
func (p *PrivateEngine) Command(name string, arguments ...string) *exec.Cmd {
	return p.inNamespaces([]string{"--net"}, append([]string{name}, arguments...))
}

// MountCommand is a program in a mount namespace made from the engine's, as a container's first process is in.
func (p *PrivateEngine) MountCommand(name string, arguments ...string) *exec.Cmd {
	line := append([]string{"unshare", "--mount", "--propagation", "private", "--", name}, arguments...)
	return p.inNamespaces([]string{"--mount"}, line)
}

// inNamespaces runs a command line in some of the engine's namespaces. nsenter becomes the command.
func (p *PrivateEngine) inNamespaces(spaces, line []string) *exec.Cmd {
	arguments := append([]string{"--target", strconv.Itoa(p.holder.Process.Pid)}, spaces...)
	cmd := exec.Command("nsenter", append(append(arguments, "--"), line...)...)
	cmd.Env = p.Environment()
	return cmd
}

// Environment leads a docker command, and whatever asks DOCKER_HOST, to the engine.
func (p *PrivateEngine) Environment() []string { return p.Kind.environment("DOCKER_HOST=" + p.Host) }

// Engine is a client of it.
func (p *PrivateEngine) Engine(t testing.TB) *Engine {
	t.Helper()
	return connect(t, p.Host)
}

// Client reaches what is published by the engine's containers on its own loopback address.
func (p *PrivateEngine) Client() *http.Client {
	return &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			return inNetwork(p.holder.Process.Pid, func() (net.Conn, error) {
				return new(net.Dialer).DialContext(ctx, network, address) // an address, not a name: no other goroutine takes part
			})
		},
	}}
}

// load copies images from the host's engine.
func (p *PrivateEngine) load(t testing.TB, images []string) {
	t.Helper()
	if len(images) == 0 {
		return
	}
	save, load := exec.Command("docker", append([]string{"save"}, images...)...), exec.Command("docker", "load", "--quiet")
	load.Env = p.Environment()

	// From one engine into the other without a file between them: images are large.
	out, err := save.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	load.Stdin = out
	if err := save.Start(); err != nil {
		t.Skipf("the host's engine cannot be asked for images: %v", err)
	}

	said, loadErr := load.CombinedOutput()
	if err := errors.Join(loadErr, save.Wait()); err != nil {
		t.Skipf("the images %v could not be given to the second engine: %v: %s", images, err, said)
	}
}

// Close ends the engine with all that it has started, by force: nothing of it is needed any more. Its folder stays until the test's
// end.
func (p *PrivateEngine) Close(t testing.TB) {
	t.Helper()
	if p.closed || p.holder == nil || p.holder.Process == nil {
		return
	}
	p.closed = true
	if t.Failed() {
		p.logTail(t)
	}

	if err := p.endAll(); err != nil {
		t.Error(err)
	}
	for _, own := range []*exec.Cmd{p.daemon, p.holder} {
		if own != nil && own.Process != nil {
			_ = own.Process.Kill() // was killed with the others
			_ = own.Wait()
		}
	}

	openEngines.Lock()
	defer openEngines.Unlock()
	delete(openEngines.engines, p)
}

func (p *PrivateEngine) logTail(t testing.TB) {
	said, err := os.Open(filepath.Join(p.dir, "engine.log"))
	if err != nil {
		return
	}
	defer said.Close()
	_, _ = said.Seek(-4096, io.SeekEnd) // a short one is read from its begin
	text, _ := io.ReadAll(said)
	t.Logf("the engine said at last:\n%s", text)
}
