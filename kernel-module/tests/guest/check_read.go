package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"

	"gestor.local/contract"
	"golang.org/x/sys/unix"
)

// populate makes some containers with some processes.
func (m *machine) populate(containers, processes int) error {
	for c := range containers {
		for range processes {
			if _, err := m.start(dockerPath(containerID(fmt.Sprint("populate ", c))), "sleep"); err != nil {
				return err
			}
		}
	}
	return nil
}

// checkReadSizes keeps one snapshot for a minute and reads it with buffers of every kind.
func checkReadSizes(m *machine) error {
	if err := m.populate(6, 4); err != nil {
		return err
	}
	if err := load("max_age_ms=60000 cmdline_max=256"); err != nil {
		return err
	}

	want, err := readAll(procFile, 1<<20)
	if err != nil {
		return err
	}
	if _, err := parse(want); err != nil {
		return err
	}
	for _, size := range []int{1, 7, 37, 512, 4095, 4096, 4097, 65536} {
		got, err := readAll(procFile, size)
		if err != nil {
			return err
		}
		if !bytes.Equal(got, want) {
			return fmt.Errorf("reads of %d bytes give another document: %d bytes, not %d", size, len(got), len(want))
		}
	}
	return readBackwards(want)
}

// readBackwards uses pread at falling offsets: the position may be anywhere.
func readBackwards(want []byte) error {
	f, err := os.Open(procFile)
	if err != nil {
		return err
	}
	defer f.Close()
	part := make([]byte, 1000)
	for at := len(want) - len(part); at >= 0; at -= 777 {
		if _, err := f.ReadAt(part, int64(at)); err != nil {
			return fmt.Errorf("pread at %d: %w", at, err)
		}
		if !bytes.Equal(part, want[at:at+len(part)]) {
			return fmt.Errorf("pread at %d gives another text", at)
		}
	}
	if n, err := f.ReadAt(part, int64(len(want))); n != 0 || !errors.Is(err, io.EOF) {
		return fmt.Errorf("pread at the end: %d bytes, %w", n, err)
	}
	return nil
}

func checkSystemCalls(m *machine) error {
	if err := m.populate(20, 3); err != nil {
		return err
	}
	if err := load(""); err != nil {
		return err
	}

	fd, err := unix.Open(procFile, unix.O_RDONLY, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	buffer := make([]byte, 1<<20)
	n, err := unix.Read(fd, buffer)
	if err != nil {
		return err
	}
	if _, err := parse(buffer[:n]); err != nil {
		return fmt.Errorf("one read of 1 MiB: %w", err)
	}
	if n, err = unix.Read(fd, buffer); n != 0 || err != nil {
		return fmt.Errorf("the second read gave %d bytes, %w", n, err)
	}
	return nil
}

func checkSeek(m *machine) error {
	if err := m.populate(2, 2); err != nil {
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
	var last uint64
	for range 20 {
		if _, err := f.Seek(0, io.SeekStart); err != nil {
			return err
		}
		text, err := readRest(f, 333)
		if err != nil {
			return err
		}
		snap, err := parse(text)
		if err != nil {
			return err
		}
		if snap.Sequence != last+1 {
			return fmt.Errorf("sequence %d after %d: one walk a document is what is promised", snap.Sequence, last)
		}
		last = snap.Sequence
	}
	return nil
}

// checkShared: many readers at once, few walks; and opening without reading costs none.
func checkShared(m *machine) error {
	if err := m.populate(2, 2); err != nil {
		return err
	}
	if err := load("max_age_ms=60000"); err != nil {
		return err
	}

	var group sync.WaitGroup
	errs := make(chan error, 16)
	for range cap(errs) {
		group.Go(func() {
			snap, err := snapshot()
			if err == nil && snap.Sequence != 1 {
				err = fmt.Errorf("sequence %d, want 1: the readers did not share", snap.Sequence)
			}
			errs <- err
		})
	}
	group.Wait()
	for range cap(errs) {
		if err := <-errs; err != nil {
			return err
		}
	}
	return nil
}

func checkTotals(m *machine) error {
	if err := m.populate(5, 3); err != nil {
		return err
	}
	if err := load("max_age_ms=60000"); err != nil {
		return err
	}

	full, err := snapshot()
	if err != nil {
		return err
	}
	totals, err := snapshotOf(totalsFile)
	if err != nil {
		return err
	}
	if totals.Sequence != full.Sequence || len(totals.Containers) != 5 || totals.ProcessTotal != 15 || !totals.Truncated {
		return fmt.Errorf("sequence %d and %d, %d containers, %d processes", totals.Sequence, full.Sequence,
			len(totals.Containers), totals.ProcessTotal)
	}
	for i, row := range totals.Containers {
		if len(row.Processes) != 0 || row.ProcessCount != 3 || row.RSSKB != full.Containers[i].RSSKB {
			return fmt.Errorf("row %d: %+v", i, row)
		}
	}
	return nil
}

// checkTruncated: past the limit rows are missing, sums and totals are not.
func checkTruncated(m *machine) error {
	if err := m.populate(4, 3); err != nil {
		return err
	}
	if err := load("max_age_ms=0"); err != nil {
		return err
	}

	full, err := snapshot()
	if err != nil {
		return err
	}
	const file = "/sys/module/" + moduleName + "/parameters/max_procs"
	if err := os.WriteFile(file, []byte("7"), 0); err != nil {
		return err
	}
	cut, err := snapshot()
	if err != nil {
		return err
	}
	if full.Truncated || !cut.Truncated || cut.ProcessTotal != 12 || rows(cut) != 7 || cut.ContainerTotal != 4 {
		return fmt.Errorf("truncated %v, %d processes, %d rows, %d containers", cut.Truncated, cut.ProcessTotal, rows(cut), cut.ContainerTotal)
	}
	for i := range cut.Containers {
		if cut.Containers[i].ProcessCount != 3 || cut.Containers[i].VSZKB != full.Containers[i].VSZKB {
			return fmt.Errorf("container %d lost its sums: %+v", i, cut.Containers[i])
		}
	}
	return nil
}

func rows(snap *contract.Snapshot) (n int) {
	for i := range snap.Containers {
		n += len(snap.Containers[i].Processes)
	}
	return n
}
