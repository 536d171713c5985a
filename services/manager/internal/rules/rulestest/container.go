package rulestest

import (
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

// newMember makes a container that is not there yet. Its id depends on its name and its creation alone.
func newMember(spec Container) *member {
	sum := sha256.Sum256([]byte(spec.Name + spec.Created.String()))
	m := &member{spec: spec, id: hex.EncodeToString(sum[:]), name: spec.Name, nanoCPUs: spec.NanoCPUs}
	m.identify(nil)
	return m
}

// identify makes its identity anew, with the names that it had before.
func (m *member) identify(past []string) {
	labels := map[string]string{}
	maps.Copy(labels, m.spec.Labels)

	// The hash is what tells compose's own containers from those of an image that compose built.
	if m.spec.Project != "" {
		service := m.spec.Service
		if service == "" {
			service = m.spec.Name
		}
		labels[contract.LabelProject] = m.spec.Project
		labels[contract.LabelService] = service
		labels[contract.LabelConfigHash] = "1"
	}

	if len(m.spec.DependsOn) > 0 {
		labels[labelDependsOn] = strings.Join(m.spec.DependsOn, ":service_started:false,") + ":service_started:false"
	}

	m.identity = &policy2.Identity{
		ID: m.id, Name: m.name, PastNames: past, Image: m.spec.Image, Labels: labels,
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

	m.started = m.spec.Created
	if m.spec.Started != nil {
		m.started = *m.spec.Started
	}

	switch {
	case m.state == "":
		m.state = contract.StateRunning
	case contract.StateEnded(m.state):
		m.finished = &m.spec.Finished
		m.byHand = true
	}
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

	case !m.byHand && m.comesBack():
		if m.backoff == 0 || at-m.started >= steadyRun {
			m.backoff = backoffFirst
		} else {
			m.backoff = min(2*m.backoff, backoffMost)
		}
		m.state = contract.StateRestarting
		m.nextStart = at + m.backoff

	default:
		m.state = contract.StateExited
	}
}

// comesBack says whether its restart policy starts it again. Every run that ends by itself is a failure.
func (m *member) comesBack() bool { return m.spec.Restart != "" && m.spec.Restart != "no" }

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

// uses is the CPU that it gets, in thousandths of a core.
func (m *member) uses(at time.Duration) int64 {
	wanted := int64(5)
	if m.spec.CPU != nil {
		wanted = m.spec.CPU(at)
	}
	if m.nanoCPUs > 0 {
		wanted = min(wanted, m.nanoCPUs/1_000_000)
	}
	return wanted
}
