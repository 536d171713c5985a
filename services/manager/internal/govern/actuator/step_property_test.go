package actuator_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"gestor.local/contract"
	"gestor.local/contract/policy2"
	"gestor.local/manager/internal/engine"
	"gestor.local/manager/internal/engine/enginetest"
	"gestor.local/manager/internal/govern/actuator"
)

// restless is a host on which something happens before every reading: to the container of the order at any time, to others before a
// list is taken. Nothing happens between the last reading and a call, which nobody could see.
type restless struct {
	*bench
	victim, others []func(*bench)
}

func (r *restless) happens(changes *[]func(*bench)) {
	if len(*changes) > 0 {
		(*changes)[0](r.bench)
		*changes = (*changes)[1:]
	}
}

func (r *restless) List(ctx context.Context) (contract.Inventory, error) {
	r.happens(&r.others)
	return r.bench.List(ctx)
}

func (r *restless) Inspect(ctx context.Context, id string) (engine.ContainerState, error) {
	if id == victim {
		r.happens(&r.victim)
	}
	return r.bench.Inspect(ctx, id)
}

// edits are what people and the engine do to a container.
func edits() []func(*enginetest.Container) {
	return []func(*enginetest.Container){
		func(*enginetest.Container) {},
		func(c *enginetest.Container) { c.State = contract.StatePaused },
		exited,
		func(c *enginetest.Container) { c.State = contract.StateRemoving },
		func(c *enginetest.Container) { c.State = contract.StateCreated },
		func(c *enginetest.Container) { c.State = contract.StateRestarting },
		func(c *enginetest.Container) { c.State = contract.StateDead },
		func(c *enginetest.Container) { c.State, c.StartedAt = contract.StateRunning, c.StartedAt+"1" },
		func(c *enginetest.Container) {
			c.State, c.StartedAt, c.RestartCount = contract.StateRunning, c.StartedAt+"2", c.RestartCount+1
		},
		func(c *enginetest.Container) { c.Name = "keep-it" },
		func(c *enginetest.Container) { c.Labels = nil },
		func(c *enginetest.Container) { c.Labels = map[string]string{"team": "b"} },
		func(c *enginetest.Container) { c.Labels = map[string]string{"team": "a", "precious": ""} },
		func(c *enginetest.Container) { c.Labels = map[string]string{"team": "a", contract.LabelRole: "logs"} },
		func(c *enginetest.Container) { c.Labels = map[string]string{"team": "a", contract.LabelSwarmTask: "t"} },
		func(c *enginetest.Container) { c.Labels = compose("db", "") },
		func(c *enginetest.Container) { c.Labels = compose("web", "db:service_started:true") },
		func(c *enginetest.Container) { c.NetworkMode = "container:" + victim },
		func(c *enginetest.Container) { c.Mounts = []policy2.Mount{{Type: "bind", Source: "/var/run"}} },
		func(c *enginetest.Container) { c.AutoRemove = !c.AutoRemove },
		func(c *enginetest.Container) { c.AnonymousVolumes++ },
		func(c *enginetest.Container) { c.CPU = engine.CPULimit{NanoCPUs: 30_000_000} },
		func(c *enginetest.Container) { c.CPU = engine.CPULimit{QuotaUS: 70_000} },
	}
}

func drawEdit(t *rapid.T, label string) func(*enginetest.Container) {
	all := edits()
	if rapid.IntRange(0, 2).Draw(t, "happens") > 0 {
		return all[0] // most of the time nothing does
	}
	return rapid.SampledFrom(all).Draw(t, label)
}

// drawHost makes a bench on which some things differ, and what will happen there.
func drawHost(t *rapid.T) *restless {
	b := newBench()
	b.Add(enginetest.Container{ID: other, Name: "third", Labels: map[string]string{"team": "a"}})
	for range rapid.IntRange(0, 2).Draw(t, "differences") {
		b.victim(drawEdit(t, "difference"))
	}
	b.Change(survivor, drawEdit(t, "of the survivor"))

	r := &restless{bench: b}
	for range rapid.IntRange(0, 4).Draw(t, "changes") {
		edit := drawEdit(t, "change")
		change := func(b *bench) { b.victim(edit) }
		switch rapid.IntRange(0, 19).Draw(t, "kind of change") {
		case 0:
			change = func(b *bench) { b.Drop(victim) }
		case 1:
			change = func(b *bench) { b.present.InForce.ApprovedWallUS++ }
		case 2:
			change = func(b *bench) { b.present.Suite.IDs = []string{victim} }
		}
		r.victim = append(r.victim, change)

		whose, of := rapid.SampledFrom([]string{survivor, other}).Draw(t, "whose"), drawEdit(t, "change of another")
		r.others = append(r.others, func(b *bench) { b.Change(whose, of) })
	}

	for range rapid.IntRange(0, 2).Draw(t, "faults") {
		f := enginetest.Fault{
			Op:     rapid.SampledFrom([]string{"look", "list", "stop", "kill", "remove", "update"}).Draw(t, "op"),
			Kind:   engine.Kind(rapid.IntRange(0, int(engine.KindVanished)).Draw(t, "kind")),
			Effect: rapid.Bool().Draw(t, "effect"), Times: rapid.IntRange(1, 3).Draw(t, "times"),
		}
		if f.Kind != engine.KindGone { // no engine says so of one that is there
			b.Inject(f)
		}
	}
	b.enforcer = actuator.NewStepEnforcer(r, b, &b.log, b.now)
	return r
}

func drawOrder(t *rapid.T, b *bench) actuator.StepOrder {
	steps := []policy2.Step{policy2.StepStop, policy2.StepRemove, policy2.StepThrottle}
	o := b.order(rapid.SampledFrom(steps).Draw(t, "step"))
	o.ID = rapid.SampledFrom([]string{victim, victim, victim, victim, victim[:12], "victim"}).Draw(t, "id")
	o.Act.Calls = rapid.SampledFrom([][]contract.Rung{
		{contract.RungStop, contract.RungRemove},
		{contract.RungKill, contract.RungRemove},
		{contract.RungRemove},
		{contract.RungStop, contract.RungKill, contract.RungRemove},
	}).Draw(t, "calls")
	o.Volumes, o.MayDelete = rapid.Bool().Draw(t, "volumes"), rapid.Bool().Draw(t, "may delete")
	o.NetworkModes = map[string]string{}
	for _, id := range []string{survivor, other} {
		if c, _ := b.Get(id); rapid.Bool().Draw(t, "network mode is known") {
			o.NetworkModes[id] = c.NetworkMode
		}
	}
	if rapid.Bool().Draw(t, "restarts") {
		c, _ := b.Get(victim)
		o.Restarts = new(c.RestartCount)
	}
	if rapid.IntRange(0, 3).Draw(t, "floor") == 0 {
		o.Floor = actuator.Floor{Keepers: [][]string{{survivor}, {other}}, Need: rapid.IntRange(1, 2).Draw(t, "need")}
	}
	if rapid.IntRange(0, 3).Draw(t, "once protected") == 0 {
		o.PastNames = []string{rapid.SampledFrom([]string{"keep-me", "free"}).Draw(t, "past name")}
	}
	return o
}

// Whatever the order says and whatever happens: nothing is called on a container that is not the one that was judged, or may not be
// touched at that moment.
func TestNobodyIsTouchedWhoMayNotBe(t *testing.T) {
	calls := 0
	rapid.Check(t, func(rt *rapid.T) {
		r := drawHost(rt)
		o := drawOrder(rt, r.bench)
		var wrong []string
		r.Watch(func(c enginetest.Call, target enginetest.Container, all []enginetest.Container) {
			calls++
			if why := mayNot(r.bench, &o, c, &target, all); why != "" {
				wrong = append(wrong, fmt.Sprintf("%s of %+v: %s", c.Op, target, why))
			}
		})

		var got actuator.StepResult
		synctest.Test(t, func(*testing.T) { got = r.enforcer.Do(context.Background(), o) })
		if len(wrong) > 0 {
			rt.Fatalf("%s", strings.Join(wrong, "\n"))
		}
		for _, c := range r.Calls() {
			if c.ID != victim {
				rt.Fatalf("called %+v", c)
			}
		}
		checkResult(rt, r.bench, &o, got)
	})
	if calls == 0 {
		t.Error("nothing was ever called")
	}
}

// mayNot says why the call must not be made on the target as it is.
func mayNot(b *bench, o *actuator.StepOrder, c enginetest.Call, target *enginetest.Container, all []enginetest.Container) string {
	who := &policy2.Identity{
		ID: target.ID, Name: target.Name, PastNames: o.PastNames, Image: target.Image, Labels: target.Labels,
		Networks: policy2.Known(target.Networks), Socket: policy2.Known(policy2.CountMounts(target.Mounts, "").Socket),
	}
	_, own := b.present.Policy.Owns(who, b.present.Suite)
	_, protected := b.present.Policy.Protects(who, b.present.Suite)
	_, elsewhere := contract.WorkloadOf(target.Labels)
	byEngine := o.Restarts != nil && target.RestartCount > *o.Restarts

	switch {
	case target.ID != o.ID || c.ID != o.ID:
		return "another id"
	case !own, protected, elsewhere:
		return fmt.Sprintf("own %t, protected %t, elsewhere %t", own, protected, elsewhere)
	case b.present.InForce != o.InForce:
		return "another policy"
	case target.StartedAt != o.StartedAt && !byEngine:
		return "another start"
	case target.Labels["team"] != o.Labels["team"]:
		return "another group"
	case target.State == contract.StatePaused:
		return "paused"

	case c.Op == "update" && c.CPU.Share() > target.CPU.Share() && target.CPU.Share() > 0:
		return "the limit is raised"
	case c.Op == "update":
		return ""

	case target.AutoRemove && target.AnonymousVolumes > 0 && !o.Volumes, c.Removal.Volumes && !o.Volumes:
		return "its volumes go"
	case target.AutoRemove && o.Step == policy2.StepStop && !o.MayDelete:
		return "the stop deletes it"
	case o.Step == policy2.StepStop && c.Op != "stop":
		return "only a stop was asked for"
	case c.Op == "remove" && c.Removal.Force != contract.StateAlive(target.State):
		return "a removal by force of one that does not run, or the other way round"
	}
	return mayNotForOthers(o, target, all)
}

func mayNotForOthers(o *actuator.StepOrder, target *enginetest.Container, all []enginetest.Container) string {
	keepers := 0
	for _, c := range all {
		runs := contract.StateAlive(c.State) && c.ID != target.ID
		depends := c.Labels[contract.LabelService] == "web" && target.Labels[contract.LabelService] == "db"
		mode := c.NetworkMode
		if known, ok := o.NetworkModes[c.ID]; ok {
			mode = known
		}
		if runs && (depends || mode == "container:"+target.ID) {
			return c.Name + " needs it"
		}
		if slices.ContainsFunc(o.Floor.Keepers, func(unit []string) bool { return unit[0] == c.ID }) && c.State == contract.StateRunning {
			keepers++
		}
	}
	if contract.StateAlive(target.State) && keepers < o.Floor.Need {
		return fmt.Sprintf("only %d keepers", keepers)
	}
	return ""
}

// checkResult compares the outcome with what is left of the container.
func checkResult(t *rapid.T, b *bench, o *actuator.StepOrder, got actuator.StepResult) {
	_, there := b.Get(victim)
	switch {
	case got.Outcome == "":
		t.Fatalf("no outcome: %+v", got)
	case got.Attempts != len(b.Calls()):
		t.Fatalf("%d attempts, %d calls", got.Attempts, len(b.Calls()))
	case got.Outcome == contract.OutcomeRefused && got.Why == "":
		t.Fatalf("refused without a reason")
	case (got.Outcome == contract.OutcomeFailed || got.Outcome == contract.OutcomeUnknown) && got.Err == nil:
		t.Fatalf("%s without an error", got.Outcome)
	case o.Step == policy2.StepRemove && !got.Removes:
		t.Fatalf("a removal that does not remove")
	case got.VolumesRemoved > 0 && !o.Volumes:
		t.Fatalf("volumes went: %+v", got)
	case got.Limits != nil && len(b.log.logged) == 0:
		t.Fatalf("a limit that was not written down: %+v", got)
	}

	// The engine's lies aside, what is done is done: a fault may answer without an effect.
	if got.EngineFault || len(b.Calls()) == 0 {
		return
	}
	removed := contract.ActionBody{Phase: contract.PhaseOutcome, Outcome: got.Outcome, Removes: got.Removes}.Removed()
	if removed && there {
		c, _ := b.Get(victim)
		t.Fatalf("%s, and it is there: %+v", got.Outcome, c)
	}
}

// Whatever the limit is and whoever changed it: only the one that was set is ever replaced, and by the one of before.
func TestNobodysLimitIsGivenBackButOurs(t *testing.T) {
	limit := rapid.Custom(func(t *rapid.T) engine.CPULimit {
		return engine.CPULimit{
			NanoCPUs: rapid.SampledFrom([]int64{0, 50_000_000, 500_000_000, -10_000}).Draw(t, "nano"),
			QuotaUS:  rapid.SampledFrom([]int64{0, -1, 5_000, 5_001, 50_000}).Draw(t, "quota"),
			PeriodUS: rapid.SampledFrom([]int64{0, 100_000, 200_000}).Draw(t, "period"),
		}
	})
	given := 0
	rapid.Check(t, func(rt *rapid.T) {
		r := drawHost(rt)
		limits := actuator.Limits{Before: limit.Draw(rt, "before"), Set: limit.Draw(rt, "set")}
		found := rapid.OneOf(limit, rapid.Just(limits.Set)).Draw(rt, "found")
		r.Change(victim, func(c *enginetest.Container) { c.CPU = found })

		r.Watch(func(c enginetest.Call, target enginetest.Container, _ []enginetest.Container) {
			given++
			if target.ID != victim || c.Op != "update" || c.CPU != limits.Before || !target.CPU.Same(limits.Set) {
				rt.Errorf("%+v on %+v with %+v", c, target, limits)
			}
		})
		var got actuator.StepResult
		synctest.Test(t, func(*testing.T) { got = r.giveBack(limits) })
		if got.Took > time.Minute || got.Outcome == "" {
			rt.Errorf("%+v", got)
		}
	})
	if given == 0 {
		t.Error("no limit was ever given back")
	}
}
