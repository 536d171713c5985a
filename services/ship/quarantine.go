package ship

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"gestor.local/contract"
)

// quarantineBytes bounds one generation of the quarantine file; there are two. The longest text is escaped into six times
// its bytes and still fits.
const quarantineBytes = 1 << 20

// refusal is a record that nobody takes, and why.
type refusal struct {
	text   []byte
	reason string
}

// quarantine is the file of the records that were given up.
type quarantine struct {
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
	path := filepath.Join(q.dir, "quarantine.ndjson")
	if info, err := os.Stat(path); err == nil && info.Size()+int64(len(entry)) >= quarantineBytes {
		if err := os.Rename(path, filepath.Join(q.dir, "quarantine.old.ndjson")); err != nil {
			return err
		}
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o640)
	if err != nil {
		return err
	}
	if _, err = f.Write(append(entry, '\n')); err == nil {
		err = f.Sync()
	}
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	return err
}

// harm counts what was put aside when the spool was opened.
type harm struct{ tornBytes, badLines int }

// damage puts what could not be read aside and counts it.
func (q *quarantine) damage(d damage, found *harm) error {
	if len(d.torn) > 0 {
		found.tornBytes += len(d.torn)
		if err := q.add(d.torn, "torn: the writer stopped in the middle of this line"); err != nil {
			return err
		}
	}
	for _, l := range d.bad {
		found.badLines++
		if err := q.add(l.text, "not a record"); err != nil {
			return err
		}
	}
	return nil
}

// body is the record of what was found.
func (h harm) body() contract.SystemBody {
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
