// Package simulate runs the real population and decision code against a synthetic host in simulated time, and scores
// every decision against what the containers really consume. The same options give the same result on any machine.
//
// It is a model: CPU is shared evenly, memory never runs short, the engine never fails. It shows how a policy behaves
// and in which direction a switch changes that; it does not predict a host.
package simulate

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"gestor.local/contract"
	"gestor.local/contract/policy2"
	"gestor.local/manager/internal/population"
	"gestor.local/manager/internal/rules"
)

// CPU figures that a simulated manager may rank by.
const (
	CPUInterval = "interval" // over the last interval, as the manager does
	CPULifetime = "lifetime" // all CPU time since the container began, as the original module reports it
)

// Options of a run.
type Options struct {
	Seed   uint64
	Hours  float64
	Policy contract.Policy
	// Version2, where it is not nil, decides instead of Policy: rules that give places to the lightest of class low and to the
	// heaviest of class high, and remove the others. Then CPU is CPUInterval.
	Version2 *policy2.Policy
	CPU      string // CPUInterval or CPULifetime
	Workload string // gestor, seed or fading
	CPUs     int
	// Batch containers, drawn evenly from the four images, are started every Interval, one after the other within
	// Spread.
	Batch            int
	Interval, Spread time.Duration
	// Phase is the time from a batch to the next tick; negative draws another one every hour.
	Phase time.Duration
	// Lifetime ends every container by itself; 0 lets it live until it is removed.
	Lifetime time.Duration
}

// DefaultOptions is the generator's default: ten containers every half minute.
func DefaultOptions() Options {
	return Options{
		Seed: 1, Hours: 10, Policy: contract.DefaultPolicy(), CPU: CPUInterval, Workload: "gestor", CPUs: 4,
		Batch: 10, Interval: 30 * time.Second, Spread: 2 * time.Second, Phase: -1,
	}
}

// Time that a removal takes: half a second to a second and a half, and once in a hundred the 12 s after which the
// engine gives up waiting for the exit event.
const (
	killUS, killSpreadUS = 500_000, 1_000_000
	slowKillUS           = 12_000_000
	slowKillPercent      = 1
)

// sim is a run under way.
type sim struct {
	opts         Options
	program      *rules.Program // of version 1
	rules        *decider       // of version 2, nil under one of version 1
	kinds        []kind
	rng          *rand.Rand
	host         *host
	state        population.State
	tickUS       uint64
	batchUS      uint64 // when the next batch begins
	score        score
	removed      []uint64 // times of the removals begun in the last minute
	surpriseSeen bool     // the previous plan was a surprise
}

// Run simulates and returns the figures.
func Run(o Options) (Result, error) {
	kinds, err := workloads(o.Workload)
	if err != nil {
		return Result{}, fmt.Errorf("simulate: %w", err)
	}
	if o.CPU != CPUInterval && o.CPU != CPULifetime {
		return Result{}, fmt.Errorf("simulate: unknown CPU figure %q (%s or %s)", o.CPU, CPUInterval, CPULifetime)
	}
	if o.Version2 != nil {
		if o.CPU != CPUInterval {
			return Result{}, fmt.Errorf("simulate: a policy of version 2 ranks by the CPU of an interval alone (leave %s out)", o.CPU)
		}
		if o.Policy, err = settings(o.Version2); err != nil {
			return Result{}, fmt.Errorf("simulate: %w", err)
		}
	}
	if o.Hours <= 0 || o.CPUs < 1 || o.Batch < 0 || o.Interval <= 0 || o.Spread < 0 || o.Policy.Tick <= 0 {
		return Result{}, fmt.Errorf("simulate: hours, CPUs, interval and tick must be positive, batch and spread not negative")
	}

	s := &sim{
		opts: o, program: rules.Compile(o.Policy), kinds: kinds, rng: newRand(o.Seed, 1),
		host:   &host{rng: newRand(o.Seed, 2), cpus: o.CPUs},
		tickUS: micros(time.Duration(o.Policy.Tick)),
	}
	if o.Version2 != nil {
		policy := *o.Version2
		policy.Mode = contract.ModeEnforce // a run is what would be done, as one of version 1 is, whatever the mode
		s.rules = &decider{program: rules.New(policy)}
	}
	s.score.quota = o.Policy.Quota
	s.score.buckets = o.Policy.Buckets

	for tick := uint64(1); tick*s.tickUS <= uint64(o.Hours*float64(micros(time.Hour))); tick++ {
		s.scheduleBatches(tick * s.tickUS)
		s.host.advance(tick * s.tickUS)
		if err := s.tick(tick); err != nil {
			return Result{}, fmt.Errorf("simulate tick %d: %w", tick, err)
		}
	}
	return s.score.result(o), nil
}

// newRand is one stream of a seed: what is drawn from one does not move the other.
func newRand(seed, stream uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, stream)) }

func micros(d time.Duration) uint64 { return uint64(d.Microseconds()) }

// scheduleBatches plans the batches that begin before the tick at untilUS.
func (s *sim) scheduleBatches(untilUS uint64) {
	if s.batchUS == 0 {
		s.batchUS = s.nextPhase(s.tickUS)
	}

	for s.batchUS < untilUS {
		for i := range s.opts.Batch {
			spread := micros(s.opts.Spread) * uint64(i) / uint64(s.opts.Batch)
			s.host.schedule(s.kinds[s.rng.IntN(len(s.kinds))], s.batchUS+spread, micros(s.opts.Lifetime))
		}

		s.score.addBatch(s.batchUS)
		next := s.batchUS + micros(s.opts.Interval)

		// A batch that always met the ticks at one phase would measure that phase: each hour draws another.
		const hour = uint64(time.Hour / time.Microsecond)
		if s.opts.Phase < 0 && next/hour != s.batchUS/hour {
			next = s.nextPhase(next)
		}
		s.batchUS = next
	}
}

// nextPhase is the first moment after afterUS that lies the phase before a tick.
func (s *sim) nextPhase(afterUS uint64) uint64 {
	phase := micros(max(0, s.opts.Phase)) % s.tickUS
	if s.opts.Phase < 0 {
		phase = s.rng.Uint64N(s.tickUS)
	}
	return (afterUS/s.tickUS+2)*s.tickUS - phase
}

// tick reads, decides and acts once.
func (s *sim) tick(number uint64) error {
	snap := s.host.snapshot()
	state, pop, _, err := s.state.Advance(snap, nil)
	if err != nil {
		return err
	}
	s.state = state

	if s.opts.CPU == CPULifetime {
		lifetimeCPU(&pop, s.host.living)
	}

	all, execute := s.decide(number, pop)
	s.score.addTick(s.host, all, execute)
	if execute {
		s.act(all)
	}
	return nil
}

// ruling is what a plan of either version says of one container.
type ruling struct {
	id, reason string
	rank       int
	removed    bool
}

// decide makes the plan of a tick, and says whether it is carried out.
func (s *sim) decide(number uint64, pop contract.Population) (plan []ruling, execute bool) {
	ctx := s.context(number)
	if s.rules != nil {
		f := s.rules.facts(s.host, number, &pop, ctx.Leaving)
		return s.rules.decide(&f)
	}

	one := rules.DecideV1(s.program, pop, s.host.inventory(), ctx)
	s.surpriseSeen = one.Surprise

	plan = make([]ruling, len(one.Verdicts))
	for i := range one.Verdicts {
		v := &one.Verdicts[i]
		plan[i] = ruling{v.ID, v.Reason, v.Rank, v.Verdict == contract.VerdictRemove}
	}
	// As the manager: nothing is removed on a baseline, and a surprise is shown once before it is carried out.
	return plan, !pop.Baseline && !one.Surprise
}

// context is what the manager knows of earlier ticks.
func (s *sim) context(number uint64) contract.Context {
	ctx := contract.Context{Tick: number, SurpriseSeen: s.surpriseSeen}
	for _, c := range s.host.living {
		if c.killedUS > 0 {
			ctx.Leaving = append(ctx.Leaving, c.id)
		}
	}
	slices.Sort(ctx.Leaving)

	s.removed = slices.DeleteFunc(s.removed, func(at uint64) bool { return at+micros(time.Minute) <= s.host.nowUS })
	ctx.RemovedLastMinute = len(s.removed)
	return ctx
}

// act begins the removals in a bounded pool: each worker takes the next victim when its last one is gone.
func (s *sim) act(plan []ruling) {
	byID := make(map[string]*container, len(s.host.living))
	for _, c := range s.host.living {
		byID[c.id] = c
	}

	free := make([]uint64, max(1, s.opts.Policy.Act.Parallel))
	for i := range free {
		free[i] = s.host.nowUS
	}

	for _, r := range plan {
		if !r.removed {
			continue
		}

		took := killUS + s.rng.Uint64N(killSpreadUS)
		if s.rng.IntN(100) < slowKillPercent {
			took = slowKillUS
		}

		worker := slices.Index(free, slices.Min(free))
		free[worker] += took
		byID[r.id].killedUS = free[worker]
		s.removed = append(s.removed, s.host.nowUS)
	}
}

// lifetimeCPU replaces the rate by the milliseconds of CPU time since the container began, which is the original
// module's figure but for a constant factor, and which the first snapshot has already.
func lifetimeCPU(pop *contract.Population, living []*container) {
	byID := make(map[string]*container, len(living))
	for _, c := range living {
		byID[c.id] = c
	}

	for i := range pop.Members {
		m := &pop.Members[i]
		m.CPUMillicores, m.Measured, m.Why = byID[m.ID].cpuUS/1000, true, ""
	}
}

// Compare runs the same arrivals under each switch that brings the original code's behaviour back: classes by rank, CPU
// since birth, no warm-up.
func Compare(o Options) ([]Result, error) {
	if o.Version2 != nil {
		return nil, errors.New("simulate: the switches that are compared are of version 1 (leave compare out)")
	}

	var results []Result
	for _, classify := range []contract.Classify{contract.ClassifyDeclared, contract.ClassifyRank} {
		for _, cpu := range []string{CPUInterval, CPULifetime} {
			for _, warmup := range []int{1, 0} {
				variant := o
				variant.Policy.Classify, variant.CPU, variant.Policy.Warmup = classify, cpu, warmup

				r, err := Run(variant)
				if err != nil {
					return nil, err
				}
				results = append(results, r)
			}
		}
	}
	return results, nil
}
