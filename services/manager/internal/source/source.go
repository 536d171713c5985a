// Package source chooses between the two readers of the host: the kernel module's file, and /proc with the cgroup
// files. Both give the same document; which one gave it stands in it and in every record.
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
	switch choice := Choice(text); choice {
	case Auto, Module, Procfs:
		*c = choice
		return nil
	default:
		return fmt.Errorf("source %q: want auto, module or procfs", text)
	}
}

// Options configure a Selector.
type Options struct {
	Choice Choice
	Module kmod.Options
	Procfs hostproc.Options
}

// Reading is what one Read of the host gave.
type Reading struct {
	Snapshot *contract.Snapshot
	// Bad are the rows that cannot be believed.
	Bad    contract.RowProblems
	Source string // contract.SourceModule or contract.SourceProcfs
	// Read is the time spent on getting the facts from the kernel, Parse on understanding a document (module only).
	Read, Parse time.Duration
	Bytes       int
	Syscalls    int
	// Unlocated counts containers that have processes but no cgroup that could be found (procfs only): they have no
	// row. One that is just ending is no cause for concern.
	Unlocated int
}

// Selector reads the host through the one reader or the other. It is not safe for concurrent use.
type Selector struct {
	module            *kmod.Reader     // nil when not to be used
	procfs            *hostproc.Reader // nil when not to be used, or not usable
	log               zerolog.Logger
	source            string // of the last reading, "" before the first
	moduleError       string // why the module was not used the last time, "" if it was
	unlocatedReadings int    // readings in a row with containers that were not located
}

// Open makes the readers. It fails when the host cannot be read at all with this choice; a module that is not loaded
// yet is no failure, except with Auto on a host whose /proc or cgroups cannot be read either.
func Open(o Options, log zerolog.Logger) (*Selector, error) {
	s := &Selector{log: log}
	if o.Choice != Procfs {
		s.module = kmod.New(o.Module)
	}
	if o.Choice == Module {
		return s, nil
	}

	procfs, err := hostproc.New(o.Procfs)
	if err == nil {
		s.procfs = procfs
		return s, nil
	}

	// The module's file is read once, and not only found: a module that is there and cannot be used is no source.
	if o.Choice == Auto {
		_, _, _, moduleErr := s.module.Read()
		if moduleErr == nil {
			log.Warn().Err(err).Msg("only the kernel module can be read here: without it there will be no reading")
			return s, nil
		}
		err = fmt.Errorf("%w; nor through the kernel module: %w", err, moduleErr)
	}

	return nil, fmt.Errorf("no source of readings: %w", err)
}

// Read takes one reading. With Auto the module is tried first, every time, so that loading it is enough; a change of
// source is a new baseline for every rate and is logged. A module whose document cannot be believed is not replaced by
// procfs: that is an error for the operator to see, which another answer would hide.
func (s *Selector) Read(ctx context.Context) (Reading, error) {
	// A reading through procfs is the fallback only of a module that is not there.
	if s.module != nil {
		r, err := s.readModule()
		if err == nil || s.procfs == nil || !moduleUnavailable(err) {
			return s.logChange(r, err, "")
		}

		fallback, procErr := s.readProcfs(ctx)
		return s.logChange(fallback, procErr, err.Error())
	}

	r, err := s.readProcfs(ctx)
	return s.logChange(r, err, "")
}

// moduleUnavailable reports whether there is no module for this process, as opposed to one that gives a wrong document.
// A module of another release is as good as none.
func moduleUnavailable(err error) bool {
	return errors.Is(err, kmod.ErrNotLoaded) || errors.Is(err, kmod.ErrDenied) || errors.Is(err, contract.ErrVersion)
}

func (s *Selector) readModule() (Reading, error) {
	snap, bad, cost, err := s.module.Read()
	return Reading{
		Snapshot: snap, Bad: bad, Source: contract.SourceModule, Read: cost.Read, Parse: cost.Parse,
		Bytes: cost.Bytes, Syscalls: cost.Syscalls,
	}, err
}

func (s *Selector) readProcfs(ctx context.Context) (Reading, error) {
	snap, cost, err := s.procfs.Read(ctx)
	if err != nil {
		return Reading{Source: contract.SourceProcfs, Read: cost.Read}, err
	}
	// The module's document is validated while it is parsed; this one was never a document.
	bad, err := snap.Validate()
	return Reading{
		Snapshot: snap, Bad: bad, Source: contract.SourceProcfs, Read: cost.Read,
		Bytes: cost.Bytes, Syscalls: cost.Syscalls, Unlocated: cost.Unlocated,
	}, err
}

// logChange logs which source is in use, once a change, and passes the reading on. moduleError is why it is not the
// module.
func (s *Selector) logChange(r Reading, err error, moduleError string) (Reading, error) {
	if err != nil {
		return r, err
	}

	if r.Source != s.source || moduleError != s.moduleError {
		line := s.log.Info().Str("source", r.Source).Str("was", s.source)
		if moduleError != "" {
			line = s.log.Warn().Str("source", r.Source).Str("was", s.source).Str("module", moduleError)
		}
		line.Msg(describeSource(r.Source))
		s.source, s.moduleError = r.Source, moduleError
	}

	s.warnUnlocated(r.Unlocated)
	return r, nil
}

// warnUnlocated logs once that containers stay without a row, when it lasts longer than the end of one takes.
func (s *Selector) warnUnlocated(n int) {
	const lasting = 3 // readings
	if n == 0 {
		s.unlocatedReadings = 0
		return
	}

	if s.unlocatedReadings++; s.unlocatedReadings == lasting {
		s.log.Warn().Int("containers", n).
			Msg("containers have processes but no cgroup that is found: mount the host's whole /sys/fs/cgroup and set GESTOR_CGROUP")
	}
}

// describeSource is the log line for a change of source.
func describeSource(source string) string {
	if source == contract.SourceModule {
		return "reading the host through the kernel module"
	}
	return "reading the host through /proc and the cgroup files"
}
