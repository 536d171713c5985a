package ship

import (
	"bytes"
	"encoding/json"
	"fmt"
	"path"
	"time"

	"gestor.local/contract"
	"gestor.local/wal"
	"gestor.local/wal/disk"
)

// quarantineBytes bounds one generation of the quarantine file; there are two. The longest text is escaped into six times
// its bytes and still fits.
const quarantineBytes = 1 << 20

// rejected is a record that nobody takes, and why.
type rejected struct {
	text   []byte
	reason string
}

// quarantine is the file of the records that were given up.
type quarantine struct {
	fsys  disk.FS
	dir   string
	count uint64
}

// add appends a record (or what is left of one) with the reason, durably. Of a text longer than any record the beginning
// is kept: the tail of a file that a power cut left full of zeros must not fill the volume.
func (q *quarantine) add(text []byte, reason string) error {
	q.count++

	text = bytes.TrimSuffix(text, []byte("\n"))
	entry, err := json.Marshal(struct {
		At     time.Time `json:"at"`
		Reason string    `json:"reason"`
		Bytes  int       `json:"bytes"` // of the whole text
		Text   string    `json:"text"`
	}{time.Now().UTC(), reason, len(text), string(text[:min(len(text), contract.MaxRecordBytes)])})
	if err != nil {
		return err
	}

	return q.append(append(entry, '\n'))
}

func (q *quarantine) append(entry []byte) error {
	name := path.Join(q.dir, quarantineFile)

	// A new file's name has to be made durable with its first line.
	open := wal.Open
	switch info, err := q.fsys.Stat(name); {
	case disk.Missing(err):
		open = wal.Create
	case err == nil && info.Size+int64(len(entry)) > quarantineBytes:
		if err := q.fsys.Rename(name, path.Join(q.dir, oldQuarantineFile)); err != nil {
			return err
		}
		open = wal.Create
	}

	f, err := open(q.fsys, name)
	if err != nil {
		return err
	}

	if err = f.Append(entry); err == nil {
		err = f.Sync()
	}

	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	return err
}

// damageCount counts what was put into quarantine when the spool was opened.
type damageCount struct{ tornBytes, badLines int }

// repair repairs a segment, of which this file gets what could not be read, and counts that.
func (q *quarantine) repair(seg *segment, found damage, count *damageCount) error {
	count.tornBytes += int(found.torn)
	count.badLines += len(found.bad)
	return seg.repair(found, q.add)
}

// body is the record of what was found.
func (h damageCount) body() contract.SystemBody {
	return contract.SystemBody{
		Event: EventDamaged, Level: contract.LevelWarn,
		Message: fmt.Sprintf("the spool was left damaged: %d bytes of torn lines cut off, %d unreadable lines skipped; both are in quarantine.ndjson", h.tornBytes, h.badLines),
		Details: map[string]any{"torn_bytes": h.tornBytes, "bad_lines": h.badLines},
	}
}

// refusedBody is the record of a refused record.
func refusedBody(reason string) contract.SystemBody {
	const longest = 1024 // a reason from outside must not make a report that is refused in its turn
	if len(reason) > longest {
		reason = reason[:longest]
	}
	return contract.SystemBody{
		Event: EventQuarantined, Level: contract.LevelError,
		Message: "a record that the log service does not take was put into quarantine.ndjson",
		Details: map[string]any{"reason": reason},
	}
}

// isReport says whether a line is one of the spool's own records.
func isReport(text []byte) bool {
	var head struct {
		Event string `json:"event"`
	}
	if json.Unmarshal(text, &head) != nil {
		return false
	}

	switch head.Event {
	case EventDropped, EventQuarantined, EventDamaged, EventMoved, EventConflict:
		return true
	default:
		return false
	}
}
