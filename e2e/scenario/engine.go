package scenario

import (
	"context"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/client"
)

// Engine is the real Docker engine, looked at directly and not through the suite.
type Engine struct{ Client *client.Client }

// ContainerState is what the engine says of one container.
type ContainerState struct {
	ID, Name, State string
	Labels          map[string]string
	StartedAt       time.Time
	PID             int
}

// NewEngine connects to the engine, or skips the test where none answers.
func NewEngine(t testing.TB) *Engine {
	t.Helper()
	return connect(t, "")
}

// connect asks the engine at an address, "" for the environment's.
func connect(t testing.TB, host string) *Engine {
	t.Helper()
	options := []client.Opt{client.FromEnv, client.WithAPIVersionNegotiation()}
	if host != "" {
		options = append(options, client.WithHost(host))
	}
	c, err := client.NewClientWithOpts(options...)
	if err != nil {
		t.Fatal(err)
	}

	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	if _, err := c.Ping(ctx); err != nil {
		t.Skipf("no Docker engine answers here: %v", err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return &Engine{Client: c}
}

// List returns every container, running or not, that carries all labels ("key" or "key=value").
func (e *Engine) List(ctx context.Context, labels ...string) ([]ContainerState, error) {
	f := filters.NewArgs()
	for _, l := range labels {
		f.Add("label", l)
	}
	list, err := e.Client.ContainerList(ctx, container.ListOptions{All: true, Filters: f})
	if err != nil {
		return nil, err
	}

	seen := make([]ContainerState, 0, len(list))
	for _, c := range list {
		seen = append(seen, ContainerState{
			ID: c.ID, Name: strings.TrimPrefix(c.Names[0], "/"), State: c.State, Labels: c.Labels,
			StartedAt: time.Unix(c.Created, 0),
		})
	}
	return seen, nil
}

// Inspect returns one container with its start time and host PID.
func (e *Engine) Inspect(ctx context.Context, name string) (ContainerState, error) {
	c, err := e.Client.ContainerInspect(ctx, name)
	if err != nil {
		return ContainerState{}, err
	}
	started, err := time.Parse(time.RFC3339Nano, c.State.StartedAt)
	return ContainerState{
		ID: c.ID, Name: strings.TrimPrefix(c.Name, "/"), State: c.State.Status, Labels: c.Config.Labels,
		StartedAt: started, PID: c.State.Pid,
	}, err
}

// MustList is List for tests.
func (e *Engine) MustList(t testing.TB, labels ...string) []ContainerState {
	t.Helper()
	seen, err := e.List(t.Context(), labels...)
	if err != nil {
		t.Fatal(err)
	}
	return seen
}

// CPUTime is the CPU time that process pid has used so far, from /proc/<pid>/stat (clock ticks of 10 ms).
func CPUTime(t testing.TB, pid int) time.Duration {
	t.Helper()
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		t.Fatal(err)
	}

	// The name of the program stands in parentheses and may hold spaces: fields are counted behind it (proc_pid_stat(5)).
	_, rest, _ := strings.Cut(string(stat), ") ")
	fields := strings.Fields(rest)
	user, err1 := strconv.Atoi(fields[11])
	system, err2 := strconv.Atoi(fields[12])
	if err1 != nil || err2 != nil {
		t.Fatalf("stat of %d: %q", pid, stat)
	}
	return time.Duration(user+system) * 10 * time.Millisecond
}
