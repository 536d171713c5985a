package actuator_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gestor.local/contract"
	"gestor.local/contract/policy2"
	"gestor.local/manager/internal/engine"
	"gestor.local/manager/internal/govern/actuator"
	"gestor.local/manager/internal/rules"
)

// decided makes a plan of containers that have been there for some ticks: enough to be judged, and the first plan is only shown.
func decided(p policy2.Policy, containers ...rules.Container) *actuator.Decided {
	slices.SortFunc(containers, func(a, b rules.Container) int { return strings.Compare(a.ID, b.ID) })
	d := &actuator.Decided{Program: rules.New(p), Memory: &rules.Memory{}}
	for tick := range 4 {
		us := int64(tick) * 10_000_000
		d.Facts = &rules.Facts{
			Tick: uint64(tick) + 1, Sequence: 70, BootID: "boot", BootUS: uint64(us) + 1e13, GUS: us + 1e15, BootGUS: 1e15 - 1e13, WallUS: us + 1e15,
			IntervalUS: 10_000_000, CPUs: 2, Containers: containers,
		}
		plan := rules.Decide(d.Program, *d.Memory, d.Facts)
		d.Plan = &plan
		memory := rules.Remember(d.Program, *d.Memory, d.Facts, plan, nil)
		d.Memory = &memory
	}
	return d
}

// box is a container that runs, created so many seconds before the others' day began.
func box(digit, name string, age int64, labels map[string]string) rules.Container {
	id := strings.Repeat(digit, 64)
	return rules.Container{
		Identity: &policy2.Identity{
			ID: id, Name: name, Image: "acme/web:1", Labels: labels, Networks: policy2.Known([]string{"bridge"}), Socket: policy2.Known(false),
		},
		InEngine: true, State: contract.StateRunning,
		CreatedWallUS: policy2.Known(int64(1e15) - age*1e6 - 1e11), StartedAt: policy2.Known("start of " + name),
		StartedWallUS: policy2.Known(int64(1e15) - 1e11), FinishedWallUS: policy2.Known(int64(0)), Restarts: policy2.Known(3),
		RestartPolicy: policy2.Known("no"), AutoRemove: policy2.Known(false), AnonymousVolumes: policy2.Known(2),
		NetworkMode: policy2.Known("bridge"), NanoCPUs: policy2.Known(int64(0)),
	}
}

func TestOrdersOfAPlan(t *testing.T) {
	p := *stepPolicy()
	p.Surprise = 100
	p.Rules = []policy2.Rule{
		{
			Name: "newest", Match: []policy2.Selector{{Label: &policy2.Label{Key: "stage", Any: true}}}, Each: policy2.EachContainer,
			Keep: policy2.Keep{Order: policy2.Newest, Places: 1, Per: policy2.Per{By: policy2.ByLabel, Label: "stage"}},
			Rest: policy2.Ladder{{Step: policy2.StepRemove}}, Volumes: policy2.VolumesAnonymous,
		},
		{Name: "slow", Do: policy2.Ladder{{Step: policy2.StepThrottle, To: 2500}}, Calm: policy2.DefaultCalm},
	}
	staged := map[string]string{"team": "a", "stage": "x"}
	d := decided(p,
		box("a", "old", 300, staged), box("b", "new", 100, staged), box("c", "slow", 50, map[string]string{"team": "b"}),
		box("d", "stranger", 500, nil))
	d.Owed = map[string]actuator.Limits{strings.Repeat("c", 64): {Set: engine.CPULimit{QuotaUS: 5_000}}}

	orders := d.Orders()
	if len(orders) != 2 {
		t.Fatalf("%d orders of %+v", len(orders), d.Plan)
	}
	got := orders[0]
	want := actuator.StepOrder{
		Tick: 4, Sequence: 70, ID: strings.Repeat("a", 64), Name: "old", PastNames: []string{"old"}, Step: policy2.StepRemove, StepIndex: 1,
		RuleHash: d.Program.RuleHash(0), InForce: actuator.InForce{PolicyHash: p.Hash(), Mode: p.Mode}, Act: p.Act, StartedAt: "start of old",
		Labels: map[string]string{contract.LabelClass: "", "stage": "x"}, Volumes: true, MayDelete: true, AnonymousVolumes: 2,
		NetworkModes: map[string]string{},
		Floor:        actuator.Floor{Keepers: [][]string{{strings.Repeat("b", 64)}}, Need: 1},
	}
	for _, digit := range []string{"a", "b", "c", "d"} {
		want.NetworkModes[strings.Repeat(digit, 64)] = "bridge"
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}

	for _, o := range orders[1:] {
		if o.Step != policy2.StepThrottle || o.NanoCPUs != 250_000_000 || o.Volumes || len(o.Floor.Keepers) > 0 {
			t.Errorf("%+v", o)
		}
		if owed := o.Replaces != nil; owed != (o.Name == "slow") {
			t.Errorf("%s replaces %+v", o.Name, o.Replaces)
		}
	}
}

// A project holds one place, whatever it has of containers.
func TestAProjectIsOneKeeper(t *testing.T) {
	p := *stepPolicy()
	p.Surprise = 100
	p.Rules = []policy2.Rule{{
		Name: "newest", Each: policy2.EachProject, Keep: policy2.Keep{Order: policy2.Newest, Places: 1},
		Rest: policy2.Ladder{{Step: policy2.StepStop}},
	}}
	of := func(project, service, dependsOn string) map[string]string {
		labels := compose(service, dependsOn)
		labels[contract.LabelProject] = project
		return labels
	}
	d := decided(p,
		box("a", "old-db", 300, of("old", "db", "")), box("b", "old-web", 300, of("old", "web", "db:service_started:true")),
		box("c", "new-db", 100, of("new", "db", "")), box("d", "new-web", 100, of("new", "web", "db:service_started:true")))

	orders := d.Orders()
	if len(orders) != 2 {
		t.Fatalf("%+v", orders)
	}
	want := actuator.Floor{Keepers: [][]string{{strings.Repeat("c", 64), strings.Repeat("d", 64)}}, Need: 1}
	for _, o := range orders {
		if diff := cmp.Diff(want, o.Floor); diff != "" {
			t.Errorf("%s (-want +got):\n%s", o.Name, diff)
		}
	}

	// What depends goes first.
	var q actuator.Queue
	q.Add(orders...)
	first, _ := q.Next()
	_, more := q.Next()
	q.Ended(first.ID)
	second, _ := q.Next()
	if first.Name != "old-web" || more || second.Name != "old-db" {
		t.Errorf("%s, then %s; both at once: %t", first.Name, second.Name, more)
	}
}

func TestWhatIsHeldIsNoOrder(t *testing.T) {
	p := *stepPolicy()
	p.Mode = contract.ModeObserve
	p.Rules = []policy2.Rule{{Name: "all", Do: policy2.Ladder{{Step: policy2.StepStop}}}}
	d := decided(p, box("a", "one", 100, map[string]string{"team": "a"}))
	if orders := d.Orders(); len(orders) > 0 {
		t.Errorf("%+v", orders)
	}
	if d.Plan.Held == "" || d.Plan.Verdicts[0].Step != policy2.StepStop {
		t.Errorf("held %q: %+v", d.Plan.Held, d.Plan.Verdicts)
	}
}

func TestAnOrderSaysWhatItsRuleAllows(t *testing.T) {
	restarts := policy2.Conditions{Restarts: policy2.Restarts{Count: 3, Within: 10 * policy2.Minute}}
	tests := []struct {
		name      string
		rule      policy2.Rule
		mayDelete bool
	}{
		{"a stop alone", policy2.Rule{Do: policy2.Ladder{{Step: policy2.StepStop}}}, false},
		{"rm: remove", policy2.Rule{Do: policy2.Ladder{{Step: policy2.StepStop}}, Rm: policy2.RmRemove}, true},
		{"a ladder with remove", policy2.Rule{Do: policy2.Ladder{{Step: policy2.StepStop}, {Step: policy2.StepRemove, After: policy2.Day}}}, true},
	}

	for _, tt := range tests {
		p := *stepPolicy()
		tt.rule.Name = tt.name
		p.Rules, p.Surprise = []policy2.Rule{tt.rule}, 100
		orders := decided(p, box("a", "one", 100, map[string]string{"team": "a"})).Orders()
		if len(orders) != 1 || orders[0].Step != policy2.StepStop || orders[0].MayDelete != tt.mayDelete || orders[0].Restarts != nil {
			t.Errorf("%s: %+v", tt.name, orders)
		}

		// One that asks for restarts may be started by the engine meanwhile.
		d := decided(p, box("a", "one", 100, map[string]string{"team": "a"}))
		d.Program.Policy().Rules[0].When = restarts
		if orders := d.Orders(); len(orders) != 1 || orders[0].Restarts == nil || *orders[0].Restarts != 3 {
			t.Errorf("%s: %+v", tt.name, orders)
		}
	}
}

// To finish a removal nobody has to be inspected anew whose network mode the facts have.
func TestAnOrderToFinishKnowsTheNetworkModes(t *testing.T) {
	p := *stepPolicy()
	p.Rules = []policy2.Rule{{Name: "all", Do: policy2.Ladder{{Step: policy2.StepRemove}}}}
	d := decided(p, box("a", "one", 1, map[string]string{"team": "x"}), box("b", "two", 2, nil))
	o, ok := d.Again(strings.Repeat("a", 64), policy2.StepRemove, d.Program.RuleHash(0), 1, "start of one")
	if !ok || len(o.NetworkModes) != 2 {
		t.Errorf("%t %+v", ok, o.NetworkModes)
	}
}
