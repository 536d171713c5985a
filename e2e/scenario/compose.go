package scenario

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Compose is one compose project of the suite, started from the repository's own compose.yaml.
type Compose struct {
	Project string
	Root    string // of the repository
	Data    string // the bind volume of the log service
	Env     []string
	Files   []string // that it reads beside compose.yaml
}

// Root returns the repository's root: the folder that holds compose.yaml.
func Root(t testing.TB) string {
	t.Helper()
	dir, err := findRoot()
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

func findRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}

	for dir != "/" {
		if _, err := os.Stat(filepath.Join(dir, "compose.yaml")); err == nil {
			return dir, nil
		}
		dir = filepath.Dir(dir)
	}
	return "", errors.New("no compose.yaml above this folder")
}

// Run runs docker compose with the project's settings and fails the test when it fails.
func (c *Compose) Run(t testing.TB, within time.Duration, args ...string) string {
	t.Helper()
	out, err := c.Try(within, args...)
	if err != nil {
		t.Fatalf("docker compose %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}

// Try runs docker compose and returns what it printed.
func (c *Compose) Try(within time.Duration, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), within)
	defer cancel()
	line := []string{"compose", "-p", c.Project, "-f", "compose.yaml"}
	for _, file := range c.Files {
		line = append(line, "-f", file)
	}
	cmd := exec.CommandContext(ctx, "docker", append(line, args...)...)
	cmd.Dir = c.Root
	cmd.Env = append(os.Environ(), c.Env...)

	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	if ctx.Err() != nil {
		err = fmt.Errorf("%w after %s", ctx.Err(), within)
	}
	return out.String(), err
}
