package segment

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"

	"github.com/klauspost/compress/gzip"

	"gestor.local/logs/internal/line"
	"gestor.local/wal/disk"
)

// OpenSealed opens a sealed segment. Its index is built again when it is missing or does not fit.
func OpenSealed(fsys disk.FS, dir string, first uint64, cache *Cache) (*Segment, error) {
	s := &Segment{fs: fsys, dir: dir, name: Name(first), first: first, sealed: true, cache: cache}
	file, err := fsys.Open(s.path(SealedExt))
	if err != nil {
		return nil, fmt.Errorf("open segment %s: %w", s.name, err)
	}
	defer file.Close()
	if s.info, err = file.Stat(); err != nil {
		return nil, fmt.Errorf("open segment %s: %w", s.name, err)
	}

	size := s.info.Size
	old, err := cache.load(fsys, s.path(IndexExt))
	if err == nil && old.Bytes == size {
		s.setSummary(old)
		return s, nil
	}

	cache.forget(s.path(IndexExt))
	x, rebuildErr := rebuild(file, size, &s.bad)

	switch {
	case rebuildErr != nil:
		return nil, fmt.Errorf("open segment %s: %w", s.name, rebuildErr)
	case err == nil:
		s.markTruncated(old, x)
	case x.write(fsys, dir, s.name) != nil:
		s.index = x // no room for the file: keep it in memory
	}
	s.setSummary(x)
	return s, nil
}

// Describe returns what the index of a sealed file says, without a look at the file.
func Describe(fsys disk.FS, dir string, first uint64) (Index, error) {
	x, err := readIndex(fsys, dir+"/"+Name(first)+IndexExt)
	if err != nil {
		return Index{}, err
	}
	out := x.summary()
	out.Producers = x.Producers
	return out, nil
}

// markTruncated notes that the file is not the one that was indexed. The index file stays, as the evidence of what is gone:
// whose records they were, and that their numbers were given.
func (s *Segment) markTruncated(old, x *Index) {
	s.bad.Lines = max(s.bad.Lines, old.Records-x.Records, 1)
	s.bad.Bytes = max(s.bad.Bytes, old.Bytes-x.Bytes)
	s.claimed = old.Last
	x.Producers = old.Producers
	s.index = x
}

// memberStart begins every gzip member this package writes: deflate, no flags, no time.
var memberStart = []byte{0x1f, 0x8b, 8, 0, 0, 0, 0, 0}

// rebuild reads a compressed file from end to end. A member that cannot be read is counted as damage and left out.
func rebuild(file disk.File, size int64, bad *Bad) (*Index, error) {
	raw := make([]byte, size)
	if n, err := file.ReadAt(raw, 0); int64(n) != size {
		return nil, err
	}

	x := newIndex()
	parser := line.NewParser()
	var unzip unzipper
	var lines []byte
	members(raw, func(at, end int) {
		var err error
		if lines, err = unzip.block(lines[:0], raw[at:end]); err != nil {
			bad.Bytes += int64(end - at)
			bad.Lines++ // at least one
			return
		}

		x.addMember(parser, lines, int64(at), int64(end-at))
	})

	x.Bytes = size
	sum := sha256.Sum256(raw)
	x.SHA256 = hex.EncodeToString(sum[:])
	return x, nil
}

// addMember notes the lines of one member as one block.
func (x *Index) addMember(parser *line.Parser, lines []byte, offset, length int64) {
	x.Blocks = append(x.Blocks, Block{Offset: offset, Length: length})
	for one := range bytes.Lines(lines) {
		var rec line.Record
		if parser.ParseStored(bytes.TrimSuffix(one, []byte("\n")), &rec) {
			x.add(rec.Kind, rec.Container, posOf(rec.Seq, rec.Time))
			x.setOwner(rec.Identity, rec.PSeq)
			x.ReceivedUS = max(x.ReceivedUS, rec.ReceivedUS)
		}
	}

	if last := len(x.Blocks) - 1; x.Blocks[last].Records == 0 {
		x.Blocks = x.Blocks[:last]
	}
}

func (s *Segment) openSealed(want Selection) (*Reader, error) {
	if s.summary.Records == 0 || !want.covers(s.summary.First, s.summary.Last, s.summary.MinUS, s.summary.MaxUS) {
		return nil, nil
	}
	if !s.filter.mayContain(want.Containers) {
		return nil, nil
	}

	x, err := s.full()
	if err != nil {
		return nil, err
	}
	groups := x.selected(want)
	if len(groups) == 0 {
		return nil, nil
	}

	file, err := s.fs.Open(s.path(SealedExt))
	if err != nil {
		return nil, fmt.Errorf("read segment %s: %w", s.name, err)
	}
	return &Reader{Groups: groups, file: file, ownsFile: true, sealed: true, unzip: &unzipper{}}, nil
}

// full is the whole index, made again when somebody has deleted it. The caller holds the lock.
func (s *Segment) full() (*Index, error) {
	if s.index != nil {
		return s.index, nil
	}

	x, err := s.cache.load(s.fs, s.path(IndexExt))
	if err == nil {
		return x, nil
	}

	// Somebody has deleted the index.
	file, err := s.fs.Open(s.path(SealedExt))
	if err != nil {
		return nil, err
	}
	defer file.Close()
	size, err := file.Size()
	if err != nil {
		return nil, err
	}

	var bad Bad // the reader meets it
	if x, err = rebuild(file, size, &bad); err != nil {
		return nil, err
	}
	s.cache.add(s.path(IndexExt), x)
	return x, nil
}

// Remove deletes the files of a sealed segment, or of one that is stuck. Readers that have it open go on; who opens it later
// finds nothing in it.
func (s *Segment) Remove() error {
	if err := s.unlink(); err != nil {
		return fmt.Errorf("remove segment %s: %w", s.name, err)
	}
	return s.fs.SyncDir(s.dir)
}

func (s *Segment) unlink() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.removed = true
	if !s.sealed {
		return s.fs.Remove(s.path(ActiveExt))
	}

	if err := s.fs.Remove(s.path(SealedExt)); err != nil {
		return err
	}

	s.cache.forget(s.path(IndexExt))
	s.cache.release(s.filter)
	s.filter = idFilter{}
	if err := s.fs.Remove(s.path(IndexExt)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// fullMember is room for a member: sealedBlock and the end of its last line.
const fullMember = sealedBlock + 2<<10

// unzipper reads gzip members.
type unzipper struct {
	zip *gzip.Reader
	src bytes.Reader
}

// block appends what one member holds to dst; its checksum is checked. A damaged one leaves dst as it was.
func (u *unzipper) block(dst, member []byte) ([]byte, error) {
	u.src.Reset(member)
	var err error
	if u.zip == nil {
		u.zip, err = gzip.NewReader(&u.src)
	} else {
		err = u.zip.Reset(&u.src)
	}
	if err != nil {
		return dst, fmt.Errorf("%w: %w", ErrDamaged, err)
	}

	u.zip.Multistream(false)

	out := dst
	for {
		if len(out) == cap(out) {
			out = slices.Grow(out, fullMember)
		}

		n, err := u.zip.Read(out[len(out):cap(out)])
		out = out[:len(out)+n]
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return dst, fmt.Errorf("%w: %w", ErrDamaged, err)
		}
	}
}
