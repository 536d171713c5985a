package govern_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"gestor.local/contract"
	"gestor.local/manager/internal/engine"
	"gestor.local/manager/internal/govern"
	"gestor.local/manager/internal/journal"
	"gestor.local/ship"
	"gestor.local/ship/shiptest"
)

// process is one run of a manager that is killed at a given step: before or after a write to the journal or the spool,
// or a call of the engine. Nothing that it does after that has an effect.
type process struct {
	steps atomic.Int64
	end   int64 // the step at which it is killed, 0 for none
	dead  atomic.Bool
}

var errDead = errors.New("killed")

func (p *process) step() (alive bool) {
	if p.dead.Load() {
		return false
	}
	if n := p.steps.Add(1); n == p.end {
		p.dead.Store(true)
	}
	return !p.dead.Load()
}

// do is an effect between two steps: what comes back from it does so only to the living.
func (p *process) do(effect func() error) error {
	if !p.step() {
		return errDead
	}
	err := effect()
	if !p.step() {
		return errDead
	}
	return err
}

type killableJournal struct {
	*journal.Journal
	process *process
}

func (m killableJournal) number(write func() (uint64, error)) (seq uint64, err error) {
	failure := m.process.do(func() error { seq, err = write(); return err })
	if errors.Is(failure, errDead) {
		return 0, journal.ErrFailed // ends the loop
	}
	return seq, err
}

func (m killableJournal) Tick(p contract.Policy, t journal.Tick, plan contract.Plan) (uint64, error) {
	return m.number(func() (uint64, error) { return m.Journal.Tick(p, t, plan) })
}

func (m killableJournal) Decide(d journal.Decision) (uint64, error) {
	return m.number(func() (uint64, error) { return m.Journal.Decide(d) })
}

func (m killableJournal) Intent(intents ...journal.Intent) (uint64, error) {
	return m.number(func() (uint64, error) { return m.Journal.Intent(intents...) })
}

func (m killableJournal) Outcome(outcomes ...journal.Outcome) (uint64, error) {
	return m.number(func() (uint64, error) { return m.Journal.Outcome(outcomes...) })
}

type killableSpool struct {
	*ship.Shipper
	process *process
}

func (m killableSpool) Append(records ...contract.Record) error {
	return m.process.do(func() error { return m.Shipper.Append(records...) })
}

type killableEngine struct {
	govern.Engine
	process *process
}

func (m killableEngine) Kill(ctx context.Context, id string) error {
	return m.process.do(func() error { return m.Engine.Kill(ctx, id) })
}

func (m killableEngine) Stop(ctx context.Context, id string, wait time.Duration) error {
	return m.process.do(func() error { return m.Engine.Stop(ctx, id, wait) })
}

func (m killableEngine) Remove(ctx context.Context, id string) error {
	return m.process.do(func() error { return m.Engine.Remove(ctx, id) })
}

func (m killableEngine) Delete(ctx context.Context, id string, how engine.Removal) error {
	return m.process.do(func() error { return m.Engine.Delete(ctx, id, how) })
}

func (m killableEngine) SetCPU(ctx context.Context, id string, limit engine.CPULimit) error {
	return m.process.do(func() error { return m.Engine.SetCPU(ctx, id, limit) })
}

// runUntilKilled runs the fixture's manager with a journal and a spool on disk until its time is over or it is killed.
func (w *fixture) runUntilKilled(spoolDir string, service *shiptest.Service, d time.Duration, p *process, sends bool) {
	w.t.Helper()
	spool, err := ship.Open(ship.Config{
		Dir: spoolDir, URL: "http://logs.test", Producer: contract.ProducerManager, Host: "h", Boot: "b", Client: service.Client(),
	})
	if err != nil {
		w.t.Fatal(err)
	}
	recorded, observations := spool.Journalled()
	j, recovered, err := journal.Open(w.dir, journal.Options{Version: 2, After: recorded})
	if err != nil {
		w.t.Fatal(err)
	}

	// A new spool is told its place in the journal by the first record, a known one gets what the journal holds beyond
	// its own.
	o := w.options
	o.Journal, o.Spool, o.Engine, o.Recovered = killableJournal{j, p}, killableSpool{spool, p}, killableEngine{w.engine, p}, recovered
	if recorded == 0 {
		start := contract.NewRecord(time.Now(), 0, "", contract.SystemBody{Event: "start", Level: "info"})
		start.JournalSeq = j.Seq()
		if err := spool.Append(start); err != nil {
			w.t.Fatal(err)
		}
	} else {
		o.Backlog.Observations = observations
		if o.Backlog.Backlog, err = journal.Behind(w.dir, recorded); err != nil {
			w.t.Fatal(err)
		}
	}

	ctx, cancel := context.WithTimeout(context.Background(), d)
	defer cancel()
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		if sends {
			_ = spool.Run(ctx)
		}
	}()

	err = govern.New(o).Run(ctx)
	if err != nil && !p.dead.Load() {
		w.t.Error(err)
	}
	cancel()
	<-sent

	if p.end == 0 {
		if err := spool.Flush(context.Background()); err != nil {
			w.t.Error(err)
		}
	}
	_ = j.Close()
	_ = spool.Close()
}

// Wherever the manager is killed between a decision and its record, the next one records what is missing, once.
func TestKilledAtAnyStepEveryRecordIsThereOnce(t *testing.T) {
	for name, change := range map[string]func(*contract.Policy){
		"kill and remove": func(*contract.Policy) {},
		"throttle first": func(p *contract.Policy) {
			p.Act.Ladder, p.Act.ThrottleTicks = []contract.Rung{contract.RungThrottle, contract.RungKill, contract.RungRemove}, 1
		},
		"shadow": func(p *contract.Policy) { p.Mode = contract.ModeShadow },
	} {
		t.Run(name, func(t *testing.T) {
			var steps int64
			runSynctest(t, 5, 2, func(w *fixture) {
				change(&w.options.Policy)
				var p process
				w.runUntilKilled(t.TempDir(), &shiptest.Service{}, 35*time.Second, &p, true)
				steps = p.steps.Load()
			})
			if steps < 20 {
				t.Fatalf("only %d steps", steps)
			}

			for end := int64(1); end <= steps; end++ {
				runSynctest(t, 5, 2, func(w *fixture) {
					change(&w.options.Policy)
					var service shiptest.Service
					dir := memoryDir(t)
					w.runUntilKilled(dir, &service, 35*time.Second, &process{end: end}, end%4 < 2)
					time.Sleep(time.Second)

					// The next process is told nothing but what is on the disk.
					w.runUntilKilled(dir, &service, 78*time.Second, &process{}, false)
					if problem := w.compare(&service); problem != "" {
						t.Errorf("killed at step %d of %d: %s", end, steps, problem)
					}
					if w.options.Policy.Mode == contract.ModeEnforce {
						w.wantAlive(settled(2)...)
					}
				})
			}
		})
	}
}

// compare holds the journal against what the log service has.
func (w *fixture) compare(service *shiptest.Service) (problem string) {
	want, got := make(map[string]int), make(map[string]int)
	verbs := make(map[string]string)
	_, err := journal.Scan(w.dir, func(e journal.Entry) error {
		switch {
		case e.Carried: // it stands further back, too
		case e.Tick != nil:
			w.expect(want, e.Tick)
		case e.Intent != nil:
			verbs[e.Intent.ActionID] = e.Intent.Action
			if e.Intent.Action != contract.ActionThrottle {
				want["intent "+e.Intent.ActionID]++
			}
		case e.Outcome != nil:
			want[fmt.Sprint(e.Outcome.Outcome, " ", verbs[e.Outcome.ActionID], " ", e.Outcome.ActionID)]++
		}
		return nil
	})
	if err != nil {
		return err.Error()
	}

	for _, r := range service.Records() {
		switch b := r.Body.(type) {
		case contract.HostBody:
			got[fmt.Sprint("host ", r.Tick)]++
		case contract.ContainerBody:
			got[fmt.Sprint("container ", r.Tick, b.Container)]++
		case contract.DecisionBody:
			if b.Verdict == contract.VerdictRemove {
				got[fmt.Sprint("decision ", r.Tick, b.Container, b.Held)]++
			}
		case contract.ActionBody:
			switch {
			case b.Action == contract.ActionShadowRemove:
			case b.Phase == contract.PhaseIntent:
				got["intent "+b.ActionID]++
			default:
				got[fmt.Sprint(b.Outcome, " ", b.Action, " ", b.ActionID)]++
			}
		}
	}

	// What is wanted must be there as often as it happened, and nothing else.
	for what, n := range want {
		if got[what] != n {
			problem += fmt.Sprintf("%s: %d times, want %d; ", what, got[what], n)
		}
		delete(got, what)
	}

	for what, n := range got {
		if n > 0 {
			problem += fmt.Sprintf("%s: %d times, the journal has none; ", what, n)
		}
	}
	return problem
}

// expect adds the records of a tick.
func (w *fixture) expect(want map[string]int, t *journal.Tick) {
	n := t.Context.Tick
	want[fmt.Sprint("host ", n)]++
	for _, m := range t.Population.Members {
		want[fmt.Sprint("container ", n, m.ID)]++
	}

	for _, s := range t.Shadow {
		want[fmt.Sprint("container ", n, s.Entry.ID)]++
	}
	plan, err := t.Decoded()
	if err != nil {
		w.t.Error(err)
	}
	held := ""
	if plan.Mode == contract.ModeShadow {
		held = contract.HeldShadow
	}

	for _, v := range plan.Verdicts {
		if v.Verdict == contract.VerdictRemove && len(t.Gates) == 0 {
			want[fmt.Sprint("decision ", n, v.ID, held)]++
		}
	}
}
