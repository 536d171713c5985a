package churn

import (
	"context"
	"time"

	"gestor.local/generator/internal/census"
)

// Census lists, watches and removes containers that carry Gestor's labels.
type Census interface {
	List(ctx context.Context, run string) ([]census.Container, error)
	Remove(ctx context.Context, ids []string) (int, error)
	Watch(ctx context.Context, run string, each func(census.Event)) error
}

// Watch keeps account of a run's containers until ctx ends: by events, and by the list every resync. An engine that
// goes away is asked again; log hears of it once.
func Watch(ctx context.Context, c Census, run string, lives *Lives, resync time.Duration, log func(string, error)) {
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
	well := true
	for pause(ctx, resync) {
		asked := time.Now()
		found, err := c.List(ctx, run)
		if err == nil {
			lives.Resync(found, asked)
		} else if well && ctx.Err() == nil {
			log("the containers could not be listed", err)
		}
		well = err == nil
	}
	<-done
}

// pause is false when ctx ended first.
func pause(ctx context.Context, d time.Duration) bool { return sleepUntil(ctx, time.Now().Add(d)) }
