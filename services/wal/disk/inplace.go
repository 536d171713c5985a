package disk

import (
	"errors"
	"fmt"
	"io/fs"
	"syscall"
)

// ErrReplaced says that another file, or another content, stands in a file's place.
var ErrReplaced = errors.New("is not the file that was written")

// ErrResized says that somebody else has changed the size of a file.
var ErrResized = errors.New("its size was changed")

// AnySize is the size of a file of which only the identity matters.
const AnySize = -1

// InPlace returns nil when a name leads to the file that is open, and the file has the given size. What is written to a file
// that was deleted or replaced is lost with the last process that has it open.
func InPlace(fsys FS, name string, open interface{ Stat() (Info, error) }, size int64) error {
	found, err := fsys.Stat(name)
	if err != nil {
		return err
	}

	own, err := open.Stat()
	if err != nil {
		return err
	}

	switch {
	case !found.Same(own):
		return fmt.Errorf("%s %w", name, ErrReplaced)
	case size != AnySize && own.Size != size:
		return fmt.Errorf("%s: %w: it has %d bytes, not %d", name, ErrResized, own.Size, size)
	default:
		return nil
	}
}

// NotInPlace says whether an error of InPlace is an answer: the file was deleted, replaced or changed. Any other error says
// nothing about the file.
func NotInPlace(err error) bool {
	return Missing(err) || errors.Is(err, ErrReplaced) || errors.Is(err, ErrResized) || errors.Is(err, ErrIrregular)
}

// Missing says whether an operation failed because a name, or a directory above it, leads to nothing.
func Missing(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR)
}
