// Package containers handles the containers that carry Gestor's labels: it lists, watches and removes them by running
// scripts/managed-containers.sh, which touches no other.
package containers

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"gestor.local/contract"
	"gestor.local/generator/internal/script"
)

// Script is the script's file name.
const Script = "managed-containers.sh"

// ErrEngine is wrapped by errors of an engine that cannot be reached.
var ErrEngine = errors.New("the engine cannot be reached (is it running, and may this user use its socket?)")

// ErrVersion is wrapped by errors of an engine that does not speak the version of its interface that was set. Asking again does
// not help.
var ErrVersion = errors.New("wrong version of the engine's interface")

// Container is one managed container, running or ended.
type Container struct {
	ID, Suite, Run string
	Seq            uint64
	Class          contract.Class
	Image          string
	// Expires is zero when the label is missing or no number.
	Expires     time.Time
	Owner       string
	State, Name string
}

// Alive reports whether the container takes up anything but disk.
func (c Container) Alive() bool {
	return contract.StateAlive(c.State)
}

// Client runs the script.
type Client struct {
	// Dir holds the script; Timeout is of one list or question, and RemoveTimeout of one removal of many.
	Dir                    string
	Timeout, RemoveTimeout time.Duration
}

// List returns every managed container; with a run, those of that run.
func (c Client) List(ctx context.Context, run string) ([]Container, error) {
	arguments := []string{"list"}
	if run != "" {
		arguments = append(arguments, "--run", run)
	}

	out, err := c.run(ctx, c.Timeout, arguments...)
	if err != nil {
		return nil, fmt.Errorf("list containers: %w", err)
	}
	return parseList(out), nil
}

const listColumns = 10

// parseList reads the script's table. Labels are anybody's text, also with tabs and newlines in it: a line that is not
// of the right form is passed over. What such a text could forge is an id, and the script checks the labels again
// before it removes one.
func parseList(table string) (found []Container) {
	for line := range strings.Lines(table) {
		f := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		if len(f) != listColumns || len(f[0]) != 64 {
			continue
		}

		c := Container{
			ID: f[0], Suite: f[1], Run: f[2], Class: contract.Class(f[4]), Image: f[5], Owner: f[7], State: contract.DockerState(f[8]), Name: f[9],
		}

		// What somebody else wrote into these labels may be no number: then it is 0.
		c.Seq, _ = strconv.ParseUint(f[3], 10, 64)
		if seconds, err := strconv.ParseInt(f[6], 10, 64); err == nil {
			c.Expires = time.Unix(seconds, 0)
		}
		found = append(found, c)
	}
	return found
}

// Remove removes the containers with the given full ids that carry Gestor's label, and returns how many there were.
func (c Client) Remove(ctx context.Context, ids []string) (int, error) {
	if len(ids) == 0 {
		return 0, nil
	}

	out, err := c.run(ctx, c.RemoveTimeout, append([]string{"remove"}, ids...)...)
	if err != nil {
		return 0, fmt.Errorf("remove containers: %w", err)
	}

	n, err := strconv.Atoi(strings.TrimSpace(out))
	if err != nil {
		return 0, fmt.Errorf("remove containers: %w", err)
	}
	return n, nil
}

// Running returns the full id of a container, managed or not, if it is running, else "".
func (c Client) Running(ctx context.Context, name string) (id string, err error) {
	out, err := c.run(ctx, c.Timeout, "running", name)
	if err != nil {
		return "", fmt.Errorf("look for container %s: %w", name, err)
	}
	return strings.TrimSpace(out), nil
}

// EngineName returns the name that the engine gives to its host.
func (c Client) EngineName(ctx context.Context) (string, error) {
	out, err := c.run(ctx, c.Timeout, "engine")
	if err != nil {
		return "", fmt.Errorf("ask the engine for its name: %w", err)
	}
	name, _, _ := strings.Cut(out, "\t")
	return strings.TrimSpace(name), nil
}

func (c Client) run(ctx context.Context, timeout time.Duration, arguments ...string) (string, error) {
	out, err := script.Run(ctx, timeout, filepath.Join(c.Dir, Script), arguments...)

	// The script's exit codes that call for something else than trying again.
	var failed *script.Failure
	if !errors.As(err, &failed) {
		return out, err
	}

	switch failed.Code {
	case 4:
		return "", fmt.Errorf("%w: %s", ErrEngine, failed.Stderr)
	case 6:
		return "", fmt.Errorf("%w: %s", ErrVersion, failed.Stderr)
	default:
		return "", err
	}
}
