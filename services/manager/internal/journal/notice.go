package journal

import (
	"strconv"
	"strings"
	"time"

	"gestor.local/contract/policy2"

	"gestor.local/manager/internal/rules"
)

// Notice is what people are told. It stands in the intents of one notice, which are one a container: whoever finds one of them open
// can tell it again in the same words.
type Notice struct {
	Kind rules.NoticeKind `json:"kind"`
	Text string           `json:"text"`
	// Rule is the rule's name; Why are the values that it was held against.
	Rule  string `json:"rule,omitempty"`
	Why   string `json:"why,omitempty"`
	Guard string `json:"guard,omitempty"` // with rules.NoticeGuard
	// Project is the unit where that is a compose project; Names are its containers' names then, at most MaxNames, and Containers is
	// how many there are.
	Project    string   `json:"project,omitempty"`
	Names      []string `json:"names,omitempty"`
	Containers int      `json:"containers,omitempty"`
	// NextStep comes after the notice, at NextAt by the clock on the wall; "" for none. The hold of a surprise ends at NextAt.
	NextStep policy2.Step `json:"next_step,omitempty"`
	NextAt   time.Time    `json:"next_at,omitzero"`
	// Wanted is how many containers the plan of a surprise stops or removes, Living how many own ones live.
	Wanted int `json:"wanted,omitempty"`
	Living int `json:"living,omitempty"`
}

// MaxNames bounds the names of one notice: with the longest that an engine gives they are half a record.
const MaxNames = 100

// noticePart stands between the id of a notice and the number of an intent that is not its first.
const noticePart = "/"

// NoticeID is the id of the notice that the intent is of: the id of its first intent.
func (i Intent) NoticeID() string {
	id, _, _ := strings.Cut(i.ActionID, noticePart)
	return id
}

// WithID makes the intent the n-th of a notice, counted from 0.
func (i Intent) WithID(notice string, n int) Intent {
	i.ActionID = notice
	if n > 0 {
		i.ActionID += noticePart + strconv.Itoa(n)
	}
	return i
}

// OpenNotices are the entries of the first intents of notices among those that are open, oldest first: what a spool that has nothing
// of the journal still has to be given of it, since their ladders wait until their records have arrived.
func OpenNotices(dir string, open []Intent) (entries []Entry, err error) {
	missing := make(map[string]bool)
	for _, i := range open {
		if i.Notice != nil {
			missing[i.NoticeID()] = true
		}
	}
	if len(missing) == 0 {
		return nil, nil
	}

	_, err = scan(dir, reader{version: version2, visit: func(e Entry) error {
		if e.Intent != nil && missing[e.Intent.ActionID] {
			delete(missing, e.Intent.ActionID) // a carried line repeats it
			entries = append(entries, e)
		}
		return nil
	}})
	return entries, err
}
