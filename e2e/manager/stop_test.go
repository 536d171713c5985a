package manager

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/events"
	"github.com/docker/docker/api/types/filters"

	"gestor.local/contract"
	"gestor.local/e2e/scenario"
)

// ends are what the engine tells of the ends of the suite's containers.
type ends struct {
	mu     sync.Mutex // guards all
	byName map[string]*end
}

type end struct {
	told     map[events.Action]int // how often
	signals  map[string]time.Time  // by the signal's number
	died     time.Time
	exitCode string
}

// watchEnds follows the engine's events until the test is over.
func watchEnds(h suite) *ends {
	h.Helper()
	e := &ends{byName: make(map[string]*end)}
	ctx, cancel := context.WithCancel(h.Context())
	messages, _ := h.Engine.Client.Events(ctx, events.ListOptions{Filters: filters.NewArgs(
		filters.Arg("type", "container"), filters.Arg("label", scenario.LabelTest+"="+h.Name))})

	var done sync.WaitGroup
	done.Go(func() {
		for {
			select {
			case m := <-messages:
				e.add(m)
			case <-ctx.Done():
				return
			}
		}
	})
	h.Cleanup(func() { cancel(); done.Wait() })
	return e
}

func (e *ends) add(m events.Message) {
	e.mu.Lock()
	defer e.mu.Unlock()
	name, at := m.Actor.Attributes["name"], time.Unix(0, m.TimeNano)
	if e.byName[name] == nil {
		e.byName[name] = &end{told: make(map[events.Action]int), signals: make(map[string]time.Time)}
	}
	e.byName[name].told[m.Action]++

	switch m.Action {
	case events.ActionKill:
		e.byName[name].signals[m.Actor.Attributes["signal"]] = at
	case events.ActionDie:
		e.byName[name].died, e.byName[name].exitCode = at, m.Actor.Attributes["exitCode"]
	}
}

// of is how a container ended, an error until it has.
func (e *ends) of(name string) (end, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if got := e.byName[name]; got != nil && !got.died.IsZero() {
		return *got, nil
	}
	return end{}, fmt.Errorf("%s has not ended", name)
}

// spawnSlow starts a container over the number, which ends only so long after it was told to.
func spawnSlow(h suite, name string, mib int, endsAfter time.Duration, stopTimeout *int) {
	h.Helper()
	h.Run(name, &container.Config{
		Image: h.Image, Cmd: []string{strconv.Itoa(mib)}, Labels: h.OwnedLabels(contract.ClassLow),
		Env: []string{"PAYLOAD_ENDS_AFTER=" + endsAfter.String()}, StopTimeout: stopTimeout,
	}, &container.HostConfig{NetworkMode: "none", Resources: container.Resources{Memory: 128 << 20}})
}

// The policy's grace is shorter than what either of them has: it takes nothing from them.
func TestAStopWaitsForTheContainersOwnTime(t *testing.T) {
	h := newFixture(t)
	h.StartContainers(3)
	const own = 2
	spawnSlow(h, "ends-well", 40, 3*time.Second, nil)
	spawnSlow(h, "ignores-it", 50, time.Hour, new(own))

	ends := watchEnds(h)
	p := h.StartManager("act:\n  ladder: [stop, remove]\n  grace: 1s\n")
	h.WaitForPopulation(scenario.Soon, "low-0", "low-1", "low-2")
	scenario.Eventually(t, scenario.Soon, "both outcomes are known", func() error {
		for _, name := range []string{"ends-well", "ignores-it"} {
			if got := p.Outcome(name); got != contract.OutcomeDone {
				return fmt.Errorf("%s: %q", name, got)
			}
			if _, err := ends.of(h.FullName(name)); err != nil {
				return err
			}
		}
		return nil
	})
	p.Stop()

	// 15 is SIGTERM, the payload's stop signal, and 9 what the engine sends when the wait is over.
	well, _ := ends.of(h.FullName("ends-well"))
	if _, killed := well.signals["9"]; killed || well.exitCode != "0" || well.died.Sub(well.signals["15"]) < 3*time.Second {
		t.Errorf("one that needs 3 s: %+v, want it to end by itself after them", well)
	}
	deaf, _ := ends.of(h.FullName("ignores-it"))
	if waited := deaf.signals["9"].Sub(deaf.signals["15"]); deaf.exitCode != "137" || waited < own*time.Second {
		t.Errorf("one that ignores the signal was killed after %s: %+v, want its own %d s", waited, deaf, own)
	}
}
