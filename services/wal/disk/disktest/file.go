package disktest

import (
	"errors"
	"io"
	"io/fs"
	"slices"

	"gestor.local/wal/disk"
)

// handle is an open file of a Mem.
type handle struct {
	mem  *Mem
	file *inode
	name string
}

// Write implements disk.File.
func (h *handle) Write(p []byte) (int, error) {
	h.mem.mu.Lock()
	defer h.mem.mu.Unlock()
	n, err := h.writable(p)
	if n == 0 && err != nil {
		return 0, err
	}

	h.file.pending = append(h.file.pending, edit{offset: int64(len(h.file.current)), data: slices.Clone(p[:n])})
	h.file.current = append(h.file.current, p[:n]...)
	h.file.changes++
	return n, err
}

// Overwrite implements disk.File.
func (h *handle) Overwrite(p []byte, off int64) error {
	h.mem.mu.Lock()
	defer h.mem.mu.Unlock()
	n, err := h.writable(p)
	if n == 0 && err != nil {
		return err
	}

	h.file.pending = append(h.file.pending, edit{offset: off, data: slices.Clone(p[:n]), over: true})
	copy(h.file.current[off:], p[:n])
	h.file.changes++
	return err
}

// writable asks Before how many of the bytes get through.
func (h *handle) writable(p []byte) (n int, err error) {
	err = h.mem.before("write", h.name)
	switch {
	case errors.Is(err, ErrShort):
		return len(p) / 2, err
	case err != nil:
		return 0, err
	default:
		return len(p), nil
	}
}

// ReadAt implements disk.File.
func (h *handle) ReadAt(p []byte, off int64) (int, error) {
	h.mem.mu.Lock()
	defer h.mem.mu.Unlock()
	if err := h.mem.reading("read", h.name); err != nil {
		return 0, &fs.PathError{Op: "read", Path: h.name, Err: err}
	}

	if off >= int64(len(h.file.current)) {
		return 0, io.EOF
	}

	n := copy(p, h.file.current[off:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// Sync implements disk.File.
func (h *handle) Sync() error {
	h.mem.mu.Lock()
	defer h.mem.mu.Unlock()
	if err := h.mem.before("sync", h.name); err != nil {
		return err
	}
	h.file.synced = slices.Clone(h.file.current)
	h.file.pending = nil
	return nil
}

// Truncate implements disk.File.
func (h *handle) Truncate(size int64) error {
	h.mem.mu.Lock()
	defer h.mem.mu.Unlock()
	if err := h.mem.before("truncate", h.name); err != nil {
		return err
	}
	h.file.truncate(size)
	return nil
}

func (f *inode) truncate(size int64) {
	f.pending = append(f.pending, edit{offset: size, cut: true})
	f.current = f.current[:size:size]
	f.changes++
}

// Size implements disk.File.
func (h *handle) Size() (int64, error) {
	h.mem.mu.Lock()
	defer h.mem.mu.Unlock()
	return int64(len(h.file.current)), nil
}

// Stat implements disk.File.
func (h *handle) Stat() (disk.Info, error) {
	h.mem.mu.Lock()
	defer h.mem.mu.Unlock()
	return h.file.info(), nil
}

// Close implements disk.File.
func (h *handle) Close() error { return nil }
