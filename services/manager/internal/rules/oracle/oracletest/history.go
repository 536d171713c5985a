package oracletest

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"gestor.local/contract"
	"gestor.local/manager/internal/population"
)

// History is the life of a host under policies of version 1, tick after tick: births, deaths, pauses, resets, restarts, missing rows
// and entries, bad rows, ids that occur twice, other labels and names, boots, reloads, removals in flight and an engine that answers
// as it likes. The same seed and number make the same history.
type History struct {
	random     *rand.Rand
	policy     contract.Policy
	suite      string
	left       int // ticks
	tick       uint64
	nowUS      uint64
	boot, born int
	walks      uint64
	instance   int
	boxes      []*life
	state      population.State
	began      []uint64 // times of the removals of the last minute
	changed    bool     // the policy, since the last plan that was carried out
	surprise   bool     // the last plan was one
}

// life is one container of a history.
type life struct {
	entry                          contract.Entry
	startUS, cpuUS, load           uint64
	sizes                          contract.Measures
	frozen, rowless, entryless     bool
	badRow, unlocated              bool
	twoRows, twoEntries            bool
	leavingTicks, failures, births int
}

// NewHistory begins a history.
func NewHistory(seed, number uint64) *History {
	h := &History{random: rand.New(rand.NewPCG(seed, number)), nowUS: NowUS} //nolint:gosec // drawn, and to be drawn again
	h.left = 1 + h.random.IntN(12)
	h.suite = pick(h, "", "", "mine")
	h.policy = h.drawPolicy()
	for range h.random.IntN(20) {
		h.birth()
	}
	return h
}

func pick[T any](h *History, of ...T) T { return of[h.random.IntN(len(of))] }

func (h *History) oneIn(n int) bool { return h.random.IntN(n) == 0 }

func (h *History) drawPolicy() contract.Policy {
	p := contract.DefaultPolicy()
	p.Mode = pick(h, contract.ModeObserve, contract.ModeShadow, contract.ModeEnforce)
	p.Classify = pick(h, contract.ClassifyDeclared, contract.ClassifyRank)
	p.Tick = contract.Duration(pick(h, time.Second, 7*time.Second, 10*time.Second, 10*time.Second, time.Hour))

	p.Quota = contract.Quota{Low: h.random.IntN(6), High: h.random.IntN(6)}
	h.random.Shuffle(len(p.Rank), func(i, j int) { p.Rank[i], p.Rank[j] = p.Rank[j], p.Rank[i] })
	p.Buckets = contract.Buckets{CPUMillicores: pick(h, uint64(1), 3, 10), RAMKB: pick(h, uint64(1), 1000, 1024)}

	p.Warmup = h.random.IntN(3)
	p.Caps = contract.Caps{PerTick: 1 + h.random.IntN(20), PerMinute: 1 + h.random.IntN(60), MaxPlanPercent: 1 + h.random.IntN(100)}
	p.Young = contract.Young{Max: 1 + h.random.IntN(12), MemoryFloorKB: pick(h, uint64(0), 0, 4000, 600_000)}
	p.Protect = contract.Protect{
		Names: pick(h, nil, []string{"c3"}, []string{"c*", "", "c11"}), Labels: pick(h, nil, []string{"keep"}, []string{"team=db", "keep=n*"}),
	}

	if h.oneIn(3) {
		p.Images = map[string]contract.Class{
			"alto_1": contract.ClassHigh, "docker.io/library/bajo": contract.ClassLow, "bajo:latest": contract.ClassHigh,
			"r:5000/x": contract.ClassLow, "r:5000/x:2": "medium", "gestor/low-idle": contract.ClassLow,
		}
	}
	return p
}

func (h *History) birth() {
	h.born++
	name := fmt.Sprintf("c%d", h.born)
	l := &life{
		entry:   contract.Entry{ID: ID(name), Name: name, Image: h.drawImage(), Labels: h.drawLabels(), State: contract.StateRunning},
		startUS: h.nowUS, load: pick(h, uint64(0), 0, 1, 25, 25, 100),
	}

	switch h.random.IntN(24) {
	case 0:
		l.entry.Name = ""
	case 1:
		l.entry.Name = "c*"
	case 2:
		l.startUS += secondUS // it begins during the walk
	case 3:
		l.entry.ID = name // no engine's id
	}

	l.entry.StartedAt = fmt.Sprintf("2026-01-02T03:04:%02dZ", h.born%60)
	l.sizes = contract.Measures{
		RAMKB: pick(h, uint64(0), 700, 700, 1023, 1024, 50_000),
		VSZKB: pick(h, uint64(0), 2000, 2000, 2001), RSSKB: pick(h, uint64(0), 700, 701),
	}

	if h.oneIn(50) {
		l.sizes = contract.Measures{RAMKB: math.MaxUint64, VSZKB: math.MaxUint64 - 1, RSSKB: math.MaxUint64}
	}
	h.boxes = append(h.boxes, l)
}

func (h *History) drawImage() string {
	return pick(h, "alto_1", "gestor/low-idle:latest", "r:5000/x", "r:5000/x:2", "gestor/high-cpu@sha256:00", "bajo", "bajo:1", "sha256:00", "")
}

func (h *History) drawLabels() map[string]string {
	labels := map[string]string{}
	set := func(percent int, key string, values ...string) {
		if h.random.IntN(100) < percent {
			labels[key] = pick(h, values...)
		}
	}

	set(94, contract.LabelManaged, "true", "true", "true", "true", "true", "true", "true", "true", "True", "")
	set(85, contract.LabelClass, "low", "low", "low", "high", "high", "high", "Low", "")
	set(6, contract.LabelRole, "logs", "manager", "")

	set(30, contract.LabelConfigHash, "1")
	set(30, contract.LabelProject, "mine", "other")
	set(10, contract.LabelStack, "mine", "other", "")
	set(85, contract.LabelSuite, "mine", "mine", "mine", "mine", "other")
	set(10, contract.LabelService, "web", "db")
	set(10, labelDependsOn, "db:service_started:false")

	set(3, "keep", "", "no", "n*")
	set(6, "team", "db", "web")

	set(3, contract.LabelSwarmService, "web", "api", "")
	set(2, contract.LabelSystemdUnit, "web.service", "podman-compose@a.service")
	set(2, contract.LabelPodmanProject, "a")
	set(1, contract.LabelPodUID, "u")
	set(1, contract.LabelNomadAlloc, "n")
	return labels
}

// labelDependsOn is read by policies of version 2 alone.
const labelDependsOn = "com.docker.compose.depends_on"

// Next is the next tick, false after the last.
func (h *History) Next() (Input, bool) {
	if h.left == 0 {
		return Input{}, false
	}
	h.left--
	h.tick++

	for range h.random.IntN(7) {
		h.event()
	}
	h.pass()

	state, pop, _, err := h.state.Advance(h.snapshot())
	if err != nil {
		panic(err) // a history makes whole snapshots, each newer than the last
	}
	h.state = state
	h.distrust(&pop)

	in := Input{Policy: h.policy, Population: pop, Inventory: h.inventory(), Context: h.context()}

	if h.oneIn(8) {
		h.random.Shuffle(len(pop.Members), func(i, j int) { pop.Members[i], pop.Members[j] = pop.Members[j], pop.Members[i] })
		entries := in.Inventory.Entries
		h.random.Shuffle(len(entries), func(i, j int) { entries[i], entries[j] = entries[j], entries[i] })
	}
	return in, true
}

// event is one thing that happens between two ticks.
func (h *History) event() {
	what := h.random.IntN(40)
	if what < 10 || len(h.boxes) == 0 {
		for range pick(h, 1, 1, 1, 10) {
			h.birth()
		}
		return
	}

	l := pick(h, h.boxes...)
	switch what {
	case 10, 11:
		h.drop(l)
	case 12, 13, 14:
		l.entry.State = pick(h, contract.StateRunning, contract.StateRunning, contract.StatePaused, contract.StateRestarting,
			contract.StateExited, contract.StateCreated, contract.StateRemoving, contract.StateDead, "")

	case 15:
		l.frozen = !l.frozen
	case 16:
		l.cpuUS /= 3
	case 17:
		l.startUS, l.cpuUS = h.nowUS, 0
	case 18:
		l.cpuUS += 1 << 50 // more than the host could give

	case 19, 20:
		l.rowless = !l.rowless
	case 21:
		l.entryless = !l.entryless
	case 22:
		l.badRow = !l.badRow
	case 23:
		l.unlocated = !l.unlocated

	case 24:
		l.twoRows = !l.twoRows
	case 25:
		l.twoEntries = !l.twoEntries

	case 26, 27, 28:
		l.entry.Labels = h.drawLabels()
	case 29:
		l.entry.Name = pick(h, "", "c3", "c*", l.entry.Name+"x")
	case 30:
		l.entry.Image = h.drawImage()

	case 31:
		l.failures = pick(h, 0, h.policy.Act.StuckAfter)
	case 32:
		l.births = pick(h, 0, h.policy.Act.FutileAfter)

	case 33:
		h.boot++
	case 34:
		h.instance++
	case 35:
		h.policy, h.changed = h.drawPolicy(), true

	case 36:
		l.load = pick(h, uint64(0), 1, 25, 100)
	default:
		l.sizes.RAMKB += pick(h, uint64(1), 300, 2000)
	}
}

func (h *History) drop(l *life) {
	h.boxes = slices.DeleteFunc(h.boxes, func(other *life) bool { return other == l })
}

// pass lets an interval pass: who lives works, and what is in flight ends.
func (h *History) pass() {
	interval := pick(h, uint64(10), 10, 10, 9, 12, 31) * secondUS
	for _, l := range slices.Clone(h.boxes) {
		if l.entry.State == contract.StateRunning && !l.frozen {
			l.cpuUS += interval * (l.load + h.random.Uint64N(3)) / 100
		}

		if l.leavingTicks > 0 {
			if l.leavingTicks--; l.leavingTicks == 0 {
				h.drop(l)
			}
		}
	}

	h.nowUS += interval
}

func (h *History) snapshot() (*contract.Snapshot, contract.RowProblems) {
	h.walks++
	s := &contract.Snapshot{
		Version: 1, Source: contract.SourceModule, Instance: fmt.Sprint(h.instance + 1), BootID: fmt.Sprint("boot ", h.boot),
		Sequence: h.walks, MonotonicUS: h.nowUS, CPUs: pick(h, 4, 64), PageSize: 4096, End: true,
		Capabilities: contract.Capabilities{Cgroup: 2, CPUSource: contract.CPUSourceCgroup},
		Memory:       contract.Memory{TotalKB: 1 << 20, AvailableKB: pick(h, uint64(0), 1000, 500_000, 1<<20)},
	}

	var bad contract.RowProblems
	for _, l := range h.boxes {
		if l.rowless || contract.StateEnded(l.entry.State) || l.entry.State == contract.StateCreated {
			continue
		}

		if l.badRow && contract.IsContainerID(l.entry.ID) {
			bad = append(bad, contract.RowProblem{Index: len(s.Containers)})
		}
		ram := l.sizes.RAMKB
		s.Containers = append(s.Containers, contract.Container{
			ID: l.entry.ID, StartUS: l.startUS, CPUUS: l.cpuUS, RSSKB: l.sizes.RSSKB, VSZKB: l.sizes.VSZKB, WorkingSetKB: &ram, Frozen: &l.frozen,
		})
	}

	s.ContainerTotal = len(s.Containers)
	return s, bad
}

// distrust takes away the figures of rows that are not known to be the container's own, and lets ids occur twice.
func (h *History) distrust(pop *contract.Population) {
	for _, l := range h.boxes {
		m := pop.Member(l.entry.ID)
		if m == nil {
			continue
		}

		if l.unlocated {
			*m = contract.Member{ID: m.ID, Why: contract.UnmeasuredUnlocated}
		}

		if l.twoRows {
			i := slices.IndexFunc(pop.Members, func(m contract.Member) bool { return m.ID == l.entry.ID })
			pop.Members = slices.Insert(pop.Members, i, *m)
		}
	}
}

func (h *History) inventory() contract.Inventory {
	var inv contract.Inventory
	for _, l := range h.boxes {
		if l.entryless {
			continue
		}
		inv.Entries = append(inv.Entries, l.entry)
		if l.twoEntries {
			inv.Entries = append(inv.Entries, l.entry)
		}
	}
	return inv
}

func (h *History) context() contract.Context {
	const minuteUS = 60 * secondUS
	h.began = slices.DeleteFunc(h.began, func(at uint64) bool { return at+minuteUS <= h.nowUS })
	ctx := contract.Context{
		Tick: h.tick, Suite: h.suite, RemovedLastMinute: len(h.began), PolicyChanged: h.changed, SurpriseSeen: h.surprise,
	}

	for i, l := range h.boxes {
		if l.leavingTicks > 0 {
			ctx.Leaving = append(ctx.Leaving, l.entry.ID)
		}
		if l.failures >= h.policy.Act.StuckAfter {
			ctx.Stuck = append(ctx.Stuck, l.entry.ID)
		}
		if l.births >= h.policy.Act.FutileAfter {
			ctx.FutileNames = append(ctx.FutileNames, l.entry.Name)
		}

		if i%17 == 5 { // resolved by their id, whatever their labels say
			ctx.SuiteIDs = append(ctx.SuiteIDs, l.entry.ID)
		}
	}
	return ctx
}

// CarryOut removes what the plan removes, as far as the engine lets it. On a tick that is gated nothing happens.
func (h *History) CarryOut(plan contract.Plan) {
	if h.oneIn(6) {
		return
	}

	h.changed, h.surprise = false, plan.Surprise
	if plan.Held(nil) != "" {
		return
	}

	for _, v := range plan.Verdicts {
		if i := slices.IndexFunc(h.boxes, func(l *life) bool { return l.entry.ID == v.ID }); i >= 0 && v.Verdict == contract.VerdictRemove {
			h.began = append(h.began, h.nowUS)
			h.remove(h.boxes[i])
		}
	}
}

func (h *History) remove(l *life) {
	outcome := pick(h, contract.OutcomeDone, contract.OutcomeDone, contract.OutcomeAlreadyGone, contract.OutcomeUnknown,
		contract.OutcomeRefused, contract.OutcomeFailed)

	switch outcome {
	case contract.OutcomeUnknown:
		l.leavingTicks = 2
	case contract.OutcomeRefused:
	case contract.OutcomeFailed:
		l.failures++
	default:
		h.drop(l)

		if h.oneIn(4) { // whoever started it starts it again
			h.birth()
			again := h.boxes[len(h.boxes)-1]
			again.entry.Name, again.births = l.entry.Name, l.births+1
		}
	}
}
