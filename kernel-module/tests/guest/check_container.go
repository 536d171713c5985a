package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"
)

const pageKB = 4

// memoryFiles are the names of the memory controller's files in each version.
func (m *machine) memoryFiles() (current, limit, peak string, err error) {
	if m.v2() {
		return "memory.current", "memory.max", "memory.peak", nil
	}
	if _, err := os.Stat("/sys/fs/cgroup/memory"); err != nil {
		return "", "", "", skipped("this kernel has no v1 memory controller")
	}
	return "memory.usage_in_bytes", "memory.limit_in_bytes", "memory.max_usage_in_bytes", nil
}

func checkMemory(m *machine) error {
	current, limit, peak, err := m.memoryFiles()
	if err != nil {
		return err
	}
	id := containerID("memory")
	if _, err := m.start(dockerPath(id), "alloc", "30"); err != nil {
		return err
	}
	if err := load("max_age_ms=0"); err != nil {
		return err
	}

	dir := m.dir(dockerPath(id), "memory")
	row, err := readContainer(id)
	if err != nil {
		return err
	}
	if row.MemoryMaxKB != nil {
		return fmt.Errorf("memory_max_kb %d without a limit", *row.MemoryMaxKB)
	}
	const limitKB = 64 << 10
	if err := os.WriteFile(filepath.Join(dir, limit), []byte(strconv.Itoa(limitKB<<10)), 0); err != nil {
		return err
	}
	if row, err = readContainer(id); err != nil {
		return err
	}
	for _, f := range []struct {
		name, file string
		value      *uint64
	}{{"memory_kb", current, row.MemoryKB}, {"memory_max_kb", limit, row.MemoryMaxKB}, {"memory_peak_kb", peak, row.MemoryPeakKB}} {
		if err := equalFile(f.name, f.value, filepath.Join(dir, f.file)); err != nil {
			return err
		}
	}
	return m.checkParentLimit(id, filepath.Join(filepath.Dir(dir), limit))
}

// equalFile compares with a file of bytes; memory.peak came with 5.19.
func equalFile(name string, value *uint64, file string) error {
	bytes, _, err := number(file)
	if os.IsNotExist(err) && name == "memory_peak_kb" {
		return nil
	}
	if err != nil {
		return err
	}
	got, err := required(name, value)
	if err != nil {
		return err
	}
	return within(name, got, bytes/1024, 256) // charges go page by page, in stocks of 64 pages a CPU
}

// checkParentLimit: a tighter limit above the container counts.
func (m *machine) checkParentLimit(id, file string) error {
	const limitKB = 48 << 10
	defer func() { _ = os.WriteFile(file, []byte("-1"), 0); _ = os.WriteFile(file, []byte("max"), 0) }()
	if err := os.WriteFile(file, []byte(strconv.Itoa(limitKB<<10)), 0); err != nil {
		return err
	}
	row, err := readContainer(id)
	if err != nil {
		return err
	}
	if !m.v2() { // there a parent limits its children only where use_hierarchy says so
		return nil
	}
	if row.MemoryMaxKB == nil || *row.MemoryMaxKB != limitKB {
		return fmt.Errorf("memory_max_kb %v under a parent of %d", row.MemoryMaxKB, limitKB)
	}
	return nil
}

// checkInactiveFile reads a block device through the page cache: pages that can be dropped, which the working set leaves out.
func checkInactiveFile(m *machine) error {
	if _, err := os.Stat("/dev/ram0"); err != nil {
		return skipped("no /dev/ram0 in this kernel")
	}
	current, _, _, err := m.memoryFiles()
	if err != nil {
		return err
	}
	id := containerID("inactive")
	if _, err := m.start(dockerPath(id), "readdev", "/dev/ram0", "20"); err != nil {
		return err
	}
	if err := load("max_age_ms=0"); err != nil {
		return err
	}

	dir := m.dir(dockerPath(id), "memory")
	return eventually(func() error {
		row, err := readContainer(id)
		if err != nil {
			return err
		}
		stat, err := numbers(filepath.Join(dir, "memory.stat"))
		if err != nil {
			return err
		}
		usage, _, err := number(filepath.Join(dir, current))
		if err != nil {
			return err
		}
		key := map[bool]string{true: "inactive_file", false: "total_inactive_file"}[m.v2()]
		if stat[key] < 15<<20 {
			return fmt.Errorf("memory.stat shows %d bytes of inactive file pages; the check has nothing to compare", stat[key])
		}
		got, err := required("working_set_kb", row.WorkingSetKB)
		if err != nil {
			return err
		}
		return within("working_set_kb", got, (usage-stat[key])/1024, 32*pageKB)
	})
}

func checkOOM(m *machine) error {
	_, limit, _, err := m.memoryFiles()
	if err != nil {
		return err
	}
	id := containerID("oom")
	if _, err := m.start(dockerPath(id), "sleep"); err != nil {
		return err
	}
	file := filepath.Join(m.dir(dockerPath(id), "memory"), limit)
	if err := os.WriteFile(file, []byte("16777216"), 0); err != nil {
		return err
	}
	if err := load("max_age_ms=0"); err != nil {
		return err
	}

	if _, err := m.start(dockerPath(id), "alloc", "64"); err == nil {
		return fmt.Errorf("64 MiB fitted under a limit of 16")
	}
	row, err := readContainer(id)
	if err != nil {
		return err
	}
	if kills, err := required("oom_kills", row.OOMKills); err != nil || kills != 1 {
		return fmt.Errorf("oom_kills %d (%w), want 1", kills, err)
	}
	return nil
}

// cpuStat is the file's usage in microseconds; reading it flushes.
func (m *machine) cpuStat(path string) (uint64, error) {
	if m.v2() {
		values, err := numbers(filepath.Join(m.dir(path, ""), "cpu.stat"))
		return values["usage_usec"], err
	}
	ns, _, err := number(filepath.Join(m.dir(path, "cpu,cpuacct"), "cpuacct.usage"))
	return ns / 1000, err
}

// cpuBeforeEntry is what the tasks used before they entered their cgroup, at least and at most: a sum over tasks has it, the
// cgroup's file does not. The file is read before and after the sum, since the guest may stand still between two readings. The
// slack is the running tick of three tasks, which the sum does not have. On v2 all are 0.
func (m *machine) cpuBeforeEntry(id string) (least, most, slack uint64, err error) {
	if m.v2() {
		return 0, 0, 0, nil
	}

	before, err := m.cpuStat(dockerPath(id))
	if err != nil {
		return 0, 0, 0, err
	}
	row, err := readContainer(id)
	if err != nil {
		return 0, 0, 0, err
	}
	after, err := m.cpuStat(dockerPath(id))
	if err != nil {
		return 0, 0, 0, err
	}

	const plausible = 1_000_000
	if row.CPUUS > after+plausible {
		return 0, 0, 0, fmt.Errorf("cpu_us %d, the cgroup's file says %d", row.CPUUS, after)
	}
	const tick = 60_000 // may be missing in the file as well
	return row.CPUUS - min(after, row.CPUUS) + tick, row.CPUUS - min(before, row.CPUUS) + tick, 2 * tick, nil
}

// checkCPU: three busy processes; the module's figure must lie between the file before and the file after it.
func checkCPU(m *machine) error {
	id := containerID("cpu")
	for range 3 {
		if _, err := m.start(dockerPath(id), "spin"); err != nil {
			return err
		}
	}
	if err := load("max_age_ms=0"); err != nil {
		return err
	}

	least, most, slack, err := m.cpuBeforeEntry(id)
	if err != nil {
		return err
	}
	for range 50 {
		time.Sleep(20 * time.Millisecond)

		before, err := m.cpuStat(dockerPath(id))
		if err != nil {
			return err
		}
		row, err := readContainer(id)
		if err != nil {
			return err
		}
		after, err := m.cpuStat(dockerPath(id))
		if err != nil {
			return err
		}

		if err := between("cpu_us", before+least-slack, row.CPUUS, after+most+slack); err != nil {
			return err
		}
	}
	return nil
}

// checkExitedCPU: a shell of short-lived children. What they used must not be lost with them.
func checkExitedCPU(m *machine) error {
	id := containerID("exited")
	if _, err := m.start(dockerPath(id), "churn"); err != nil {
		return err
	}
	if err := load("max_age_ms=0"); err != nil {
		return err
	}

	time.Sleep(time.Second)
	row, err := readContainer(id)
	if err != nil {
		return err
	}
	after, err := m.cpuStat(dockerPath(id))
	if err != nil {
		return err
	}
	early := uint64(0)
	if !m.v2() {
		early = 300_000 // what it used before it entered, which the cgroup's file does not have
	}
	if row.CPUUS < after/2 || row.CPUUS > after+early {
		return fmt.Errorf("cpu_us %d, the cgroup's file says %d", row.CPUUS, after)
	}
	return nil
}

func checkRemovedCPU(m *machine) error {
	if !m.v2() {
		return skipped("v1 has task sums only")
	}
	id := containerID("removed")
	if _, err := m.start(dockerPath(id)+"/init", "sleep"); err != nil {
		return err
	}
	gone, err := m.start(dockerPath(id)+"/child", "burn", "400")
	if err != nil {
		return err
	}
	if err := load("max_age_ms=0"); err != nil {
		return err
	}

	before, err := readContainer(id)
	if err != nil {
		return err
	}
	gone.kill()
	removeGroup(m.dir(dockerPath(id)+"/child", ""))
	after, err := readContainer(id)
	if err != nil {
		return err
	}
	if before.CPUUS < 200_000 || after.CPUUS < before.CPUUS {
		return fmt.Errorf("cpu_us was %d and is %d after the sub-cgroup's removal", before.CPUUS, after.CPUUS)
	}
	return nil
}

func checkMonotonicCPU(m *machine) error {
	if !m.v2() {
		return skipped("v1 has task sums only")
	}
	id := containerID("monotonic")
	for range 2 {
		if _, err := m.start(dockerPath(id)+"/sub", "churn"); err != nil {
			return err
		}
	}
	if err := load("max_age_ms=0"); err != nil {
		return err
	}

	stop := make(chan struct{})
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case <-stop:
				return
			default:
				_, _ = m.cpuStat(dockerPath(id))
			}
		}
	}()
	defer func() { close(stop); <-done }()
	var last uint64
	for end := time.Now().Add(3 * time.Second); time.Now().Before(end); {
		row, err := readContainer(id)
		if err != nil {
			return err
		}
		if row.CPUUS < last {
			return fmt.Errorf("cpu_us went from %d to %d", last, row.CPUUS)
		}
		last = row.CPUUS
	}
	return nil
}

// checkDeepCPU: work three groups below the container, whose groups are flushed and removed while others read. No
// reading may be less than the one before, and in the end nothing may be missing.
func checkDeepCPU(m *machine) error {
	if !m.v2() {
		return skipped("v1 has task sums only")
	}
	id := containerID("deep")
	if _, err := m.start(dockerPath(id)+"/init", "sleep"); err != nil {
		return err
	}
	if err := m.makeCgroup(dockerPath(id) + "/a/b"); err != nil {
		return err
	}
	if err := load("max_age_ms=0"); err != nil {
		return err
	}

	done := make(chan struct{})
	var group sync.WaitGroup
	rounds, deepErr := 0, error(nil)
	group.Go(func() {
		for deepErr == nil {
			select {
			case <-done:
				return
			default:
				deepErr = m.workInDeep(dockerPath(id)+"/a/b", rounds)
				rounds++
			}
		}
	})
	const reads = 10_000
	err := readNeverLess(reads)
	close(done)
	group.Wait()
	if err := errors.Join(err, deepErr); err != nil {
		return fmt.Errorf("%w (groups removed: %d)", err, rounds)
	}
	if rounds < 3 {
		return fmt.Errorf("only %d groups were removed in %d reads: nothing was tested", rounds, reads)
	}

	// Nothing runs any more, and nothing has been flushed by this check: the module must know of all of it.
	row, err := readContainer(id)
	if err != nil {
		return err
	}
	file, err := m.cpuStat(dockerPath(id))
	if err != nil {
		return err
	}
	return within("cpu_us", row.CPUUS, file, 1000)
}

// workInDeep burns CPU time in a new group, then removes it. Each second time somebody flushes it before.
func (m *machine) workInDeep(parent string, round int) error {
	own := &machine{version: m.version}
	path := fmt.Sprintf("%s/c%d", parent, round)
	burnt, err := own.start(path, "burn", "20")
	if err != nil {
		return err
	}
	if round%2 == 1 {
		if _, err := own.cpuStat(path); err != nil {
			return err
		}
	}
	burnt.kill()
	removeGroup(own.dir(path, ""))
	return nil
}

// readNeverLess reads the totals of the one container that often; no cpu_us may be less than the one before. It looks
// for the field only: parsing would cost ten times as much as reading.
func readNeverLess(reads int) error {
	f, err := os.Open(totalsFile)
	if err != nil {
		return err
	}
	defer f.Close()
	var last uint64
	document := make([]byte, 16<<10)
	for i := range reads {
		n, err := f.ReadAt(document, 0)
		if !errors.Is(err, io.EOF) {
			return fmt.Errorf("%d bytes of totals, %w", n, err)
		}
		_, rest, _ := bytes.Cut(document[:n], []byte(`"cpu_us":`))
		digits, _, _ := bytes.Cut(rest, []byte(","))
		used, err := strconv.ParseUint(string(digits), 10, 64)
		if err != nil {
			return fmt.Errorf("cpu_us in %s: %w", document[:n], err)
		}
		if used < last {
			return fmt.Errorf("cpu_us went from %d to %d at read %d", last, used, i)
		}
		last = used
	}
	return nil
}

func checkFrozen(m *machine) error {
	id := containerID("frozen")
	if _, err := m.start(dockerPath(id), "sleep"); err != nil {
		return err
	}
	if err := load("max_age_ms=0"); err != nil {
		return err
	}

	if !m.v2() {
		row, err := readContainer(id)
		if err == nil && row.Frozen != nil {
			err = fmt.Errorf("frozen is given on v1, where it cannot be known")
		}
		return err
	}
	file := filepath.Join(m.dir(dockerPath(id), ""), "cgroup.freeze")
	for _, want := range []string{"1", "0"} {
		if err := os.WriteFile(file, []byte(want), 0); err != nil {
			return err
		}
		err := eventually(func() error {
			row, err := readContainer(id)
			if err != nil {
				return err
			}
			if row.Frozen == nil || *row.Frozen != (want == "1") {
				return fmt.Errorf("frozen is not as written: %s", want)
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}
