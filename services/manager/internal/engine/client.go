package engine

import (
	"context"
	"fmt"

	docker "github.com/docker/docker/client"
)

// Client speaks to one engine. It is safe for concurrent use.
type Client struct {
	api *docker.Client
}

// Open makes a client for host ("unix:///var/run/docker.sock", "tcp://…"; "" = the environment's DOCKER_HOST, else the
// default socket). The version is negotiated, since an older engine refuses every call of a newer client. Nothing is
// sent yet: use Name to see whether the engine answers.
func Open(host string) (*Client, error) {
	opts := []docker.Opt{docker.FromEnv, docker.WithAPIVersionNegotiation()}
	if host != "" {
		opts = append(opts, docker.WithHost(host))
	}
	api, err := docker.NewClientWithOpts(opts...)
	if err != nil {
		return nil, fmt.Errorf("engine open %q: %w; set GESTOR_ENGINE to the engine's socket, e.g. unix:///var/run/docker.sock", host, err)
	}
	return &Client{api: api}, nil
}

// Close drops the idle connections.
func (c *Client) Close() error { return c.api.Close() }

// Name returns what the engine calls its machine.
func (c *Client) Name(ctx context.Context) (string, error) {
	info, err := c.api.Info(ctx)
	if err != nil {
		return "", wrap("info", "", err)
	}
	return info.Name, nil
}
