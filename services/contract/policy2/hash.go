package policy2

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"reflect"
)

// hashDigits is enough to tell policies apart by eye and in a query; it is no proof against a forger.
const hashDigits = 16

// Hash names what a policy does: the first 16 hex digits of the SHA-256 of its canonical JSON, without mode, tick and gates
// and without keys that have their default. A release that adds keys leaves it as it is.
func (p Policy) Hash() string {
	rules := make([]Rule, len(p.Rules))
	for i, r := range p.Rules {
		rules[i] = r.withoutDefaults()
	}
	p = p.withDefaults()
	p.Rules = rules

	written := tree(fields(p))
	leaveOut(written, tree(fields(Default().withDefaults())))
	for _, key := range unapproved {
		delete(written, key)
	}

	written["version"] = p.Version // which has no default
	return hash(written)
}

// unapproved are the keys that say when and whether plans are made and carried out, and not what they do.
var unapproved = []string{"mode", "tick", "gates"}

// Hash names the rule: the first 16 hex digits of the SHA-256 of its canonical JSON, without keys that have their default. It
// is the same wherever in a policy the rule stands.
func (r Rule) Hash() string { return hash(r.withoutDefaults()) }

func hash(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		return "" // nothing in a policy can fail to marshal
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])[:hashDigits]
}

// tree is the JSON of an object as maps, lists, texts and numbers with all their digits.
func tree(v any) map[string]any {
	text, err := json.Marshal(v)
	if err != nil {
		return nil
	}
	var out map[string]any
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	_ = d.Decode(&out) // it has just been written
	return out
}

// leaveOut removes from an object what is the same in another, at any depth; a list is one value.
func leaveOut(object, same map[string]any) {
	for key, value := range object {
		equal := reflect.DeepEqual(value, same[key])

		// Of two objects only what differs is left.
		inner, isObject := value.(map[string]any)
		if other, both := same[key].(map[string]any); isObject && both {
			leaveOut(inner, other)
			equal = len(inner) == 0
		}

		if equal {
			delete(object, key)
		}
	}
}
