package netdev_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gestor.local/manager/internal/source/netdev"
)

// host is a folder like /proc with a clock.
type host struct {
	t     *testing.T
	dir   string
	nowUS uint64
}

func newHost(t *testing.T) *host { return &host{t: t, dir: t.TempDir(), nowUS: 1_000_000_000} }

// put gives a process its start and what its one interface has counted, half of it in and half out.
func (h *host) put(pid int, startUS, count uint64) {
	h.t.Helper()
	files := map[string]string{
		"stat": fmt.Sprintf("%d (x) S 1 1 1 0 -1 0 0 0 0 0 5 6 0 0 20 0 3 0 %d 4096000 50 0 0\n", pid, startUS/10_000),
		"net/dev": "Inter-|\n face |\n    lo: 7 7 0 0 0 0 0 0 7 7 0 0 0 0 0 0\n" +
			fmt.Sprintf("  eth0: %d 7 0 0 0 0 0 0 %d 7 0 0 0 0 0 0\n", count/2, count-count/2),
	}
	for name, text := range files {
		path := filepath.Join(h.dir, strconv.Itoa(pid), name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			h.t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			h.t.Fatal(err)
		}
	}
}

func (h *host) remove(pid int) {
	h.t.Helper()
	if err := os.RemoveAll(filepath.Join(h.dir, strconv.Itoa(pid))); err != nil {
		h.t.Fatal(err)
	}
}

func (h *host) reader() *netdev.Reader {
	r := netdev.New(h.dir, func() uint64 { return h.nowUS })
	h.t.Cleanup(r.Close)
	return r
}

func expect(t *testing.T, when string, got map[string]netdev.Count, want map[string]netdev.Count) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", when, diff)
	}
}

type counts = map[string]netdev.Count

func TestACountIsReadEachTenSeconds(t *testing.T) {
	h := newHost(t)
	r := h.reader()
	h.put(42, 5_000_000, 100)
	wanted := map[string]netdev.Process{"a": {PID: 42, StartUS: 5_004_000}} // the module tells it exactly
	expect(t, "at first", r.Read(wanted), counts{"a": {Bytes: 100, BootUS: 1_000_000_000}})

	h.put(42, 5_000_000, 300)
	h.nowUS += 8_900_000
	expect(t, "soon after", r.Read(wanted), counts{"a": {Bytes: 100, BootUS: 1_000_000_000}})
	h.nowUS += 1_000_000
	expect(t, "a tick later", r.Read(wanted), counts{"a": {Bytes: 300, BootUS: 1_009_900_000}})
}

func TestNobodyElsesCount(t *testing.T) {
	h := newHost(t)
	r := h.reader()
	h.put(42, 5_000_000, 100)
	h.put(43, 5_000_000, 200)
	expect(t, "another start", r.Read(map[string]netdev.Process{"a": {PID: 42, StartUS: 5_030_000}}), counts{})
	expect(t, "no process", r.Read(map[string]netdev.Process{"a": {PID: 44, StartUS: 5_000_000}}), counts{})

	a, b := netdev.Process{PID: 42, StartUS: 5_000_000}, netdev.Process{PID: 43, StartUS: 5_000_000}
	r.Read(map[string]netdev.Process{"a": a})
	expect(t, "it was started again", r.Read(map[string]netdev.Process{"a": b}), counts{"a": {Bytes: 200, BootUS: h.nowUS}})

	// The number passes to a process of the same start, as on a host that was set back: the folder that was kept is the first one's.
	h.remove(43)
	h.put(43, 5_000_000, 999)
	h.nowUS += 10_000_000
	expect(t, "after its end", r.Read(map[string]netdev.Process{"a": b}), counts{})
	expect(t, "asked for anew", r.Read(map[string]netdev.Process{"a": b}), counts{"a": {Bytes: 999, BootUS: h.nowUS}})
}

func TestAFileThatCannotBeReadIsNoZero(t *testing.T) {
	h := newHost(t)
	r := h.reader()
	h.put(42, 5_000_000, 100)
	if err := os.WriteFile(filepath.Join(h.dir, "42", "net/dev"), []byte("Inter-|\n face |\n  eth0: 5\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	expect(t, "cut off", r.Read(map[string]netdev.Process{"a": {PID: 42, StartUS: 5_000_000}}), counts{})
	if err := os.WriteFile(filepath.Join(h.dir, "42", "net/dev"), make([]byte, 1<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	expect(t, "too large", r.Read(map[string]netdev.Process{"a": {PID: 42, StartUS: 5_000_000}}), counts{})
}

func TestWhatIsNotAskedForIsClosed(t *testing.T) {
	h := newHost(t)
	r := h.reader()
	wanted := map[string]netdev.Process{}
	for pid := 1; pid <= 20; pid++ {
		h.put(pid, 5_000_000, 2)
		wanted[strconv.Itoa(pid)] = netdev.Process{PID: pid, StartUS: 5_000_000}
	}

	if got := len(r.Read(wanted)); got != 20 || h.kept() != 20 {
		t.Fatalf("%d were read, %d folders are kept", got, h.kept())
	}
	delete(wanted, "7")
	h.remove(8)
	h.nowUS += 10_000_000
	if got := len(r.Read(wanted)); got != 18 || h.kept() != 18 {
		t.Errorf("%d were read, %d folders are kept, want 18", got, h.kept())
	}
	r.Close()
	if h.kept() != 0 {
		t.Errorf("%d folders are kept by none", h.kept())
	}
}

// kept counts this process's descriptors below the folder.
func (h *host) kept() (n int) {
	h.t.Helper()
	links, err := filepath.Glob("/proc/self/fd/*")
	if err != nil || len(links) == 0 {
		h.t.Skip("no /proc")
	}
	for _, link := range links {
		if target, err := os.Readlink(link); err == nil && strings.HasPrefix(target, h.dir) {
			n++
		}
	}
	return n
}

func TestAProcessOfThisHost(t *testing.T) {
	cmd := exec.Command("sleep", "1000")
	if err := cmd.Start(); err != nil {
		t.Skipf("no sleep: %v", err)
	}
	ended := false
	end := func() {
		if !ended {
			ended = true
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
		}
	}
	defer end()

	nowUS := uint64(1)
	r := netdev.New("/proc", func() uint64 { return nowUS })
	defer r.Close()
	wanted := map[string]netdev.Process{"a": {PID: cmd.Process.Pid, StartUS: startOf(t, cmd.Process.Pid)}}
	if _, ok := r.Read(wanted)["a"]; !ok {
		t.Error("its count could not be read")
	}

	end()
	nowUS += 10_000_000
	if count, ok := r.Read(wanted)["a"]; ok {
		t.Errorf("it has ended, and its count is %+v", count)
	}
}

// startOf is the start of a process in microseconds since boot.
func startOf(t *testing.T, pid int) uint64 {
	t.Helper()
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		t.Fatal(err)
	}
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	ticks, err := strconv.ParseUint(fields[19], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return ticks * 10_000
}
