package govern_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"gestor.local/contract"
	"gestor.local/manager/internal/engine/enginetest"
	"gestor.local/manager/internal/govern"
)

// crash is one end and one new start of a container by its restart policy, seen between the two.
func (w *fixture) crash(one string) {
	w.engine.Change(one, func(c *enginetest.Container) {
		c.State, c.ExitCode = "restarting", 137
		c.RestartCount++
		c.StartedAt = time.Now().UTC().Format(time.RFC3339Nano)
	})
}

func TestAContainerThatCrashesAgainAndAgainIsNamed(t *testing.T) {
	one := id("low", 0)
	runSynctest(t, 3, 2, func(w *fixture) {
		steps := []func(){noop}
		for range 4 {
			steps = append(steps, func() { w.crash(one) })
		}
		steps = append(steps, func() {
			c, ok := w.reports.condition(govern.ConditionCrashLoop)
			if !ok || c.Gate || !strings.Contains(c.Text, "low-0 (4 restarts, last exit code 137)") {
				t.Errorf("condition %+v", c)
			}
			w.engine.Change(one, func(c *enginetest.Container) { c.State = "running" })
		})
		for range 70 { // a quarter of an hour without another end
			steps = append(steps, noop)
		}
		w.atTicks(steps...)

		if c, ok := w.reports.condition(govern.ConditionCrashLoop); ok {
			t.Errorf("it runs for long and the condition says %q", c.Text)
		}
		for other, n := range w.engine.Inspections() {
			if other != one && n > 1 {
				t.Errorf("%.4s…, which never ended, was inspected %d times", other, n)
			}
		}
	})
}

func TestARestartNowAndThenIsNoLoop(t *testing.T) {
	one := id("low", 0)
	runSynctest(t, 3, 2, func(w *fixture) {
		w.engine.Change(one, func(c *enginetest.Container) { c.RestartCount = 50 }) // in its life before
		steps := []func(){noop}
		for range 6 {
			steps = append(steps, func() { w.crash(one) }, func() { w.engine.Change(one, func(c *enginetest.Container) { c.State = "running" }) })
			for range 33 {
				steps = append(steps, noop)
			}
		}
		w.atTicks(steps...)
		for _, e := range bodies[contract.SystemBody](w.spool) {
			if e.Details["condition"] == govern.ConditionCrashLoop {
				t.Fatalf("six restarts in half an hour are called a loop: %s", e.Message)
			}
		}
	})
}

func TestManyThatCrashAreNoStormOfInspections(t *testing.T) {
	runSynctest(t, 60, 0, func(w *fixture) {
		for n := range 60 {
			w.engine.Change(id("low", n), func(c *enginetest.Container) { c.State, c.RestartCount = "restarting", 5 })
		}
		var inspections []int
		count := w.inspected(&inspections)
		w.atTicks(count, count, count)
		for i := 1; i < len(inspections); i++ {
			if n := inspections[i] - inspections[i-1]; n > 20 {
				t.Errorf("%d inspections on a tick", n)
			}
		}
	})
}

func TestALongListIsShortened(t *testing.T) {
	runSynctest(t, 8, 0, func(w *fixture) {
		w.options.Policy.Mode = contract.ModeObserve
		steps := []func(){noop}
		for range 4 {
			steps = append(steps, func() {
				for n := range 8 {
					w.crash(id("low", n))
				}
			})
		}
		steps = append(steps, func() {
			if c, ok := w.reports.condition(govern.ConditionCrashLoop); !ok || !strings.Contains(c.Text, "3 more") || strings.Contains(c.Text, fmt.Sprint("low-", 6)) {
				t.Errorf("condition %+v", c)
			}
		})
		w.atTicks(steps...)
	})
}
