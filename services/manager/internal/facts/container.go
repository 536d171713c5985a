package facts

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"gestor.local/contract"
	"gestor.local/contract/policy2"
	"gestor.local/manager/internal/engine"
)

// known is what is known of one container from tick to tick.
type known struct {
	identity *policy2.Identity
	entry    contract.Entry // of the last list

	// startUS is the start of its oldest process when it was last seen, 0 before. unseen says that the last snapshot, if there
	// was one, has no row of it. fresh says that it was inspected since the list or the snapshot last showed a change, life that
	// it was ever inspected.
	startUS     uint64
	unseen      bool
	fresh, life bool
	inspected   inspected
	// failures counts the inspections in a row that came to nothing, asked is the number of the last Observe that asked for one.
	failures int
	asked    uint64
}

// inspected is what is kept of an inspection.
type inspected struct {
	// Those of the first line are the same for a container's whole life.
	reference, networkMode         string
	createdUS                      policy2.Fact[int64]
	autoRemove                     bool
	mounts                         policy2.MountCounts
	startedAt                      string
	startedUS, finishedUS          policy2.Fact[int64]
	restarts, pid                  int
	restartPolicy                  string
	nanoCPUs                       int64
	networks                       []string
	networksKnown, hostConfigKnown bool
}

// inspectedFrom takes what is kept of an inspection. socket is as in policy2.MountsSocket.
func inspectedFrom(s engine.ContainerState, socket string) inspected {
	i := inspected{
		reference: s.Reference, networkMode: s.NetworkMode, createdUS: created(s.CreatedAt),
		autoRemove: s.AutoRemove, mounts: policy2.CountMounts(s.Mounts, socket),
		startedAt: s.StartedAt, startedUS: wallTime(s.StartedAt), finishedUS: wallTime(s.FinishedAt),
		restarts: s.RestartCount, pid: s.PID, restartPolicy: s.RestartPolicy, nanoCPUs: s.CPU.Share(),
		networks: s.Networks, networksKnown: s.Networks != nil,
	}
	i.hostConfigKnown = s.NetworkMode != "" // no engine leaves it empty
	return i
}

// wallTime reads a time of the engine's, in microseconds; the year 1, which stands for never, is 0.
func wallTime(text string) policy2.Fact[int64] {
	t, err := time.Parse(time.RFC3339Nano, text)
	switch {
	case err != nil:
		return policy2.Fact[int64]{}
	case t.Year() <= 1:
		return policy2.Known(int64(0))
	default:
		return policy2.Known(t.UnixMicro())
	}
}

// engineEra is before any container was created: a clock that says an earlier time was not set.
var engineEra = time.Date(2013, 1, 1, 0, 0, 0, 0, time.UTC) //nolint:gochecknoglobals // a constant

func created(text string) policy2.Fact[int64] {
	t := wallTime(text)
	if t.Value < engineEra.UnixMicro() {
		return policy2.Fact[int64]{}
	}
	return t
}

// startTolerance is how far the two readers of snapshots may differ about the start of one process: procfs counts it in clock
// ticks of 10 ms (proc_pid_stat(5), field 22). No container starts again within that time.
const startTolerance = 20 * time.Millisecond

// sameStart says whether two starts of an oldest process are one.
func sameStart(a, b uint64) bool { return max(a, b)-min(a, b) <= uint64(startTolerance.Microseconds()) }

// observe takes in a list's entry.
func (k *known) observe(e contract.Entry) {
	if e.State != k.entry.State || e.Name != k.entry.Name {
		k.fresh = false
	}
	k.entry = e
}

// observeStart takes in the start of the oldest process, 0 when the snapshot has no row.
func (k *known) observeStart(startUS uint64) {
	k.unseen = startUS == 0
	if startUS > 0 && !sameStart(startUS, k.startUS) {
		k.fresh, k.startUS = false, startUS
	}
}

// changesUnseen says that something may change without being seen from outside: between two starts the engine counts, and of one
// that runs without a row, or without a process yet, the next start does not show.
func (k *known) changesUnseen() bool {
	running := k.entry.State == contract.StateRunning
	return k.entry.State == contract.StateRestarting || running && (k.unseen || k.inspected.pid == 0)
}

// identify makes the identity anew where anything of it is another than before.
func (k *known) identify() {
	old, name := k.identity, k.entry.Name
	next := policy2.Identity{
		ID: k.entry.ID, Name: name, PastNames: old.PastNames, Image: k.image(), Labels: k.entry.Labels,
	}
	if name == "" {
		next.Name = old.Name // of a legacy link alone
	} else if old.Name != "" && old.Name != name && !slices.Contains(old.PastNames, old.Name) {
		next.PastNames = append(slices.Clip(old.PastNames), old.Name)
	}

	if k.fresh && k.inspected.networksKnown {
		next.Networks = policy2.Known(k.inspected.networks)
	}
	if k.life {
		next.Socket = policy2.Known(k.inspected.mounts.Socket)
	}
	if !equalIdentities(old, &next) {
		k.identity = &next
	}
}

// image is the reference it was created with, "" while that is not known. A list gives that too, unless its tag has moved on:
// then it gives an id.
func (k *known) image() string {
	if k.life && k.inspected.reference != "" {
		return k.inspected.reference
	}
	if before := k.identity.Image; before != "" || policy2.IsImageID(k.entry.Image) {
		return before
	}
	return k.entry.Image
}

func equalIdentities(a, b *policy2.Identity) bool {
	return a.ID == b.ID && a.Name == b.Name && a.Image == b.Image && a.Socket == b.Socket &&
		a.Networks.Known == b.Networks.Known && slices.Equal(a.Networks.Value, b.Networks.Value) &&
		slices.Equal(a.PastNames, b.PastNames) && maps.Equal(a.Labels, b.Labels)
}

// byNeed orders those that want an inspection: who failed less often first, so that one that the engine never answers for does
// not keep the others waiting, then who was asked for longest ago.
func byNeed(a, b *known) int {
	return cmp.Or(cmp.Compare(a.failures, b.failures), cmp.Compare(a.asked, b.asked), cmp.Compare(a.entry.ID, b.entry.ID))
}
