package generator

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// The time to start one container: the original code's plain loop of docker run, the wrapper in the same loop, and the wrapper as
// the generator runs it, four at a time. go test -run '^$' -bench . -benchtime 100x ./generator
func BenchmarkStart(b *testing.B) {
	if exec.Command("docker", "version").Run() != nil {
		b.Skip("no engine answers")
	}
	wrapper := filepath.Join(root, "scripts", "launch-container.sh")
	remove := func() {
		ids, _ := exec.Command("docker", "ps", "--all", "--quiet", "--filter", "label=gestor.run=bench").Output()
		if list := strings.Fields(string(ids)); len(list) > 0 {
			_ = exec.Command("docker", append([]string{"rm", "--force"}, list...)...).Run()
		}
	}
	start := func(b *testing.B, name string, arguments ...string) {
		if out, err := exec.Command(name, arguments...).CombinedOutput(); err != nil {
			b.Errorf("%v: %s", err, out)
		}
	}
	for _, way := range []struct {
		name   string
		atOnce int
		one    func(b *testing.B, i int)
	}{
		{"plain", 1, func(b *testing.B, i int) {
			start(b, "docker", "run", "--detach", "--label", "gestor.run=bench", "--name", fmt.Sprint("bench-", i), "gestor/low-idle")
		}},
		{"wrapper", 1, func(b *testing.B, _ int) { start(b, wrapper, "--run", "bench", "--suite", "bench", "low-idle") }},
		{"wrapper-4", 4, func(b *testing.B, _ int) { start(b, wrapper, "--run", "bench", "--suite", "bench", "low-idle") }},
	} {
		b.Run(way.name, func(b *testing.B) {
			b.Cleanup(remove)
			var wait sync.WaitGroup
			slots := make(chan struct{}, way.atOnce)
			for i := range b.N {
				slots <- struct{}{}
				wait.Go(func() {
					defer func() { <-slots }()
					way.one(b, i)
				})
			}
			wait.Wait()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "starts/s")
		})
	}
}
