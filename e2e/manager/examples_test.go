package manager

import (
	"fmt"
	"maps"
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

// example is one table.
type example struct {
	file        string
	by          time.Duration
	from, until time.Duration // of the table's time
	rows        []exampleRow
	leftOut     map[string]string // rows that are not tried here: why
}

// exampleRow is one container, or those of a compose project that fare alike.
type exampleRow struct {
	name string
	guest
	created time.Duration
	// does is what a person or its work does to it, by the time.
	does deeds
	// steps are what becomes of it: when it is warned, has stopped, is gone. Whoever has none stays as he is.
	steps fate
}

// byImageID is in place of the image of a row: its container is made by the image's id.
const byImageID = "by id"

// deeds are what is done to a container, by the time; fate is what becomes of it.
type (
	deeds map[time.Duration]string
	fate  map[string]time.Duration
)

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
	hostNetwork := func(_ *container.Config, host *container.HostConfig) { host.NetworkMode = "host" }

	return example{
		file: "agents", by: 60, from: -5 * time.Hour, until: 41 * time.Minute,
		rows: []exampleRow{
			{
				name: "mcp-time", guest: rm("mcp/time:1", nil), created: -time.Hour, does: still(-14 * time.Minute),
				steps: fate{"warn": time.Minute, "remove": 16 * time.Minute},
			},
			// Used for a second, as the divided time is.
			{
				name: "mcp-busy", guest: rm("mcp/fetch:1", nil), created: -3 * time.Hour, does: still(-20*time.Minute, 10*time.Minute, 11*time.Minute),
				steps: fate{"warn": 0, "remove": 41 * time.Minute},
			},
			{
				name: "mcp-memory", guest: rm("mcp/memory:1", nil, anonymousVolume), created: -3 * time.Hour,
				does: still(-time.Hour), steps: fate{"warn": 0, "warn rm_volumes": 15 * time.Minute},
			},
			{name: "git-old", guest: rm("mcp/git:1", project("shop")), created: -30 * time.Minute, steps: fate{"remove": 0}},
			{name: "git-new", guest: rm("mcp/git:1", project("shop")), created: -5 * time.Minute},
			{name: "api-1", guest: rm("agent:1", project("api")), created: -3 * time.Hour},
			{
				name: "api-2", guest: rm("agent:1", project("api")), created: -2 * time.Hour, does: still(-time.Hour),
				steps: fate{"warn": 0, "remove": 15 * time.Minute},
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
	stopRemove := func(stop, remove time.Duration) fate {
		return fate{"stop": stop, "remove": remove}
	}
	socket := func(_ *container.Config, host *container.HostConfig) {
		host.Binds = append(host.Binds, "/var/run/docker.sock:/data/docker.sock")
	}
	always := func(_ *container.Config, host *container.HostConfig) { host.RestartPolicy.Name = "always" }

	return example{
		file: "ci", by: 60, from: -6 * time.Hour, until: 72 * time.Minute,
		rows: []exampleRow{
			{name: "tc-pg", guest: guest{image: "postgres:16", labels: tests}, created: -90 * time.Minute, steps: fate{"remove": 30 * time.Minute}},
			{
				name: "ryuk", guest: guest{image: "testcontainers/ryuk:0.11.0", labels: tests, edit: socket}, created: -3 * time.Hour,
				steps: fate{"remove": 0},
			},
			{
				name: "act-1", guest: named, created: -40 * time.Minute, does: deeds{-30 * time.Minute: doesStop},
				steps: fate{"remove": 30 * time.Minute},
			},
			{name: "act-2", guest: named, created: -70 * time.Minute, does: deeds{-70 * time.Minute: onlyCreated}, steps: fate{"remove": 0}},
			// The ten minutes after a start are none of the policy: it waits to the end.
			{name: "act-pet", guest: named, created: -5 * time.Hour, does: deeds{-3 * time.Minute: doesStop, -2 * time.Minute: doesStart}},
			{name: "ci-41-db", guest: job("ci-41", "db", "", nil), created: -119 * time.Minute, steps: stopRemove(time.Minute, 11*time.Minute)},
			{name: "ci-41-web", guest: job("ci-41", "web", "db", nil), created: -119 * time.Minute, steps: stopRemove(time.Minute, 11*time.Minute)},
			{name: "ci-9-app", guest: job("ci-9", "app", "", nil), created: -5 * time.Hour, steps: stopRemove(time.Hour, 70*time.Minute)},
			{name: "ci-9-db", guest: job("ci-9", "db", "", nil), created: -time.Hour, steps: stopRemove(time.Hour, 70*time.Minute)},
			{name: "ci-5-app", guest: job("ci-5", "app", "", nil), created: -70 * time.Minute, steps: stopRemove(50*time.Minute, time.Hour)},
			{
				name: "ci-5-migrate", guest: job("ci-5", "migrate", "", nil), created: -70 * time.Minute,
				does: deeds{-65 * time.Minute: doesStop}, steps: fate{"remove": time.Hour},
			},
			{name: "ci-42-app", guest: job("ci-42", "app", "", nil), created: -5 * time.Hour},
			{name: "ci-42-db", guest: job("ci-42", "db", "", map[string]string{"ci.keep": ""}), created: -time.Hour},
			{name: "ci-runner-1", guest: job("ci-runner", "runner", "", nil), created: -5 * time.Hour},
			{name: "act-x", guest: guest{image: "act:1", labels: map[string]string{"ci.ttl": "45s"}}, created: -40 * time.Minute, // 45m
				steps: fate{"remove": 5 * time.Minute}},
			{
				name: "act-y", guest: guest{image: "act:1", labels: map[string]string{"ci.ttl": "soon"}}, created: -time.Hour,
				steps: fate{"remove": time.Hour},
			},
			{
				name: "tc-swarm", guest: guest{image: "redis:7", labels: swarm},
				created: -6 * time.Hour, steps: fate{"warn managed_elsewhere": 0},
			},
			{name: "tc-always", guest: guest{image: "redis:7", labels: tests, edit: always}, created: -6 * time.Hour, steps: fate{"remove": 0}},
		},
	}
}

func previewsExample() example {
	x := example{
		file: "previews", by: 1440, from: -4 * day, until: 6*day + 2*time.Hour,
		leftOut: map[string]string{"f-1": "its URL is down for two hours: how long a call is tried is none of the policy"},
	}
	add := func(project, branch string, web, db time.Duration, steps fate, does deeds) {
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
			x.rows = append(x.rows, exampleRow{name: project + "-" + service, guest: g, created: created, steps: steps, does: does})
		}
	}
	all := func(project, branch string, created time.Duration, steps fate) {
		add(project, branch, created, created, steps, nil)
	}
	ladder := func(warn time.Duration) fate {
		return fate{"warn": warn, "stop": warn + day, "remove": warn + 5*day}
	}

	const three = -3 * day // and longer: in the order of the table
	all("m-1", "main", three-23*time.Hour, nil)
	all("b-1", "b", three-22*time.Hour, nil)
	all("a-1", "a", three-20*time.Hour, ladder(0))
	all("a-2", "a", three-18*time.Hour, ladder(0))
	all("a-3", "a", three-16*time.Hour, nil)
	all("a-4", "a", -day, nil)
	all("c-1", "c", -60*time.Hour, ladder(12*time.Hour))
	all("c-2", "c", -day, nil)
	all("c-3", "c", -time.Hour, nil)
	add("d-1", "d", three-20*time.Hour, -day, nil, nil)
	all("d-3", "d", -2*day, ladder(day))
	all("d-2", "d", -47*time.Hour, nil) // not in the same microsecond
	// Started later than on the page, after the stop also on a busy host. The 24 h between two notices and the 10 min after a start are
	// not divided: it is neither told again nor stopped within the time of this test.
	add("e-1", "e", three-20*time.Hour, three-20*time.Hour, fate{"warn": 0, "stop": day}, deeds{34 * time.Hour: doesStart})
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
		file: "lab", by: 60, from: -3 * time.Hour, until: 30 * time.Minute,
		rows: []exampleRow{
			{name: "alfa-1", guest: student("alfa"), created: -3 * time.Hour, steps: fate{"stop": 0}},
			{name: "alfa-2", guest: student("alfa"), created: -2 * time.Hour},
			{name: "alfa-3", guest: student("alfa"), created: -time.Hour},
			{name: "lima-1", guest: rm("lima"), created: -3 * time.Hour, steps: fate{"warn rm_stop": 0}},
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

// run plays the table on an engine of its own.
func (x *example) run(t *testing.T, divided string) {
	engine := scenario.StartEngine(t, scenario.InstalledDocker)
	client := engine.Engine(t)
	if err := scenario.ImportImage(t.Context(), client.Client, programs.Payload, payloadImage); err != nil {
		t.Fatal(err)
	}
	h := scenario.NewSuite(t, client, programs, payloadImage)
	h.Programs.Manager = divided
	w := newHost(h)
	w.own, w.plainNames = nil, true
	imageID := x.tag(w)

	policy, err := os.ReadFile(filepath.Join(scenario.Root(t), "policy", "examples", x.file+".yaml"))
	if err != nil {
		t.Fatal(err)
	}
	folder := h.NewPolicyFolder(string(policy))
	logs, setting := h.StartLogs()
	p := h.StartManager("", folder.Setting, setting, "GESTOR_LOGS_WAIT=30s", "GESTOR_TEST_DIVISOR="+strconv.Itoa(int(x.by)))
	p.WaitTicks(3)

	// T is two ticks after the approval.
	zero := time.Now().Add(-x.from/x.by + 2*time.Second)
	at := func(moment time.Duration) time.Time { return zero.Add(moment / x.by) }
	script := x.script(w, imageID, func() { folder.Approve([]byte("{}")) })
	before, seen, behind := map[string]string{}, map[string]map[string]time.Time{}, time.Duration(0)
	end := at(x.until).Add(exampleLate)
	ticker := time.NewTicker(250 * time.Millisecond)
	defer ticker.Stop()
	for now := range ticker.C {
		for len(script) > 0 && !now.Before(at(script[0].at)) {
			script[0].do()
			behind = max(behind, time.Since(at(script[0].at)))
			script = script[1:]
		}
		x.watch(w, seen, before, now)
		if now.After(end.Add(behind)) {
			break
		}
	}
	p.Stop()
	t.Logf("the host was up to %s behind in what it was to do", behind)
	x.check(t, w, logs, seen, at, exampleLate+behind)
}

// exampleLate is how much later than the table says something may be seen, on a host that is not behind in starting and stopping what the
// table has; exampleEarly is the tick, and the second that times are cut to.
const (
	exampleLate  = 12 * time.Second
	exampleEarly = 2 * time.Second
)

// tag gives the engine the images of the rows, and returns the id of their image.
func (x *example) tag(w *host) string {
	for _, r := range x.rows {
		if strings.Contains(r.image, ":") {
			if err := w.Engine.Client.ImageTag(w.Context(), w.Image, r.image); err != nil {
				w.Fatal(err)
			}
		}
	}
	seen, err := w.Engine.Client.ImageInspect(w.Context(), w.Image)
	if err != nil {
		w.Fatal(err)
	}
	return seen.ID
}

type scripted struct {
	at time.Duration
	do func()
}

// script is what is done to the containers, in order.
func (x *example) script(w *host, imageID string, approve func()) (out []scripted) {
	must := func(err error) {
		if err != nil {
			w.Error(err)
		}
	}
	out = append(out, scripted{-2 * x.by * time.Second, approve})
	for _, r := range x.rows {
		out = append(out, scripted{r.created, func() {
			g := r.guest
			if g.image == byImageID {
				g.image = imageID
			}
			if g.works = true; r.does[r.created] == onlyCreated {
				w.create(r.name, g)
			} else {
				w.start(r.name, g)
			}
		}})
		for at, what := range r.does {
			out = append(out, scripted{at, func() {
				ctx, id, api := w.Context(), w.ids[r.name], w.Engine.Client
				switch what {
				case doesStop:
					must(api.ContainerStop(ctx, id, container.StopOptions{}))
				case doesStart:
					must(api.ContainerStart(ctx, id, container.StartOptions{}))
				case doesPause:
					if err := pause(w.Suite, id); err != nil {
						w.Logf("%s runs on, this engine cannot pause: %v", r.name, err)
					}
				case doesToggle:
					must(api.ContainerKill(ctx, id, "USR1"))
				}
			}})
		}
	}
	slices.SortStableFunc(out, func(a, b scripted) int { return int(a.at - b.at) })
	return out
}

// watch notes when a container was first seen stopped, and gone.
func (x *example) watch(w *host, seen map[string]map[string]time.Time, before map[string]string, now time.Time) {
	for _, name := range w.all {
		state, _, _ := strings.Cut(w.state(name), " ")
		if seen[name] == nil {
			seen[name] = map[string]time.Time{}
		}
		if state != before[name] {
			before[name] = state
			switch state {
			case "exited":
				seen[name]["stop"] = now // the last one
			case gone:
				seen[name]["remove"] = now
			}
		}
	}
}

// check holds what happened against the rows.
func (x *example) check(t *testing.T, w *host, logs scenario.Logs, seen map[string]map[string]time.Time, at func(time.Duration) time.Time,
	latest time.Duration,
) {
	t.Helper()
	for _, r := range logs.MustRecords(t, contract.KindSystem) {
		b, ok := r.Body.(contract.SystemBody)
		if !ok || b.Event != "warn" {
			continue
		}
		step := "warn"
		if guard, _ := b.Details["guard"].(string); guard != "" {
			step += " " + guard
		}
		for _, name := range namesOf(b.Details) {
			if seen[name] == nil || !seen[name][step].IsZero() {
				t.Errorf("%s is told twice, or is nobody here: %s", name, b.Message)
				continue
			}
			seen[name][step] = r.Time
		}
	}

	for _, r := range x.rows {
		got := maps.Clone(seen[r.name])
		for _, what := range r.does {
			if what == doesStop { // not the manager
				delete(got, "stop")
			}
		}
		if removed := got["remove"]; !removed.IsZero() && r.steps["stop"] == 0 {
			delete(got, "stop") // on its way to the end
		}
		for step, moment := range r.steps {
			when, ok := got[step]
			delete(got, step)
			if late := when.Sub(at(moment)); !ok || late < -exampleEarly || late > latest {
				t.Errorf("%s: %s at T+%s of the table, and so it was: %t, %s after that", r.name, step, moment, ok, late)
			}
		}
		for step, when := range got {
			t.Errorf("%s: %s, which the table does not say, at T+%s of the table", r.name, step, when.Sub(at(0))*x.by)
		}
	}
}

// namesOf are the containers that a notice is about.
func namesOf(details map[string]any) (names []string) {
	if name, ok := details["name"].(string); ok {
		return []string{name}
	}
	all, _ := details["names"].([]any)
	for _, name := range all {
		names = append(names, fmt.Sprint(name))
	}
	return names
}
