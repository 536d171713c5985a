package policy2

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"time"

	"gestor.local/contract"
)

// NeedsApproval says whether the policy may touch containers that are not Gestor's own: whether any selector of Own lacks
// gestor.managed=true. Such a policy only observes until a person has approved it.
func (p Policy) NeedsApproval() bool {
	managed := Label{Key: contract.LabelManaged, Value: "true"}
	return slices.ContainsFunc(p.Own, func(s Selector) bool {
		return (s.Label == nil || *s.Label != managed) && !slices.Contains(s.Labels, managed)
	})
}

// approvedVersion is the version of the document Approved.
const approvedVersion = 1

// Approved is the document that says which policy a person has approved.
type Approved struct {
	V    int       `json:"v"`
	Hash string    `json:"hash"` // of the policy, when it was approved
	Time time.Time `json:"time"`
	Who  string    `json:"who"`
	// OwnCount is how many containers were own, running or not.
	OwnCount int    `json:"own_count"`
	Policy   Policy `json:"policy"`
}

// NewApproved is the document by which this person approves the policy now.
func NewApproved(p Policy, now time.Time, who string, ownCount int) Approved {
	return Approved{V: approvedVersion, Hash: p.Hash(), Time: now.UTC().Truncate(time.Second), Who: who, OwnCount: ownCount, Policy: p}
}

// Text writes the document, indented, with a newline at its end.
func (a Approved) Text() ([]byte, error) {
	text, err := json.MarshalIndent(a, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("write approval: %w", err)
	}
	return append(text, '\n'), nil
}

// ParseApproved reads a document strictly, as Policy.UnmarshalJSON does. What cannot be read approves nothing.
func ParseApproved(text []byte) (Approved, error) {
	// Beside the policy every key must be there: zero is a count like any other.
	var keys map[string]json.RawMessage
	if err := json.Unmarshal(text, &keys); err != nil {
		return Approved{}, fmt.Errorf("read approval: %w", err)
	}

	for _, key := range []string{"v", "hash", "time", "who", "own_count", "policy"} {
		if _, ok := keys[key]; !ok {
			return Approved{}, fmt.Errorf("read approval: %q is missing", key)
		}
	}

	var a Approved
	if err := decodeStrictly(text, &a); err != nil {
		return Approved{}, fmt.Errorf("read approval: %w", err)
	}
	switch {
	case a.V != approvedVersion:
		return Approved{}, fmt.Errorf("read approval: version %d is not supported", a.V)
	case a.OwnCount < 0:
		return Approved{}, errors.New("read approval: own_count is below zero")
	}
	return a, nil
}

// Approves says whether the document approves this policy: its hash is the same, and so is the value of every key in the
// policy of the document, but for mode, tick and gates. A key that the document does not have has its default, so that a
// release with new keys needs no new approval; one that changes a default does.
func (a Approved) Approves(p Policy) bool {
	return a.Hash == p.Hash() && reflect.DeepEqual(compared(a.Policy), compared(p))
}

// compared is what is compared of a policy: all but mode, tick and gates.
func compared(p Policy) map[string]any {
	all := tree(p)
	for _, key := range unapproved {
		delete(all, key)
	}
	return all
}

// Differences lists what another policy has otherwise than the approved one, a line for a key, sorted: `surprise: approved
// 30, now 50`.
func (a Approved) Differences(p Policy) []string {
	approved, now := flat(a.Policy), flat(p)
	keys := maps.Clone(approved)
	maps.Copy(keys, now)

	var out []string
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		if was, is := approved[key], now[key]; was != is {
			out = append(out, fmt.Sprintf("%s: approved %s, now %s", key, orNone(was), orNone(is)))
		}
	}
	return out
}

// flat is the JSON of each key of a policy, but for mode, tick and gates; keys within a mapping are written as idle.cpu, those
// of a rule as rule "old".when, and the order of the rules as rules.
func flat(p Policy) map[string]string {
	out, all, names := map[string]string{}, compared(p), []string{}
	for _, r := range p.withDefaults().Rules {
		names = append(names, r.Name)
		flatten(fmt.Sprintf("rule %q", r.Name), tree(r), out)
	}
	all["rules"] = names
	flatten("", all, out)
	return out
}

func flatten(prefix string, object map[string]any, out map[string]string) {
	for key, value := range object {
		at := key
		if prefix != "" {
			at = prefix + "." + key
		}

		// An empty mapping is a value: it says none.
		if inner, ok := value.(map[string]any); ok && len(inner) > 0 {
			flatten(at, inner, out)
			continue
		}
		text, _ := json.Marshal(value)
		out[at] = string(text)
	}
}

func orNone(text string) string {
	if text == "" {
		return "nothing"
	}
	return text
}
