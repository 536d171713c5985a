package journal

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"
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
}

// recovered reads what the folder holds, cuts a torn tail off the newest segment and returns it, ready to be written to.
// The segment is nil in a new journal.
func recovered(dir string, o Options) (*segmentFile, state, Recovery, error) {
	all, err := segments(dir)
	if err != nil || len(all) == 0 {
		return nil, newState(), Recovery{}, err
	}
	newest := all[len(all)-1]
	st := newState()
	stats, err := reader{visit: st.visit}.file(newest.path)
	var broken *damage
	if errors.As(err, &broken) {
		err = nil
		stats.BadLines++
	}
	if err == nil && len(all) > 1 && (stats.BadLines > 0 || !st.headed) {
		st = newState() // what the head said may be lost: it stands in the older ones too
		_, err = Scan(dir, st.visit)
	}
	if err != nil {
		return nil, st, Recovery{}, err
	}
	r := Recovery{BadLines: stats.BadLines, TornBytes: stats.TornBytes}
	if stats.TornBytes > 0 && !newest.sealed {
		r.TornCopy, err = cutTail(dir, newest.path, stats.goodBytes, o)
	}
	newest.size = stats.goodBytes
	return &newest, st, r.fill(st, o.Now()), err
}

func (s *state) visit(e Entry) error {
	s.take(e)
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

// cutTail copies everything after the last good line aside, then truncates. A full disk may be what tore the line: without
// room for the copy it truncates all the same, since a half-written line is worth less than a manager that starts.
func cutTail(dir, path string, good int64, o Options) (string, error) {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return "", err
	}
	defer f.Close()
	if _, err := f.Seek(good, io.SeekStart); err != nil {
		return "", err
	}
	aside := filepath.Join(dir, fmt.Sprintf("%s%s%s", tornPrefix, o.Now().UTC().Format("20060102T150405.000000000"), plainSuffix))
	err = o.publish(aside, func(w io.Writer) error {
		_, err := io.Copy(w, f)
		return err
	})
	switch {
	case noRoom(err):
		aside = ""
	case err != nil:
		return "", err
	}
	if err := firstError(func() error { return f.Truncate(good) }, f.Sync); err != nil {
		return aside, err
	}
	return aside, dropOldTorn(dir)
}

// noRoom says that the disk, the quota or the limit of the process has no place for what was to be written.
func noRoom(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) || errors.Is(err, syscall.EFBIG)
}

func dropOldTorn(dir string) error {
	torn, err := filepath.Glob(filepath.Join(dir, tornPrefix+"*"+plainSuffix))
	if err != nil {
		return err
	}
	slices.Sort(torn) // the name begins with the time
	for len(torn) > maxTorn {
		if err := os.Remove(torn[0]); err != nil {
			return err
		}
		torn = torn[1:]
	}
	return nil
}
