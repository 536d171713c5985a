package journal

import (
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"strings"
	"time"

	"gestor.local/contract"

	"gestor.local/manager/internal/journal/line"
	"gestor.local/wal"
	"gestor.local/wal/disk"
)

// write appends the entries in one piece. After an error none of them is there.
func (j *Journal) write(entries []Entry) error {
	if j.failed != nil {
		return wrap("write", j.failed)
	}
	if err := j.ensureInPlace(); err != nil {
		return wrap("write", err)
	}
	text, err := j.encode(entries)
	if err != nil {
		return wrap("write", err)
	}

	if j.opts.Version == version1 && j.active.Size() > j.head && j.active.Size()+int64(len(text)) > j.opts.SegmentBytes {
		if err := j.rotate(); err != nil {
			return wrap("rotate", err)
		}
		if text, err = j.encode(entries); err != nil { // the head took sequence numbers
			return wrap("write", err)
		}
	}

	if err := j.active.Append(text); err != nil {
		return wrap("write", j.failIfBroken(err))
	}
	for _, e := range entries {
		if e.V == version2 {
			j.happened(&e)
		}
		j.state.apply(e)
	}
	return nil
}

// encode numbers and dates the entries and makes lines of them.
func (j *Journal) encode(entries []Entry) ([]byte, error) {
	var text []byte
	now := j.opts.Now().UTC()
	for i := range entries {
		entries[i].V, entries[i].Seq, entries[i].At = j.versionOf(&entries[i]), j.state.seq+uint64(i)+1, now
		object, err := json.Marshal(entries[i])
		if err != nil {
			return nil, err
		}

		if entries[i].V == version1 {
			text = append(append(text, object...), '\n')
			continue
		}
		from := len(text)
		text = line.Seal(append(text, object[:len(object)-len("}")]...), from)
	}
	return text, nil
}

// versionOf is the version of the entry's line: what a policy of version 1 decided is of version 1 in either journal.
func (j *Journal) versionOf(e *Entry) int {
	if e.Tick != nil || e.Policy != nil && e.Policy.Policy2 == nil && e.Since == 0 {
		return version1
	}
	return j.opts.Version
}

// sync makes everything written so far durable. A failure is final.
func (j *Journal) sync() error { return wrap("sync", j.failIfBroken(j.active.Sync())) }

// failIfBroken makes an error final after which nobody knows what the file holds.
func (j *Journal) failIfBroken(err error) error {
	if errors.Is(err, wal.ErrBroken) {
		return j.fail(err)
	}
	return err
}

func (j *Journal) fail(cause error) error {
	j.failed = ErrFailed
	return fmt.Errorf("%w: %w", ErrFailed, cause)
}

// rotate begins a new segment whose head says all that is still needed of the old ones. The new one is complete on disk
// before the old one is left.
func (j *Journal) rotate() error {
	if j.opts.Version == version2 {
		return j.beginFacts()
	}

	entries := j.state.checkpoint(j.opts.Now())
	text, err := j.encode(entries)
	if err != nil {
		return err
	}
	next, err := wal.CreateWith(j.fsys, path.Join(j.dir, segmentName(j.state.seq+1)), text)
	if err != nil {
		return j.failIfBroken(err)
	}

	if j.active != nil {
		j.active.Close() // synced by every intent and outcome; nothing that follows them must last
	}
	j.active, j.head = next, next.Size()
	j.state.seq += uint64(len(entries))
	j.cleanUp()
	return nil
}

// checkpoint is what a new segment begins with: the head, the policy, the intents that are open, the throttles in force.
func (s *state) checkpoint(now time.Time) []Entry {
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

// removeUnfinished deletes the files that a crash left half written.
func (j *Journal) removeUnfinished() error {
	names, err := j.fsys.List(j.dir)
	if err != nil {
		return err
	}
	for _, name := range names {
		if strings.HasSuffix(name, disk.TempExt) || strings.HasSuffix(name, partSuffix) {
			_ = j.fsys.Remove(path.Join(j.dir, name))
		}
	}
	return nil
}

// cleanUp seals what is no longer written to, deletes what is too old and what a crash left half done. It may fail (a full
// disk) without harm: the next rotation tries again.
func (j *Journal) cleanUp() {
	if j.removeUnfinished() != nil {
		return
	}

	all, err := segments(j.fsys, j.dir)
	if err != nil {
		return
	}

	for _, s := range all {
		switch {
		case s.sealed: // a crash between rename and remove leaves the plain one
			_ = j.fsys.Remove(strings.TrimSuffix(s.path, sealedSuffix) + plainSuffix)
		case s.path != j.active.Name():
			_ = seal(j.fsys, s)
		}
	}
	_ = retain(j.fsys, j.dir, j.opts.MaxBytes, j.opts.MaxSegments)
}
