package ship

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"

	"gestor.local/wal/disk"
)

// ErrVersion is wrapped by the error of a spool that a later release wrote.
var ErrVersion = errors.New("a later release wrote the spool (start that release, or move the spool's folder aside: what was not sent stays in it)")

// stateVersion is the version of the state that this package reads and writes; a state without one is of the first.
const stateVersion = 1

// state is what the record files cannot say once they are deleted.
type state struct {
	// Spool is drawn when the spool is made (see the package comment, Identity).
	Spool string `json:"spool"`
	// LastPSeq is a lower bound of the last pseq given; Delivered the last one that needs no more sending.
	LastPSeq  uint64 `json:"last_pseq"`
	Delivered uint64 `json:"delivered"`
	// Events is the last pseq up to which no event needs sending; only when it is above Delivered has it a meaning.
	Events uint64 `json:"events_delivered,omitempty"`
	// Journalled and JournalledObservations are the highest JournalSeq of the events and of the observations.
	Journalled             uint64 `json:"journalled,omitempty"`
	JournalledObservations uint64 `json:"journalled_observations,omitempty"`
	// Again are the records, by ranges of pseq, that still have to be given the spool id (see conflict.go).
	Again [][2]uint64 `json:"again,omitempty"`
}

// after is the state once a batch has arrived.
func (st state) after(b batch) state {
	if b.eventsOnly {
		st.Events = max(st.Events, b.last)
	} else {
		st.Delivered = max(st.Delivered, b.last)
	}
	return st
}

// eventsDelivered is the last pseq up to which no event needs sending.
func (st state) eventsDelivered() uint64 { return max(st.Delivered, st.Events) }

// Names of the files beside the streams'.
const (
	stateFile = "state.json"
	lockFile  = "LOCK"
	// Records that nobody accepts, and the generation before.
	quarantineFile    = "quarantine.ndjson"
	oldQuarantineFile = "quarantine.old.ndjson"
)

// errInUse says that another process holds the folder.
var errInUse = errors.New("another process uses it (give each its own folder)")

// loadState reads the state or, in a new folder, makes one. A state that cannot be read is replaced by a new one with
// a new spool id: the records that lie there keep the identity they carry.
func loadState(fsys disk.FS, dir string) (st state, err error) {
	text, err := disk.ReadFile(fsys, path.Join(dir, stateFile))
	if later(text, stateVersion) {
		return st, fmt.Errorf("read spool state: %w", ErrVersion)
	}
	if err == nil && json.Unmarshal(text, &st) == nil && st.Spool != "" {
		return st, nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return st, fmt.Errorf("read spool state: %w", err)
	}

	st = state{Spool: newID()}
	return st, st.save(fsys, dir)
}

// later says whether a JSON object names a version above the known one, whatever else it holds.
func later(text []byte, known int) bool {
	var head struct {
		V int `json:"v"`
	}
	return json.Unmarshal(text, &head) == nil && head.V > known
}

// newID draws a spool id.
func newID() string {
	id := make([]byte, idLength/2)
	_, _ = rand.Read(id) // never fails (crypto/rand)
	return hex.EncodeToString(id)
}

// idLength is that of a spool id in hex digits.
const idLength = 8

// save replaces the state file: after it returns nil a power cut cannot bring the old state back. After a disk.SyncError it
// is not known which state a power cut would leave; after any other error the old one is untouched.
func (st state) save(fsys disk.FS, dir string) error {
	text, err := json.Marshal(st)
	if err != nil {
		return err
	}
	if err := disk.WriteFile(fsys, path.Join(dir, stateFile), append(text, '\n')); err != nil {
		return fmt.Errorf("write spool state: %w", err)
	}
	return nil
}

// lockFolder takes the folder for this process, and makes it if need be; the lock goes with the process.
func lockFolder(fsys disk.FS, dir string) (disk.Lock, error) {
	if err := fsys.Mkdir(dir); err != nil {
		return nil, fmt.Errorf("make spool folder: %w%s", err, writable)
	}

	name := path.Join(dir, lockFile)
	f, err := fsys.Append(name) // a lock can be had on what may only be read
	if err != nil {
		return nil, fmt.Errorf("lock spool: %w%s", err, writable)
	}
	_ = f.Close() // nothing was written to it

	lock, err := fsys.Lock(name)
	if errors.Is(err, disk.ErrHeld) {
		err = errInUse
	}
	if err != nil {
		return nil, fmt.Errorf("lock spool %s: %w", dir, err)
	}
	return lock, nil
}
