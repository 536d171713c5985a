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
	// A lower limit than the usual one: what the image does with its share can be seen even where the machine has no
	// quarter of a CPU to give. The memory is far under its limit: a buffer as large as the machine's cache would show.
	{image: "high-cpu", cpuAtLeast: 0.80, cpuAtMost: 1, atMost: 32 * mib, options: []string{"--cpus", "0.1"}},
	{image: "high-ram", cpuAtMost: 1, holds: 200 * mib, atMost: 288 * mib},
	{image: "low-idle", cpuAtMost: 0.02, atMost: 16 * mib},
	{image: "low-pulse", cpuAtMost: 0.02, atMost: 16 * mib},
}

// window is long enough for several periods of each image and of the CPU limit (100 ms).
const window = 4 * time.Second

// On a busy machine a container gets less CPU than it is allowed, is slower to fill its memory, and is charged what the
// machine's host takes away. So a promise about CPU may be kept in any of several windows, and memory must be filled in
// one; the bound on memory must hold in all.
const windows = 12

func TestEachImageConsumesWhatItPromises(t *testing.T) {
	needEngine(t)
	for _, p := range promises {
		t.Run(p.image, func(t *testing.T) {
			t.Parallel()
			id := launch(t, append(p.options, p.image)...)
			g := groupOf(t, run(t, "docker", "inspect", "--format", "{{.State.Pid}}", id))
			checkBounds(t, id)
			share := allowed(t, id)
			time.Sleep(time.Second) // the runtime's own work in the cgroup at the start is not the image's
			cpu, least, held := 0.0, 1.0, uint64(0)
			for n := range windows {
				used := p.measure(t, g)
				cpu, least, held = max(cpu, used/share), min(least, used), max(held, g.anonymous(t))
				if n >= 1 && cpu >= p.cpuAtLeast && least <= p.cpuAtMost && held >= p.holds {
					break
				}
			}
			t.Logf("%.1f %% of its CPU limit, %d MiB held, %d MiB charged, limit %d MiB",
				100*cpu, held/mib, g.charged(t)/mib, g.limit(t)/mib)
			if cpu < p.cpuAtLeast {
				t.Errorf("uses %.1f %% of its CPU limit, promised at least %.0f %%", 100*cpu, 100*p.cpuAtLeast)
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
		})
	}
}

// measure returns the CPU time used in one window as a part of one core, and checks the bound on memory.
func (p promise) measure(t *testing.T, g group) float64 {
	t.Helper()
	before, began := g.cpuTime(t), time.Now()
	time.Sleep(window)
	used := float64(g.cpuTime(t)-before) / float64(time.Since(began))
	if charged := g.charged(t); charged > p.atMost {
		t.Errorf("takes %d MiB, promised at most %d", charged/mib, p.atMost/mib)
	}
	return used
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
