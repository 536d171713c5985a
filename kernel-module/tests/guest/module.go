package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"

	"gestor.local/contract"
	"golang.org/x/sys/unix"
)

const (
	moduleFile = "/sysinfo_gestor.ko"
	moduleName = "sysinfo_gestor"
	procFile   = "/proc/sysinfo_gestor"
	totalsFile = "/proc/sysinfo_gestor_totals"
)

// load puts the module into the kernel with parameters as insmod takes them.
func load(parameters string) error { return loadFile(moduleFile, parameters) }

func loadFile(path, parameters string) error {
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("load: %w", err)
	}
	defer f.Close()
	if err := unix.FinitModule(int(f.Fd()), parameters, 0); err != nil {
		return fmt.Errorf("load %q: %w", parameters, err)
	}
	return nil
}

func unload() error {
	err := unix.DeleteModule(moduleName, unix.O_NONBLOCK)
	if err != nil && !errors.Is(err, unix.ENOENT) {
		return fmt.Errorf("unload: %w", err)
	}
	return nil
}

// readAll reads a file with reads of at most size bytes.
func readAll(path string, size int) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return readRest(f, size)
}

func readRest(f *os.File, size int) ([]byte, error) {
	var text []byte
	buffer := make([]byte, size)
	for {
		n, err := f.Read(buffer)
		text = append(text, buffer[:n]...)
		if errors.Is(err, io.EOF) {
			return text, nil
		}
		if err != nil {
			return text, err
		}
	}
}

// snapshot reads and parses one document; any bad row is an error.
func snapshot() (*contract.Snapshot, error) { return snapshotOf(procFile) }

func snapshotOf(path string) (*contract.Snapshot, error) {
	text, err := readAll(path, 1<<20)
	if err != nil {
		return nil, err
	}
	return parse(text)
}

func parse(text []byte) (*contract.Snapshot, error) {
	snap, rows, err := contract.ParseSnapshot(text)
	if err == nil && len(rows) > 0 {
		err = fmt.Errorf("bad rows: %v", rows)
	}
	if err != nil {
		return nil, fmt.Errorf("%w in %s", err, shorten(text))
	}
	return snap, nil
}

func shorten(text []byte) []byte {
	const most = 3000
	if len(text) > most {
		text = append(bytes.Clone(text[:most/2]), text[len(text)-most/2:]...)
	}
	return text
}

// find returns the row of a container.
func find(snap *contract.Snapshot, id string) (*contract.Container, error) {
	for i := range snap.Containers {
		if snap.Containers[i].ID == id {
			return &snap.Containers[i], nil
		}
	}
	return nil, fmt.Errorf("container %.12s is not among the %d rows", id, len(snap.Containers))
}

// readContainer reads a snapshot and returns the row of one container.
func readContainer(id string) (*contract.Container, error) {
	snap, err := snapshot()
	if err != nil {
		return nil, err
	}
	return find(snap, id)
}

// readProcess reads a snapshot and returns the row of one process of a container.
func readProcess(id string, pid int) (*contract.Process, error) {
	row, err := readContainer(id)
	if err != nil {
		return nil, err
	}
	return findProcess(row, pid)
}

func findProcess(c *contract.Container, pid int) (*contract.Process, error) {
	for i := range c.Processes {
		if c.Processes[i].PID == pid {
			return &c.Processes[i], nil
		}
	}
	return nil, fmt.Errorf("process %d is not among the %d rows of %.12s", pid, len(c.Processes), c.ID)
}
