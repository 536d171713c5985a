package actuator_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"gestor.local/contract"
	"gestor.local/contract/policy2"
	"gestor.local/manager/internal/engine"
	"gestor.local/manager/internal/engine/enginetest"
	"gestor.local/manager/internal/govern/actuator"
)

// bench is a host with a victim, and an enforcer of a policy that owns whoever has the label team.
type bench struct {
	*enginetest.Engine
	enforcer *actuator.StepEnforcer
	log      limitLog

	mu      sync.Mutex // guards present
	present actuator.Present
}

// limitLog keeps the intents of throttles.
type limitLog struct {
	logged []actuator.Limits
	err    error
	then   func() // what happens while it is written
}

func (l *limitLog) LogLimits(_ actuator.StepOrder, limits actuator.Limits) error {
	if l.err == nil {
		l.logged = append(l.logged, limits)
	}
	if l.then != nil {
		l.then()
	}
	return l.err
}

func stepPolicy() *policy2.Policy {
	p := policy2.Default()
	p.Own = []policy2.Selector{{Label: &policy2.Label{Key: "team", Any: true}}}
	p.Protect = []policy2.Selector{{Name: []string{"keep*"}}, {Label: &policy2.Label{Key: "precious", Any: true}}}
	return &p
}

func newBench() *bench {
	p := stepPolicy()
	b := &bench{Engine: enginetest.New(
		enginetest.Container{ID: victim, Name: "victim", Labels: map[string]string{"team": "a"}, StartedAt: started},
		enginetest.Container{ID: survivor, Name: "survivor", Labels: map[string]string{"team": "a"}, StartedAt: started},
	)}
	b.present = actuator.Present{InForce: actuator.InForce{PolicyHash: p.Hash(), Mode: p.Mode, ApprovedWallUS: 7}, Policy: p}
	b.enforcer = actuator.NewStepEnforcer(b, b, &b.log, b.now)
	return b
}

func (b *bench) now() actuator.Present {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.present
}

// order is what the plan says of the victim, as it is now.
func (b *bench) order(step policy2.Step) actuator.StepOrder {
	c, _ := b.Get(victim)
	return actuator.StepOrder{
		ActionID: "1", Tick: 7, ID: victim, Name: c.Name, Step: step, StepIndex: 1, RuleHash: "r",
		InForce: b.now().InForce, Act: b.now().Policy.Act, StartedAt: c.StartedAt,
		Labels:     map[string]string{"team": "a", contract.LabelClass: ""},
		AutoRemove: c.AutoRemove, AnonymousVolumes: c.AnonymousVolumes,
		NetworkModes: map[string]string{survivor: "bridge"}, NanoCPUs: 50_000_000,
	}
}

func (b *bench) victim(edit func(*enginetest.Container)) { b.Change(victim, edit) }

// run carries the order out under a clock of its own.
func run(t *testing.T, b *bench, o actuator.StepOrder) (r actuator.StepResult) {
	synctest.Test(t, func(*testing.T) { r = b.enforcer.Do(context.Background(), o) })
	return r
}

func rm(c *enginetest.Container)     { c.AutoRemove = true }
func exited(c *enginetest.Container) { c.State = contract.StateExited }

func TestHowStepsEnd(t *testing.T) {
	stop, remove := policy2.StepStop, policy2.StepRemove
	killFirst := []contract.Rung{contract.RungKill, contract.RungRemove}
	fault := func(f enginetest.Fault) func(*bench, *actuator.StepOrder) {
		return func(b *bench, _ *actuator.StepOrder) { b.Inject(f) }
	}

	tests := []struct {
		name    string
		step    policy2.Step
		arrange func(*bench, *actuator.StepOrder)
		outcome string
		calls   []string
		removes bool
		state   string // of the victim afterwards, "" for gone
		fault   bool
	}{
		{name: "stop", step: stop, outcome: contract.OutcomeDone, calls: []string{"stop"}, state: "exited"},
		{
			name: "stop of one that has ended", step: stop, outcome: contract.OutcomeAlreadyStopped, state: "exited",
			arrange: func(b *bench, _ *actuator.StepOrder) { b.victim(exited) },
		},
		{
			name: "stop of one that is gone", step: stop, outcome: contract.OutcomeAlreadyGone,
			arrange: func(b *bench, _ *actuator.StepOrder) { b.Drop(victim) },
		},
		{
			name: "stop of one that is being removed", step: stop, outcome: contract.OutcomeAlreadyGone, state: "removing",
			arrange: func(b *bench, _ *actuator.StepOrder) {
				b.victim(func(c *enginetest.Container) { c.State = contract.StateRemoving })
			},
		},
		{
			name: "stop that deletes", step: stop, outcome: contract.OutcomeDone, calls: []string{"stop"}, removes: true,
			arrange: func(b *bench, o *actuator.StepOrder) { b.victim(rm); o.AutoRemove, o.MayDelete = true, true },
		},
		{
			name: "stop of one with a restart policy", step: stop, outcome: contract.OutcomeDone, calls: []string{"stop"}, state: "exited",
			arrange: func(b *bench, _ *actuator.StepOrder) {
				b.victim(func(c *enginetest.Container) { c.RestartPolicy = "always" })
			},
		},
		{
			name: "stop that fails twice", step: stop, outcome: contract.OutcomeDone, calls: []string{"stop", "stop", "stop"}, state: "exited",
			arrange: fault(enginetest.Fault{Op: "stop", Kind: engine.KindServer, Times: 2}), fault: true,
		},
		{
			name: "stop that fails for ever", step: stop,
			outcome: contract.OutcomeUnknown, calls: []string{"stop", "stop", "stop"}, state: "running",
			arrange: fault(enginetest.Fault{Op: "stop", Kind: engine.KindServer}), fault: true,
		},
		{
			name: "stop that took effect although the engine failed", step: stop, outcome: contract.OutcomeDone, calls: []string{"stop"},
			state: "exited", arrange: fault(enginetest.Fault{Op: "stop", Kind: engine.KindServer, Effect: true}), fault: true,
		},
		{
			name: "an engine that is not reached", step: stop, outcome: contract.OutcomeFailed, calls: []string{"stop", "stop", "stop"},
			state: "running", arrange: fault(enginetest.Fault{Op: "stop", Kind: engine.KindUnreachable}), fault: true,
		},
		{
			name: "an engine without stop", step: stop, outcome: contract.OutcomeRefused, calls: []string{"stop"}, state: "running",
			arrange: fault(enginetest.Fault{Op: "stop", Kind: engine.KindUnsupported}),
		},
		{
			name: "an engine that says no", step: stop, outcome: contract.OutcomeFailed, calls: []string{"stop"}, state: "running",
			arrange: fault(enginetest.Fault{Op: "stop", Kind: engine.KindOther}),
		},
		{
			name: "stop of one that somebody removes meanwhile", step: stop, outcome: contract.OutcomeAlreadyGone, calls: []string{"stop"},
			state: "running", arrange: fault(enginetest.Fault{Op: "stop", Kind: engine.KindGone}),
		},

		{name: "remove", step: remove, outcome: contract.OutcomeDone, calls: []string{"stop", "remove"}, removes: true},
		{
			name: "kill and remove", step: remove, outcome: contract.OutcomeDone, calls: []string{"kill", "remove"}, removes: true,
			arrange: func(_ *bench, o *actuator.StepOrder) { o.Act.Calls = killFirst },
		},
		{
			name: "remove at once", step: remove, outcome: contract.OutcomeDone, calls: []string{"remove by force"}, removes: true,
			arrange: func(_ *bench, o *actuator.StepOrder) { o.Act.Calls = []contract.Rung{contract.RungRemove} },
		},
		{
			name: "remove of one that has ended", step: remove, outcome: contract.OutcomeAlreadyStopped, calls: []string{"remove"}, removes: true,
			arrange: func(b *bench, _ *actuator.StepOrder) { b.victim(exited) },
		},
		{
			name: "remove of one that never ran", step: remove, outcome: contract.OutcomeAlreadyStopped, calls: []string{"remove"}, removes: true,
			arrange: func(b *bench, _ *actuator.StepOrder) {
				b.victim(func(c *enginetest.Container) { c.State = contract.StateCreated })
			},
		},
		{
			name: "remove of one that is gone", step: remove, outcome: contract.OutcomeAlreadyGone, removes: true,
			arrange: func(b *bench, _ *actuator.StepOrder) { b.Drop(victim) },
		},
		{
			name: "remove of one with --rm", step: remove, outcome: contract.OutcomeDone, calls: []string{"stop"}, removes: true,
			arrange: func(b *bench, o *actuator.StepOrder) { b.victim(rm); o.AutoRemove = true },
		},
		{
			name: "a kill that finds it ended", step: remove,
			outcome: contract.OutcomeAlreadyStopped, calls: []string{"kill", "remove"}, removes: true,
			arrange: func(b *bench, o *actuator.StepOrder) {
				o.Act.Calls = killFirst
				b.Inject(enginetest.Fault{Op: "kill", Kind: engine.KindNotRunning, Effect: true, Times: 1})
			},
		},
		{
			name: "an engine that cannot stop, but kill", step: remove, outcome: contract.OutcomeDone, removes: true,
			calls: []string{"stop", "kill", "remove"},
			arrange: func(b *bench, o *actuator.StepOrder) {
				o.Act.Calls = []contract.Rung{contract.RungStop, contract.RungKill, contract.RungRemove}
				b.Inject(enginetest.Fault{Op: "stop", Kind: engine.KindUnsupported})
			},
		},
		{
			name: "an engine that can only remove", step: remove,
			outcome: contract.OutcomeDone, calls: []string{"stop", "remove by force"}, removes: true,
			arrange: fault(enginetest.Fault{Op: "stop", Kind: engine.KindUnsupported}),
		},
		{
			name: "an engine that cannot remove", step: remove, outcome: contract.OutcomeFailed, calls: []string{"stop", "remove"}, removes: true,
			state: "exited", arrange: fault(enginetest.Fault{Op: "remove", Kind: engine.KindUnsupported}),
		},
		{
			name: "a time-out after the stop took effect", step: remove,
			outcome: contract.OutcomeDone, calls: []string{"stop", "remove"}, removes: true,
			arrange: fault(enginetest.Fault{Op: "stop", Delay: time.Hour, Effect: true}), fault: true,
		},
		{
			name: "a removal that somebody else has begun, and it ends", step: remove, outcome: contract.OutcomeDone, removes: true,
			calls: []string{"stop", "remove"}, arrange: fault(enginetest.Fault{Op: "remove", Kind: engine.KindRemoving, Effect: true}),
		},
		{
			name: "a removal in progress that does not end", step: remove, outcome: contract.OutcomeUnknown, removes: true,
			calls: []string{"stop", "remove"}, state: "exited", arrange: fault(enginetest.Fault{Op: "remove", Kind: engine.KindRemoving}),
		},
		{
			name: "a removal that the engine refuses", step: remove, outcome: contract.OutcomeFailed, removes: true,
			calls: []string{"stop", "remove", "remove", "remove"}, state: "exited",
			arrange: fault(enginetest.Fault{Op: "remove", Kind: engine.KindOther}),
		},
		{
			name: "no inspection after the stop", step: remove, outcome: contract.OutcomeUnknown, calls: []string{"stop"}, removes: true,
			state: "exited", fault: true,
			arrange: func(b *bench, _ *actuator.StepOrder) {
				b.Inject(enginetest.Fault{Op: "look", Times: 1}, enginetest.Fault{Op: "look", Kind: engine.KindServer})
			},
		},
		{
			name: "no inspection after a stop that was all", step: stop, outcome: contract.OutcomeDone, calls: []string{"stop"}, state: "exited",
			arrange: func(b *bench, _ *actuator.StepOrder) {
				b.Inject(enginetest.Fault{Op: "look", Times: 1}, enginetest.Fault{Op: "look", Kind: engine.KindServer})
			},
		},
		{
			name: "no list of those who may need it", step: stop, outcome: contract.OutcomeFailed, state: "running", fault: true,
			arrange: fault(enginetest.Fault{Op: "list", Kind: engine.KindServer}),
		},
		{
			name: "no inspection", step: remove, outcome: contract.OutcomeFailed, removes: true, state: "running", fault: true,
			arrange: fault(enginetest.Fault{Op: "look", Kind: engine.KindTimeout}),
		},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := newBench()
			o := b.order(tt.step)
			if tt.arrange != nil {
				tt.arrange(b, &o)
			}

			got := run(t, b, o)
			if got.Outcome != tt.outcome || got.Removes != tt.removes || got.EngineFault != tt.fault {
				t.Errorf("%q, removes %t, fault %t (%s), want %q, %t, %t",
					got.Outcome, got.Removes, got.EngineFault, got.ErrorText(), tt.outcome, tt.removes, tt.fault)
			}
			if diff := cmp.Diff(tt.calls, stepOps(b)); diff != "" {
				t.Errorf("calls (-want +got):\n%s", diff)
			}
			if got.Attempts != len(tt.calls) {
				t.Errorf("%d attempts at %v", got.Attempts, tt.calls)
			}
			if c, _ := b.Get(victim); c.State != tt.state {
				t.Errorf("it is %q afterwards, want %q", c.State, tt.state)
			}
		})
	}
}

// stepOps are the calls that the engine got, with what a removal was asked to do.
func stepOps(b *bench) (out []string) {
	for _, c := range b.Calls() {
		op := c.Op
		if c.Removal.Force {
			op += " by force"
		}
		if c.Removal.Volumes {
			op += " with volumes"
		}
		out = append(out, op)
	}
	return out
}

func TestAnOutcomeCountsAnonymousVolumes(t *testing.T) {
	two := func(c *enginetest.Container) { c.AnonymousVolumes = 2 }
	tests := []struct {
		name          string
		step          policy2.Step
		edits         []func(*enginetest.Container)
		volumes       bool
		calls         []string
		left, removed int
	}{
		{"a removal leaves them", policy2.StepRemove, []func(*enginetest.Container){two}, false, []string{"stop", "remove"}, 2, 0},
		{"a removal takes them", policy2.StepRemove, []func(*enginetest.Container){two}, true, []string{"stop", "remove with volumes"}, 0, 2},
		{"of one that has ended", policy2.StepRemove, []func(*enginetest.Container){two, exited}, true, []string{"remove with volumes"}, 0, 2},
		{"the engine takes them with --rm", policy2.StepRemove, []func(*enginetest.Container){two, rm}, true, []string{"stop"}, 0, 2},
		{"a stop takes them with --rm", policy2.StepStop, []func(*enginetest.Container){two, rm}, true, []string{"stop"}, 0, 2},
		{"a stop leaves the container with them", policy2.StepStop, []func(*enginetest.Container){two}, false, []string{"stop"}, 0, 0},
		{"there are none", policy2.StepRemove, nil, true, []string{"stop", "remove with volumes"}, 0, 0},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := newBench()
			for _, edit := range tt.edits {
				b.victim(edit)
			}
			o := b.order(tt.step)
			o.Volumes, o.MayDelete = tt.volumes, true

			got := run(t, b, o)
			if got.VolumesLeft != tt.left || got.VolumesRemoved != tt.removed {
				t.Errorf("%q: %d left, %d removed, want %d and %d", got.Outcome, got.VolumesLeft, got.VolumesRemoved, tt.left, tt.removed)
			}
			if diff := cmp.Diff(tt.calls, stepOps(b)); diff != "" {
				t.Errorf("calls (-want +got):\n%s", diff)
			}
		})
	}
}

// Of whom nothing was removed no volumes are counted.
func TestARefusalCountsNoVolumes(t *testing.T) {
	b := newBench()
	b.victim(func(c *enginetest.Container) { c.AnonymousVolumes = 2 })
	o := b.order(policy2.StepRemove)
	b.victim(func(c *enginetest.Container) { c.State = contract.StatePaused })
	if got := run(t, b, o); got.Outcome != contract.OutcomeRefused || got.VolumesLeft != 0 || got.VolumesRemoved != 0 {
		t.Errorf("%+v", got)
	}
}

const other = "cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc"

// compose are the labels of a service that depends on others.
func compose(service, dependsOn string) map[string]string {
	return map[string]string{
		"team": "a", contract.LabelProject: "shop", contract.LabelConfigHash: "1", contract.LabelService: service,
		"com.docker.compose.depends_on": dependsOn,
	}
}

func TestTheLastLookRefuses(t *testing.T) {
	type host struct {
		*bench
		o *actuator.StepOrder
	}
	victimIs := func(edit func(*enginetest.Container)) func(host) { return func(h host) { h.victim(edit) } }
	stop, remove, throttle := policy2.StepStop, policy2.StepRemove, policy2.StepThrottle
	all, ends := []policy2.Step{stop, remove, throttle}, []policy2.Step{stop, remove}

	tests := []struct {
		name    string
		steps   []policy2.Step
		arrange func(host)
		why     string
	}{
		{"another policy is in force", all, func(h host) { h.present.InForce.PolicyHash = "0" }, "the policy changed"},
		{"another approval is in force", all, func(h host) { h.present.InForce.ApprovedWallUS++ }, "the policy changed"},
		{"the approval was withdrawn", all, func(h host) { h.present.InForce.ApprovedWallUS = 0 }, "the policy changed"},
		{"it only observes now", all, func(h host) { h.present.InForce.Mode = contract.ModeObserve }, "the policy changed"},
		{"there is no policy", all, func(h host) { h.present.Policy = nil }, "the policy changed"},

		{"a short id", all, func(h host) { h.o.ID = victim[:12] }, "no full id"},
		{"a name", all, func(h host) { h.o.ID = "victim" }, "no full id"},
		{"the start is not known", all, func(h host) { h.o.StartedAt = "" }, "did not tell when"},
		{"somebody started it", all, victimIs(func(c *enginetest.Container) { c.StartedAt = "2026-02-02T00:00:00Z" }), "started again"},
		{"somebody started one that restarts", all, func(h host) {
			h.o.Restarts = new(4)
			h.victim(func(c *enginetest.Container) { c.StartedAt, c.RestartCount = "2026-02-02T00:00:00Z", 0 })
		}, "started again"},

		{"disowned", all, victimIs(func(c *enginetest.Container) { delete(c.Labels, "team") }), "not own"},
		{"it got a role", all, victimIs(func(c *enginetest.Container) { c.Labels[contract.LabelRole] = "logs" }), "a part of Gestor (role)"},
		{"it is of the suite", all, func(h host) { h.present.Suite.IDs = []string{victim} }, "a part of Gestor (suite)"},
		{"of the suite's project", all, func(h host) {
			h.present.Suite.Project = "shop"
			h.victim(func(c *enginetest.Container) { c.Labels = compose("db", "") })
		}, "a part of Gestor (project)"},
		{"it mounts the engine's socket", all, func(h host) {
			h.present.Socket = "/srv/engine.sock"
			h.victim(func(c *enginetest.Container) { c.Mounts = []policy2.Mount{{Type: "bind", Source: "/srv"}} })
		}, "not own"},
		{"protected by a label", all, victimIs(func(c *enginetest.Container) { c.Labels["precious"] = "" }), "protect[1] precious"},
		{"renamed into protection", all, victimIs(func(c *enginetest.Container) { c.Name = "keep-it" }), "protect[0] keep*"},
		{"once called so", all, func(h host) { h.o.PastNames = []string{"keep-me"} }, "protect[0] keep*"},
		{"an orchestrator's", all, victimIs(func(c *enginetest.Container) { c.Labels[contract.LabelSwarmTask] = "t" }), "swarm keeps it"},

		{"another class", all, victimIs(func(c *enginetest.Container) { c.Labels[contract.LabelClass] = "low" }), "gestor.class changed"},
		{"another group", all, victimIs(func(c *enginetest.Container) { c.Labels["team"] = "b" }), "team changed"},
		{"paused", all, victimIs(func(c *enginetest.Container) { c.State = contract.StatePaused }), "paused"},
		{"without configuration", all, func(h host) {
			h.leaveOut(func(s *engine.ContainerState) { s.NetworkMode = "" })
		}, "how it was configured"},
		{"it does not run", []policy2.Step{throttle}, victimIs(exited), "does not run"},

		{"its volumes are not told", all, func(h host) { h.leaveOut(func(s *engine.ContainerState) { s.Mounts = nil }) }, "not own any more"},
		{"it has --rm after all", ends, victimIs(rm), "not those that were seen"},
		{"more anonymous volumes", ends, victimIs(func(c *enginetest.Container) { c.AnonymousVolumes = 1 }), "not those that were seen"},
		{"--rm and volumes that were not given up", ends, func(h host) {
			h.o.AutoRemove, h.o.AnonymousVolumes, h.o.MayDelete = true, 1, true
			h.victim(func(c *enginetest.Container) { c.AutoRemove, c.AnonymousVolumes = true, 1 })
		}, "would delete its anonymous volumes"},
		{"--rm and nothing but a stop", []policy2.Step{stop}, func(h host) { h.o.AutoRemove = true; h.victim(rm) }, "the stop would delete it"},

		{"a dependant still runs", ends, func(h host) {
			h.victim(func(c *enginetest.Container) { c.Labels = compose("db", "") })
			h.Change(survivor, func(c *enginetest.Container) { c.Labels = compose("web", "db:service_started:true") })
		}, "survivor still runs and needs it"},
		{"one that goes before it in a circle still runs", ends, func(h host) {
			h.Add(enginetest.Container{ID: other, Name: "third", Labels: compose("web", "db:service_started:true")})
			h.victim(func(c *enginetest.Container) { c.Labels = compose("db", "cache:service_started:true") })
			h.Change(survivor, func(c *enginetest.Container) { c.Labels = compose("cache", "web:service_started:true") })
			h.o.Circle = []string{survivor, victim, other}
		}, "survivor still runs and needs it"},
		{"one outside needs another of the circle", ends, func(h host) {
			h.Add(enginetest.Container{ID: other, Name: "shop", Labels: compose("shop", "cache:service_started:true")})
			h.victim(func(c *enginetest.Container) { c.Labels = compose("db", "cache:service_started:true") })
			h.Change(survivor, func(c *enginetest.Container) { c.Labels = compose("cache", "db:service_started:true") })
			h.o.Circle = []string{victim, survivor}
		}, "shop still runs and needs it"},
		{"one that needs it back stays", ends, func(h host) {
			h.victim(func(c *enginetest.Container) { c.Labels = compose("db", "web:service_started:true") })
			h.Change(survivor, func(c *enginetest.Container) { c.Labels = compose("web", "db:service_started:true") })
		}, "survivor still runs and needs it"},
		{"one shares its network", ends, func(h host) {
			h.Add(enginetest.Container{ID: other, Name: "sidecar"})
			h.o.NetworkModes[other] = "container:" + victim
		}, "sidecar still runs and needs it"},
		{"one was started to share its network", ends, func(h host) {
			h.Add(enginetest.Container{ID: other, Name: "sidecar", NetworkMode: "container:victim"})
		}, "sidecar still runs and needs it"},
		{"one shares its network between two starts", ends, func(h host) {
			h.Add(enginetest.Container{ID: other, Name: "sidecar", NetworkMode: "container:" + victim, State: contract.StateRestarting})
		}, "sidecar still runs and needs it"},

		{"a keeper ended", ends, func(h host) {
			h.o.Floor = actuator.Floor{Keepers: [][]string{{survivor}}, Need: 1}
			h.Change(survivor, exited)
		}, "only 0 of the 1"},
		{"a keeper is paused", ends, func(h host) {
			h.o.Floor = actuator.Floor{Keepers: [][]string{{survivor}}, Need: 1}
			h.Change(survivor, func(c *enginetest.Container) { c.State = contract.StatePaused })
		}, "only 0 of the 1"},
		{"one of two projects ended", ends, func(h host) {
			h.o.Floor = actuator.Floor{Keepers: [][]string{{survivor, victim}, {other}}, Need: 2}
		}, "only 1 of the 2"},
		{"a step that is none of the engine's", []policy2.Step{policy2.StepWarn, policy2.StepKeep, ""}, func(host) {}, "nothing to do"},
	}

	for _, tt := range tests {
		for _, step := range tt.steps {
			t.Run(tt.name+": "+string(step), func(t *testing.T) {
				b := newBench()
				o := b.order(step)
				tt.arrange(host{b, &o})
				for key := range o.Labels { // compose labels are as they were judged, unless the test changes one
					if c, _ := b.Get(victim); c.Labels[contract.LabelService] != "" {
						o.Labels[key] = c.Labels[key]
					}
				}

				got := run(t, b, o)
				if got.Outcome != contract.OutcomeRefused || !strings.Contains(got.Why, tt.why) {
					t.Errorf("%q, why %q (%v), want refused, %q", got.Outcome, got.Why, got.Err, tt.why)
				}
				if calls := b.Calls(); len(calls) != 0 || len(b.log.logged) != 0 {
					t.Errorf("called %v, logged %v", calls, b.log.logged)
				}
			})
		}
	}
}

// leaveOut has inspections of the victim leave something out.
func (b *bench) leaveOut(edit func(*engine.ContainerState)) {
	b.enforcer = actuator.NewStepEnforcer(&editing{b, edit}, b, &b.log, b.now)
}

type editing struct {
	*bench
	edit func(*engine.ContainerState)
}

func (e *editing) Inspect(ctx context.Context, id string) (engine.ContainerState, error) {
	state, err := e.bench.Inspect(ctx, id)
	if id == victim && err == nil {
		e.edit(&state)
	}
	return state, err
}

func TestTheLastLookAllows(t *testing.T) {
	for name, arrange := range map[string]func(*bench, *actuator.StepOrder){
		"one that the engine restarts": func(b *bench, o *actuator.StepOrder) {
			o.Restarts = new(4)
			b.victim(func(c *enginetest.Container) { c.StartedAt, c.RestartCount = "2026-02-02T00:00:00Z", 5 })
		},
		"one that was renamed": func(b *bench, _ *actuator.StepOrder) {
			b.victim(func(c *enginetest.Container) { c.Name = "another" })
		},
		"a dependant that has ended": func(b *bench, _ *actuator.StepOrder) {
			b.victim(func(c *enginetest.Container) { c.Labels = compose("db", "") })
			b.Change(survivor, func(c *enginetest.Container) {
				c.Labels, c.State = compose("web", "db:service_started:true"), contract.StateExited
			})
		},
		"two that need each other and are both to go": func(b *bench, o *actuator.StepOrder) {
			b.victim(func(c *enginetest.Container) { c.Labels = compose("db", "web:service_started:true") })
			b.Change(survivor, func(c *enginetest.Container) { c.Labels = compose("web", "db:service_started:true") })
			o.Circle = []string{victim, survivor}
		},
		"the first of three in a circle": func(b *bench, o *actuator.StepOrder) {
			b.Add(enginetest.Container{ID: other, Name: "third", Labels: compose("web", "db:service_started:true")})
			b.victim(func(c *enginetest.Container) { c.Labels = compose("db", "cache:service_started:true") })
			b.Change(survivor, func(c *enginetest.Container) { c.Labels = compose("cache", "web:service_started:true") })
			o.Circle = []string{victim, survivor, other}
		},
		"as many keepers as places": func(_ *bench, o *actuator.StepOrder) {
			o.Floor = actuator.Floor{Keepers: [][]string{{other}, {other, survivor}}, Need: 1}
		},
		"no keeper runs, and neither does it": func(b *bench, o *actuator.StepOrder) {
			o.Floor = actuator.Floor{Keepers: [][]string{{survivor}}, Need: 1}
			b.Change(survivor, exited)
			b.victim(exited)
		},
		"one that came meanwhile and needs nobody": func(b *bench, _ *actuator.StepOrder) {
			b.Add(enginetest.Container{ID: other, Name: "newcomer"})
		},
		"one that came meanwhile and has gone": func(b *bench, _ *actuator.StepOrder) {
			b.Add(enginetest.Container{ID: other, Name: "newcomer"})
			b.Inject(enginetest.Fault{Op: "look", ID: other, Kind: engine.KindGone})
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench()
			o := b.order(policy2.StepRemove)
			arrange(b, &o)
			if got := run(t, b, o); got.Outcome != contract.OutcomeDone && got.Outcome != contract.OutcomeAlreadyStopped {
				t.Errorf("%q: %s", got.Outcome, got.ErrorText())
			}
		})
	}
}

// Who cannot be seen not to need it may need it.
func TestANewcomerThatCannotBeInspectedKeepsItFromGoing(t *testing.T) {
	for name, arrange := range map[string]func(*bench){
		"no answer":         func(b *bench) { b.Inject(enginetest.Fault{Op: "look", ID: other, Kind: engine.KindServer}) },
		"half of an answer": func(b *bench) { b.Change(other, func(c *enginetest.Container) { c.NetworkMode = "" }) },
	} {
		b := newBench()
		b.Add(enginetest.Container{ID: other, Name: "newcomer"})
		o := b.order(policy2.StepStop)
		arrange(b)
		if got := run(t, b, o); got.Outcome != contract.OutcomeFailed || len(b.Calls()) != 0 {
			t.Errorf("%s: %q after %v", name, got.Outcome, b.Calls())
		}
	}
}

// between has something happen to the host after the first call of the order, before the second.
func between(b *bench, happens func()) {
	var once sync.Once
	b.enforcer = actuator.NewStepEnforcer(&editing{b, func(*engine.ContainerState) {}}, &after{b, func() { once.Do(happens) }}, &b.log, b.now)
}

type after struct {
	*bench
	happens func()
}

func (a *after) Stop(ctx context.Context, id string, wait time.Duration) error {
	err := a.bench.Stop(ctx, id, wait)
	a.happens()
	return err
}

// What takes minutes to stop may be another matter afterwards.
func TestEveryCallHasALookOfItsOwn(t *testing.T) {
	tests := []struct {
		name    string
		happens func(*bench)
		why     string
	}{
		{"the approval was withdrawn", func(b *bench) { b.present.InForce.ApprovedWallUS = 0 }, "the policy changed"},
		{"somebody started it", func(b *bench) {
			b.victim(func(c *enginetest.Container) { c.State, c.StartedAt = contract.StateRunning, "2026-02-02T00:00:00Z" })
		}, "started again"},
		{"renamed into protection", func(b *bench) { b.victim(func(c *enginetest.Container) { c.Name = "keep" }) }, "protected"},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := newBench()
			between(b, func() { tt.happens(b) })
			got := run(t, b, b.order(policy2.StepRemove))
			if got.Outcome != contract.OutcomeRefused || !strings.Contains(got.Why, tt.why) {
				t.Errorf("%q, why %q, want refused, %q", got.Outcome, got.Why, tt.why)
			}
			if diff := cmp.Diff([]string{"stop"}, stepOps(b)); diff != "" {
				t.Errorf("calls (-want +got):\n%s", diff)
			}
		})
	}
}

// The engine's word is not enough: it may have stopped nothing.
func TestAStopThatStoppedNothing(t *testing.T) {
	for step, want := range map[policy2.Step]string{policy2.StepStop: contract.OutcomeFailed, policy2.StepRemove: contract.OutcomeDone} {
		b := newBench()
		between(b, func() { b.victim(func(c *enginetest.Container) { c.State = contract.StateRunning }) })
		got := run(t, b, b.order(step))
		if got.Outcome != want || got.Ended != (step == policy2.StepRemove) {
			t.Errorf("%s: %q, ended %t (%s), want %q", step, got.Outcome, got.Ended, got.ErrorText(), want)
		}
		if calls := stepOps(b); step == policy2.StepRemove && !cmp.Equal(calls, []string{"stop", "remove by force"}) {
			t.Errorf("calls %v", calls)
		}
	}
}

// Between the look and the removal nobody is seen: without force the engine itself refuses to delete one that runs.
func TestOneThatIsStartedRightBeforeItsRemovalIsNotKilled(t *testing.T) {
	b := newBench()
	b.victim(exited)
	o := b.order(policy2.StepRemove)
	b.enforcer = actuator.NewStepEnforcer(b, &startedFirst{b}, &b.log, b.now)

	got := run(t, b, o)
	if got.Outcome != contract.OutcomeRefused || !strings.Contains(got.Why, "started again") || got.Ended {
		t.Errorf("%+v, want refused", got)
	}
	if c, _ := b.Get(victim); c.State != contract.StateRunning {
		t.Errorf("it is %q", c.State)
	}
}

type startedFirst struct{ *bench }

func (s *startedFirst) Delete(ctx context.Context, id string, how engine.Removal) error {
	s.victim(func(c *enginetest.Container) { c.State, c.StartedAt = contract.StateRunning, "2026-02-02T00:00:00Z" })
	return s.bench.Delete(ctx, id, how)
}

// A doubtful call may still take effect: what a refusal says is not the end of it.
func TestADoubtfulCallIsNotRefused(t *testing.T) {
	b := newBench()
	o := b.order(policy2.StepStop)
	b.Inject(enginetest.Fault{Op: "stop", Delay: time.Hour, Kind: engine.KindServer})
	var got actuator.StepResult
	synctest.Test(t, func(*testing.T) {
		time.AfterFunc(time.Second, func() {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.present.InForce.PolicyHash = "0"
		})
		got = b.enforcer.Do(context.Background(), o)
	})
	if got.Outcome != contract.OutcomeUnknown || got.Why != "the policy changed" || got.StopUntil.IsZero() || got.Took != 30*time.Second {
		t.Errorf("%+v, want unknown after the 10 s of the container and the 20 s of the policy", got)
	}
}

func TestAStopOfVersionTwoWaitsForTheContainersOwnTime(t *testing.T) {
	b := newBench()
	b.victim(func(c *enginetest.Container) { c.StopTimeout, c.EndsWithin = 90*time.Second, time.Minute })
	got := run(t, b, b.order(policy2.StepStop))
	if c, _ := b.Get(victim); got.Outcome != contract.OutcomeDone || got.Took != time.Minute || c.ExitCode != 0 {
		t.Errorf("%q after %s, exit code %d", got.Outcome, got.Took, c.ExitCode)
	}
	if wait := b.Calls()[0].Wait; wait != 90*time.Second {
		t.Errorf("the engine was told to wait %s", wait)
	}
}

func TestOfAPoliciesGraceAndTheContainersTimeTheLongerCounts(t *testing.T) {
	b := newBench()
	b.victim(func(c *enginetest.Container) { c.StopTimeout = time.Second })
	o := b.order(policy2.StepStop)
	o.Act.Grace = 20 * policy2.Second
	run(t, b, o)
	if wait := b.Calls()[0].Wait; wait != 20*time.Second {
		t.Errorf("the engine was told to wait %s, want the policy's 20 s", wait)
	}
}

func TestNoThrottleOfVersionTwoWithoutJournal(t *testing.T) {
	b := newBench()
	b.log.err = errors.New("disk full")
	if got := run(t, b, b.order(policy2.StepThrottle)); got.Outcome != contract.OutcomeFailed || len(b.Calls()) != 0 || got.Limits != nil {
		t.Errorf("%+v after %v", got, b.Calls())
	}
}
