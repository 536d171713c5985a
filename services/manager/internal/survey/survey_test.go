package survey_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"gestor.local/contract"
	"gestor.local/contract/policy2"
	"gestor.local/manager/internal/engine"
	"gestor.local/manager/internal/rules"
	"gestor.local/manager/internal/survey"
)

// now is when the second reading is taken.
var now = time.Date(2026, 11, 30, 9, 0, 0, 0, time.UTC)

// box is one container of a test's host: by default it runs for two days, at work, with a memory limit and a restart policy.
type box struct {
	name, image, state string
	labels             map[string]string
	created            time.Duration // ago, as the next two
	started, ended     time.Duration
	restart            string // "" is always, as who is meant to stay has it
	restarts, before   int    // RestartCount, and that of the first reading
	cpuUS, net         uint64 // of the 5 s between the readings
	mounts             []policy2.Mount
	unlimited, dark    bool // dark: it could not be inspected
	unmeasured         bool
	hostNetwork        bool
	change             func(*rules.Container) // of the second reading
}

func id(name string) string { return fmt.Sprintf("%x", fmt.Sprintf("%-32s", name)) }

func wall(ago time.Duration) policy2.Fact[int64] {
	if ago == 0 {
		return policy2.Known(int64(0))
	}
	return policy2.Known(now.Add(-ago).UnixMicro())
}

// reading is that of a host with these containers.
func reading(boxes ...box) survey.Reading {
	r := survey.Reading{
		Host: "shire", Source: contract.SourceProcfs, Apart: 5 * time.Second, States: make(map[string]engine.ContainerState),
		Facts:  rules.Facts{WallUS: now.UnixMicro(), IntervalUS: 5_000_000, Suite: policy2.Suite{Name: "gestor", Project: "gestor"}},
		Layers: make(map[string]int64),
	}
	for _, b := range boxes {
		before, after, state := b.facts()
		r.Before.Containers = append(r.Before.Containers, before)
		r.Facts.Containers = append(r.Facts.Containers, after)
		if !b.dark {
			r.States[after.ID] = state
		}
		if !contract.StateAlive(after.State) {
			r.Layers[after.ID] = 5 << 20
		}
	}
	return r
}

func (b box) facts() (before, after rules.Container, state engine.ContainerState) {
	if b.state == "" {
		b.state = contract.StateRunning
	}
	if b.created == 0 {
		b.created = 48 * time.Hour
	}
	if b.started == 0 && b.state != contract.StateCreated {
		b.started = b.created
	}
	if b.restart == "" {
		b.restart = "always"
	}
	if b.image == "" {
		b.image = "acme/" + b.name + ":1"
	}

	after = rules.Container{
		Identity: &policy2.Identity{ID: id(b.name), Name: b.name, Image: b.image, Labels: b.labels}, InEngine: true, State: b.state,
		CreatedWallUS: wall(b.created), StartedWallUS: wall(b.started), FinishedWallUS: wall(b.ended),
		Restarts: policy2.Known(b.restarts), AutoRemove: policy2.Known(false),
	}
	if !b.dark {
		after.Socket = policy2.Known(policy2.CountMounts(b.mounts, "").Socket)
	}
	if b.state == contract.StateRunning && !b.unmeasured {
		after.CPUUS, after.RAMKB = policy2.Known(b.cpuUS), policy2.Known(uint64(2048))
		if !b.hostNetwork {
			after.NetBytes = policy2.Known(1000 + b.net)
		}
	}

	if b.change != nil {
		b.change(&after)
	}
	before = after
	before.Restarts = policy2.Known(b.before)
	if after.NetBytes.Known {
		before.NetBytes = policy2.Known(uint64(1000))
	}
	state = engine.ContainerState{ID: after.ID, State: b.state, RestartPolicy: b.restart, Mounts: b.mounts, MemoryLimit: 1 << 30}
	if b.unlimited {
		state.MemoryLimit = 0
	}
	return before, after, state
}

func compose(project string) map[string]string {
	return map[string]string{contract.LabelProject: project, contract.LabelConfigHash: "1"}
}

var (
	named     = []policy2.Mount{{Type: policy2.MountVolume, Name: "data"}}
	anonymous = []policy2.Mount{{Type: policy2.MountVolume, Name: strings.Repeat("ab", 32)}}
	bind      = []policy2.Mount{{Type: policy2.MountBind, Source: "/srv"}}
	socket    = []policy2.Mount{{Type: policy2.MountBind, Source: "/var/run/docker.sock"}}
)

// found lists what was found as KIND: NAMES, with what parks a container behind its name.
func found(s survey.Survey) (out []string) {
	for _, k := range s.Kinds {
		var names []string
		for _, m := range k.Members {
			names = append(names, m.Name)
		}
		kind := string(k.Kind)
		if k.Tool != "" {
			kind = k.Tool
		}
		out = append(out, kind+": "+strings.Join(names, " "))
	}
	for _, p := range s.Parked {
		out = append(out, fmt.Sprintf("parked: %s %v", p.Name, p.Why))
	}
	return out
}

const exited, created = contract.StateExited, contract.StateCreated

// Of each kind who is of it, who is not quite, and who is parked.
func TestKinds(t *testing.T) {
	test := map[string]string{"org.testcontainers": "true"}
	for name, c := range map[string]struct {
		boxes []box
		want  []string
	}{
		"at work":                        {[]box{{name: "a", cpuUS: 900_000}}, nil},
		"ended for two hours":            {[]box{{name: "a", state: exited, ended: 2 * time.Hour, restart: "no"}}, []string{"ended: a"}},
		"ended for less than an hour":    {[]box{{name: "a", state: exited, ended: 59 * time.Minute, restart: "no"}}, nil},
		"ended, when is not known":       {[]box{{name: "a", state: exited, restart: "no"}}, nil},
		"ended with a restart policy":    {[]box{{name: "a", state: exited, ended: 2 * time.Hour}}, []string{"parked: a [restart_policy]"}},
		"ended with a named volume":      {[]box{{name: "a", state: exited, ended: 2 * time.Hour, restart: "no", mounts: named}}, []string{"parked: a [named_volume]"}},
		"ended with a folder":            {[]box{{name: "a", state: exited, ended: 2 * time.Hour, restart: "no", mounts: bind}}, []string{"parked: a [bind]"}},
		"ended with anonymous volumes":   {[]box{{name: "a", state: exited, ended: 2 * time.Hour, restart: "no", mounts: anonymous}}, []string{"anonymous_volumes: a", "parked: a [anonymous_volume]"}},
		"ended, the project runs":        {[]box{{name: "a", state: exited, ended: 2 * time.Hour, restart: "no", labels: compose("shop")}, {name: "b", cpuUS: 900_000, labels: compose("shop")}}, []string{"parked: a [project_runs]"}},
		"never started":                  {[]box{{name: "a", state: created, restart: "no"}}, []string{"created: a"}},
		"just created":                   {[]box{{name: "a", state: created, restart: "no", created: time.Minute}}, nil},
		"created, with a volume":         {[]box{{name: "a", state: created, restart: "no", mounts: named}}, []string{"parked: a [named_volume]"}},
		"between two starts":             {[]box{{name: "a", state: contract.StateRestarting}}, []string{"restarting: a"}},
		"restarted between":              {[]box{{name: "a", before: 2, restarts: 3, cpuUS: 900_000}}, []string{"restarting: a"}},
		"ended between two starts":       {[]box{{name: "a", state: exited, ended: time.Second, restart: "on-failure", before: 2, restarts: 9}}, []string{"restarting: a"}},
		"restarted often, just now":      {[]box{{name: "a", before: 9, restarts: 9, started: time.Minute, cpuUS: 900_000}}, []string{"restarting: a"}},
		"restarted often, not quite now": {[]box{{name: "a", before: 9, restarts: 9, started: 2 * time.Minute, cpuUS: 900_000}}, nil},
		"restarted often, long ago":      {[]box{{name: "a", before: 9, restarts: 9, started: time.Hour, cpuUS: 900_000}}, nil},
		"idle":                           {[]box{{name: "a", restart: "no"}}, []string{"idle: a"}},
		"idle at the limit":              {[]box{{name: "a", restart: "no", cpuUS: 5000, net: 500}}, []string{"idle: a"}},
		"above it by CPU":                {[]box{{name: "a", restart: "no", cpuUS: 5001}}, nil},
		"above it by network":            {[]box{{name: "a", restart: "no", net: 501}}, nil},
		"idle, network not known":        {[]box{{name: "a", restart: "no", hostNetwork: true}}, nil},
		"idle, nothing known":            {[]box{{name: "a", restart: "no", unmeasured: true}}, nil},
		"idle since a minute":            {[]box{{name: "a", restart: "no", started: time.Minute}}, nil},
		"idle with a restart policy":     {[]box{{name: "a"}}, nil},
		"a test's, running":              {[]box{{name: "a", restart: "no", labels: test}}, []string{"testcontainers: a"}},
		"a test's, young":                {[]box{{name: "a", restart: "no", labels: test, created: time.Minute}}, nil},
		"a test's, meant to stay":        {[]box{{name: "a", labels: test}}, []string{"parked: a [restart_policy]"}},
		"a test's, ended with a volume":  {[]box{{name: "a", state: exited, ended: 2 * time.Hour, restart: "no", labels: test, mounts: named}}, []string{"parked: a [named_volume]"}},
		"a builder":                      {[]box{{name: "buildx_buildkit_x0", image: "moby/buildkit:buildx-stable-1", restart: "no"}}, []string{"buildkit: buildx_buildkit_x0"}},
		"an MCP server without label":    {[]box{{name: "a", image: "mcp/fetch", restart: "no"}}, []string{"docker-mcp: a"}},
		"an old project": {
			[]box{{name: "a", created: 80 * time.Hour, restart: "no", labels: compose("shop")}, {name: "b", created: 73 * time.Hour, restart: "no", cpuUS: 900_000, labels: compose("shop")}},
			[]string{"project: a b"},
		},
		"its youngest is young": {
			[]box{{name: "a", created: 80 * time.Hour, restart: "no", cpuUS: 900_000, labels: compose("shop")}, {name: "b", created: 71 * time.Hour, restart: "no", cpuUS: 900_000, labels: compose("shop")}},
			nil,
		},
		"an old project with the socket": {
			[]box{{name: "a", created: 80 * time.Hour, restart: "no", labels: compose("shop")}, {name: "b", created: 80 * time.Hour, restart: "no", mounts: socket, labels: compose("shop")}},
			[]string{"idle: a"},
		},
		"a project meant to stay": {
			[]box{{name: "a", created: 80 * time.Hour, labels: compose("shop")}, {name: "b", created: 80 * time.Hour, restart: "no", labels: compose("shop")}},
			[]string{"parked: a [restart_policy]", "parked: b [restart_policy]"},
		},
		"a project that has ended": {
			[]box{{name: "a", created: 80 * time.Hour, restart: "no", state: exited, ended: 2 * time.Hour, labels: compose("shop")}},
			[]string{"project: a"},
		},
		"a project with a name in its image": {
			[]box{{name: "a", created: 80 * time.Hour, restart: "no", labels: map[string]string{contract.LabelProject: "shop"}}},
			[]string{"idle: a"},
		},
		"no memory limit":      {[]box{{name: "a", cpuUS: 900_000, unlimited: true}}, []string{"no_memory_limit: a"}},
		"ended, without limit": {[]box{{name: "a", state: exited, ended: 2 * time.Hour, restart: "no", unlimited: true}}, []string{"ended: a"}},
		"paused":               {[]box{{name: "a", state: contract.StatePaused, restart: "no"}}, nil},
	} {
		if got := found(survey.New(reading(c.boxes...))); !slices.Equal(got, c.want) {
			t.Errorf("%s: found %q, want %q", name, got, c.want)
		}
	}
}

// What is never own is no leak, and what could not be inspected is said and not judged.
func TestWhoIsNotJudged(t *testing.T) {
	gone := func(b box) box {
		b.state, b.ended, b.restart = exited, 2*time.Hour, "no"
		return b
	}
	for name, c := range map[string]struct {
		box  box
		want survey.LeftOut
	}{
		"a service of the suite": {box{labels: map[string]string{contract.LabelRole: "logs"}}, survey.LeftOut{Gestor: 1}},
		"of the suite's project": {box{labels: compose("gestor")}, survey.LeftOut{Gestor: 1}},
		"started by Gestor":      {box{labels: map[string]string{contract.LabelManaged: "true"}}, survey.LeftOut{Gestor: 1}},
		"mounts the socket":      {box{mounts: socket}, survey.LeftOut{Socket: 1}},
		"swarm's":                {box{labels: map[string]string{contract.LabelSwarmTask: "x"}}, survey.LeftOut{Orchestrator: 1}},
	} {
		c.box.name = "a"
		s := survey.New(reading(gone(c.box)))
		if s.LeftOut != c.want || found(s) != nil || len(s.Unknown) > 0 {
			t.Errorf("%s: left out %+v, found %q, unknown %q", name, s.LeftOut, found(s), s.Unknown)
		}
	}

	for name, b := range map[string]box{
		"not inspected":                       {dark: true},
		"not inspected again":                 {dark: true, change: func(c *rules.Container) { c.Socket = policy2.Known(false) }},
		"inspected without its mounts":        {change: func(c *rules.Container) { c.Socket = policy2.Fact[bool]{} }},
		"inspected without its configuration": {change: func(c *rules.Container) { c.AutoRemove = policy2.Fact[bool]{} }},
	} {
		b.name = "a"
		s := survey.New(reading(gone(b)))
		if !slices.Equal(s.Unknown, []string{"a"}) || found(s) != nil {
			t.Errorf("%s: unknown %q, found %q", name, s.Unknown, found(s))
		}
	}
}

// Another age replaces the defaults of all kinds.
func TestOlderThan(t *testing.T) {
	r := reading(
		box{name: "a", state: exited, ended: 10 * time.Minute, restart: "no"},
		box{name: "b", created: 10 * time.Minute, restart: "no", labels: compose("shop")},
	)
	r.OlderThan = 10 * time.Minute
	if got := found(survey.New(r)); !slices.Equal(got, []string{"ended: a", "project: b"}) {
		t.Errorf("found %q", got)
	}
}

// Whom a rule speaks of: by what is common where nobody else of the host has it, else each by its name.
func TestSelectors(t *testing.T) {
	ended := func(name, image string) box {
		return box{name: name, image: image, state: exited, ended: 2 * time.Hour, restart: "no"}
	}
	test := map[string]string{"org.testcontainers": "true"}
	tool := func(b box) box {
		b.restart, b.labels = "no", test
		return b
	}
	for name, c := range map[string]struct {
		boxes []box
		want  []string // WHOM in words, of the first kind
	}{
		"one of an image":                {[]box{ended("a", "acme/job:1")}, []string{"named a"}},
		"two of an image, any tag":       {[]box{ended("a", "docker.io/acme/job:1"), ended("b", "acme/job:2")}, []string{"of image acme/job"}},
		"a third runs":                   {[]box{ended("a", "acme/job:1"), ended("b", "acme/job:2"), {name: "c", image: "acme/job", cpuUS: 1e6}}, []string{"named a or b"}},
		"a third is parked":              {[]box{ended("a", "acme/job:1"), ended("b", "acme/job:2"), {name: "c", image: "acme/job", state: exited, ended: 2 * time.Hour}}, []string{"named a or b"}},
		"a third is not known":           {[]box{ended("a", "acme/job:1"), ended("b", "acme/job:2"), {name: "c", image: "acme/job", dark: true}}, []string{"named a or b"}},
		"a third's image is not known":   {[]box{ended("a", "acme/job:1"), ended("b", "acme/job:2"), {name: "c", image: "sha256:00", cpuUS: 1e6}}, []string{"named a or b"}},
		"a third is never own":           {[]box{ended("a", "acme/job:1"), ended("b", "acme/job:2"), {name: "c", image: "acme/job", mounts: socket}}, []string{"of image acme/job"}},
		"a third is Gestor's":            {[]box{ended("a", "acme/job:1"), ended("b", "acme/job:2"), {name: "c", image: "acme/job", labels: map[string]string{contract.LabelManaged: "true"}}}, []string{"named a or b"}},
		"a third is swarm's":             {[]box{ended("a", "acme/job:1"), ended("b", "acme/job:2"), {name: "c", image: "acme/job", labels: map[string]string{contract.LabelSwarmTask: "x"}}}, []string{"named a or b"}},
		"two images":                     {[]box{ended("a", "x"), ended("b", "x"), ended("c", "w"), ended("d", "w"), ended("e", "v")}, []string{"of image w or x", "named e"}},
		"of a tool":                      {[]box{tool(box{name: "a"}), tool(box{name: "b"})}, []string{"with label org.testcontainers"}},
		"another of the tool is young":   {[]box{tool(box{name: "a"}), tool(box{name: "b", created: time.Minute, cpuUS: 1e6})}, []string{"with label org.testcontainers"}},
		"another of the tool is to stay": {[]box{tool(box{name: "a"}), {name: "b", labels: test, cpuUS: 1e6}}, []string{"named a"}},
		"another of the tool is parked":  {[]box{tool(box{name: "a"}), tool(box{name: "b", state: exited, ended: time.Hour, mounts: named})}, []string{"named a"}},
		"a project": {
			[]box{{name: "a", created: 80 * time.Hour, restart: "no", labels: compose("shop")}, {name: "b", created: 80 * time.Hour, restart: "no", labels: compose("till")}},
			[]string{"of project shop or till"},
		},
	} {
		var got []string
		for _, s := range survey.New(reading(c.boxes...)).Kinds[0].Own {
			got = append(got, s.Words())
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

// A rule removes only where none of whom it speaks has anything to leave behind.
func TestLadders(t *testing.T) {
	test := map[string]string{"org.testcontainers": "true"}
	old := 80 * time.Hour
	for name, c := range map[string]struct {
		box  box
		want string
	}{
		"ended":                      {box{state: exited, ended: old, restart: "no"}, `["warn",{"after":"1d","do":"remove"}]`},
		"never started":              {box{state: created, restart: "no"}, `["warn",{"after":"1d","do":"remove"}]`},
		"idle":                       {box{restart: "no"}, `["warn",{"after":"12h","do":"stop"}]`},
		"restarting":                 {box{state: contract.StateRestarting}, `["warn",{"after":"1h","do":"stop"}]`},
		"a tool's":                   {box{restart: "no", labels: test}, `["warn",{"after":"4h","do":"stop"},{"after":"1d","do":"remove"}]`},
		"a tool's with a volume":     {box{restart: "no", labels: test, mounts: anonymous}, `["warn",{"after":"4h","do":"stop"}]`},
		"a project":                  {box{restart: "no", created: old, labels: compose("shop")}, `["warn",{"after":"1d","do":"stop"},{"after":"3d","do":"remove"}]`},
		"a project with a folder":    {box{restart: "no", created: old, labels: compose("shop"), mounts: bind}, `["warn",{"after":"1d","do":"stop"}]`},
		"without limit, and at work": {box{cpuUS: 1e6, unlimited: true}, `"warn"`},
	} {
		c.box.name = "a"
		got, err := survey.New(reading(c.box)).Kinds[0].Rule.Do.MarshalJSON()
		if err != nil || string(got) != c.want {
			t.Errorf("%s: %s, want %s (%v)", name, got, c.want, err)
		}
	}
}
