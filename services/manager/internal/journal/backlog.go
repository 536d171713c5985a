package journal

import (
	"gestor.local/contract"

	"gestor.local/wal/disk"
)

// Backlog is what the journal holds behind a given entry, for those who report it to somebody else.
type Backlog struct {
	// Entries are the intents, the outcomes and those ticks that decided a removal, oldest first.
	Entries []Entry
	// Intents are those that the outcomes belong to, by action id, also earlier ones.
	Intents map[string]Intent
	// LastTick is the newest tick, also an earlier one; nil where the segments that were read hold none.
	LastTick *Entry
}

// Behind returns what follows the entry with the given number. It reads from the segment on in which that stands: what an
// outcome needs of earlier ones is carried at its head.
func Behind(dir string, seq uint64) (Backlog, error) {
	b := Backlog{Intents: make(map[string]Intent)}
	all, err := segments(disk.OS{}, dir)
	if err != nil {
		return b, err
	}

	for len(all) > 1 && all[1].first <= seq+1 {
		all = all[1:]
	}

	for _, s := range all {
		read := reader{version: version2, visit: func(e Entry) error { b.add(e, seq); return nil }}
		if _, err := scan(s.path, read); err != nil {
			return b, err
		}
	}
	return b, nil
}

func (b *Backlog) add(e Entry, seq uint64) {
	later := e.Seq > seq && !e.Carried
	switch {
	case e.Intent != nil:
		b.Intents[e.Intent.ActionID] = *e.Intent
	case e.Tick != nil:
		b.LastTick = &e
		later = later && e.Tick.removes()
	case e.Outcome == nil:
		return
	}

	if later {
		b.Entries = append(b.Entries, e)
	}
}

// removes says whether the tick decided to remove something: a gated one decides nothing.
func (t *Tick) removes() bool {
	plan, err := t.Decoded()
	if err != nil || len(t.Gates) > 0 {
		return false
	}
	for _, v := range plan.Verdicts {
		if v.Verdict == contract.VerdictRemove {
			return true
		}
	}
	return false
}
