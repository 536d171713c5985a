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

// quarantineBytes bounds one generation of the quarantine file; there are two.
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

// add appends a record (or what is left of one) with the reason, durably.
func (q *quarantine) add(text []byte, reason string) error {
	q.count++
	path := filepath.Join(q.dir, "quarantine.ndjson")
	if info, err := os.Stat(path); err == nil && info.Size() > quarantineBytes {
		if err := os.Rename(path, filepath.Join(q.dir, "quarantine.old.ndjson")); err != nil {
			return err
		}
	}
	entry, err := json.Marshal(struct {
		At     time.Time `json:"at"`
		Reason string    `json:"reason"`
		Text   string    `json:"text"`
	}{time.Now().UTC(), reason, string(bytes.TrimSuffix(text, []byte("\n")))})
	if err != nil {
		return err
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

// damage puts what could not be read aside and returns the record that says so.
func (q *quarantine) damage(harms []damage) (contract.SystemBody, error) {
	torn, bad := 0, 0
	for _, h := range harms {
		if len(h.torn) > 0 {
			torn += len(h.torn)
			if err := q.add(h.torn, "torn: the writer stopped in the middle of this line"); err != nil {
				return contract.SystemBody{}, err
			}
		}
		for _, text := range h.bad {
			bad++
			if err := q.add(text, "not a record"); err != nil {
				return contract.SystemBody{}, err
			}
		}
	}
	return contract.SystemBody{
		Event: EventDamaged, Level: "warn",
		Message: fmt.Sprintf("the spool was left damaged: %d bytes of torn lines cut off, %d unreadable lines skipped; both are in quarantine.ndjson", torn, bad),
		Details: map[string]any{"torn_bytes": torn, "bad_lines": bad},
	}, nil
}

// refusedBody is the record of a refused record.
func refusedBody(reason string) contract.SystemBody {
	const longest = 1024 // a reason from outside must not make a report that is refused in its turn
	if len(reason) > longest {
		reason = reason[:longest]
	}
	return contract.SystemBody{
		Event: EventQuarantined, Level: "error",
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
	return head.Event == EventDropped || head.Event == EventQuarantined || head.Event == EventDamaged
}
