package govern_test

import (
	"context"
	"fmt"
	"maps"
	"net/http"
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
	"gestor.local/manager/internal/engine/enginetest"
	"gestor.local/manager/internal/govern"
	"gestor.local/manager/internal/journal"
	"gestor.local/manager/internal/notify"
	"gestor.local/manager/internal/notify/notifytest"
	"gestor.local/manager/internal/policyfile"
	"gestor.local/manager/internal/replay"
	"gestor.local/manager/internal/rules"
	"gestor.local/manager/internal/rules/rulestest"
	"gestor.local/manager/internal/whatif"
	"gestor.local/ship"
)

// The tables of policy/examples/tables.md, by the whole governor: what its calls do to the containers of the engine in memory, and what a
// receiver over HTTP is told, is what the table says, at the moment that it says. Every plan comes out of the journal again.
func TestTablesOfTheExamples(t *testing.T) {
	eachTable(t, 2300, func(t *testing.T, table rulestest.Table, down time.Duration) {
		playTable(t, table, down, 0)
	})
}

// The same with a manager that is killed again and again while it acts or has acted, before or after a line of the journal or a call of the
// engine: what happens is the same, and late by no more than the ticks that are missing.
func TestTablesOfTheExamplesThroughCrashes(t *testing.T) {
	steps := []int64{13}
	if isSoak() {
		steps = []int64{7, 8, 9, 10, 11, 12, 14, 15, 17}
	}
	for _, n := range steps {
		t.Run(fmt.Sprintf("each %d steps", n), func(t *testing.T) {
			eachTable(t, 1500, func(t *testing.T, table rulestest.Table, down time.Duration) {
				playTable(t, table, down, n)
			})
		})
	}
}

func isSoak() bool { return os.Getenv("GESTOR_SOAK") == "1" }

// eachTable plays each table on the hosts that it has, for so many ticks from T on, which are hours, and in a soak to its end.
func eachTable(t *testing.T, ticks int, play func(t *testing.T, table rulestest.Table, down time.Duration)) {
	for _, table := range rulestest.Tables() {
		tick := time.Duration(table.Policy(fileOf(t, table.File)).Tick) * time.Second
		for down, part := range table.ByReceiver() {
			t.Run(table.File+" with a receiver from "+rulestest.Moment(down), func(t *testing.T) {
				t.Parallel()
				if !isSoak() {
					part = part.Cut(time.Duration(ticks) * tick)
				}
				play(t, part, down)
			})
		}
	}
}

// fileOf is the policy of an example.
func fileOf(t *testing.T, name string) policy2.Policy {
	t.Helper()
	document, err := policyfile.Load("../../../../policy/examples/" + name + ".yaml")
	if err != nil {
		t.Fatal(err)
	}
	return *document.V2
}

// tablePlay is one run of a table.
type tablePlay struct {
	*tableHost
	table    rulestest.Table
	down     time.Duration // until when nobody receives notices
	policy   policy2.Policy
	dir      string
	receiver *notifytest.Receiver
	spool    countingSpool
	policies policySource
	// unapproved says that nobody approves the policy.
	unapproved bool

	mu sync.Mutex // guards all following fields
	// version2 is what is in force.
	version2 govern.Version2
	effects  []effect
	events   map[string][]string // that are no effects of calls, by name
	own      int                 // containers on the last tick
	said     map[time.Duration]rules.Plan
	kills    int
}

// effect is a call of the engine that changed something.
type effect struct {
	at     time.Duration
	call   enginetest.Call
	target enginetest.Container // before
}

// playTable plays a table and holds everything against it; the governor is killed whenever it has taken so many steps, 0 for never.
func playTable(t *testing.T, table rulestest.Table, down time.Duration, killEach int64) {
	t.Helper()
	file := fileOf(t, table.File)
	dir := memoryDir(t)

	synctest.Test(t, func(t *testing.T) {
		policy := table.Policy(file)
		tick := time.Duration(policy.Tick) * time.Second
		time.Sleep(time.Until(tableT().Add(table.From)))

		p := &tablePlay{
			tableHost: newTableHost(t, tick, table.From), table: table, down: down, policy: policy, dir: dir,
			version2: govern.Version2{Policy: policy}, events: map[string][]string{}, said: map[time.Duration]rules.Plan{},
		}
		p.play(killEach)
		p.check(killEach > 0)
	})
}

// play runs the host and its manager from the beginning of the table to its end.
func (p *tablePlay) play(killEach int64) {
	p.receiver = notifytest.New(func(w http.ResponseWriter, _ *http.Request) {
		if sinceT() < p.down {
			w.WriteHeader(http.StatusNotFound)
		}
	})
	var background sync.WaitGroup
	background.Go(p.receiver.Serve)

	p.engine.Watch(p.observe)
	for _, r := range p.table.Rows {
		p.add(r.Containers...)
		if r.StartedAt > 0 {
			time.AfterFunc(r.StartedAt-sinceT(), func() { p.startedByHand(r) })
		}
	}
	time.AfterFunc(-p.tick-sinceT(), p.approve)

	// A tick comes a moment after what happens on the host, also after a restart of the manager.
	for {
		end := p.table.Until + p.late() + p.tick/2
		next := p.nextTick()
		if next > end {
			break
		}
		time.Sleep(next - sinceT())
		p.govern(end, killEach)
	}

	p.tableHost.end()
	p.receiver.Close()
	background.Wait()
}

// nextTick is the moment of the next tick.
func (p *tablePlay) nextTick() time.Duration {
	since := sinceT() - p.table.From
	return p.table.From + since.Truncate(p.tick) + p.tick + tickPhase
}

// govern is one process of the manager, until it is killed or the end has come.
func (p *tablePlay) govern(end time.Duration, killAt int64) {
	j, recovered, err := journal.Open(p.dir, journal.Options{Version: 2})
	if err != nil {
		p.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), end-sinceT())
	sender := notify.New(notify.Config{URL: func() (string, error) { return "http://hook.test/s3cret", nil }, Dial: p.receiver.Dial})
	var sending sync.WaitGroup
	sending.Go(func() { _ = sender.Run(ctx) })

	p.mu.Lock()
	inForce := p.version2
	p.mu.Unlock()
	killed := &process{end: killAt}
	err = govern.New(govern.Options{
		Policy: contract.DefaultPolicy(), Version2: &inForce, Policies: &p.policies, Network: tableNetwork{p.tableHost}, Notifier: sender,
		Socket: engineSocket, Host: "testhost", Reader: p.tableHost, Engine: killableEngine{p.engine, killed},
		Journal: actingJournal{killableJournal{j, killed}}, Spool: &p.spool, Recovered: recovered, Boottime: p.boottime,
		Drain: 30 * time.Second, Sinks: []govern.Sink{p}, Log: zerolog.Nop(),
	}).Run(ctx)
	if err != nil && !killed.dead.Load() {
		p.t.Error(err)
	}
	if killed.dead.Load() {
		p.kills++
	}

	cancel()
	sending.Wait()
	_ = j.Close()
}

// actingJournal is one whose manager is killed around what it does, and not around what it decides: there are thousands of ticks.
type actingJournal struct{ killableJournal }

func (a actingJournal) Decide(d journal.Decision) (uint64, error) {
	if a.process.dead.Load() {
		return 0, journal.ErrFailed
	}
	return a.Journal.Decide(d)
}

func (a actingJournal) Outcome(outcomes ...journal.Outcome) (uint64, error) {
	if len(outcomes) == 0 {
		return a.Journal.Outcome()
	}
	return a.killableJournal.Outcome(outcomes...)
}

// countingSpool is one whose log service answers at once.
type countingSpool struct {
	mu    sync.Mutex
	given uint64
}

func (*countingSpool) Check() error { return nil }

func (s *countingSpool) Append(records ...contract.Record) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.given += uint64(len(records))
	return nil
}

func (*countingSpool) Stats() ship.Stats { return ship.Stats{} }

func (s *countingSpool) Progress() ship.Progress {
	s.mu.Lock()
	defer s.mu.Unlock()
	return ship.Progress{Given: s.given, Answered: s.given}
}

// approve is a person who approves the policy with as many containers as it owns now.
func (p *tablePlay) approve() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.policy.NeedsApproval() || p.unapproved {
		return
	}
	approved := policy2.NewApproved(p.policy, time.Now(), "ada", p.own)
	p.version2.Approved = &approved
	inForce := p.version2
	p.policies.write(govern.PolicyUpdate{Version2: &inForce})
}

func (p *tablePlay) startedByHand(r rulestest.Row) {
	for _, name := range p.startByHand(r.Names()...) {
		p.mu.Lock()
		p.events[name] = append(p.events[name], rulestest.Moment(sinceT())+" "+rulestest.EventStarted)
		p.mu.Unlock()
	}
}

// observe notes a call that changes something.
func (p *tablePlay) observe(call enginetest.Call, target enginetest.Container, _ []enginetest.Container) {
	p.mu.Lock()
	defer p.mu.Unlock()
	ends := call.Op == "stop" || call.Op == "kill"
	if ends && !contract.StateAlive(target.State) || call.Op == "update" && call.CPU.Equal(target.CPU) {
		return
	}
	p.effects = append(p.effects, effect{sinceT(), call, target})
}

// OnTick keeps what the table has verdicts of.
func (p *tablePlay) OnTick(r *govern.Report) {
	if r.Rules == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.own = len(r.Rules.Own())
	if at := sinceT().Truncate(time.Second); slices.Contains(p.table.Moments(), at) {
		p.said[at] = r.Rules.Plan
	}
}

func (*tablePlay) OnAction(govern.ActionResult) {}
func (*tablePlay) OnPolicy(contract.Policy)     {}

// check holds what happened against the table.
func (p *tablePlay) check(killed bool) {
	got := p.history()
	for _, r := range p.table.Rows {
		for _, c := range r.Containers {
			if problem := p.compare(r.Events[c.Name], got[c.Name]); problem != "" {
				p.t.Errorf("what happened to %s:\n%s", c.Name, problem)
			}
		}

		for _, want := range r.Says {
			at, name, _ := rulestest.SaidOf(want)
			if plan := p.said[at]; !killed && rulestest.Say(&plan, at, name) != want {
				p.t.Errorf("the plan says\n  %s, want\n  %s", rulestest.Say(&plan, at, name), want)
			}
		}
	}

	p.checkWhatIf()
	switch r, err := replay.Run(p.dir); {
	case err != nil || r.Ticks == 0 || r.Same != r.Ticks || !r.Complete():
		p.t.Errorf("replay: %v, %d of %d the same, complete: %t; %+v", err, r.Same, r.Ticks, r.Complete(), r.Different)
	case killed && p.kills == 0 && p.down == 0: // while nobody receives there is little to do
		p.t.Error("it was never killed")
	}
}

// checkWhatIf asks what the same policy would have done since it was approved: the same, also where notices were lost and the manager killed.
func (p *tablePlay) checkWhatIf() {
	r, err := whatif.Run(p.dir, whatif.Options{Policy: p.policy, From: tableT()})
	if err != nil || r.Different > 0 || r.KeptLonger > 0 {
		p.t.Errorf("whatif: %v %+v", err, r)
	}
}

// lateAfterKill is by how many ticks everything may be later for each time that the manager was killed: on the next one there is none, on
// that after it the new one reads the host for the first time, and what has to hold for some time is not counted on either.
const lateAfterKill = 3

// late is by how much everything may be later.
func (p *tablePlay) late() time.Duration { return time.Duration(lateAfterKill*p.kills) * p.tick }

// compare holds the events of a container against those of its row, the same and at the same moments but for the kills.
func (p *tablePlay) compare(want, got []string) string {
	late := p.late()
	for len(got) > len(want) && momentOf(got[len(got)-1]) > p.table.Until {
		got = got[:len(got)-1]
	}

	same := slices.EqualFunc(want, got, func(want, got string) bool {
		_, wantWhat, _ := strings.Cut(want, " ")
		_, gotWhat, _ := strings.Cut(got, " ")
		behind := momentOf(got) - momentOf(want)
		return wantWhat == gotWhat && behind >= 0 && behind <= late
	})
	if same {
		return ""
	}
	return fmt.Sprintf("up to %s late for %d kills; (-want +got):\n%s", late, p.kills, cmp.Diff(want, got))
}

func momentOf(event string) time.Duration {
	at, _, _ := strings.Cut(event, " ")
	moment, err := rulestest.ParseMoment(at)
	if err != nil {
		panic(err)
	}
	return moment
}

// history are the events of each container, by name, as the table has them: what was done to it, by which rule, and its notices.
func (p *tablePlay) history() map[string][]string {
	p.mu.Lock()
	defer p.mu.Unlock()
	intents := p.intents()
	events := maps.Clone(p.events)
	for _, e := range p.effects {
		if what := p.what(e, intents); what != "" {
			events[e.target.Name] = append(events[e.target.Name], rulestest.Moment(e.at.Truncate(time.Second))+" "+what)
		}
	}

	seen := make(map[string]bool)
	for _, call := range p.receiver.Calls() {
		at := (p.table.From + call.After).Truncate(time.Second)
		for _, n := range call.Notices() {
			if n.Step != string(policy2.StepWarn) || at < p.down || seen[n.ActionID] {
				continue
			}
			seen[n.ActionID] = true
			for _, i := range intents {
				if i.Action == contract.ActionWarn && i.NoticeID() == n.ActionID {
					events[i.Name] = append(events[i.Name], rulestest.Moment(at)+" "+noticed(i))
				}
			}
		}
	}

	for _, list := range events {
		slices.SortStableFunc(list, func(a, b string) int { return int(momentOf(a) - momentOf(b)) })
	}
	return events
}

// noticed is the event of a notice.
func noticed(i journal.Intent) string {
	what := rulestest.EventWarn + ": " + i.Notice.Rule
	if i.Notice.Guard != "" {
		what += ", " + i.Notice.Guard
	}
	return what
}

// what is the event of a call: the intent that it was made for says by whom, and what it was to come to.
func (p *tablePlay) what(e effect, intents []journal.Intent) string {
	var made journal.Intent
	for _, i := range intents {
		if i.Container == e.target.ID && i.Action != contract.ActionWarn && i.GUS <= tableT().Add(e.at).UnixMicro() {
			made = i
		}
	}

	var what string
	switch {
	case e.call.Op == "update" && made.Action == contract.ActionThrottle:
		what = rulestest.EventThrottle
	case e.call.Op == "update" && e.call.CPU.Share() == p.lifeOf(e.target.ID).spec.NanoCPUs:
		what = rulestest.EventGiveBack
	case e.call.Op == "remove", e.call.Op == "stop" && e.target.AutoRemove:
		what = rulestest.EventRemove
	case e.call.Op == "stop" && made.Action == contract.ActionStop:
		what = rulestest.EventStop
	case e.call.Op == "stop" && made.Action == contract.ActionRemove:
		return "" // on its way to the end
	default:
		what = fmt.Sprintf("%+v for %s", e.call, made.Action)
	}
	return what + ": " + p.ruleOf(made.Rule)
}

func (p *tablePlay) ruleOf(hash string) string {
	for _, r := range p.policy.Rules {
		if r.Hash() == hash {
			return r.Name
		}
	}
	return "no rule " + hash
}

// intents are those of the journal, in order.
func (p *tablePlay) intents() (intents []journal.Intent) {
	_, err := journal.Scan(p.dir, func(e journal.Entry) error {
		if e.Intent != nil && !e.Carried {
			intents = append(intents, *e.Intent)
		}
		return nil
	})
	if err != nil {
		p.t.Error(err)
	}
	return intents
}
