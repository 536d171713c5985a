package rulestest_test

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"gestor.local/contract/policy2"
	"gestor.local/manager/internal/rules"
	"gestor.local/manager/internal/rules/rulestest"
)

// TestNextChangeComesTrue holds what a plan says of a container's next change against what happens: in a world in which nothing
// else changes, that step is what is done next, on the first tick at or after its time.
func TestNextChangeComesTrue(t *testing.T) {
	var n counts
	defer n.log(t)
	rapid.Check(t, func(rt *rapid.T) {
		p := withoutBudget(drawPolicy(rt))
		w := rulestest.New(p, drawnFrom)
		w.Add(drawn(rt, "container").quiet())
		n.worlds++

		// promised is the next change of the tick before.
		var promised *rules.Next
		var last rules.Verdict
		w.OnTick = func(tick *rulestest.Tick) {
			n.ticks++
			if len(tick.Plan.Verdicts) != 1 || tick.Plan.Held != "" {
				promised = nil
				return
			}

			v := tick.Plan.Verdicts[0]
			if promised != nil {
				n.compared++
				isDue := promised.GUS <= tick.Facts.GUS
				isDone := v.Step == promised.Step && v.Rule == promised.Rule
				if isDone != isDue {
					rt.Fatalf("%s: of %s was promised %s by rule %d for %s (%s away), and it is\n%+v\nwas\n%+v\n%s", rulestest.Moment(tick.At), v.Name,
						promised.Step, promised.Rule, time.UnixMicro(promised.GUS).UTC(), time.Duration(promised.GUS-tick.Facts.GUS)*time.Microsecond,
						v, last, describe(tick))
				}
				if isDone {
					n.steps++
				}
			}
			promised, last = v.Next, v
			if changesALimit(&tick.Plan) { // then its use of the CPU, which is a fact, will change
				promised = nil
			}
		}
		w.Run(8 * hour)
	})
}

func changesALimit(plan *rules.Plan) bool {
	v := &plan.Verdicts[0]
	isThrottle := func(p rules.Passing) bool { return p.Step == policy2.StepThrottle }
	return len(plan.GiveBack) > 0 || v.Step == policy2.StepThrottle || slices.ContainsFunc(v.Passing, isThrottle)
}

// quiet draws a container whose figures stay, and to which nothing happens but by a rule.
func (d draw) quiet() rulestest.Container {
	c := d.container(0, 8*hour)
	c.Run, c.BadRow, c.Blur = nil, nil, nil
	c.Project, c.DependsOn = "", nil
	c.Restart = ""
	cpu, net := pick[int64](d, 0, 5, 600, 2000), pick[int64](d, 0, 5000)
	c.CPU, c.Net = rulestest.Always(cpu), rulestest.Always(net)
	c.Processes, c.RAMKB = rulestest.Always(d.between(1, 9)), rulestest.Always[uint64](20<<10)
	return c
}

// TestTheWeekend powers a host off in the evening of a Friday, and on again in the morning of a Monday: what ended in the last ten
// minutes before it counts from the boot, so that nobody who could not look at it loses it meanwhile.
func TestTheWeekend(t *testing.T) {
	var n counts
	defer n.log(t)
	rapid.Check(t, func(rt *rapid.T) {
		d := drawn(rt, "weekend")
		p := policy2.Default()
		p.Tick = policy2.Minute
		p.Own = []policy2.Selector{label("own")}
		ended := pick(d, policy2.Hour, 6*policy2.Hour, policy2.Day)
		p.Rules = []policy2.Rule{{Name: "ended", When: policy2.Conditions{Ended: ended}, Do: ladder("remove")}}

		// T is when the power goes; Monday is 62 h later.
		boot := pick(d, 62*hour, 14*hour, 15*minute)
		before := time.Duration(d.between(0, 40)) * minute
		w := rulestest.New(p, -2*hour)
		w.Add(rulestest.Container{
			Name: "job", Labels: map[string]string{"own": ""}, Created: -day,
			Run: func(n int) time.Duration { return day - before - 30*time.Second },
		})
		w.PowerOff(0, boot)
		n.worlds++
		w.OnTick = func(*rulestest.Tick) { n.ticks++ }
		w.Run(boot + time.Duration(ended)*time.Second + 2*hour)

		var removed time.Duration
		for _, e := range w.Log() {
			if e.What == rulestest.EventRemove {
				removed = e.At
				n.steps++
			}
		}
		n.compared++
		counts := boot
		if before >= 10*minute { // seen to have ended that long before the last tick
			counts = -before - 30*time.Second
		}
		due := counts + time.Duration(ended)*time.Second
		if removed == 0 || removed < due {
			rt.Fatalf("ended %s before the power went, ended: %s, boot at %s: removed at %s, and not before %s",
				before+30*time.Second, ended, rulestest.Moment(boot), rulestest.Moment(removed), rulestest.Moment(due))
		}
	})
}
