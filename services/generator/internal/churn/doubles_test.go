package churn

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gestor.local/contract"
	"gestor.local/generator/internal/containers"
	"gestor.local/generator/internal/launch"
	"gestor.local/generator/internal/plan"
	"gestor.local/generator/internal/report"
)

// engine is an engine in memory: starting takes time, may fail, and containers die after a while. It also checks the
// bounds that no run may pass.
type engine struct {
	took     func(s plan.Start) time.Duration
	fail     func(s plan.Start) error
	lifetime func(s plan.Start) time.Duration // 0 = for ever

	mu            sync.Mutex // guards all following fields
	tracker       *Tracker
	alive         map[string]bool
	underWay      int
	most, mostWay int // alive or about to be; under way
	began         map[uint64]time.Time
	died          map[string]int
}

func id(s plan.Start) string { return fmt.Sprintf("%064d", s.Position) }

func (e *engine) Name(s plan.Start) string { return s.Name + "-run" }

func (e *engine) Image(s plan.Start) string { return "gestor/" + s.Image }

func (e *engine) Launch(ctx context.Context, s plan.Start) (string, error) {
	e.mu.Lock()
	e.underWay++
	e.began[s.Position] = time.Now()
	e.mostWay = max(e.mostWay, e.underWay)
	e.most = max(e.most, len(e.alive)+e.underWay)
	e.mu.Unlock()
	err := e.happen(ctx, s)
	e.mu.Lock()
	e.underWay--
	if err == nil {
		e.alive[id(s)] = true
	}
	e.mu.Unlock()
	if err != nil {
		return "", err
	}
	e.tracker.OnEvent(containers.Event{At: time.Now(), Action: containers.EventStart, ID: id(s)})
	if lifetime := e.lifetime(s); lifetime > 0 {
		time.AfterFunc(lifetime, func() {
			e.mu.Lock()
			delete(e.alive, id(s))
			e.mu.Unlock()
			e.tracker.OnEvent(containers.Event{At: time.Now(), Action: containers.EventDie, ID: id(s)})
		})
	}
	return id(s), nil
}

// happen takes the time of a start and fails it where that is wanted.
func (e *engine) happen(ctx context.Context, s plan.Start) error {
	if !sleep(ctx, e.took(s)) {
		return &launch.Error{Cause: launch.CauseStopped}
	}
	return e.fail(s)
}

// journal is a Recorder; it fails while broken says so.
type journal struct {
	mu      sync.Mutex
	records []contract.Record
	broken  func() bool
}

func (j *journal) Append(records ...contract.Record) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.broken != nil && j.broken() {
		return errors.New("full")
	}
	j.records = append(j.records, records...)
	return nil
}

// launches returns the launch records by position, and fails if a position has two.
func (j *journal) launches(t testing.TB) map[uint64]contract.LaunchBody {
	t.Helper()
	got := map[uint64]contract.LaunchBody{}
	for _, r := range j.records {
		if body, ok := r.Body.(contract.LaunchBody); ok {
			if _, twice := got[body.Position]; twice {
				t.Errorf("position %d was recorded twice", body.Position)
			}
			got[body.Position] = body
		}
	}
	return got
}

func (j *journal) events() (got []string) {
	for _, r := range j.records {
		if body, ok := r.Body.(contract.SystemBody); ok {
			got = append(got, body.Event)
		}
	}
	return got
}

// harness is a Runner with doubles around it; change what a test needs to be otherwise.
type harness struct {
	Runner
	engine  *engine
	journal *journal
	freeKB  atomic.Uint64
	away    atomic.Bool // the manager
}

func newHarness(starts ...plan.Start) *harness {
	s := &harness{engine: &engine{
		took:     func(plan.Start) time.Duration { return 0 },
		fail:     func(plan.Start) error { return nil },
		lifetime: func(plan.Start) time.Duration { return 0 },
		alive:    map[string]bool{}, began: map[uint64]time.Time{}, died: map[string]int{},
	}, journal: &journal{}}
	s.freeKB.Store(1 << 20)
	s.engine.tracker = NewTracker(func(cause string, _ time.Duration) { s.engine.died[cause]++ })
	end := int64(0)
	if len(starts) > 0 {
		end = starts[len(starts)-1].OffsetUS + 1
	}
	s.Runner = Runner{
		Options: Options{RunID: "run", MaxAlive: 1000, Parallel: 4, MaxTotal: 1000, MaxLate: time.Minute, Grace: 5 * time.Second},
		Starter: s.engine, Recorder: s.journal, Tracker: s.engine.tracker,
		Windows: &plan.Single{Plan: plan.Plan{Header: plan.Header{ToUS: end}, Starts: starts}},
		Counter: report.NewCounter("run", 1, "test", time.Now()),
		Gate: NewGate(1024, 3, 10*time.Second, func() (uint64, error) { return s.freeKB.Load(), nil }, func(time.Time) error {
			if s.away.Load() {
				return errors.New("nobody answers")
			}
			return nil
		}),
		Log: func(string, error) {},
	}
	return s
}

// at makes a start at each of the given seconds.
func at(seconds ...int64) (starts []plan.Start) {
	for i, second := range seconds {
		starts = append(starts, plan.Start{
			Position: uint64(i + 1), OffsetUS: second * 1e6, Image: "low-idle", Class: contract.ClassLow, Name: fmt.Sprint("n", i+1),
		})
	}
	return starts
}
