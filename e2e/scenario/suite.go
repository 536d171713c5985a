package scenario

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"

	"gestor.local/contract"
)

// Suite is one test's share of an engine: containers that it owns by a suite label of its own, so that it neither sees nor
// touches those of others, and the state of the managers that govern them.
type Suite struct {
	testing.TB
	Engine   *Engine
	Programs Programs
	Image    string // what its containers run
	Name     string
	State    string

	// Within is the engine in whose network the managers run; nil is the host's own network.
	Within *PrivateEngine
	enter  []string // how to get into the time namespace of LongUptime, nil for the host's
}

// LabelTest is the suite's name on everything that a test starts, also on what the suite does not own.
const LabelTest = "gestor.test"

// Soon is what a population may take to settle on a busy machine: two ticks of 2 s by the policy, and the engine's time.
const Soon = 90 * time.Second

var suites atomic.Int64

// NewSuite removes the suite's containers at the test's end.
func NewSuite(t testing.TB, engine *Engine, programs Programs, image string) *Suite {
	t.Helper()
	h := &Suite{TB: t, Engine: engine, Programs: programs, Image: image, State: t.TempDir()}
	h.Name = fmt.Sprintf("e2e-%d-%d", os.Getpid(), suites.Add(1))

	// Also what the suite does not own, as a test that fails half-way leaves it.
	t.Cleanup(func() {
		left, err := h.Engine.List(context.Background(), LabelTest+"="+h.Name)
		if err != nil {
			t.Errorf("clean up: %v", err)
		}

		for _, c := range left {
			h.Remove(c.ID)
		}
	})
	return h
}

// Remove removes a container at once, whatever state it is in.
func (h *Suite) Remove(id string) {
	_ = h.Engine.Client.ContainerRemove(context.Background(), id, container.RemoveOptions{Force: true}) // may be gone
}

// OwnedLabels are those of a container that the test's manager owns.
func (h *Suite) OwnedLabels(class contract.Class) map[string]string {
	return map[string]string{
		contract.LabelManaged: "true", contract.LabelClass: string(class), contract.LabelSuite: h.Name, LabelTest: h.Name,
	}
}

// FullName is the name that a container of the suite has for the engine.
func (h *Suite) FullName(name string) string { return h.Name + "-" + name }

// Spawn starts a container that holds the given memory and returns its id.
func (h *Suite) Spawn(name string, labels map[string]string, mib int, edit ...func(*container.HostConfig)) string {
	h.Helper()
	cmd := []string{strconv.Itoa(mib)}
	host := &container.HostConfig{NetworkMode: "none", Resources: container.Resources{Memory: 128 << 20, NanoCPUs: 500_000_000}}
	for _, e := range edit {
		e(host)
	}
	return h.Run(name, &container.Config{Image: h.Image, Cmd: cmd, Labels: labels}, host)
}

// Run starts any container under a name of the suite and returns its id.
func (h *Suite) Run(name string, config *container.Config, host *container.HostConfig) string {
	h.Helper()
	made, err := h.Engine.Client.ContainerCreate(h.Context(), config, host, nil, nil, h.FullName(name))
	if err == nil {
		err = h.Engine.Client.ContainerStart(h.Context(), made.ID, container.StartOptions{})
	}
	if err != nil {
		h.Fatalf("start %s: %v", name, err)
	}
	return made.ID
}

// StartContainers starts n low containers of which every later one holds more memory: the first three are to stay. Memory does not
// depend on how busy the machine is; the tests' policy ranks by it first. The steps are larger than a huge page.
func (h *Suite) StartContainers(n int) (ids []string) {
	h.Helper()
	for i := range n {
		ids = append(ids, h.Spawn("low-"+strconv.Itoa(i), h.OwnedLabels(contract.ClassLow), 8*i))
	}
	return ids
}

// ContainerNames are the short names of the test's owned containers, in any state.
func (h *Suite) ContainerNames() (names []string) {
	h.Helper()
	for _, c := range h.Engine.MustList(h.TB, contract.LabelSuite+"="+h.Name) {
		names = append(names, strings.TrimPrefix(c.Name, h.FullName("")))
	}
	return names
}

// WaitForPopulation waits until exactly these containers are left.
func (h *Suite) WaitForPopulation(within time.Duration, names ...string) {
	h.Helper()
	want := make(map[string]bool, len(names))
	for _, n := range names {
		want[n] = true
	}

	Eventually(h.TB, within, "the population is "+strings.Join(names, ", "), func() error {
		got := h.ContainerNames()
		for _, n := range got {
			if !want[n] {
				return fmt.Errorf("have %v", got)
			}
		}

		// One too few is a fault at once: nothing starts it again.
		if len(got) != len(want) {
			h.Fatalf("too few are left: %v", got)
		}
		return nil
	})
}
