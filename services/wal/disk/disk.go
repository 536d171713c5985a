// Package disk is the file system as the logs of the suite need it: few operations, with durability said out loud.
//
// Nothing is durable before it is synced: a file's bytes by File.Sync, its name by FS.SyncDir of its directory. Rename
// is atomic: after a crash a name leads to the old or to the new file. Package disktest has an implementation that
// forgets what was not synced.
package disk

import (
	"errors"
	"io"
	"syscall"
)

// FS is a file system. Names are slash-separated paths as the operating system takes them.
type FS interface {
	// Append opens a file for reading and appending and creates it when it is absent.
	Append(name string) (File, error)
	// Create makes an empty file in place of what the name held.
	Create(name string) (File, error)
	// Open opens a file for reading. The error matches fs.ErrNotExist when it is absent.
	Open(name string) (File, error)
	// Stat says what a name leads to; the error matches fs.ErrNotExist when it is absent.
	Stat(name string) (Info, error)
	Rename(from, to string) error
	Remove(name string) error
	// Mkdir makes a directory and those above it; one that exists is not an error.
	Mkdir(dir string) error
	// List returns the names in a directory, sorted; an absent directory is empty.
	List(dir string) ([]string, error)
	SyncDir(dir string) error
	// Free returns the bytes that an unprivileged process may still write.
	Free(dir string) (uint64, error)
	// Lock takes the exclusive lock of a file, which it makes if need be, until the result is closed or the process ends.
	// The error matches ErrHeld when another one has it.
	Lock(name string) (Lock, error)
}

// Lock is an exclusive lock that is held.
type Lock interface {
	io.Closer
	// Stat says which file is locked, wherever its name leads to by now.
	Stat() (Info, error)
}

// NoSpace says that an operation failed because the disk, or the user's share of it, is full.
func NoSpace(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) || errors.Is(err, syscall.EFBIG)
}

// File is an open file. Writes go to its end.
type File interface {
	io.Writer
	io.ReaderAt
	io.Closer
	// Sync returns when every byte written is on stable storage.
	Sync() error
	Truncate(size int64) error
	// Overwrite writes over bytes that are there already; the file does not become longer.
	Overwrite(p []byte, off int64) error
	Size() (int64, error)
	Stat() (Info, error)
}

// Info says which file it is and how large.
type Info struct {
	Size          int64
	Modified      int64 // nanoseconds
	Device, Inode uint64
}

// Same says that both are one file.
func (i Info) Same(o Info) bool { return i.Device == o.Device && i.Inode == o.Inode }

// ErrIrregular says that something stands in a file's place: a folder, a pipe, a device.
var ErrIrregular = errors.New("is not a regular file")

// ErrHeld says that another process has a lock.
var ErrHeld = errors.New("another process has it")

// ReadFile reads a whole file.
func ReadFile(fsys FS, name string) ([]byte, error) {
	f, err := fsys.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	size, err := f.Size()
	if err != nil {
		return nil, err
	}

	b := make([]byte, size)
	if n, err := f.ReadAt(b, 0); err != nil && int64(n) != size {
		return nil, err
	}
	return b, nil
}
