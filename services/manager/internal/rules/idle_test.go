package rules

import (
	"testing"

	"gestor.local/contract/policy2"
)

// Traffic is compared with the time between two readings of its counters, however often a tick comes between them.
func TestIdleWithCountersThatAreReadSeldom(t *testing.T) {
	for name, test := range map[string]struct {
		tick      policy2.Duration
		perSecond uint64
		idle      bool
	}{
		"a tick a reading, little":    {10 * policy2.Second, 90, true},
		"a tick a reading, too much":  {10 * policy2.Second, 110, false},
		"ten ticks a reading, little": {policy2.Second, 90, true},
		"ten ticks a reading, much":   {policy2.Second, 110, false},
		"a long tick, little":         {policy2.Minute, 90, true},
		"a long tick, much":           {policy2.Minute, 110, false},
	} {
		p := policyOf(policy2.Rule{Name: "idle", When: policy2.Conditions{Idle: 10 * policy2.Minute}, Do: ladder(step(policy2.StepStop))})
		p.Tick, p.Idle.Net = test.tick, 100
		h := newHost(t, p)
		h.netEach = uint64(9 * secondUS)
		h.add("c", policy2.Hour)

		for range 15 * policy2.Minute / test.tick {
			h.boxes[0].net += test.perSecond * uint64(test.tick)
			h.tick()
		}
		if stopped := len(h.log) > 0; stopped != test.idle {
			t.Errorf("%s: stopped %t", name, stopped)
		}
	}
}
