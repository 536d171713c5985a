package main

import (
	"bufio"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// machine is the guest: its cgroup layout, and what a check has made and must be removed after it.
type machine struct {
	version string // of cgroup: "1", "2", or "hybrid": v1 controllers beside a v2 tree
	groups  []string
	tasks   []*task
}

// task is one process of the workload program.
type task struct {
	cmd   *exec.Cmd
	pid   int
	stdin io.WriteCloser
	out   *bufio.Reader
}

// v1Controllers are mounted each on its own, as distributions did.
var v1Controllers = []string{"memory", "pids", "cpu,cpuacct", "cpuset", "freezer"}

func (m *machine) v2() bool { return m.version == "2" }

func (m *machine) mountCgroups() error {
	const root = "/sys/fs/cgroup"
	if m.v2() {
		if err := unix.Mount("cgroup2", root, "cgroup2", 0, ""); err != nil {
			return fmt.Errorf("mount cgroup2: %w", err)
		}
		return enableControllers(root)
	}

	if err := unix.Mount("tmpfs", root, "tmpfs", 0, ""); err != nil {
		return fmt.Errorf("mount cgroup v1: %w", err)
	}
	for _, controller := range v1Controllers {
		target := filepath.Join(root, controller)
		if err := os.MkdirAll(target, 0o755); err != nil {
			return err
		}
		if err := unix.Mount("cgroup", target, "cgroup", 0, controller); err != nil {
			fmt.Printf("guest: no v1 controller %s: %v\n", controller, err)
			_ = os.Remove(target)
		}
	}

	if m.version == "hybrid" {
		return mountUnified()
	}
	return nil
}

// unified is the v2 tree of a hybrid machine, where systemd has it.
const unified = "/sys/fs/cgroup/unified"

func mountUnified() error {
	if err := os.MkdirAll(unified, 0o755); err != nil {
		return err
	}
	if err := unix.Mount("cgroup2", unified, "cgroup2", 0, ""); err != nil {
		return fmt.Errorf("mount cgroup2 beside v1: %w", err)
	}
	return nil
}

// enableControllers turns on every controller that the cgroup has for its children.
func enableControllers(dir string) error {
	names, err := os.ReadFile(filepath.Join(dir, "cgroup.controllers"))
	if err != nil {
		return err
	}
	for name := range strings.FieldsSeq(string(names)) {
		_ = os.WriteFile(filepath.Join(dir, "cgroup.subtree_control"), []byte("+"+name), 0)
	}
	return nil
}

// hierarchies are the folders in which a cgroup has to be made.
func (m *machine) hierarchies() []string {
	const root = "/sys/fs/cgroup"
	if m.v2() {
		return []string{root}
	}
	dirs, _ := filepath.Glob(root + "/*")
	return dirs
}

// dir is the folder of a cgroup in the hierarchy of a controller.
func (m *machine) dir(path, controller string) string {
	if m.v2() {
		return filepath.Join("/sys/fs/cgroup", path)
	}
	return filepath.Join("/sys/fs/cgroup", controller, path)
}

// makeCgroup makes the cgroup path, parents included, in every hierarchy.
func (m *machine) makeCgroup(path string) error {
	for _, root := range m.hierarchies() {
		dir := root
		parts := strings.Split(strings.Trim(path, "/"), "/")
		for i, part := range parts {
			dir = filepath.Join(dir, part)
			err := os.Mkdir(dir, 0o755)
			if errors.Is(err, os.ErrExist) {
				continue
			}
			if err != nil {
				return fmt.Errorf("make cgroup: %w", err)
			}
			m.groups = append(m.groups, dir)

			if m.v2() && i < len(parts)-1 {
				if err := enableControllers(dir); err != nil {
					return err
				}
			}
			inheritCPUs(dir)
		}
	}
	return nil
}

// inheritCPUs gives a v1 cpuset its parent's CPUs and nodes; without them no task can enter.
func inheritCPUs(dir string) {
	for _, file := range []string{"cpuset.cpus", "cpuset.mems"} {
		if text, err := os.ReadFile(filepath.Join(filepath.Dir(dir), file)); err == nil {
			_ = os.WriteFile(filepath.Join(dir, file), text, 0)
		}
	}
}

// joinCgroup moves a process into a cgroup.
func (m *machine) joinCgroup(path string, pid int) error {
	for _, root := range m.hierarchies() {
		file := filepath.Join(root, path, "cgroup.procs")
		if err := os.WriteFile(file, []byte(strconv.Itoa(pid)), 0); err != nil {
			return fmt.Errorf("enter cgroup: %w", err)
		}
	}
	return nil
}

// start runs the workload in a cgroup and returns when it has set itself up.
func (m *machine) start(path string, args ...string) (*task, error) {
	return m.startWith(path, nil, args...)
}

func (m *machine) startWith(path string, attr *syscall.SysProcAttr, args ...string) (*task, error) {
	if err := m.makeCgroup(path); err != nil {
		return nil, err
	}

	cmd := exec.Command("/workload", args...)
	cmd.Env = append(os.Environ(), "GESTOR_WAIT=1")
	cmd.SysProcAttr = attr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start workload: %w", err)
	}

	// It waits for a line until it is in its cgroup: what it does from then on is charged there.
	t := &task{cmd: cmd, pid: cmd.Process.Pid, stdin: stdin, out: bufio.NewReader(stdout)}
	m.tasks = append(m.tasks, t)
	if err := m.joinCgroup(path, t.pid); err != nil {
		return nil, err
	}
	if _, err := io.WriteString(stdin, "go\n"); err != nil {
		return nil, err
	}

	if len(args) > 0 && args[0] == "rename" {
		return t, nil
	}
	return t, t.await()
}

// await waits for the workload's "ready".
func (t *task) await() error {
	line, err := t.out.ReadString('\n')
	if err != nil || line != "ready\n" {
		return fmt.Errorf("workload %d: said %q: %w", t.pid, line, err)
	}
	return nil
}

// kill ends the task and reaps it.
func (t *task) kill() {
	_ = t.cmd.Process.Kill()
	_, _ = io.Copy(io.Discard, t.out)
	_ = t.cmd.Wait()
}

// killAll ends every task that the check has started.
func (m *machine) killAll() {
	for _, t := range m.tasks {
		t.kill()
	}
	m.tasks = nil
}

// cleanup unloads the module and removes tasks and cgroups.
func (m *machine) cleanup() error {
	err := unload()
	m.killAll()
	for i := len(m.groups) - 1; i >= 0; i-- {
		removeGroup(m.groups[i])
	}
	m.groups = nil
	return err
}

// removeGroup retries for a moment: the last process may still be on its way out.
func removeGroup(dir string) {
	for range 100 {
		err := unix.Rmdir(dir)
		if err == nil || errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENOTEMPTY) {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// containerID is a made-up id that is different for each name.
func containerID(name string) string {
	return fmt.Sprintf("%x", sha256.Sum256([]byte(name)))
}

// dockerPath is where the engine puts a container with the systemd driver.
func dockerPath(id string) string { return "/system.slice/docker-" + id + ".scope" }
