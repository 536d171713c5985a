package journal

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// ErrMoved says that files of the journal were deleted or replaced under the manager. It is told once, when the journal
// goes on in a new file.
var ErrMoved = errors.New("the journal's files were deleted or replaced while it was in use")

// Check says whether what is written goes where the next start looks for it. Whoever acts asks before each round. Where
// the files are gone it begins a new one with all that is still open, and says so once ([ErrMoved]): nothing that the
// manager still needs is lost with the old file.
func (j *Journal) Check() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.dead != nil {
		return wrap("check", j.dead)
	}
	if err := j.ensure(); err != nil {
		return wrap("check", err)
	}
	moved := j.moved
	j.moved = nil
	return wrap("check", moved)
}

// ensure makes the open files those at their paths. It comes before every write, so that nothing is acknowledged that only
// a deleted file holds.
func (j *Journal) ensure() error {
	lost, err := j.astray()
	if err != nil || lost == "" {
		return err
	}
	if err := j.beginAgain(); err != nil {
		return fmt.Errorf("%w (%s): %w", ErrMoved, lost, err)
	}
	j.moved = fmt.Errorf("%w (%s): a new file holds all that is still open", ErrMoved, lost)
	return nil
}

// astray names the file that is not at its path any more, "" while both are. A segment of another size was written to, or
// cut, by somebody else.
func (j *Journal) astray() (name string, err error) {
	if same, err := isAt(filepath.Join(j.dir, lockName), j.lock, -1); !same || err != nil {
		return lockName, err
	}
	if same, err := isAt(j.path, j.active, j.size); !same || err != nil {
		return filepath.Base(j.path), err
	}
	return "", nil
}

// isAt says whether the open file is the one at the path and has the size, where that is not negative.
func isAt(path string, open interface{ Stat() (os.FileInfo, error) }, size int64) (bool, error) {
	have, err := open.Stat()
	if err != nil {
		return false, err
	}
	there, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENOTDIR):
		return false, nil
	case err != nil:
		return false, err
	default:
		return os.SameFile(have, there) && (size < 0 || there.Size() == size), nil
	}
}

// beginAgain takes the folder anew and goes on in a new segment. Where that cannot be it fails for good: a folder that is
// mounted and was deleted comes back with the next start only, and another journal in its place has to be read first.
func (j *Journal) beginAgain() error {
	if err := j.acquireAgain(); err != nil {
		return err
	}

	all, err := segments(j.dir)
	if err != nil {
		return err
	}
	if n := len(all); n > 0 && all[n-1].first > j.state.seq {
		return j.failed(fmt.Errorf("another journal lies in %s", j.dir))
	}
	return j.rotate()
}

// acquireAgain takes the folder under its path, unless it is held already: a second lock on the same file would find the
// first one in its way.
func (j *Journal) acquireAgain() error {
	held, err := isAt(filepath.Join(j.dir, lockName), j.lock, -1)
	if held || err != nil {
		return err
	}
	before := j.lock
	switch err := j.acquire(); {
	case errors.Is(err, ErrLocked), errors.Is(err, fs.ErrNotExist):
		return j.failed(err)
	case err != nil:
		return err
	}
	before.Close()
	return nil
}

func (j *Journal) failed(cause error) error {
	j.dead = ErrFailed
	return fmt.Errorf("%w: %w", ErrFailed, cause)
}
