package disk

import (
	"fmt"
	"io"
	"path"
)

// TempExt ends the name of a file that is being written. One that a crash leaves behind means nothing.
const TempExt = ".tmp"

// SyncError says that a sync failed. It is final for what was written since the last one: the kernel may have dropped the
// dirty pages and marked them clean, so that a second sync would succeed without them.
type SyncError struct {
	// Name is what was to be synced, a directory if Dir is set: then it is not known which names a power cut would leave.
	Name string
	Dir  bool
	Err  error
}

func (e *SyncError) Error() string { return fmt.Sprintf("sync %s: %v", e.Name, e.Err) }

func (e *SyncError) Unwrap() error { return e.Err }

// ReplaceFile puts what write produces in the place of a file: after a crash the name leads to all of the old or to all of
// the new content, and once it returned nil a power cut does not bring the old one back. After an error the old content
// stands, but for a SyncError of the directory. Two calls for one name must not overlap.
func ReplaceFile(fsys FS, name string, write func(io.Writer) error) error {
	temp := name + TempExt
	f, err := fsys.Create(temp)
	if err != nil {
		return err
	}

	err = writeSynced(f, temp, write)
	if err == nil {
		err = fsys.Rename(temp, name)
	}
	if err != nil {
		_ = fsys.Remove(temp) // what stays is in the way of nothing: the next one begins with an empty file
		return err
	}
	return syncParent(fsys, name)
}

// WriteFile is ReplaceFile for content that is in memory.
func WriteFile(fsys FS, name string, content []byte) error {
	return ReplaceFile(fsys, name, func(w io.Writer) error {
		_, err := w.Write(content)
		return err
	})
}

// writeSynced fills a file and closes it.
func writeSynced(f File, name string, write func(io.Writer) error) error {
	err := write(f)
	if err == nil {
		if err = f.Sync(); err != nil {
			err = &SyncError{Name: name, Err: err}
		}
	}

	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	return err
}

// syncParent makes a new name durable.
func syncParent(fsys FS, name string) error {
	dir := path.Dir(name)
	if err := fsys.SyncDir(dir); err != nil {
		return &SyncError{Name: dir, Dir: true, Err: err}
	}
	return nil
}
