package contract

import (
	"errors"
	"fmt"
	"slices"
)

// Errors that a reader may want to tell apart. Others are Problems.
var (
	// ErrVersion says that the document is of a version this package does not know.
	ErrVersion = errors.New("unknown snapshot version")
)

// startSlackUS is how far after the end of the walk a process may claim to have started: clocks of 100 Hz and of 1 MHz
// meet in one document, and 1 s is far from any real error.
const startSlackUS = 1_000_000

// RowProblem is what is wrong with one container row.
type RowProblem struct {
	Index    int    // position in Snapshot.Containers
	ID       string // "" where it could not be read
	Problems Problems
}

// RowProblems lists the bad rows of a snapshot in the order of the rows, one entry a row.
type RowProblems []RowProblem

// Has reports whether the row at index is bad.
func (r RowProblems) Has(index int) bool {
	_, found := r.search(index)
	return found
}

// Of returns what is wrong with the row at index, nil when it is good.
func (r RowProblems) Of(index int) Problems {
	at, found := r.search(index)
	if !found {
		return nil
	}
	return r[at].Problems
}

func (r RowProblems) search(index int) (int, bool) {
	return slices.BinarySearchFunc(r, index, func(p RowProblem, i int) int { return p.Index - i })
}

// Validate checks a snapshot that was not made by [ParseSnapshot], which has done so already. The error is a [Problems]
// or wraps [ErrVersion]: the document cannot be believed at all. RowProblems are the rows that cannot.
func (s *Snapshot) Validate() (RowProblems, error) { return validate(s, nil) }

// validate adds to the rows already known as bad.
func validate(s *Snapshot, known RowProblems) (RowProblems, error) {
	if s.Version != SnapshotVersion {
		return nil, fmt.Errorf("%w %d (this program reads %d: use a module and a manager of the same release)",
			ErrVersion, s.Version, SnapshotVersion)
	}

	var p Problems
	s.checkHead(&p)
	s.checkMemory(&p)
	s.checkTotals(&p, known)
	if len(p) > 0 {
		return nil, p
	}
	return s.checkRows(known), nil
}

func (s *Snapshot) checkHead(p *Problems) {
	check(p, s.Source == SourceModule || s.Source == SourceProcfs, "source", "want module or procfs")
	check(p, isHex(s.Instance, 16), "instance", "want 16 lower-case hex digits")
	check(p, s.BootID == "" || isBootID(s.BootID), "boot_id", "want a UUID as in /proc/sys/kernel/random/boot_id")

	check(p, s.Sequence > 0, "sequence", "want 1 or more")
	check(p, s.MonotonicUS > 0, "monotonic_us", "want 1 or more")
	check(p, s.CPUs > 0, "cpus", "want 1 or more")
	check(p, s.PageSize > 0 && s.PageSize&(s.PageSize-1) == 0, "page_size", "want a power of two")

	check(p, s.Capabilities.Cgroup == 1 || s.Capabilities.Cgroup == 2, "capabilities.cgroup", "want 1 or 2")
	check(p, s.Capabilities.CPUSource == CPUSourceCgroup || s.Capabilities.CPUSource == CPUSourceTasks,
		"capabilities.cpu_source", "want cgroup or tasks")

	check(p, s.End, "end", "want true: the trailer is the proof that the document is whole")
}

func (s *Snapshot) checkMemory(p *Problems) {
	m := &s.Memory
	check(p, m.TotalKB > 0, "memory.total_kb", "want 1 or more")
	check(p, m.FreeKB <= m.TotalKB, "memory.free_kb", "more than total_kb")
	check(p, m.AvailableKB <= m.TotalKB, "memory.available_kb", "more than total_kb")

	// What is more than the total was said just now; the difference would wrap around.
	check(p, m.AvailableKB > m.TotalKB || m.UsedKB == m.TotalKB-m.AvailableKB, "memory.used_kb", "want total_kb - available_kb")
	check(p, m.SwapFreeKB == nil || m.SwapTotalKB != nil && *m.SwapFreeKB <= *m.SwapTotalKB,
		"memory.swap_free_kb", "more than swap_total_kb")
}

// checkTotals compares the trailer with the rows. Rows whose process list could not be read have no count to compare.
func (s *Snapshot) checkTotals(p *Problems, known RowProblems) {
	processes, bad := 0, len(known) > 0
	for i := range s.Containers {
		processes += len(s.Containers[i].Processes)
	}

	if s.Truncated {
		check(p, s.ContainerTotal >= len(s.Containers), "container_total", "fewer than there are rows")
		check(p, s.ProcessTotal >= processes, "process_total", "fewer than there are rows")
		return
	}

	if s.ContainerTotal != len(s.Containers) {
		p.Add("container_total", fmt.Sprintf("%d, but there are %d rows", s.ContainerTotal, len(s.Containers)))
	}
	if s.ProcessTotal != processes && !bad {
		p.Add("process_total", fmt.Sprintf("%d, but there are %d rows", s.ProcessTotal, processes))
	}
}

func check(p *Problems, ok bool, where, what string) {
	if !ok {
		p.Add(where, what)
	}
}

func isHex(s string, digits int) bool {
	if len(s) != digits {
		return false
	}
	for i := range len(s) {
		if c := s[i]; c-'0' > 9 && c-'a' > 5 {
			return false
		}
	}
	return true
}

func isBootID(s string) bool {
	const form = "00000000-0000-0000-0000-000000000000"
	if len(s) != len(form) {
		return false
	}

	for i := range len(s) {
		if form[i] == '-' && s[i] != '-' || form[i] != '-' && !isHex(s[i:i+1], 1) {
			return false
		}
	}
	return true
}
