// Package charttest makes the records of a simulated run: batches of random containers, ticks, the default policy's
// decisions, removals and gaps. A seed gives the same records every time.
package charttest

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"gestor.local/contract"
)

// Run describes a simulated run. The zero values of the counts take the suite's defaults.
type Run struct {
	Start  time.Time
	Length time.Duration
	Seed   uint64
	// Batch containers begin every Every; the manager ticks every Tick.
	Batch int
	Every time.Duration
	Tick  time.Duration
	// Away are the stretches during which the manager does not run. After one its ticks count from 1 again.
	Away []Span
	// Blind are the stretches during which the manager cannot read the host, Mute those during which the engine does not
	// answer. It ticks, records no container and acts on none.
	Blind, Mute []Span
	// Name, when set, names the containers (hostile names in tests).
	Name func(n int) string
}

// Span is a stretch of time since the start of the run.
type Span struct{ From, To time.Duration }

func within(spans []Span, at time.Duration) bool {
	return slices.ContainsFunc(spans, func(s Span) bool { return at >= s.From && at < s.To })
}

// sim is the state of a simulated run.
type sim struct {
	Run
	rng     *rand.Rand
	out     []contract.Record
	alive   []*member
	started int
	tick    uint64
	boot    int
	pseq    map[string]uint64
}

type member struct {
	contract.Subject
	born     time.Duration
	seen     int
	cpu, ram float64
	rank     int
	verdict  string
	reason   string
	measures contract.Measures
}

// Records plays the run and returns its records in the order of a store, with sequence numbers from 1.
func (r Run) Records() []contract.Record {
	s := &sim{Run: r, rng: rand.New(rand.NewPCG(r.Seed, 7)), pseq: map[string]uint64{}, boot: 1}
	s.Batch, s.Every, s.Tick = cmp.Or(r.Batch, 10), cmp.Or(r.Every, 30*time.Second), cmp.Or(r.Tick, 10*time.Second)

	away := false
	for at := time.Duration(0); at < r.Length; at += time.Second {
		if at%s.Every == 2*time.Second {
			s.launch(at)
		}
		if at%s.Tick != 0 {
			continue
		}

		// The generator goes on while the manager is away; the manager's ticks then count from 1 again.
		if within(r.Away, at) {
			away = true
			continue
		}
		if away {
			away, s.tick = false, 0
			s.system(at, "start", contract.LevelInfo, "manager started")
		}

		if blind := within(r.Blind, at); blind || within(r.Mute, at) {
			s.gated(at, blind)
			continue
		}
		s.observe(at)
	}
	return s.out
}

func (s *sim) emit(at time.Duration, producer string, body contract.Body) {
	source := ""
	if producer == contract.ProducerManager {
		source = contract.SourceModule
	}

	r := contract.NewRecord(s.Start.Add(at), s.tick, source, body)
	s.pseq[producer]++
	r.Seq, r.Host, r.Boot = uint64(len(s.out)+1), "node1", "b007"
	r.Producer, r.PSeq = producer, s.pseq[producer]
	r.Received = r.Time.Add(time.Duration(3+s.rng.IntN(9)) * time.Millisecond)
	s.out = append(s.out, r)
}

func (s *sim) system(at time.Duration, event, level, message string) {
	s.emit(at, contract.ProducerManager, contract.SystemBody{Event: event, Level: level, Message: message})
}

type kind struct {
	image    string
	class    contract.Class
	cpu, ram float64 // millicores, KiB
}

// kinds are the four stress images and what they use.
func kinds() []kind {
	return []kind{
		{"high-cpu", contract.ClassHigh, 900, 6_000},
		{"high-ram", contract.ClassHigh, 80, 230_000},
		{"low-idle", contract.ClassLow, 1, 1_200},
		{"low-pulse", contract.ClassLow, 14, 2_600},
	}
}

func (s *sim) launch(at time.Duration) {
	for range s.Batch {
		k := kinds()[s.rng.IntN(4)]
		s.started++
		m := &member{born: at, Subject: contract.Subject{
			Container: fmt.Sprintf("%016x%016x%016x%016x", s.rng.Uint64(), s.rng.Uint64(), s.rng.Uint64(), s.rng.Uint64()),
			Name:      fmt.Sprintf("%s-%04x", k.image, s.rng.IntN(1<<16)), Image: k.image, Class: k.class,
		}}

		if s.Name != nil {
			m.Name = s.Name(s.started)
		}
		m.cpu, m.ram = k.cpu*(0.7+0.6*s.rng.Float64()), k.ram*(0.9+0.2*s.rng.Float64())
		s.alive = append(s.alive, m)

		s.emit(at, contract.ProducerGenerator, contract.LaunchBody{
			Subject: m.Subject, Run: "r1", Position: uint64(s.started), Outcome: contract.LaunchStarted,
			TookUS: uint64(150_000 + s.rng.IntN(400_000)),
		})
	}
}

func (s *sim) observe(at time.Duration) {
	s.tick++

	for _, m := range s.alive {
		m.seen++
		m.measures = contract.Measures{
			CPUMillicores: uint64(m.cpu * (0.85 + 0.3*s.rng.Float64())), RAMKB: uint64(m.ram * (0.97 + 0.06*s.rng.Float64())),
			VSZKB: uint64(m.ram) * 3, RSSKB: uint64(m.ram),
		}
		m.rank, m.verdict, m.reason = 0, contract.VerdictKeep, contract.ReasonYoung
	}

	counts := s.decide()
	late := time.Duration(s.rng.IntN(3000)) * time.Microsecond
	s.host(at+late, counts)

	for _, m := range s.alive {
		s.container(at+late, m)
	}

	s.act(at + late)
}

// gated is a tick without a plan: the engine did not answer or, when blind, the host could not be read either.
func (s *sim) gated(at time.Duration, blind bool) {
	s.tick++
	b := s.hostBody(at, nil)
	b.Gates, b.GovernedRAMKB, b.Timings.DecideUS, b.Timings.ActUS = []string{"inventory"}, 0, 0, 0
	if blind {
		b.Gates, b.Memory, b.CPUs, b.Containers, b.Timings.ParseUS = []string{"no_source", "inventory"}, contract.Memory{}, 0, 0, 0
	}
	s.emit(at, contract.ProducerManager, b)
}

func (s *sim) decide() []contract.ClassCount {
	quota := map[contract.Class]int{contract.ClassLow: 3, contract.ClassHigh: 2}
	var counts []contract.ClassCount
	for _, class := range []contract.Class{contract.ClassLow, contract.ClassHigh} {
		c := contract.ClassCount{Class: class, Quota: quota[class]}
		var eligible []*member
		for _, m := range s.alive {
			if m.Class != class {
				continue
			}
			c.Owned++
			if m.seen >= 2 {
				eligible = append(eligible, m)
			}
		}

		slices.SortStableFunc(eligible, func(a, b *member) int {
			n := cmp.Or(cmp.Compare(a.measures.CPUMillicores, b.measures.CPUMillicores), cmp.Compare(a.measures.RAMKB, b.measures.RAMKB))
			if class == contract.ClassHigh {
				return -n
			}
			return n
		})
		for i, m := range eligible {
			m.rank, m.reason = i+1, contract.ReasonWithinQuota
			if i >= c.Quota {
				m.verdict, m.reason = contract.VerdictRemove, contract.ReasonOverQuota
				c.Removals++
			}
		}

		c.Eligible, c.Deficit = len(eligible), max(0, c.Quota-len(eligible))
		counts = append(counts, c)
	}
	return counts
}

func (s *sim) host(at time.Duration, counts []contract.ClassCount) {
	s.emit(at, contract.ProducerManager, s.hostBody(at, counts))
}

func (s *sim) hostBody(at time.Duration, counts []contract.ClassCount) contract.HostBody {
	const total = 8_000_000
	governed := uint64(0)
	for _, m := range s.alive {
		governed += m.measures.RAMKB
	}

	used := min(2_100_000+governed+uint64(s.rng.IntN(60_000)), total-1_500_000)
	cached := uint64(1_500_000)
	return contract.HostBody{
		Memory: contract.Memory{TotalKB: total, UsedKB: used, AvailableKB: total - used, FreeKB: total - used - cached},
		CPUs:   2, Classes: counts, GovernedRAMKB: governed, Containers: len(s.alive) + 3, Mode: contract.ModeEnforce,
		Timings: contract.Timings{
			LateUS: uint64(at % time.Second / time.Microsecond), WalkUS: 900, ReadUS: uint64(1200 + s.rng.IntN(500)), ParseUS: uint64(180 + s.rng.IntN(60)),
			DecideUS: uint64(40 + s.rng.IntN(30)), ActUS: uint64(200_000 + s.rng.IntN(300_000)), DataAgeUS: 5000,
			SyncUS: uint64(900 + at/time.Microsecond%700),
		},
		SpoolRecords: s.rng.IntN(12),
	}
}

func (s *sim) container(at time.Duration, m *member) {
	s.emit(at, contract.ProducerManager, contract.ContainerBody{
		Subject: m.Subject, Owned: true, State: "running", Measured: m.seen >= 2, Measures: m.measures,
		MemoryPermille: m.measures.RAMKB / 8000, CPUPermille: m.measures.CPUMillicores, Processes: 2, Threads: 2,
		AgeUS: uint64((at - m.born) / time.Microsecond), Rank: m.rank, Verdict: m.verdict, Reason: m.reason,
		PID: 4000 + s.started, Command: "stress-ng", Cmdline: "stress-ng --quiet",
	})
}

// act removes the condemned, a moment after the decision.
func (s *sim) act(at time.Duration) {
	var stay []*member
	for _, m := range s.alive {
		if m.verdict != contract.VerdictRemove {
			stay = append(stay, m)
			continue
		}
		cut := 3
		if m.Class == contract.ClassHigh {
			cut = 2
		}
		near := s.neighbour(m.Class, cut)
		s.emit(at, contract.ProducerManager, contract.DecisionBody{
			Subject: m.Subject, Sequence: s.tick, Mode: contract.ModeEnforce, PolicyHash: "00c0ffee00c0ffee",
			Verdict: m.verdict, Reason: m.reason, Rank: m.rank, Cut: cut, DecidingKey: contract.KeyCPU, Neighbour: near, Measures: &m.measures,
			Text: fmt.Sprintf("rank %d %s: %d stay; behind %s (rank %d) by cpu: %dm against %dm", m.rank, m.Class, cut, near.Name, cut,
				m.measures.CPUMillicores, near.CPUMillicores),
			AgeUS: uint64((at - m.born) / time.Microsecond), DataAgeUS: 5000,
		})
		s.remove(at, m)
	}

	s.alive = stay
}

func (s *sim) remove(at time.Duration, m *member) {
	id := fmt.Sprintf("%d-%s", s.tick, m.Container[:12])
	intent := contract.ActionBody{Subject: m.Subject, ActionID: id, Action: contract.ActionRemove, Phase: contract.PhaseIntent, Reason: m.reason}
	s.emit(at, contract.ProducerManager, intent)
	took := time.Duration(120+s.rng.IntN(500)) * time.Millisecond
	done := intent
	done.Phase, done.Outcome, done.Rung, done.Attempts = contract.PhaseOutcome, contract.OutcomeDone, contract.RungRemove, 1
	done.LatencyUS = uint64(took / time.Microsecond)
	s.emit(at+took, contract.ProducerManager, done)
}

func (s *sim) neighbour(class contract.Class, rank int) *contract.Neighbour {
	for _, m := range s.alive {
		if m.Class == class && m.rank == rank {
			return &contract.Neighbour{ID: m.Container, Name: m.Name, Rank: rank, Measures: m.measures}
		}
	}
	return &contract.Neighbour{}
}
