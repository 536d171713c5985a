package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"gestor.local/contract"
	"gestor.local/generator/internal/churn"
	"gestor.local/generator/internal/lease"
	"gestor.local/generator/internal/ops"
	"gestor.local/generator/internal/report"
)

// carryOut sweeps, runs the plan and takes everything down again.
func (r *run) carryOut(ctx context.Context) error {
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	background, stop := context.WithCancel(context.WithoutCancel(ctx))
	var parts sync.WaitGroup
	part := func(do func(context.Context) error) {
		parts.Go(func() {
			if err := do(background); err != nil {
				fail(err)
			}
		})
	}
	part(r.spool.Run)
	part(func(ctx context.Context) error {
		return ops.Server{Report: r.report, Spool: r.spool.Stats, Hosts: r.Hosts}.Serve(ctx, r.listener)
	})
	part(func(ctx context.Context) error {
		return churn.Watch(ctx, r.census(), r.id, r.lives, resyncEvery, r.warn)
	})
	if r.governor != nil {
		part(func(ctx context.Context) error {
			r.governor.Watch(ctx)
			return nil
		})
	}
	r.sweep(ctx)
	part(func(ctx context.Context) error {
		r.sweepOn(ctx)
		return nil
	})
	end, err := r.runner.Run(ctx, time.Now())
	if cause := context.Cause(ctx); cause != nil && !errors.Is(cause, context.Canceled) {
		err = errors.Join(err, cause)
	}
	err = errors.Join(err, r.drain(ctx, end))
	stop()
	parts.Wait()
	return errors.Join(err, r.close(end))
}

// sweep removes what dead runs left. A failure does not keep the run from beginning.
func (r *run) sweep(ctx context.Context) {
	removed, err := sweep(ctx, r.census(), lease.Claim{Suite: r.Suite, Run: r.id, Owner: r.owner}, r.warn)
	if err != nil && ctx.Err() == nil {
		r.warn("what earlier runs left could not be swept; it is tried again", err)
	}
	if removed > 0 {
		r.say(contract.SystemBody{
			Event: "swept", Level: contract.LevelWarn, Message: fmt.Sprintf("removed %d containers that earlier runs had left", removed),
			Details: map[string]any{"run": r.id, "removed": removed},
		})
	}
}

// sweepOn keeps the report and sweeps now and then: a start that was under way when its generator was killed may become a container after
// the first sweep, and leases run out while we are here.
func (r *run) sweepOn(ctx context.Context) {
	for ticker := time.NewTicker(sweepEvery); ; {
		select {
		case <-ticker.C:
			r.sweep(ctx)
			if err := r.keep(r.report()); err != nil { // should we be killed, this is what is known
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
	began := time.Now()
	r.log.Info().Str("end", end).Int("alive", r.lives.Alive()).Msg("the run is over; its containers are removed")
	r.lives.Drain()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTimeout)
	defer cancel()
	removed, err := churn.Drain(ctx, r.census(), r.id, r.warn)
	r.log.Info().Int("removed", removed).Dur("took_ms", time.Since(began)).Msg("drained")
	r.tally.End(end)
	if err != nil {
		return fmt.Errorf("%w: %w", errLeft, err)
	}
	return nil
}

// close keeps the report, says goodbye and sends what is left.
func (r *run) close(end string) error {
	final := r.report()
	err := r.keep(final)
	r.say(contract.SystemBody{
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

// keep writes the report under the run's name and as the last one.
func (r *run) keep(final report.Report) error {
	text, err := json.MarshalIndent(final, "", "  ")
	if err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	for _, name := range []string{"report-" + r.id + ".json", reportFile} {
		path := filepath.Join(r.State, name)
		if err := os.WriteFile(path+".tmp", append(text, '\n'), 0o640); err != nil {
			return fmt.Errorf("%w: write report: %w", errStorage, err)
		}
		if err := os.Rename(path+".tmp", path); err != nil {
			return fmt.Errorf("%w: write report: %w", errStorage, err)
		}
	}
	return nil
}
