package govern_test

import (
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"
	"go.uber.org/goleak"

	"gestor.local/contract"
	"gestor.local/manager/internal/engine/enginetest"
	"gestor.local/manager/internal/govern"
	"gestor.local/manager/internal/journal"
	"gestor.local/manager/internal/source"
	"gestor.local/ship"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fixture is a host on which everything but the governor is in memory, in the time of a synctest bubble.
type fixture struct {
	t       *testing.T
	engine  *enginetest.Engine
	reader  *hostReader
	spool   *spool
	dir     string
	options govern.Options
	reports *reports
	policy  *policySource
	wrap    func(govern.Journal) govern.Journal // what stands between the governor and its journal, nil for nothing
}

// newFixture has the given number of low and high containers. Low ones use 1, 2, 3 … % of a CPU, high ones 50, 51, 52 …
// %.
func newFixture(t *testing.T, low, high int) *fixture {
	t.Helper()
	w := &fixture{t: t, engine: enginetest.New(), spool: &spool{}, dir: memoryDir(t), reports: &reports{}, policy: &policySource{}}
	w.reader = &hostReader{engine: w.engine, millicores: make(map[string]uint64), born: make(map[string]time.Time), start: time.Now()}
	for i := range low {
		w.add("low", i, uint64(10*(i+1)))
	}
	for i := range high {
		w.add("high", i, uint64(500+10*i))
	}
	w.options = govern.Options{
		Policy: contract.DefaultPolicy(), Policies: w.policy, Host: "testhost", Reader: w.reader, Engine: w.engine, Spool: w.spool,
		Boottime: w.reader.boottime, RecordAll: true, Drain: 30 * time.Second, Sinks: []govern.Sink{w.reports}, Log: zerolog.Nop(),
	}
	return w
}

// memoryDir is a folder in memory where there is one: the journal syncs after every step, and a busy disk takes its
// time.
func memoryDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "govern-test-")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// id is the full id of the n-th container of a class.
func id(class string, n int) string {
	return strings.Repeat(map[string]string{"low": "a", "high": "b"}[class], 60) + fmt.Sprintf("%04x", n)
}

func nameOf(class string, n int) string { return fmt.Sprintf("%s-%d", class, n) }

func (w *fixture) add(class string, n int, millicores uint64) string {
	full := id(class, n)
	w.engine.Add(enginetest.Container{
		ID: full, Name: nameOf(class, n), Image: "gestor/" + class,
		Labels: map[string]string{contract.LabelManaged: "true", contract.LabelClass: class},
	})
	w.reader.use(full, millicores)
	return full
}

// run governs for the given time, stops and returns what Run returned. It may be called again: the journal stays.
func (w *fixture) run(d time.Duration) error {
	w.t.Helper()
	return w.runWith(d, func(*govern.Governor) {})
}

func (w *fixture) runWith(d time.Duration, during func(*govern.Governor)) error {
	w.t.Helper()
	j, recovered, err := journal.Open(w.dir, journal.Options{Version: 2})
	if err != nil {
		w.t.Fatal(err)
	}
	defer j.Close()

	o := w.options
	if o.Journal == nil {
		o.Journal = j
	}
	if w.wrap != nil {
		o.Journal = w.wrap(o.Journal)
	}
	o.Recovered = recovered
	g := govern.New(o)

	ctx, cancel := context.WithTimeout(context.Background(), d)
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- g.Run(ctx) }()
	during(g)
	return <-ended
}

// alive are the names of the containers that run, sorted.
func (w *fixture) alive() (names []string) {
	for _, one := range w.engine.IDs() {
		if c, _ := w.engine.Get(one); c.State == "running" {
			names = append(names, c.Name)
		}
	}
	slices.Sort(names)
	return names
}

func (w *fixture) wantAlive(names ...string) {
	w.t.Helper()
	slices.Sort(names)
	if got := w.alive(); !slices.Equal(got, names) {
		w.t.Errorf("running: %v, want %v", got, names)
	}
}

// settled is what the default policy leaves of a fixture with at least three low and two high containers.
func settled(high int) []string {
	return []string{"low-0", "low-1", "low-2", fmt.Sprintf("high-%d", high-1), fmt.Sprintf("high-%d", high-2)}
}

// open are the intents that the journal has no outcome for.
func (w *fixture) open() []journal.Intent {
	w.t.Helper()
	j, recovered, err := journal.Open(w.dir, journal.Options{Version: 2})
	if err != nil {
		w.t.Fatal(err)
	}
	j.Close()
	return recovered.Open
}

// hostReader reads the engine's running containers as if from the kernel.
type hostReader struct {
	mu         sync.Mutex
	engine     *enginetest.Engine
	start      time.Time
	sequence   uint64
	millicores map[string]uint64
	born       map[string]time.Time
	err        error
	edit       func(*contract.Snapshot)
	reads      int
	corrupt    bool
}

func (h *hostReader) boottime() uint64 {
	return 1_000_000_000 + uint64(time.Since(h.start).Microseconds())
}

func (h *hostReader) use(id string, millicores uint64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.millicores[id], h.born[id] = millicores, time.Now()
}

func (h *hostReader) fail(err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.err = err
}

// change lets every later snapshot be edited before it is handed out.
func (h *hostReader) change(edit func(*contract.Snapshot)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.edit = edit
}

// corruptRows makes every row of every later snapshot unbelievable.
func (h *hostReader) corruptRows() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.corrupt = true
}

func (h *hostReader) Read(context.Context) (source.Reading, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.reads++
	if h.err != nil {
		return source.Reading{}, h.err
	}

	h.sequence++
	s := &contract.Snapshot{
		Version: 1, Source: contract.SourceProcfs, Instance: "0123456789abcdef", BootID: "boot", Sequence: h.sequence,
		MonotonicUS: h.boottime(), CPUs: 8, PageSize: 4096, End: true,
		Capabilities: contract.Capabilities{Cgroup: 2, CPUSource: contract.CPUSourceCgroup},
		Memory:       contract.Memory{TotalKB: 16 << 20, FreeKB: 8 << 20, AvailableKB: 10 << 20, UsedKB: 6 << 20},
	}

	for _, one := range h.engine.IDs() {
		if c, _ := h.engine.Get(one); c.State == "running" {
			s.Containers = append(s.Containers, h.row(one))
		}
	}
	s.ContainerTotal, s.ProcessTotal = len(s.Containers), len(s.Containers)
	if h.edit != nil {
		h.edit(s)
	}

	r := source.Reading{Snapshot: s, Source: s.Source}
	if h.corrupt {
		for i := range s.Containers {
			r.Bad = append(r.Bad, contract.RowProblem{Index: i})
		}
	}
	return r, nil
}

func (h *hostReader) row(id string) contract.Container {
	born, ok := h.born[id]
	if !ok { // came back by itself
		born = time.Now()
		h.born[id] = born
	}
	startUS := 1_000_000_000 + uint64(born.Sub(h.start).Microseconds())
	usedUS := uint64(time.Since(born).Microseconds()) * h.millicores[id] / 1000
	return contract.Container{
		ID: id, CgroupID: 7, ProcessCount: 1, ThreadCount: 1, CPUUS: usedUS, RSSKB: 1000, VSZKB: 2000, StartUS: startUS,
		Processes: []contract.Process{{PID: enginetest.FirstPID, NSPID: 1, Name: "p", State: "S", Threads: 1, StartUS: startUS, Cmdline: "p --token=abc"}},
	}
}

// spool keeps records in memory and may be full.
type spool struct {
	mu      sync.Mutex
	records []contract.Record
	err     error
	stats   ship.Stats
	// unanswered is how many of the last records the log service has not answered for, lost the number of one that was lost.
	unanswered, lost uint64
}

// Check finds nothing: there is no file.
func (s *spool) Check() error { return nil }

func (s *spool) Append(records ...contract.Record) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return s.err
	}
	s.records = append(s.records, records...)
	return nil
}

func (s *spool) fill(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err = err
}

func (s *spool) Stats() ship.Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stats
}

// Progress counts every record as an event; the log service has answered for them but where stalled.
func (s *spool) Progress() ship.Progress {
	s.mu.Lock()
	defer s.mu.Unlock()
	given := uint64(len(s.records))
	return ship.Progress{Given: given, Answered: given - min(given, s.unanswered), Lost: s.lost}
}

// wait makes the log service refuse what waits.
func (s *spool) wait(stats ship.Stats) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stats = stats
}

func bodies[T contract.Body](s *spool) (out []T) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.records {
		if b, ok := r.Body.(T); ok {
			out = append(out, b)
		}
	}
	return out
}

// events are the names of the system records, in order; gate events carry their gate.
func (s *spool) events() (names []string) {
	for _, b := range bodies[contract.SystemBody](s) {
		name := b.Event
		if gate, ok := b.Details["gate"]; ok {
			name += " " + gate.(string)
		}
		names = append(names, name)
	}
	return names
}

// outcomes counts the outcome records of an action by outcome.
func (s *spool) outcomes(action string) map[string]int {
	out := make(map[string]int)
	for _, b := range bodies[contract.ActionBody](s) {
		if b.Phase == contract.PhaseOutcome && b.Action == action {
			out[b.Outcome]++
		}
	}
	return out
}

func (s *spool) wantOutcomes(t *testing.T, action string, want map[string]int) {
	t.Helper()
	if got := s.outcomes(action); !maps.Equal(got, want) {
		t.Errorf("outcomes of %s: %v, want %v", action, got, want)
	}
}

// reports keeps what the sinks receive.
type reports struct {
	mu    sync.Mutex
	ticks []*govern.Report
	acted []govern.ActionResult
	// adopted are the changed policies.
	adopted []contract.Policy
}

func (r *reports) OnPolicy(p contract.Policy) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.adopted = append(r.adopted, p)
}

func (r *reports) OnTick(report *govern.Report) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ticks = append(r.ticks, report)
}

func (r *reports) OnAction(a govern.ActionResult) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.acted = append(r.acted, a)
}

func (r *reports) last() *govern.Report {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.ticks[len(r.ticks)-1]
}

// condition returns the condition of the last tick with that name.
func (r *reports) condition(name string) (govern.Condition, bool) {
	for _, c := range r.last().Conditions {
		if c.Name == name {
			return c, true
		}
	}
	return govern.Condition{}, false
}

// calls counts the mutating engine calls by operation, for one container or ("") for all.
func (w *fixture) calls(id string) map[string]int {
	out := make(map[string]int)
	for _, c := range w.engine.Calls() {
		if id == "" || c.ID == id {
			out[c.Op]++
		}
	}
	return out
}

// runSynctest runs a test in a fixture of its own time.
func runSynctest(t *testing.T, low, high int, test func(w *fixture)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		// A bubble begins in the year 2000, when no engine had made a container yet.
		time.Sleep(time.Until(time.Date(2026, 1, 1, 0, 0, 10, 0, time.UTC)))
		test(newFixture(t, low, high))
	})
}

// policySource is a policy file that tests write.
type policySource struct {
	mu      sync.Mutex
	reload  govern.PolicyUpdate
	written bool // and not polled since
}

func (p *policySource) write(r govern.PolicyUpdate) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.reload, p.written = r, true
}

func (p *policySource) Poll(bool) (govern.PolicyUpdate, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	changed := p.written
	p.written = false
	return p.reload, changed
}

func (p *policySource) Stale() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.written
}

// reload writes a policy, or what is wrong with it, and makes the governor read it.
func (w *fixture) reload(g *govern.Governor, r govern.PolicyUpdate) govern.ReloadResult {
	w.t.Helper()
	w.policy.write(r)
	taken, err := g.Reload(context.Background())
	if err != nil {
		w.t.Error(err)
	}
	return taken
}
