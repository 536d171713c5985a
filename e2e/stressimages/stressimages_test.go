package stressimages

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
)

const mib = 1 << 20

// promise is a line of stress-images/README.md.
type promise struct {
	image string
	// cpuAtLeast is of the CPU limit, cpuAtMost of one core.
	cpuAtLeast, cpuAtMost float64
	holds, atMost         uint64 // bytes of memory
	options               []string
}

var promises = []promise{
	// A lower limit than the usual one, which most machines can give. The memory is far under its limit: a buffer as large
	// as the machine's cache would show.
	{image: "high-cpu", cpuAtLeast: 0.80, cpuAtMost: 1, atMost: 32 * mib, options: []string{"--cpus", "0.1"}},
	{image: "high-ram", cpuAtMost: 1, holds: 200 * mib, atMost: 288 * mib},
	{image: "low-idle", cpuAtMost: 0.02, atMost: 16 * mib},
	{image: "low-pulse", cpuAtMost: 0.02, atMost: 16 * mib},
}

// length of a window: several periods of each image and of the CPU limit (100 ms).
const length = 4 * time.Second

// A promise about CPU may be kept in any of several windows, and memory must be filled in one; the bound on memory must hold
// in all. Windows in which the image was kept from its work do not count, up to mostWindows: how long it takes to fill its
// memory then is the machine's doing.
const (
	windows     = 12
	mostWindows = 75
)

// window is what was seen of an image in one of them, in cores.
type window struct {
	used float64 // CPU time
	// ready is CPU time and the time in which the image was ready to run and did not: it waited for its limit or, on a busy
	// machine, for others.
	ready float64
}

// asked is what an image with one worker would use if it never had to wait: of the time in which it did not wait it has used
// that part of a core, and the rest it paused by itself. Who got next to nothing has shown nothing.
func (w window) asked() float64 {
	const noise = 0.005 // the counters are not read in one moment
	paused := max(0, 1-noise-w.ready)
	if w.used < noise {
		return 0
	}
	return w.used / (w.used + paused)
}

// takes says whether the image takes at least that part of its limit, or where it has not got it asks for as much of a core.
func (w window) takes(part, limit float64) bool { return w.used >= part*limit || w.asked() >= part }

// starved says that the image was ready to run most of the time and got less than its limit.
func (w window) starved(limit float64) bool { return w.ready >= 0.5 && w.used < 0.8*limit }

func TestEachImageConsumesWhatItPromises(t *testing.T) {
	needEngine(t)
	for _, p := range promises {
		t.Run(p.image, func(t *testing.T) {
			t.Parallel()
			id := launch(t, append(p.options, p.image)...)
			g := groupOf(t, run(t, "docker", "inspect", "--format", "{{.State.Pid}}", id))
			checkBounds(t, id)
			p.check(t, g, allowed(t, id))
		})
	}
}

// check watches the image until it has kept its promise, or had the time to.
func (p promise) check(t *testing.T, g group, limit float64) {
	t.Helper()
	time.Sleep(time.Second) // the runtime's own work in the cgroup at the start is not the image's
	most, asked := 0.0, 0.0
	takes, least, held := p.cpuAtLeast == 0, 1.0, uint64(0)
	for n, all := 0, 0; n < windows && all < mostWindows; all++ {
		w := p.measure(t, g)
		takes = takes || w.takes(p.cpuAtLeast, limit)
		most, asked = max(most, w.used/limit), max(asked, w.asked())
		least, held = min(least, w.used), max(held, g.anonymous(t))
		if all >= 1 && takes && least <= p.cpuAtMost && held >= p.holds {
			break
		}
		if !w.starved(limit) {
			n++
		}
	}
	t.Logf("%.1f %% of its CPU limit, asked for %.1f %% of a core, %d MiB held, %d MiB charged, limit %d MiB",
		100*most, 100*asked, held/mib, g.charged(t)/mib, g.limit(t)/mib)
	if !takes {
		t.Errorf("uses %.1f %% of its CPU limit and asks for %.1f %% of a core, promised at least %.0f %%",
			100*most, 100*asked, 100*p.cpuAtLeast)
	}
	if least > p.cpuAtMost {
		t.Errorf("uses %.1f %% of a core, promised at most %.0f %%", 100*least, 100*p.cpuAtMost)
	}
	if held < p.holds {
		t.Errorf("holds %d MiB, promised at least %d", held/mib, p.holds/mib)
	}
	if n := g.oomKills(t); n > 0 {
		t.Errorf("%d processes were killed at the memory limit", n)
	}
}

// measure watches one window and checks the bound on memory.
func (p promise) measure(t *testing.T, g group) window {
	t.Helper()
	cpu, tasks, began := g.cpuTime(t), g.ready(t), time.Now()
	time.Sleep(length)
	passed := float64(time.Since(began))
	w := window{used: float64(g.cpuTime(t)-cpu) / passed}
	for thread, time := range g.ready(t) {
		w.ready += float64(time-tasks[thread]) / passed
	}
	if charged := g.charged(t); charged > p.atMost {
		t.Errorf("takes %d MiB, promised at most %d", charged/mib, p.atMost/mib)
	}
	return w
}

// hostConfig is what the engine was told about a container.
type hostConfig struct {
	NanoCpus, Memory, MemorySwap, PidsLimit int64
	NetworkMode                             string
	ReadonlyRootfs, Privileged              bool
	CapDrop, CapAdd, SecurityOpt, Binds     []string
	RestartPolicy                           struct{ Name string }
}

func inspect(t *testing.T, id string) (h hostConfig) {
	t.Helper()
	if err := json.Unmarshal([]byte(run(t, "docker", "inspect", "--format", "{{json .HostConfig}}", id)), &h); err != nil {
		t.Fatal(err)
	}
	return h
}

// allowed is a container's CPU limit in cores.
func allowed(t *testing.T, id string) float64 { return float64(inspect(t, id).NanoCpus) / 1e9 }

// checkBounds looks at what the engine knows, not at what it was told.
func checkBounds(t *testing.T, id string) {
	t.Helper()
	h := inspect(t, id)
	bounded := h.NanoCpus > 0 && h.NanoCpus <= 1e9 && h.Memory > 0 && h.MemorySwap == h.Memory && h.PidsLimit > 0 && h.PidsLimit <= 64
	shutIn := h.NetworkMode == "none" && h.ReadonlyRootfs && !h.Privileged && len(h.CapAdd)+len(h.Binds) == 0 &&
		strings.Join(h.CapDrop, " ") == "ALL" && strings.Join(h.SecurityOpt, " ") == "no-new-privileges"
	if !bounded || !shutIn || h.RestartPolicy.Name != "no" {
		t.Errorf("not bounded or not shut in: %+v", h)
	}
}

func TestEachImageEndsByItselfAndOnSIGTERM(t *testing.T) {
	needEngine(t)
	for _, p := range promises {
		t.Run(p.image, func(t *testing.T) {
			t.Parallel()
			if code := run(t, "docker", "wait", launch(t, "--lifetime", "2", p.image)); code != "0" {
				t.Errorf("ended by itself with code %s", code)
			}
			id := launch(t, p.image)
			awaitWork(t, id)
			run(t, "docker", "stop", "--time", "60", id)
			// 137 would mean that the engine had to kill it when the minute was over.
			if code := run(t, "docker", "inspect", "--format", "{{.State.ExitCode}}", id); code != "0" && code != "143" {
				t.Errorf("answered SIGTERM with code %s", code)
			}
		})
	}
}

// awaitWork waits until the image's first process has started another: the kernel drops a signal to PID 1 that has not
// said yet what it wants to do with it.
func awaitWork(t *testing.T, id string) {
	t.Helper()
	for range 300 {
		if lines := strings.Split(run(t, "docker", "top", id, "-o", "pid"), "\n"); len(lines) > 2 { // the first is a heading
			return
		}
		time.Sleep(200 * time.Millisecond)
	}
	t.Fatal("the image's first process started nothing within a minute")
}
