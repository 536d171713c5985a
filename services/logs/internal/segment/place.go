package segment

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"

	"gestor.local/wal/disk"
)

// InPlace says whether the name of an active segment leads to the file that is being written, as long as it was left: what is
// appended elsewhere is lost with the last process that has it open. It is for whoever appends.
func (s *Segment) InPlace() error { return s.file.InPlace() }

// CheckFile says what has become of the file of a sealed segment. One that was touched or brought back is read and compared.
func (s *Segment) CheckFile() error {
	s.mu.RLock()
	known, size, sum := s.info, s.summary.Bytes, s.summary.SHA256
	s.mu.RUnlock()

	at, err := s.fs.Stat(s.path(SealedExt))
	switch {
	case err != nil:
		return err
	case at.Size == known.Size && at.Modified == known.Modified: // the inode of a file that nobody has open may change on FUSE
		return nil
	case at.Size != size:
		return fmt.Errorf("%s %w: it has %d bytes, not %d", s.path(SealedExt), disk.ErrReplaced, at.Size, size)
	}

	content, err := disk.ReadFile(s.fs, s.path(SealedExt))
	if err != nil {
		return err
	}
	if got := sha256.Sum256(content); hex.EncodeToString(got[:]) != sum {
		return fmt.Errorf("%s %w (SHA-256)", s.path(SealedExt), disk.ErrReplaced)
	}

	s.mu.Lock()
	defer s.mu.Unlock()
	s.info = at
	return nil
}

// Detach lets go of a sealed segment whose file is gone: readers find nothing in it any more.
func (s *Segment) Detach() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.removed = true
	s.cache.forget(s.path(IndexExt))
	s.cache.release(s.filter)
	s.filter = idFilter{}
}

// unlinkPlain removes the plain file of a segment that is sealed now. A file of somebody else in its place is kept in
// quarantine: left there, it would count for the sealed one at the next start.
func (s *Segment) unlinkPlain(mine disk.Info, quarantine string) error {
	at, err := s.fs.Stat(s.path(ActiveExt))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err == nil && at.Same(mine):
		return s.fs.Remove(s.path(ActiveExt))
	}

	if err := s.fs.Mkdir(quarantine); err != nil {
		return err
	}
	return s.fs.Rename(s.path(ActiveExt), quarantine+"/"+s.name+".replaced")
}
