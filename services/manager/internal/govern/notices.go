package govern

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"gestor.local/contract"
	"gestor.local/contract/policy2"
	"gestor.local/manager/internal/journal"
	"gestor.local/manager/internal/notify"
	"gestor.local/manager/internal/rules"
)

// Notifier passes notices on to the outer world; [*notify.Sender] is one.
type Notifier interface {
	// Send takes a notice, false where too many wait: it is to be offered again. The same id is the same notice, with the words of
	// the last one.
	Send(n notify.Notice) bool
	// HoldWhile has it asked right before each attempt to tell anybody whether it is to wait.
	HoldWhile(waits func() bool)
	// Withdraw takes back those that are not to be sent any more.
	Withdraw(unwanted func(notify.Notice) bool)
	// Delivered are the action ids of those that have arrived since it was last asked; Changed has a value when there may be some.
	Delivered() []string
	Changed() <-chan struct{}
	// Waits says why ladders wait for it, not ok while nobody has to know.
	Waits() (notify.Waiting, bool)
}

// stamp is a moment as the rules know it: the newest tick, and the governed clock in microseconds.
type stamp struct {
	tick uint64
	gUS  int64
}

// noticer tells people what plans say, and follows each notice until it is delivered: the log service has answered for its record
// and, with a Notifier, the receiver has taken it. It belongs to the goroutine of the loop.
//
// A notice is an intent of each container that it is about, written before anything is told, and is open until their outcomes are
// written. So whoever dies in between finds it again, under its id and in its words: it may be told twice, and never as two.
type noticer struct {
	notifier  Notifier // nil where nobody outside of the suite is told
	loop      *loopState
	journaler *journaler
	reporter  *reporter
	spool     Spool
	host      string

	// open are the notices without an outcome, the oldest first.
	open []*openNotice
	// late are those of guards that the journal has not taken yet: a plan says them once.
	late []*openNotice
	// closing are outcomes of notices that nobody waits for any more and that the journal has not taken yet.
	closing []journal.Outcome
}

// openNotice is a notice on its way.
type openNotice struct {
	id      string
	ask     ask
	intents []journal.Intent // one a container; all hold what is told
	words   *journal.Notice  // what is told outside by now: the next step comes the later the longer it waits
	since   time.Time        // when it was told, or found again
	seq     uint64           // of its first intent in the journal, 0 where that is not known

	// Its record has a number in the spool above from and up to upTo, which is 0 until the spool has taken it; letGo is what the
	// reporter had let go by then. recorded says that the log service has answered for it.
	from, upTo uint64
	letGo      int
	recorded   bool

	sent     bool // the Notifier has it
	received bool // and its receiver
}

// ask is what makes two notices the same one.
type ask struct {
	kind rules.NoticeKind
	rule string // hash
	unit string // a container's id, or "project " and its name
}

func (o *openNotice) told() *journal.Notice { return o.intents[0].Notice }

// moves says that a ladder waits for its delivery.
func (o *openNotice) moves() bool { return o.ask.kind == rules.NoticeStep }

func newNoticer(o Options, loop *loopState, j *journaler, r *reporter) *noticer {
	return &noticer{notifier: o.Notifier, loop: loop, journaler: j, reporter: r, spool: o.Spool, host: o.Host}
}

// recover takes over the notices that an earlier run left open. Their records are in the spool, or in what it is given of the
// journal's backlog. They are sent again once a plan asks for them.
func (n *noticer) recover(open []journal.Intent) {
	for _, i := range open {
		if i.Action != contract.ActionWarn || i.Notice == nil {
			continue
		}

		at := slices.IndexFunc(n.open, func(o *openNotice) bool { return o.id == i.NoticeID() })
		if at < 0 {
			at = len(n.open)
			n.open = append(n.open, &openNotice{id: i.NoticeID(), ask: askOf(i), since: time.Now(), letGo: n.reporter.letGo})
		}
		n.open[at].intents = append(n.open[at].intents, i)
	}
}

// askOf is what the intent's notice is the answer to, askFor what the plan's is. Names are compared as the journal has them.
func askOf(i journal.Intent) ask {
	return newAsk(i.Notice.Kind, i.Rule, i.Notice.Project, i.Container)
}

func askFor(one *rules.Notice) ask {
	return newAsk(one.Kind, one.Hash, contract.Printable(one.Project), firstOf(one.Containers))
}

func newAsk(kind rules.NoticeKind, rule, project, container string) ask {
	if kind == rules.NoticeSurprise {
		return ask{kind: kind}
	}
	if project != "" {
		return ask{kind, rule, "project " + project}
	}
	return ask{kind, rule, container}
}

// tell takes over the notices of the plan that counts on this tick: new ones become intents, a record and, with a Notifier, a call.
// One that is open already is the same notice. Those that the plan does not ask for any more are taken back. Nothing is told where
// the plan does not carry warnings out, nor without a written intent: then the error is returned. Of all that it writes nothing is an
// event to the memory of the rules.
func (n *noticer) tell(t *tick, at stamp) (err error) {
	if t.ruled == nil {
		n.withoutPlan(at)
		return nil
	}

	// What a tick with a closed gate does not ask for may be asked for again.
	s := n.sort(t, at)
	if !t.gated() {
		n.takeBack(func(o *openNotice) bool { return !s.asked[o] }, at)
	}
	n.close()

	switch {
	case t.ruled.Plan.CarriesOut(policy2.StepWarn):
		err = n.begin(t, s)
		n.passOn()
	case t.ruled.Facts.InForce.Observes(t.ruled.Policy.Mode): // nobody outside is told either
		n.silence()
	}
	return err
}

// withoutPlan is tell for a tick without a plan, and for a policy of version 1, of which nobody is told anything.
func (n *noticer) withoutPlan(at stamp) {
	if n.loop.version2 == nil {
		n.late = nil
		n.takeBack(func(*openNotice) bool { return true }, at)
	}
	n.hush()
	n.close()
}

// isSilent says that nobody outside is told of anything under the policy in force.
func (n *noticer) isSilent() bool {
	v := n.loop.version2
	if v == nil {
		return true
	}
	return n.loop.inForce.Observes(v.Policy.Mode)
}

// hush takes back all that waits to be told outside, where nobody is to be told.
func (n *noticer) hush() {
	if n.isSilent() {
		n.silence()
	}
}

// silence takes back all that waits to be told outside, also of what was done. What a ladder waits for is sent again once a plan carries
// warnings out.
func (n *noticer) silence() {
	if n.notifier == nil {
		return
	}
	for _, o := range n.open {
		o.sent = o.sent && o.received
	}
	n.notifier.Withdraw(func(notify.Notice) bool { return true })
}

// sorted are the notices of a plan: those that are open already and still asked for, those that are new, and the intents of
// containers that came to an open one.
type sorted struct {
	asked map[*openNotice]bool
	fresh []*openNotice
	more  map[*openNotice][]journal.Intent
}

func (n *noticer) sort(t *tick, at stamp) sorted {
	s := sorted{asked: make(map[*openNotice]bool), more: make(map[*openNotice][]journal.Intent)}
	for _, o := range n.open {
		// A plan says that of a guard once; it is told as long as somebody is there whom it is about.
		s.asked[o] = o.ask.kind == rules.NoticeGuard &&
			slices.ContainsFunc(o.intents, func(i journal.Intent) bool { return t.ruled.identity(i.Container) != nil })
	}

	for _, one := range t.ruled.Plan.Notices {
		if len(one.Containers) == 0 && one.Kind != rules.NoticeSurprise {
			continue
		}
		o := n.find(askFor(&one))

		// A hold that begins on this tick is another one than that of before, which it may follow at once.
		begins := one.Kind == rules.NoticeSurprise && one.SinceGUS == t.ruled.Facts.GUS
		if s.asked[o] = o != nil && !begins; s.asked[o] {
			s.more[o], o.words = newcomers(t, o, &one, at), n.words(t, &one)
		} else {
			s.fresh = append(s.fresh, n.newNotice(t, &one, at))
		}
	}
	return s
}

// newcomers are the intents of containers that the notice did not speak of when it was told.
func newcomers(t *tick, o *openNotice, one *rules.Notice, at stamp) (intents []journal.Intent) {
	for _, id := range one.Containers {
		if o.moves() && !slices.ContainsFunc(o.intents, func(i journal.Intent) bool { return i.Container == id }) {
			intent := intentOfNotice(t, one, id, at).WithID(o.id, len(o.intents)+len(intents))
			intent.Notice = o.told()
			intents = append(intents, intent)
		}
	}
	return intents
}

func firstOf(ids []string) string {
	if len(ids) == 0 {
		return ""
	}
	return ids[0]
}

func (n *noticer) find(a ask) *openNotice {
	for _, o := range n.open {
		if o.ask == a {
			return o
		}
	}
	return nil
}

// begin writes the intents of what is new, in one piece, and then records it.
func (n *noticer) begin(t *tick, s sorted) error {
	fresh := append(n.late, s.fresh...)
	n.late = nil

	var intents []journal.Intent
	first := make([]int, len(fresh))
	for k, o := range fresh {
		first[k] = len(intents)
		intents = append(intents, o.intents...)
	}
	for _, o := range n.open {
		intents = append(intents, s.more[o]...)
	}

	seq, err := n.journaler.intents(intents...)
	if err != nil {
		n.late = slices.DeleteFunc(fresh, func(o *openNotice) bool { return o.ask.kind != rules.NoticeGuard })
		return err
	}

	for o, came := range s.more {
		o.intents = append(o.intents, came...)
	}
	for k, o := range fresh {
		o.seq = seq + uint64(first[k]) //nolint:gosec // an index
		n.record(t.at, o)
	}
	n.open = append(n.open, fresh...)
	return nil
}

// record gives the spool the notice's record.
func (n *noticer) record(at time.Time, o *openNotice) {
	o.from, o.upTo = n.spool.Progress().Given, 0
	record := n.reporter.noticeRecord(o.intents[0], at)
	record.JournalSeq = o.seq

	n.reporter.logEvent(eventWarn, contract.LevelWarn, o.told().Text)
	n.reporter.appendEvents(record)
	o.letGo = n.reporter.letGo
	n.isRecorded(o)
}

// isRecorded says whether the log service has answered for the notice's record. One that went lost on the way is recorded again.
func (n *noticer) isRecorded(o *openNotice) bool {
	if o.recorded {
		return true
	}

	// What the spool did not take at first it gets behind what came before; the oldest of too many are let go.
	p, taken := n.spool.Progress(), len(n.reporter.pending) == 0
	switch lost := o.upTo == 0 && n.reporter.letGo != o.letGo || p.Lost > o.from; {
	case !taken && o.upTo == 0:
		return false
	case lost:
		n.record(time.Now(), o)
		return false
	case o.upTo == 0:
		o.upTo = p.Given
	}
	o.recorded = p.Answered >= o.upTo
	return o.recorded
}

// passOn gives the Notifier what has not arrived yet, in the words of now.
func (n *noticer) passOn() {
	if n.notifier == nil {
		return
	}
	for _, o := range n.open {
		if !o.received {
			o.sent = n.notifier.Send(n.messageOf(o)) || o.sent
		}
	}
}

// withdraw takes notices back from the Notifier.
func (n *noticer) withdraw(which func(*openNotice) bool) {
	ids := make(map[string]bool)
	for _, o := range n.open {
		if o.sent && !o.received && which(o) {
			ids[o.id], o.sent = true, false
		}
	}
	if len(ids) > 0 {
		n.notifier.Withdraw(func(m notify.Notice) bool { return ids[m.ActionID] })
	}
}

// takeBack ends open notices that nobody asks for any more.
func (n *noticer) takeBack(which func(*openNotice) bool, at stamp) {
	n.withdraw(which)
	n.open = slices.DeleteFunc(n.open, func(o *openNotice) bool {
		if !which(o) {
			return false
		}
		outcome := contract.OutcomeRefused
		if n.isDelivered(o) && !o.moves() { // a hold that is over
			outcome = contract.OutcomeDone
		}
		n.closing = append(n.closing, o.outcomes(outcome, at)...)
		return true
	})
}

func (o *openNotice) outcomes(outcome string, at stamp) (out []journal.Outcome) {
	for _, i := range o.intents {
		out = append(out, journal.Outcome{ActionID: i.ActionID, Outcome: outcome, Tick: at.tick, GUS: at.gUS})
	}
	return out
}

// close writes down the outcomes that are owed.
func (n *noticer) close() {
	if n.journaler.closeNotices(n.closing) {
		n.closing = nil
	}
}

// changed has a value when notices may have been received, nil where nobody outside is told.
func (n *noticer) changed() <-chan struct{} {
	if n.notifier == nil {
		return nil
	}
	return n.notifier.Changed()
}

// answerWithin is how long the log service is given to answer for the record of a notice, before it is asked for again.
const answerWithin = time.Second

// recordsDue has a value once a log service that owes the answer for a record may have given it, nil while it owes none.
func (n *noticer) recordsDue() <-chan time.Time {
	if slices.ContainsFunc(n.open, func(o *openNotice) bool { return o.moves() && !o.recorded }) {
		return time.After(answerWithin)
	}
	return nil
}

// delivered closes the notices that have arrived since it was last asked. Their outcomes are written to the journal; what these are
// to the memory of the rules is returned.
func (n *noticer) delivered(at stamp) (events []rules.Event) {
	if n.notifier != nil {
		for _, id := range n.notifier.Delivered() {
			for _, o := range n.open {
				o.received = o.received || o.id == id
			}
		}
	}

	var outcomes []journal.Outcome
	closes := make(map[*openNotice]bool)
	for _, o := range n.open {
		// That of a hold is open as long as the hold: a later run is not to tell it as another one.
		if closes[o] = n.isDelivered(o) && o.ask.kind != rules.NoticeSurprise; closes[o] {
			outcomes = append(outcomes, o.outcomes(contract.OutcomeDone, at)...)
		}
	}
	if !n.journaler.closeNotices(outcomes) {
		return nil // the journal gets them the next time
	}

	for _, o := range n.open {
		for k, outcome := range o.outcomes(contract.OutcomeDone, at) {
			if event, ok := outcome.Event(o.intents[k]); ok && closes[o] {
				events = append(events, event)
			}
		}
	}
	n.open = slices.DeleteFunc(n.open, func(o *openNotice) bool { return closes[o] })
	return events
}

// isDelivered says whether all who are to be told have been.
func (n *noticer) isDelivered(o *openNotice) bool {
	return n.isRecorded(o) && (n.notifier == nil || o.received)
}

// done tells of a throttle, stop or removal that was done, by the rule with the name. Nothing waits for that, and of what ended when an
// approval was taken back already nobody outside is told.
func (n *noticer) done(name, container string, step policy2.Step, rule, why, actionID string) {
	if n.notifier == nil || n.isSilent() {
		return
	}
	n.notifier.Send(notify.Notice{
		Text: notify.Report(contract.Printable(name), step, contract.Printable(rule), why),
		Host: n.host, Rule: rule, Container: container, Name: name, Step: step, ActionID: actionID,
	})
}

// recordsWaitAfter is how long a notice's record may wait for the log service before somebody is told, as a call may.
const recordsWaitAfter = 10 * time.Minute

// waits says why ladders wait for notices, not ok while nobody has to know.
func (n *noticer) waits(now time.Time) (why string, ok bool) {
	var reasons []string
	if n.notifier != nil {
		if w, ok := n.notifier.Waits(); ok {
			reasons = append(reasons, fmt.Sprintf("%s, the oldest since %s: %s", number(w.Notices), w.Since.UTC().Format(time.RFC3339), w.Why))
		}
	}

	var oldest *openNotice
	count := 0
	for _, o := range n.open {
		if o.moves() && !n.isRecorded(o) {
			oldest, count = cmp.Or(oldest, o), count+1
		}
	}
	if oldest != nil && now.Sub(oldest.since) >= recordsWaitAfter {
		reasons = append(reasons, fmt.Sprintf("%s, the oldest since %s: the log service has not answered for the record",
			number(count), oldest.since.UTC().Format(time.RFC3339)))
	}
	return strings.Join(reasons, "; "), len(reasons) > 0
}

// number says how many notices there are.
func number(notices int) string {
	if notices == 1 {
		return "1 notice"
	}
	return fmt.Sprintf("%d notices", notices)
}
