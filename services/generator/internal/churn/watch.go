package churn

import (
	"context"
	"errors"
	"fmt"
	"time"

	"gestor.local/generator/internal/containers"
)

// Census lists, watches and removes containers that carry Gestor's labels.
type Census interface {
	List(ctx context.Context, run string) ([]containers.Container, error)
	Remove(ctx context.Context, ids []string) (int, error)
	Watch(ctx context.Context, run string, each func(containers.Event)) error
}

// goneAfter is how long an engine that was there may refuse every question. Being upgraded takes it less; one that was started
// anew under us with the option live-restore made a new socket, and the one that is mounted here leads nowhere for ever.
const goneAfter = 2 * time.Minute

// ErrGone is an engine that was there and has been gone for too long. A restart of the container mounts the socket anew.
var ErrGone = errors.New("the engine's socket leads nowhere any more; ending, so that a restart mounts the one that is there now")

// Watch keeps account of a run's containers until ctx ends: by events, and by the list every resync. An engine that
// goes away is asked again; log hears of it once. When it stays away for too long Watch returns ErrGone.
func Watch(ctx context.Context, c Census, run string, lives *Lives, resync time.Duration, log func(string, error)) error {
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			err := c.Watch(ctx, run, lives.Event)
			if ctx.Err() == nil {
				log("the engine's events ended; they are asked for again", err)
				pause(ctx, time.Second)
			}
		}
	}()
	defer func() {
		cancel()
		<-done
	}()

	well, reached := true, time.Now()
	for pause(ctx, resync) {
		asked := time.Now()
		found, err := c.List(ctx, run)
		if err == nil {
			lives.Resync(found, asked)
		} else if well && ctx.Err() == nil {
			log("the containers could not be listed", err)
		}
		well = err == nil
		if !errors.Is(err, containers.ErrEngine) {
			reached = time.Now()
		}
		if away := time.Since(reached); away >= goneAfter {
			return fmt.Errorf("no answer for %s: %w: %w", away.Round(time.Second), ErrGone, err)
		}
	}
	return nil
}

// pause is false when ctx ended first.
func pause(ctx context.Context, d time.Duration) bool { return sleepUntil(ctx, time.Now().Add(d)) }
