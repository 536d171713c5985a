// Package population turns successive snapshots into the population that the policy decides on: who lives, since when,
// and at what rate it consumes.
//
// It is pure: no clock, no I/O, integers only. [State.Advance] returns a new State and leaves the old one alone, so
// that the same snapshots give the same populations in the manager, in a replay and in a simulation. Members and events
// are sorted by id and do not depend on the order of the rows.
//
// The bias is towards doubt: what cannot be compared is not measured, and a container whose counters or identity
// changed is young again.
package population

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"gestor.local/contract"
)

// Errors of [State.Advance]. The snapshot is then not accepted and the state is unchanged.
var (
	// ErrTruncated says that rows are missing: a container without a row is not a container that died.
	ErrTruncated = errors.New("snapshot is truncated (raise the module's max_procs)")
	// ErrStale says that the snapshot is not newer than the last accepted one: its sequence or its clock did not move
	// on.
	ErrStale = errors.New("snapshot is not newer than the last one")
)

// State is what is kept of the last accepted snapshot. The zero value is before the first.
type State struct {
	lastHeader snapshotHeader
	containers map[string]lastSeen // by container id
}

// snapshotHeader says which snapshot the counters of lastSeen belong to.
type snapshotHeader struct {
	source, instance, bootID string
	sequence, monotonicUS    uint64
}

// lastSeen is what the last accepted snapshot said of one container.
type lastSeen struct {
	startUS uint64
	// ticks counts the consecutive accepted snapshots with this identity; 0 means that the last row was bad and there
	// is nothing to compare with.
	ticks int
	cpuUS uint64
	// tasks holds the CPU time of each process, only where the container has no counter of its own (CPUSourceTasks).
	tasks map[task]uint64
}

// task identifies a process until the next boot.
type task struct {
	pid     int
	startUS uint64
}

// Advance accepts one validated snapshot. bad are the rows that its parser or Validate found wrong.
//
// A member is measured when the same identity (id, start) stood in the last accepted snapshot of the same boot and
// source and its CPU counter can be compared. Until then Why is contract.UnmeasuredBaseline and CPUMillicores is the
// average over the container's life, which a policy without warm-up ranks by; every other unmeasured member has
// CPUMillicores 0.
func (s State) Advance(snap *contract.Snapshot, bad contract.RowProblems) (State, contract.Population, []Event, error) {
	if snap.Truncated {
		return s, contract.Population{}, nil, ErrTruncated
	}

	cause := s.lastHeader.discontinuity(snap)
	if cause == "" && !s.lastHeader.precedes(snap) {
		return s, contract.Population{}, nil, fmt.Errorf("%w (sequence %d after %d, %d µs after %d µs)", ErrStale,
			snap.Sequence, s.lastHeader.sequence, snap.MonotonicUS, s.lastHeader.monotonicUS)
	}

	a := advance{
		snap: snap, bad: bad, old: s, seen: make(map[string]lastSeen, len(snap.Containers)),
		members: make([]contract.Member, 0, len(snap.Containers)),
	}
	// Across a boot, another reader or a reload of the module no counter can be compared, and who is missing may not
	// have died: everything begins anew.
	if cause != "" {
		a.old = State{}
		a.addEvent(Event{Kind: EventBaseline, Cause: cause})
	} else {
		a.intervalUS = snap.MonotonicUS - s.lastHeader.monotonicUS
	}

	p := a.population(cause != "")
	return State{lastHeader: headerOf(snap), containers: a.seen}, p, a.events, nil
}

// discontinuity says why the snapshot cannot be compared with the last one, "" when it can.
func (h snapshotHeader) discontinuity(snap *contract.Snapshot) Cause {
	switch {
	case h.instance == "":
		return CauseFirst
	case h.bootID != snap.BootID:
		return CauseBoot
	case h.source != snap.Source:
		return CauseSource
	case h.instance != snap.Instance:
		return CauseInstance
	default:
		return ""
	}
}

func (h snapshotHeader) precedes(snap *contract.Snapshot) bool {
	return h.sequence < snap.Sequence && h.monotonicUS < snap.MonotonicUS
}

func headerOf(snap *contract.Snapshot) snapshotHeader {
	return snapshotHeader{snap.Source, snap.Instance, snap.BootID, snap.Sequence, snap.MonotonicUS}
}

// advance is one call of State.Advance under way.
type advance struct {
	snap       *contract.Snapshot
	bad        contract.RowProblems
	old        State
	intervalUS uint64
	seen       map[string]lastSeen
	members    []contract.Member
	events     []Event
}

func (a *advance) addEvent(e Event) { a.events = append(a.events, e) }

func (a *advance) population(baseline bool) contract.Population {
	for i := range a.snap.Containers {
		a.addContainer(i)
	}
	a.addDeaths()

	// Map iteration and the order of the rows must not show in a recorded population.
	slices.SortFunc(a.members, func(x, y contract.Member) int { return strings.Compare(x.ID, y.ID) })
	slices.SortFunc(a.events, compareEvents)
	return contract.Population{
		Source: a.snap.Source, Instance: a.snap.Instance, BootID: a.snap.BootID, Sequence: a.snap.Sequence,
		MonotonicUS: a.snap.MonotonicUS, IntervalUS: a.intervalUS, CPUs: a.snap.CPUs, Baseline: baseline,
		Memory: a.snap.Memory, Members: a.members, BadRows: len(a.bad),
	}
}

// addContainer makes one row of the snapshot a member.
func (a *advance) addContainer(i int) {
	c := &a.snap.Containers[i]
	if a.bad.Has(i) {
		a.addBadRow(c, a.bad.Of(i))
		return
	}

	m := a.member(c)
	now := a.measure(c, &m)
	a.seen[c.ID] = now
	m.SeenTicks = now.ticks
	a.members = append(a.members, m)
}

// addBadRow keeps a container whose row cannot be believed alive and unmeasured, once, whatever the number of its rows.
func (a *advance) addBadRow(c *contract.Container, problems contract.Problems) {
	e := Event{Kind: EventBadRow}
	if len(problems) > 0 {
		e.What = problems[0].String()
	}

	if contract.IsContainerID(c.ID) {
		e.ID = c.ID
	}
	a.addEvent(e)

	// A container is one member, however many bad rows bear its id.
	if _, twice := a.seen[e.ID]; twice || e.ID == "" {
		return
	}

	a.addBirth(e.ID)
	a.seen[e.ID] = lastSeen{}
	a.members = append(a.members, contract.Member{ID: e.ID, Why: contract.UnmeasuredBadRow})
}

// addBirth adds the event of a container that was not there last time. On a new baseline nobody knows who was.
func (a *advance) addBirth(id string) {
	if _, existed := a.old.containers[id]; !existed && a.intervalUS > 0 {
		a.addEvent(Event{Kind: EventBirth, ID: id})
	}
}

func (a *advance) addDeaths() {
	for id := range a.old.containers {
		if _, alive := a.seen[id]; !alive {
			a.addEvent(Event{Kind: EventDeath, ID: id})
		}
	}
}
