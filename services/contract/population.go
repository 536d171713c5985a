package contract

import (
	"slices"
	"strconv"
	"strings"
)

// Class says how much a container is expected to consume.
type Class string

// Classes. A container whose class cannot be established is ClassUnknown and therefore protected.
const (
	ClassLow     Class = "low"
	ClassHigh    Class = "high"
	ClassUnknown Class = "unknown"
)

// Population is what two successive accepted snapshots say together: who lives and at what rate it consumes.
// It is made by the manager, decided upon by the policy and kept in the journal so that a decision can be replayed.
type Population struct {
	Source   string `json:"source"`
	Instance string `json:"instance"`
	BootID   string `json:"boot_id,omitempty"`
	Sequence uint64 `json:"sequence"`
	// MonotonicUS is the time of the later snapshot, IntervalUS the time between the two (0 on a new baseline).
	MonotonicUS uint64 `json:"monotonic_us"`
	IntervalUS  uint64 `json:"interval_us"`
	CPUs        int    `json:"cpus"`
	// Baseline is true when there is no earlier snapshot to compare with: no member is measured.
	Baseline bool   `json:"baseline"`
	Memory   Memory `json:"memory"`
	// Members are sorted by ID.
	Members []Member `json:"members"`
	// BadRows counts rows that were rejected one by one; their containers are present as unmeasured where the id was
	// readable.
	BadRows int `json:"bad_rows"`
}

// Member is the one with this id, nil when there is none.
func (p *Population) Member(id string) *Member {
	if p == nil {
		return nil
	}
	i, ok := slices.BinarySearchFunc(p.Members, id, func(m Member, id string) int { return strings.Compare(m.ID, id) })
	if !ok {
		return nil
	}
	return &p.Members[i]
}

// Member is one container of a Population.
type Member struct {
	ID       string `json:"id"`
	CgroupID uint64 `json:"cgroup_id"`
	StartUS  uint64 `json:"start_us"`
	// SeenTicks counts the consecutive accepted snapshots with this identity, this one included (1 = new).
	SeenTicks int `json:"seen_ticks"`
	// AgeUS is MonotonicUS - StartUS.
	AgeUS uint64 `json:"age_us"`
	// Measured is false when a rate could not be had this time; Why then says so (see the Unmeasured constants). With Why
	// UnmeasuredBaseline the sizes are as read and CPUMillicores is the average over the container's life: a policy
	// without warm-up ranks by it.
	Measured bool   `json:"measured"`
	Why      string `json:"why,omitempty"`
	// CPUUS is the CPU time over the interval, in microseconds, where Measured. It is no part of the document.
	CPUUS uint64 `json:"-"`
	Measures
	MemoryKB     *uint64 `json:"memory_kb,omitempty"`
	WorkingSetKB *uint64 `json:"working_set_kb,omitempty"`
	MemoryMaxKB  *uint64 `json:"memory_max_kb,omitempty"`
	OOMKills     *uint64 `json:"oom_kills,omitempty"`
	Frozen       bool    `json:"frozen,omitempty"`
	Processes    int     `json:"processes"`
	Threads      int     `json:"threads"`
}

// Measures are the four figures that rank a container.
type Measures struct {
	// CPUMillicores is CPU time over the interval: 1000 = one core all the time.
	CPUMillicores uint64 `json:"cpu_millicores"`
	// RAMKB is the memory charged to the container's cgroup less inactive file pages (the working set), else RSSKB.
	RAMKB uint64 `json:"ram_kb"`
	VSZKB uint64 `json:"vsz_kb"`
	RSSKB uint64 `json:"rss_kb"`
}

// Reasons why a member is not measured.
const (
	UnmeasuredBaseline   = "baseline"         // first sight of this identity, or of this boot or source
	UnmeasuredReset      = "counter_reset"    // a counter went back
	UnmeasuredImpossible = "impossible_delta" // more CPU time than the host could give
	UnmeasuredBadRow     = "bad_row"          // its row was not valid
	UnmeasuredUnlocated  = "unlocated"        // the row of its id is not known to be its own
	UnmeasuredNotRunning = ReasonNotRunning   // it does not run: the reading has no row of it
)

// Inventory is the engine's list of containers, taken right after the snapshot. Entries are sorted by ID.
type Inventory struct {
	// Host is the engine's name of the machine.
	Host    string  `json:"host,omitempty"`
	Entries []Entry `json:"entries"`
}

// Entry is the one with this id, nil when there is none.
func (inv *Inventory) Entry(id string) *Entry {
	if inv == nil {
		return nil
	}
	i, ok := slices.BinarySearchFunc(inv.Entries, id, func(e Entry, id string) int { return strings.Compare(e.ID, id) })
	if !ok {
		return nil
	}
	return &inv.Entries[i]
}

// Entry is what the engine knows of one container: who it is and whether it may be touched.
type Entry struct {
	ID     string            `json:"id"`
	Name   string            `json:"name"`
	Image  string            `json:"image"`
	Labels map[string]string `json:"labels,omitempty"`
	// State is the engine's word, one of the State constants.
	State string `json:"state"`
	// StartedAt is the engine's RFC 3339 time of the last start, "" when it was not asked for.
	StartedAt string `json:"started_at,omitempty"`
	// CreatedUnix is the creation time in seconds since the epoch.
	CreatedUnix int64 `json:"created_unix,omitempty"`
}

// Labels that Gestor sets and reads.
const (
	LabelManaged = "gestor.managed" // "true": Gestor owns this container
	LabelClass   = "gestor.class"   // low or high
	LabelRun     = "gestor.run"     // the generator run that started it
	LabelSeq     = "gestor.seq"     // its position in that run's plan
	LabelImage   = "gestor.image"   // short image name: high-cpu …
	LabelExpires = "gestor.expires" // Unix seconds after which a sweep may remove it
	LabelRole    = "gestor.role"    // logs, manager, generator: part of the suite, see OfSuite
	LabelSuite   = "gestor.suite"   // the suite that started it: two suites on one engine do not judge each other's
	LabelOwner   = "gestor.owner"   // who drains the run: while it lives nobody else sweeps its containers
)

// Labels that docker compose sets. What compose builds carries project and service too, and every container of such an
// image inherits them, whoever started it: only containers that compose made have the hash.
const (
	LabelProject    = "com.docker.compose.project"
	LabelService    = "com.docker.compose.service"
	LabelConfigHash = "com.docker.compose.config-hash"
)

// LabelStack is what `docker stack deploy` sets to the stack's name.
const LabelStack = "com.docker.stack.namespace"

// OfSuite says whether containers with these labels are services of the given suite, which is the compose project or the
// stack that made them; an empty suite takes any. A role alone is no pass: whoever starts a container may write it. Nor is a
// project without the hash, which the tasks of an image that compose built carry in every stack.
func OfSuite(labels map[string]string, suite string) bool {
	if labels[LabelRole] == "" {
		return false
	}
	project, stack := labels[LabelProject], labels[LabelStack]
	return labels[LabelConfigHash] != "" && (suite == "" || project == suite) || stack != "" && (suite == "" || stack == suite)
}

// Owned says whether containers with these labels may be judged by the given suite. An empty suite owns every managed
// container, whoever started it.
func Owned(labels map[string]string, suite string) bool {
	return labels[LabelManaged] == "true" && !OfSuite(labels, suite) && (suite == "" || labels[LabelSuite] == suite)
}

// WhyNotOwned says in words which labels were found and which were wanted, for labels that Owned says no to.
func WhyNotOwned(labels map[string]string, suite string) string {
	if OfSuite(labels, suite) {
		return "it is part of Gestor itself: it carries " + carried(labels, LabelRole)
	}

	found, wanted := carried(labels, LabelManaged), LabelManaged+"=true"
	if suite != "" {
		found += " and " + carried(labels, LabelSuite)
		wanted += " and " + LabelSuite + "=" + plainOrQuoted(suite)
	}
	return "it carries " + found + ", this manager governs what carries " + wanted
}

func carried(labels map[string]string, key string) string {
	value, set := labels[key]
	if !set {
		return "no " + key
	}
	return key + "=" + plainOrQuoted(value)
}

// plainOrQuoted quotes what could be taken for a part of the sentence around it: anybody may choose a label's value.
func plainOrQuoted(s string) string {
	const plain = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_."
	if s == "" || len(s) > maxQuoted || strings.Trim(s, plain) != "" {
		return QuoteLabel(s)
	}
	return s
}

// maxQuoted is how many bytes of a label a text shows: a suite is called after a folder, a label may be a megabyte long, and a
// record has to fit.
const maxQuoted = 100

// QuoteLabel quotes a label's value for a text, as far as it fits.
func QuoteLabel(s string) string {
	if len(s) <= maxQuoted {
		return strconv.Quote(s)
	}
	return strconv.Quote(strings.ToValidUTF8(s[:maxQuoted], "")) + "…"
}
