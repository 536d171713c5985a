package journal

import (
	"errors"
	"path"
	"slices"
	"strings"
	"time"

	"gestor.local/manager/internal/rules"
	"gestor.local/wal"
	"gestor.local/wal/disk"
)

// maxTorn is how many tails that were cut off are kept for whoever wants to look at them.
const maxTorn = 4

// Recovery says what Open found.
type Recovery struct {
	// Open lists the intents without an outcome, oldest first: each must be verified against the engine and closed.
	Open []Intent
	// Throttled lists the throttles in force, oldest first: each must be undone or taken over.
	Throttled []Intent
	// RecentRemovals are the times of removals begun in the last minute: they count towards caps.per_minute.
	RecentRemovals []time.Time
	LastTick       uint64
	PolicyHash     string // of the last policy written, "" in a new journal
	BadLines       int
	TornBytes      int64
	// TornCopy is the file with the tail that was cut off, "" where the disk had no room for it: the tail is lost then.
	TornCopy string

	// The following are of version 2. Memory is that of the rules after all that was written, Facts are those of the last tick; nil
	// where the journal has none.
	Memory *rules.Memory
	Facts  *rules.Facts
}

// recovered reads what the folder holds, cuts a torn tail off the newest segment and returns it, ready to be written to.
// The file is nil where a new segment is to be begun: in a new journal, and after one that is sealed or has lost some of what
// it carried.
func recovered(fsys disk.FS, dir string, o Options) (*wal.File, state, Recovery, error) {
	all, err := segments(fsys, dir)
	if err != nil || len(all) == 0 {
		return nil, newState(), Recovery{}, err
	}

	newest := all[len(all)-1]
	st, stats, carries, err := readState(fsys, all)
	if err != nil {
		return nil, st, Recovery{}, err
	}

	r := Recovery{BadLines: stats.BadLines, TornBytes: stats.TornBytes}.fill(st, o.Now())
	if newest.sealed {
		return nil, st, r, nil
	}

	active, err := wal.Open(fsys, newest.path)
	if err != nil {
		return nil, st, r, err
	}
	if r.TornCopy, err = cutTail(fsys, dir, active, stats.goodBytes, o.Now()); err != nil {
		active.Close()
		return nil, st, r, err
	}

	if !carries {
		return nil, st, r, active.Close()
	}
	return active, st, r, nil
}

// readState reads the newest segment, of which the stats are, and all of them where something of its head may be lost: what
// that said stands in the older ones too. carries is false when the segment ends before an entry of its own: then nobody
// knows whether all that it carried is there.
func readState(fsys disk.FS, all []segmentFile) (st state, stats Stats, carries bool, err error) {
	st = newState()
	newest := all[len(all)-1]
	stats, err = reader{fsys: fsys, visit: st.visit}.file(newest.path)
	var corrupt *corruptError
	if errors.As(err, &corrupt) {
		err = nil
		stats.BadLines++
	}

	if err != nil || len(all) == 1 {
		return st, stats, true, err
	}

	carries = st.hasOwn || !st.hasHead // without a head it is never taken for whole
	if stats.BadLines == 0 && st.hasHead && carries {
		return st, stats, carries, nil
	}
	st = newState()
	_, err = reader{fsys: fsys, visit: st.visit}.files(paths(all))
	return st, stats, carries, err
}

func (s *state) visit(e Entry) error {
	s.apply(e)
	return nil
}

func (r Recovery) fill(st state, now time.Time) Recovery {
	for _, h := range oldestFirst(st.open) {
		r.Open = append(r.Open, h.intent)
	}
	for _, h := range oldestFirst(st.throttled) {
		r.Throttled = append(r.Throttled, h.intent)
	}

	r.RecentRemovals = st.recentRemovals(now)
	r.LastTick = st.tick
	if st.policy != nil {
		r.PolicyHash = st.policy.Hash
	}
	return r
}

// cutTail cuts off everything after the last good line and returns the name of its copy, "" where nothing is torn. A full disk
// may be what tore the line: without room for the copy it is cut all the same, since a half-written line is worth less than
// a manager that starts.
func cutTail(fsys disk.FS, dir string, active *wal.File, good int64, now time.Time) (saved string, err error) {
	if active.Size() == good {
		return "", nil
	}

	name := path.Join(dir, tornPrefix+now.UTC().Format("20060102T150405.000000000")+plainSuffix)
	_, err = active.CutTail(good, func(tail []byte) error {
		err := disk.WriteFile(fsys, name, tail)
		if disk.NoSpace(err) {
			return nil
		}
		saved = name
		return err
	})

	if err == nil {
		err = active.Sync()
	}
	if err != nil {
		return saved, err
	}
	return saved, dropOldTorn(fsys, dir)
}

func dropOldTorn(fsys disk.FS, dir string) error {
	names, err := fsys.List(dir)
	if err != nil {
		return err
	}
	torn := slices.DeleteFunc(names, func(name string) bool { // sorted, and the name begins with the time
		return !strings.HasPrefix(name, tornPrefix) || !strings.HasSuffix(name, plainSuffix)
	})

	for len(torn) > maxTorn {
		if err := fsys.Remove(path.Join(dir, torn[0])); err != nil {
			return err
		}
		torn = torn[1:]
	}
	return nil
}
