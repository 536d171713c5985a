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
	// What is the same for a container's whole life.
	reference, networkMode string
	createdUS              policy2.Fact[int64]
	autoRemove             policy2.Fact[bool]
	mounts                 policy2.Fact[policy2.MountCounts]

	// What may change.
	startedAt, restartPolicy string
	startedUS, finishedUS    policy2.Fact[int64]
	restarts, pid            int
	nanoCPUs                 policy2.Fact[int64]
	networks                 policy2.Fact[[]string]
}

// inspectedFrom takes what is kept of an inspection. socket is as in policy2.Mount.GivesSocket.
func inspectedFrom(s engine.ContainerState, socket string) inspected {
	i := inspected{
		reference: s.Reference, networkMode: s.NetworkMode, createdUS: created(s.CreatedAt),
		startedAt: s.StartedAt, startedUS: wallTime(s.StartedAt), finishedUS: wallTime(s.FinishedAt),
		restarts: s.RestartCount, restartPolicy: s.RestartPolicy, pid: s.PID,
	}

	if s.NetworkMode != "" { // which no engine leaves empty that tells the container's configuration
		i.autoRemove, i.nanoCPUs = policy2.Known(s.AutoRemove), policy2.Known(s.CPU.Share())
	}
	if s.Networks != nil {
		i.networks = policy2.Known(s.Networks)
	}
	if s.Mounts != nil {
		i.mounts = policy2.Known(policy2.CountMounts(s.Mounts, socket))
	}
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
	} else if old.Name != "" && old.Name != name && len(old.PastNames) < policy2.MostPastNames && !slices.Contains(old.PastNames, old.Name) {
		next.PastNames = append(slices.Clip(old.PastNames), old.Name)
	}

	if k.fresh {
		next.Networks = k.inspected.networks
	}
	if mounts := k.inspected.mounts; mounts.Known {
		next.Socket = policy2.Known(mounts.Value.Socket)
	}

	// Whoever keeps what follows from an identity knows by its pointer that nothing changed.
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

// IdentityOf is who a container is by an inspection alone, right before an act. pastNames are those that it had before, socket is as
// in Options.
func IdentityOf(s engine.ContainerState, pastNames []string, socket string) *policy2.Identity {
	k := known{
		identity: &policy2.Identity{ID: s.ID, PastNames: pastNames},
		entry:    contract.Entry{ID: s.ID, Name: s.Name, Labels: s.Labels},
		fresh:    true, life: true, inspected: inspectedFrom(s, socket),
	}
	k.identify()
	return k.identity
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
