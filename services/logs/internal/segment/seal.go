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
// Bad lines and a tail that is still there are kept in aside, since the compressed file holds only good ones.
func (s *Segment) Seal(aside string, now time.Time) error {
	if _, err := s.cutTail(aside); err != nil {
		return fmt.Errorf("seal %s: %w", s.name, err)
	}
	sealed, err := s.compress(aside)
	if errors.Is(err, ErrDamaged) {
		s.unread = err
	}
	if err != nil {
		return fmt.Errorf("seal %s: %w", s.name, err)
	}
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
	s.summarise(sealed)
	file := s.file
	s.file = nil
	s.mu.Unlock()
	if err := file.Close(); err != nil {
		return fmt.Errorf("seal %s: %w", s.name, err)
	}
	if err := s.unlinkPlain(mine, aside); err != nil {
		return fmt.Errorf("seal %s: %w", s.name, err)
	}
	return s.fs.SyncDir(s.dir)
}

// compress writes the compressed file under a temporary name, synced, and returns its index.
func (s *Segment) compress(aside string) (*Index, error) {
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
	w := &sealer{out: out, sum: sha256.New(), zip: zip, heaps: map[string]*heap{}, index: newIndex()}
	w.index.identities, w.index.ReceivedUS = x.identities, x.ReceivedUS
	in := Reader{file: s.file}
	var lines, bad []byte
	for group := range slices.Chunk(x.Blocks, groupBlocks) {
		lines = lines[:0]
		for _, b := range group {
			if lines, bad, err = in.readSpoilt(lines, bad, b); err != nil {
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
	return w.index, s.keepBad(aside, bad)
}

// sealLevel is gzip's: of the disk, level 3 saves 3 % and level 6 a fifth, for a sixth and for more than half of the time
// (BenchmarkSeal).
const sealLevel = 1

func (s *Segment) keepBad(aside string, bad []byte) error {
	if len(bad) == 0 {
		return nil
	}
	if err := s.fs.Mkdir(aside); err != nil {
		return err
	}
	return disk.WriteFile(s.fs, aside+"/"+s.name+".bad", bad)
}

// sealer writes a compressed file and its index.
type sealer struct {
	out    disk.File
	sum    hash.Hash
	zip    *gzip.Writer
	heaps  map[string]*heap // of the group; empty ones wait for the next
	lines  []byte           // of the next member
	runs   []run            // of the same
	member bytes.Buffer
	index  *Index
}

// heap is the lines of a group that belong together.
type heap struct {
	kind      contract.Kind
	container string
	lines     [][]byte // with their newlines
	moments   []moment
}

// run is some of the lines of a heap.
type run struct {
	*heap
	from, to int
}

// group writes lines that arrived one after the other, those of one kind and container together, as members. Lines that
// do not have the stored form are appended to bad.
func (w *sealer) group(lines, bad []byte) (spoilt []byte, err error) {
	var key []byte
	for one := range bytes.Lines(lines) {
		head, ok := line.ParseHead(one[:len(one)-1])
		if !ok {
			bad = append(bad, one...)
			continue
		}
		key = append(append(key[:0], head.Field("kind")...), head.Field("container")...)
		h := w.heaps[string(key)]
		if h == nil {
			h = &heap{kind: contract.Kind(head.String("kind")), container: head.String("container")}
			w.heaps[string(key)] = h
		}
		h.lines, h.moments = append(h.lines, one), append(h.moments, momentOf(head.Seq, head.Time))
	}
	for _, key := range slices.Sorted(maps.Keys(w.heaps)) {
		if err := w.heap(w.heaps[key]); err != nil {
			return bad, err
		}
	}
	err = w.flush()
	maps.DeleteFunc(w.heaps, func(_ string, h *heap) bool { return len(h.lines) == 0 })
	for _, h := range w.heaps {
		h.lines, h.moments = h.lines[:0], h.moments[:0]
	}
	return bad, err
}

func (w *sealer) heap(h *heap) error {
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
		x.add(r.kind, r.container, r.moments[r.from:r.to]...)
	}
	x.Bytes += int64(w.member.Len())
	w.lines, w.runs = w.lines[:0], w.runs[:0]
	w.sum.Write(w.member.Bytes())
	_, err := w.out.Write(w.member.Bytes())
	return err
}
