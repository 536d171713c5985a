package govern_test

import (
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"gestor.local/contract"
	"gestor.local/manager/internal/engine"
	"gestor.local/manager/internal/engine/enginetest"
	"gestor.local/manager/internal/journal"
	"gestor.local/ship/shiptest"
)

// twoThrottle has a rule for those with a label, whose limit another rule's takes the place of once the label is gone.
const twoThrottle = `own: [{label: gestor.managed=true}]
rules:
  - {name: hot, match: {label: hot}, when: {processes: 1}, do: throttle to 20%%, calm: 1m}
  - {name: all, when: {processes: 1}, do: throttle to %s, calm: 1m}
`

// ownLimit is that of the container, which a throttle to 200% leaves as it is.
var ownLimit = engine.CPULimit{NanoCPUs: 1_000_000_000}

// replacing is a host whose container gets the first limit, and after a while the other.
func (w *fixture) replacing(to string) {
	w.createdNow()
	w.engine.Change(id("low", 0), func(c *enginetest.Container) { c.Labels["hot"], c.CPU = "", ownLimit })
	w.coolDown(time.Minute)
	w.options.Version2 = version2(w.t, fmt.Sprintf(twoThrottle, to))
}

// coolDown takes the label away after a while.
func (w *fixture) coolDown(after time.Duration) {
	time.AfterFunc(after, func() {
		w.engine.Change(id("low", 0), func(c *enginetest.Container) {
			c.Labels = maps.Clone(c.Labels)
			delete(c.Labels, "hot")
		})
	})
}

// owesNothing says what is still lowered, or owed, or said of somebody else who has done nothing.
func (w *fixture) owesNothing(service *shiptest.Service) (problem string) {
	if c, _ := w.engine.Get(id("low", 0)); !c.CPU.Same(ownLimit) {
		problem += "the limit is lowered; "
	}
	j, recovered, err := journal.Open(w.dir, journal.Options{Version: 2})
	if err != nil {
		return err.Error()
	}
	j.Close()
	if len(recovered.Throttled) > 0 || len(recovered.Open) > 0 {
		problem += "the journal owes something; "
	}
	for _, r := range service.Records() {
		switch b := r.Body.(type) {
		case contract.ActionBody:
			if strings.Contains(b.Error, "somebody else") {
				problem += b.Action + ": " + b.Error + "; "
			}
		case contract.SystemBody:
			if b.Event == "limit_changed" {
				problem += b.Message + "; "
			}
		}
	}
	return problem
}

// Wherever the manager is killed while a limit takes the place of another rule's: it is given back, and nobody else is said to have
// changed it.
func TestKilledAtAnyStepALimitThatReplacedAnotherIsGivenBack(t *testing.T) {
	for _, to := range []string{"10%", "200%"} {
		t.Run(to, func(t *testing.T) { killedWhileReplacing(t, to) })
	}
}

func killedWhileReplacing(t *testing.T, to string) {
	const life = 4 * time.Minute
	var steps int64
	runSynctest(t, 1, 0, func(w *fixture) {
		w.replacing(to)
		var p process
		var service shiptest.Service
		w.runUntilKilled(t.TempDir(), &service, life, &p, true)
		if problem := w.owesNothing(&service); problem != "" {
			t.Fatalf("never killed: %s", problem)
		}
		if n := w.calls("")["update"]; n < 2 {
			t.Fatalf("%d changes of limits", n)
		}
		steps = p.steps.Load()
	})

	for end := int64(1); end <= steps; end++ {
		runSynctest(t, 1, 0, func(w *fixture) {
			w.replacing(to)
			var service shiptest.Service
			dir := memoryDir(t)
			w.runUntilKilled(dir, &service, life, &process{end: end}, true)
			time.Sleep(time.Second)
			w.runUntilKilled(dir, &service, life, &process{}, true)
			if problem := w.owesNothing(&service); problem != "" {
				t.Errorf("killed at step %d of %d: %s", end, steps, problem)
			}
		})
	}
}

// The engine does not answer in time, and lowers the limit late or never.
func TestALimitThatReplacesAnotherInDoubtIsGivenBack(t *testing.T) {
	for name, fault := range map[string]enginetest.Fault{
		"never":        {Op: "update", Kind: engine.KindServer, Times: 1},
		"all the same": {Op: "update", Kind: engine.KindServer, Effect: true, Times: 1},
		"refused":      {Op: "update", Kind: engine.KindOther, Times: 1},
	} {
		t.Run(name, func(t *testing.T) {
			runSynctest(t, 1, 0, func(w *fixture) {
				w.replacing("10%")
				time.AfterFunc(90*time.Second, func() { w.engine.Inject(fault) })
				var service shiptest.Service
				w.runUntilKilled(memoryDir(t), &service, 4*time.Minute, &process{}, true)
				if problem := w.owesNothing(&service); problem != "" {
					t.Error(problem)
				}
				if n := w.calls("")["update"]; n < 3 {
					t.Errorf("%d changes of limits", n)
				}
			})
		})
	}
}
