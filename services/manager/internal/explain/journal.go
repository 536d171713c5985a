package explain

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strings"
	"time"

	"gestor.local/contract"
	"gestor.local/manager/internal/journal"
)

// Journal is what is explained.
type Journal struct {
	Path string // the journal's folder, or one of its files
	// Logs is the address under which people reach the log service, "" when it is not known.
	Logs string
}

// Report explains one tick, under a policy of version 1 (TickReport) or of version 2 (RulesReport), or one container (ContainerHistory).
type Report interface {
	// Table writes it for people.
	Table(w io.Writer) error
}

// Last is the newest tick.
func (j Journal) Last() (Report, error) { return j.findTick(nil) }

// Tick is the newest tick with this number. After a reset of the manager's state numbers begin again.
func (j Journal) Tick(number uint64) (Report, error) { return j.findTick(&number) }

// tickFinder finds a tick while the segments are read newest first: the last one of the first segment that has any.
type tickFinder struct {
	number *uint64 // nil: the last one

	// One of these is what was found: a tick of version 1, one without a plan, or the facts of one of version 2 with the last line that
	// is about them.
	tick        *journal.Entry
	noPlan      *journal.NoPlan
	facts, last uint64
	ruled       uint64 // the number of the tick of version 2

	actions  actionLog
	policies policies
	names    ruleNames
	segment  segmentTracker
}

func (f *tickFinder) found() bool { return f.tick != nil || f.noPlan != nil || f.facts != 0 }

func (f *tickFinder) is(number uint64) bool { return f.number == nil || *f.number == number }

func (f *tickFinder) add(e journal.Entry) error {
	if f.segment.startsSegment(e) && f.found() {
		return journal.ErrStop
	}

	f.policies.add(e)
	f.names.add(e)

	// An outcome names its action only: all are kept until it is known which actions were of this tick.
	switch {
	case e.Head != nil: // the facts on its line are those of a tick of the segment before
	case e.Tick != nil && f.is(e.Tick.Context.Tick):
		f.tick, f.noPlan, f.facts = &e, nil, 0

	case e.Facts != nil && f.is(*e.Facts):
		f.tick, f.noPlan = nil, nil
		if e.Look <= 1 || f.facts == 0 {
			f.facts = e.Seq
		}
		f.last, f.ruled = e.Seq, *e.Facts
	case e.Verdict != nil && f.facts != 0 && f.is(*e.Verdict):
		f.last = e.Seq

	case e.NoPlan != nil && f.number != nil && f.is(e.NoPlan.Tick):
		f.tick, f.noPlan, f.facts = nil, e.NoPlan, 0
	case e.Intent == nil || f.is(e.Intent.Tick):
		f.actions.add(e)
	}
	return nil
}

// findTick reads the segments newest first and stops at the first that holds the tick. What was done because of the
// tick stands behind it, in the same segment or in one that was read before; its policy stands before it, in the same
// one.
func (j Journal) findTick(number *uint64) (Report, error) {
	f := tickFinder{number: number, policies: policies{}, names: ruleNames{}}
	_, err := journal.ScanBackwards(j.Path, mentionsTick(number), f.add)

	switch {
	case err != nil:
		return nil, err
	case f.noPlan != nil:
		return nil, notFoundError(fmt.Sprintf("tick %d: there was nothing to decide on (%s); next: explain a tick near it",
			*number, strings.Join(f.noPlan.Gates, ", ")))

	case f.facts != 0:
		t, err := j.ruledTick(f.ruled, f.last)
		if err != nil {
			return nil, err
		}

		// What was begun because of a tick stands behind its facts.
		ofTick := f.actions.filter(f.names, func(e journal.Entry) bool { return e.Intent.Tick == t.facts.Tick && e.Seq > f.facts })
		return newRulesReport(t, ofTick), nil

	case f.tick == nil:
		return nil, j.tickNotFound(number)
	}

	plan, err := f.tick.Tick.Decoded()
	if err != nil {
		return nil, err
	}

	// A number is used again after a reset of the manager's state: the snapshot's sequence sets the two ticks apart.
	ofTick := f.actions.filter(f.names, func(e journal.Entry) bool {
		return e.Intent.Tick == plan.Tick && e.Intent.Sequence == plan.Sequence
	})
	return NewTickReport(f.tick.At, *f.tick.Tick, plan, f.policies.of(plan), ofTick), nil
}

// policies are those of the journal by their hash.
type policies map[string]contract.Policy

func (p policies) add(e journal.Entry) {
	for _, policy := range policiesOf(e) {
		if policy.Policy2 == nil {
			p[policy.Hash] = policy.Policy
		}
	}
}

// policiesOf are those that a line has: a head of version 2 has the one in force.
func policiesOf(e journal.Entry) (out []*journal.Policy) {
	if e.Policy != nil {
		out = append(out, e.Policy)
	}
	if e.Head != nil && e.Head.Policy != nil {
		out = append(out, e.Head.Policy)
	}
	return out
}

// ruleNames are those of the rules of version 2 by their hash.
type ruleNames map[string]string

func (n ruleNames) add(e journal.Entry) {
	for _, policy := range policiesOf(e) {
		if policy.Policy2 == nil {
			continue
		}
		for _, rule := range policy.Policy2.Rules {
			n[rule.Hash()] = rule.Name
		}
	}
}

func (p policies) of(plan contract.Plan) *contract.Policy {
	if policy, ok := p[plan.PolicyHash]; ok {
		return &policy
	}
	return nil
}

// mentionsTick says by the text of a line whether it may be about the tick: it names the number, or it is of those that
// name none. Most lines need not be parsed then.
func mentionsTick(number *uint64) func(line []byte) bool {
	if number == nil {
		return nil // the last one: read everything
	}

	var needles [][]byte
	for _, key := range []string{"tick", "facts", "verdict"} {
		needles = append(needles, fmt.Appendf(nil, `"%s":%d,`, key, *number))
	}
	return func(line []byte) bool {
		mentions := func(needle []byte) bool { return bytes.Contains(line, needle) }
		return slices.ContainsFunc(needles, mentions) || alwaysRead(line)
	}
}

// alwaysRead are the lines that name no tick and no container: an outcome names its action only, a policy its hash.
func alwaysRead(line []byte) bool {
	return bytes.Contains(line, []byte(`"outcome":{`)) || bytes.Contains(line, []byte(`"policy":{"hash"`))
}

// segmentTracker finds out in a backward scan where another segment begins: its numbers are smaller.
type segmentTracker struct{ last uint64 }

func (t *segmentTracker) startsSegment(e journal.Entry) bool {
	older := t.last > 0 && e.Seq < t.last
	t.last = e.Seq
	return older
}

// ErrNotFound says that the journal does not reach back to what was asked for, or never held it.
var ErrNotFound = errors.New("not in the journal")

// notFoundError is ErrNotFound with the range of the journal and the next step.
type notFoundError string

func (e notFoundError) Error() string { return string(e) }

// Is makes it ErrNotFound.
func (notFoundError) Is(target error) bool { return target == ErrNotFound }

// TickRef is a tick of the journal and when it was written.
type TickRef struct {
	Tick uint64    `json:"tick"`
	At   time.Time `json:"at"`
}

func (t TickRef) String() string {
	return fmt.Sprintf("tick %d (%s)", t.Tick, t.At.UTC().Format(time.RFC3339))
}

// tickRange is from the oldest to the newest tick of a journal.
type tickRange struct{ oldest, newest TickRef }

// empty says that the journal holds no tick.
func (r tickRange) empty() bool { return r.oldest.At.IsZero() }

func (j Journal) tickRange() (r tickRange, err error) {
	// A verdict follows the facts that it was made of; those of a head are of a tick before.
	isTick := func(line []byte) bool {
		return bytes.Contains(line, []byte(`"tick":{`)) || bytes.Contains(line, []byte(`"verdict":`))
	}

	var first, last journal.Entry
	_, err = journal.ScanWhere(j.Path, isTick, func(e journal.Entry) error {
		if e.Tick == nil && e.Verdict == nil {
			return nil
		}
		first = e
		return journal.ErrStop
	})
	if err != nil || first.Seq == 0 {
		return r, err
	}

	// Within a segment a backward scan goes forwards: the newest tick is the last one of the first segment that has
	// any.
	segment := segmentTracker{}
	_, err = journal.ScanBackwards(j.Path, isTick, func(e journal.Entry) error {
		if segment.startsSegment(e) && last.Seq != 0 {
			return journal.ErrStop
		}
		if e.Tick != nil || e.Verdict != nil {
			last = e
		}
		return nil
	})
	if err == nil {
		r.oldest, err = j.tickRef(first)
	}
	if err == nil {
		r.newest, err = j.tickRef(last)
	}
	return r, err
}

// tickRef is the tick of a line. A line of version 2 has no time: that is one of its facts.
func (j Journal) tickRef(e journal.Entry) (TickRef, error) {
	if e.Tick != nil {
		return TickRef{e.Tick.Context.Tick, e.At}, nil
	}
	h, err := journal.NamesTo(j.Path, e.Seq)
	if err != nil {
		return TickRef{}, err
	}
	return TickRef{*e.Verdict, wallTime(h.WallUS())}, nil
}

// tickNotFound is the error for a tick that is not there.
func (j Journal) tickNotFound(number *uint64) error {
	r, err := j.tickRange()
	switch {
	case err != nil:
		return err
	case number == nil:
		return r.notFound("the last tick", "")
	default:
		return r.notFound(fmt.Sprintf("tick %d", *number), j.logsURL("/v1/records", "limit", "1000", "q", fmt.Sprintf(`"tick":%d,`, *number)))
	}
}

// notFound is the error for what is not there: it says what is, and how the log service is asked for the rest.
func (r tickRange) notFound(what, logs string) error {
	text := fmt.Sprintf("%s: %v, which reaches from %s to %s", what, ErrNotFound, r.oldest, r.newest)
	if r.empty() {
		text = fmt.Sprintf("%s: %v, which holds no decision yet", what, ErrNotFound)
	}

	switch {
	case logs != "":
		text += fmt.Sprintf("; next: ask the log service, which keeps more: curl -s '%s'", logs)
	case r.empty():
		text += "; next: wait for a tick of the manager, or name another journal with --journal"
	}
	return notFoundError(text)
}

// logsURLOf is where the log service has a container: its history by its id; a name, or the beginning of an id that
// could be one, is searched for in the starts, decisions and actions.
func (j Journal) logsURLOf(who string) string {
	const idDigits = 12 // as docker ps shows them
	if len(who) >= idDigits && strings.Trim(who, "0123456789abcdef") == "" {
		return j.logsURL("/v1/containers/" + who)
	}

	// The search is in the text of the records, where the name is a JSON string.
	inJSON, err := json.Marshal(who)
	if err != nil {
		return ""
	}

	return j.logsURL("/v1/records", "kind", "launch,decision,action", "q", string(inJSON[1:len(inJSON)-1]))
}

// logsURL is an address of the log service, "" when that is not known.
func (j Journal) logsURL(path string, query ...string) string {
	if j.Logs == "" {
		return ""
	}

	address := strings.TrimSuffix(j.Logs, "/") + path
	separator := "?"
	for i := 0; i+1 < len(query); i += 2 {
		address += separator + query[i] + "=" + strings.ReplaceAll(url.QueryEscape(query[i+1]), "%2C", ",")
		separator = "&"
	}
	return address
}
