package journal

import (
	"errors"
	"fmt"
)

// What a caller may have to tell apart. Every one of them means: do not act.
var (
	// ErrLocked says that another manager holds the journal.
	ErrLocked = errors.New("another manager holds this journal (stop it, or give this one its own GESTOR_STATE)")
	// ErrFailed says that an fsync failed, or that a half-written line could not be taken back: the journal takes no more.
	ErrFailed = errors.New("the journal has failed for good (restart the manager; it re-reads what is on the disk)")
	// ErrClosed says that the journal was closed.
	ErrClosed = errors.New("the journal is closed")
)

// VersionError says that a later manager wrote the journal.
type VersionError struct {
	Version int
	known   int // 0 is version 1
}

func (e *VersionError) Error() string {
	return fmt.Sprintf("the journal holds lines of version %d, this manager knows up to %d (use the release that wrote it, or give this one its own GESTOR_STATE)",
		e.Version, max(e.known, version1))
}

// Error is what every method of a Journal returns. Without ErrFailed or ErrClosed in its chain the journal is as it was
// before the call, and the call may be repeated once its cause (a full disk) is gone.
type Error struct {
	Op  string // open, lock, recover, write, sync, rotate
	Err error
}

func (e *Error) Error() string { return fmt.Sprintf("journal %s: %v", e.Op, e.Err) }

func (e *Error) Unwrap() error { return e.Err }

func wrap(op string, err error) error {
	if err == nil {
		return nil
	}
	return &Error{Op: op, Err: err}
}
