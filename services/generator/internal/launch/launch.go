// Package launch starts containers by running scripts/launch-container.sh, the only way there is. No shell sees data:
// the script gets an argument vector and checks every argument again.
package launch

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"gestor.local/contract"
	"gestor.local/generator/internal/plan"
	"gestor.local/generator/internal/profile"
	"gestor.local/generator/internal/script"
)

// Script is the wrapper's file name.
const Script = "launch-container.sh"

// Cause is why a start failed.
type Cause string

// Causes of a failed start: the wrapper's exit codes, and what it cannot report itself.
const (
	CauseUsage   Cause = "usage"   // the wrapper refused an argument
	CauseImage   Cause = "image"   // the image is not there
	CauseEngine  Cause = "engine"  // the engine cannot be reached
	CauseRefused Cause = "refused" // the engine refused
	CauseName    Cause = "name"    // the name is taken
	CauseTimeout Cause = "timeout" // no answer in time; the container may come into being all the same
	CauseStopped Cause = "stopped" // the run ended while the start was under way; likewise
	CauseWrapper Cause = "wrapper" // the wrapper could not be run or printed something unexpected
)

var causes = map[int]Cause{2: CauseUsage, 3: CauseImage, 4: CauseEngine, 5: CauseRefused, 7: CauseName}

// Error is a failed start.
type Error struct {
	Cause Cause
	// Message is the last line that the wrapper wrote to its standard error, or what went wrong without it.
	Message string
}

func (e *Error) Error() string { return fmt.Sprintf("start container: %s: %s", e.Cause, e.Message) }

// Launcher runs the wrapper.
type Launcher struct {
	// Dir holds the script.
	Dir string
	// Timeout is of one start.
	Timeout time.Duration
	// Run, Suite and Owner become labels of every container; Lease is how long after its start (or after the end of its
	// lifetime) nobody else may sweep it.
	Run, Suite, Owner string
	Lease             time.Duration
}

var idPattern = regexp.MustCompile(`^[0-9a-f]{64}$`)

// Name is the container name of a start: unique within the run by the plan, and on the host by the run's id.
func (l Launcher) Name(s plan.Start) string { return s.Name + "-" + l.Run }

// repository is what the wrapper puts before the name of an image of its table.
const repository = "gestor/"

// Image is the image of a start as all records name it.
func (l Launcher) Image(s plan.Start) string { return contract.ImageName(repository + s.Image) }

// Launch starts one container and returns its full id. Every error is an *Error.
func (l Launcher) Launch(ctx context.Context, s plan.Start) (id string, err error) {
	out, err := l.run(ctx, l.arguments(s)...)
	if err != nil {
		return "", err
	}

	id = strings.TrimSpace(out)
	if !idPattern.MatchString(id) {
		return "", &Error{CauseWrapper, fmt.Sprintf("expected a container id, got %.100q", id)}
	}
	return id, nil
}

func (l Launcher) arguments(s plan.Start) []string {
	// Nobody sweeps it before it could have ended by itself.
	lease := s.LifetimeS + int64(l.Lease/time.Second)
	arguments := []string{
		"--name", l.Name(s), "--class", string(s.Class),
		"--memory", s.Memory, "--cpus", s.CPUs, "--pids", strconv.Itoa(s.PIDs),
		"--lifetime", strconv.FormatInt(s.LifetimeS, 10), "--lease", strconv.FormatInt(lease, 10),
		"--run", l.Run, "--suite", l.Suite, "--owner", l.Owner, "--seq", strconv.FormatUint(s.Position, 10),
	}

	if s.LifetimeS > 0 { // it ends by itself, so nobody would remove it before the end of the run
		arguments = append(arguments, "--rm")
	}
	return append(arguments, "--", s.Image)
}

// Images asks the wrapper what can be started.
func (l Launcher) Images(ctx context.Context) ([]profile.Image, error) {
	out, err := l.run(ctx, "--images")
	if err != nil {
		return nil, fmt.Errorf("list images: %w", err)
	}
	return parseImages(out)
}

// parseImages reads the wrapper's table: name, class, memory, CPUs, PIDs, other name.
func parseImages(table string) ([]profile.Image, error) {
	var images []profile.Image
	for line := range strings.Lines(table) {
		f := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		if len(f) != 6 {
			return nil, fmt.Errorf("list images: %d columns, want 6: %.100q", len(f), line)
		}

		pids, err := strconv.Atoi(f[4])
		if err != nil {
			return nil, fmt.Errorf("list images: PIDs of %s: %w", f[0], err)
		}

		images = append(images, profile.Image{Name: f[0], Class: contract.Class(f[1]), Memory: f[2], CPUs: f[3], PIDs: pids})
	}
	return images, nil
}

// run runs the wrapper and turns its exit code into a cause.
func (l Launcher) run(ctx context.Context, arguments ...string) (string, error) {
	out, err := script.Run(ctx, l.Timeout, filepath.Join(l.Dir, Script), arguments...)

	// An exit code tells more than the time-out or the end of the run that came upon it.
	var failed *script.Failure
	if !errors.As(err, &failed) {
		return out, err
	}

	cause, known := causes[failed.Code]
	switch {
	case known:
		return "", &Error{cause, failed.Stderr}
	case errors.Is(failed, script.ErrTimeout):
		return "", &Error{CauseTimeout, failed.Error()}
	case ctx.Err() != nil:
		return "", &Error{CauseStopped, "the run ended"}
	default:
		return "", &Error{CauseWrapper, failed.Error()}
	}
}
