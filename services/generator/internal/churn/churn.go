// Package churn carries a plan out: an open loop that starts every container at its time, or drops it and records that.
//
// Promises: the schedule stands on the beginning of the run, so that a slow engine makes starts late and never shifts
// the later ones; a start that cannot be made in time is dropped, counted and recorded; at no moment are there more
// containers than MaxAlive or more starts under way than Parallel, and nothing is queued.
package churn

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"gestor.local/contract"
	"gestor.local/generator/internal/launch"
	"gestor.local/generator/internal/plan"
	"gestor.local/generator/internal/report"
)

// Starter starts containers.
type Starter interface {
	// Launch returns the full id of the container it started. It returns soon after ctx ends.
	Launch(ctx context.Context, s plan.Start) (id string, err error)
	// Name is the container name of a start.
	Name(s plan.Start) string
	// Image is the image of a start, named as in the records of others (contract.ImageName).
	Image(s plan.Start) string
}

// Recorder stores records.
type Recorder interface {
	Append(records ...contract.Record) error
}

// Windows returns a run's plan, window by window.
type Windows interface {
	// Next returns the window after the last one; ok is false when the plan is at its end. The window is on disk.
	Next() (p plan.Plan, ok bool, err error)
}

// Options are the bounds of a run. All must be set.
type Options struct {
	RunID              string
	MaxAlive, Parallel int
	MaxTotal           uint64
	// MaxLate is how long after its time a start may still begin.
	MaxLate time.Duration
	// Grace is how long starts that are under way may go on after the run's end.
	Grace time.Duration
}

// Runner carries one plan out. Fill every field.
type Runner struct {
	Options
	Starter  Starter
	Recorder Recorder
	Windows  Windows
	Gate     *Gate
	Tracker  *Tracker
	Counter  *report.Counter
	// Log is called with what an operator should know.
	Log func(message string, err error)
}

// Reasons of a dropped start. A closed gate's reason is "gate_" and its own.
const (
	dropAlive      = "max_alive"
	dropLate       = "late"
	dropUnrecorded = "records" // its record could not be stored
)

// Ends of a run.
const (
	endPlan    = "the plan is done"
	endTotal   = "max_total starts were made"
	endStopped = "stopped"
)

// Run carries the plan out until it ends, MaxTotal is reached or ctx ends; then it waits for the starts that are under
// way, which get Grace if ctx ended. It returns why it ended; an error is of the plan.
func (r *Runner) Run(ctx context.Context, began time.Time) (end string, err error) {
	starts, stop := graceful(ctx, r.Grace)
	defer stop()
	l := &loop{Runner: r, ctx: ctx, starts: starts, began: began, slots: make(chan struct{}, r.Parallel)}
	defer l.wait.Wait()

	for {
		window, ok, err := r.Windows.Next()
		if err != nil {
			return "", fmt.Errorf("next part of the plan: %w", err)
		}
		if !ok {
			return endPlan, nil
		}

		for _, s := range window.Starts {
			if end := l.startOrDrop(s); end != "" {
				return end, nil
			}
		}

		// Its end, too, stands on the beginning: a window without starts is not skipped.
		if !sleepUntil(ctx, began.Add(window.End())) {
			return endStopped, nil
		}
	}
}

// graceful returns a context that ends grace after parent did.
func graceful(parent context.Context, grace time.Duration) (context.Context, func()) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(parent))

	var timer atomic.Pointer[time.Timer] // begun by another goroutine
	detach := context.AfterFunc(parent, func() { timer.Store(time.AfterFunc(grace, cancel)) })

	return ctx, func() {
		detach()
		if t := timer.Load(); t != nil {
			t.Stop()
		}
		cancel()
	}
}

// loop is one call of Run.
type loop struct {
	*Runner
	ctx, starts context.Context
	began       time.Time
	slots       chan struct{}
	wait        sync.WaitGroup
	underWay    atomic.Int64
	unrecorded  atomic.Bool // the last record could not be stored
	total       uint64
}

// startOrDrop waits for a start's time and begins or drops it; end is why the run is over, "" to go on.
func (l *loop) startOrDrop(s plan.Start) (end string) {
	due := l.began.Add(s.Offset())
	if !sleepUntil(l.ctx, due) {
		return endStopped
	}
	if l.total >= l.MaxTotal {
		return endTotal
	}

	l.Counter.Due(s)
	if !l.acquireSlot(due.Add(l.MaxLate)) {
		if l.ctx.Err() != nil {
			l.drop(s, due, endStopped)
			return endStopped
		}
		l.drop(s, due, dropLate)
		return ""
	}

	if reason := l.blockedBy(); reason != "" {
		<-l.slots
		l.drop(s, due, reason)
		return ""
	}

	// Counted before it begins: the next start must see it, whether or not it is alive yet.
	l.total++
	l.underWay.Add(1)
	l.wait.Go(func() {
		defer func() { <-l.slots; l.underWay.Add(-1) }()
		l.start(s, due)
	})
	return ""
}

// acquireSlot takes a place among the starts that are under way, if one comes free before the deadline. A start that is
// already too late gets none even if one is free.
func (l *loop) acquireSlot(deadline time.Time) bool {
	left := time.Until(deadline)
	if left < 0 {
		return false
	}

	timer := time.NewTimer(left)
	defer timer.Stop()

	select {
	case l.slots <- struct{}{}:
		return true
	case <-timer.C:
	case <-l.ctx.Done():
	}
	return false
}

// blockedBy returns why no container may be started now, "" when one may.
func (l *loop) blockedBy() string {
	reason, changed := l.Gate.Check(time.Now())
	if changed {
		l.Counter.SetGate(reason)
		l.Log(l.Gate.Text(reason), nil)
		level, event := contract.LevelWarn, "gate_closed"
		if reason == "" {
			level, event = contract.LevelInfo, "gate_opened"
		}
		l.record(contract.SystemBody{
			Event: event, Level: level, Message: l.Gate.Text(reason), Details: map[string]any{"run": l.RunID, "reason": reason},
		})
	}

	switch {
	case reason != "":
		return "gate_" + reason

	// The record of this drop is the next attempt to store one.
	case l.unrecorded.Load():
		return dropUnrecorded

	case l.Tracker.Alive()+int(l.underWay.Load()) >= l.MaxAlive:
		return dropAlive
	default:
		return ""
	}
}

func (l *loop) start(s plan.Start, due time.Time) {
	begin := time.Now()
	id, err := l.Starter.Launch(l.starts, s)
	took, late := time.Since(begin), begin.Sub(due)

	body := l.body(s)
	body.Container, body.LateUS, body.TookUS = id, uint64(late.Microseconds()), uint64(took.Microseconds())

	l.Gate.Result(err == nil, time.Now())
	if err == nil {
		l.Tracker.Started(id, time.Now())
		l.Counter.Started(s, late, took)
		body.Outcome = contract.LaunchStarted
	} else {
		cause := causeOf(err)
		l.Counter.Failed(s, string(cause))
		l.Log(fmt.Sprintf("start %d (%s) failed", s.Position, s.Image), err)
		body.Outcome, body.Reason = contract.LaunchFailed, string(cause)+": "+err.Error()
	}

	l.record(body)
}

func causeOf(err error) launch.Cause {
	var failed *launch.Error
	if errors.As(err, &failed) {
		return failed.Cause
	}
	return launch.CauseWrapper
}

func (l *loop) drop(s plan.Start, due time.Time, reason string) {
	l.Counter.Dropped(s, reason)
	body := l.body(s)
	body.LateUS, body.Outcome, body.Reason = uint64(max(time.Since(due), 0).Microseconds()), contract.LaunchDropped, reason
	l.record(body)
}

func (l *loop) body(s plan.Start) contract.LaunchBody {
	return contract.LaunchBody{
		Subject: contract.Subject{Name: l.Starter.Name(s), Image: l.Starter.Image(s), Class: s.Class},
		Run:     l.RunID, Position: s.Position, OffsetUS: uint64(s.OffsetUS),
		LifetimeS: uint64(s.LifetimeS),
	}
}

// record stores a record; one that cannot be stored is logged, since nothing else shows it.
func (l *loop) record(body contract.Body) {
	err := l.Recorder.Append(contract.NewRecord(time.Now(), 0, "", body))
	l.unrecorded.Store(err != nil)
	if err != nil {
		l.Log("a record could not be kept; nothing is started until one can be", err)
	}
}

// sleep is false when ctx ended first.
func sleep(ctx context.Context, d time.Duration) bool { return sleepUntil(ctx, time.Now().Add(d)) }

// sleepUntil is false when ctx ended first.
func sleepUntil(ctx context.Context, at time.Time) bool {
	timer := time.NewTimer(time.Until(at))
	defer timer.Stop()
	select {
	case <-timer.C:
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}
