package engine

import (
	"context"
	"strings"

	"github.com/docker/docker/api/types/mount"

	"gestor.local/contract"
)

// View is the engine's full word on one container, read right before and right after an action.
type View struct {
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
func (v View) Removing() bool { return v.State == contract.StateRemoving }

// Look inspects one container.
func (c *Client) Look(ctx context.Context, id string) (View, error) {
	raw, err := c.api.Load().ContainerInspect(ctx, id)
	if err != nil {
		return View{}, c.wrap("look", id, err)
	}
	view := View{ID: raw.ID, Name: strings.TrimPrefix(raw.Name, "/"), RestartCount: raw.RestartCount}
	if raw.Config != nil {
		view.Image, view.Labels = contract.ImageName(raw.Config.Image), raw.Config.Labels
	}
	if raw.State != nil {
		view.State, view.StartedAt = contract.DockerState(raw.State.Status), raw.State.StartedAt
		view.Running = raw.State.Running || contract.StateAlive(view.State) // of one that is being stopped podman says false
		view.ExitCode, view.PID = raw.State.ExitCode, raw.State.Pid
	}
	for i := range raw.Mounts {
		if raw.Mounts[i].Type == mount.TypeVolume && contract.IsContainerID(raw.Mounts[i].Name) {
			view.AnonymousVolumes++
		}
	}
	if raw.HostConfig != nil {
		view.RestartPolicy = string(raw.HostConfig.RestartPolicy.Name)
		view.AutoRemove = raw.HostConfig.AutoRemove
		view.CPU = cpuLimitOf(raw.HostConfig.Resources)
	}
	return view, nil
}
