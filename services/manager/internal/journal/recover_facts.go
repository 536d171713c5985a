package journal

import (
	"errors"

	"gestor.local/wal"
	"gestor.local/wal/disk"
)

// beginRecorded is begin for version 2: it goes on in the newest segment where all of that is as it was written, and else begins
// another one with what is known.
func (j *Journal) beginRecorded() (Recovery, error) {
	found, err := readRecorded(j.fsys, j.dir)
	if err != nil {
		return Recovery{}, err
	}

	if err := j.removeUnfinished(); err != nil {
		return Recovery{}, err
	}

	j.state = found.state
	j.state.seq = max(found.state.seq, j.opts.After)
	h := found.history
	j.rec.table, j.rec.memory, j.rec.on = h.table, h.Memory(), h.on

	r := Recovery{BadLines: found.stats.BadLines, TornBytes: found.stats.TornBytes}.fill(found.state, j.opts.Now())
	if h.hasHead {
		memory := h.Memory()
		r.Memory = &memory
	}

	if h.hasHead && h.table.Tick() > 0 {
		facts := h.table.Facts()
		r.Facts = &facts
	}

	if found.newest != "" {
		if j.active, err = wal.Open(j.fsys, found.newest); err != nil {
			return r, err
		}
		if r.TornCopy, err = cutTail(j.fsys, j.dir, j.active, found.stats.goodBytes, j.opts.Now()); err != nil {
			j.active.Close()
			return r, err
		}
	}

	if found.newest != "" && found.whole {
		j.rec.begun, j.rec.ticks = found.begun, h.ticks
		return r, nil
	}

	return r, j.rotate()
}

// recorded is what a journal holds.
type recorded struct {
	state   state
	history *History
	stats   Stats
	// newest is the segment that was written to last, "" where it is sealed; whole says that nothing of it is missing, begun is when
	// it was begun, in Unix seconds.
	newest string
	whole  bool
	begun  int64
}

// readRecorded reads from the newest segment on whose head is whole: that says all that is needed of those before it.
func readRecorded(fsys disk.FS, dir string) (recorded, error) {
	r := recorded{state: newState(), history: NewHistory()}
	all, err := segments(fsys, dir)
	if err != nil || len(all) == 0 {
		return r, err
	}

	newest := all[len(all)-1]
	from := len(all) - 1
	version, whole, err := headOf(fsys, newest)
	for from > 0 && err == nil && (!whole || version == version1) {
		from-- // of version 1 all are read: what its newest carries may not be all of it
		version, whole, err = headOf(fsys, all[from])
	}

	if err != nil {
		return r, err
	}

	for _, s := range all[from:] {
		stats, err := r.read(fsys, s)
		if err != nil {
			return r, err
		}
		stats.BadLines += r.stats.BadLines
		r.stats = stats
	}

	r.whole = from == len(all)-1 && version == version2 && whole && r.stats.BadLines == 0 && r.history.Whole() && r.history.Lost() == 0
	if !newest.sealed {
		r.newest = newest.path
	}

	if begun, ok := begunAt(fsys, newest); ok {
		r.begun = begun.Unix()
	}

	return r, nil
}

func (r *recorded) read(fsys disk.FS, s segmentFile) (Stats, error) {
	senseless := 0
	stats, err := reader{fsys: fsys, version: version2, visit: func(e Entry) error {
		r.state.apply(e)
		if r.history.Add(e) != nil {
			senseless++
		}
		return nil
	}}.file(s.path)

	stats.BadLines += senseless
	var corrupt *corruptError
	if errors.As(err, &corrupt) {
		stats.BadLines++
		err = nil
	}

	return stats, err
}

// headOf says of which version the first line of a segment is, 0 where it is no head, and whether all that it carries is there.
func headOf(fsys disk.FS, s segmentFile) (version int, whole bool, err error) {
	first, carried, missing := true, 0, 0
	_, err = reader{fsys: fsys, version: version2, visit: func(e Entry) error {
		switch {
		case first && e.Head == nil:
			return ErrStop

		case first:
			first, version, missing = false, e.V, e.Head.Carried
			return nil

		case e.Carried:
			carried++
			return nil

		default:
			return ErrStop
		}
	}}.file(s.path)

	var corrupt *corruptError
	if errors.As(err, &corrupt) || errors.Is(err, ErrStop) {
		err = nil
	}

	return version, version > 0 && carried >= missing, err
}
