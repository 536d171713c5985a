package rulestest

import (
	"time"

	"gestor.local/contract/policy2"
	"gestor.local/manager/internal/rules"
)

// World is a host with its engine and the manager that looks at it. Start from New; the exported fields are set before the
// first tick.
type World struct {
	Policy policy2.Policy
	// Suite is whose containers are Gestor's own.
	Suite policy2.Suite
	// ApprovedAt is from when on the policy is approved, where it needs that.
	ApprovedAt time.Duration
	CPUs       int
	MemoryKB   uint64
	// Undelivered says when the notices of a container do not reach their receiver, EngineDown when the engine fails.
	Undelivered func(name string, at time.Duration) bool
	EngineDown  func(at time.Duration) bool
	// BlurFacts changes what is read on a tick, before it is judged.
	BlurFacts func(at time.Duration, f *rules.Facts)

	// CrashOn says whether the manager dies on a tick, nil where it does not.
	CrashOn func(at time.Duration) *Crash
	// OnTick is told every tick.
	OnTick func(*Tick)

	program *rules.Program
	memory  rules.Memory
	// ownCount is how many were own at the approval, -1 before it.
	ownCount int
	revoked  bool
	// done are the events of this tick, begun the intents of the last one of which no outcome is known.
	done, begun []rules.Event
	crash       *Crash
	crashed     bool
	watched     []time.Duration
	said        map[time.Duration]rules.Plan

	now, last time.Duration
	ticks     uint64
	// looked says that the last tick was looked at by the same manager on the same boot.
	looked    bool
	clock     clock
	wallJumps []wallJump
	down      [][2]time.Duration
	plans     []planned
	members   []*member
	events    []Event
}

// Crash is the end of the manager in the middle of a tick; it is there again on the next one.
type Crash struct {
	// Lines is how many events of the tick it has written down, at least 1.
	Lines int
	// Acted says that, where the last of them is an intent, the engine has done it.
	Acted bool
}

// bootedLongAgo is when a world's host booted: before all that its containers did.
const bootedLongAgo = -730 * day

// New is a host without containers, whose manager looks at it for the first time one tick after from.
func New(p policy2.Policy, from time.Duration) *World {
	return &World{
		Policy: p, CPUs: 8, MemoryKB: 16 << 20, ApprovedAt: from,
		ownCount: -1, said: map[time.Duration]rules.Plan{},
		now: from, clock: clock{bootedAt: bootedLongAgo, raisedIn: []time.Duration{0}},
	}
}

// Run moves the clock on until a moment, tick by tick, the one at that moment included.
func (w *World) Run(until time.Duration) {
	for w.now < until {
		w.moveTo(w.now + time.Duration(w.Policy.Tick)*second)
		if !w.isDown() {
			w.tick()
		}
	}
}

// moveTo lets the host live until a moment, with all that was planned for it.
func (w *World) moveTo(at time.Duration) {
	for len(w.plans) > 0 && w.plans[0].at <= at {
		next := w.plans[0]
		w.plans = w.plans[1:]

		w.live(max(w.now, next.at))
		next.do()
	}
	w.live(at)
}

func (w *World) live(until time.Duration) {
	w.now = until
	for _, m := range w.members {
		m.advance(until)
	}
}

func (w *World) isDown() bool {
	for _, span := range w.down {
		if w.now >= span[0] && w.now < span[1] {
			w.looked = false
			return true
		}
	}
	return false
}
