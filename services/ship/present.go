package ship

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"time"

	"gestor.local/contract"
	"gestor.local/wal"
	"gestor.local/wal/disk"
)

// ErrMoved says that files of the spool were deleted or replaced while it was in use. It is reported once, when the spool
// goes on with new ones.
var ErrMoved = errors.New("the spool's files were deleted or replaced while it was in use")

// Check says whether the records that wait are where the next start looks for them. Whoever acts only while that is so asks
// before each round. Where files are gone, what they hold is written again as long as it can still be read, and that is
// said once ([ErrMoved]).
func (s *Shipper) Check() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.spool.ensureInPlace(); err != nil {
		return err
	}
	moved := s.spool.moved
	s.spool.moved = nil
	return moved
}

// ensureInPlace makes the open files those at their paths. It comes before every step that relies on them.
func (s *spool) ensureInPlace() error {
	if s.failed != nil {
		return s.failed
	}
	what, err := s.missingFile()
	if err != nil {
		return fmt.Errorf("look for the spool's files: %w", err)
	}
	if what == "" {
		return nil
	}

	if err := s.rewriteMissing(); err != nil {
		return fmt.Errorf("%w (%s): %w", ErrMoved, what, err)
	}

	lost := s.unread
	s.unread = dropSummary{}
	again, _ := s.waiting()
	s.moved = fmt.Errorf("%w (%s): %d records that wait were written again, %d are lost", ErrMoved, what, again, lost.records)

	if err := s.report(lost.movedBody(what, again)); err != nil {
		s.cfg.Log("the spool could not write a report of its own", err) // what could be saved is saved
	}
	return nil
}

// missingFile names the first file that is not at its path any more, "" while all are.
func (s *spool) missingFile() (name string, err error) {
	if gone, err := displaced(s.lockInPlace()); gone || err != nil {
		return lockFile, err
	}

	if _, err := s.cfg.FS.Stat(path.Join(s.cfg.Dir, stateFile)); disk.Missing(err) {
		return stateFile, nil
	}

	for _, st := range s.streams() {
		for _, seg := range st.segments {
			if gone, err := displaced(seg.file.InPlace()); gone || err != nil {
				return path.Base(seg.file.Name()), err
			}
		}
	}
	return "", nil
}

func (s *spool) lockInPlace() error {
	return disk.InPlace(s.cfg.FS, path.Join(s.cfg.Dir, lockFile), s.lock, disk.AnySize)
}

// displaced says what an error of disk.InPlace means: the file is not there, or nobody could look.
func displaced(err error) (bool, error) {
	if disk.NotInPlace(err) {
		return true, nil
	}
	return false, err
}

// rewriteMissing takes the folder anew and writes again what is not in it any more. It may be begun again after an error;
// what could not be read is added to unread meanwhile. Where the folder cannot be had (it is mounted and was deleted,
// another process has taken it) only a restart helps.
func (s *spool) rewriteMissing() error {
	switch err := s.lockAgain(); {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, errInUse):
		return s.fail(err)
	case err != nil:
		return err
	}

	for _, st := range s.streams() {
		if err := st.rewriteMissing(&s.unread); err != nil {
			return s.failIfBroken(err)
		}
	}
	return s.saveState(s.withHighWater(s.state))
}

// lockAgain makes and locks the folder, unless the lock that is held is still the folder's.
func (s *spool) lockAgain() error {
	if err := s.lockInPlace(); !disk.NotInPlace(err) {
		return err
	}
	lock, err := lockFolder(s.cfg.FS, s.cfg.Dir)
	if err != nil {
		return err
	}
	_ = s.lock.Close()
	s.lock = lock
	return nil
}

// rewriteMissing replaces the segments that are not at their paths by copies of what waits in them.
func (st *stream) rewriteMissing(lost *dropSummary) error {
	var kept []*segment
	for i, seg := range st.segments {
		gone, err := displaced(seg.file.InPlace())
		if gone {
			seg, err = st.rewrite(seg, lost)
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

// rewrite makes a copy of what waits in the segment, durably in its folder, nil when nothing does. What cannot be read is
// added to lost.
func (st *stream) rewrite(seg *segment, lost *dropSummary) (*segment, error) {
	var lines []line
	var gone dropSummary
	for _, e := range seg.entries {
		at := time.UnixMilli(e.at)
		text, err := seg.read(e)

		// Somebody else has put the file away, and may have written into it: only what still looks like a record is kept.
		if err != nil || !bytes.HasPrefix(text, []byte("{")) || !bytes.HasSuffix(text, []byte("}\n")) {
			gone.add(e.pseq, at)
			continue
		}
		lines = append(lines, line{e.pseq, at, text, 0})
	}

	var copied *segment
	if len(lines) > 0 {
		f, err := wal.CreateWith(st.fsys, seg.file.Name(), textOf(lines))
		if err != nil {
			return nil, err
		}
		copied = &segment{file: f}
		copied.add(lines, 0)
	}

	_ = seg.file.Close() // nothing is in it that is not in the copy, or lost
	lost.merge(gone)
	st.lost = max(st.lost, gone.last)
	return copied, nil
}

// movedBody is the record of files that were gone.
func (l dropSummary) movedBody(what string, again int) contract.SystemBody {
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
