package journal

import (
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"slices"
	"sync"
	"time"

	"gestor.local/contract"

	"gestor.local/wal"
	"gestor.local/wal/disk"
)

// Defaults of Options. With the generator's default churn 4 MiB are half an hour and 64 MiB, compressed, some days: docs/journal.md
// has the figures.
const (
	defaultSegmentBytes = 4 << 20
	defaultMaxBytes     = 64 << 20
	defaultMaxSegments  = 1000
)

// The same for version 2, and how long a segment is written to at most. Of 200 still containers 8 MiB are some hours, which take a
// second or two to read at a start; of 1,000 the head is a tenth of them.
const (
	factsSegmentBytes = 8 << 20
	factsMaxBytes     = 256 << 20
	factsMaxAge       = 14 * 24 * time.Hour
	segmentAge        = 24 * time.Hour
)

// segmentTicks is how many ticks stand in a segment at most. Whoever asks for what the rules know on a tick, a start as well, goes over
// those before it in its segment, which is half a millisecond of a processor each with 200 containers.
const segmentTicks = 1440

// Options of a journal; zero values take the defaults.
type Options struct {
	// Version of the lines that are written, 1 where it is 0. Lines of version 1 are read in either case.
	Version      int
	SegmentBytes int64 // at which a new segment is begun
	MaxBytes     int64 // of all segments together, beyond which the oldest are deleted
	MaxSegments  int
	// MaxAge is how long a segment is kept, and MinFree what facts leave free on the disk, in bytes; both with version 2 alone.
	MaxAge  time.Duration
	MinFree uint64
	// After is a number above which the entries are to be counted: somebody has seen numbers up to it, also where the journal
	// was lost or is an older copy.
	After uint64
	Now   func() time.Time
	FS    disk.FS // the operating system's, with modes for the owner alone
}

func (o Options) withDefaults() Options {
	segmentBytes, maxBytes := int64(defaultSegmentBytes), int64(defaultMaxBytes)
	if o.Version == version2 {
		segmentBytes, maxBytes = factsSegmentBytes, factsMaxBytes
	}
	if o.Version == 0 {
		o.Version = entryVersion
	}

	if o.SegmentBytes <= 0 {
		o.SegmentBytes = segmentBytes
	}
	if o.MaxBytes <= 0 {
		o.MaxBytes = maxBytes
	}

	if o.MaxAge <= 0 {
		o.MaxAge = factsMaxAge
	}
	if o.MaxSegments <= 0 {
		o.MaxSegments = defaultMaxSegments
	}

	if o.Now == nil {
		o.Now = time.Now
	}
	if o.FS == nil {
		o.FS = disk.OS{Files: 0o600, Dirs: 0o700}
	}
	return o
}

// Journal is an open journal.
type Journal struct {
	dir  string
	opts Options
	fsys disk.FS

	mu     sync.Mutex // guards all following fields
	lock   disk.Lock  // of the folder
	active *wal.File
	head   int64 // size of what a new segment begins with
	state  state
	rec    record // with version 2
	moved  error  // that a new file was begun, until Check has reported it
	failed error  // ErrFailed or ErrClosed
}

// Open locks the folder, makes it if need be, recovers what it holds and returns a journal that can be written to.
func Open(dir string, opts Options) (*Journal, Recovery, error) {
	j := &Journal{dir: dir, opts: opts.withDefaults(), rec: newRecord()}
	j.fsys = j.opts.FS
	var err error
	if j.lock, err = j.lockFolder(); err != nil {
		return nil, Recovery{}, err
	}

	r, err := j.begin()
	if err != nil {
		j.lock.Close()
		return nil, Recovery{}, wrap("open", err)
	}
	return j, r, nil
}

// lockFolder takes the folder for this process, and makes it if need be; the kernel frees it when the process ends, however
// it ends.
func (j *Journal) lockFolder() (disk.Lock, error) {
	name := path.Join(j.dir, lockName)
	err := j.fsys.Mkdir(j.dir)
	if err == nil {
		err = j.writable(name) // a lock can be had on what may only be read
	}
	if err != nil {
		return nil, wrap("open", fmt.Errorf("%w (may this user write below GESTOR_STATE, and is its volume not mounted read-only?)", err))
	}

	lock, err := j.fsys.Lock(name)
	if errors.Is(err, disk.ErrHeld) {
		err = ErrLocked
	}
	return lock, wrap("lock", err)
}

func (j *Journal) writable(name string) error {
	f, err := j.fsys.Append(name)
	if err != nil {
		return err
	}
	return f.Close()
}

func (j *Journal) begin() (Recovery, error) {
	if j.opts.Version == version2 {
		return j.beginRecorded()
	}

	active, st, r, err := recovered(j.fsys, j.dir, j.opts)
	if err != nil {
		return r, err
	}

	j.state = st
	j.state.seq = max(st.seq, j.opts.After)
	if active == nil {
		return r, j.rotate()
	}
	j.active = active
	j.cleanUp()
	return r, nil
}

// Tick writes the inputs and the plan of one tick under a policy of version 1, and before them the policy when it is not the last one
// written. The lines are of version 1, in a journal of either version.
// It is not synced by itself: it shares the file with the intents that follow, whose sync covers it. It returns the entry's
// number.
func (j *Journal) Tick(p contract.Policy, t Tick, plan contract.Plan) (seq uint64, err error) {
	t.PolicyHash = plan.PolicyHash
	t.Inventory, t.Shadow = trim(p, t.Inventory), trimmed(p, t.Shadow)
	if t.Plan, err = json.Marshal(plan); err != nil {
		return 0, wrap("write", err)
	}

	j.mu.Lock()
	defer j.mu.Unlock()
	if err := j.leaveFacts(); err != nil {
		return 0, wrap("rotate", err)
	}

	var entries []Entry
	if !j.hasPolicy(t.PolicyHash) {
		entries = append(entries, Entry{Policy: &Policy{Hash: t.PolicyHash, Policy: p}})
	}

	entries = append(entries, Entry{Tick: &t})
	if err = j.write(entries); err == nil {
		j.rec.version1Hash = t.PolicyHash
	}
	return entries[len(entries)-1].Seq, err
}

// hasPolicy says that a reader of the segment knows the policy of version 1 with this hash. The head of a journal of version 2 has
// the policy in force, but its readers of version 1 look for a line of its own.
func (j *Journal) hasPolicy(hash string) bool {
	if j.opts.Version == version2 {
		return j.rec.version1Hash == hash
	}
	return j.state.policy != nil && j.state.policy.Hash == hash
}

// trimmed is trim for what the plan was made without.
func trimmed(p contract.Policy, all []Shadowed) []Shadowed {
	var entries []contract.Entry
	for _, s := range all {
		entries = append(entries, s.Entry)
	}
	out := slices.Clone(all)
	for i, e := range trim(p, contract.Inventory{Entries: entries}).Entries {
		out[i].Entry = e
	}
	return out
}

// NoPlan writes down that a tick had no plan. It is not synced: a crash of this process loses nothing that was written, and
// after a crash of the host the boot is another one.
func (j *Journal) NoPlan(t NoPlan) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.write([]Entry{{NoPlan: &t}})
}

// Intent writes what is about to be done and returns when it is on stable storage, with the number of the first entry; the
// others follow it.
func (j *Journal) Intent(intents ...Intent) (first uint64, err error) {
	entries := make([]Entry, len(intents))
	for i := range intents {
		if intents[i].ActionID == "" {
			return 0, wrap("write", errors.New("an intent needs an action id"))
		}
		entries[i].Intent = &intents[i]
	}
	return j.writeSynced(entries)
}

// Outcome writes how an action ended, and syncs: a lost outcome would be verified again at the next start. It returns what
// Intent does.
func (j *Journal) Outcome(outcomes ...Outcome) (first uint64, err error) {
	entries := make([]Entry, len(outcomes))
	for i := range outcomes {
		entries[i].Outcome = &outcomes[i]
	}
	return j.writeSynced(entries)
}

func (j *Journal) writeSynced(entries []Entry) (first uint64, err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if err := j.write(entries); err != nil || len(entries) == 0 {
		return 0, err
	}
	return entries[0].Seq, j.sync()
}

// OpenIntents lists the intents without an outcome, oldest first.
func (j *Journal) OpenIntents() []Intent {
	j.mu.Lock()
	defer j.mu.Unlock()
	return Recovery{}.fill(j.state, j.opts.Now()).Open
}

// Seq is the number of the last entry.
func (j *Journal) Seq() uint64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.state.seq
}

// Size is the number of bytes all segments take up on disk.
func (j *Journal) Size() int64 {
	all, err := segments(j.fsys, j.dir)
	if err != nil {
		return 0
	}
	var total int64
	for _, s := range all {
		total += s.size
	}
	return total
}

// Err is nil while the journal can be written to.
func (j *Journal) Err() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	return wrap("write", j.failed)
}

// Close syncs and unlocks. A second call does nothing.
func (j *Journal) Close() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if errors.Is(j.failed, ErrClosed) {
		return nil
	}

	var err error
	if j.failed == nil {
		err = j.active.Sync()
	}
	err = errors.Join(err, j.active.Close(), j.lock.Close())
	j.failed = ErrClosed
	return wrap("close", err)
}
