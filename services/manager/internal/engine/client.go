package engine

import (
	"context"
	"fmt"
	"regexp"
	"sync/atomic"

	docker "github.com/docker/docker/client"
)

// Client speaks to one engine. It is safe for concurrent use.
type Client struct {
	host string
	api  atomic.Pointer[boundAPI]
}

// Open makes a client for host ("unix:///var/run/docker.sock", "tcp://…"; "" = the environment's DOCKER_HOST, else the
// default socket). The version is negotiated, since an older engine refuses every call of a newer client. Nothing is
// sent yet: use Name to see whether the engine answers.
func Open(host string) (*Client, error) {
	api, err := dial(host)
	if err != nil {
		return nil, fmt.Errorf("engine open %q: %w; set GESTOR_ENGINE to the engine's socket, e.g. unix:///var/run/docker.sock", host, err)
	}

	// The client takes any text for a version and asks each route below it: every call would be a 404 without a reason.
	if v := api.ClientVersion(); !versionPattern.MatchString(v) {
		return nil, fmt.Errorf("engine open: %s=%q is no API version: unset it, or write one like 1.41", docker.EnvOverrideAPIVersion, v)
	}

	c := &Client{host: host}
	c.api.Store(api)
	return c, nil
}

func dial(host string) (*boundAPI, error) {
	opts := []docker.Opt{docker.FromEnv, docker.WithAPIVersionNegotiation()}
	if host != "" {
		opts = append(opts, docker.WithHost(host))
	}
	return newAPI(opts...)
}

// versionPattern is how the engine's routes write a version (api/server/server.go).
var versionPattern = regexp.MustCompile(`^[0-9]+\.[0-9]+$`)

// wrap makes an error of this package of what the engine answered. An engine that was replaced by another version may
// refuse the version that was agreed on, and every later call with it: the next one agrees anew.
func (c *Client) wrap(op, id string, err error) error {
	if refusesVersion(err) {
		c.renegotiate()
	}
	return wrap(op, id, err)
}

// renegotiate forgets the version that was agreed on. A client lowers its version but never raises it, so it has to be
// a new one.
func (c *Client) renegotiate() {
	api, err := dial(c.host)
	if err != nil {
		return // it could be made before; the old one fails again, and this is tried again
	}
	_ = c.api.Swap(api).Close() // its idle connections; calls under way keep theirs
}

// Close drops the idle connections.
func (c *Client) Close() error { return c.api.Load().Close() }

// Name returns what the engine calls its machine.
func (c *Client) Name(ctx context.Context) (string, error) {
	info, err := c.api.Load().Info(ctx)
	if err != nil {
		return "", c.wrap("info", "", err)
	}
	return info.Name, nil
}
