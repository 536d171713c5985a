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
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// PrivateEngine is a second Docker engine beside the host's, in a network and a mount namespace of its own, so that a test may
// restart and kill it. Its published ports are reached with Client.
type PrivateEngine struct {
	// Host is what DOCKER_HOST has to be for its clients, Socket the path of its socket.
	Host, Socket string

	dir    string
	driver string
	space  *exec.Cmd // holds the namespaces
	daemon *exec.Cmd
}

// engineReady is how long an engine may take to answer after its start, with containers of an earlier life to end.
const engineReady = 2 * time.Minute

// NewPrivateEngine starts one that has the given images of the host's engine. It skips the test where that cannot be done.
func NewPrivateEngine(t testing.TB, images ...string) *PrivateEngine {
	t.Helper()
	for _, name := range []string{"dockerd", "unshare", "nsenter"} {
		if _, err := exec.LookPath(name); err != nil {
			t.Skipf("a second engine needs %s", name)
		}
	}
	if os.Getuid() != 0 {
		t.Skip("a second engine needs root")
	}
	driver, err := exec.Command("docker", "info", "--format", "{{.Driver}}").Output()
	if err != nil {
		t.Skipf("no Docker engine answers here: %v", err)
	}

	// Not t.TempDir: a socket's path has at most 107 bytes.
	dir, err := os.MkdirTemp("", "gestor-engine-")
	if err != nil {
		t.Fatal(err)
	}
	p := &PrivateEngine{dir: dir, Socket: filepath.Join(dir, "docker.sock"), driver: strings.TrimSpace(string(driver))}
	p.Host = "unix://" + p.Socket
	if err := os.WriteFile(filepath.Join(dir, "daemon.json"), []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	p.space = exec.Command("unshare", "--net", "--mount", "--propagation", "private", "sh", "-c", "ip link set lo up && echo ready && exec sleep infinity")
	out, err := p.space.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.space.Start(); err != nil {
		t.Skipf("namespaces cannot be made here: %v", err)
	}
	t.Cleanup(func() { p.end(t) })
	if n, err := out.Read(make([]byte, 16)); n == 0 {
		t.Skipf("namespaces cannot be made here: %v", err)
	}
	p.Start(t)
	p.load(t, images)
	return p
}

// Start starts the daemon and waits until it answers.
func (p *PrivateEngine) Start(t testing.TB) {
	t.Helper()
	said, err := os.OpenFile(filepath.Join(p.dir, "dockerd.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer said.Close()
	os.Remove(filepath.Join(p.dir, "dockerd.pid")) // a killed one leaves its own
	p.daemon = exec.Command("nsenter", "--target", strconv.Itoa(p.space.Process.Pid), "--net", "--mount", "dockerd",
		"--config-file", filepath.Join(p.dir, "daemon.json"), "--host", p.Host, "--storage-driver", p.driver,
		"--data-root", filepath.Join(p.dir, "root"), "--exec-root", filepath.Join(p.dir, "exec"), "--pidfile", filepath.Join(p.dir, "dockerd.pid"))
	p.daemon.Stdout, p.daemon.Stderr = said, said
	p.daemon.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // a Ctrl-C is for the test, which then ends it in order
	if err := p.daemon.Start(); err != nil {
		t.Fatal(err)
	}
	Eventually(t, engineReady, "the second engine answers", func() error {
		out, err := p.docker("version", "--format", "{{.Server.Version}}").CombinedOutput()
		if err != nil {
			return fmt.Errorf("%w: %s", err, out)
		}
		return nil
	})
}

// Stop ends the daemon as a service manager does, and with it its containers.
func (p *PrivateEngine) Stop(t testing.TB) { p.signal(t, syscall.SIGTERM) }

// Kill ends the daemon alone and at once; its containers go on.
func (p *PrivateEngine) Kill(t testing.TB) { p.signal(t, syscall.SIGKILL) }

func (p *PrivateEngine) signal(t testing.TB, signal syscall.Signal) {
	t.Helper()
	if err := p.daemon.Process.Signal(signal); err != nil { // nsenter has become the daemon
		t.Fatal(err)
	}
	_ = p.daemon.Wait() // its error is the signal
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

// Client reaches what is published by the engine's containers on its own loopback address.
func (p *PrivateEngine) Client() *http.Client {
	return &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			return dialWithin(ctx, p.space.Process.Pid, network, address)
		},
	}}
}

// dialWithin connects in the network namespace of a process. The thread that went there does not come back: it ends with the
// goroutine that keeps it.
func dialWithin(ctx context.Context, pid int, network, address string) (net.Conn, error) {
	type result struct {
		conn net.Conn
		err  error
	}
	done := make(chan result, 1)
	go func() {
		runtime.LockOSThread()
		space, err := os.Open(fmt.Sprintf("/proc/%d/ns/net", pid))
		if err == nil {
			defer space.Close()
			err = unix.Setns(int(space.Fd()), unix.CLONE_NEWNET)
		}
		if err != nil {
			done <- result{err: fmt.Errorf("enter the engine's network: %w", err)}
			return
		}
		conn, err := new(net.Dialer).DialContext(ctx, network, address) // an address, not a name: no other goroutine takes part
		done <- result{conn, err}
	}()
	r := <-done
	return r.conn, r.err
}

func (p *PrivateEngine) docker(arguments ...string) *exec.Cmd {
	return exec.Command("docker", append([]string{"--host", p.Host}, arguments...)...)
}

// load copies images from the host's engine.
func (p *PrivateEngine) load(t testing.TB, images []string) {
	t.Helper()
	if len(images) == 0 {
		return
	}
	save, load := exec.Command("docker", append([]string{"save"}, images...)...), p.docker("load", "--quiet")
	out, err := save.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	load.Stdin = out
	if err := save.Start(); err != nil {
		t.Fatal(err)
	}
	said, loadErr := load.CombinedOutput()
	if err := errors.Join(loadErr, save.Wait()); err != nil {
		t.Skipf("the images %v could not be given to the second engine: %v: %s", images, err, said)
	}
}

// end removes everything: the containers first, then the daemon with its containerd, then the namespaces with their mounts.
func (p *PrivateEngine) end(t testing.TB) {
	if t.Failed() {
		if said, err := os.Open(filepath.Join(p.dir, "dockerd.log")); err == nil {
			_, _ = said.Seek(-4096, io.SeekEnd)
			text, _ := io.ReadAll(said)
			said.Close()
			t.Logf("the second engine said at last:\n%s", text)
		}
	}
	if p.daemon != nil {
		if ids, err := p.docker("ps", "--all", "--quiet").Output(); err == nil && len(ids) > 0 {
			_ = p.docker(append([]string{"rm", "--force", "--volumes"}, strings.Fields(string(ids))...)...).Run()
		}
		_ = p.daemon.Process.Signal(syscall.SIGTERM) // may have ended
		_ = p.daemon.Wait()
	}
	p.killLeft()
	_ = p.space.Process.Kill()
	_ = p.space.Wait()
	if err := os.RemoveAll(p.dir); err != nil {
		t.Errorf("clean up: %v", err)
	}
}

// killLeft kills what a daemon that could not be started again has left: the shims of its containers, which name its folder, and
// the containers' first processes, which are the shims' children.
func (p *PrivateEngine) killLeft() {
	paths, _ := filepath.Glob("/proc/[0-9]*/cmdline") // the pattern is right
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil || !strings.Contains(string(text), p.dir+"/") {
			continue
		}
		proc := filepath.Dir(path)
		children, _ := filepath.Glob(filepath.Join(proc, "task", "*", "children"))
		for _, list := range children {
			ids, _ := os.ReadFile(list) // it may have ended
			for _, id := range strings.Fields(string(ids)) {
				kill(id)
			}
		}
		kill(filepath.Base(proc))
	}
}

func kill(pid string) {
	if n, err := strconv.Atoi(pid); err == nil && n > 1 {
		_ = syscall.Kill(n, syscall.SIGKILL) // it may have ended
	}
}
