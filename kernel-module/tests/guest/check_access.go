package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// helper is what this program does when it is started again with arguments, as another user or in other namespaces.
func helper(args []string) int {
	var err error
	switch args[0] {
	case "read":
		_, err = snapshotOf(args[1])
	case "namespace":
		err = insideNamespace()
	default:
		err = fmt.Errorf("no such helper: %s", args[0])
	}
	if err == nil {
		return 0
	}
	fmt.Println(err)
	switch {
	case errors.Is(err, unix.EACCES), errors.Is(err, unix.EPERM):
		return 13
	}
	return 1
}

// insideNamespace runs in a PID and mount namespace of its own, as root of a container does.
func insideNamespace() error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil && !errors.Is(err, unix.EINVAL) {
		return err
	}
	for _, dir := range []string{"/tmp/own", "/tmp/host"} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
	}
	if err := unix.Mount("proc", "/tmp/own", "proc", 0, ""); err != nil {
		return fmt.Errorf("mount proc: %w", err)
	}
	if err := unix.Mount("/proc", "/tmp/host", "", unix.MS_BIND, ""); err != nil {
		return fmt.Errorf("bind /proc: %w", err)
	}
	for _, file := range []string{"sysinfo_gestor", "sysinfo_gestor_totals"} {
		if _, err := os.ReadFile("/tmp/own/" + file); !errors.Is(err, unix.EACCES) {
			return fmt.Errorf("the namespace's own /proc: %w, want EACCES", err)
		}
		if _, err := snapshotOf("/tmp/host/" + file); err != nil {
			return fmt.Errorf("the host's /proc inside: %w", err)
		}
	}
	return nil
}

func runHelper(attr *syscall.SysProcAttr, args ...string) (int, string) {
	cmd := exec.Command("/proc/self/exe", args...)
	cmd.SysProcAttr = attr
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil {
		return -1, err.Error()
	}
	return cmd.ProcessState.ExitCode(), strings.TrimSpace(string(out))
}

func checkNamespace(*machine) error {
	if err := load(""); err != nil {
		return err
	}
	attr := &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWPID | unix.CLONE_NEWNS}
	if code, out := runHelper(attr, "namespace"); code != 0 {
		return fmt.Errorf("%d: %s", code, out)
	}
	return nil
}

func checkUser(*machine) error {
	if err := load("gid=4242"); err != nil {
		return err
	}

	as := func(uid, gid uint32) *syscall.SysProcAttr {
		return &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: gid}}
	}
	if code, out := runHelper(as(1000, 1000), "read", procFile); code != 13 {
		return fmt.Errorf("another user: exit %d, %s", code, out)
	}
	if code, out := runHelper(as(1000, 4242), "read", procFile); code != 0 {
		return fmt.Errorf("the group of gid=: exit %d, %s", code, out)
	}
	return nil
}
