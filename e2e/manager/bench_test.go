package manager

import (
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"gestor.local/contract"
	"gestor.local/e2e/scenario"
)

// BenchmarkTick has the manager observe 10 and 200 running containers, and reads the same ones with docker stats, in the
// same run. What each costs is processor time of its own and of the engine:
//
//	go test -run '^$' -bench Tick ./manager
func BenchmarkTick(b *testing.B) {
	for _, n := range []int{10, 200} {
		b.Run(fmt.Sprintf("containers=%d", n), func(b *testing.B) {
			h := newFixture(b)
			h.populate(n)
			p := h.StartManager("mode: observe\n")
			logged(b, p, 3)
			const ticks = 10
			manager, engine := scenario.CPUTime(b, p.PID()), engineTime(b)
			logged(b, p, 3+ticks)
			manager, engine = scenario.CPUTime(b, p.PID())-manager, engineTime(b)-engine
			memory := peakMiB(b, p.PID())
			p.Stop()
			stats := statsTime(b)
			perTick := (manager + engine) / ticks
			b.ReportMetric(milli(manager)/ticks, "manager-ms/tick")
			b.ReportMetric(milli(engine)/ticks, "engine-ms/tick")
			b.ReportMetric(memory, "peak-MiB")
			b.ReportMetric(milli(stats), "stats-ms/reading")
			b.ReportMetric(milli(stats)/milli(perTick), "stats/tick")
			b.ReportMetric(0, "ns/op") // how long it waited says nothing
		})
	}
}

// populate starts n small containers, some at a time.
func (h suite) populate(n int) {
	var wait sync.WaitGroup
	slots := make(chan struct{}, 4)
	for i := range n {
		slots <- struct{}{}
		wait.Go(func() {
			defer func() { <-slots }()
			h.Spawn("low-"+strconv.Itoa(i), h.OwnedLabels(contract.ClassLow), 1)
		})
	}
	wait.Wait()
}

// logged waits until the manager has told of n ticks. It is not asked, which would cost it time.
func logged(b *testing.B, p *scenario.Manager, n int) {
	b.Helper()
	scenario.Eventually(b, time.Minute, fmt.Sprintf("%d ticks are over", n), func() error {
		if got := strings.Count(p.Output(), `"message":"tick"`); got < n {
			return fmt.Errorf("%d ticks", got)
		}
		return nil
	})
}

// engineTime is the processor time that the engine has used so far, 0 where its process is not seen.
func engineTime(b *testing.B) time.Duration {
	text, err := os.ReadFile("/var/run/docker.pid")
	if err != nil {
		return 0
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		b.Fatal(err)
	}
	return scenario.CPUTime(b, pid)
}

// statsTime is what one reading of all containers by docker stats costs the engine and the command.
func statsTime(b *testing.B) time.Duration {
	const readings = 3
	before := engineTime(b)
	var command time.Duration
	for range readings {
		cmd := exec.Command("docker", "stats", "--no-stream")
		if out, err := cmd.Output(); err != nil || strings.Count(string(out), "\n") < 2 {
			b.Fatalf("docker stats: %v: %s", err, out)
		}
		command += cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	}
	return (command + engineTime(b) - before) / readings
}

// peakMiB is the largest resident memory of a process so far.
func peakMiB(b *testing.B, pid int) float64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		b.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "VmHWM:")
	kb, err := strconv.ParseFloat(strings.Fields(rest)[0], 64)
	if err != nil {
		b.Fatal(err)
	}
	return kb / 1024
}

func milli(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
