package journal

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"time"

	"gestor.local/contract"

	"gestor.local/manager/internal/policy"
)

// Defaults of Options. With the generator's default churn 4 MiB are half an hour and 64 MiB, compressed, some days: docs/journal.md
// has the figures.
const (
	defaultSegmentBytes = 4 << 20
	defaultMaxBytes     = 64 << 20
	defaultMaxSegments  = 1000
)

// Options of a journal; zero values take the defaults.
type Options struct {
	SegmentBytes int64 // at which a new segment is begun
	MaxBytes     int64 // of all segments together, beyond which the oldest are deleted
	MaxSegments  int
	// After is a number above which the entries are to be counted: somebody has seen numbers up to it, also where the journal
	// was lost or is an older copy.
	After uint64
	Now   func() time.Time
	// open opens the active segment, publish writes the copy of a torn tail; tests put failing disks here.
	open    func(path string) (file, error)
	publish func(path string, write func(io.Writer) error) error
}

func (o Options) withDefaults() Options {
	if o.SegmentBytes <= 0 {
		o.SegmentBytes = defaultSegmentBytes
	}
	if o.MaxBytes <= 0 {
		o.MaxBytes = defaultMaxBytes
	}
	if o.MaxSegments <= 0 {
		o.MaxSegments = defaultMaxSegments
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.open == nil {
		o.open = openFile
	}
	if o.publish == nil {
		o.publish = publish
	}
	return o
}

// file is what the journal asks of its active segment.
type file interface {
	io.WriteCloser
	Stat() (os.FileInfo, error)
	Sync() error
	Truncate(size int64) error
}

func openFile(path string) (file, error) { return os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0) }

// Journal is an open journal.
type Journal struct {
	dir  string
	opts Options
	lock *os.File

	mu     sync.Mutex // guards all following fields
	active file
	path   string
	size   int64 // of the active segment: the end of its last whole line
	head   int64 // size of what a new segment begins with
	state  state
	moved  error // that a new file was begun, until Check has told it
	dead   error // ErrFailed or ErrClosed
}

// Open locks the folder, makes it if need be, recovers what it holds and returns a journal that can be written to.
func Open(dir string, opts Options) (*Journal, Recovery, error) {
	j := &Journal{dir: dir, opts: opts.withDefaults()}
	if err := j.acquire(); err != nil {
		return nil, Recovery{}, err
	}
	r, err := j.begin()
	if err != nil {
		j.release()
		return nil, Recovery{}, wrap("open", err)
	}
	return j, r, nil
}

// acquire takes the folder for this process; the kernel frees it when the process ends, however it ends.
func (j *Journal) acquire() error {
	if err := os.MkdirAll(j.dir, 0o700); err != nil {
		return wrap("open", fmt.Errorf("%w (may this user write below GESTOR_STATE, and is its volume not mounted read-only?)", err))
	}
	f, err := os.OpenFile(filepath.Join(j.dir, lockName), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return wrap("open", fmt.Errorf("%w (may this user write below GESTOR_STATE, and is its volume not mounted read-only?)", err))
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return wrap("lock", ErrLocked)
		}
		return wrap("lock", err)
	}
	j.lock = f
	return nil
}

func (j *Journal) release() { j.lock.Close() }

func (j *Journal) begin() (Recovery, error) {
	newest, st, r, err := recovered(j.dir, j.opts)
	if err != nil {
		return r, err
	}
	j.state = st
	j.state.seq = max(st.seq, j.opts.After)
	if newest == nil || newest.sealed {
		return r, j.rotate()
	}
	j.active, err = j.opts.open(newest.path)
	j.path, j.size = newest.path, newest.size
	if err != nil {
		return r, err
	}
	j.tidy()
	return r, nil
}

// Tick writes the inputs and the plan of one tick, and before them the policy when it is not the last one written.
// It is not synced by itself: it shares the file with the intents that follow, whose sync covers it. It returns the entry's
// number.
func (j *Journal) Tick(p contract.Policy, t Tick, plan contract.Plan) (seq uint64, err error) {
	t.PolicyHash = plan.PolicyHash
	t.Inventory, t.Shadow = policy.Trim(p, t.Inventory), trimmed(p, t.Shadow)
	if t.Plan, err = json.Marshal(plan); err != nil {
		return 0, wrap("write", err)
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	var entries []Entry
	if j.state.policy == nil || j.state.policy.Hash != t.PolicyHash {
		entries = append(entries, Entry{Policy: &Policy{Hash: t.PolicyHash, Policy: p}})
	}
	entries = append(entries, Entry{Tick: &t})
	err = j.write(entries)
	return entries[len(entries)-1].Seq, err
}

// trimmed is policy.Trim for what the plan was made without.
func trimmed(p contract.Policy, all []Shadowed) []Shadowed {
	var entries []contract.Entry
	for _, s := range all {
		entries = append(entries, s.Entry)
	}
	out := slices.Clone(all)
	for i, e := range policy.Trim(p, contract.Inventory{Entries: entries}).Entries {
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
	all, err := segments(j.dir)
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
	return wrap("write", j.dead)
}

// Close syncs and unlocks. A second call does nothing.
func (j *Journal) Close() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if errors.Is(j.dead, ErrClosed) {
		return nil
	}
	var err error
	if j.dead == nil {
		err = j.active.Sync()
	}
	err = errors.Join(err, j.active.Close())
	j.release()
	j.dead = ErrClosed
	return wrap("close", err)
}
