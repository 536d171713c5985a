package rules

import (
	"slices"

	"gestor.local/contract"
	"gestor.local/contract/policy2"
)

// tick is one tick's work: what is known of each container by now, and what the reading of the rules made of it.
type tick struct {
	p *Program
	m *Memory
	f *Facts

	room  *scratch
	round uint64 // the program's: once that is another the room has another tick

	blank    bool   // there is no memory
	sameBoot bool   // the last tick was on this boot
	boot     uint64 // time since the last tick on this boot, in µs
	missed   int    // ticks that were missed since
	passed   int64  // time since the last tick in G, in µs
	earlierG int64  // G at the last tick of the boot before, 0 for none

	all      []subject
	now      []ContainerMemory // of all, in their order
	projects []project         // of two or more, or of one; sorted by name
	needs    *needs            // made when it is asked for
	waiting  map[int]string    // who waits since a container that stays needs it, and which one
	circles  map[int][]int     // those that go and need each other in a circle, by each of them
	acts     []*act
	unsure   [][]int // units of which a fact that a guard reads is unknown
	groups   []GroupCount
	counts   []RuleCount
	asking   int // containers of which a notice is under way
	wanted   int // containers to be stopped or removed, before the budget
	back     []GiveBack
	hold     *Surprise
	held     string
	own      int // own containers
	living   int // those of them that live
}

// subject is one container on its way to a verdict.
type subject struct {
	c    *Container
	who  *identity
	mem  *ContainerMemory
	at   int    // index in all
	self [1]int // at, as the members of a unit

	runs, alive, ended      bool // by its state; what was created and never started has ended
	cpuUS, ramKB, processes policy2.Fact[uint64]

	owned    bool // its slice of them is its own, and may be written
	unit     int  // index in projects, -1 for none
	standing string
	ready    bool // it stands so

	decided bool
	d       decision
	soon    soon
	read    int // how many of the rules that may speak of it were read
	passing []Passing
	// throttled says that a throttle was noted, or another is in force.
	throttled, limitChanged bool
	finished                bool // a rule has nothing more to say of it

	// told is the guard that is told of on this tick, "" for none, and toldBy the rule.
	told   string
	toldBy int
	asks   bool // a rule's notice is under way

	// What possible rules may do: the gentlest step as single containers and as projects see it. leaves says that one of them
	// may stop or remove it as a single one.
	gentlest, gentlestUnit severity
	leaves                 bool
	doubt                  []int
}

// decision is what the reading made of one container.
type decision struct {
	rule         int
	step         policy2.Step
	reason       string
	index, steps int
	guard, by    string
	nano         int64
	old          *int64

	rank, cut int
	group     string
	neighbour *subject
	key       string

	next Next // without a step there is none
}

// project is a compose project on this host: all its containers, own or not.
type project struct {
	name    string
	members []int // indexes in tick.all
}

// severity orders steps from gentle to harsh.
type severity int8

const (
	keeps severity = iota
	warns
	throttles
	stops
	removes
	harshest // beyond any step: nothing is possible
)

func severityOf(s policy2.Step) severity {
	switch s {
	case policy2.StepWarn:
		return warns
	case policy2.StepThrottle:
		return throttles
	case policy2.StepStop:
		return stops
	case policy2.StepRemove:
		return removes
	default:
		return keeps
	}
}

// mark says what a rule made of one container on this tick.
type mark int8

const (
	markNone  mark = iota // it was not read, or does not hold
	markHolds             // it holds: its ladder goes on
	markWaits             // that cannot be known
)

func newTick(p *Program, m *Memory, f *Facts, waiting map[int]string, room *scratch) *tick {
	p.round++
	t := &tick{p: p, m: m, f: f, room: room, round: p.round, waiting: waiting, blank: m.BootID == "" && m.Tick == 0 && len(m.Containers) == 0}
	t.sameBoot = !t.blank && m.BootID == f.BootID
	if !t.blank {
		t.passed = max(0, f.GUS-m.GUS)
	}
	t.earlierG = m.EarlierBootGUS
	if !t.blank && !t.sameBoot {
		t.earlierG = m.GUS
	}
	if t.sameBoot && f.BootUS > m.BootUS {
		t.boot = f.BootUS - m.BootUS
		t.missed = max(0, int((int64(t.boot)+p.tickUS/2)/p.tickUS)-1)
	}

	if !equalSuite(p.suite, f.Suite) {
		clear(p.known)
		clear(room.all)
		p.suite = policy2.Suite{Name: f.Suite.Name, Project: f.Suite.Project, IDs: slices.Clone(f.Suite.IDs)}
	}
	t.gather()
	t.observe()
	p.forget(len(t.all))
	return t
}

func equalSuite(a, b policy2.Suite) bool {
	return a.Name == b.Name && a.Project == b.Project && slices.Equal(a.IDs, b.IDs)
}

// subjects are n, each with the identity of the one that stood there last.
func (room *scratch) subjects(n int) []subject {
	if n < len(room.all) {
		clear(room.all[n:])
	}
	room.all = slices.Grow(room.all[:0], n)[:n]
	for i := range room.all {
		s := &room.all[i]
		who := s.who
		*s = subject{}
		s.who = who
	}
	return room.all
}

// gather lists the containers, each beside what is remembered of it.
func (t *tick) gather() {
	containers := t.f.Containers
	t.all = t.room.subjects(len(containers))
	sorted := true // as they come from the manager
	for i := range containers {
		t.all[i].c = &containers[i]
		sorted = sorted && (i == 0 || containers[i-1].ID <= containers[i].ID)
	}
	if !sorted {
		slices.SortStableFunc(t.all, func(a, b subject) int { return cmpID(a.c.ID, b.c.ID) })
	}
	t.dropDoubles()

	t.now = take(&t.room.now, len(t.all))
	for i := range t.all {
		s := &t.all[i]
		s.at, s.self[0], s.unit, s.mem = i, i, -1, &t.now[i]
		s.runs, s.alive = s.c.State == contract.StateRunning, s.c.Alive()
		s.ended = s.c.State == contract.StateCreated || contract.StateEnded(s.c.State)
		s.gentlest, s.gentlestUnit = harshest, harshest
		s.d.rule = noRule
	}
}

// noRule is the index of no rule.
const noRule = -1

// dropDoubles believes nothing of an id that occurs twice: it counts as one that the engine does not know.
func (t *tick) dropDoubles() {
	for i := 1; i < len(t.all); i++ {
		if t.all[i].c.ID != t.all[i-1].c.ID {
			continue
		}

		kept := t.all[:0:0]
		for j := range t.all {
			s := t.all[j]
			if n := len(kept); n > 0 && kept[n-1].c.ID == s.c.ID {
				kept[n-1].c = &Container{Identity: &policy2.Identity{ID: s.c.ID}}
				continue
			}
			kept = append(kept, s)
		}
		t.all = kept
		return
	}
}

// stand finds the first thing that keeps the container from being judged.
func (t *tick) stand(s *subject) string {
	if t.p.v1 != nil {
		return t.p.v1.stand(t.f, s)
	}

	c := s.c
	switch {
	case s.who.suite:
		return contract.ReasonSuite
	case !c.InEngine:
		return contract.ReasonNotInEngine
	case !s.who.own:
		return contract.ReasonNotOwned
	case s.who.protected:
		return contract.ReasonProtected
	case has(t.f.Leaving, c.ID) || c.State == contract.StateRemoving:
		return contract.ReasonLeaving
	case has(t.f.Stuck, c.ID):
		return contract.ReasonStuck
	case has(t.f.Futile, c.Name) || s.who.service != "" && has(t.f.Futile, s.who.project+"/"+s.who.service):
		return contract.ReasonFutile
	case c.State == contract.StatePaused || c.Frozen:
		return contract.ReasonPaused
	case s.mem.Seen <= t.p.policy.Warmup:
		return contract.ReasonYoung
	default:
		return StandingReady
	}
}

// has looks a word up in a sorted list.
func has(sorted []string, word string) bool {
	_, ok := slices.BinarySearch(sorted, word)
	return ok
}

// isOpen says that it can be judged and that nothing has decided over it yet.
func (s *subject) isOpen() bool { return s.ready && !s.decided }
