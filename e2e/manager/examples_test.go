package manager

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/mount"

	"gestor.local/contract"
	"gestor.local/e2e/scenario"
)

// The tables of policy/examples/tables.md on the real engine: the policy's times, and those of the rows, are divided, so that hours are
// minutes. The policy is read undivided, within the bounds of the grammar, and divided by the manager's own test program. What no policy
// says stays as it is: 24 h between two notices of one thing, 10 min after a start, 6 h of a throttle.
//
// previews is divided by 1,440, so that its days are minutes; all ages above three days are put together in the fourth, in their order.
//
// A busy host makes a container later, and has the manager's ticks later. So no step has a moment of its own: it is due so
// long after what the policy counts it from has really happened, and is held against the ticks of the manager's journal.

// example is one table.
type example struct {
	file        string
	by          time.Duration
	from, until time.Duration // of the table's time
	works       bool          // its containers use a little CPU
	rows        []exampleRow
	leftOut     map[string]string // rows that are not tried here: why
}

// exampleRow is one container, or those of a compose project that fare alike.
type exampleRow struct {
	name string
	guest
	created time.Duration
	// does is what a person or its work does to it, by the time; after T it is the time since the step that it reacts to.
	does   deeds
	reacts string
	// steps are what becomes of it: when it is warned, has stopped, is gone. Whoever has none stays as he is.
	steps fate
}

// byImageID is in place of the image of a row: its container is made by the image's id.
const byImageID = "by id"

type (
	// deeds are what is done to a container, by the time.
	deeds map[time.Duration]string
	// fate is what becomes of it: a step is due at T, or so long after the last of its unit had what it is counted from.
	fate map[string]due
	due  struct {
		after time.Duration
		of    string // atT, atBirth, did, or a step
	}
)

// What a step is counted from.
const (
	atT     = "T"
	atBirth = "its birth"
)

// did is the deed of a time.
func did(at time.Duration) string { return "its deed of " + at.String() }

// What may be done to a row's container.
const (
	onlyCreated = "is created and never started" // at its creation
	doesStop    = "stops"
	doesStart   = "starts"
	doesPause   = "is paused"
	doesToggle  = "ends its work, or begins it anew"
)

func TestExamplesOnTheRealEngine(t *testing.T) {
	if os.Getenv("GESTOR_SOAK") != "1" {
		t.Skip("takes a quarter of an hour: GESTOR_SOAK=1, make soak")
	}
	divided := filepath.Join(t.TempDir(), "manager.test")
	build := exec.Command("go", "test", "-c", "-o", divided, ".")
	build.Dir = filepath.Join(scenario.Root(t), "services", "manager")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	t.Run("all", func(t *testing.T) {
		for _, x := range []example{agentsExample(), ciExample(), previewsExample(), labExample()} {
			t.Run(x.file, func(t *testing.T) {
				t.Parallel()
				x.checkPage(t)
				x.run(t, divided)
			})
		}
	})
}

// The table of the version 1 file has no times, and figures that only the order counts of: a to c are still, so that memory says which of
// them and d is the lightest, and what e, f and g use is less than on the page, for a host of two cores.
func TestRankExampleOnTheRealEngine(t *testing.T) {
	if os.Getenv("GESTOR_SOAK") != "1" {
		t.Skip("has ticks of 10 s: GESTOR_SOAK=1, make soak")
	}
	w := newSuiteHost(newFixture(t).Suite)
	for _, one := range []struct {
		name       string
		mib        int
		millicores int64
	}{{"a", 4, 0}, {"b", 6, 0}, {"c", 8, 0}, {"d", 64, 0}, {"e", 5, 100}, {"f", 7, 300}, {"g", 7, 600}} {
		w.start(one.name, guest{busy: one.millicores > 0, edit: func(config *container.Config, host *container.HostConfig) {
			config.Cmd[0], host.NanoCPUs = strconv.Itoa(one.mib), one.millicores*1_000_000
		}})
	}
	stay := w.states("a", "b", "c", "f", "g")

	p := w.StartManager("", "GESTOR_POLICY="+filepath.Join(scenario.Root(t), "policy", "examples", "rank.yaml"))
	w.awaitGone("d", "e")
	p.WaitTicks(2)
	p.Stop()
	w.unchanged("of seven", stay)
}

const day = 24 * time.Hour

func still(at time.Duration, more ...time.Duration) deeds {
	out := deeds{at: doesToggle}
	for _, one := range more {
		out[one] = doesToggle
	}
	return out
}

func anonymousVolume(_ *container.Config, host *container.HostConfig) {
	host.Mounts = append(host.Mounts, mount.Mount{Type: mount.TypeVolume, Target: "/data/0"})
}

func agentsExample() example {
	rm := func(image string, labels map[string]string, more ...func(*container.Config, *container.HostConfig)) guest {
		return guest{image: image, labels: labels, edit: edits(append(more, deletedAtItsEnd)...)}
	}
	project := func(name string) map[string]string { return map[string]string{"agent.project": name} }
	idle := func(since string) fate {
		return fate{"warn": {15 * time.Minute, since}, "remove": {15 * time.Minute, "warn"}}
	}
	hostNetwork := func(_ *container.Config, host *container.HostConfig) { host.NetworkMode = "host" }

	return example{
		file: "agents", works: true, by: 60, from: -5 * time.Hour, until: 41 * time.Minute,
		rows: []exampleRow{
			{
				name: "mcp-time", guest: rm("mcp/time:1", nil), created: -time.Hour, does: still(-14 * time.Minute),
				steps: idle(did(-14 * time.Minute)),
			},
			// Used for a second, as the divided time is, and sooner after the notice than on the page: also on a busy host
			// before its removal is due.
			{
				name: "mcp-busy", guest: rm("mcp/fetch:1", nil), created: -3 * time.Hour,
				does: still(-20*time.Minute, 3*time.Minute, 4*time.Minute), reacts: "warn",
				steps: fate{"warn": {15 * time.Minute, did(-20 * time.Minute)}, "remove": {30 * time.Minute, did(4 * time.Minute)}},
			},
			{
				name: "mcp-memory", guest: rm("mcp/memory:1", nil, anonymousVolume), created: -3 * time.Hour,
				does: still(-time.Hour), steps: fate{"warn": {15 * time.Minute, did(-time.Hour)}, "warn rm_volumes": {15 * time.Minute, "warn"}},
			},
			{name: "git-old", guest: rm("mcp/git:1", project("shop")), created: -30 * time.Minute, steps: fate{"remove": {0, atT}}},
			{name: "git-new", guest: rm("mcp/git:1", project("shop")), created: -5 * time.Minute},
			{name: "api-1", guest: rm("agent:1", project("api")), created: -3 * time.Hour},
			{
				name: "api-2", guest: rm("agent:1", project("api")), created: -2 * time.Hour, does: still(-time.Hour),
				steps: idle(did(-time.Hour)),
			},
			{name: "scan", guest: rm("mcp/scan:1", nil, hostNetwork), created: -5 * time.Hour, does: still(-299 * time.Minute)},
			{name: "db", guest: rm("mcp/db:1", map[string]string{"agent.keep": ""}), created: -4 * time.Hour, does: still(-3 * time.Hour)},
			{name: "gateway", guest: guest{
				image: "docker/mcp-gateway:1", labels: map[string]string{"docker-mcp": "true"},
				edit: func(_ *container.Config, host *container.HostConfig) {
					host.Binds = append(host.Binds, "/var/run/docker.sock:/data/docker.sock")
				},
			}, created: -time.Hour, does: still(-59 * time.Minute)},
			{name: "by-id", guest: rm(byImageID, nil), created: -time.Hour, does: still(-59 * time.Minute)},
			{name: "postgres", guest: guest{image: "postgres:16"}, created: -time.Hour, does: still(-59 * time.Minute)},
		},
		leftOut: map[string]string{
			"burner": "needs nearly two cores for itself: throttles are tried by themselves",
			"left":   "has ended two days before, and goes a day later",
		},
	}
}

func ciExample() example {
	tests := map[string]string{"org.testcontainers": "true"}
	swarm := map[string]string{"org.testcontainers": "true", contract.LabelSwarmTask: "x1"}
	named := guest{image: "act:1"}
	job := func(project, service, needs string, labels map[string]string) guest {
		return guest{image: "job:1", labels: composed(project, service, needs, labels)}
	}
	old := fate{"remove": {2 * time.Hour, atBirth}}
	dead := fate{"stop": {2 * time.Hour, atBirth}, "remove": {10 * time.Minute, "stop"}}
	socket := func(_ *container.Config, host *container.HostConfig) {
		host.Binds = append(host.Binds, "/var/run/docker.sock:/data/docker.sock")
	}
	always := func(_ *container.Config, host *container.HostConfig) { host.RestartPolicy.Name = "always" }

	return example{
		file: "ci", by: 60, from: -6 * time.Hour, until: 72 * time.Minute,
		rows: []exampleRow{
			{name: "tc-pg", guest: guest{image: "postgres:16", labels: tests}, created: -90 * time.Minute, steps: old},
			{
				name: "ryuk", guest: guest{image: "testcontainers/ryuk:0.11.0", labels: tests, edit: socket}, created: -3 * time.Hour,
				steps: old,
			},
			{
				name: "act-1", guest: named, created: -40 * time.Minute, does: deeds{-30 * time.Minute: doesStop},
				steps: fate{"remove": {time.Hour, did(-30 * time.Minute)}},
			},
			{
				name: "act-2", guest: named, created: -70 * time.Minute, does: deeds{-70 * time.Minute: onlyCreated},
				steps: fate{"remove": {time.Hour, atBirth}},
			},
			// The ten minutes after a start are none of the policy: it waits to the end.
			{name: "act-pet", guest: named, created: -5 * time.Hour, does: deeds{-3 * time.Minute: doesStop, -2 * time.Minute: doesStart}},
			{name: "ci-41-db", guest: job("ci-41", "db", "", nil), created: -119 * time.Minute, steps: dead},
			{name: "ci-41-web", guest: job("ci-41", "web", "db", nil), created: -119 * time.Minute, steps: dead},
			{name: "ci-9-app", guest: job("ci-9", "app", "", nil), created: -5 * time.Hour, steps: dead},
			{name: "ci-9-db", guest: job("ci-9", "db", "", nil), created: -time.Hour, steps: dead},
			{name: "ci-5-app", guest: job("ci-5", "app", "", nil), created: -70 * time.Minute, steps: dead},
			{
				name: "ci-5-migrate", guest: job("ci-5", "migrate", "", nil), created: -70 * time.Minute,
				does: deeds{-65 * time.Minute: doesStop}, steps: fate{"remove": dead["remove"]},
			},
			{name: "ci-42-app", guest: job("ci-42", "app", "", nil), created: -5 * time.Hour},
			{name: "ci-42-db", guest: job("ci-42", "db", "", map[string]string{"ci.keep": ""}), created: -time.Hour},
			{name: "ci-runner-1", guest: job("ci-runner", "runner", "", nil), created: -5 * time.Hour},
			{name: "act-x", guest: guest{image: "act:1", labels: map[string]string{"ci.ttl": "45s"}}, created: -40 * time.Minute, // 45m
				steps: fate{"remove": {45 * time.Minute, atBirth}}},
			{
				name: "act-y", guest: guest{image: "act:1", labels: map[string]string{"ci.ttl": "soon"}}, created: -time.Hour,
				steps: old,
			},
			{
				name: "tc-swarm", guest: guest{image: "redis:7", labels: swarm},
				created: -6 * time.Hour, steps: fate{"warn managed_elsewhere": old["remove"]},
			},
			{name: "tc-always", guest: guest{image: "redis:7", labels: tests, edit: always}, created: -6 * time.Hour, steps: old},
		},
	}
}

func previewsExample() example {
	x := example{
		file: "previews", by: 1440, from: -4 * day, until: 6*day + 2*time.Hour,
		leftOut: map[string]string{"f-1": "its URL is down for two hours: how long a call is tried is none of the policy"},
	}
	add := func(project, branch string, web, db time.Duration, steps fate) {
		for service, created := range map[string]time.Duration{"db": db, "web": web} {
			labels, needs := map[string]string{"preview.branch": branch}, ""
			if project == "g-1" && service == "db" {
				labels = nil
			}
			if service == "web" {
				needs = "db"
			}
			g := guest{image: service + ":1", labels: composed(project, service, needs, labels)}
			if service == "db" {
				g.edit = anonymousVolume
			}
			x.rows = append(x.rows, exampleRow{name: project + "-" + service, guest: g, created: created, steps: steps})
		}
	}
	all := func(project, branch string, created time.Duration, steps fate) {
		add(project, branch, created, created, steps)
	}
	ladder := fate{"warn": {3 * day, atBirth}, "stop": {day, "warn"}, "remove": {4 * day, "stop"}}

	const three = -3 * day // and longer: in the order of the table
	all("m-1", "main", three-23*time.Hour, nil)
	all("b-1", "b", three-22*time.Hour, nil)
	all("a-1", "a", three-20*time.Hour, ladder)
	all("a-2", "a", three-18*time.Hour, ladder)
	all("a-3", "a", three-16*time.Hour, nil)
	all("a-4", "a", -day, nil)
	all("c-1", "c", -60*time.Hour, ladder)
	all("c-2", "c", -day, nil)
	all("c-3", "c", -time.Hour, nil)
	add("d-1", "d", three-20*time.Hour, -day, nil)
	all("d-3", "d", -2*day, ladder)
	all("d-2", "d", -47*time.Hour, nil) // not in the same microsecond
	// The 24 h between two notices and the 10 min after a start are not divided: it is neither told again nor stopped within
	// the time of this test.
	all("e-1", "e", three-20*time.Hour, fate{"warn": ladder["warn"], "stop": ladder["stop"]})
	for i := range 2 {
		e := &x.rows[len(x.rows)-1-i]
		e.does, e.reacts = deeds{time.Hour: doesStart}, "stop"
	}
	all("e-2", "e", three-18*time.Hour, nil)
	all("e-3", "e", three-16*time.Hour, nil)
	all("g-1", "g", three-20*time.Hour, nil)
	return x
}

func labExample() example {
	student := func(name string) guest { return guest{image: "lab:1", labels: map[string]string{"lab.student": name}} }
	rm := func(name string) guest {
		g := student(name)
		g.edit = deletedAtItsEnd
		return g
	}
	const cores, backoff = "needs more cores than a host may have", "the engine's own waits are not divided"
	return example{
		file: "lab", works: true, by: 60, from: -3 * time.Hour, until: 30 * time.Minute,
		rows: []exampleRow{
			{name: "alfa-1", guest: student("alfa"), created: -3 * time.Hour, steps: fate{"stop": {0, atT}}},
			{name: "alfa-2", guest: student("alfa"), created: -2 * time.Hour},
			{name: "alfa-3", guest: student("alfa"), created: -time.Hour},
			{name: "lima-1", guest: rm("lima"), created: -3 * time.Hour, steps: fate{"warn rm_stop": {0, atT}}},
			{name: "lima-2", guest: rm("lima"), created: -2 * time.Hour},
			{name: "lima-3", guest: rm("lima"), created: -time.Hour},
			{name: "bravo-1", guest: student("bravo"), created: -3 * time.Hour, does: still(-time.Hour)},
			{name: "fir-1", guest: student(""), created: -time.Hour},
			{name: "gulf-1", guest: student("gulf"), created: -time.Hour, does: deeds{-30 * time.Minute: doesPause}},
		},
		leftOut: map[string]string{
			"cobalt-1": cores, "web-1": cores, "india-1": cores, "delta-1": "needs 612 processes", "metro-1": "needs 612 processes",
			"echo-1": backoff, "kilo-1": backoff, "hotel-1": "has ended eight days before",
		},
	}
}

var firstCell = regexp.MustCompile(`(?m)^\| ([^|]+) \|`)

// checkPage holds the rows against those of the page: none is forgotten.
func (x *example) checkPage(t *testing.T) {
	t.Helper()
	page, err := os.ReadFile(filepath.Join(scenario.Root(t), "policy", "examples", "tables.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(page), "\n## "+x.file+".yaml")
	section, _, _ = strings.Cut(section, "\n## ")

	rows := 0
	for _, cell := range firstCell.FindAllStringSubmatch(section, -1) {
		head, _, _ := strings.Cut(cell[1], ":")
		head, _, _ = strings.Cut(head, " (")
		for _, name := range strings.Split(head, ", ") {
			if name == "container" || name == "project" || strings.HasPrefix(name, "---") {
				continue
			}
			rows++
			tried := slices.ContainsFunc(x.rows, func(r exampleRow) bool { return r.name == name || strings.HasPrefix(r.name, name+"-") })
			if _, left := x.leftOut[name]; tried == left {
				t.Errorf("%s of %s.yaml is tried: %t, left out: %t", name, x.file, tried, left)
			}
		}
	}
	if rows == 0 {
		t.Fatalf("tables.md says nothing of %s.yaml", x.file)
	}
}
