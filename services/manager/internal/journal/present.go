package journal

import (
	"errors"
	"fmt"
	"io/fs"
	"path"

	"gestor.local/wal/disk"
)

// ErrMoved says that files of the journal were deleted or replaced under the manager. It is reported once, when the journal
// goes on in a new file.
var ErrMoved = errors.New("the journal's files were deleted or replaced while it was in use")

// Check says whether what is written goes where the next start looks for it. Whoever acts asks before each round. Where
// the files are gone it begins a new one with all that is still open, and says so once ([ErrMoved]): nothing that the
// manager still needs is lost with the old file.
func (j *Journal) Check() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.failed != nil {
		return wrap("check", j.failed)
	}
	if err := j.ensureInPlace(); err != nil {
		return wrap("check", err)
	}

	moved := j.moved
	j.moved = nil
	if moved == nil {
		moved = j.checkRoom()
	}
	return wrap("check", moved)
}

// ensureInPlace makes the open files those at their paths. It comes before every write, so that nothing is acknowledged that
// only a deleted file holds.
func (j *Journal) ensureInPlace() error {
	missing, err := j.missingFile()
	if err != nil || missing == "" {
		return err
	}
	if err := j.beginAgain(); err != nil {
		return fmt.Errorf("%w (%s): %w", ErrMoved, missing, err)
	}
	j.moved = fmt.Errorf("%w (%s): a new file holds all that is still open", ErrMoved, missing)
	return nil
}

// missingFile names the file that is not at its path any more, "" while both are. A segment of another size was written to,
// or cut, by somebody else.
func (j *Journal) missingFile() (name string, err error) {
	name, err = lockName, j.lockInPlace()
	if err == nil {
		name, err = path.Base(j.active.Name()), j.active.InPlace()
	}
	switch {
	case err == nil:
		return "", nil
	case disk.NotInPlace(err):
		return name, nil
	default:
		return "", err
	}
}

func (j *Journal) lockInPlace() error {
	return disk.InPlace(j.fsys, path.Join(j.dir, lockName), j.lock, disk.AnySize)
}

// beginAgain takes the folder anew and goes on in a new segment. Where that cannot be it fails for good: a folder that is
// mounted and was deleted comes back with the next start only, and another journal in its place has to be read first.
func (j *Journal) beginAgain() error {
	if err := j.lockAgain(); err != nil {
		return err
	}

	all, err := segments(j.fsys, j.dir)
	if err != nil {
		return err
	}
	if n := len(all); n > 0 && all[n-1].first > j.state.seq {
		return j.fail(fmt.Errorf("another journal lies in %s", j.dir))
	}
	return j.rotate()
}

// lockAgain takes the folder under its path, unless it is locked already: a second lock on the same file would find the
// first one in its way.
func (j *Journal) lockAgain() error {
	if err := j.lockInPlace(); !disk.NotInPlace(err) {
		return err
	}

	lock, err := j.lockFolder()
	switch {
	case errors.Is(err, ErrLocked), errors.Is(err, fs.ErrNotExist):
		return j.fail(err)
	case err != nil:
		return err
	}
	j.lock.Close()
	j.lock = lock
	return nil
}
