package journal

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"io/fs"
	"strings"
	"time"

	"gestor.local/wal/disk"
)

// reserveBytes is what the facts leave free for intents, outcomes and approvals, whatever Options.MinFree says. A tick of 1,000
// containers that all go is under 1 MiB of them.
const reserveBytes = 8 << 20

// ErrNoRoom says that the disk has no room left for what has to be written about an action.
var ErrNoRoom = errors.New("the disk is full: free some space, or lower GESTOR_MIN_FREE")

// Short says that facts are not written for want of room. Intents, outcomes and approvals are.
func (j *Journal) Short() bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.rec.short
}

// Rotated is sent to when a segment is complete: CleanUp has something to do then.
func (j *Journal) Rotated() <-chan struct{} { return j.rec.rotated }

// isShort says whether there is too little room for facts, when all segments but the newest have been given up for them. What was
// short once needs an eighth more.
func (j *Journal) isShort() bool {
	least := max(j.opts.MinFree, reserveBytes)
	if j.rec.short {
		least += least / 8
	}

	if j.hasFree(least) {
		return false
	}

	all, err := segments(j.fsys, j.dir)
	for err == nil && len(all) > 1 && !j.hasFree(least) {
		err = j.fsys.Remove(all[0].path)
		all = all[1:]
	}

	return !j.hasFree(least)
}

func (j *Journal) hasFree(least uint64) bool {
	free, err := j.fsys.Free(j.dir)
	return err != nil || free >= least // unknown: the write itself will say
}

// checkRoom is nil while there is room for what actions have to write. They may use three quarters of the reserve; the rest is for
// the outcomes of those under way.
func (j *Journal) checkRoom() error {
	if j.opts.Version == version2 && !j.hasFree(reserveBytes/4) {
		return ErrNoRoom
	}
	return nil
}

// isOld says that the newest segment was begun so long ago that another one is to begin.
func (j *Journal) isOld() bool {
	return j.opts.Now().Unix()-j.rec.begun >= int64(segmentAge.Seconds())
}

// CleanUp seals what is no longer written to and deletes what is too old or too much, the oldest first. It may take seconds, and is
// called beside the loop, by one at a time. It may fail (a full disk) without harm: the next one tries again. A journal of version
// 1 does this by itself.
func (j *Journal) CleanUp() error {
	all, err := segments(j.fsys, j.dir)
	if err != nil {
		return wrap("clean up", err)
	}

	// Which one is written to is asked after the list was taken: one that was begun since is not in it.
	j.mu.Lock()
	active := j.active.Name()
	j.mu.Unlock()

	for _, s := range all {
		var err error
		switch {
		case s.path == active:
			continue

		case s.sealed: // a crash between rename and remove leaves the plain one
			err = j.fsys.Remove(strings.TrimSuffix(s.path, sealedSuffix) + plainSuffix)
		default:
			err = seal(j.fsys, s)
		}

		// What is not there any more was given up for want of room meanwhile.
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return wrap("clean up", err)
		}
	}

	return wrap("clean up", j.retain())
}

// retain deletes what is too much, and what ended before the longest time that is kept: the segment behind it was begun then.
func (j *Journal) retain() error {
	if err := retain(j.fsys, j.dir, j.opts.MaxBytes, j.opts.MaxSegments); err != nil {
		return err
	}

	all, err := segments(j.fsys, j.dir)
	for err == nil && len(all) > 1 {
		begun, ok := begunAt(j.fsys, all[1])
		if !ok || j.opts.Now().Sub(begun) < j.opts.MaxAge {
			return nil
		}
		err = j.fsys.Remove(all[0].path)
		all = all[1:]
	}

	return err
}

// begunAt is the time in the first line of a segment; ok is false where that cannot be read.
func begunAt(fsys disk.FS, s segmentFile) (at time.Time, ok bool) {
	f, err := reader{fsys: fsys}.open(s.path)
	if err != nil {
		return time.Time{}, false
	}

	defer f.Close()

	var text io.Reader = f
	if s.sealed {
		z, err := gzip.NewReader(f)
		if err != nil {
			return time.Time{}, false
		}
		defer z.Close()
		text = z
	}

	start := make([]byte, 128) // v, seq and at are at the beginning of the line
	n, _ := io.ReadFull(text, start)
	_, rest, _ := bytes.Cut(start[:n], []byte(`"at":"`))
	written, _, _ := bytes.Cut(rest, []byte(`"`))
	at, err = time.Parse(time.RFC3339Nano, string(written))
	return at, err == nil
}
