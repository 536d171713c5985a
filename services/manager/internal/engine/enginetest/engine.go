// Package enginetest is an engine in memory: the same operations, states and refusals as the Docker Engine as far as
// the manager can see them, plus faults on request. It sleeps with the time package, so that under testing/synctest a
// kill that needs 12 s takes none.
package enginetest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"gestor.local/contract"
	"gestor.local/contract/policy2"
	"gestor.local/manager/internal/engine"
)

// Container is what the engine knows of one container. State "" means running.
type Container struct {
	ID, Name, Image string
	// Retagged makes the list name the image by its id, as an engine does once the tag names another image.
	Retagged string
	Labels   map[string]string
	State    string
	// CreatedAt, StartedAt and FinishedAt are RFC 3339. By default it was created when it was started, and has not ended.
	CreatedAt, StartedAt, FinishedAt string
	PID                              int // of its first process while it runs, by default FirstPID
	RestartPolicy                    string
	AutoRemove                       bool
	CPU                              engine.CPULimit
	MemoryLimit                      int64         // bytes, 0 for none
	StopTimeout                      time.Duration // by default 10 s
	// EndsWithin is how long it takes to end after a stop signal; one that is killed before ends with code 137.
	EndsWithin time.Duration
	// NetworkMode and Networks are those of an inspection, by default bridge and the network of that name.
	NetworkMode string
	Networks    []string
	// Mounts are told beside AnonymousVolumes so many volumes without a name.
	Mounts []policy2.Mount
	// AnonymousVolumes, RestartCount and ExitCode are those of an inspection.
	AnonymousVolumes, RestartCount, ExitCode int
	// Respawn makes a container with the same name and a new id appear as soon as this one is removed.
	Respawn bool
}

// NeverFinished is the time at which a container ended that has not.
const NeverFinished = "0001-01-01T00:00:00Z"

// FirstPID is the first process of a container that was added without one.
const FirstPID = 100

// Call is one mutating call the engine received.
type Call struct {
	Op, ID string
	At     time.Time
	Wait   time.Duration // of a stop: how long it waits before it kills
	// Removal is that of a remove, CPU that of an update.
	Removal engine.Removal
	CPU     engine.CPULimit
}

// Engine is safe for concurrent use. The zero value is not usable: see New.
type Engine struct {
	mu          sync.Mutex // guards all following fields
	containers  map[string]*Container
	faults      []*Fault
	calls       []Call
	respawned   int
	inspections map[string]int
	watch       func(c Call, target Container, all []Container)
}

// Watch has every mutating call for an existing container shown to a test before it takes effect, with the state of all
// containers at that moment. The function must not call the engine.
func (e *Engine) Watch(watch func(c Call, target Container, all []Container)) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.watch = watch
}

// New makes an engine that has the given containers.
func New(containers ...Container) *Engine {
	e := &Engine{containers: make(map[string]*Container), inspections: make(map[string]int)}
	for _, c := range containers {
		e.Add(c)
	}
	return e
}

// Add puts a container there, or replaces the one with the same id.
func (e *Engine) Add(c Container) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if c.State == "" {
		c.State = contract.StateRunning
	}
	if c.StartedAt == "" {
		c.StartedAt = "2026-01-01T00:00:00Z"
	}

	c.CreatedAt, c.FinishedAt = cmp.Or(c.CreatedAt, c.StartedAt), cmp.Or(c.FinishedAt, NeverFinished)
	if c.NetworkMode == "" && c.Networks == nil {
		c.Networks = []string{"bridge"}
	}
	c.NetworkMode, c.StopTimeout = cmp.Or(c.NetworkMode, "bridge"), cmp.Or(c.StopTimeout, 10*time.Second)
	c.PID = cmp.Or(c.PID, FirstPID)
	c.Labels = maps.Clone(c.Labels)
	e.containers[c.ID] = &c
}

// Change edits a container in place, as another user of the engine would.
func (e *Engine) Change(id string, edit func(*Container)) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if c := e.containers[id]; c != nil {
		edit(c)
	}
}

// Drop makes a container vanish, as if another user had removed it.
func (e *Engine) Drop(id string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.containers, id)
}

// RestartDaemon brings back what the engine would: stopped containers with restart policy "always", with a new start.
func (e *Engine) RestartDaemon(startedAt string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, c := range e.containers {
		if c.RestartPolicy == "always" && c.State == contract.StateExited {
			c.State, c.StartedAt = contract.StateRunning, startedAt
		}
	}
}

// Get returns a copy of a container, or false.
func (e *Engine) Get(id string) (Container, bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if c := e.containers[id]; c != nil {
		return *c, true
	}
	return Container{}, false
}

// IDs returns the ids of all containers, sorted.
func (e *Engine) IDs() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Sorted(maps.Keys(e.containers))
}

// Calls returns the mutating calls so far, in order of arrival.
func (e *Engine) Calls() []Call {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.calls)
}

// Inspections returns how often each container was inspected so far.
func (e *Engine) Inspections() map[string]int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return maps.Clone(e.inspections)
}

// Name is the engine's name for its machine.
func (e *Engine) Name(ctx context.Context) (string, error) {
	return "testhost", e.do(ctx, "info", "", 0, nil)
}

// List returns all containers.
func (e *Engine) List(ctx context.Context) (contract.Inventory, error) {
	return e.list(ctx, func(*Container) bool { return true })
}

// ListOwned returns those that carry the ownership label.
func (e *Engine) ListOwned(ctx context.Context) (contract.Inventory, error) {
	return e.list(ctx, func(c *Container) bool { return c.Labels[contract.LabelManaged] == "true" })
}

func (e *Engine) list(ctx context.Context, want func(*Container) bool) (contract.Inventory, error) {
	inv := contract.Inventory{Host: "testhost"}

	// The order of a map differs from call to call; the engine's list is sorted by the client.
	err := e.do(ctx, "list", "", 0, func() error {
		for _, c := range e.containers {
			if want(c) {
				inv.Entries = append(inv.Entries, contract.Entry{
					ID: c.ID, Name: c.Name, Image: cmp.Or(c.Retagged, c.Image), Labels: maps.Clone(c.Labels), State: c.State,
				})
			}
		}
		return nil
	})

	slices.SortFunc(inv.Entries, func(a, b contract.Entry) int { return cmp.Compare(a.ID, b.ID) })
	return inv, err
}

// Inspect inspects one container.
func (e *Engine) Inspect(ctx context.Context, id string) (engine.ContainerState, error) {
	var state engine.ContainerState
	e.mu.Lock()
	e.inspections[id]++
	e.mu.Unlock()

	err := e.do(ctx, "look", id, 0, func() error {
		c, err := e.find("look", id)
		if err != nil {
			return err
		}

		state = engine.ContainerState{
			ID: c.ID, Name: c.Name, Image: contract.ImageName(c.Image), Reference: c.Image, Labels: maps.Clone(c.Labels), State: c.State,
			CreatedAt: c.CreatedAt, StartedAt: c.StartedAt, FinishedAt: c.FinishedAt,
			Running:     contract.StateAlive(c.State),
			StopTimeout: c.StopTimeout, NetworkMode: c.NetworkMode, Networks: slices.Clone(c.Networks), Mounts: c.mounts(),
			RestartPolicy: c.RestartPolicy, AutoRemove: c.AutoRemove, CPU: c.CPU, MemoryLimit: c.MemoryLimit,
			AnonymousVolumes: c.AnonymousVolumes, RestartCount: c.RestartCount, ExitCode: c.ExitCode,
		}

		// Between two starts there is no process.
		if state.Running && c.State != contract.StateRestarting {
			state.PID = c.PID
		}
		return nil
	})
	return state, err
}

// mounts are those of an inspection.
func (c *Container) mounts() []policy2.Mount {
	mounts := append([]policy2.Mount{}, c.Mounts...) // not nil, which says that they were left out
	for n := range c.AnonymousVolumes {
		name := fmt.Sprintf("%064x", n+1)
		mounts = append(mounts, policy2.Mount{Type: policy2.MountVolume, Name: name, Source: "/volumes/" + name, Writable: true})
	}
	return mounts
}

// find resolves a full id only: a test that passes a prefix or a name must fail.
func (e *Engine) find(op, id string) (*Container, error) {
	if c := e.containers[id]; c != nil {
		return c, nil
	}
	return nil, &engine.Error{Op: op, ID: id, Kind: engine.KindGone, Err: errors.New("No such container: " + id)}
}

func (e *Engine) conflict(op, id string, k engine.Kind) error {
	text := map[engine.Kind]string{
		engine.KindNotRunning: "container is not running",
		engine.KindRemoving:   "removal of container is already in progress",
		engine.KindOther:      "You cannot remove a running container",
	}[k]
	return &engine.Error{Op: op, ID: id, Kind: k, Err: errors.New(text)}
}

func (e *Engine) remove(c *Container) {
	delete(e.containers, c.ID)
	if !c.Respawn {
		return
	}

	e.respawned++
	again := *c
	again.ID = strings.Repeat("f", 32) + fmt.Sprintf("%032x", e.respawned)
	again.State, again.FinishedAt = contract.StateRunning, NeverFinished
	again.StartedAt = time.Now().UTC().Format(time.RFC3339Nano)
	again.CreatedAt = again.StartedAt
	e.containers[again.ID] = &again
}
