// Package kmod reads the kernel module's document: one open, as few reads as the kernel allows, one close.
//
// The file is /proc/sysinfo_gestor or what the module's proc_name parameter says; its format is contract.Snapshot. The
// kernel takes the snapshot at the first read after an open and serves every further read from it, so that a document
// is of one walk whatever the size of the buffer.
package kmod

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"gestor.local/contract"
	"gestor.local/manager/internal/source/pseudofile"
)

// DefaultName is the file's name when the module is loaded without proc_name.
const DefaultName = "sysinfo_gestor"

// DefaultLimit is the largest document that is read.
const DefaultLimit = contract.MaxSnapshotBytes

// startSize holds the document of 100 containers of ten processes without growing.
const startSize = 512 << 10

// Errors of Read. What the document itself says wrongly are the errors of contract.ParseSnapshot.
var (
	// ErrNotLoaded says that there is no such file now: the module is not loaded, or was unloaded while it was read.
	ErrNotLoaded = errors.New("the module is not loaded")
	// ErrDenied says that the file is there and closed to this process.
	ErrDenied = errors.New("the module's file may not be read")
	// ErrTooLarge says that the document passed the limit; no part of it is used.
	ErrTooLarge = errors.New("the module's document is too large")
)

// Options configure a Reader.
type Options struct {
	// Proc is the host's /proc as this process sees it: /proc, or /host/proc in a container.
	Proc string
	// Name is the module's file below Proc; "" is DefaultName.
	Name string
	// Limit is the largest document in bytes; 0 is DefaultLimit.
	Limit int
}

// Cost is what one Read took.
type Cost struct {
	Read, Parse time.Duration
	Bytes       int
	Syscalls    int
}

// Reader reads the file. It keeps its buffer from read to read and is not safe for concurrent use.
type Reader struct {
	path, bootPath string
	file           *pseudofile.Reader
	cachedBootID   string // the boot id, once it was read: it cannot change while this process runs
}

// New makes a reader. It opens nothing: the module may come later.
func New(o Options) *Reader {
	if o.Name == "" {
		o.Name = DefaultName
	}
	if o.Limit == 0 {
		o.Limit = DefaultLimit
	}

	return &Reader{
		path:     filepath.Join(o.Proc, o.Name),
		bootPath: filepath.Join(o.Proc, "sys/kernel/random/boot_id"),
		file:     pseudofile.New(startSize, o.Limit),
	}
}

// Read takes one snapshot. The module cannot know the boot id; Read adds it from the kernel's file beside. Cost is
// valid with an error too.
func (r *Reader) Read() (*contract.Snapshot, contract.RowProblems, Cost, error) {
	var cost Cost
	r.file.Syscalls = 0

	start := time.Now()
	doc, err := r.file.Read(r.path)
	cost.Read, cost.Bytes, cost.Syscalls = time.Since(start), len(doc), r.file.Syscalls
	if err != nil {
		return nil, nil, cost, fmt.Errorf("read %s: %w", r.path, classify(err))
	}

	start = time.Now()
	snap, bad, err := contract.ParseSnapshot(doc)
	cost.Parse = time.Since(start)
	if err != nil {
		return nil, nil, cost, fmt.Errorf("read %s: %w", r.path, err)
	}

	snap.BootID, err = r.bootID()
	cost.Syscalls = r.file.Syscalls
	if err != nil {
		return nil, nil, cost, err
	}

	return snap, bad, cost, nil
}

// bootID reads proc(5) sys/kernel/random/boot_id, the first time.
func (r *Reader) bootID() (string, error) {
	if r.cachedBootID == "" {
		id, err := r.file.Read(r.bootPath)
		if err != nil {
			return "", fmt.Errorf("read boot id: %w", err)
		}
		r.cachedBootID = string(bytes.TrimSpace(id))
	}
	return r.cachedBootID, nil
}

// classify gives the kernel's answers the name that an operator needs.
func classify(err error) error {
	switch {
	// A module that is unloaded while its file is open leaves a file that answers EIO.
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, unix.EIO), errors.Is(err, unix.ENODEV):
		return fmt.Errorf("%w (%w; load it with make insmod)", ErrNotLoaded, err)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%w (%w; read it through the host's /proc and add this process to the group of the module's gid parameter)",
			ErrDenied, err)
	case errors.Is(err, pseudofile.ErrTooLarge):
		return fmt.Errorf("%w (%w; lower the module's max_procs)", ErrTooLarge, err)
	default:
		return err
	}
}
