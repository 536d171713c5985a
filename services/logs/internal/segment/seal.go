package segment

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"maps"
	"slices"
	"time"

	"github.com/klauspost/compress/gzip"

	"gestor.local/contract"

	"gestor.local/logs/internal/line"
	"gestor.local/wal/disk"
)

// Seal compresses an active segment that takes no more records: its lines are grouped and become gzip members. A crash
// at any step leaves the plain or the compressed file complete; where both exist the plain one counts.
// Bad lines and a tail that is still there are kept in quarantine, since the compressed file holds only good ones.
func (s *Segment) Seal(quarantine string, now time.Time) error {
	if _, err := s.cutTail(quarantine); err != nil {
		return fmt.Errorf("seal %s: %w", s.name, err)
	}
	sealed, err := s.compress(quarantine)
	if errors.Is(err, ErrDamaged) {
		s.readErr = err
	}
	if err != nil {
		return fmt.Errorf("seal %s: %w", s.name, err)
	}

	// The index is there before the file that it is of: a start that finds the file finds both.
	sealed.SealedUS = now.UnixMicro()
	if err := sealed.write(s.fs, s.dir, s.name); err != nil {
		return fmt.Errorf("seal %s: %w", s.name, err)
	}
	if err := s.fs.Rename(s.path(SealedExt+".tmp"), s.path(SealedExt)); err != nil {
		return fmt.Errorf("seal %s: %w", s.name, err)
	}
	if err := s.fs.SyncDir(s.dir); err != nil {
		return fmt.Errorf("seal %s: %w", s.name, err)
	}

	info, err := s.fs.Stat(s.path(SealedExt))
	if err != nil {
		return fmt.Errorf("seal %s: %w", s.name, err)
	}
	mine, err := s.file.Stat()
	if err != nil {
		return fmt.Errorf("seal %s: %w", s.name, err)
	}

	s.mu.Lock()
	s.sealed, s.index, s.info = true, nil, info
	s.setSummary(sealed)
	file := s.file
	s.file = nil
	s.mu.Unlock()

	if err := file.Close(); err != nil {
		return fmt.Errorf("seal %s: %w", s.name, err)
	}
	if err := s.unlinkPlain(mine, quarantine); err != nil {
		return fmt.Errorf("seal %s: %w", s.name, err)
	}
	return s.fs.SyncDir(s.dir)
}

// compress writes the compressed file under a temporary name, synced, and returns its index.
func (s *Segment) compress(quarantine string) (*Index, error) {
	s.mu.RLock()
	x := s.index // no one appends any more
	s.mu.RUnlock()

	out, err := s.fs.Create(s.path(SealedExt + ".tmp"))
	if err != nil {
		return nil, err
	}
	defer out.Close() // again after the check below: harmless

	zip, err := gzip.NewWriterLevel(io.Discard, sealLevel)
	if err != nil {
		return nil, err
	}
	w := &sealer{out: out, sum: sha256.New(), zip: zip, buckets: map[string]*bucket{}, index: newIndex()}
	w.index.identities, w.index.ReceivedUS = x.identities, x.ReceivedUS

	in := Reader{file: s.file}

	var lines, bad []byte
	for group := range slices.Chunk(x.Blocks, groupBlocks) {
		lines = lines[:0]
		for _, b := range group {
			if lines, bad, err = in.readWithBad(lines, bad, b); err != nil {
				return nil, err
			}
		}

		if bad, err = w.group(lines, bad); err != nil {
			return nil, err
		}
	}

	w.index.SHA256 = hex.EncodeToString(w.sum.Sum(nil))
	w.index.Producers = w.index.producers()

	if err := out.Sync(); err != nil {
		return nil, err
	}
	return w.index, s.saveBad(quarantine, bad)
}

// sealLevel is gzip's: of the disk, level 3 saves 3 % and level 6 a fifth, for a sixth and for more than half of the time
// (BenchmarkSeal).
const sealLevel = 1

func (s *Segment) saveBad(quarantine string, bad []byte) error {
	if len(bad) == 0 {
		return nil
	}
	if err := s.fs.Mkdir(quarantine); err != nil {
		return err
	}
	return disk.WriteFile(s.fs, quarantine+"/"+s.name+".bad", bad)
}

// sealer writes a compressed file and its index.
type sealer struct {
	out     disk.File
	sum     hash.Hash
	zip     *gzip.Writer
	buckets map[string]*bucket // of the group; empty ones wait for the next
	lines   []byte             // of the next member
	runs    []run              // of the same
	member  bytes.Buffer
	index   *Index
}

// bucket is the lines of a group that belong together.
type bucket struct {
	kind      contract.Kind
	container string
	lines     [][]byte // with their newlines
	positions []recordPos
}

// run is some of the lines of a bucket.
type run struct {
	*bucket
	from, to int
}

// group writes lines that arrived one after the other, those of one kind and container together, as members. Lines that
// do not have the stored form are appended to bad.
func (w *sealer) group(lines, bad []byte) (wrong []byte, err error) {
	var key []byte
	for one := range bytes.Lines(lines) {
		head, ok := line.ParseHead(one[:len(one)-1])
		if !ok {
			bad = append(bad, one...)
			continue
		}

		key = append(append(key[:0], head.Field("kind")...), head.Field("container")...)
		h := w.buckets[string(key)]
		if h == nil {
			h = &bucket{kind: contract.Kind(head.String("kind")), container: head.String("container")}
			w.buckets[string(key)] = h
		}

		h.lines, h.positions = append(h.lines, one), append(h.positions, posOf(head.Seq, head.Time))
	}

	// In the order of the keys, so that equal lines make equal files.
	for _, key := range slices.Sorted(maps.Keys(w.buckets)) {
		if err := w.write(w.buckets[key]); err != nil {
			return bad, err
		}
	}
	err = w.flush()

	// A bucket that got nothing is forgotten; the others keep their memory for the next group.
	maps.DeleteFunc(w.buckets, func(_ string, h *bucket) bool { return len(h.lines) == 0 })
	for _, h := range w.buckets {
		h.lines, h.positions = h.lines[:0], h.positions[:0]
	}
	return bad, err
}

func (w *sealer) write(h *bucket) error {
	begin := 0
	for i, one := range h.lines {
		w.lines = append(w.lines, one...)
		if len(w.lines) < sealedBlock {
			continue
		}

		w.runs = append(w.runs, run{h, begin, i + 1})
		begin = i + 1
		if err := w.flush(); err != nil {
			return err
		}
	}

	if begin < len(h.lines) {
		w.runs = append(w.runs, run{h, begin, len(h.lines)})
	}
	return nil
}

// flush makes a member of the lines that wait.
func (w *sealer) flush() error {
	if len(w.lines) == 0 {
		return nil
	}

	w.member.Reset()
	w.zip.Reset(&w.member)
	w.zip.ModTime = time.Unix(0, 0) // as memberStart says
	if _, err := w.zip.Write(w.lines); err != nil {
		return err
	}
	if err := w.zip.Close(); err != nil {
		return err
	}

	x := w.index
	x.Blocks = append(x.Blocks, Block{Offset: x.Bytes, Length: int64(w.member.Len())})

	for _, r := range w.runs {
		x.add(r.kind, r.container, r.positions[r.from:r.to]...)
	}
	x.Bytes += int64(w.member.Len())

	w.lines, w.runs = w.lines[:0], w.runs[:0]
	w.sum.Write(w.member.Bytes())
	_, err := w.out.Write(w.member.Bytes())
	return err
}
