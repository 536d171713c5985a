package containers

import (
	"context"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"gestor.local/generator/internal/script"
)

// Events of a container, in Docker's words.
const (
	EventStart   = "start"
	EventOOM     = "oom"
	EventKill    = "kill"
	EventDie     = "die"
	EventDestroy = "destroy"
)

// Event is something that happened to a container.
type Event struct {
	At     time.Time
	Action string
	ID     string
	// ExitCode is of EventDie only.
	ExitCode int
}

// Watch calls each for every event of a run's containers until ctx ends or the engine goes away.
func (c Client) Watch(ctx context.Context, run string, each func(Event)) error {
	err := script.Lines(ctx, func(line string) {
		if e, ok := parseEvent(line); ok {
			each(e)
		}
	}, filepath.Join(c.Dir, Script), "watch", "--run", run)
	if err != nil {
		return fmt.Errorf("watch run %s: %w", run, err)
	}
	return nil
}

// dockerAction is what an engine says of an event in Docker's words: podman has its own for two of them.
func dockerAction(word string) string {
	switch word {
	case "died":
		return EventDie
	case "remove":
		return EventDestroy
	default:
		return word
	}
}

func parseEvent(line string) (e Event, ok bool) {
	f := strings.Split(line, "\t")
	if len(f) != 4 || len(f[2]) != 64 {
		return e, false
	}

	ns, err := strconv.ParseInt(f[0], 10, 64)
	if err != nil {
		return e, false
	}

	e = Event{At: time.Unix(0, ns), Action: dockerAction(f[1]), ID: f[2]}
	e.ExitCode, _ = strconv.Atoi(f[3]) // empty but for die
	return e, true
}
