package main

import (
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

func checkParameters(*machine) error {
	for _, parameters := range []string{"proc_name=a/b", "proc_name=", "proc_name=..", "gid=4294967295"} {
		if err := load(parameters); err == nil {
			return fmt.Errorf("%s was accepted", parameters)
		}
	}
	long := "proc_name=" + strings.Repeat("x", 65)
	if err := load(long); !errors.Is(err, unix.EINVAL) {
		return fmt.Errorf("a name of 65 characters: %v, want EINVAL", err)
	}
	return nil
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
