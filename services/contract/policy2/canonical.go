package policy2

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"gestor.local/contract"
)

// fields is a policy without its methods: encoding/json reads and writes its fields as they stand.
type fields Policy

// MarshalJSON writes the canonical JSON: every key with its default written out, in the order of the fields. Two documents
// that say the same have the same.
func (p Policy) MarshalJSON() ([]byte, error) { return json.Marshal(fields(p.withDefaults())) }

// UnmarshalJSON reads that JSON strictly: an unknown or doubled key, null and a value of another kind are errors, and version
// must be written. A missing key has its default. Whether the policy is a valid one is for Validate to say.
func (p *Policy) UnmarshalJSON(text []byte) error {
	// Lists are left out of what is decoded into: encoding/json would read entries into those of the default.
	out := fields(Default())
	out.Version, out.Own, out.Protect, out.Rules, out.Budget, out.Rank, out.Act.Calls = 0, nil, nil, nil, nil, nil, nil
	if err := decodeStrictly(text, &out); err != nil {
		return fmt.Errorf("read policy: %w", err)
	}
	if out.Version != Version {
		return fmt.Errorf("read policy: version %d is not supported", out.Version)
	}

	// A list that was not written is nil, and one that was written empty is not.
	defaults := Default()
	out.Own = orDefault(out.Own, defaults.Own)
	out.Protect = orDefault(out.Protect, defaults.Protect)
	out.Rules = orDefault(out.Rules, defaults.Rules)
	out.Budget = orDefault(out.Budget, defaults.Budget)
	out.Rank = orDefault(out.Rank, defaults.Rank)
	out.Act.Calls = orDefault(out.Act.Calls, defaults.Act.Calls)
	*p = Policy(out)
	return nil
}

// orDefault takes a list that was written, an empty one too, and else the default.
func orDefault[T any](written, byDefault []T) []T {
	if written == nil {
		return byDefault
	}
	return written
}

// withDefaults writes out what a policy may leave to its reader: empty lists, what a rule judges, how long it stays calm.
func (p Policy) withDefaults() Policy {
	// These have no default here: nil in a policy is a list with nothing in it.
	p.Own = orDefault(p.Own, []Selector{})
	p.Protect = orDefault(p.Protect, []Selector{})
	p.Budget = orDefault(p.Budget, []Rate{})
	p.Rank = orDefault(p.Rank, []contract.Key{})
	p.Act.Calls = orDefault(p.Act.Calls, []contract.Rung{})
	if p.Images == nil {
		p.Images = map[string]contract.Class{}
	}

	rules := make([]Rule, len(p.Rules))
	for i, r := range p.Rules {
		rules[i] = r.withDefaults()
	}
	p.Rules = rules
	return p
}

func (r Rule) withDefaults() Rule {
	if r.Each == EachUnset {
		r.Each = EachContainer
	}
	if r.Calm == 0 && r.Steps().Has(StepThrottle) {
		r.Calm = DefaultCalm
	}
	return r
}

// withoutDefaults leaves out what a rule may leave out.
func (r Rule) withoutDefaults() Rule {
	if r.Each == EachContainer {
		r.Each = EachUnset
	}
	if r.Calm == DefaultCalm {
		r.Calm = 0
	}
	return r
}

// Steps is what becomes of those whom the rule holds: Do, or Rest of a rule that keeps.
func (r Rule) Steps() Ladder {
	if r.Keep.IsZero() {
		return r.Do
	}
	return r.Rest
}

// decodeStrictly reads one JSON value into v. Beside what encoding/json takes it refuses keys that v does not have, keys that
// stand twice or differ from v's in upper and lower case, null, and whatever follows the value.
func decodeStrictly(text []byte, v any) error {
	if !utf8.Valid(text) {
		return errors.New("is not UTF-8 text")
	}
	if err := checkValue(json.NewDecoder(bytes.NewReader(text)), ""); err != nil {
		return err
	}

	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return err
	}

	// Decode reads one value and leaves the rest.
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("more follows the document")
	}
	return nil
}

// freeKeys is the one mapping whose keys are the writer's: names of images.
const freeKeys = "images"

// checkValue reads one value, which stands under this key.
func checkValue(d *json.Decoder, under string) error {
	token, err := d.Token()
	if err != nil {
		return err
	}

	switch token {
	case nil:
		return fmt.Errorf("%q has no value", under)

	case json.Delim('{'):
		return checkObject(d, under)

	case json.Delim('['):
		for d.More() {
			if err := checkValue(d, under); err != nil {
				return err
			}
		}
		_, err = d.Token()
	}
	return err
}

func checkObject(d *json.Decoder, under string) error {
	seen := map[string]bool{}
	for d.More() {
		token, err := d.Token()
		if err != nil {
			return err
		}

		key, _ := token.(string)
		switch {
		case seen[key]:
			return fmt.Errorf("%q stands twice", key)
		case under != freeKeys && strings.ToLower(key) != key:
			return fmt.Errorf("%q is not a key", key)
		}
		seen[key] = true

		if err := checkValue(d, key); err != nil {
			return err
		}
	}

	_, err := d.Token() // its closing brace
	return err
}
