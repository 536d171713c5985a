package main

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"
)

// checkRuntimes starts a process in the cgroup of each kind of runtime and looks for exactly the containers.
func checkRuntimes(m *machine) error {
	id := containerID
	pod := "/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod0a1b.slice"
	cases := []struct{ path, id, runtime string }{
		{dockerPath(id("systemd driver")), id("systemd driver"), "docker"},
		{"/docker/" + id("cgroupfs driver"), id("cgroupfs driver"), "docker"},
		{"/machine.slice/libpod-" + id("podman") + ".scope/container", id("podman"), "libpod"},
		{pod + "/cri-containerd-" + id("containerd") + ".scope", id("containerd"), "cri-containerd"},
		{pod + "/crio-" + id("crio"), id("crio"), "crio"},
		{"/kubepods/besteffort/pod0a1b-22/" + id("kube cgroupfs"), id("kube cgroupfs"), ""},
		{"/system.slice:docker:" + id("colon"), id("colon"), "docker"},
		{dockerPath(id("outer")) + "/docker/" + id("inner"), id("outer"), "docker"},
		{"/machine.slice/libpod-conmon-" + id("podman") + ".scope", "", ""},
		{"/system.slice/docker.service", "", ""},
		{"/user.slice/" + id("short")[:63], "", ""},
		{"/user.slice/docker-" + id("upper")[:63] + "G.scope", "", ""},
	}
	for _, c := range cases {
		if _, err := m.start(c.path, "sleep"); err != nil {
			return fmt.Errorf("%s: %w", c.path, err)
		}
	}
	if err := load(""); err != nil {
		return err
	}

	snap, err := snapshot()
	if err != nil {
		return err
	}
	want := 0
	for i, c := range cases {
		if c.id == "" {
			continue
		}
		want++
		row, err := find(snap, c.id)
		if err != nil {
			return fmt.Errorf("%s: %w", c.path, err)
		}
		if row.Runtime != c.runtime || row.ProcessCount != 1 || row.Processes[0].PID != m.tasks[i].pid {
			return fmt.Errorf("%s: runtime %q, %d processes", c.path, row.Runtime, row.ProcessCount)
		}
	}
	if snap.ContainerTotal != want {
		return fmt.Errorf("%d containers, want %d", snap.ContainerTotal, want)
	}
	return m.checkCapability(snap.Capabilities.Cgroup, snap.Capabilities.CPUSource)
}

func (m *machine) checkCapability(cgroup int, source string) error {
	want, wantSource := 1, "tasks"
	if m.v2() {
		want, wantSource = 2, "cgroup"
	}
	if cgroup != want || source != wantSource {
		return fmt.Errorf("cgroup %d and cpu_source %s, want %d and %s", cgroup, source, want, wantSource)
	}
	return nil
}

// checkPIDs: cgroup_id is the directory's inode; PIDs are the host's; nspid is 1 for the first process of a namespace.
func checkPIDs(m *machine) error {
	id := containerID("pids")
	plain, err := m.start(dockerPath(id), "sleep")
	if err != nil {
		return err
	}
	inner, err := m.startWith(dockerPath(id), &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWPID}, "sleep")
	if err != nil {
		return err
	}
	if err := load(""); err != nil {
		return err
	}

	row, err := readContainer(id)
	if err != nil {
		return err
	}
	info, err := os.Stat(m.dir(dockerPath(id), "memory"))
	if os.IsNotExist(err) {
		info, err = os.Stat(m.dir(dockerPath(id), "pids"))
	}
	if err != nil {
		return err
	}
	if inode := info.Sys().(*syscall.Stat_t).Ino; row.CgroupID != inode {
		return fmt.Errorf("cgroup_id %d, but the folder's inode is %d", row.CgroupID, inode)
	}
	for pid, nspid := range map[int]int{plain.pid: plain.pid, inner.pid: 1} {
		p, err := findProcess(row, pid)
		if err != nil {
			return err
		}
		if p.NSPID != nspid || p.PPID != os.Getpid() {
			return fmt.Errorf("process %d has nspid %d and ppid %d", pid, p.NSPID, p.PPID)
		}
	}
	return comparePIDs(row.ProcessCount, filepath.Join(m.dir(dockerPath(id), "pids"), "cgroup.procs"))
}

func comparePIDs(count int, file string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	lines := 0
	for _, c := range text {
		if c == '\n' {
			lines++
		}
	}
	if lines != count {
		return fmt.Errorf("%d processes, but cgroup.procs has %d", count, lines)
	}
	return nil
}
