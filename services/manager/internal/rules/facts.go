package rules

import (
	"gestor.local/contract"
	"gestor.local/contract/policy2"
)

// Facts are everything that one tick's decision may read, beside the policy and the memory. Times are microseconds: of the
// governed clock G where the name says G, of CLOCK_BOOTTIME where it says Boot, since the epoch where it says Wall.
type Facts struct {
	Tick     uint64
	Sequence uint64 // of the snapshot

	BootID string
	BootUS uint64
	// GUS is the governed clock: it never goes back, and no wall clock that was set wrong moves it by more than a day a boot.
	GUS int64
	// BootGUS is G at the start of this boot: GUS - BootUS.
	BootGUS int64
	// RaisedUS is by how much G was raised on this tick to catch up with the wall clock, BootGUS with it. What the boot clock
	// has measured since this boot began stays as long as it was: every time in G that was noted since, at or after
	// BootGUS - RaisedUS, is to be raised by as much. Else a wait of a day that began ten minutes ago would be over.
	RaisedUS int64
	WallUS   int64
	// ClockInDoubt says that wall and G cannot be trusted to agree: ages, ends and expiries are unknown.
	ClockInDoubt bool

	// IntervalUS is the time between the two snapshots that the figures are of, 0 on a new baseline.
	IntervalUS        uint64
	CPUs              int
	MemoryTotalKB     policy2.Fact[uint64]
	MemoryAvailableKB policy2.Fact[uint64]

	Suite policy2.Suite
	// InForce is what allows or forbids to act on this tick; it is the same for the whole of it.
	InForce InForce
	// Leaving are the ids of those with an action in flight, Stuck of those on which it failed too often. Sorted.
	Leaving, Stuck []string
	// Futile are the names and the compose services ("project/service") that come back whatever is done. Sorted.
	Futile []string

	// Containers are all of the host, sorted by id: what the engine lists and what the snapshot has a row of.
	Containers []Container
}

// InForce is the approval of the policy, and whatever else keeps its steps back.
type InForce struct {
	// NeedsApproval says that the policy speaks of other people's containers, Approved that a person has seen it.
	NeedsApproval bool
	Approved      bool
	// OwnCount is the number of own containers at the approval, ApprovedGUS the approval's time in G, ApprovedWallUS as the
	// document says it: two documents differ in it. All are 0 without an approval.
	OwnCount       int
	ApprovedGUS    int64
	ApprovedWallUS int64
	// Gates are the closed ones, the first to be named first.
	Gates []string
	// OtherSuite says that another suite's manager runs on this engine, DryRun that this one only observes.
	OtherSuite, DryRun bool
}

// Observes says that nothing is done under a policy with this mode, whatever its plans say: limits of before are given back.
func (f *InForce) Observes(mode contract.Mode) bool {
	return mode != contract.ModeEnforce || f.DryRun || f.NeedsApproval && (!f.Approved || f.OtherSuite)
}

// HasGrown says that so many own containers are many more than at the approval.
func (f *InForce) HasGrown(own int) bool {
	const few = 10
	return f.NeedsApproval && f.Approved && own > max(2*f.OwnCount, f.OwnCount+few)
}

// Approval is what the policy and the document beside it, nil without one, say of acting. G knows an approval by its time on the wall.
func Approval(p policy2.Policy, document *policy2.Approved) InForce {
	f := InForce{NeedsApproval: p.NeedsApproval()}
	if f.NeedsApproval && document != nil && document.Approves(p) {
		at := document.Time.UnixMicro()
		f.Approved, f.OwnCount, f.ApprovedWallUS, f.ApprovedGUS = true, document.OwnCount, at, at
	}
	return f
}

// Container is what is known of one container on this tick. Who is not in the engine's list has an Identity of its id alone
// and InEngine false.
type Container struct {
	// Identity stays the same pointer from tick to tick while nothing of it changes, so that what depends on it alone can be
	// kept; Decide and Remember give the same answer for equal values.
	*policy2.Identity
	InEngine bool
	State    string // one of contract's State constants, "" when not in the engine

	CreatedWallUS  policy2.Fact[int64]
	StartedAt      policy2.Fact[string] // the engine's text: equal means the same start
	StartedWallUS  policy2.Fact[int64]  // known and 0: it was never started
	FinishedWallUS policy2.Fact[int64]  // of the last end; known and 0: it has not ended yet
	Restarts       policy2.Fact[int]    // the engine's RestartCount

	RestartPolicy    policy2.Fact[string] // the engine's word: no, always, unless-stopped, on-failure
	AutoRemove       policy2.Fact[bool]   // --rm
	AnonymousVolumes policy2.Fact[int]
	NetworkMode      policy2.Fact[string]
	// NanoCPUs is the CPU limit in billionths of a core, 0 for none.
	NanoCPUs policy2.Fact[int64]

	// HasRow says that the snapshot has a row that is surely its own. StartBootUS is the start of its oldest process.
	HasRow      bool
	StartBootUS policy2.Fact[uint64]
	Frozen      bool
	Processes   policy2.Fact[int]
	// CPUUS is CPU time over the interval, in microseconds.
	CPUUS policy2.Fact[uint64]
	// CPUTotalUS is its CPU time since it was made, where its cgroup counts it: it bridges ticks on which CPUUS is unknown.
	CPUTotalUS          policy2.Fact[uint64]
	RAMKB, WorkingSetKB policy2.Fact[uint64]
	VSZKB, RSSKB        policy2.Fact[uint64]
	// NetBytes is the sum of bytes in and out over all interfaces but lo since they were made; of containers that share a
	// network namespace it is the same, and it falls when an interface goes away. Unknown on the host's network.
	//
	// It is read each 10 s at most: on ticks between it is that of the last reading, of which NetBootUS is the time. Traffic a
	// second is the growth between two readings over the time between them.
	NetBytes  policy2.Fact[uint64]
	NetBootUS uint64

	// Member is what a file of version 1 reads of the row, nil without one. No policy of version 2 reads it.
	Member *contract.Member
}

// Alive says whether the engine runs it, paused and restarting included.
func (c *Container) Alive() bool { return contract.StateAlive(c.State) }
