// Command guest is the first process of the virtual machine in which the kernel module is tested: it mounts what Linux
// needs, runs the checks that the kernel's command line names, and writes their results to a serial port of its own, so
// that nothing the kernel prints can pass for a result.
//
// Parameters on the kernel's command line: gestor.cgroup=1|2|hybrid, gestor.suite=checks|storm|cost|fault|race,
// gestor.seconds=N (storm, race), gestor.rounds=N (unloads), gestor.only=SUBSTRING.
package main

import (
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

func main() {
	if len(os.Args) > 1 {
		os.Exit(helper(os.Args[1:]))
	}
	if err := run(); err != nil {
		fmt.Println("guest:", err)
	}
	_ = unix.Reboot(unix.LINUX_REBOOT_CMD_RESTART)
}

// run is the whole life of the machine. Errors before the report is open can only be printed.
func run() error {
	if err := mountBase(); err != nil {
		return err
	}
	options, err := readOptions("/proc/cmdline")
	if err != nil {
		return err
	}
	out, err := openReport(options["report"])
	if err != nil {
		return err
	}
	loadRAMDisk()

	t := &tester{out: out, only: options["only"], options: options}
	t.host = &machine{version: options["cgroup"]}
	if err := t.host.mountCgroups(); err != nil {
		t.result("mount cgroups", err)
	} else {
		t.runSuite(options["suite"])
	}
	t.finish()

	return nil
}

func (t *tester) runSuite(name string) {
	switch name {
	case "storm":
		t.storm()
	case "cost":
		t.cost()
	case "fault":
		t.fault()
	case "race":
		t.race()
	default:
		t.checks()
	}
}

// readOptions returns the gestor.NAME=VALUE words of the kernel's command line.
func readOptions(path string) (map[string]string, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read options: %w", err)
	}
	options := map[string]string{"cgroup": "2", "suite": "checks", "report": "/dev/ttyS1", "seconds": "60", "rounds": "1000"}
	for word := range strings.FieldsSeq(string(text)) {
		if rest, ok := strings.CutPrefix(word, "gestor."); ok {
			key, value, _ := strings.Cut(rest, "=")
			options[key] = value
		}
	}
	return options, nil
}

// loadRAMDisk gives the checks a block device, whose pages are page cache. A kernel without the driver skips those.
func loadRAMDisk() {
	f, err := os.Open("/brd.ko")
	if err != nil {
		return
	}
	defer f.Close()
	if err := unix.FinitModule(int(f.Fd()), "rd_nr=1 rd_size=65536", 0); err != nil {
		fmt.Println("guest: load brd:", err)
	}
}

func mountBase() error {
	mounts := []struct{ source, target, kind string }{
		{"proc", "/proc", "proc"},
		{"sysfs", "/sys", "sysfs"},
		{"devtmpfs", "/dev", "devtmpfs"},
		{"tmpfs", "/tmp", "tmpfs"},
	}
	for _, m := range mounts {
		if err := os.MkdirAll(m.target, 0o755); err != nil {
			return fmt.Errorf("mount %s: %w", m.target, err)
		}
		if err := unix.Mount(m.source, m.target, m.kind, 0, ""); err != nil && err != unix.EBUSY {
			return fmt.Errorf("mount %s: %w", m.target, err)
		}
	}
	return nil
}
