// Package survey says what leaks on a host: which containers were left over, what they hold, and which rules of a policy would deal
// with them. It is pure: two readings of the host in, a document out. It proposes and touches nothing.
//
// What is not known of a container is unknown in the document and never a reason to count it: who could not be inspected is named, and
// judged by nothing.
package survey

import (
	"cmp"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"gestor.local/contract"
	"gestor.local/contract/policy2"
	"gestor.local/manager/internal/engine"
	"gestor.local/manager/internal/rules"
)

// Reading is what was read of a host.
type Reading struct {
	Host string
	// Source is contract.SourceModule or contract.SourceProcfs, "" where the engine alone was asked.
	Source string
	// Before and Facts are the two readings. CPU is that of the time between them; of the first only restarts and traffic are read.
	Before, Facts rules.Facts
	// Apart is the time between the two.
	Apart time.Duration
	// States are the newest inspections by container id: who is not there could not be inspected.
	States map[string]engine.ContainerState
	// Layers are the sizes of the containers' own layers in bytes, of those that were measured.
	Layers map[string]int64
	// Missing says in sentences what could not be had.
	Missing []string
	// OlderThan replaces how old a container, or a compose project, must be to count; 0 is the default of each kind.
	OlderThan time.Duration
}

// Ages that count where Reading.OlderThan does not say otherwise.
const (
	leftoverAge = time.Hour // a job, a test or a build may take as long
	projectAge  = 3 * 24 * time.Hour
)

// Survey is the document, and the answer of survey --json.
type Survey struct {
	V    int       `json:"v"` // 1
	Host string    `json:"host"`
	At   time.Time `json:"at"`
	// Source is module or procfs, "" where the engine alone was asked; Apart is the time between the two readings, in milliseconds.
	Source string `json:"source"`
	Apart  int64  `json:"apart_ms"`
	// Containers are all of the host, Running those that run.
	Containers int `json:"containers"`
	Running    int `json:"running"`
	// Kinds are those of which there is one at least, the worst first.
	Kinds []Kind `json:"kinds"`
	// Parked are those that no rule is proposed for, since they are kept on purpose or hold something.
	Parked []Parked `json:"parked"`
	// LeftOut counts those that are never own, whatever a policy says, and so were not looked at.
	LeftOut LeftOut `json:"left_out"`
	// Unknown are the names of those that could not be inspected, Missing says in sentences what could not be had.
	Unknown []string `json:"unknown"`
	Missing []string `json:"missing"`
}

// LeftOut counts by the first reason that applies.
type LeftOut struct {
	Gestor       int `json:"gestor"`       // its own services, and what it started
	Socket       int `json:"socket"`       // they mount the engine's socket
	Orchestrator int `json:"orchestrator"` // swarm, Kubernetes, Nomad or systemd keeps them
	Nameless     int `json:"nameless"`     // of whom the engine told no name
}

// Kind is one way to leak, with those that do.
type Kind struct {
	Kind KindName `json:"kind"`
	// Tool is the tool that made them, of kind tool alone.
	Tool string `json:"tool,omitempty"`
	// Count is how many: compose projects of kind project, else containers.
	Count int `json:"count"`
	// OldestSeconds is the age of the oldest: since its end where it has ended, else since its creation.
	OldestSeconds int64    `json:"oldest_s"`
	Held          Held     `json:"held"`
	Members       []Member `json:"members"`
	// Own are the selectors by which a policy would own them, Rule is what it would do with them, Sentence the rule in words. They are
	// left out where no rule is proposed; Why then says the reason.
	Own      []policy2.Selector `json:"own,omitempty"`
	Rule     *policy2.Rule      `json:"rule,omitempty"`
	Sentence string             `json:"sentence,omitempty"`
	Why      string             `json:"why,omitempty"`
}

// Held is what containers hold together. A figure that is not known of anybody is null, and Unknown says of how many it is not known.
type Held struct {
	CPUMillicores    *uint64 `json:"cpu_millicores"` // between the two readings
	MemoryKB         *uint64 `json:"memory_kb"`      // working set, else RSS
	LayerBytes       *int64  `json:"layer_bytes"`    // own layers of those that do not run
	AnonymousVolumes int     `json:"anonymous_volumes"`
	CPUUnknown       int     `json:"cpu_unknown"`
	MemoryUnknown    int     `json:"memory_unknown"`
	LayerUnknown     int     `json:"layer_unknown"`
}

// Member is one container that leaks.
type Member struct {
	ID         string `json:"id"`
	Name       string `json:"name"`
	Image      string `json:"image"`
	Project    string `json:"project,omitempty"`
	State      string `json:"state"`
	AgeSeconds int64  `json:"age_s"` // as in Kind.OldestSeconds
	Held       Held   `json:"held"`
}

// Parked is one container that no rule is proposed for.
type Parked struct {
	ID   string       `json:"id"`
	Name string       `json:"name"`
	Kind KindName     `json:"kind"` // as what it would have counted
	Why  []ParkedWord `json:"why"`
}

// ParkedWord says why a container is parked.
type ParkedWord string

// Words of Parked.Why.
const (
	ParkedRestart     ParkedWord = "restart_policy"
	ParkedNamed       ParkedWord = "named_volume"
	ParkedAnonymous   ParkedWord = "anonymous_volume"
	ParkedBind        ParkedWord = "bind"
	ParkedProjectRuns ParkedWord = "project_runs" // other containers of its compose project run
)

// New makes the document of a reading.
func New(r Reading) Survey {
	h := look(r)
	s := Survey{
		V: 1, Host: r.Host, At: time.UnixMicro(r.Facts.WallUS).UTC().Truncate(time.Second), Source: r.Source, Apart: r.Apart.Milliseconds(),
		Containers: len(h.all), Running: h.running, Kinds: []Kind{}, LeftOut: h.leftOut,
		Unknown: slices.Concat([]string{}, h.unknown), Missing: slices.Concat([]string{}, r.Missing),
	}

	h.find()
	for _, f := range h.found {
		s.Kinds = append(s.Kinds, h.kind(f))
	}
	slices.SortStableFunc(s.Kinds, worse)

	s.Parked = slices.Concat([]Parked{}, h.parked)
	slices.SortFunc(s.Parked, func(a, b Parked) int { return cmp.Or(strings.Compare(a.Name, b.Name), strings.Compare(a.ID, b.ID)) })
	return s
}

// Ended are the ids of those that leak and do not run: whose layers are to be measured.
func (s *Survey) Ended() (ids []string) {
	for _, k := range s.Kinds {
		for _, m := range k.Members {
			if !contract.StateAlive(m.State) && !slices.Contains(ids, m.ID) {
				ids = append(ids, m.ID)
			}
		}
	}
	return ids
}

// Found is how many containers leak, each once, and in how many ways.
func (s *Survey) Found() (containers, kinds int) {
	seen := make(map[string]bool)
	for _, k := range s.Kinds {
		for _, m := range k.Members {
			seen[m.ID] = true
		}
	}
	return len(seen), len(s.Kinds)
}

// worse orders kinds: a loop of restarts first, since it costs now and never ends, and who has no memory limit last, since that is a
// risk and no leak yet; the others by what they hold in bytes, then by how many they are.
func worse(a, b Kind) int {
	rank := func(k Kind) int {
		switch k.Kind {
		case KindRestarting:
			return 0
		case KindNoMemoryLimit:
			return 2
		default:
			return 1
		}
	}
	return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(b.Held.bytes(), a.Held.bytes()), cmp.Compare(b.Count, a.Count))
}

func (h Held) bytes() (sum uint64) {
	if h.MemoryKB != nil {
		sum = *h.MemoryKB << 10
	}
	if h.LayerBytes != nil {
		sum += uint64(max(*h.LayerBytes, 0))
	}
	return sum
}

// add sums up. A figure stays null only while nobody's is known.
func (h *Held) add(o Held) {
	h.CPUMillicores, h.MemoryKB, h.LayerBytes = sum(h.CPUMillicores, o.CPUMillicores), sum(h.MemoryKB, o.MemoryKB), sum(h.LayerBytes, o.LayerBytes)
	h.AnonymousVolumes += o.AnonymousVolumes
	h.CPUUnknown, h.MemoryUnknown, h.LayerUnknown = h.CPUUnknown+o.CPUUnknown, h.MemoryUnknown+o.MemoryUnknown, h.LayerUnknown+o.LayerUnknown
}

func sum[T uint64 | int64](a, b *T) *T {
	switch {
	case a == nil:
		return b
	case b == nil:
		return a
	default:
		return new(*a + *b)
	}
}

// Policy is a valid policy of all that is proposed; it owns nothing where nothing is.
func (s *Survey) Policy() policy2.Policy {
	p := policy2.Default()
	p.Own = []policy2.Selector{}
	for _, k := range s.Kinds {
		for _, own := range k.Own {
			if !slices.ContainsFunc(p.Own, func(o policy2.Selector) bool { return sameSelector(o, own) }) {
				p.Own = append(p.Own, own)
			}
		}
		if k.Rule != nil {
			p.Rules = append(p.Rules, *k.Rule)
		}
	}
	return p
}

func sameSelector(a, b policy2.Selector) bool {
	one, errOne := json.Marshal(a)
	two, errTwo := json.Marshal(b)
	return errOne == nil && errTwo == nil && string(one) == string(two)
}
