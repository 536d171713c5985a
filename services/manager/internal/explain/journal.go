package explain

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
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

// Last is the newest tick.
func (j Journal) Last() (TickReport, error) { return j.findTick(nil) }

// Tick is the newest tick with this number. After a reset of the manager's state numbers begin again.
func (j Journal) Tick(number uint64) (TickReport, error) { return j.findTick(&number) }

// findTick reads the segments newest first and stops at the first that holds the tick. What was done because of the
// tick stands behind it, in the same segment or in one that was read before; its policy stands before it, in the same
// one.
func (j Journal) findTick(number *uint64) (TickReport, error) {
	var found *journal.Entry
	var noPlan *journal.NoPlan
	var actions actionLog

	policies, segment := policies{}, segmentTracker{}
	_, err := journal.ScanBackwards(j.Path, mentionsTick(number), func(e journal.Entry) error {
		if segment.startsSegment(e) && (found != nil || noPlan != nil) {
			return journal.ErrStop
		}

		policies.add(e)

		// An outcome names its action only: all are kept until it is known which actions were of this tick.
		switch {
		case e.Tick != nil && (number == nil || e.Tick.Context.Tick == *number):
			found, noPlan = &e, nil
		case e.NoPlan != nil && number == nil && e.NoPlan.Version2 != "":
			found, noPlan = nil, e.NoPlan
		case e.NoPlan != nil && number != nil && e.NoPlan.Tick == *number:
			found, noPlan = nil, e.NoPlan
		case e.Intent == nil || number == nil || e.Intent.Tick == *number:
			actions.add(e)
		}
		return nil
	})

	switch {
	case err != nil:
		return TickReport{}, err
	case noPlan != nil && noPlan.Version2 != "":
		return TickReport{}, j.version2Error(*noPlan)
	case noPlan != nil:
		return TickReport{}, notFoundError(fmt.Sprintf("tick %d: there was nothing to decide on (%s); next: explain a tick near it",
			*number, strings.Join(noPlan.Gates, ", ")))
	case found == nil:
		return TickReport{}, j.tickNotFound(number)
	}

	plan, err := found.Tick.Decoded()
	if err != nil {
		return TickReport{}, err
	}

	// A number is used again after a reset of the manager's state: the snapshot's sequence sets the two ticks apart.
	ofTick := actions.filter(func(i journal.Intent) bool { return i.Tick == plan.Tick && i.Sequence == plan.Sequence })
	return NewTickReport(found.At, *found.Tick, plan, policies.of(plan), ofTick), nil
}

// version2Error is the error for a tick whose plan is of version 2, and says where that is.
func (j Journal) version2Error(n journal.NoPlan) error {
	text := fmt.Sprintf("tick %d: the policy in force was of version 2 (%s), whose plans the journal does not hold; next: see what it would "+
		"do now (policy-plan --policy FILE)", n.Tick, n.Version2)
	if logs := j.logsURL("/v1/decisions", "limit", "100"); logs != "" {
		text += fmt.Sprintf(", or what it decided: curl -s '%s'", logs)
	}
	return notFoundError(text)
}

// policies are those of the journal by their hash.
type policies map[string]contract.Policy

func (p policies) add(e journal.Entry) {
	if e.Policy != nil {
		p[e.Policy.Hash] = e.Policy.Policy
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
	needle := fmt.Appendf(nil, `"tick":%d,`, *number)
	return func(line []byte) bool { return bytes.Contains(line, needle) || alwaysRead(line) }
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
	isTick := func(line []byte) bool { return bytes.Contains(line, []byte(`"tick":{`)) }
	ref := func(e journal.Entry) TickRef { return TickRef{e.Tick.Context.Tick, e.At} }

	_, err = journal.ScanWhere(j.Path, isTick, func(e journal.Entry) error {
		if e.Tick == nil {
			return nil
		}
		r.oldest = ref(e)
		return journal.ErrStop
	})
	if err != nil || r.empty() {
		return r, err
	}

	// Within a segment a backward scan goes forwards: the newest tick is the last one of the first segment that has
	// any.
	segment := segmentTracker{}
	_, err = journal.ScanBackwards(j.Path, isTick, func(e journal.Entry) error {
		if segment.startsSegment(e) && !r.newest.At.IsZero() {
			return journal.ErrStop
		}
		if e.Tick != nil {
			r.newest = ref(e)
		}
		return nil
	})
	return r, err
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
