package store

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"gestor.local/logs/internal/line"
	"gestor.local/logs/internal/rollup"
	"gestor.local/logs/internal/segment"
	"gestor.local/wal/disk"
)

// rollups are the sums over all records: in memory for the segments that still take records, wait to be sealed, or whose
// files cannot be written; in one file for each step and sealed segment otherwise.
type rollups struct {
	mu         sync.Mutex // guards the following fields
	live       map[*segment.Segment]*rollup.Table
	files      [len(rollup.Steps)][]rollupFile // never changed in place
	cache      map[string]*rollup.Table        // of files: never changed
	cacheBytes int                             // bytes of the cache

	failed time.Time // when the maintenance goroutine could not make a file; of the maintenance goroutine alone
}

// rollupFile is rollup/<step>/<stream>-<first seq>.<from>-<to>.ndjson; from and to are Unix seconds.
type rollupFile struct {
	path     string
	segment  string // <stream>-<first seq>
	from, to int64
	bytes    int64
}

// cachedRollups bounds the bytes of the tables in memory: a day of hourly files of a usual host at each step takes 10 MiB.
const cachedRollups = 32 << 20

// unwrittenRollups bounds the bytes of the tables of sealed segments whose files cannot be written: half a day of hourly
// files of a usual host. What is beyond them has no sums until they can.
const unwrittenRollups = 32 << 20

// orphanRollups bounds the bytes of the files whose records are deleted. A usual host makes some 7 MiB a million records.
const orphanRollups = 256 << 20

func (c *Config) rollupDir(step int) string {
	return c.Dir + "/rollup/" + [...]string{"1m", "10m", "1h"}[step]
}

func segmentID(stream Stream, seg *segment.Segment) string { return stream.String() + "-" + seg.Name() }

// add sums what was just stored.
func (r *rollups) add(s *Store, seg *segment.Segment, records []*line.Record) {
	if len(records) == 0 {
		return
	}

	r.mu.Lock()
	defer r.mu.Unlock()
	table := r.live[seg]
	if table == nil {
		table = rollup.NewTable(rollup.Steps[0])
		r.live[seg] = table
	}

	for _, rec := range records {
		s.addTo(table, rec)
	}
}

// bytes is what the sums in memory take for a segment.
func (r *rollups) bytes(seg *segment.Segment) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	if t := r.live[seg]; t != nil {
		return t.Bytes()
	}
	return 0
}

// folded lists the dimensions of which there are more keys than have a place now.
func (r *rollups) folded() (out []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, t := range r.live {
		for _, by := range t.Folded() {
			out = append(out, string(by))
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// open finds the files. Those of a segment that is not sealed are left over from an interrupted seal. What cannot be read is
// not there: the maintenance goroutine makes it again, as soon as it can.
func (r *rollups) open(s *Store) {
	unsealed := map[string]bool{}
	for _, stream := range Streams() {
		for _, seg := range s.streams[stream] {
			unsealed[segmentID(stream, seg)] = !seg.Sealed()
		}
	}

	for step := range rollup.Steps {
		dir := s.cfg.rollupDir(step)
		err := s.fs.Mkdir(dir)
		names, listErr := s.fs.List(dir)
		if err := errors.Join(err, listErr); err != nil {
			s.condition.set(conditionRollup, err.Error())
		}

		for _, name := range names {
			f, ok := parseRollupName(dir, name)
			info, err := s.fs.Stat(f.path)
			if ok && err == nil && !unsealed[f.segment] {
				f.bytes = info.Size
				r.files[step] = append(r.files[step], f)
				continue
			}

			if err := s.fs.Remove(dir + "/" + name); err != nil && !errors.Is(err, fs.ErrNotExist) {
				s.condition.set(conditionRollup, err.Error())
			}
		}
	}
}

func parseRollupName(dir, name string) (rollupFile, bool) {
	id, rest, ok := strings.Cut(name, ".")
	f := rollupFile{path: dir + "/" + name, segment: id}
	n, err := fmt.Sscanf(rest, "%d-%d.ndjson", &f.from, &f.to)
	return f, ok && err == nil && n == 2 && strings.HasSuffix(name, ".ndjson")
}

// file writes the sums of a segment that is about to be sealed.
func (r *rollups) file(s *Store, stream Stream, seg *segment.Segment) error {
	r.mu.Lock()
	table := r.live[seg] // complete: the segment takes no more records
	r.mu.Unlock()
	if table == nil {
		return nil
	}
	return r.write(s, segmentID(stream, seg), table, func() { delete(r.live, seg) })
}

// write stores a table at every step and shows the files; shown runs in the same moment.
func (r *rollups) write(s *Store, id string, table *rollup.Table, shown func()) error {
	var files [len(rollup.Steps)]rollupFile
	for i, step := range rollup.Steps {
		t := table
		if i > 0 {
			t = table.Coarser(step)
		}
		text, err := t.Encode()
		if err != nil {
			return err
		}

		from, to := t.Span()
		name := fmt.Sprintf("%s.%d-%d.ndjson", id, from, to)
		err = s.fs.Mkdir(s.cfg.rollupDir(i)) // everything here may be deleted at any time
		if err == nil {
			err = disk.WriteFile(s.fs, s.cfg.rollupDir(i)+"/"+name, text)
		}
		if err != nil {
			return fmt.Errorf("%w: %w", errSums, err)
		}
		files[i] = rollupFile{s.cfg.rollupDir(i) + "/" + name, id, from, to, int64(len(text))}
	}

	// All steps or none are shown, and in the same moment the table leaves memory: a record is counted once at any time.
	r.mu.Lock()
	defer r.mu.Unlock()
	for i, f := range files {
		r.evict(f.path)
		r.files[i] = slices.DeleteFunc(slices.Clone(r.files[i]), func(o rollupFile) bool { return o.segment == id })
		r.files[i] = append(r.files[i], f)
	}
	shown()
	return nil
}

// errSums says that a file of sums could not be written.
var errSums = errors.New("write roll-up")

// rollupRetry is how long the maintenance goroutine waits after it could not make a file of sums: to try, it reads a
// whole file of records.
const rollupRetry = time.Minute

// maintain makes missing files of sealed segments again and deletes those past their time.
func (r *rollups) maintain(s *Store) {
	if now := s.cfg.Now(); now.Sub(r.failed) >= rollupRetry || now.Before(r.failed) {
		err := r.complete(s)
		s.condition.setFrom(conditionRollup, err)
		if r.failed = (time.Time{}); err != nil {
			r.failed = now
		}
	}

	// Sums outlive their records, up to an age and a size of their own.
	stored := s.segmentIDs()
	for i, age := range s.cfg.KeepRollups {
		before := s.cfg.Now().Add(-age).Unix()
		r.expire(s, i, func(f rollupFile) bool { return f.to < before && !stored[f.segment] })
	}
	r.shrink(s, stored)
}

// sumFiles is what there is of a segment.
type sumFiles struct {
	steps int
	bytes int64
}

// bySegment adds up the files of each segment. There may be thousands: it is asked for once in a look.
func (r *rollups) bySegment() map[string]sumFiles {
	r.mu.Lock()
	all := r.files // the lists never change in place
	r.mu.Unlock()

	out := map[string]sumFiles{}
	for _, files := range all {
		for _, f := range files {
			sum := out[f.segment]
			out[f.segment] = sumFiles{sum.steps + 1, sum.bytes + f.bytes}
		}
	}
	return out
}

// complete makes the missing files of sealed segments. What fails for one does not keep the others from it.
func (r *rollups) complete(s *Store) (failed error) {
	r.dropDeleted(s)
	there := r.bySegment()
	for _, stream := range Streams() {
		for _, seg := range slices.Backward(s.Segments(stream)) { // where there is no room for all, the newest have it
			if s.stopping() {
				return failed
			}
			if !seg.Sealed() || there[segmentID(stream, seg)].steps == len(rollup.Steps) {
				continue
			}

			err := r.rebuild(s, stream, seg)
			if failed == nil {
				failed = err
			}
			if errors.Is(err, errNoRoom) {
				return failed // all others would read their records in vain
			}
		}
	}
	return failed
}

// rebuild sums the records of a sealed segment. Sums that cannot be written answer from memory, while there is room.
func (r *rollups) rebuild(s *Store, stream Stream, seg *segment.Segment) error {
	table := r.unwritten(seg)
	if table == nil {
		table = rollup.NewTable(rollup.Steps[0])
		if err := seg.Each(func(rec *line.Record) { s.addTo(table, rec) }); err != nil {
			return fmt.Errorf("make roll-up again: %w", err)
		}
	}

	err := r.write(s, segmentID(stream, seg), table, func() { delete(r.live, seg) })
	if errors.Is(err, errSums) && !r.keepUnwritten(segmentID(stream, seg), seg, table) {
		err = fmt.Errorf("%w, %w", err, errNoRoom)
	}
	return err
}

// errNoRoom says that sums which cannot be written are not in memory either.
var errNoRoom = errors.New("and there is no more room in memory for sums: older records have none")

// unwritten is the table of a sealed segment whose files could not be written, nil when there is none.
func (r *rollups) unwritten(seg *segment.Segment) *rollup.Table {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.live[seg]
}

// keepUnwritten keeps a table that could not be written; false when there is no room for it. What files there are of
// the segment are not shown beside it: its records would be counted twice.
func (r *rollups) keepUnwritten(id string, seg *segment.Segment, table *rollup.Table) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	held := table.Bytes()
	for other, t := range r.live {
		if other != seg && other.Sealed() {
			held += t.Bytes()
		}
	}
	if held > unwrittenRollups {
		return false
	}

	r.live[seg] = table
	for i := range r.files {
		r.files[i] = slices.DeleteFunc(slices.Clone(r.files[i]), func(f rollupFile) bool { return f.segment == id })
	}
	return true
}

// dropDeleted drops the tables of sealed segments that are not there any more.
func (r *rollups) dropDeleted(s *Store) {
	there := map[*segment.Segment]bool{}
	for _, stream := range Streams() {
		for _, seg := range s.Segments(stream) {
			there[seg] = true
		}
	}

	r.mu.Lock()
	defer r.mu.Unlock()
	maps.DeleteFunc(r.live, func(seg *segment.Segment, _ *rollup.Table) bool { return seg.Sealed() && !there[seg] })
}

// expire deletes files of a step.
func (r *rollups) expire(s *Store, step int, gone func(rollupFile) bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	kept := r.files[step][:0:0]
	for _, f := range r.files[step] {
		if !gone(f) {
			kept = append(kept, f)
			continue
		}

		// One that cannot be deleted is still read, and tried again.
		if err := s.fs.Remove(f.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			s.condition.set(conditionRollup, err.Error())
			kept = append(kept, f)
		}

		r.evict(f.path)
	}
	r.files[step] = kept
}

// shrink deletes files of sums whose records are deleted until they are within bounds: the finest first, of these the oldest.
func (r *rollups) shrink(s *Store, stored map[string]bool) {
	r.mu.Lock()
	orphans := r.files
	total := int64(0)
	for step, files := range r.files {
		orphans[step] = slices.DeleteFunc(slices.Clone(files), func(f rollupFile) bool { return stored[f.segment] })
		for _, f := range orphans[step] {
			total += f.bytes
		}
	}
	r.mu.Unlock()

	// Steps stand from the finest to the coarsest.
	for step, files := range orphans {
		slices.SortFunc(files, func(a, b rollupFile) int { return cmp.Compare(a.to, b.to) })
		gone := map[rollupFile]bool{}
		for _, f := range files {
			if total > orphanRollups {
				gone[f] = true
				total -= f.bytes
			}
		}

		if len(gone) > 0 {
			r.expire(s, step, func(f rollupFile) bool { return gone[f] })
		}
	}
}

// evict takes out of the cache what was read of a file. The caller holds mu.
func (r *rollups) evict(path string) {
	if t := r.cache[path]; t != nil {
		r.cacheBytes -= t.Bytes()
		delete(r.cache, path)
	}
}

// segmentIDs are the segments whose records are stored.
func (s *Store) segmentIDs() map[string]bool {
	out := map[string]bool{}
	for _, stream := range Streams() {
		for _, seg := range s.Segments(stream) {
			out[segmentID(stream, seg)] = true
		}
	}
	return out
}

// Rollup calls fn for every row of buckets of one of rollup.Steps within [since, until). Rows of the same key from
// different segments are to be merged. Every record that was shown before the call is in them.
func (s *Store) Rollup(step int, since, until time.Time, fn func(rollup.Key, *rollup.Row)) {
	from, to := since.Unix(), until.Unix()
	r := &s.rollups
	for _, f := range r.eachLive(step, from, to, fn) {
		if f.to <= from || f.from >= to {
			continue
		}
		r.load(s, step, f).Each(from, to, fn)
	}
}

// eachLive visits what is in memory and returns the files that hold the rest. The committer waits meanwhile, and not while
// the files are read.
func (r *rollups) eachLive(step int, from, to int64, fn func(rollup.Key, *rollup.Row)) []rollupFile {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, t := range r.live {
		if step > 0 {
			t = t.Coarser(rollup.Steps[step])
		}
		t.Each(from, to, fn)
	}
	return r.files[step]
}

// load reads a file or takes it from the cache. What cannot be read leaves the list, so that the maintenance goroutine
// makes it again.
func (r *rollups) load(s *Store, step int, f rollupFile) *rollup.Table {
	r.mu.Lock()
	cached := r.cache[f.path]
	r.mu.Unlock()
	if cached != nil {
		return cached
	}

	// Read without the lock: the committer must not wait for the disk.
	t, whole, err := decode(s.fs, rollup.Steps[step], f.path)
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			s.condition.set(conditionRollup, fmt.Sprintf("read roll-up: %v", err))
		}
		r.dropFile(s, step, f)
		return rollup.NewTable(rollup.Steps[step])
	}
	if !whole {
		r.dropFile(s, step, f)
		return t
	}

	r.mu.Lock()
	defer r.mu.Unlock()
	if t.Bytes() > cachedRollups/4 {
		return t
	}

	if r.cacheBytes+t.Bytes() > cachedRollups {
		clear(r.cache)
		r.cacheBytes = 0
	}

	if r.cache[f.path] == nil { // two may have read it
		r.cache[f.path] = t
		r.cacheBytes += t.Bytes()
	}
	return t
}

func decode(fsys disk.FS, step time.Duration, path string) (t *rollup.Table, whole bool, err error) {
	file, err := fsys.Open(path)
	if err != nil {
		return nil, false, err
	}
	defer file.Close()

	size, err := file.Size()
	if err != nil {
		return nil, false, err
	}
	t, whole = rollup.Decode(step, io.NewSectionReader(file, 0, size))
	return t, whole, nil
}

// dropFile drops a file from the list, so that the maintenance goroutine makes it again.
func (r *rollups) dropFile(s *Store, step int, f rollupFile) {
	if !s.segmentIDs()[f.segment] {
		return // its records are deleted: what can be read of the sums is all there is
	}
	r.mu.Lock()
	r.files[step] = slices.DeleteFunc(slices.Clone(r.files[step]), func(o rollupFile) bool { return o == f })
	r.mu.Unlock()
	s.wake()
}
