package engines

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"gestor.local/e2e/manager"
	"gestor.local/e2e/scenario"
)

// The engines by the names they have in GESTOR_ENGINES.
const (
	installed = "docker"
	current   = "current"
	strict    = "current-1.44" // the same, which refuses clients of API versions before 1.44
	podman    = "podman"
)

// kindOf is how an engine of that name is started. GESTOR_ENGINE_PROGRAMS is the folder that the current one was built into.
func kindOf(name string) (scenario.Kind, error) {
	programs := os.Getenv("GESTOR_ENGINE_PROGRAMS")
	switch name {
	case installed:
		return scenario.InstalledDocker, nil
	case podman:
		return scenario.Kind{Name: podman, Podman: true}, nil
	case current, strict:
		if programs == "" {
			return scenario.Kind{}, fmt.Errorf("GESTOR_ENGINE_PROGRAMS names no folder for the engine %s", name)
		}
		kind := scenario.Kind{Name: name, Programs: programs}
		if name == strict {
			kind.Settings = []string{"DOCKER_MIN_API_VERSION=" + strictVersion}
		}
		return kind, nil
	default:
		return scenario.Kind{}, fmt.Errorf("GESTOR_ENGINES: %q is none of %s, %s, %s, %s", name, installed, current, strict, podman)
	}
}

const strictVersion = "1.44"

// capability is something that Gestor asks of an engine.
type capability struct {
	name string
	run  func(*testing.T, *candidate)
	// disturbs says that it ends the engine meanwhile: it runs after the others, alone.
	disturbs bool
}

var capabilities = []capability{
	{name: "a client agrees with it on an API version", run: agreesOnAVersion},
	{name: "5 low and 3 high become 3 and 2, the log service stays, each removal is recorded", run: governs},
	{name: "a container is found by its cgroup, with its own process and figures", run: measures},
	{name: "killed: one that has ended meanwhile", run: onSuite(manager.EndedBySomebodyElseBetweenPlanAndAct)},
	{name: "killed: one that is gone meanwhile", run: onSuite(manager.RemovedBySomebodyElseBetweenPlanAndAct)},
	{name: "a kill of one that has ended is no fault of the engine", run: countsNoFault},
	{name: "a class is told by the image's name", run: classByImage},
	{name: "one that is being stopped still runs", run: runsUntilItHasStopped},
	{name: "refused: removed by two at the same moment", run: onSuite(manager.RemovedBySomebodyElseAtTheSameMoment)},
	{name: "refused: a running one without force", run: refusesWithoutForce},
	{name: "`--rm` and `restart: always`", run: onSuite(manager.RestartPolicyAlwaysAndAutoRemove)},
	{name: "throttled, and the limit given back", run: onSuite(manager.ThrottleIsUndone)},
	{name: "paused: left alone until it runs again", run: onSuite(manager.PausedIsLeftAloneUntilItRunsAgain)},
	{name: "a foreign host: nothing without an approval, with one what is due and nobody else", run: onSuite(manager.ForeignHost)},
	{name: "the survey names what leaks, and parks what has ended on purpose", run: onSuite(manager.SurveyNamesWhatLeaks)},
	{name: "a stop takes the container's own time", run: onSuite(manager.StopTakesTheContainersOwnTime)},
	{name: "a removal with the anonymous volumes, and with no other", run: onSuite(manager.RemoveTakesTheAnonymousVolumes)},
	{name: "a compose project is stopped dependants first", run: onSuite(manager.DependantsFirst)},
	{name: "a rule's throttle ends when its reason has gone", run: onSuite(manager.ThrottleEndsWithItsReason)},
	{name: "a rule's throttle is given back at a stop, and after a kill", run: onSuite(manager.ThrottleAcrossRuns)},
	{name: "the scripts start, list and remove, and tell a taken name from a missing image", run: scriptsWork},
	{name: "the scripts leave nothing of a start that failed, and are told of a container's end", run: scriptsWatch},
	{name: "the engine is stopped and started", run: endsInOrder, disturbs: true},
	{name: "the engine is killed and started", run: endsAtOnce, disturbs: true},
	{name: "the engine is stopped, its containers live on", run: liveRestore, disturbs: true},
	{name: "the engine is killed in the middle of starts: nothing is left of it in the end", run: leavesNothing, disturbs: true},
}

// known are the capabilities that an engine is known to lack, with the reason. In its place a test of the lack runs, which fails
// when the engine has learned it.
var known = map[string]map[string]lack{
	podman: {
		"throttled, and the limit given back": {"podman 4.3 has no update: the step is left out", lacksUpdate},

		"a rule's throttle ends when its reason has gone":             {"podman 4.3 has no update: nothing is set", lacksRuleThrottle},
		"a rule's throttle is given back at a stop, and after a kill": {"podman 4.3 has no update: nothing is set", lacksRuleThrottle},
	},
}

type lack struct {
	reason string
	run    func(*testing.T, *candidate)
}

// candidate is an engine under test.
type candidate struct {
	name   string
	kind   scenario.Kind
	engine *scenario.PrivateEngine
	client *scenario.Engine
	table  *table
}

func TestEngines(t *testing.T) {
	names := strings.FieldsFunc(os.Getenv("GESTOR_ENGINES"), func(r rune) bool { return r == ',' || r == ' ' })
	if len(names) == 0 {
		t.Skip("GESTOR_ENGINES names no engine: make test-engines does")
	}
	results := newTable(names)
	for _, name := range names {
		t.Run(name, func(t *testing.T) { try(t, name, results) })
	}
	results.write(t, os.Getenv("GESTOR_ENGINES_TABLE"))
}

// try runs everything on one engine: side by side what leaves it alone, then the rest.
func try(t *testing.T, name string, results *table) {
	kind, err := kindOf(name)
	if err != nil {
		t.Fatal(err)
	}
	c := &candidate{name: name, kind: kind, table: results}
	c.engine = scenario.StartEngine(t, kind)
	c.client = c.engine.Engine(t)
	c.importImages(t, c.client)
	results.describe(t, c)

	t.Run("running", func(t *testing.T) {
		for _, what := range capabilities {
			if !what.disturbs {
				t.Run(what.name, func(t *testing.T) {
					t.Parallel()
					c.tryCapability(t, what)
				})
			}
		}
	})
	for _, what := range capabilities {
		if what.disturbs {
			t.Run(what.name, func(t *testing.T) { c.tryCapability(t, what) })
		}
	}
}

// tryCapability tries one capability, or its lack, and adds the result to the table.
func (c *candidate) tryCapability(t *testing.T, what capability) {
	run, works := what.run, "works"
	if missing, ok := known[c.name][what.name]; ok {
		run, works = missing.run, "not there: "+missing.reason
	}
	defer func() {
		switch {
		case t.Failed():
			c.table.note(c.name, what.name, "**fails**")
		case t.Skipped():
			c.table.note(c.name, what.name, "not tested")
		default:
			c.table.note(c.name, what.name, works)
		}
	}()
	run(t, c)
}

// onSuite runs a case of the manager's on a suite of its own.
func onSuite(run func(*scenario.Suite)) func(*testing.T, *candidate) {
	return func(t *testing.T, c *candidate) { run(c.suite(t)) }
}

func (c *candidate) suite(t *testing.T) *scenario.Suite {
	t.Helper()
	return scenario.NewSuite(t, c.client, programs, payloadImage)
}

// Every name in known is that of a capability: a lack that no longer applies is not kept by a name that has changed.
func TestKnownLacksAreCapabilities(t *testing.T) {
	for engine, lacks := range known {
		for name := range lacks {
			if !slices.ContainsFunc(capabilities, func(c capability) bool { return c.name == name }) {
				t.Errorf("%s: there is no capability %q", engine, name)
			}
		}
	}
}
