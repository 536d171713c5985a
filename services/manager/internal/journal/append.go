package journal

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"gestor.local/contract"
)

// write appends the entries in one piece. After an error none of them is there.
func (j *Journal) write(entries []Entry) error {
	if j.dead != nil {
		return wrap("write", j.dead)
	}
	if err := j.ensure(); err != nil {
		return wrap("write", err)
	}
	text, err := j.encode(entries)
	if err != nil {
		return wrap("write", err)
	}
	if j.size > j.head && j.size+int64(len(text)) > j.opts.SegmentBytes {
		if err := j.rotate(); err != nil {
			return wrap("rotate", err)
		}
		if text, err = j.encode(entries); err != nil { // the head took sequence numbers
			return wrap("write", err)
		}
	}
	if n, err := j.active.Write(text); err != nil {
		return wrap("write", j.takeBack(n, err))
	}
	j.size += int64(len(text))
	for _, e := range entries {
		j.state.take(e)
	}
	return nil
}

// encode numbers and dates the entries and makes lines of them.
func (j *Journal) encode(entries []Entry) ([]byte, error) {
	var text []byte
	now := j.opts.Now().UTC()
	for i := range entries {
		entries[i].V, entries[i].Seq, entries[i].At = entryVersion, j.state.seq+uint64(i)+1, now
		line, err := json.Marshal(entries[i])
		if err != nil {
			return nil, err
		}
		text = append(append(text, line...), '\n')
	}
	return text, nil
}

// takeBack removes the beginning of a line that did not fit. If that fails too, the file cannot be trusted any more.
func (j *Journal) takeBack(written int, cause error) error {
	if written == 0 {
		return cause
	}
	if err := j.active.Truncate(j.size); err != nil {
		return j.failed(fmt.Errorf("%w, then %w", cause, err))
	}
	return cause
}

// sync makes everything written so far durable. A failure is final.
func (j *Journal) sync() error {
	if err := j.active.Sync(); err != nil {
		return wrap("sync", j.failed(err))
	}
	return nil
}

// rotate begins a new segment whose head says all that is still needed of the old ones. The new one is complete on disk
// before the old one is left.
func (j *Journal) rotate() error {
	entries := j.state.carried(j.opts.Now())
	text, err := j.encode(entries)
	if err != nil {
		return err
	}
	path := filepath.Join(j.dir, segmentName(j.state.seq+1))
	err = publish(path, func(w io.Writer) error {
		_, err := w.Write(text)
		return err
	})
	if err != nil {
		return err
	}
	next, err := j.opts.open(path)
	if err != nil {
		if os.Remove(path) != nil {
			j.dead = ErrFailed // a newer segment that is not written to would hide what the old one still takes
		}
		return err
	}
	if j.active != nil {
		j.active.Close() // synced by every intent and outcome; nothing after them is owed
	}
	j.active, j.path, j.size, j.head = next, path, int64(len(text)), int64(len(text))
	j.state.seq += uint64(len(entries))
	j.tidy()
	return nil
}

// carried is what a new segment begins with: the head, the policy, the intents that are open, the throttles in force.
func (s *state) carried(now time.Time) []Entry {
	out := []Entry{{Head: &Head{LastTick: s.tick, RecentRemovals: s.recentRemovals(now)}}}
	if s.policy != nil {
		out = append(out, Entry{Carried: true, Policy: s.policy})
	}
	for _, h := range oldestFirst(s.open) {
		out = append(out, Entry{Carried: true, Intent: &h.intent})
	}
	for _, h := range oldestFirst(s.throttled) {
		out = append(out, Entry{Carried: true, Intent: &h.intent},
			Entry{Carried: true, Outcome: &Outcome{ActionID: h.intent.ActionID, Outcome: contract.OutcomeDone}})
	}
	return out
}

// tidy seals what is no longer written to, deletes what is too old and what a crash left half done. It may fail (a full
// disk) without harm: the next rotation tries again.
func (j *Journal) tidy() {
	if parts, err := filepath.Glob(filepath.Join(j.dir, "*"+partSuffix)); err == nil {
		for _, p := range parts {
			os.Remove(p)
		}
	}
	all, err := segments(j.dir)
	if err != nil {
		return
	}
	for _, s := range all {
		if s.sealed {
			os.Remove(strings.TrimSuffix(s.path, sealedSuffix) + plainSuffix) // left by a crash between rename and remove
		} else if s.path != j.path {
			_ = seal(s)
		}
	}
	_ = retain(j.dir, j.opts.MaxBytes, j.opts.MaxSegments)
}
