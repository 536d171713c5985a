package engine

import (
	"context"
	"strings"

	"github.com/docker/docker/api/types/mount"

	"gestor.local/contract"
)

// ContainerState is the engine's full word on one container, read right before and right after an action.
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
	// AnonymousVolumes counts the volumes that were made for it without a name. The engine removes them with the container
	// only where AutoRemove is set or the removal asks for it.
	AnonymousVolumes int
	// RestartCount is how often its restart policy brought it back; ExitCode is that of its last end, 0 while it runs.
	RestartCount int
	ExitCode     int
}

// Removing says that the engine has begun to remove it.
func (s ContainerState) Removing() bool { return s.State == contract.StateRemoving }

// Inspect inspects one container.
func (c *Client) Inspect(ctx context.Context, id string) (ContainerState, error) {
	raw, err := c.api.Load().ContainerInspect(ctx, id)
	if err != nil {
		return ContainerState{}, c.wrap("look", id, err)
	}
	state := ContainerState{ID: raw.ID, Name: strings.TrimPrefix(raw.Name, "/"), RestartCount: raw.RestartCount}
	if raw.Config != nil {
		state.Image, state.Labels = contract.ImageName(raw.Config.Image), raw.Config.Labels
	}
	if raw.State != nil {
		state.State, state.StartedAt = contract.DockerState(raw.State.Status), raw.State.StartedAt
		state.Running = raw.State.Running || contract.StateAlive(state.State) // of one that is being stopped podman says false
		state.ExitCode, state.PID = raw.State.ExitCode, raw.State.Pid
	}
	for i := range raw.Mounts {
		if raw.Mounts[i].Type == mount.TypeVolume && contract.IsContainerID(raw.Mounts[i].Name) {
			state.AnonymousVolumes++
		}
	}
	if raw.HostConfig != nil {
		state.RestartPolicy = string(raw.HostConfig.RestartPolicy.Name)
		state.AutoRemove = raw.HostConfig.AutoRemove
		state.CPU = cpuLimitOf(raw.HostConfig.Resources)
	}
	return state, nil
}
