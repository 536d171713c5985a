// Package source chooses between the two readers of the host: the kernel module's file, and /proc with the cgroup files.
// Both give the same document; which one gave it stands in it and in every record.
package source

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/rs/zerolog"

	"gestor.local/contract"
	"gestor.local/manager/internal/source/hostproc"
	"gestor.local/manager/internal/source/kmod"
)

// Choice says which reader to use.
type Choice string

// Choices.
const (
	Auto   Choice = "auto"   // the module while its file can be read, else procfs
	Module Choice = "module" // only the module: without it there is no reading
	Procfs Choice = "procfs" // only /proc and the cgroup files
)

// UnmarshalText accepts the three choices.
func (c *Choice) UnmarshalText(text []byte) error {
	switch one := Choice(text); one {
	case Auto, Module, Procfs:
		*c = one
		return nil
	default:
		return fmt.Errorf("source %q: want auto, module or procfs", text)
	}
}

// Options configure Eyes.
type Options struct {
	Choice Choice
	Module kmod.Options
	Procfs hostproc.Options
}

// Reading is one look at the host.
type Reading struct {
	Snapshot *contract.Snapshot
	// Bad are the rows that cannot be believed.
	Bad    contract.RowProblems
	Source string // contract.SourceModule or contract.SourceProcfs
	// Read is the time spent on getting the facts from the kernel, Parse on understanding a document (module only).
	Read, Parse time.Duration
	Bytes       int
	Syscalls    int
	// Unlocated counts containers that have processes but no cgroup that could be found (procfs only): they have no row.
	// One that is just ending is no cause for concern.
	Unlocated int
}

// Eyes reads the host. It is not safe for concurrent use.
type Eyes struct {
	module *kmod.Reader     // nil when not to be used
	procfs *hostproc.Reader // nil when not to be used, or not usable
	log    zerolog.Logger
	inUse  string // the source of the last reading, "" before the first
	away   string // why the module was not used the last time, "" if it was
	blind  int    // readings in a row with containers that were not located
}

// Open makes the readers. It fails when the host cannot be read at all with this choice; a module that is not loaded yet is
// no failure, except with Auto on a host whose /proc or cgroups cannot be read either.
func Open(o Options, log zerolog.Logger) (*Eyes, error) {
	e := &Eyes{log: log}
	if o.Choice != Procfs {
		e.module = kmod.New(o.Module)
	}
	if o.Choice == Module {
		return e, nil
	}
	procfs, err := hostproc.New(o.Procfs)
	if err == nil {
		e.procfs = procfs
		return e, nil
	}
	if o.Choice == Auto {
		_, _, _, moduleErr := e.module.Read()
		if moduleErr == nil {
			log.Warn().Err(err).Msg("only the kernel module can be read here: without it there will be no reading")
			return e, nil
		}
		err = fmt.Errorf("%w; nor through the kernel module: %w", err, moduleErr)
	}
	return nil, fmt.Errorf("open eyes: %w", err)
}

// Read looks once. With Auto the module is tried first, every time, so that loading it is enough; a change of source is
// a new baseline for every rate and is logged. A module whose document cannot be believed is not replaced by procfs: that
// is an error for the operator to see, not to be hidden by another answer.
func (e *Eyes) Read(ctx context.Context) (Reading, error) {
	if e.module != nil {
		r, err := e.readModule()
		if err == nil || e.procfs == nil || !gone(err) {
			return e.note(r, err, "")
		}
		fallback, procErr := e.readProcfs(ctx)
		return e.note(fallback, procErr, err.Error())
	}
	r, err := e.readProcfs(ctx)
	return e.note(r, err, "")
}

// gone reports whether the module is not there for this process, as opposed to there and wrong. A module of another
// release is as good as none.
func gone(err error) bool {
	return errors.Is(err, kmod.ErrAway) || errors.Is(err, kmod.ErrDenied) || errors.Is(err, contract.ErrVersion)
}

func (e *Eyes) readModule() (Reading, error) {
	snap, bad, cost, err := e.module.Read()
	return Reading{
		Snapshot: snap, Bad: bad, Source: contract.SourceModule, Read: cost.Read, Parse: cost.Parse,
		Bytes: cost.Bytes, Syscalls: cost.Syscalls,
	}, err
}

func (e *Eyes) readProcfs(ctx context.Context) (Reading, error) {
	snap, cost, err := e.procfs.Read(ctx)
	if err != nil {
		return Reading{Source: contract.SourceProcfs, Read: cost.Read}, err
	}
	bad, err := snap.Validate()
	return Reading{
		Snapshot: snap, Bad: bad, Source: contract.SourceProcfs, Read: cost.Read,
		Bytes: cost.Bytes, Syscalls: cost.Syscalls, Unlocated: cost.Unlocated,
	}, err
}

// note says loudly which source is in use, once per change.
func (e *Eyes) note(r Reading, err error, away string) (Reading, error) {
	if err != nil {
		return r, err
	}
	if r.Source != e.inUse || away != e.away {
		line := e.log.Info().Str("source", r.Source).Str("was", e.inUse)
		if away != "" {
			line = e.log.Warn().Str("source", r.Source).Str("was", e.inUse).Str("module", away)
		}
		line.Msg(sentence(r.Source))
		e.inUse, e.away = r.Source, away
	}
	e.noteUnlocated(r.Unlocated)
	return r, nil
}

// noteUnlocated tells of containers that stay without a row, once, when it is no longer one that was just ending.
func (e *Eyes) noteUnlocated(n int) {
	const lasting = 3 // readings
	if n == 0 {
		e.blind = 0
		return
	}
	if e.blind++; e.blind == lasting {
		e.log.Warn().Int("containers", n).
			Msg("containers have processes but no cgroup that is found: mount the host's whole /sys/fs/cgroup and set GESTOR_CGROUP")
	}
}

func sentence(source string) string {
	if source == contract.SourceModule {
		return "reading the host through the kernel module"
	}
	return "reading the host through /proc and the cgroup files"
}
