package govern

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rs/zerolog"

	"gestor.local/contract"
	"gestor.local/contract/policy2"
	"gestor.local/manager/internal/journal"
	"gestor.local/manager/internal/notify"
	"gestor.local/manager/internal/planview"
	"gestor.local/manager/internal/policyfile"
	"gestor.local/manager/internal/rules"
	"gestor.local/ship"
	"gestor.local/ship/shiptest"
)

// webhook is a receiver over HTTP. It is made outside of the time of the tests.
type webhook struct {
	*httptest.Server
	mu     sync.Mutex // guards all following fields
	status int
	ids    []string // of what it took, in order
	texts  []string
	calls  int
}

func newWebhook(t *testing.T) *webhook {
	w := &webhook{status: http.StatusOK}
	w.Server = httptest.NewServer(w)
	t.Cleanup(w.Close)
	return w
}

func (w *webhook) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.calls++
	rw.WriteHeader(w.status)
	if w.status/100 != 2 {
		return
	}

	var body struct {
		notify.Notice
		Notices []notify.Notice `json:"notices"`
	}
	text, _ := io.ReadAll(r.Body)
	if json.Unmarshal(text, &body) != nil {
		return
	}
	if len(body.Notices) == 0 {
		body.Notices = []notify.Notice{body.Notice}
	}
	for _, n := range body.Notices {
		w.ids, w.texts = append(w.ids, n.ActionID), append(w.texts, n.Text)
	}
}

func (w *webhook) answer(status int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.status = status
}

func (w *webhook) seen() (calls int, ids, texts []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.calls, slices.Clone(w.ids), slices.Clone(w.texts)
}

// told is a manager that does nothing but to tell: a policy of version 2 and made-up facts, with a journal, a spool, a log service
// and a sender as they are. What is delivered goes into the memory of the rules, as the loop does it.
type told struct {
	t       *testing.T
	hook    *webhook // nil: nobody outside is told
	service *shiptest.Service
	away    bool // the log service: the spool sends nothing
	root    string

	policy     policy2.Policy
	program    *rules.Program
	memory     rules.Memory
	facts      rules.Facts
	containers []rules.Container
	plan       rules.Plan
	err        error // of the last tell

	journal *journal.Journal
	spool   *ship.Shipper
	sender  *notify.Sender
	end     func()
	noticer *noticer

	// Killed at a step: before or after a write to the journal or the spool. What happens then has no effect.
	steps, killAt int
}

const toldPolicy = `version: 2
own: [{label: gestor.managed=true}]
surprise: 100%
rules:
  - {name: old, when: {age: 1h}, do: [warn, {after: 1h, do: stop}, {after: 1h, do: remove}]}
`

// inTheTime runs a test in its own time, with a manager that tells.
func inTheTime(t *testing.T, policy string, hook *webhook, test func(m *told)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		d, err := policyfile.Parse([]byte(policy))
		if err != nil {
			t.Fatal(err)
		}
		root, err := os.MkdirTemp("/dev/shm", "notices-")
		if err != nil {
			root = t.TempDir()
		}
		defer os.RemoveAll(root)

		m := &told{t: t, hook: hook, service: &shiptest.Service{}, root: root, policy: *d.V2, program: rules.New(*d.V2)}
		now := time.Date(2026, 6, 1, 9, 0, 0, 0, time.UTC).UnixMicro() // ages from before 2013 are not believed
		m.facts = rules.Facts{
			BootID: "boot", BootUS: uint64(40 * 24 * time.Hour.Microseconds()), GUS: now, WallUS: now,
			BootGUS: now - 40*24*time.Hour.Microseconds(), CPUs: 4,
		}
		m.start()
		defer func() { m.stop() }()
		test(m)
	})
}

// start begins a run: the first, or one that goes on from the folders of the one before.
func (m *told) start() {
	m.t.Helper()
	var err error
	m.spool, err = ship.Open(ship.Config{
		Dir: m.root + "/spool", URL: "http://logs.test", Producer: contract.ProducerManager, Host: "h", Boot: "b", Client: m.service.Client(),
	})
	if err != nil {
		m.t.Fatal(err)
	}

	journalled, _ := m.spool.Journalled()
	var recovered journal.Recovery
	m.journal, recovered, err = journal.Open(m.root+"/journal", journal.Options{Version: 2, After: journalled})
	if err != nil {
		m.t.Fatal(err)
	}
	var backlog Backlog
	if journalled == 0 {
		backlog.Entries, err = journal.OpenNotices(m.root+"/journal", recovered.Open)
	} else {
		backlog.Backlog, err = journal.Behind(m.root+"/journal", journalled)
	}
	if err != nil {
		m.t.Fatal(err)
	}
	if recovered.Memory != nil {
		m.memory = *recovered.Memory
	}

	options := Options{Journal: killed{m.journal, m}, Spool: killedSpool{m.spool, m}, Host: "testhost", Log: zerolog.Nop()}
	end := func() {}
	if m.hook != nil {
		address, err := notify.URLFrom(m.hook.URL, "")
		if err != nil {
			m.t.Fatal(err)
		}
		m.sender = notify.New(notify.Config{URL: address})
		options.Notifier = m.sender
		ended := make(chan struct{})
		ctx, cancel := context.WithCancel(m.t.Context())
		go func() { defer close(ended); _ = m.sender.Run(ctx) }()
		end = func() { cancel(); <-ended }
	}
	m.end = end

	loop := &loopState{policy: contract.DefaultPolicy(), tick: m.facts.Tick}
	loop.takeVersion2(&Version2{Policy: m.policy})
	r := newReporter(options, loop)
	m.noticer = newNoticer(options, loop, newJournaler(options.Journal, loop, r, ignoreStop{}), r)
	r.recordBacklog(backlog)
	m.noticer.recover(recovered.Open)
}

type ignoreStop struct{}

func (ignoreStop) stop(error) {}

func (m *told) stop() {
	m.end()
	_ = m.journal.Close()
	_ = m.spool.Close()
}

// restart ends the run, however far it is, and begins another one.
func (m *told) restart() {
	m.t.Helper()
	m.stop()
	m.killAt = 0
	m.start()
}

var errKilled = errors.New("killed")

// now is the clock on the wall.
func (m *told) now() time.Time { return time.UnixMicro(m.facts.WallUS).UTC() }

// do is an effect between two steps.
func (m *told) do(effect func() error) error {
	if m.steps++; m.dead() {
		return errKilled
	}
	err := effect()
	if m.steps++; m.dead() {
		return errKilled
	}
	return err
}

func (m *told) dead() bool { return m.killAt > 0 && m.steps >= m.killAt }

type killed struct {
	*journal.Journal
	m *told
}

func (k killed) number(write func() (uint64, error)) (seq uint64, err error) {
	if failure := k.m.do(func() error { seq, err = write(); return err }); failure != nil {
		return 0, failure
	}
	return seq, err
}

func (k killed) Intent(intents ...journal.Intent) (uint64, error) {
	return k.number(func() (uint64, error) { return k.Journal.Intent(intents...) })
}

func (k killed) Outcome(outcomes ...journal.Outcome) (uint64, error) {
	return k.number(func() (uint64, error) { return k.Journal.Outcome(outcomes...) })
}

type killedSpool struct {
	*ship.Shipper
	m *told
}

func (k killedSpool) Append(records ...contract.Record) error {
	return k.m.do(func() error { return k.Shipper.Append(records...) })
}

func fullID(name string) string { return fmt.Sprintf("%064x", []byte(name)) }

// add adds a running container that was created two hours ago, of a compose project unless that is "".
func (m *told) add(name, project string) {
	labels := map[string]string{contract.LabelManaged: "true"}
	if project != "" {
		labels[contract.LabelProject], labels[contract.LabelService], labels[contract.LabelConfigHash] = project, name, "hash"
	}

	const ago = 2 * time.Hour
	c := rules.Container{
		Identity: &policy2.Identity{
			ID: fullID(name), Name: name, Image: "image:1", Labels: labels,
			Networks: policy2.Known([]string{"bridge"}), Socket: policy2.Known(false),
		},
		InEngine: true, State: contract.StateRunning, HasRow: true,
		CreatedWallUS: policy2.Known(m.facts.WallUS - ago.Microseconds()), StartedAt: policy2.Known("start of " + name),
		StartedWallUS: policy2.Known(m.facts.WallUS - ago.Microseconds()), StartBootUS: policy2.Known(m.facts.BootUS - uint64(ago.Microseconds())),
		FinishedWallUS: policy2.Known(int64(0)), Restarts: policy2.Known(0), AutoRemove: policy2.Known(false),
		AnonymousVolumes: policy2.Known(0), NetworkMode: policy2.Known("bridge"), NanoCPUs: policy2.Known(int64(0)), Processes: policy2.Known(1),
	}
	m.containers = append(m.containers, c)
	slices.SortFunc(m.containers, func(a, b rules.Container) int { return strings.Compare(a.ID, b.ID) })
}

// change changes the container with the name.
func (m *told) change(name string, by func(c *rules.Container)) {
	for i := range m.containers {
		if m.containers[i].Name == name {
			by(&m.containers[i])
		}
	}
}

const toldTick = 10 * time.Second

// tick lets the time of a tick pass, makes its plan and has it told.
func (m *told) tick() {
	m.t.Helper()
	if m.dead() {
		return
	}
	time.Sleep(toldTick)
	synctest.Wait()
	if !m.away {
		if err := m.spool.Flush(m.t.Context()); err != nil {
			m.t.Fatal(err)
		}
	}

	f := &m.facts
	f.Tick, f.Sequence, f.IntervalUS = f.Tick+1, f.Sequence+1, uint64(toldTick.Microseconds())
	f.GUS, f.WallUS, f.BootUS = f.GUS+toldTick.Microseconds(), f.WallUS+toldTick.Microseconds(), f.BootUS+uint64(toldTick.Microseconds())
	f.Containers = slices.Clone(m.containers)
	at := stamp{f.Tick, f.GUS}

	m.happened(m.noticer.delivered(at))
	if m.dead() {
		return
	}
	facts := *f
	m.plan = rules.Decide(m.program, m.memory, &facts)
	if _, err := m.journal.Decide(journal.Decision{Program: m.program, Memory: m.memory, Facts: &facts, Plan: &m.plan}); err != nil {
		m.t.Fatal(err)
	}
	m.memory = rules.Remember(m.program, m.memory, &facts, m.plan, nil)

	inv := &contract.Inventory{}
	for _, c := range facts.Containers {
		inv.Entries = append(inv.Entries, contract.Entry{ID: c.ID, Name: c.Name, Image: contract.ImageName(c.Image), Labels: c.Labels})
	}
	t := &tick{n: f.Tick, at: m.now(), inv: inv, ruled: &ruled{
		View: planview.View{Policy: m.policy, Facts: &facts, Plan: m.plan}, texts: planview.NewTexts(m.policy, &facts, &m.plan),
	}}
	for _, gate := range facts.InForce.Gates {
		t.fail(gate, "closed")
	}
	m.err = m.noticer.tell(t, at)
}

func (m *told) happened(events []rules.Event) {
	if len(events) > 0 {
		m.memory = rules.Remember(m.program, m.memory, nil, rules.Plan{}, events)
	}
}

func (m *told) ticks(n int) {
	m.t.Helper()
	for range n {
		m.tick()
	}
}

// records are those of notices that the log service has.
func (m *told) records() (out []contract.SystemBody) {
	for _, r := range m.service.Records() {
		if b, ok := r.Body.(contract.SystemBody); ok && b.Event == "warn" {
			out = append(out, b)
		}
	}
	return out
}

// open are the intents without an outcome.
func (m *told) open() (ids []string) {
	for _, i := range m.journal.OpenIntents() {
		ids = append(ids, i.ActionID)
	}
	return ids
}

// done is how many steps of the first rule's ladder are done for the container.
func (m *told) done(name string) int {
	for _, c := range m.memory.Containers {
		for _, r := range c.Rules {
			if c.ID == fullID(name) && r.Hash == m.program.RuleHash(0) {
				return r.Done
			}
		}
	}
	return 0
}

func (m *told) wantDone(name string, want int) {
	m.t.Helper()
	if got := m.done(name); got != want {
		m.t.Errorf("%d steps of %s are done, want %d (open: %v)", got, name, want, m.open())
	}
}

// wantMemory compares the memory with that of the journal's lines.
func (m *told) wantMemory() {
	m.t.Helper()
	var h *journal.History
	if _, err := journal.ReadHistory(m.root+"/journal", func(_ journal.Entry, now *journal.History) error { h = now; return nil }); err != nil {
		m.t.Fatal(err)
	}
	text := func(memory rules.Memory) string {
		out, err := json.MarshalIndent(memory, "", " ")
		if err != nil {
			m.t.Fatal(err)
		}
		return string(out)
	}
	if diff := cmp.Diff(text(h.Memory()), text(m.memory)); diff != "" {
		m.t.Errorf("memory (-journal +now):\n%s", diff)
	}
}

func TestANoticeIsDeliveredOnceBothHaveIt(t *testing.T) {
	hook := newWebhook(t)
	for name, test := range map[string]struct {
		hook             *webhook
		status           int
		away             bool
		mend             func(m *told)
		waits, delivered int
	}{
		"the log service is last": {hook, http.StatusOK, true, func(m *told) { m.away = false }, 30, 2},
		"the receiver is last":    {hook, http.StatusServiceUnavailable, false, func(*told) { hook.answer(http.StatusOK) }, 30, 40},
		"without a receiver":      {nil, 0, true, func(m *told) { m.away = false }, 30, 2},
	} {
		t.Run(name, func(t *testing.T) {
			hook.answer(test.status)
			inTheTime(t, toldPolicy, test.hook, func(m *told) {
				m.add("web", "")
				m.away = test.away
				m.ticks(test.waits)
				m.wantDone("web", 0)
				if open := m.open(); len(open) != 1 {
					t.Errorf("open: %v", open)
				}

				test.mend(m)
				m.ticks(test.delivered)
				m.wantDone("web", 1)
				if open := m.open(); len(open) != 0 {
					t.Errorf("open: %v", open)
				}
				if n := len(m.records()); n != 1 {
					t.Errorf("%d records", n)
				}
				m.wantMemory()
			})
		})
	}
}

// What is told, to the records and to the receiver, and what of it the journal keeps.
func TestWhatANoticeSays(t *testing.T) {
	hook := newWebhook(t)
	inTheTime(t, toldPolicy, hook, func(m *told) {
		m.add("web", "")
		m.ticks(3)
		records, intents := m.records(), m.intents()
		if len(records) != 1 || len(intents) != 1 {
			t.Fatalf("%d records, %d intents", len(records), len(intents))
		}

		i, next := intents[0], m.plan.Verdicts[0]
		if i.Action != contract.ActionWarn || i.Step != policy2.StepWarn || i.StepIndex != 1 || i.Rule != m.program.RuleHash(0) ||
			i.StartedAt != "start of web" || i.Container != fullID("web") || i.GUS == 0 || next.Step != policy2.StepKeep {
			t.Errorf("%+v", i)
		}

		at := time.UnixMicro(i.GUS).Add(time.Hour).UTC().Truncate(time.Second)
		want := map[string]any{
			"kind": "step", "action_id": i.ActionID, "rule": "old", "why": "age 2h20s >= 1h", "container": fullID("web"), "name": "web",
			"next_step": "stop", "next_at": at.Format(time.RFC3339),
		}
		if diff := cmp.Diff(want, records[0].Details); diff != "" {
			t.Errorf("details (-want +got):\n%s", diff)
		}
		text := "web will be stopped on " + at.Add(59*time.Second).Truncate(time.Minute).Format("Mon 15:04 UTC") + " (rule old: age 2h20s >= 1h)"
		_, ids, texts := hook.seen()
		if records[0].Message != text || len(texts) != 1 || texts[0] != strings.ReplaceAll(text, ">", "&gt;") || ids[0] != i.ActionID {
			t.Errorf("record %q, receiver %q %q, want %q", records[0].Message, ids, texts, text)
		}
	})
}

// intents are those of notices that the journal holds.
func (m *told) intents() (out []journal.Intent) {
	m.t.Helper()
	_, err := journal.ReadHistory(m.root+"/journal", func(e journal.Entry, _ *journal.History) error {
		if e.Intent != nil && !e.Carried {
			out = append(out, *e.Intent)
		}
		return nil
	})
	if err != nil {
		m.t.Fatal(err)
	}
	return out
}

// outcomes are how the intents ended, by action id.
func (m *told) outcomes() map[string]string {
	m.t.Helper()
	out := make(map[string]string)
	_, err := journal.ReadHistory(m.root+"/journal", func(e journal.Entry, _ *journal.History) error {
		if e.Outcome != nil && !e.Carried {
			out[e.Outcome.ActionID] += e.Outcome.Outcome
		}
		return nil
	})
	if err != nil {
		m.t.Fatal(err)
	}
	return out
}

// The containers of a project are told of together, and go on together.
func TestAProjectIsToldOfOnce(t *testing.T) {
	hook := newWebhook(t)
	inTheTime(t, strings.Replace(toldPolicy, "{name: old, ", "{name: old, each: project, ", 1), hook, func(m *told) {
		m.add("web", "shop")
		m.add("db", "shop")
		m.ticks(3)
		_, ids, texts := hook.seen()
		if len(ids) != 1 || !strings.HasPrefix(texts[0], "project shop will be stopped on ") {
			t.Fatalf("told %q %q", ids, texts)
		}

		records := m.records()
		if len(records) != 1 || fmt.Sprint(records[0].Details["names"]) != "[db web]" || records[0].Details["project"] != "shop" {
			t.Errorf("records %+v", records)
		}
		want := map[string]string{ids[0]: contract.OutcomeDone, ids[0] + "/1": contract.OutcomeDone}
		if diff := cmp.Diff(want, m.outcomes()); diff != "" {
			t.Errorf("outcomes (-want +got):\n%s", diff)
		}
		m.wantDone("web", 1)
		m.wantDone("db", 1)
		m.wantMemory()
	})
}

// A receiver that refuses is said at once, one that is away after ten minutes, and a log service that is away likewise.
func TestWhyLaddersWait(t *testing.T) {
	hook := newWebhook(t)
	for name, test := range map[string]struct {
		status int
		away   bool
		after  int // ticks
		why    string
	}{
		"refused":                  {http.StatusNotFound, false, 3, "1 notice, the oldest since 2000-01-01T00:00:20Z: the receiver answers 404 Not Found: see that"},
		"away":                     {http.StatusBadGateway, false, 62, "1 notice, the oldest since 2000-01-01T00:00:20Z: the receiver answers 502 Bad Gateway"},
		"the log service is away":  {http.StatusOK, true, 62, "1 notice, the oldest since 2026-06-01T09:00:20Z: the log service has not answered for the record"},
		"nothing stands in no one": {http.StatusOK, false, 200, ""},
	} {
		t.Run(name, func(t *testing.T) {
			hook.answer(test.status)
			inTheTime(t, toldPolicy, hook, func(m *told) {
				m.add("web", "")
				m.away = test.away
				m.ticks(test.after - 1)
				if why, ok := m.noticer.waits(m.now()); ok && test.after > 3 {
					t.Errorf("said after %d ticks: %s", test.after-1, why)
				}
				m.tick()
				why, ok := m.noticer.waits(m.now())
				if ok != (test.why != "") || !strings.HasPrefix(why, test.why) {
					t.Errorf("after %d ticks: %q, want %q", test.after, why, test.why)
				}
			})
		})
	}
}

// A receiver that refused is tried each hour; who mends it has his ladders go on.
func TestARefusedNoticeIsTriedEachHour(t *testing.T) {
	hook := newWebhook(t)
	hook.answer(http.StatusForbidden)
	inTheTime(t, toldPolicy, hook, func(m *told) {
		m.add("web", "")
		m.ticks(300)
		hook.answer(http.StatusOK)
		m.ticks(50)
		if calls, ids, _ := hook.seen(); calls != 1 || len(ids) != 0 {
			t.Errorf("%d calls within an hour", calls)
		}
		m.wantDone("web", 0)

		m.ticks(15)
		m.wantDone("web", 1)
		if _, ok := m.noticer.waits(m.now()); ok {
			t.Error("ladders wait still")
		}
	})
}

// The wait begins when the notice has arrived: what is told late says when the next step comes by then.
func TestALateNoticeSaysTheTimeOfNow(t *testing.T) {
	hook := newWebhook(t)
	hook.answer(http.StatusBadGateway)
	for name, restart := range map[string]bool{"one run": false, "after a restart": true} {
		t.Run(name, func(t *testing.T) {
			hook.answer(http.StatusBadGateway)
			_, _, before := hook.seen()
			inTheTime(t, toldPolicy, hook, func(m *told) {
				m.add("web", "")
				m.ticks(6 * 180)
				if restart {
					m.restart()
				}
				hook.answer(http.StatusOK)
				m.ticks(40)

				_, _, texts := hook.seen()
				if texts = texts[len(before):]; len(texts) != 1 || !strings.HasPrefix(texts[0], "web will be stopped on Mon 13:0") {
					t.Errorf("told %q at %s", texts, m.now())
				}
				if records := m.records(); len(records) != 1 || !strings.HasPrefix(records[0].Message, "web will be stopped on Mon 10:01 UTC") {
					t.Errorf("records %+v", records)
				}
			})
		})
	}
}

// Of whom the rule says nothing any more nobody is told any more.
func TestANoticeIsTakenBack(t *testing.T) {
	hook := newWebhook(t)
	for name, change := range map[string]func(m *told){
		"it is gone": func(m *told) { m.containers = nil },
		"it is not own": func(m *told) {
			m.change("web", func(c *rules.Container) { c.Identity = &policy2.Identity{ID: c.ID, Name: c.Name} })
		},
		"another policy":        func(m *told) { m.program = rules.New(policy2.Default()); m.policy = policy2.Default() },
		"a version 1 of policy": func(m *told) { m.noticer.loop.takeVersion2(nil) },
	} {
		t.Run(name, func(t *testing.T) {
			hook.answer(http.StatusServiceUnavailable)
			inTheTime(t, toldPolicy, hook, func(m *told) {
				m.add("web", "")
				m.ticks(3)
				before, _, _ := hook.seen()
				if before == 0 || len(m.open()) != 1 {
					t.Fatalf("%d calls, open: %v", before, m.open())
				}

				change(m)
				if m.noticer.loop.version2 == nil {
					_ = m.noticer.tell(&tick{at: time.Now()}, stamp{m.facts.Tick, m.facts.GUS})
				} else {
					m.ticks(2) // the first under another policy is only shown
				}
				calls, _, _ := hook.seen()
				hook.answer(http.StatusOK)
				time.Sleep(time.Hour)
				if after, ids, _ := hook.seen(); after != calls || len(ids) > 0 {
					t.Errorf("%d calls after it was taken back, %v arrived", after-calls, ids)
				}
				for id, outcome := range m.outcomes() {
					if outcome != contract.OutcomeRefused {
						t.Errorf("%s ended as %s", id, outcome)
					}
				}
				if open := m.open(); len(open) > 0 {
					t.Errorf("open: %v", open)
				}
				m.wantDone("web", 0)
			})
		})
	}
}

// Wherever the manager is killed, the next run tells the same notice: under one id, with one record, and no ladder is left behind.
func TestANoticeSurvivesEveryKill(t *testing.T) {
	hook := newWebhook(t)
	const most = 40
	killedAt := 0
	for step := 1; step <= most; step++ {
		t.Run(fmt.Sprint(step), func(t *testing.T) {
			_, before, _ := hook.seen()
			inTheTime(t, strings.Replace(toldPolicy, "{name: old, ", "{name: old, each: project, ", 1), hook, func(m *told) {
				m.add("web", "shop")
				m.add("db", "shop")
				m.killAt = step
				m.ticks(6)
				if !m.dead() {
					return
				}
				killedAt = step

				m.restart()
				m.ticks(6)
				m.wantDone("web", 1)
				m.wantDone("db", 1)
				m.wantMemory()
				if open := m.open(); len(open) > 0 {
					t.Errorf("open: %v", open)
				}

				_, ids, _ := hook.seen()
				ids = slices.Compact(ids[len(before):])
				records := m.records()
				if len(ids) != 1 || len(records) != 1 || records[0].Details["action_id"] != ids[0] {
					t.Errorf("told as %v, records %+v", ids, records)
				}
				if outcomes := m.outcomes(); len(outcomes) != 2 || outcomes[ids[0]] != contract.OutcomeDone || outcomes[ids[0]+"/1"] != contract.OutcomeDone {
					t.Errorf("outcomes %v", outcomes)
				}
			})
		})
	}
	if killedAt < 6 || killedAt == most { // before and after the intents, the record and the outcomes
		t.Errorf("the last step of a run at which it was killed is %d", killedAt)
	}
}

// A notice that waits for its receiver waits for it through restarts as well, and with the address taken away it is delivered.
func TestANoticeWaitsThroughRestarts(t *testing.T) {
	hook := newWebhook(t)
	hook.answer(http.StatusBadGateway)
	inTheTime(t, toldPolicy, hook, func(m *told) {
		m.add("web", "")
		for range 3 {
			m.ticks(10)
			m.wantDone("web", 0)
			m.restart()
		}
		if ids, n := m.open(), len(m.records()); len(ids) != 1 || n != 1 {
			t.Errorf("open: %v, %d records", ids, n)
		}

		m.hook = nil
		m.restart()
		m.ticks(2)
		m.wantDone("web", 1)
		m.wantMemory()
	})
}

// What the spool holds of a notice when it is lost is recorded again: somebody waits for it.
func TestALostSpoolLosesNoNotice(t *testing.T) {
	inTheTime(t, toldPolicy, nil, func(m *told) {
		m.add("web", "")
		m.away = true
		m.ticks(3)
		m.stop()
		if err := os.RemoveAll(m.root + "/spool"); err != nil {
			t.Fatal(err)
		}

		m.start()
		m.ticks(3)
		m.wantDone("web", 0)
		m.away = false
		m.ticks(2)
		m.wantDone("web", 1)
		if open, n := m.intents(), len(m.records()); len(open) != 1 || n != 1 {
			t.Errorf("%d intents, %d records", len(open), n)
		}
	})
}

// A record that went with its file while the spool was open is no delivery: it is recorded again.
func TestALostRecordIsNoDelivery(t *testing.T) {
	inTheTime(t, toldPolicy, nil, func(m *told) {
		m.add("web", "")
		m.away = true
		m.ticks(2)
		files, err := os.ReadDir(m.root + "/spool")
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			if strings.HasPrefix(f.Name(), "events-") {
				if err := os.Truncate(m.root+"/spool/"+f.Name(), 0); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := m.spool.Check(); !errors.Is(err, ship.ErrMoved) {
			t.Fatal(err)
		}

		m.away = false
		m.ticks(3)
		m.wantDone("web", 1)
		if n := len(m.records()); n != 1 {
			t.Errorf("%d records", n)
		}
	})
}

// fullJournal takes no intents while it is full, fullSpool no records.
type fullJournal struct {
	Journal
	full bool
}

var errNoRoom = errors.New("no space left on device")

func (f *fullJournal) Intent(intents ...journal.Intent) (uint64, error) {
	if f.full {
		return 0, errNoRoom
	}
	return f.Journal.Intent(intents...)
}

func (f *fullJournal) Outcome(outcomes ...journal.Outcome) (uint64, error) {
	if f.full {
		return 0, errNoRoom
	}
	return f.Journal.Outcome(outcomes...)
}

type fullSpool struct {
	Spool
	full bool
}

func (f *fullSpool) Append(records ...contract.Record) error {
	if f.full {
		return errNoRoom
	}
	return f.Spool.Append(records...)
}

// Nothing is told that is not written, and nothing is done that is not: the next tick goes on with both.
func TestNothingIsToldWithoutAnIntent(t *testing.T) {
	hook := newWebhook(t)
	for name, policy := range map[string]string{"a step": toldPolicy, "a guard": guardPolicy} {
		t.Run(name, func(t *testing.T) {
			inTheTime(t, policy, hook, func(m *told) {
				full := &fullJournal{Journal: m.noticer.journaler.journal, full: true}
				m.noticer.journaler.journal = full
				calls, _, _ := hook.seen()
				m.add("web", "")
				m.change("web", func(c *rules.Container) { c.AutoRemove = policy2.Known(true) })
				m.ticks(2)
				if !errors.Is(m.err, errNoRoom) {
					t.Errorf("%v", m.err)
				}
				m.ticks(5)
				if after, _, _ := hook.seen(); after != calls || len(m.records()) > 0 || len(m.open()) > 0 {
					t.Errorf("%d calls, %d records, open: %v", after-calls, len(m.records()), m.open())
				}

				full.full = false
				m.tick()
				full.full = true
				m.ticks(3) // it has arrived, and that cannot be written
				if after, _, _ := hook.seen(); after != calls+1 || len(m.records()) != 1 || len(m.open()) != 1 {
					t.Errorf("%d calls, %d records, open: %v", after-calls, len(m.records()), m.open())
				}
				m.wantDone("web", 0)
				m.wantMemory()

				full.full = false
				m.tick()
				if open := m.open(); len(open) > 0 {
					t.Errorf("open: %v", open)
				}
				m.wantMemory()
			})
		})
	}
}

// A record that the spool has no room for is no delivery, not even when it is let go for want of room.
func TestARecordWithoutRoomIsNoDelivery(t *testing.T) {
	for name, others := range map[string]int{"waits": 0, "let go": maxPending} {
		t.Run(name, func(t *testing.T) {
			inTheTime(t, toldPolicy, nil, func(m *told) {
				full := &fullSpool{Spool: m.noticer.spool, full: true}
				m.noticer.spool, m.noticer.reporter.spool = full, full
				m.add("web", "")
				m.ticks(3)
				for range others {
					m.noticer.reporter.appendEvents(contract.NewRecord(time.Now(), 1, "", eventBody("other", contract.LevelInfo, "x", nil)))
				}
				m.ticks(3)
				m.wantDone("web", 0)

				full.full = false
				_ = m.noticer.reporter.append()
				m.ticks(3)
				m.wantDone("web", 1)
				if n := len(m.records()); n != 1 {
					t.Errorf("%d records", n)
				}
			})
		})
	}
}

const guardPolicy = `version: 2
own: [{label: gestor.managed=true}]
surprise: 100%
rules:
  - {name: old, when: {age: 1h}, do: stop}
`

// A guard is told of once, for a day; it moves no ladder, and nothing waits for it.
func TestAGuardIsToldOf(t *testing.T) {
	hook := newWebhook(t)
	inTheTime(t, guardPolicy, hook, func(m *told) {
		m.add("web", "")
		m.add("db", "")
		m.change("web", func(c *rules.Container) { c.AutoRemove = policy2.Known(true) })
		m.ticks(20)
		const text = "web is only warned (rule old: it was started with --rm: a stop would delete it, so it is only warned of; age 2h20s >= 1h)"
		_, ids, texts := hook.seen()
		records := m.records()
		if len(ids) != 1 || len(records) != 1 || records[0].Message != text || strings.ReplaceAll(texts[0], "&gt;", ">") != text {
			t.Fatalf("told %q %q, records %+v", ids, texts, records)
		}
		if records[0].Details["guard"] != "rm_stop" || records[0].Details["next_step"] != nil {
			t.Errorf("details %v", records[0].Details)
		}
		if i := m.intents(); len(i) != 1 || i[0].Step != "" || i[0].Reason != "rm_stop" {
			t.Errorf("intents %+v", i)
		}
		if outcomes := m.outcomes(); outcomes[ids[0]] != contract.OutcomeDone {
			t.Errorf("outcomes %v", outcomes)
		}
		m.wantDone("web", 0)
		m.wantMemory()

		// A restart while it is on its way changes nothing of that.
		hook.answer(http.StatusBadGateway)
		m.change("db", func(c *rules.Container) { c.AutoRemove = policy2.Known(true) })
		m.ticks(5)
		if open := m.open(); len(open) != 1 {
			t.Errorf("open: %v", open)
		}
		m.restart()
		if _, ok := m.noticer.waits(m.now().Add(time.Hour)); ok {
			t.Error("a ladder waits for it")
		}
		hook.answer(http.StatusOK)
		m.ticks(5)
		if _, again, _ := hook.seen(); len(again) != 2 || len(m.open()) != 0 {
			t.Errorf("told %v, open: %v", again, m.open())
		}
	})
}

// The hold of a surprise is told of once: how many, of how many, and until when. A restart in it tells nothing else.
func TestAHoldIsToldOf(t *testing.T) {
	hook := newWebhook(t)
	const policy = `version: 2
own: [{label: gestor.managed}]
surprise: 30%
rules:
  - {name: old, when: {age: 1h}, do: stop}
`
	for name, during := range map[string]func(m *told){"one run": func(*told) {}, "a restart": func(m *told) { m.restart() }} {
		t.Run(name, func(t *testing.T) {
			_, before, _ := hook.seen()
			inTheTime(t, policy, hook, func(m *told) {
				m.facts.InForce = rules.InForce{NeedsApproval: true, Approved: true, OwnCount: 3, ApprovedWallUS: 1, ApprovedGUS: m.facts.GUS}
				for _, name := range []string{"a", "b", "c"} {
					m.add(name, "")
				}
				m.ticks(20)
				during(m)
				m.ticks(20)
				_, ids, texts := hook.seen()
				ids, texts = slices.Compact(ids[len(before):]), texts[len(before):]
				const text = "the plan would stop or remove 3 containers at once, and 3 own ones live: none goes before Mon 09:10:20 UTC (surprise: 30%)"
				records := m.records()
				if len(ids) != 1 || texts[0] != text || len(records) != 1 || records[0].Message != text || records[0].Details["until"] != "2026-06-01T09:10:20Z" {
					t.Fatalf("told %q %q, records %+v", ids, texts, records)
				}
				if open := m.open(); !slices.Equal(open, ids) {
					t.Errorf("open: %v", open)
				}

				// It is over: the plan asks for nothing.
				m.ticks(25)
				if m.plan.Held != "" || m.outcomes()[ids[0]] != contract.OutcomeDone || len(m.open()) != 0 {
					t.Errorf("held %q, outcomes %v, open: %v", m.plan.Held, m.outcomes(), m.open())
				}
				if got := len(m.records()); got != 1 {
					t.Errorf("%d records", got)
				}
			})
		})
	}
}

// A plan that grows while it is held is held anew, and that is told as well.
func TestAHoldThatBeginsAnewIsToldAnew(t *testing.T) {
	const policy = `version: 2
own: [{label: gestor.managed}]
surprise: 30%
rules:
  - {name: bombs, when: {processes: 5}, do: stop}
`
	inTheTime(t, policy, nil, func(m *told) {
		m.facts.InForce = rules.InForce{NeedsApproval: true, Approved: true, OwnCount: 10, ApprovedWallUS: 1, ApprovedGUS: m.facts.GUS}
		grow := func(from, to int) {
			for n := from; n < to; n++ {
				m.change(fmt.Sprint("c", n), func(c *rules.Container) { c.Processes = policy2.Known(9) })
			}
		}
		for n := range 10 {
			m.add(fmt.Sprint("c", n), "")
		}
		grow(0, 4)
		m.ticks(20)
		grow(4, 8)
		m.ticks(3)

		var until []any
		for _, r := range m.records() {
			until = append(until, r.Details["wanted"], r.Details["living"], r.Details["until"])
		}
		want := []any{4.0, 10.0, "2026-06-01T09:10:20Z", 8.0, 10.0, "2026-06-01T09:13:30Z"}
		if diff := cmp.Diff(want, until); diff != "" {
			t.Errorf("told (-want +got):\n%s", diff)
		}
		if open := m.open(); len(open) != 1 {
			t.Errorf("open: %v", open)
		}
	})
}

// Whoever has not approved is not told, and who takes the approval back is not told any more: what waits goes on with the next one.
func TestWithoutAnApprovalNobodyIsTold(t *testing.T) {
	hook := newWebhook(t)
	hook.answer(http.StatusBadGateway)
	inTheTime(t, strings.Replace(toldPolicy, "gestor.managed=true", "gestor.managed", 1), hook, func(m *told) {
		approve := func(yes bool) {
			m.facts.InForce.NeedsApproval, m.facts.InForce.Approved, m.facts.InForce.OwnCount, m.facts.InForce.ApprovedWallUS = true, yes, 5, 0
			if yes {
				m.facts.InForce.ApprovedWallUS = 1
			}
		}
		approve(false)
		m.add("web", "")
		m.ticks(20)
		if calls, _, _ := hook.seen(); calls != 0 || len(m.intents()) != 0 || len(m.records()) != 0 {
			t.Errorf("%d calls, intents %v, %d records", calls, m.intents(), len(m.records()))
		}

		approve(true)
		m.ticks(4)
		calls, _, _ := hook.seen()
		open := m.open()
		if calls == 0 || len(open) != 1 {
			t.Fatalf("%d calls, open: %v", calls, open)
		}

		// The policy's own state counts where a tick has no plan.
		approve(false)
		m.noticer.loop.takeVersion2(&Version2{Policy: m.policy})
		if err := m.noticer.tell(&tick{at: m.now()}, stamp{m.facts.Tick, m.facts.GUS}); err != nil {
			t.Error(err)
		}
		calls, _, _ = hook.seen()
		time.Sleep(10 * time.Minute)
		hook.answer(http.StatusOK)
		m.ticks(100)
		if after, _, _ := hook.seen(); after != calls {
			t.Errorf("%d calls without an approval", after-calls)
		}
		if _, ok := m.noticer.waits(m.now()); ok {
			t.Error("ladders are said to wait")
		}

		approve(true)
		m.ticks(4)
		_, ids, _ := hook.seen()
		if !slices.Equal(ids, open) || len(m.intents()) != 1 {
			t.Errorf("told %v, want %v", ids, open)
		}
		m.wantDone("web", 1)
	})
}

// While a gate is closed nothing new is told, and nothing is taken back.
func TestAClosedGateTellsNothing(t *testing.T) {
	hook := newWebhook(t)
	hook.answer(http.StatusBadGateway)
	inTheTime(t, strings.Replace(toldPolicy, "age: 1h", "processes: 5", 1), hook, func(m *told) {
		processes := func(n int) { m.change("web", func(c *rules.Container) { c.Processes = policy2.Known(n) }) }
		m.facts.InForce.Gates = []string{GateSpool}
		m.add("web", "")
		processes(9)
		m.ticks(10)
		if calls, _, _ := hook.seen(); calls != 0 || len(m.open()) != 0 {
			t.Errorf("%d calls, open: %v", calls, m.open())
		}

		m.facts.InForce.Gates = nil
		m.ticks(3)
		open := m.open()
		m.facts.InForce.Gates = []string{GateInterval}
		processes(1) // by a reading that is not believed
		m.ticks(2)
		if len(m.plan.Notices) > 0 {
			t.Errorf("notices %+v", m.plan.Notices)
		}
		processes(9)
		m.facts.InForce.Gates = nil
		m.ticks(2)
		if again := m.open(); len(open) != 1 || !slices.Equal(open, again) {
			t.Errorf("open: %v, then %v", open, again)
		}
	})
}

// What was done is told outside, and nothing waits for it.
func TestWhatWasDoneIsTold(t *testing.T) {
	hook := newWebhook(t)
	inTheTime(t, toldPolicy, hook, func(m *told) {
		m.noticer.done("web", fullID("web"), policy2.StepStop, "old", "age 3h >= 1h", "7-abc")
		m.ticks(2)
		if _, ids, texts := hook.seen(); !slices.Equal(ids, []string{"7-abc"}) || texts[0] != "web was stopped (rule old: age 3h &gt;= 1h)" {
			t.Errorf("told %v %q", ids, texts)
		}
		if len(m.records()) > 0 || len(m.intents()) > 0 {
			t.Errorf("records %v, intents %v", m.records(), m.intents())
		}
	})
	inTheTime(t, toldPolicy, nil, func(m *told) {
		m.noticer.done("web", fullID("web"), policy2.StepStop, "old", "", "7-abc") // nobody is to be told
	})
}

// What was done is not told outside once the approval was taken back: neither what waits for its call, nor what ends only then.
func TestWithoutAnApprovalNobodyIsToldOfWhatWasDone(t *testing.T) {
	hook := newWebhook(t)
	hook.answer(http.StatusBadGateway)
	inTheTime(t, strings.Replace(toldPolicy, "gestor.managed=true", "gestor.managed", 1), hook, func(m *told) {
		done := func(id string) { m.noticer.done("web", fullID("web"), policy2.StepStop, "old", "", id) }
		a := policy2.NewApproved(m.policy, m.now(), "ada", 1)
		m.noticer.loop.takeVersion2(&Version2{Policy: m.policy, Approved: &a})
		done("7-abc")
		time.Sleep(time.Minute)
		calls, _, _ := hook.seen()
		if calls == 0 {
			t.Fatal("it was not tried")
		}

		m.noticer.loop.takeVersion2(&Version2{Policy: m.policy})
		m.noticer.hush()
		done("8-abc")
		hook.answer(http.StatusOK)
		time.Sleep(3 * time.Hour)
		if after, ids, _ := hook.seen(); after != calls {
			t.Errorf("%d calls without an approval: %v", after-calls, ids)
		}
	})
}
