package engine

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"

	"gestor.local/contract"
	"gestor.local/contract/policy2"
)

// List returns every container the engine knows, stopped ones included, sorted by id. StartedAt is not part of the
// engine's list and stays empty, and an image whose tag has moved on is listed by its id (daemon/list.go, refreshImage):
// see Inspect.
func (c *Client) List(ctx context.Context) (contract.Inventory, error) {
	return c.list(ctx, filters.NewArgs())
}

// ListOwned is List restricted to what carries the ownership label: cheap enough to be asked before every action.
func (c *Client) ListOwned(ctx context.Context) (contract.Inventory, error) {
	return c.list(ctx, filters.NewArgs(filters.Arg("label", contract.LabelManaged+"=true")))
}

func (c *Client) list(ctx context.Context, args filters.Args) (contract.Inventory, error) {
	rows, err := c.api.Load().ContainerList(ctx, container.ListOptions{All: true, Filters: args})
	if err != nil {
		return contract.Inventory{}, c.wrap("list", "", err)
	}

	inv := contract.Inventory{Entries: make([]contract.Entry, 0, len(rows))}
	for i := range rows {
		inv.Entries = append(inv.Entries, entryOf(&rows[i]))
	}
	slices.SortFunc(inv.Entries, func(a, b contract.Entry) int { return cmp.Compare(a.ID, b.ID) })
	return inv, nil
}

func entryOf(row *container.Summary) contract.Entry {
	return contract.Entry{
		ID: row.ID, Name: ownName(row.Names), Image: contract.ImageName(row.Image), Labels: row.Labels,
		State: contract.DockerState(row.State), CreatedUnix: row.Created,
	}
}

// ownName picks the container's own name: a legacy link adds names with a second slash ("/other/alias").
func ownName(names []string) string {
	for _, n := range names {
		if n = strings.TrimPrefix(n, "/"); !strings.Contains(n, "/") {
			return n
		}
	}
	return ""
}

// ContainerState is all that the engine knows of one container, read right before and right after an action.
type ContainerState struct {
	ID        string
	Name      string
	CreatedAt string // RFC 3339, as the next two
	StartedAt string // changes with every start
	// FinishedAt is the time of its last end, of the year 1 before the first.
	FinishedAt string
	// Image is what it was created with; a tag that moves does not change it. Reference is the same as it was written, before
	// contract.ImageName.
	Image, Reference string
	Labels           map[string]string
	PID              int // of its first process, in the engine's PID namespace; 0 while it does not run
	// State is created, running, paused, restarting, removing, exited or dead. Running is also true while paused or
	// restarting.
	State         string
	Running       bool
	RestartPolicy string // no, always, unless-stopped, on-failure
	AutoRemove    bool   // --rm: the engine removes it when it ends
	CPU           CPULimit
	// MemoryLimit is in bytes, 0 for none; known only where the engine told the container's configuration, see NetworkMode.
	MemoryLimit int64
	// StopTimeout is how long a stop waits before the engine kills: the container's own, else the engine's 10 s; negative is
	// without end.
	StopTimeout time.Duration
	// NetworkMode is default, bridge, host, none, container:ID or the name of a network; "" where the engine left the
	// container's configuration out. Networks are the names of those it is attached to, sorted. They and Mounts are nil where
	// the engine left them out.
	NetworkMode string
	Networks    []string
	Mounts      []policy2.Mount
	// AnonymousVolumes counts the volumes that were made for it without a name. The engine removes them with the
	// container only where AutoRemove is set or the removal asks for it.
	AnonymousVolumes int
	// RestartCount is how often its restart policy brought it back; ExitCode is that of its last end, 0 while it runs.
	RestartCount int
	ExitCode     int
}

// Removing says that the engine has begun to remove it.
func (s ContainerState) Removing() bool { return s.State == contract.StateRemoving }

// Inspect returns the state of one container. The operation of its errors is "look".
func (c *Client) Inspect(ctx context.Context, id string) (ContainerState, error) {
	raw, err := c.api.Load().ContainerInspect(ctx, id)
	if err != nil {
		return ContainerState{}, c.wrap("look", id, err)
	}

	// An engine looks for a full id first and then for a name, and a name may look like an id.
	if raw.ContainerJSONBase != nil && raw.ID != id && contract.IsContainerID(id) && contract.IsContainerID(raw.ID) {
		err := fmt.Errorf("no such container: %.12s bears the id as its name", raw.ID)
		return ContainerState{}, &Error{Op: "look", ID: id, Kind: KindGone, Err: err}
	}

	// Every part of the answer is a pointer: an engine that leaves one out leaves out what is in it.
	state := ContainerState{
		ID: raw.ID, Name: strings.TrimPrefix(raw.Name, "/"), CreatedAt: raw.Created, RestartCount: raw.RestartCount,
		StopTimeout: defaultStopTimeout,
	}
	if raw.Config != nil {
		state.Image, state.Reference, state.Labels = contract.ImageName(raw.Config.Image), raw.Config.Image, raw.Config.Labels
		state.StopTimeout = stopTimeout(raw.Config.StopTimeout)
	}
	if raw.State != nil {
		state.State, state.StartedAt = contract.DockerState(raw.State.Status), raw.State.StartedAt
		state.FinishedAt = raw.State.FinishedAt
		state.Running = raw.State.Running || contract.StateAlive(state.State) // of one that is being stopped podman says false
		state.ExitCode, state.PID = raw.State.ExitCode, raw.State.Pid
	}
	if raw.HostConfig != nil {
		state.RestartPolicy = string(raw.HostConfig.RestartPolicy.Name)
		state.AutoRemove = raw.HostConfig.AutoRemove
		state.CPU, state.MemoryLimit = cpuLimitOf(raw.HostConfig.Resources), raw.HostConfig.Memory
		state.NetworkMode = string(raw.HostConfig.NetworkMode)
	}
	if raw.NetworkSettings != nil {
		state.Networks = slices.AppendSeq([]string{}, maps.Keys(raw.NetworkSettings.Networks))
		slices.Sort(state.Networks)
	}

	state.Mounts = mountsOf(raw.Mounts)
	state.AnonymousVolumes = policy2.CountMounts(state.Mounts, "").AnonymousVolumes
	return state, nil
}

// Size is how many bytes the container has written into its own layer, on top of its image's; ok is false where the engine does not
// say. The engine adds them up file by file: of a large layer that takes seconds. The operation of its errors is "size".
func (c *Client) Size(ctx context.Context, id string) (bytes int64, ok bool, err error) {
	raw, _, err := c.api.Load().ContainerInspectWithRaw(ctx, id, true)
	if err != nil {
		return 0, false, c.wrap("size", id, err)
	}
	if raw.ContainerJSONBase == nil || raw.ID != id || raw.SizeRw == nil {
		return 0, false, nil
	}
	return *raw.SizeRw, true, nil
}

// defaultStopTimeout is what a stop waits for a container that was created without a time of its own (daemon/config).
const defaultStopTimeout = 10 * time.Second

func stopTimeout(seconds *int) time.Duration {
	if seconds == nil {
		return defaultStopTimeout
	}
	const day = 24 * 60 * 60 // what is longer is longer than any stop waits, and may be more than a duration holds
	return time.Duration(min(*seconds, day)) * time.Second
}

// mountsOf is nil where the mounts were left out.
func mountsOf(points []container.MountPoint) []policy2.Mount {
	if points == nil {
		return nil
	}

	mounts := make([]policy2.Mount, 0, len(points))
	for i := range points {
		p := &points[i]
		mounts = append(mounts, policy2.Mount{Type: string(p.Type), Name: p.Name, Source: p.Source, Writable: p.RW})
	}
	return mounts
}

// Kill sends SIGKILL. Sent through the engine it also suspends the restart policy until the daemon starts again, which
// a signal to the PID would not. The engine waits up to 12 s for the exit before it answers (daemon/kill.go).
func (c *Client) Kill(ctx context.Context, id string) error {
	return c.wrap("kill", id, c.api.Load().ContainerKill(ctx, id, "SIGKILL"))
}

// Stop sends the image's stop signal, then SIGKILL after wait (rounded up to whole seconds), which takes the place of the
// container's own time. A container that has stopped already is no error. Giving up on the call does not call the stop off;
// Docker 23.0 and 24.0 before June 2023 then kill at once (moby 45738).
func (c *Client) Stop(ctx context.Context, id string, wait time.Duration) error {
	seconds := int((wait + time.Second - 1) / time.Second)
	return c.wrap("stop", id, c.api.Load().ContainerStop(ctx, id, container.StopOptions{Timeout: &seconds}))
}

// Removal says how a container is deleted. The zero value deletes one that does not run, and leaves all its volumes.
type Removal struct {
	// Force kills what still runs in it; else the engine refuses to delete one that runs, and the error is KindOther.
	Force bool
	// Volumes deletes its anonymous volumes with it, but for those that another container uses. Named ones always stay.
	Volumes bool
}

// Remove deletes the container, killing what still runs in it. Its volumes stay.
func (c *Client) Remove(ctx context.Context, id string) error {
	return c.Delete(ctx, id, Removal{Force: true})
}

// Delete deletes the container. The operation of its errors is "remove".
func (c *Client) Delete(ctx context.Context, id string, how Removal) error {
	options := container.RemoveOptions{Force: how.Force, RemoveVolumes: how.Volumes}
	return c.wrap("remove", id, c.api.Load().ContainerRemove(ctx, id, options))
}
