// Package wal is what the append-only logs of the suite share: files of lines that are written whole or not at all, read
// back after a crash, and repaired.
//
// It knows no records. Numbers, framing and checksums, when to sync, when to begin another file and what to delete are the
// owner's.
//
// Every operation goes through disk.FS, so that an owner is tested on a disk that loses power (disk/disktest).
package wal

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"

	"gestor.local/wal/disk"
)

// ErrBroken marks a failure after which only the disk knows what is stored: a sync failed, or half a write could not be
// taken back. It is final for the file; stop, start again and read it.
var ErrBroken = errors.New("the state of the file is not known")

// File is one file of a log. One goroutine uses it; ReadAt may be called beside it.
type File struct {
	fsys     disk.FS
	name     string
	file     disk.File
	size     int64 // end of the last whole append
	readOnly bool
	dirty    bool // bytes were written, or cut off, since the last sync
	cut      bool // some of that was cut off
	dirDirty bool // the file's name was not synced
	broken   error
}

// Create makes an empty file; its name is durable after the next Sync or SyncName. The error matches fs.ErrExist when there
// is one with content: what others wrote is never appended to.
func Create(fsys disk.FS, name string) (*File, error) {
	f, err := Open(fsys, name)
	if err != nil {
		return nil, err
	}
	if f.size > 0 {
		f.Close()
		return nil, fmt.Errorf("create %s: %w", name, fs.ErrExist)
	}

	f.dirDirty = true
	return f, nil
}

// CreateWith makes a file that begins with head, in place of what the name led to. After a crash it is there with all of its
// head or not at all. An error wraps ErrBroken when it may be there all the same: whoever reads the log next would take it
// for the newest file.
func CreateWith(fsys disk.FS, name string, head []byte) (*File, error) {
	if err := disk.WriteFile(fsys, name, head); err != nil {
		var unsynced *disk.SyncError
		if errors.As(err, &unsynced) && unsynced.Dir {
			err = fmt.Errorf("%w: %w", ErrBroken, err)
		}
		return nil, err
	}

	f, err := fsys.Append(name)
	if err != nil {
		return nil, withdraw(fsys, name, err)
	}
	return &File{fsys: fsys, name: name, file: f, size: int64(len(head))}, nil
}

// withdraw removes a file that cannot be written to: left there, it would hide what goes on in the one before it.
func withdraw(fsys disk.FS, name string, cause error) error {
	err := fsys.Remove(name)
	if err == nil {
		err = fsys.SyncDir(path.Dir(name))
	}
	if err != nil {
		return fmt.Errorf("%w: %w, then %w", ErrBroken, cause, err)
	}
	return cause
}

// Open opens a file that an earlier run has left, or makes it. Read it with Scan and repair it before anything is appended.
// What it holds counts as not synced yet.
func Open(fsys disk.FS, name string) (*File, error) {
	f, err := fsys.Append(name)
	if err != nil {
		return nil, err
	}
	return opened(fsys, name, f)
}

// OpenReadOnly opens a file that takes no more: Append and everything else that changes it fail.
func OpenReadOnly(fsys disk.FS, name string) (*File, error) {
	file, err := fsys.Open(name)
	if err != nil {
		return nil, err
	}
	f, err := opened(fsys, name, file)
	if err == nil {
		f.readOnly = true
	}
	return f, err
}

func opened(fsys disk.FS, name string, file disk.File) (*File, error) {
	size, err := file.Size()
	if err != nil {
		file.Close()
		return nil, err
	}
	return &File{fsys: fsys, name: name, file: file, size: size, dirty: true}, nil
}

// Name is the file's path.
func (f *File) Name() string { return f.name }

// Size is the end of the last whole append.
func (f *File) Size() int64 { return f.size }

// ReadOnly says that the file takes no more.
func (f *File) ReadOnly() bool { return f.readOnly }

// Reader reads the file from its beginning to the end of the last whole append.
func (f *File) Reader() io.Reader { return io.NewSectionReader(f.file, 0, f.size) }

// ReadAt reads what was appended, synced or not.
func (f *File) ReadAt(p []byte, off int64) (int, error) { return f.file.ReadAt(p, off) }

// Stat says which file is open, and how large it is on the disk.
func (f *File) Stat() (disk.Info, error) { return f.file.Stat() }

// InPlace is disk.InPlace: nil when the file's name still leads to it and nobody else has changed its size.
func (f *File) InPlace() error { return disk.InPlace(f.fsys, f.name, f.file, f.size) }

// Append writes lines at the end. After an error nothing of them is there; when that cannot be had, the error wraps
// ErrBroken and the file takes no more.
func (f *File) Append(lines []byte) error {
	if err := f.writable(); err != nil {
		return err
	}

	n, err := f.file.Write(lines)
	if err == nil {
		f.size, f.dirty = f.size+int64(n), true
		return nil
	}

	if n == 0 {
		return err
	}

	f.dirty, f.cut = true, true
	if cutErr := f.file.Truncate(f.size); cutErr != nil {
		return f.fail(fmt.Errorf("%w, then truncate: %w", err, cutErr))
	}
	return err
}

func (f *File) writable() error {
	if f.readOnly {
		return &fs.PathError{Op: "write", Path: f.name, Err: fs.ErrPermission}
	}
	return f.broken
}

// Overwrite writes over bytes of earlier appends.
func (f *File) Overwrite(p []byte, off int64) error {
	if err := f.writable(); err != nil {
		return err
	}
	if off < 0 || off+int64(len(p)) > f.size {
		return fmt.Errorf("overwrite %s: %d bytes at %d of %d", f.name, len(p), off, f.size)
	}

	f.dirty = true // also after an error: some of them may be there
	return f.file.Overwrite(p, off)
}

// Blank writes spaces over lines that are no records, so that they are not found again. Copies of them are the caller's.
func (f *File) Blank(lines ...Span) error {
	for _, line := range lines {
		if err := f.Overwrite(bytes.Repeat([]byte(" "), int(line.Length-1)), line.Offset); err != nil { // the newline stays
			return err
		}
	}
	return nil
}

// Rollback takes back everything behind size, durably: the numbers of those lines will be given to others. An error wraps
// ErrBroken.
func (f *File) Rollback(size int64) error {
	stored, err := f.file.Size() // also after a write of which nobody knows how it ended
	switch {
	case err != nil:
		return f.fail(err)
	case stored < size:
		return f.fail(disk.ErrResized)
	case stored == size && f.size == size && !f.cut:
		return nil
	}

	if err := f.file.Truncate(size); err != nil {
		return f.fail(err)
	}

	f.size, f.dirty, f.cut = size, true, true
	return f.Sync()
}

// CutTail removes what stands behind the given end, after save has stored a copy of it. It is durable with the next Sync.
// Whether a tail may go without its copy is for save to decide: when it fails, or the file is read only, the tail stays and
// cut is false.
func (f *File) CutTail(end int64, save func(tail []byte) error) (cut bool, err error) {
	if f.size == end {
		return true, nil
	}
	tail := make([]byte, f.size-end)
	if n, err := f.file.ReadAt(tail, end); n != len(tail) {
		return false, fmt.Errorf("read torn tail: %w", err)
	}

	// The copy is on the disk before the original goes.
	if err := save(tail); err != nil {
		return false, fmt.Errorf("save torn tail: %w", err)
	}
	if f.readOnly {
		return false, nil
	}

	if err := f.file.Truncate(end); err != nil {
		return false, err
	}

	f.size, f.dirty, f.cut = end, true, true
	return true, nil
}

// Sync returns when the file's bytes and its name are on stable storage. A failure is final (ErrBroken): see
// disk.SyncError.
func (f *File) Sync() error {
	if f.broken != nil {
		return f.broken
	}

	if f.dirty {
		if err := f.file.Sync(); err != nil {
			return f.fail(err)
		}
		f.dirty, f.cut = false, false
	}

	return f.SyncName()
}

// SyncName makes the name of a new file durable.
func (f *File) SyncName() error {
	if !f.dirDirty || f.broken != nil {
		return f.broken
	}
	if err := f.fsys.SyncDir(path.Dir(f.name)); err != nil {
		return f.fail(fmt.Errorf("sync directory: %w", err))
	}
	f.dirDirty = false
	return nil
}

func (f *File) fail(cause error) error {
	f.broken = fmt.Errorf("%w: %w", ErrBroken, cause)
	return f.broken
}

// Close closes the file without a sync.
func (f *File) Close() error { return f.file.Close() }
