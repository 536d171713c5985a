package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
)

// checkSession reads a document in pieces out of order while a name in it changes, with no sharing allowed: all pieces
// are of the walk that the read from position 0 began.
func checkSession(m *machine) error {
	if err := m.populate(3, 3); err != nil {
		return err
	}
	named, err := m.start(dockerPath(containerID("session")), "rename")
	if err != nil {
		return err
	}
	if err := load("max_age_ms=0"); err != nil {
		return err
	}

	f, err := os.Open(procFile)
	if err != nil {
		return err
	}
	defer f.Close()

	// Piece 0 begins the document; then the odd ones, then the even ones. Every other piece is got by lseek and read.
	const size, most = 300, 100
	pieces := make([][]byte, most)
	for _, first := range []int{0, 1, 2} {
		for i := first; i < most; i += 2 {
			if err := named.rename(fmt.Sprint("longer"[:i%6+1], i)); err != nil {
				return err
			}
			if pieces[i], err = readPiece(f, i*size, size, i%4 < 2); err != nil {
				return fmt.Errorf("piece %d: %w", i, err)
			}
			if first == 0 {
				break
			}
		}
	}

	var text []byte
	for _, piece := range pieces {
		text = append(text, piece...)
	}
	if _, err := parse(text); err != nil {
		return err
	}

	next, err := snapshot()
	if err != nil {
		return err
	}
	if next.Sequence != 2 {
		return fmt.Errorf("%d walks for one document", next.Sequence-1)
	}
	return nil
}

// readPiece returns what is at an offset; less past the end.
func readPiece(f *os.File, offset, size int, seek bool) ([]byte, error) {
	piece := make([]byte, size)
	if !seek {
		n, err := f.ReadAt(piece, int64(offset))
		if errors.Is(err, io.EOF) {
			err = nil
		}
		return piece[:n], err
	}
	if _, err := f.Seek(int64(offset), io.SeekStart); err != nil {
		return nil, err
	}
	n, err := io.ReadFull(f, piece)
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		err = nil
	}
	return piece[:n], err
}

// checkConcurrentReaders: many readers at once, and a walk that takes far longer than max_age_ms. Who comes while one is on
// its way waits, and then shares the next with all others that wait: there is not a walk for each. Whether readers come at
// once is the scheduler's to say, so one round of several in which they shared is enough: without sharing there is none.
func checkConcurrentReaders(m *machine) error {
	// Half of what the kernel allows: with KASAN that is less, and each thread is slower to look at.
	most, _, err := number("/proc/sys/kernel/threads-max")
	if err != nil {
		return err
	}
	for range 3 {
		if _, err := m.start(dockerPath(containerID("threads")), "threads", fmt.Sprint(min(2000, most/6))); err != nil {
			return err
		}
	}
	if err := load("max_age_ms=0"); err != nil {
		return err
	}

	const readers, rounds = 32, 10
	first, err := snapshot()
	if err != nil {
		return err
	}
	var walks, walkUS uint64
	for range rounds {
		if err := readAtOnce(readers); err != nil {
			return err
		}

		last, err := snapshot()
		if err != nil {
			return err
		}
		walks, walkUS = last.Sequence-first.Sequence-1, last.Self.WalkUS
		if walks <= readers/2 {
			return nil
		}
		first = last
	}
	return fmt.Errorf("%d walks of %d us for %d readers at once, and in %d rounds never fewer than half as many", walks, walkUS, readers, rounds)
}

// readAtOnce has many readers begin a document at the same moment.
func readAtOnce(readers int) error {
	var group sync.WaitGroup
	errs := make([]error, readers)
	begin := make(chan struct{})
	for i := range errs {
		f, err := os.Open(totalsFile)
		if err != nil {
			return err
		}
		defer f.Close()
		group.Go(func() {
			<-begin
			_, errs[i] = readPiece(f, 0, 4096, false)
		})
	}

	close(begin)
	group.Wait()
	return errors.Join(errs...)
}

// checkTruncatedCost counts how often the kernel formats a cgroup's path: on v2 once in the life of a cgroup, also when
// the documents are cut short.
func checkTruncatedCost(m *machine) error {
	if !m.v2() {
		return skipped("on v1 a path is formatted in every walk, since it may change")
	}
	if err := m.populate(8, 3); err != nil {
		return err
	}
	if err := load("max_age_ms=0 max_procs=10"); err != nil {
		return err
	}

	probe, err := countCalls("kernfs_path_from_node")
	if err != nil {
		return err
	}
	defer probe.close()

	var hits [2]uint64
	for i := range hits {
		snap, err := snapshot()
		if err != nil {
			return err
		}
		if !snap.Truncated || snap.ContainerTotal != 8 {
			return fmt.Errorf("truncated %v with %d containers", snap.Truncated, snap.ContainerTotal)
		}
		if hits[i], err = probe.hits(); err != nil {
			return err
		}
	}
	if first, second := hits[0], hits[1]-hits[0]; first < 8 || second > 1 {
		return fmt.Errorf("%d paths were formatted by the first walk, %d by the second", first, second)
	}
	return nil
}

// checkCharge lets a process in a cgroup of its own take a large snapshot and end: the module keeps the snapshot for
// the next reader, but not at the cost of that cgroup.
func checkCharge(m *machine) error {
	if !m.v2() {
		return skipped("the reader enters its cgroup with clone3, which is for v2")
	}
	if err := m.makeCgroup("/reader"); err != nil {
		return err
	}
	dir, err := os.Open(m.dir("/reader", ""))
	if err != nil {
		return err
	}
	defer dir.Close()
	current := filepath.Join(dir.Name(), "memory.current")
	if _, err := os.Stat(current); err != nil {
		return skipped("no memory controller in this kernel")
	}
	if err := load("max_age_ms=60000 batch=4096"); err != nil {
		return err
	}

	attr := &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: int(dir.Fd())}
	if code, out := runHelper(attr, "read", procFile); code != 0 {
		return fmt.Errorf("reader: exit %d, %s", code, out)
	}
	// A snapshot with room for 4,097 rows of each kind has over 1.5 MiB; a CPU's stock of charges has 256 KiB at most.
	return eventually(func() error {
		bytes, _, err := number(current)
		if err == nil && bytes > 1<<20 {
			err = fmt.Errorf("%d bytes are still charged to the reader, which has ended", bytes)
		}
		return err
	})
}

// probe counts the calls of one function of the kernel.
type probe struct{ dir string }

func countCalls(function string) (*probe, error) {
	const dir = "/sys/kernel/tracing"
	if err := syscall.Mount("tracefs", dir, "tracefs", 0, ""); err != nil && !errors.Is(err, syscall.EBUSY) {
		return nil, skipped("no tracefs in this kernel")
	}
	events, err := os.OpenFile(dir+"/kprobe_events", os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return nil, skipped("no probes in this kernel")
	}
	defer events.Close()

	if _, err := events.WriteString("p:gestor/calls " + function); err != nil {
		return nil, fmt.Errorf("probe %s: %w", function, err)
	}
	p := &probe{dir: dir}
	return p, p.enable("1")
}

func (p *probe) enable(value string) error {
	return os.WriteFile(p.dir+"/events/gestor/calls/enable", []byte(value), 0)
}

func (p *probe) hits() (uint64, error) {
	profile, err := os.ReadFile(p.dir + "/kprobe_profile")
	if err != nil {
		return 0, err
	}
	var name string
	var hits uint64
	if _, err := fmt.Sscan(string(profile), &name, &hits); err != nil || name != "calls" {
		return 0, fmt.Errorf("kprobe_profile says %s: %w", strconv.Quote(string(profile)), err)
	}
	return hits, nil
}

func (p *probe) close() {
	_ = p.enable("0")
	_ = os.WriteFile(p.dir+"/kprobe_events", []byte("\n"), 0)
}
