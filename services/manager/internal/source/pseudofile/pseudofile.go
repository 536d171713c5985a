// Package pseudofile reads whole files of procfs, cgroupfs and their like, which are made while they are read: without
// asking for a size, which they do not have, and without the poller, which os.Open would enlist them with.
package pseudofile

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// ErrTooLarge says that a file is larger than its reader's limit; no part of it is used.
var ErrTooLarge = errors.New("file is larger than the limit")

// Reader reads one file after the other into a buffer that it keeps. It is not safe for concurrent use.
type Reader struct {
	limit int
	buf   []byte
	// Syscalls and Bytes count what the reads took; whoever reports them sets them back.
	Syscalls, Bytes int
}

// New makes a reader of files of at most limit bytes whose buffer holds start bytes at first.
func New(start, limit int) *Reader {
	return &Reader{limit: limit, buf: make([]byte, 0, min(start, limit+1))}
}

// Read returns the whole file: valid until the next call. Errors are those of open(2) and read(2), or ErrTooLarge, and
// do not name the path.
func (r *Reader) Read(path string) ([]byte, error) { return r.ReadAt(unix.AT_FDCWD, path) }

// ReadAt is Read of a path below the open folder.
func (r *Reader) ReadAt(folder int, path string) ([]byte, error) {
	fd, err := r.open(folder, path)
	if err != nil {
		return nil, err
	}

	content, err := r.readAll(fd)
	r.Syscalls++
	if err = errors.Join(err, unix.Close(fd)); err != nil {
		return nil, err
	}

	r.Bytes += len(content)
	return content, nil
}

func (r *Reader) open(folder int, path string) (int, error) {
	for {
		r.Syscalls++
		fd, err := unix.Openat(folder, path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if !errors.Is(err, unix.EINTR) {
			return fd, err
		}
	}
}

// readAll reads to the end. The buffer doubles when it is full, up to one byte past the limit, by which a file that is
// too large differs from one that just fits.
func (r *Reader) readAll(fd int) ([]byte, error) {
	buf := r.buf[:0]
	for {
		// A reader asks for no size, so only a read of no bytes says that the end was reached: there must be room for
		// it.
		if len(buf) == cap(buf) {
			if cap(buf) > r.limit {
				return nil, fmt.Errorf("%w of %d bytes", ErrTooLarge, r.limit)
			}
			buf = append(make([]byte, 0, min(2*cap(buf), r.limit+1)), buf...)
			r.buf = buf
		}

		r.Syscalls++
		n, err := unix.Read(fd, buf[len(buf):cap(buf)])
		switch {
		case errors.Is(err, unix.EINTR):
		case err != nil:
			return nil, err
		case n == 0:
			return buf, nil
		default:
			buf = buf[:len(buf)+n]
		}
	}
}
