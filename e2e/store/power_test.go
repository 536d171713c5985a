package store

import (
	"bufio"
	"bytes"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// What was answered before the power went is there when it comes back: a virtual machine whose disk has a write cache
// stores records on ext4, is killed at random moments, also while it repairs what the last cut left, and its disk forgets
// what was not flushed. Without GESTOR_SOAK it ends after a minute, once enough was at stake.
func TestPowerCutInVM(t *testing.T) {
	cuts, long := 20, time.Minute
	if os.Getenv("GESTOR_SOAK") == "1" {
		cuts, long = 25, time.Hour
	}

	m := newMachine(t, 1)
	deadline := time.Now().Add(long)
	done := 0
	enough := func() bool { return done >= 3 && m.answered() >= uint64(10*done) && m.drive.lost > 0 }
	for ; done < cuts && (!enough() || time.Now().Before(deadline)); done++ {
		if n := m.runUntilCut(t, "always"); n > 0 {
			t.Fatalf("%d records were answered and are lost after %d cuts", n, done)
		}
	}

	last := m.boot(t, "always")
	if !last.untilReady(t) || m.missing(last) > 0 {
		t.Errorf("%d records were answered and are lost", m.missing(last))
	}
	last.cut(t)

	answered := m.answered()
	t.Logf("%d power cuts, %d records answered, none lost; %d flushes, %d writes lost", done, answered, m.drive.flushes, m.drive.lost)
	if answered < uint64(10*done) || m.drive.flushes == 0 || m.drive.lost == 0 {
		t.Error("this test showed nothing")
	}
}

// The same without syncs loses records, and this test notices: so it would notice a missing sync.
func TestPowerCutInVMFindsMissingSyncs(t *testing.T) {
	m := newMachine(t, 2)
	for cuts := range 10 {
		if n := m.runUntilCut(t, "never"); n > 0 {
			t.Logf("%d of %d answered records lost in %d power cuts", n, m.answered(), cuts)
			return
		}
	}
	t.Error("nothing was lost in 10 power cuts without any sync")
}

// machine is a virtual machine and the promises that were made in it.
type machine struct {
	rng     *rand.Rand
	dir     string
	kernel  string
	accel   string // what runs its CPU: kvm or tcg
	initrd  string
	drive   *drive
	next    []uint64          // first record of each producer after the last answered
	answers [][]span          // of each producer
	serving sync.WaitGroup    // the drive
	stored  map[string][]span // what the last boot has reported
}

// span is a range of a producer's records.
type span struct{ from, to uint64 }

const (
	driveBytes = 64 << 20
	bootLimit  = 3 * time.Minute
)

func newMachine(t *testing.T, seed uint64) *machine {
	t.Helper()
	for _, tool := range []string{"qemu-system-x86_64", "mke2fs"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("a virtual machine needs %s: %v", tool, err)
		}
	}
	m := &machine{
		rng: rand.New(rand.NewPCG(seed, 1)), dir: t.TempDir(), next: []uint64{1, 1, 1}, answers: make([][]span, 3),
	}

	var driver string
	m.kernel, driver = kernel(t)
	m.accel = accelerator(t, m.kernel)
	m.initrd = filepath.Join(m.dir, "initrd")
	if err := os.WriteFile(m.initrd, initramfs(t, m.dir, driver), 0o600); err != nil {
		t.Fatal(err)
	}

	image := filepath.Join(m.dir, "image")
	if out, err := exec.Command("mke2fs", "-q", "-t", "ext4", image, fmt.Sprintf("%dk", driveBytes>>10)).CombinedOutput(); err != nil {
		t.Fatalf("mke2fs: %v: %s", err, out)
	}
	content, err := os.ReadFile(image)
	if err != nil {
		t.Fatal(err)
	}
	m.drive = newDrive(content)
	return m
}

// kernel returns an image of Debian's cloud kernel, which has ext4 built in, and the module for virtio disks: for them
// every barrier is a flush, which the drive sees. For NVMe disks a barrier is also a flag of a write, and with those of
// QEMU 7.2 synced records were lost.
func kernel(t *testing.T) (image, driver string) {
	t.Helper()
	const cache = "../../.cache/kernel/kernels/6.12/"
	find := func() bool {
		images, _ := filepath.Glob(cache + "boot/vmlinuz-*-cloud-amd64")
		drivers, _ := filepath.Glob(cache + "lib/modules/*/kernel/drivers/block/virtio_blk.ko.xz")
		if len(images) == 0 || len(drivers) == 0 {
			return false
		}
		image, driver = images[0], drivers[0]
		return true
	}
	if find() {
		return image, driver
	}

	if os.Getenv("GESTOR_SOAK") != "1" {
		t.Skip("no kernel to boot: kernel-module/tests/lib/kernels.sh 6.12 fetches one (GESTOR_SOAK=1 does)")
	}
	if out, err := exec.Command("../../kernel-module/tests/lib/kernels.sh", "6.12").CombinedOutput(); err != nil || !find() {
		t.Skipf("no kernel to boot: %v: %s", err, out)
	}
	return image, driver
}

// accelerator returns what QEMU runs the machine with: kvm where that boots the kernel, otherwise tcg, its emulator.
func accelerator(t *testing.T, kernel string) string {
	t.Helper()
	kernel, err := filepath.Abs(kernel)
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("../../kernel-module/tests/lib/accel.sh", kernel).Output()
	if err != nil {
		t.Fatalf("accel.sh: %v", err)
	}
	return strings.TrimSpace(string(out))
}

// initramfs holds the first process, the service and the driver, in the format that the kernel's documentation calls newc.
func initramfs(t *testing.T, dir, driver string) []byte {
	t.Helper()
	var out bytes.Buffer
	entry := func(name string, mode int, content []byte) {
		fmt.Fprintf(&out, "070701%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%s\x00",
			0, mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(name)+1, 0, name)
		for out.Len()%4 != 0 {
			out.WriteByte(0)
		}
		out.Write(content)
		for out.Len()%4 != 0 {
			out.WriteByte(0)
		}
	}

	for _, name := range []string{"proc", "dev", "disk"} {
		entry(name, syscall.S_IFDIR|0o755, nil)
	}
	file := func(name, path string) {
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		entry(name, syscall.S_IFREG|0o755, content)
	}

	for name, source := range map[string]string{"init": "guest", "gestor-logs": "../../services/logs"} {
		bin := filepath.Join(dir, name)
		cmd := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", bin, ".")
		cmd.Dir = source
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOARCH=amd64")
		if text, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("build %s: %v: %s", name, err, text)
		}
		file(name, bin)
	}
	file("driver.ko.xz", driver)
	entry("TRAILER!!!", 0, nil)
	return out.Bytes()
}

// boot is one life of the machine.
type boot struct {
	*machine
	cmd      *exec.Cmd
	listener net.Listener // of the drive
	lines    chan string  // of its report, until it is dead
}

func (m *machine) boot(t *testing.T, fsync string) *boot {
	t.Helper()
	socket := filepath.Join(m.dir, "nbd")
	os.Remove(socket)
	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	m.serving.Go(func() { m.drive.serve(t, listener) })

	next := strings.Trim(fmt.Sprint(m.next), "[]")
	cmd := exec.Command("qemu-system-x86_64", "-accel", m.accel, "-cpu", "max", "-m", "512", "-no-reboot", "-display", "none", "-nodefaults",
		"-kernel", m.kernel, "-initrd", m.initrd, "-serial", "file:"+filepath.Join(m.dir, "console"), "-serial", "stdio",
		"-drive", "if=none,id=disk,format=raw,cache=writeback,file.driver=nbd,file.server.type=unix,file.server.path="+socket,
		"-device", "virtio-blk-pci,drive=disk",
		"-append", "console=ttyS0 loglevel=4 panic=-1 oops=panic rdinit=/init gestor.fsync="+fsync+" gestor.next="+strings.ReplaceAll(next, " ", ","))
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}

	b := &boot{m, cmd, listener, make(chan string, 1024)}
	go func() {
		defer close(b.lines)
		for in := bufio.NewReader(out); ; {
			line, err := in.ReadString('\n')
			if err != nil { // the end of the machine; half a line is no answer
				return
			}
			b.lines <- strings.TrimSpace(line)
		}
	}()

	m.stored = map[string][]span{}
	t.Cleanup(func() {
		if t.Failed() {
			console, _ := os.ReadFile(filepath.Join(m.dir, "console"))
			t.Logf("%s%s", stderr.String(), console[max(0, len(console)-4000):])
		}
	})
	return b
}

// cut kills the emulator, notes the answers that were still on their way, and takes the drive's power.
func (b *boot) cut(t *testing.T) {
	t.Helper()
	b.cmd.Process.Kill()
	for line := range b.lines {
		b.parseLine(t, line)
	}
	b.cmd.Wait() // its error is the signal
	b.listener.Close()
	b.serving.Wait()
	b.drive.cut(b.rng)
}

// nextLine returns the next line of the report and records what it promises; "" when the power has gone.
func (b *boot) nextLine(t *testing.T) string {
	t.Helper()
	select {
	case line, ok := <-b.lines:
		if !ok {
			t.Error("the machine ended by itself")
			return ""
		}
		b.parseLine(t, line)
		return line
	case <-b.drive.off:
		return ""
	case <-time.After(bootLimit):
		t.Errorf("the machine said nothing for %v", bootLimit)
		return ""
	}
}

// parseLine records what a line of the report says.
func (b *boot) parseLine(t *testing.T, line string) {
	t.Helper()
	var p int
	var s span
	switch {
	case strings.HasPrefix(line, "fail"):
		t.Errorf("the machine says: %s", line)

	case strings.HasPrefix(line, "ack "):
		if n, err := fmt.Sscanf(line, "ack %d %d %d", &p, &s.from, &s.to); err != nil || n != 3 || p >= len(b.next) {
			t.Errorf("the report is not readable: %q", line)
			return
		}
		b.answers[p] = append(b.answers[p], s)
		b.next[p] = s.to + 1

	case strings.HasPrefix(line, "stored "):
		var producer string
		if n, err := fmt.Sscanf(line, "stored %s %d %d", &producer, &s.from, &s.to); err != nil || n != 3 {
			t.Errorf("the report is not readable: %q", line)
			return
		}
		b.stored[producer] = append(b.stored[producer], s)
	}
}

// untilReady waits until the machine has reported what it holds; false when the power went before.
func (b *boot) untilReady(t *testing.T) bool {
	t.Helper()
	for {
		switch b.nextLine(t) {
		case "ready":
			return true
		case "":
			return false
		}
		if t.Failed() {
			return false
		}
	}
}

// runUntilCut boots, compares what the last cut left, lets the machine work and cuts it off in the midst of a write: one
// time in four before it has repaired everything.
func (m *machine) runUntilCut(t *testing.T, fsync string) (missing int) {
	t.Helper()
	early := m.rng.IntN(4) == 0
	if early {
		m.drive.cutAfter(1 + m.rng.IntN(60))
	}

	b := m.boot(t, fsync)
	if b.untilReady(t) {
		missing = m.missing(b)
		if !early {
			m.drive.cutAfter(1 + m.rng.IntN(400))
		}
		for b.nextLine(t) != "" && !t.Failed() {
		}
	}
	b.cut(t)
	if t.Failed() {
		t.FailNow()
	}
	return missing
}

// missing counts the records that were answered and that the boot has not reported.
func (m *machine) missing(b *boot) (n int) {
	for producer, answers := range m.answers {
		for _, a := range answers {
			for number := a.from; number <= a.to; number++ {
				if !within(b.stored[fmt.Sprint(producer)], number) {
					n++
				}
			}
		}
	}
	return n
}

func within(spans []span, number uint64) bool {
	for _, s := range spans {
		if number >= s.from && number <= s.to {
			return true
		}
	}
	return false
}

func (m *machine) answered() (n uint64) {
	for _, answers := range m.answers {
		for _, a := range answers {
			n += a.to - a.from + 1
		}
	}
	return n
}
