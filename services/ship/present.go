package ship

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"gestor.local/contract"
)

// ErrMoved says that files of the spool were deleted or replaced while it was in use. It is told once, when the spool goes
// on with new ones.
var ErrMoved = errors.New("the spool's files were deleted or replaced while it was in use")

// Check says whether the records that wait are where the next start looks for them. Whoever acts only while that is so asks
// before each round. Where files are gone, what they hold is written again as long as it can still be read, and that is
// said once ([ErrMoved]).
func (s *Shipper) Check() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.spool.ensure(); err != nil {
		return err
	}
	moved := s.spool.moved
	s.spool.moved = nil
	return moved
}

// ensure makes the open files those at their paths. It comes before every step that relies on them.
func (s *spool) ensure() error {
	if s.failed != nil {
		return s.failed
	}
	what, err := s.astray()
	if err != nil {
		return fmt.Errorf("look for the spool's files: %w", err)
	}
	if what == "" {
		return nil
	}
	if err := s.rescue(); err != nil {
		return fmt.Errorf("%w (%s): %w", ErrMoved, what, err)
	}

	lost := s.unread
	s.unread = loss{}
	again, _ := s.waiting()
	s.moved = fmt.Errorf("%w (%s): %d records that wait were written again, %d are lost", ErrMoved, what, again, lost.records)
	if err := s.report(lost.movedBody(what, again)); err != nil {
		s.cfg.Log("the spool could not write a report of its own", err) // what could be saved is saved
	}
	return nil
}

// astray names the first file that is not at its path any more, "" while all are.
func (s *spool) astray() (name string, err error) {
	if there, err := isAt(filepath.Join(s.cfg.Dir, lockFile), s.lock, -1); !there || err != nil {
		return lockFile, err
	}
	if _, err := os.Lstat(filepath.Join(s.cfg.Dir, stateFile)); missing(err) {
		return stateFile, nil
	}
	for _, st := range s.streams() {
		for _, seg := range st.segments {
			if there, err := seg.present(); !there || err != nil {
				return filepath.Base(seg.path), err
			}
		}
	}
	return "", nil
}

// isAt says whether the open file is the one at the path and has the size, where that is not negative.
func isAt(path string, open *os.File, size int64) (bool, error) {
	have, err := open.Stat()
	if err != nil {
		return false, err
	}
	there, err := os.Lstat(path)
	switch {
	case missing(err):
		return false, nil
	case err != nil:
		return false, err
	default:
		return os.SameFile(have, there) && (size < 0 || there.Size() == size), nil
	}
}

func missing(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR)
}

// rescue takes the folder anew and writes again what is not in it any more. It may be begun again after an error; what could
// not be read is added to unread meanwhile. Where the folder cannot be had (it is mounted and was deleted, another process has
// taken it) only a restart helps.
func (s *spool) rescue() error {
	switch err := s.takeFolder(); {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, errInUse):
		return s.fail(err)
	case err != nil:
		return err
	}

	for _, st := range s.streams() {
		if err := st.rescue(&s.unread); err != nil {
			return err
		}
	}
	return s.keep(s.given(s.state))
}

// takeFolder makes and locks the folder, unless the lock that is held is still the folder's.
func (s *spool) takeFolder() error {
	held, err := isAt(filepath.Join(s.cfg.Dir, lockFile), s.lock, -1)
	if held || err != nil {
		return err
	}
	if err := os.MkdirAll(s.cfg.Dir, 0o750); err != nil {
		return err
	}
	lock, err := lockDir(s.cfg.Dir)
	if err != nil {
		return err
	}
	_ = s.lock.Close()
	s.lock = lock
	return nil
}

// rescue replaces the segments that are not at their paths by copies of what waits in them.
func (st *stream) rescue(lost *loss) error {
	var kept []*segment
	for i, seg := range st.segments {
		there, err := seg.present()
		if err == nil && !there {
			seg, err = seg.again(lost)
		}
		if err != nil {
			st.segments = append(kept, st.segments[i:]...) // the rest is looked at when it is tried again
			return err
		}
		if seg != nil {
			kept = append(kept, seg)
		}
	}
	st.segments = kept
	return nil
}

func (s *segment) present() (bool, error) { return isAt(s.path, s.file, s.size) }

// again is a copy of what waits in the segment, durably in its folder, nil when nothing does. What cannot be read is added
// to lost.
func (s *segment) again(lost *loss) (*segment, error) {
	var lines []line
	var gone loss
	for _, e := range s.entries {
		at := time.UnixMilli(e.at)
		text, err := s.read(e)
		if err != nil || !bytes.HasPrefix(text, []byte("{")) || !bytes.HasSuffix(text, []byte("}\n")) {
			gone.add(e.pseq, at)
			continue
		}
		lines = append(lines, line{e.pseq, at, text, 0})
	}

	var copied *segment
	if len(lines) > 0 {
		var err error
		if copied, err = replaceSegment(s.path, lines); err != nil {
			return nil, err
		}
	}
	_ = s.file.Close() // nothing is in it that is not in the copy, or lost
	lost.merge(gone)
	return copied, nil
}

// replaceSegment puts a segment with the lines at the path: whole, or not at all.
func replaceSegment(path string, lines []line) (*segment, error) {
	part := path + ".tmp"
	if err := os.Remove(part); err != nil && !missing(err) {
		return nil, err
	}

	seg, err := createSegment(part)
	if err != nil {
		return nil, err
	}

	if _, err = seg.write(lines); err == nil {
		err = seg.sync()
	}
	if err == nil {
		err = os.Rename(part, path)
	}
	if err == nil {
		err = syncDir(filepath.Dir(path))
	}
	if err != nil {
		_ = seg.file.Close()
		_ = os.Remove(part)
		return nil, err
	}
	seg.path = path
	return seg, nil
}

// movedBody is the record of files that were gone.
func (l loss) movedBody(what string, again int) contract.SystemBody {
	body := contract.SystemBody{
		Event: EventMoved, Level: contract.LevelWarn,
		Message: fmt.Sprintf("files of the spool were deleted or replaced while it was in use (%s): %d records were written again, %d are lost", what, again, l.records),
		Details: map[string]any{"file": what, "waiting": again, "lost": l.records},
	}
	if l.records > 0 {
		body.Level, body.Details["first_pseq"], body.Details["last_pseq"] = contract.LevelError, l.first, l.last
	}
	return body
}
