package segment

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"gestor.local/logs/internal/line"
)

// ErrDamaged marks a block that cannot be read; the others can.
var ErrDamaged = errors.New("damaged block")

// Reader reads chosen blocks of one segment. It stays good while the segment is sealed or removed.
type Reader struct {
	// Groups are the chosen blocks, oldest group first. The numbers of the blocks of one group overlap: their lines are
	// in order only after sorting.
	Groups [][]Block

	file     blockFile
	ownsFile bool // the file is the reader's to close
	sealed   bool
	unzip    *unzipper
	raw      []byte
}

// blockFile is a file that blocks are read from.
type blockFile interface {
	io.ReaderAt
	io.Closer
}

// Open chooses blocks and opens the file they stand in. Without any block the reader is nil.
func (s *Segment) Open(want Selection) (*Reader, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.removed {
		return nil, nil
	}
	if s.sealed {
		return s.openSealed(want)
	}

	groups := s.index.selected(want)
	if len(groups) == 0 {
		return nil, nil
	}

	file, err := s.fs.Open(s.path(ActiveExt))
	if err != nil {
		return nil, fmt.Errorf("read segment %s: %w", s.name, err)
	}
	return &Reader{Groups: groups, file: file, ownsFile: true}, nil
}

// Read appends the lines of a block to dst, each ending with a newline and without checksum. Bad lines are left out.
func (r *Reader) Read(dst []byte, b Block) ([]byte, error) {
	lines, _, err := r.readWithBad(dst, nil, b)
	return lines, err
}

// Room is about what the lines of a group take.
func (r *Reader) Room(group []Block) int {
	room := int64(0)
	for _, b := range group {
		if r.sealed {
			room += fullMember
		} else {
			room += b.Length
		}
	}
	return int(room)
}

// readWithBad also appends the bad lines of an active file to bad.
func (r *Reader) readWithBad(dst, bad []byte, b Block) (lines, wrong []byte, err error) {
	if int64(cap(r.raw)) < b.Length {
		r.raw = make([]byte, b.Length)
	}
	raw := r.raw[:b.Length]

	if n, err := r.file.ReadAt(raw, b.Offset); int64(n) != b.Length {
		return dst, bad, fmt.Errorf("%w: %w", ErrDamaged, err)
	}

	if r.sealed {
		lines, err = r.unzip.block(dst, raw)
		return lines, bad, err
	}
	lines, bad = splitGood(dst, bad, raw)
	return lines, bad, nil
}

// splitGood appends the good lines to dst without their checksums and the bad ones to bad. It changes raw.
func splitGood(dst, bad, raw []byte) (lines, wrong []byte) {
	for len(raw) > 0 {
		end := bytes.IndexByte(raw, '\n')
		if end < 0 {
			return dst, append(bad, raw...)
		}

		one := raw[:end]
		if line.Check(one) {
			dst = append(append(dst, line.Strip(one)...), '\n')
		} else {
			bad = append(bad, raw[:end+1]...)
		}
		raw = raw[end+1:]
	}
	return dst, bad
}

// Close releases the file.
func (r *Reader) Close() error {
	if !r.ownsFile {
		return nil
	}
	return r.file.Close()
}
