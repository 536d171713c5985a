package engine

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/mount"

	"gestor.local/contract"
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
	StartedAt string // RFC 3339; changes with every start
	Image     string // what it was created with; a tag that moves does not change it
	Labels    map[string]string
	PID       int // of its first process, in the engine's PID namespace; 0 while it does not run
	// State is created, running, paused, restarting, removing, exited or dead. Running is also true while paused or
	// restarting.
	State         string
	Running       bool
	RestartPolicy string // no, always, unless-stopped, on-failure
	AutoRemove    bool   // --rm: the engine removes it when it ends
	CPU           CPULimit
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

	// Every part of the answer is a pointer: an engine that leaves one out leaves out what is in it.
	state := ContainerState{ID: raw.ID, Name: strings.TrimPrefix(raw.Name, "/"), RestartCount: raw.RestartCount}
	if raw.Config != nil {
		state.Image, state.Labels = contract.ImageName(raw.Config.Image), raw.Config.Labels
	}
	if raw.State != nil {
		state.State, state.StartedAt = contract.DockerState(raw.State.Status), raw.State.StartedAt
		state.Running = raw.State.Running || contract.StateAlive(state.State) // of one that is being stopped podman says false
		state.ExitCode, state.PID = raw.State.ExitCode, raw.State.Pid
	}
	if raw.HostConfig != nil {
		state.RestartPolicy = string(raw.HostConfig.RestartPolicy.Name)
		state.AutoRemove = raw.HostConfig.AutoRemove
		state.CPU = cpuLimitOf(raw.HostConfig.Resources)
	}

	// A volume without a name of its own is called by 64 hex digits, as a container is.
	for i := range raw.Mounts {
		if raw.Mounts[i].Type == mount.TypeVolume && contract.IsContainerID(raw.Mounts[i].Name) {
			state.AnonymousVolumes++
		}
	}
	return state, nil
}

// Kill sends SIGKILL. Sent through the engine it also suspends the restart policy until the daemon starts again, which
// a signal to the PID would not. The engine waits up to 12 s for the exit before it answers (daemon/kill.go).
func (c *Client) Kill(ctx context.Context, id string) error {
	return c.wrap("kill", id, c.api.Load().ContainerKill(ctx, id, "SIGKILL"))
}

// Stop sends the image's stop signal, then SIGKILL after grace (rounded up to whole seconds). A container that has
// stopped already is no error. Giving up on the call does not call the stop off.
func (c *Client) Stop(ctx context.Context, id string, grace time.Duration) error {
	seconds := int((grace + time.Second - 1) / time.Second)
	return c.wrap("stop", id, c.api.Load().ContainerStop(ctx, id, container.StopOptions{Timeout: &seconds}))
}

// Remove deletes the container, killing what still runs in it. Its named volumes stay.
func (c *Client) Remove(ctx context.Context, id string) error {
	return c.wrap("remove", id, c.api.Load().ContainerRemove(ctx, id, container.RemoveOptions{Force: true}))
}
