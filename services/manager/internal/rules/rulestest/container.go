package rulestest

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"slices"
	"strings"
	"time"

	"gestor.local/contract"
	"gestor.local/contract/policy2"
	"gestor.local/manager/internal/rules"
)

// Container says who a container is and what it does by itself.
type Container struct {
	Name, Image string
	Labels      map[string]string
	// Project and Service are compose's, DependsOn the services of the project that it needs.
	Project, Service string
	DependsOn        []string

	// Created is when it was made; before that it is not there. Started is when its first run began, nil for at once; State is
	// how it is found then, "" for running. Finished is when it ended, where its state says that it did.
	Created  time.Duration
	Started  *time.Duration
	State    string
	Finished time.Duration

	Rm        bool // --rm
	Anonymous int  // anonymous volumes
	// Restart is its restart policy: "" or no, always, unless-stopped, on-failure.
	Restart  string
	Network  string   // its network mode, "" for bridge
	Networks []string // names of those it is attached to
	Socket   bool     // it mounts the engine's socket
	NanoCPUs int64    // its own CPU limit, 0 for none

	// What it wants over the interval that ends at a moment: thousandths of a core, bytes a second over its network, and what it
	// has then: processes and KiB of memory. nil is as a quiet server has it: CPU 5, no traffic, 3 processes, 10 MiB.
	CPU       func(at time.Duration) int64
	Net       func(at time.Duration) int64
	Processes func(at time.Duration) int
	RAMKB     func(at time.Duration) uint64
	// Run is how long its n-th run lasts, counted from 0; 0 and nil are for ever.
	Run func(n int) time.Duration

	// BadRow says on which ticks the snapshot has no row that is surely its own, Blur takes single facts of a tick away.
	BadRow func(at time.Duration) bool
	Blur   func(at time.Duration, c *rules.Container)
}

// Always is a figure that stays.
func Always[T any](value T) func(time.Duration) T {
	return func(time.Duration) T { return value }
}

// Between is a figure that is one value from a moment on until before another, and the other elsewhere.
func Between[T any](from, until time.Duration, within, elsewhere T) func(time.Duration) T {
	return func(at time.Duration) T {
		if at >= from && at < until {
			return within
		}
		return elsewhere
	}
}

// ActiveAt is the CPU of one that does nothing but on the ticks at these moments, where it uses a tenth of a core.
func ActiveAt(moments ...time.Duration) func(time.Duration) int64 {
	return func(at time.Duration) int64 {
		if slices.Contains(moments, at) {
			return 100
		}
		return 0
	}
}

// The engine waits before it starts a container again: at first that long, after each run of less than steady twice as long.
const (
	backoffFirst = 100 * time.Millisecond
	backoffMost  = time.Minute
	steadyRun    = 10 * time.Second
)

// member is one container of the world: what it is, and how it is now.
type member struct {
	spec     Container
	id       string
	name     string
	identity *policy2.Identity

	present bool
	state   string
	started time.Duration // of this run
	run     int           // its number
	// startedAt is the engine's text of the start, made for startedUS.
	startedAt string
	startedUS int64
	// restarts is the engine's count, nextStart when it starts it again, byHand that somebody ended it and it shall stay so.
	restarts  int
	backoff   time.Duration
	nextStart time.Duration
	finished  *time.Duration
	byHand    bool

	nanoCPUs int64
	owed     bool // the limit is one that a rule set
	netBytes uint64
	cpuUS    uint64 // as its cgroup counts it
	// rowStart is the start of the run that the snapshot before had a row of, nil without one.
	rowStart *time.Duration
}

// newMember makes a container that is not there yet.
func newMember(spec Container) *member {
	m := &member{spec: spec, id: spec.ID(), name: spec.Name, nanoCPUs: spec.NanoCPUs}
	m.identify(nil)
	return m
}

// ID is its full id, which depends on its name and its creation alone.
func (c *Container) ID() string {
	sum := sha256.Sum256([]byte(c.Name + c.Created.String()))
	return hex.EncodeToString(sum[:])
}

// AllLabels are its labels and those of compose.
func (c *Container) AllLabels() map[string]string {
	labels := map[string]string{}
	maps.Copy(labels, c.Labels)

	// The hash is what tells compose's own containers from those of an image that compose built.
	if c.Project != "" {
		labels[contract.LabelProject] = c.Project
		labels[contract.LabelService] = cmp.Or(c.Service, c.Name)
		labels[contract.LabelConfigHash] = "1"
	}

	if len(c.DependsOn) > 0 {
		labels[labelDependsOn] = strings.Join(c.DependsOn, ":service_started:false,") + ":service_started:false"
	}
	return labels
}

// identify makes its identity anew, with the names that it had before.
func (m *member) identify(past []string) {
	m.identity = &policy2.Identity{
		ID: m.id, Name: m.name, PastNames: past, Image: m.spec.Image, Labels: m.spec.AllLabels(),
		Networks: policy2.Known(m.spec.Networks), Socket: policy2.Known(m.spec.Socket),
	}
}

// labelDependsOn is compose's label of the services that one needs: SERVICE:CONDITION:RESTART, joined by commas.
const labelDependsOn = "com.docker.compose.depends_on"

// advance lets it live on until a moment.
func (m *member) advance(to time.Duration) {
	if !m.present && m.state == "" && m.spec.Created <= to {
		m.appear()
	}

	for m.present {
		switch end, ends := m.runEnds(); {
		case m.state == contract.StateRunning && ends && end <= to:
			m.exit(end)
		case m.state == contract.StateRestarting && m.nextStart <= to:
			m.restarts++
			m.start(m.nextStart)
		default:
			return
		}
	}
}

// appear is its creation.
func (m *member) appear() {
	m.present = true
	m.state = m.spec.State

	m.started = m.spec.Begins()

	switch {
	case m.state == "":
		m.state = contract.StateRunning
	case contract.StateEnded(m.state):
		m.finished = &m.spec.Finished
		m.byHand = true
	}
}

// Begins is when its first run began.
func (c *Container) Begins() time.Duration {
	if c.Started != nil {
		return *c.Started
	}
	return c.Created
}

// runEnds says when its run ends by itself.
func (m *member) runEnds() (time.Duration, bool) {
	if m.spec.Run == nil {
		return 0, false
	}
	length := m.spec.Run(m.run)
	return m.started + length, length > 0
}

// exit ends its run, and the engine does what it was told for that: starts it again, deletes it, or leaves it as it is.
func (m *member) exit(at time.Duration) {
	m.finished = &at

	switch {
	case m.spec.Rm:
		m.gone()

	case !m.byHand && m.spec.ComesBack():
		m.backoff = NextBackoff(m.backoff, at-m.started)
		m.state = contract.StateRestarting
		m.nextStart = at + m.backoff

	default:
		m.state = contract.StateExited
	}
}

func (m *member) start(at time.Duration) {
	m.state = contract.StateRunning
	m.started = at
	m.run++
	m.byHand = false
}

// gone is its end; it keeps a state, so that it does not appear again.
func (m *member) gone() {
	m.present = false
	m.state = contract.StateRemoving
}

// Uses is the CPU that it gets, in thousandths of a core, under a limit in billionths, 0 for none.
func (c *Container) Uses(at time.Duration, nanoCPUs int64) int64 {
	wanted := int64(5)
	if c.CPU != nil {
		wanted = c.CPU(at)
	}
	if nanoCPUs > 0 {
		wanted = min(wanted, nanoCPUs/1_000_000)
	}
	return wanted
}

// Sizes are the processes that it has at a moment, and its memory in KiB.
func (c *Container) Sizes(at time.Duration) (processes int, ramKB uint64) {
	processes, ramKB = 3, 10<<10
	if c.Processes != nil {
		processes = c.Processes(at)
	}
	if c.RAMKB != nil {
		ramKB = c.RAMKB(at)
	}
	return processes, ramKB
}

// ComesBack says whether its restart policy starts it again. Every run that ends by itself is a failure.
func (c *Container) ComesBack() bool { return c.Restart != "" && c.Restart != "no" }

// NextBackoff is how long the engine waits before it starts a container again after a run of that length, where it waited so long before.
func NextBackoff(before, ran time.Duration) time.Duration {
	if before == 0 || ran >= steadyRun {
		return backoffFirst
	}
	return min(2*before, backoffMost)
}

// uses is the CPU that it gets, in thousandths of a core.
func (m *member) uses(at time.Duration) int64 {
	return m.spec.Uses(at, m.nanoCPUs)
}
