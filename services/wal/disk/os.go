package disk

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"
)

// OS is the operating system's file system. Files and Dirs are the modes of what it makes, before the umask; 0 is 0644 and
// 0755.
type OS struct{ Files, Dirs fs.FileMode }

type osFile struct{ *os.File }

// Sync is fdatasync: it leaves out the time stamps, which nothing here reads.
func (f osFile) Sync() error {
	for {
		err := syscall.Fdatasync(int(f.Fd()))
		if !errors.Is(err, syscall.EINTR) {
			return os.NewSyscallError("fdatasync", err)
		}
	}
}

// Overwrite writes at an offset, which the kernel ignores on a descriptor with O_APPEND (pwrite(2), BUGS). The flag is taken
// off for that long; a second descriptor would be of whatever file the name leads to by now.
func (f osFile) Overwrite(p []byte, off int64) (err error) {
	flags, err := f.fcntl(syscall.F_GETFL, 0)
	if err != nil {
		return err
	}
	if _, err := f.fcntl(syscall.F_SETFL, flags&^syscall.O_APPEND); err != nil {
		return err
	}

	defer func() {
		if _, resetErr := f.fcntl(syscall.F_SETFL, flags); err == nil {
			err = resetErr
		}
	}()

	for len(p) > 0 {
		n, err := syscall.Pwrite(int(f.Fd()), p, off)
		if errors.Is(err, syscall.EINTR) {
			continue
		}
		if err != nil {
			return &fs.PathError{Op: "write", Path: f.Name(), Err: err}
		}

		p, off = p[n:], off+int64(n)
	}
	return nil
}

func (f osFile) fcntl(command, argument uintptr) (uintptr, error) {
	result, _, errno := syscall.Syscall(syscall.SYS_FCNTL, f.Fd(), command, argument)
	if errno != 0 {
		return 0, fmt.Errorf("fcntl: %w", errno)
	}
	return result, nil
}

// Size implements File.
func (f osFile) Size() (int64, error) {
	info, err := f.Stat()
	return info.Size, err
}

// Stat implements File.
func (f osFile) Stat() (Info, error) {
	info, err := f.File.Stat()
	if err != nil {
		return Info{}, err
	}
	return infoOf(info)
}

func infoOf(info fs.FileInfo) (Info, error) {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok || !info.Mode().IsRegular() {
		return Info{}, &fs.PathError{Op: "stat", Path: info.Name(), Err: ErrIrregular}
	}
	return Info{Size: info.Size(), Modified: info.ModTime().UnixNano(), Device: st.Dev, Inode: st.Ino}, nil
}

// open does not wait for the other end of a pipe that stands in the file's place, and takes none.
func (o OS) open(name string, flag int) (File, error) {
	f, err := os.OpenFile(name, flag|syscall.O_NONBLOCK, cmp.Or(o.Files, 0o644))
	if err != nil {
		return nil, err
	}

	if _, err := (osFile{f}).Stat(); err != nil {
		f.Close()
		return nil, err
	}
	return osFile{f}, nil
}

// Append implements FS.
func (o OS) Append(name string) (File, error) {
	return o.open(name, os.O_RDWR|os.O_CREATE|os.O_APPEND)
}

// Create implements FS.
func (o OS) Create(name string) (File, error) {
	return o.open(name, os.O_RDWR|os.O_CREATE|os.O_TRUNC|os.O_APPEND)
}

// Open implements FS.
func (o OS) Open(name string) (File, error) { return o.open(name, os.O_RDONLY) }

// Stat implements FS.
func (OS) Stat(name string) (Info, error) {
	info, err := os.Stat(name)
	if err != nil {
		return Info{}, err
	}
	return infoOf(info)
}

// Rename implements FS.
func (OS) Rename(from, to string) error { return os.Rename(from, to) }

// Remove implements FS.
func (OS) Remove(name string) error { return os.Remove(name) }

// Mkdir implements FS.
func (o OS) Mkdir(dir string) error { return os.MkdirAll(dir, cmp.Or(o.Dirs, 0o755)) }

// List implements FS.
func (OS) List(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}

	names := make([]string, 0, len(entries))
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names, err
}

// SyncDir implements FS.
func (OS) SyncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

// Free implements FS.
func (OS) Free(dir string) (uint64, error) {
	var st syscall.Statfs_t
	if err := syscall.Statfs(dir, &st); err != nil {
		return 0, os.NewSyscallError("statfs", err)
	}
	return st.Bavail * uint64(st.Bsize), nil
}

// Lock implements FS with flock; the file holds the holder's process id for people. A file that may only be read can be
// locked too.
func (o OS) Lock(name string) (Lock, error) {
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|syscall.O_NONBLOCK, cmp.Or(o.Files, 0o644))
	if errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EROFS) {
		f, err = os.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	}
	if err != nil {
		return nil, fmt.Errorf("lock: %w", err)
	}

	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		holder, _ := io.ReadAll(io.LimitReader(f, 64))
		f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			err = ErrHeld
		}
		return nil, fmt.Errorf("lock %s: held by process %q: %w", name, holder, err)
	}

	if f.Truncate(0) == nil {
		_, _ = fmt.Fprintf(f, "%d", os.Getpid()) // for people only: on a full disk the lock holds without it
	}
	return osFile{f}, nil
}
