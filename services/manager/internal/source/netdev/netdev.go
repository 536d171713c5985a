// Package netdev counts the network traffic of containers: the bytes of all interfaces but lo in the network namespace of a
// container's oldest process, from /proc/PID/net/dev.
//
// It needs no privilege: the file is world-readable. Of each container the process's folder is kept open. It names the same
// process for ever, and cannot be read any more when that has ended, whoever has its number then; an open net/dev would hold the
// whole namespace with its interfaces after the container's end.
package netdev

import (
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"gestor.local/manager/internal/source/pseudofile"
)

// interval is the least time between two readings of one container, less a tenth: ticks of 10 s that come a little early are
// not to find every second count unchanged.
const interval = 9 * time.Second

// startTolerance is how far the snapshot's start of a process may be from that in stat, which counts in ticks of 10 ms.
const startTolerance = 20 * time.Millisecond

// fileLimit is a thousand times net/dev of a container with one interface.
const fileLimit = 512 << 10

// Process is a container's oldest one: its number on the host and its start on CLOCK_BOOTTIME, in microseconds.
type Process struct {
	PID     int
	StartUS uint64
}

// Count is a counter and when it was read, on CLOCK_BOOTTIME in microseconds.
type Count struct {
	// Bytes are those in and out over all interfaces but lo since each was made. It falls when an interface goes away.
	Bytes  uint64
	BootUS uint64
}

// Reader reads the counters of some containers again and again. It is not safe for concurrent use.
type Reader struct {
	proc     string
	boottime func() uint64
	files    *pseudofile.Reader
	kept     map[string]*counter // by container id
}

// counter is one container's. Count is the zero value before the first reading.
type counter struct {
	Process
	folder int // the process's in proc
	Count
}

// New makes a reader below proc, the host's /proc as this process sees it. boottime reads CLOCK_BOOTTIME in microseconds.
func New(proc string, boottime func() uint64) *Reader {
	return &Reader{proc: proc, boottime: boottime, files: pseudofile.New(4096, fileLimit), kept: make(map[string]*counter)}
}

// Read returns the count of each of the containers, by id, that could be read: of a process that has ended, or is another
// than was asked for, there is none. A count that is not yet 10 s old is given again. What is kept of containers that are not
// asked for any more is closed.
func (r *Reader) Read(wanted map[string]Process) map[string]Count {
	for id, c := range r.kept {
		if wanted[id] != c.Process {
			r.drop(id)
		}
	}

	counts := make(map[string]Count, len(wanted))
	for id, process := range wanted {
		count, err := r.count(id, process)
		if err != nil {
			r.drop(id) // begun anew on the next call
			continue
		}

		counts[id] = count
	}
	return counts
}

// Close closes what is kept.
func (r *Reader) Close() {
	for id := range r.kept {
		r.drop(id)
	}
}

func (r *Reader) drop(id string) {
	if c := r.kept[id]; c != nil {
		_ = unix.Close(c.folder) // it was opened to be read from
		delete(r.kept, id)
	}
}

func (r *Reader) count(id string, process Process) (Count, error) {
	now := r.boottime()
	c := r.kept[id]
	if c == nil {
		folder, err := openFolder(filepath.Join(r.proc, strconv.Itoa(process.PID)))
		if err != nil {
			return Count{}, err
		}

		c = &counter{Process: process, folder: folder}
		r.kept[id] = c
	} else if now-c.BootUS < uint64(interval.Microseconds()) {
		return c.Count, nil
	}

	file, err := r.files.ReadAt(c.folder, "net/dev")
	if err != nil {
		return Count{}, err
	}

	sum, err := parse(file)
	if err != nil {
		return Count{}, fmt.Errorf("net/dev: %w", err)
	}

	// Only now is it known whose the counter was: the number may have passed to another process before the folder was opened.
	if err := r.checkStart(c); err != nil {
		return Count{}, err
	}
	c.Count = Count{Bytes: sum, BootUS: now}
	return c.Count, nil
}

// errOther says that the number belongs to another process than was asked for.
var errOther = errors.New("another process")

func (r *Reader) checkStart(c *counter) error {
	stat, err := r.files.ReadAt(c.folder, "stat")
	if err != nil {
		return err
	}
	startUS, err := parseStart(stat)
	if err != nil {
		return err
	}

	apart := max(startUS, c.StartUS) - min(startUS, c.StartUS)
	if apart > uint64(startTolerance.Microseconds()) {
		return errOther
	}
	return nil
}

func openFolder(path string) (fd int, err error) {
	for {
		fd, err = unix.Open(path, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		if !errors.Is(err, unix.EINTR) {
			return fd, err
		}
	}
}
