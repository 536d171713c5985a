package manager

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/mount"
	"github.com/docker/docker/api/types/volume"

	"gestor.local/contract"
	"gestor.local/e2e/scenario"
)

// labelOwn is what the policies of these tests own by; its value is the name of the test's suite.
const labelOwn = "foreign.own"

// labelDependsOn is where compose writes what a service depends on.
const labelDependsOn = "com.docker.compose.depends_on"

// host are containers on an engine of which a policy of version 2 owns some. The volumes that they leave go with the engine: these
// tests run on one of their own.
type host struct {
	*scenario.Suite
	own map[string]string // the labels that make a guest own
	ids map[string]string // by the short names that they were started under
	all []string          // these names, in order
}

// newHost makes one whose guests are own by labelOwn: a policy that owns by it needs an approval.
func newHost(h *scenario.Suite) *host {
	return &host{Suite: h, own: map[string]string{labelOwn: h.Name}, ids: map[string]string{}}
}

// newSuiteHost makes one whose guests are the suite's: a policy that owns these alone needs none.
func newSuiteHost(h *scenario.Suite) *host {
	return &host{Suite: h, own: h.OwnedLabels(contract.ClassLow), ids: map[string]string{}}
}

// guest is a container to start. Its zero value holds 1 MiB, ends as soon as it is told to, and is own.
type guest struct {
	labels   map[string]string
	stranger bool // it has no label that makes it own
	image    string
	limited  bool          // it gets limitOfBusy
	busy     bool          // and uses all of it, until it gets SIGUSR1
	works    bool          // likewise, of a fiftieth of a core
	slow     time.Duration // it ends so long after it was told to
	edit     func(*container.Config, *container.HostConfig)
}

// start starts it under a short name.
func (w *host) start(name string, g guest) string {
	w.Helper()
	id := w.create(name, g)
	if err := w.Engine.Client.ContainerStart(w.Context(), id, container.StartOptions{}); err != nil {
		w.Fatalf("start %s: %v", name, err)
	}
	return id
}

// create makes it under a short name, and does not start it.
func (w *host) create(name string, g guest) string {
	w.Helper()
	made, err := w.make(w.FullName(name), g)
	if err != nil {
		w.Fatalf("create %s: %v", name, err)
	}
	w.ids[name] = made
	w.all = append(w.all, name)
	return made
}

// make makes a container under its full name, and notes nothing.
func (w *host) make(full string, g guest) (id string, err error) {
	config := &container.Config{Image: w.Image, Cmd: []string{"1"}, Labels: map[string]string{scenario.LabelTest: w.Name}}
	host := &container.HostConfig{NetworkMode: "none"}
	if !g.stranger {
		maps.Copy(config.Labels, w.own)
	}
	maps.Copy(config.Labels, g.labels)
	if g.image != "" {
		config.Image = g.image
	}
	if g.slow > 0 {
		config.Env = append(config.Env, "PAYLOAD_ENDS_AFTER="+g.slow.String())
	}
	if g.limited || g.busy {
		host.NanoCPUs = limitOfBusy * 1_000_000
	}
	if g.works {
		host.NanoCPUs = 20_000_000
	}
	if g.busy || g.works {
		config.Cmd = append(config.Cmd, "busy")
	}
	if g.edit != nil {
		g.edit(config, host)
	}

	made, err := w.Engine.Client.ContainerCreate(w.Context(), config, host, nil, nil, full)
	return made.ID, err
}

// composed are the labels of a service of a compose project, and more.
func composed(project, service, dependsOn string, more map[string]string) map[string]string {
	labels := map[string]string{
		contract.LabelProject: project, contract.LabelService: service, contract.LabelConfigHash: "0",
	}
	if dependsOn != "" {
		labels[labelDependsOn] = dependsOn + ":service_started:false"
	}
	maps.Copy(labels, more)
	return labels
}

// withVolumes mounts a volume of each name; "" is one without a name.
func (w *host) withVolumes(names ...string) func(*container.Config, *container.HostConfig) {
	return func(_ *container.Config, host *container.HostConfig) {
		for i, name := range names {
			m := mount.Mount{Type: mount.TypeVolume, Target: fmt.Sprintf("/data/%d", i)}
			if name != "" {
				m.Source = w.FullName(name)
				if _, err := w.Engine.Client.VolumeCreate(w.Context(), volume.CreateOptions{Name: m.Source}); err != nil {
					w.Fatal(err)
				}
			}
			host.Mounts = append(host.Mounts, m)
		}
	}
}

// stopTimeout is docker run --stop-timeout, in seconds.
func stopTimeout(seconds int) func(*container.Config, *container.HostConfig) {
	return func(config *container.Config, _ *container.HostConfig) { config.StopTimeout = &seconds }
}

// deletedAtItsEnd is docker run --rm.
func deletedAtItsEnd(_ *container.Config, host *container.HostConfig) { host.AutoRemove = true }

// edits makes one of several.
func edits(all ...func(*container.Config, *container.HostConfig)) func(*container.Config, *container.HostConfig) {
	return func(config *container.Config, host *container.HostConfig) {
		for _, edit := range all {
			edit(config, host)
		}
	}
}

// inspect is what the engine says of a container, not ok once it is gone.
func (w *host) inspect(name string) (c container.InspectResponse, ok bool) {
	w.Helper()
	c, err := w.Engine.Client.ContainerInspect(w.Context(), w.ids[name])
	if err != nil && !errdefs.IsNotFound(err) && !strings.Contains(err.Error(), "no such container") { // podman, of one that just goes
		w.Fatal(err)
	}
	return c, err == nil
}

const gone = "gone"

// state is what somebody who acts on a container would change of it.
func (w *host) state(name string) string {
	w.Helper()
	c, ok := w.inspect(name)
	if !ok {
		return gone
	}
	return fmt.Sprint(c.State.Status, " since ", c.State.StartedAt, ", restarts ", c.RestartCount, ", exit code ", c.State.ExitCode,
		", cpu ", c.HostConfig.NanoCPUs, "/", max(c.HostConfig.CPUQuota, 0), ", memory ", c.HostConfig.Memory)
}

// states are those of the named, of all without a name.
func (w *host) states(names ...string) map[string]string {
	w.Helper()
	if len(names) == 0 {
		names = w.all
	}
	out := make(map[string]string, len(names))
	for _, name := range names {
		out[name] = w.state(name)
	}
	return out
}

// unchanged fails the test for each container that is not as it was.
func (w *host) unchanged(when string, before map[string]string) {
	w.Helper()
	for _, name := range slices.Sorted(maps.Keys(before)) {
		if now := w.state(name); now != before[name] {
			w.Errorf("%s: %s was %s and is %s", when, name, before[name], now)
		}
	}
}

// awaitGone waits until the named are gone.
func (w *host) awaitGone(names ...string) {
	w.Helper()
	scenario.Eventually(w.TB, scenario.Soon, strings.Join(names, ", ")+" are gone", func() error {
		for _, name := range names {
			if now := w.state(name); now != gone {
				return fmt.Errorf("%s: %s", name, now)
			}
		}
		return nil
	})
}

// awaitExited waits until a container has ended.
func (w *host) awaitExited(name string) {
	w.Helper()
	scenario.Eventually(w.TB, scenario.Soon, name+" has ended", func() error {
		if now := w.state(name); !strings.HasPrefix(now, "exited ") {
			return fmt.Errorf("it is %s", now)
		}
		return nil
	})
}

// cpuLimit is a container's limit in thousandths of a core, 0 without one.
func (w *host) cpuLimit(name string) int64 {
	w.Helper()
	c, ok := w.inspect(name)
	if !ok {
		w.Fatalf("%s is gone", name)
	}
	if quota := c.HostConfig.CPUQuota; quota > 0 { // podman tells both
		return quota * 1000 / max(c.HostConfig.CPUPeriod, 1)
	}
	return c.HostConfig.NanoCPUs / 1_000_000
}

func (w *host) awaitLimit(what, name string, want int64) {
	w.Helper()
	w.awaitLimitWithin(scenario.Soon, what, name, want)
}

// busyWithin is how long a container may take to have used its CPU as a rule asks. On a host with much else to do it gets little, and a
// single tick in which it got too little begins the rule's time anew.
const busyWithin = 10 * time.Minute

// awaitThrottled waits until the container "busy" was throttled for what it uses.
func (w *host) awaitThrottled() {
	w.Helper()
	w.awaitLimitWithin(busyWithin, "the busy one is throttled", "busy", throttledTo)
}

func (w *host) awaitLimitWithin(within time.Duration, what, name string, want int64) {
	w.Helper()
	scenario.Eventually(w.TB, within, what, func() error {
		if now := w.cpuLimit(name); now != want {
			return fmt.Errorf("the limit of %s is %d thousandths of a core", name, now)
		}
		return nil
	})
}

// limitOfBusy is the CPU limit that a limited guest is started with, in thousandths of a core.
const limitOfBusy = 330

// volumesOf are the names of the volumes of a container.
func (w *host) volumesOf(name string) (volumes []string) {
	w.Helper()
	c, ok := w.inspect(name)
	if !ok {
		w.Fatalf("%s is gone", name)
	}
	for _, m := range c.Mounts {
		if m.Type == mount.TypeVolume {
			volumes = append(volumes, m.Name)
		}
	}
	return volumes
}

// hasVolume says whether a volume is there.
func (w *host) hasVolume(name string) bool {
	w.Helper()
	_, err := w.Engine.Client.VolumeInspect(w.Context(), name)
	if err != nil && !errdefs.IsNotFound(err) {
		w.Fatal(err)
	}
	return err == nil
}
