package main

import (
	"encoding/hex"
	"fmt"
	"io"
	"strings"
	"time"

	"gestor.local/contract"
)

// tickUS is the precision of times in /proc/PID/stat.
const tickUS = 10_000

func checkProcess(m *machine) error {
	id := containerID("process")
	for _, args := range [][]string{{"alloc", "40"}, {"threads", "12"}, {"sleep"}, {"burn", "300"}} {
		if _, err := m.start(dockerPath(id), args...); err != nil {
			return err
		}
	}
	if err := load(""); err != nil {
		return err
	}

	for _, t := range m.tasks {
		if err := eventually(t.asleep); err != nil {
			return err
		}
	}
	snap, err := snapshot()
	if err != nil {
		return err
	}
	row, err := find(snap, id)
	if err != nil {
		return err
	}
	var sum contract.Container
	for _, t := range m.tasks {
		p, err := findProcess(row, t.pid)
		if err != nil {
			return err
		}
		if err := compareProcess(p, snap); err != nil {
			return fmt.Errorf("%v: %w", t.cmd.Args, err)
		}
		sum.RSSKB, sum.VSZKB, sum.ThreadCount = sum.RSSKB+p.RSSKB, sum.VSZKB+p.VSZKB, sum.ThreadCount+p.Threads
	}
	if sum.RSSKB != row.RSSKB || sum.VSZKB != row.VSZKB || sum.ThreadCount != row.ThreadCount {
		return fmt.Errorf("sums %d %d %d, want %d %d %d", row.RSSKB, row.VSZKB, row.ThreadCount, sum.RSSKB, sum.VSZKB, sum.ThreadCount)
	}
	if row.ThreadCount != 15 || row.StartUS != row.Processes[0].StartUS {
		return fmt.Errorf("%d threads, start %d", row.ThreadCount, row.StartUS)
	}
	return nil
}

// asleep is an error while the task still has something to do.
func (t *task) asleep() error {
	s, err := readStat(t.pid)
	if err == nil && s.state != "S" {
		err = fmt.Errorf("process %d is in state %s", t.pid, s.state)
	}
	return err
}

// compareProcess holds a row against /proc. The processes sleep, so nothing but I/O can have moved since.
func compareProcess(p *contract.Process, snap *contract.Snapshot) error {
	s, err := readStat(p.PID)
	if err != nil {
		return err
	}
	if p.State != s.state || p.PPID != int(s.ppid) || p.Threads != int(s.threads) || p.Name != "workload" {
		return fmt.Errorf("row %+v, stat %+v", p, s)
	}
	if p.VSZKB != s.vsize/1024 {
		return fmt.Errorf("vsz_kb %d, stat says %d", p.VSZKB, s.vsize/1024)
	}
	rollup, err := numbers(fmt.Sprintf("/proc/%d/smaps_rollup", p.PID))
	if err != nil {
		return err
	}
	if p.RSSKB != rollup["Rss"] {
		return fmt.Errorf("rss_kb %d, smaps_rollup says %d", p.RSSKB, rollup["Rss"])
	}
	if err := between("start_us", s.startUS, p.StartUS, s.startUS+tickUS); err != nil {
		return err
	}
	if err := within("cpu_us", p.CPUUS, s.cpuUSec, 2*tickUS); err != nil {
		return err
	}
	if want := p.RSSKB * 1000 / snap.Memory.TotalKB; p.MemoryPermille != want {
		return fmt.Errorf("memory_permille %d, want %d", p.MemoryPermille, want)
	}
	if want := p.CPUUS * 1000 / (snap.MonotonicUS - p.StartUS); within("cpu_permille", p.CPUPermille, want, 1) != nil {
		return fmt.Errorf("cpu_permille %d, want %d", p.CPUPermille, want)
	}
	return compareIO(p)
}

func compareIO(p *contract.Process) error {
	file, err := numbers(fmt.Sprintf("/proc/%d/io", p.PID))
	if err != nil {
		return nil //nolint:nilerr // a kernel without I/O accounting has no such file
	}
	if p.IOReadBytes == nil || *p.IOReadBytes != file["read_bytes"] || *p.IOWriteBytes != file["write_bytes"] {
		return fmt.Errorf("io_read_bytes %v, /proc/PID/io says %d", p.IOReadBytes, file["read_bytes"])
	}
	return nil
}

// checkDeadLeader: the leader is a zombie, yet another thread holds the memory. /proc/PID/status shows none.
func checkDeadLeader(m *machine) error {
	id := containerID("dead leader")
	t, err := m.start(dockerPath(id), "deadleader", "24")
	if err != nil {
		return err
	}
	if err := load(""); err != nil {
		return err
	}

	if err := eventually(func() error { return expectState(id, t.pid, "Z") }); err != nil {
		return err
	}
	p, err := readProcess(id, t.pid)
	if err == nil && p.RSSKB < 24<<10 {
		err = fmt.Errorf("rss_kb %d, want more than 24 MiB", p.RSSKB)
	}
	return err
}

// checkLifecycle: a zombie stays a row of its container without memory; a reaped process has none.
func checkLifecycle(m *machine) error {
	if err := load("max_age_ms=0"); err != nil {
		return err
	}

	id := containerID("lifecycle")
	keep, err := m.start(dockerPath(id), "sleep")
	if err != nil {
		return err
	}
	gone, err := m.start(dockerPath(id), "exit")
	if err != nil {
		return err
	}
	if err := eventually(func() error { return expectState(id, gone.pid, "Z") }); err != nil {
		return err
	}
	gone.kill()
	row, err := readContainer(id)
	if err != nil {
		return err
	}
	if row.ProcessCount != 1 || row.Processes[0].PID != keep.pid {
		return fmt.Errorf("%d processes after the reaping, want 1", row.ProcessCount)
	}
	keep.kill()
	snap, err := snapshot()
	if err != nil {
		return err
	}
	if _, err := find(snap, id); err == nil {
		return fmt.Errorf("the container has a row after its last process")
	}
	return nil
}

func expectState(id string, pid int, state string) error {
	p, err := readProcess(id, pid)
	if err != nil {
		return err
	}
	if p.State != state {
		return fmt.Errorf("state of %d is %s, want %s", pid, p.State, state)
	}
	return nil
}

// eventually tries for up to ten seconds.
func eventually(f func() error) error {
	var err error
	for range 1000 {
		if err = f(); err == nil {
			return nil
		}
		time.Sleep(10 * time.Millisecond)
	}
	return err
}

// rename gives the process new name bytes and waits until it has them.
func (t *task) rename(name string) error {
	if _, err := io.WriteString(t.stdin, hex.EncodeToString([]byte(name))+"\n"); err != nil {
		return err
	}
	return t.await()
}

// wantName is what a name of any bytes must come back as: valid UTF-8 unchanged, other bytes as U+FFFD.
func wantName(name string) string {
	name, _, _ = strings.Cut(name, "\x00")
	if len(name) > 15 {
		name = name[:15]
	}
	var b strings.Builder
	for _, r := range name {
		b.WriteRune(r)
	}
	return b.String()
}

func checkNames(m *machine) error {
	if err := load("max_age_ms=0"); err != nil {
		return err
	}

	id := containerID("names")
	t, err := m.start(dockerPath(id), "rename")
	if err != nil {
		return err
	}
	names := []string{
		`a"b\c`, "\n\t\r\x01\x1f\x7f", "\xff\xc3\xa9", "\xe2\x82", "żółć🐳", "\xed\xa0\x80", "\xc0\xaf", "</script>", `"},{"pid":1`,
		"(evil) R 1 1 1", "\xf0\x9f\x90\xb3\xf0\x9f\x90\xb3\xf0\x9f\x90\xb3\xf0\x9f\x90\xb3", "",
	}
	for _, name := range names {
		if err := t.expectName(id, name); err != nil {
			return err
		}
	}
	return nil
}

func (t *task) expectName(id, name string) error {
	if err := t.rename(name); err != nil {
		return err
	}
	p, err := readProcess(id, t.pid)
	if err != nil {
		return fmt.Errorf("name %q: %w", name, err)
	}
	if p.Name != wantName(name) {
		return fmt.Errorf("name %q came back as %q", name, p.Name)
	}
	return nil
}
