package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

func checkLoad(*machine) error {
	if err := load(""); err != nil {
		return err
	}

	for _, path := range []string{procFile, totalsFile} {
		info, err := os.Stat(path)
		if err != nil {
			return err
		}
		if info.Mode() != 0o440 {
			return fmt.Errorf("%s has mode %v", path, info.Mode())
		}
	}
	snap, err := snapshot()
	if err != nil {
		return err
	}
	var uts unix.Utsname
	if err := unix.Uname(&uts); err != nil {
		return err
	}
	if kernel := unix.ByteSliceToString(uts.Release[:]); snap.Kernel != kernel {
		return fmt.Errorf("kernel %q, but uname says %q", snap.Kernel, kernel)
	}
	if snap.ContainerTotal != 0 || snap.Self.TasksSeen < 2 {
		return fmt.Errorf("%d containers and %d tasks in an empty machine", snap.ContainerTotal, snap.Self.TasksSeen)
	}
	return checkHost(snap.Memory.TotalKB, snap.Memory.AvailableKB)
}

// checkHost compares with /proc/meminfo; what is available moves by the moment.
func checkHost(total, available uint64) error {
	info, err := numbers("/proc/meminfo")
	if err != nil {
		return err
	}
	if total != info["MemTotal"] {
		return fmt.Errorf("total_kb %d, but MemTotal %d", total, info["MemTotal"])
	}
	return within("available_kb", available, info["MemAvailable"], 8192)
}

// checkParameters: what cannot be is refused, with one reason each, and nothing is left behind.
func checkParameters(*machine) error {
	// The first load of a boot also taints the kernel, which it says.
	if err := errors.Join(load(""), unload()); err != nil {
		return err
	}

	log, err := openKernelLog()
	if err != nil {
		return err
	}
	defer log.close()
	cases := []struct{ parameters, reason string }{
		{"proc_name=", "proc_name must begin with sysinfo_"},
		{"proc_name=..", "proc_name must begin with sysinfo_"},
		{"proc_name=meminfo", "proc_name must begin with sysinfo_"},
		{"proc_name=sysinfo_", "proc_name must have something after"},
		{"proc_name=sysinfo_a/b", "proc_name must be of letters"},
		{"proc_name=sysinfo_" + strings.Repeat("x", 57), "proc_name must have at most 64"},
		{"gid=4294967295", "gid=4294967295 is no group"},
		{"max_procs=2147483648", "max_procs must be a number from 1 to 4194304"},
		{"max_procs=0", "max_procs must be a number from 1 to 4194304"},
		{"max_age_ms=2147483648", "max_age_ms must be a number from 0 to 60000"},
		{"max_age_ms=-1", "max_age_ms must be"},
		{"cmdline_max=4097", "cmdline_max must be"},
		{"batch=15", "batch must be"},
	}
	for _, c := range cases {
		if err := load(c.parameters); !errors.Is(err, unix.EINVAL) {
			return fmt.Errorf("%s: %v, want EINVAL", c.parameters, err)
		}
		if err := log.expectMessage(c.reason); err != nil {
			return fmt.Errorf("%s: %w", c.parameters, err)
		}
	}
	return checkWrites(log)
}

// checkWrites: the same limits hold for what is set later, and the value that was set stays.
func checkWrites(log *kernelLog) error {
	if err := load("max_procs=70"); err != nil {
		return err
	}

	if _, err := log.messages(); err != nil {
		return err
	}
	const file = "/sys/module/" + moduleName + "/parameters/max_procs"
	if err := os.WriteFile(file, []byte("2147483648"), 0); !errors.Is(err, unix.EINVAL) {
		return fmt.Errorf("max_procs set to 2^31: %v, want EINVAL", err)
	}
	if err := log.expectMessage("max_procs must be"); err != nil {
		return err
	}
	value, _, err := number(file)
	if err != nil {
		return err
	}
	return within("max_procs", value, 70, 0)
}

// checkNameTaken loads the module a second time under another name: the first one's files are in the way.
func checkNameTaken(*machine) error {
	text, err := os.ReadFile(moduleFile)
	if err != nil {
		return err
	}
	const copied, copyFile = "sysinfo_secondo", "/tmp/second.ko"
	text = bytes.ReplaceAll(text, []byte(moduleName+"\x00"), []byte(copied[:len(moduleName)]+"\x00"))
	if err := os.WriteFile(copyFile, text, 0o600); err != nil {
		return err
	}
	if err := load(""); err != nil {
		return err
	}

	for _, parameters := range []string{"proc_name=sysinfo_gestor", "proc_name=sysinfo_gestor_totals"} {
		if err := loadFile(copyFile, parameters); !errors.Is(err, unix.EBUSY) {
			_ = unix.DeleteModule(copied[:len(moduleName)], unix.O_NONBLOCK)
			return fmt.Errorf("%s, which exists: %v, want EBUSY", parameters, err)
		}
	}
	_, err = snapshot()
	return err
}

func checkProcName(*machine) error {
	if err := load("proc_name=sysinfo_202003745"); err != nil {
		return err
	}

	if _, err := snapshotOf("/proc/sysinfo_202003745"); err != nil {
		return err
	}
	if _, err := os.Stat(procFile); !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("the default name is there too: %v", err)
	}
	return nil
}
