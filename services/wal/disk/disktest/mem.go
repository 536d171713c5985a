// Package disktest has a file system in memory that can lose power: what was not synced may be gone, in part, or in
// another order, as a disk with a write cache leaves it.
package disktest

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"path"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"gestor.local/wal/disk"
)

// Mem is the file system. Directories are durable at once; their entries are not.
type Mem struct {
	// Before is called before every operation that changes something, with the lock held: it may call Crash. An error
	// fails the operation without effect. For "write" it may return ErrShort: half is written.
	Before func(op, name string) error
	// Reading is called before every "append" (opening for writing), "open", "read" and "list" with the lock held. An error
	// fails it.
	Reading func(op, name string) error
	// Space is what Free answers.
	Space atomic.Uint64

	mu      sync.Mutex // guards the following fields
	files   map[string]*inode
	durable map[string]*inode
	pending []change // of directory entries, since the last sync of each
	locked  map[*inode]bool
	inodes  uint64 // how many were made
}

// ErrShort makes a write stop half way.
var ErrShort = errors.New("short write")

// inode is a file's content: what is on the platter, and what was done to it since.
type inode struct {
	number  uint64
	changes int64 // how often it was written to or cut
	synced  []byte
	current []byte
	pending []edit
}

// edit is one write (at an offset) or truncation.
type edit struct {
	offset int64
	data   []byte
	over   bool // data goes over what is there
	cut    bool // truncate to offset
}

// change is one change of a directory.
type change struct {
	dir      string
	from, to string // "" = none: create has no from, remove no to
	file     *inode
}

// NewMem returns an empty file system with room.
func NewMem() *Mem {
	m := &Mem{files: map[string]*inode{}, durable: map[string]*inode{}, locked: map[*inode]bool{}}
	m.Space.Store(1 << 40)
	return m
}

func (m *Mem) before(op, name string) error {
	if m.Before == nil {
		return nil
	}
	return m.Before(op, name)
}

func (m *Mem) reading(op, name string) error {
	if m.Reading == nil {
		return nil
	}
	return m.Reading(op, name)
}

func (m *Mem) open(name string, create, truncate bool) (disk.File, error) {
	m.mu.Lock()
	defer m.mu.Unlock()

	op := "open"
	if create {
		op = "append"
	}
	if err := m.reading(op, name); err != nil {
		return nil, &fs.PathError{Op: op, Path: name, Err: err}
	}

	file := m.files[name]
	switch {
	case file == nil && !create:
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	case file == nil || truncate:
		if err := m.before("create", name); err != nil {
			return nil, err
		}

		if file == nil {
			file = m.inode(nil)
			m.files[name] = file
			m.pending = append(m.pending, change{dir: path.Dir(name), to: name, file: file})
		} else {
			file.truncate(0)
		}
	}
	return &handle{mem: m, file: file, name: name}, nil
}

// inode makes a file of what is on the platter.
func (m *Mem) inode(content []byte) *inode {
	m.inodes++
	return &inode{number: m.inodes, synced: content, current: slices.Clone(content)}
}

func (f *inode) info() disk.Info {
	return disk.Info{Size: int64(len(f.current)), Modified: f.changes, Inode: f.number}
}

// Stat implements disk.FS.
func (m *Mem) Stat(name string) (disk.Info, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	file := m.files[name]
	if file == nil {
		return disk.Info{}, &fs.PathError{Op: "stat", Path: name, Err: fs.ErrNotExist}
	}
	return file.info(), nil
}

// Append implements disk.FS.
func (m *Mem) Append(name string) (disk.File, error) { return m.open(name, true, false) }

// Create implements disk.FS.
func (m *Mem) Create(name string) (disk.File, error) { return m.open(name, true, true) }

// Open implements disk.FS.
func (m *Mem) Open(name string) (disk.File, error) { return m.open(name, false, false) }

// Rename implements disk.FS.
func (m *Mem) Rename(from, to string) error {
	m.mu.Lock()
	defer m.mu.Unlock()

	file := m.files[from]
	if file == nil {
		return &fs.PathError{Op: "rename", Path: from, Err: fs.ErrNotExist}
	}
	if err := m.before("rename", from); err != nil {
		return err
	}

	delete(m.files, from)
	m.files[to] = file
	m.pending = append(m.pending, change{dir: path.Dir(to), from: from, to: to, file: file})
	return nil
}

// Remove implements disk.FS.
func (m *Mem) Remove(name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()

	if m.files[name] == nil {
		return &fs.PathError{Op: "remove", Path: name, Err: fs.ErrNotExist}
	}
	if err := m.before("remove", name); err != nil {
		return err
	}

	delete(m.files, name)
	m.pending = append(m.pending, change{dir: path.Dir(name), from: name})
	return nil
}

// Mkdir implements disk.FS.
func (m *Mem) Mkdir(string) error { return nil }

// List implements disk.FS.
func (m *Mem) List(dir string) ([]string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.reading("list", dir); err != nil {
		return nil, &fs.PathError{Op: "list", Path: dir, Err: err}
	}

	var names []string
	for name := range m.files {
		if rest, ok := strings.CutPrefix(name, dir+"/"); ok && !strings.Contains(rest, "/") {
			names = append(names, rest)
		}
	}
	slices.Sort(names)
	return names, nil
}

// SyncDir implements disk.FS.
func (m *Mem) SyncDir(dir string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.before("syncdir", dir); err != nil {
		return err
	}

	rest := m.pending[:0:0]
	for _, c := range m.pending {
		if c.dir == dir {
			c.apply(m.durable)
		} else {
			rest = append(rest, c)
		}
	}
	m.pending = rest
	return nil
}

func (c change) apply(to map[string]*inode) {
	if c.from != "" {
		delete(to, c.from)
	}
	if c.to != "" {
		to[c.to] = c.file
	}
}

// Free implements disk.FS.
func (m *Mem) Free(string) (uint64, error) { return m.Space.Load(), nil }

// Lock implements disk.FS. The file that it makes is durable at once: nothing depends on it after a crash.
func (m *Mem) Lock(name string) (disk.Lock, error) {
	m.mu.Lock()
	defer m.mu.Unlock()

	file := m.files[name]
	if file == nil {
		file = m.inode(nil)
		m.files[name], m.durable[name] = file, file
	}

	if m.locked[file] {
		return nil, fmt.Errorf("lock %s: %w", name, disk.ErrHeld)
	}
	m.locked[file] = true
	return &lock{handle{mem: m, file: file, name: name}}, nil
}

// lock is a lock that is held.
type lock struct{ handle }

// Close implements disk.Lock.
func (l *lock) Close() error {
	l.mem.mu.Lock()
	defer l.mem.mu.Unlock()
	delete(l.mem.locked, l.file)
	return nil
}

// Crash returns the file system as it may be found after the power came back now. Call it from Before, or when nothing
// else uses m.
func (m *Mem) Crash(rng *rand.Rand) *Mem {
	after := NewMem()
	after.Space.Store(m.Space.Load())

	names := map[string]*inode{}
	for name, file := range m.durable {
		names[name] = file
	}

	for _, c := range survivors(rng, m.pending) {
		c.apply(names)
	}

	for name, file := range names {
		content := file.afterCrash(rng)
		copied := after.inode(content)
		after.files[name], after.durable[name] = copied, copied
	}
	return after
}

// survivors picks what reached the disk: all of it, a prefix (a journal), or any part in order (a write cache).
func survivors[T any](rng *rand.Rand, all []T) []T {
	switch rng.IntN(4) {
	case 0:
		return all
	case 1:
		return nil
	case 2:
		return all[:rng.IntN(len(all)+1)]

	default:
		var out []T
		for _, one := range all {
			if rng.IntN(2) == 0 {
				out = append(out, one)
			}
		}
		return out
	}
}

const sector = 512

// afterCrash is what of a file is found again.
func (f *inode) afterCrash(rng *rand.Rand) []byte {
	out := slices.Clone(f.synced)
	for _, e := range survivors(rng, f.pending) {
		if e.cut {
			out = out[:min(int64(len(out)), e.offset)]
			continue
		}
		if e.over { // it is no part of a file that ends before it
			e.data = e.data[:min(int64(len(e.data)), max(int64(len(out))-e.offset, 0))]
		}

		end := e.offset + int64(len(e.data))
		if grow := end - int64(len(out)); grow > 0 {
			out = append(out, make([]byte, grow)...)
		}

		torn := rng.IntN(3) == 0
		for at := int64(0); at < int64(len(e.data)); at += sector {
			if torn && rng.IntN(4) == 0 {
				continue // this sector was not written
			}
			copy(out[e.offset+at:], e.data[at:min(at+sector, int64(len(e.data)))])
		}

		if torn && !e.over && rng.IntN(2) == 0 {
			out = out[:e.offset+rng.Int64N(int64(len(e.data))+1)] // nor was the size
		}
	}
	return out
}
