package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"gestor.local/contract"
	"gestor.local/generator/internal/churn"
	"gestor.local/generator/internal/lease"
	"gestor.local/generator/internal/ops"
)

// run sweeps, carries the plan out and removes the run's containers again.
func (r *run) run(ctx context.Context) error {
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)

	// What goes on beside the plan outlives it: it is needed until the containers are gone.
	background, stop := context.WithCancel(context.WithoutCancel(ctx))
	var tasks sync.WaitGroup
	start := func(task func(context.Context) error) {
		tasks.Go(func() {
			if err := task(background); err != nil {
				fail(err)
			}
		})
	}

	// The records first, so that whatever follows can be delivered.
	start(r.spool.Run)
	start(func(ctx context.Context) error {
		return ops.Server{Report: r.report, Spool: r.spool.Stats, Hosts: r.Hosts}.Serve(ctx, r.listener)
	})
	start(func(ctx context.Context) error {
		return churn.Watch(ctx, r.client(), r.id, r.tracker, resyncEvery, r.warn)
	})
	if r.probe != nil {
		start(func(ctx context.Context) error {
			r.probe.Run(ctx)
			return nil
		})
	}
	r.sweep(ctx) // before the first start: what dead runs left counts against nobody's limit
	start(func(ctx context.Context) error {
		r.sweepLoop(ctx)
		return nil
	})

	end, err := r.runner.Run(ctx, time.Now())
	if cause := context.Cause(ctx); cause != nil && !errors.Is(cause, context.Canceled) {
		err = errors.Join(err, cause)
	}

	err = errors.Join(err, r.drain(ctx, end))
	stop()
	tasks.Wait()
	return errors.Join(err, r.close(end))
}

// sweep removes what dead runs left. A failure does not keep the run from beginning.
func (r *run) sweep(ctx context.Context) {
	removed, err := sweep(ctx, r.client(), lease.Claimant{Suite: r.Suite, Run: r.id, Owner: r.owner}, r.warn)
	if err != nil && ctx.Err() == nil {
		r.warn("what earlier runs left could not be swept; it is tried again", err)
	}

	if removed > 0 {
		r.recordEvent(contract.SystemBody{
			Event: "swept", Level: contract.LevelWarn, Message: fmt.Sprintf("removed %d containers that earlier runs had left", removed),
			Details: map[string]any{"run": r.id, "removed": removed},
		})
	}
}

// sweepLoop sweeps and saves the report now and then: a start that was under way when its generator was killed may become a
// container after the first sweep, and leases run out while we are here.
func (r *run) sweepLoop(ctx context.Context) {
	for ticker := time.NewTicker(sweepEvery); ; {
		select {
		case <-ticker.C:
			r.sweep(ctx)

			if err := r.saveReport(r.report()); err != nil { // should we be killed, this is what is known
				r.warn("the report could not be kept", err)
			}

		case <-ctx.Done():
			ticker.Stop()
			return
		}
	}
}

// drain removes the run's containers.
func (r *run) drain(ctx context.Context, end string) error {
	started := time.Now()
	r.log.Info().Str("end", end).Int("alive", r.tracker.Alive()).Msg("the run is over; its containers are removed")
	r.tracker.Drain()

	// The run's context may have ended long ago: removing what was started has its own time.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTimeout)
	defer cancel()
	removed, err := churn.Drain(ctx, r.client(), r.id, r.warn)
	r.log.Info().Int("removed", removed).Dur("took_ms", time.Since(started)).Msg("drained")
	r.counter.SetEnd(end)
	if err != nil {
		return fmt.Errorf("%w: %w", errLeft, err)
	}
	return nil
}

// close saves the report, records the end and sends what is left.
func (r *run) close(end string) error {
	final := r.report()
	err := r.saveReport(final)

	r.recordEvent(contract.SystemBody{
		Event: "stop", Level: contract.LevelInfo, Message: fmt.Sprintf("run %s is over: %s", r.id, end),
		Details: map[string]any{"run": r.id, "report": final},
	})

	ctx, cancel := context.WithTimeout(context.Background(), flushTimeout)
	defer cancel()
	if flushErr := r.spool.Flush(ctx); flushErr != nil {
		r.warn("records stay in the spool for the next start", flushErr)
	}
	err = errors.Join(err, r.spool.Close())

	if r.Strict && final.Started != final.Planned {
		err = errors.Join(err, fmt.Errorf("%w: %d of %d planned", errStrict, final.Planned-final.Started, final.Planned))
	}
	return err
}
