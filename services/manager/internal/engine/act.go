package engine

import (
	"context"
	"time"

	"github.com/docker/docker/api/types/container"
)

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
